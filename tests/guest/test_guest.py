#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The guest runner itself: what comes back from a command, and what a guest that
does not get to its end leaves."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from guest import need_qemu  # noqa: E402
from surety import Tap  # noqa: E402

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")
BYTES = bytes(range(256)) * 300

COMMAND = """
echo spoken; echo complaint >&2
cat /data/bytes; cp /data/bytes /out/copy; mkdir -p /out/deep/er; : >/out/deep/er/empty
grep -q surety.guest /proc/cmdline && [ ! -e /dev/sda ] && [ "$(ls /sys/class/net)" = lo ] && echo alone >&2
sleep 1000 &
exit 41
"""


def run(*args, timeout=200):
    return subprocess.run([RUN, "--timeout", str(timeout), *args], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def all_of_a_command(tap, folder):
    os.mkdir(os.path.join(folder, "data"))
    with open(os.path.join(folder, "data", "bytes"), "wb") as f:
        f.write(BYTES)
    out = os.path.join(folder, "out")
    got = run("--shell", "--file", os.path.join(folder, "data") + ":/data", "--out", out, "--", "sh", "-c", COMMAND)
    error = got.stderr.decode(errors="replace")
    tap.equal(got.returncode, 41, "exit status", error)
    tap.ok(got.stdout == b"spoken\n" + BYTES, "standard output, binary", len(got.stdout))
    tap.equal(error, "complaint\nalone\n", "standard error; a guest has no disk and no network")
    files = sorted(os.path.relpath(os.path.join(top, name), out) for top, _, names in os.walk(out) for name in names)
    tap.equal(files, ["copy", "deep/er/empty"], "the files of /out")
    if "copy" in files:
        with open(os.path.join(out, "copy"), "rb") as f:
            tap.ok(f.read() == BYTES, "a file comes back as it was")


def main():
    need_qemu()
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        all_of_a_command(tap, folder)
        got = run("--kernel", "6.1", "--shell", "--", "sh", "-c", "uname -r; kill -SEGV $$")
        tap.equal((got.stdout[:4], got.returncode), (b"6.1.", 139), "the kernel asked for; a command that a signal ends")
        got = run("--shell", "--", "sh", "-c", "echo before >&2; echo c >/proc/sysrq-trigger")
        error = got.stderr.decode(errors="replace")
        tap.ok(got.returncode == 125 and "it ended before the command did" in error and "console: " in error
               and "panic" in error, "a panic is told with the last lines of the console", error)
        got = run("--cpus", "2", "--shell", "--", "sh", "-c",
                  "echo before; sleep 1; echo '<1>Oops: int3: 0000' >/dev/kmsg; echo c >/proc/sysrq-trigger")
        error = got.stderr.decode(errors="replace")
        # What it said may be lost with it.
        tap.ok(got.stdout in (b"", b"before\n"), "what a guest said that was started again is told once", got.stdout)
        tap.equal((got.returncode, error.count("started again")), (125, 2),
                  "a guest that its own patching of text stops is tried three times", error)
        got = run("--shell", "--", "sh", "-c", "sleep 1000", timeout=0.5)
        tap.ok(got.returncode == 125 and b"it did not end within 0.5 s" in got.stderr, "a guest that hangs is killed",
               got.stderr.decode(errors="replace"))
        got = run("--", "no-such-command")
        tap.ok(got.returncode == 127 and b"cannot run 'no-such-command'" in got.stderr, "a command that is not there",
               got.stderr.decode(errors="replace"))
    tap.done()


main()
