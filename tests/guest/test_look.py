#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""surety ps and check where nobody else is: Committed_AS has to be explained to the
page, a leak of the kernel's (docs/ACCOUNTING.md, L1) is what nobody holds, and the
settings that check proposes have to do."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from guest import need_qemu  # noqa: E402
from surety import KIB, MIB, SURETY, Tap, helper  # noqa: E402

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")
COMMAND = """
look() { echo "at $1"; surety ps --exact --json; }
look boot
mkdir /t; mount -t tmpfs -o size=50m none /t; dd if=/dev/zero of=/t/file bs=1M count=8 2>/dev/null; look tmpfs
rm /t/file; umount /t; look gone
leak 4096; look leak
leak 1024; look again
echo at check; surety check --json
echo at text; surety check
surety check | sed -n 's/^sysctl -w \\([^ ]*\\)=\\([0-9]*\\).*/\\1 \\2/p' | tac >/out/settings
while read -r name value; do echo "$value" >/proc/sys/$(echo "$name" | tr . /); done </out/settings
echo at strict; cat /proc/sys/vm/overcommit_memory; sh -c 'echo lives'
echo at after; surety check --json
needed=$(surety check --json --headroom 0 | sed -n 's/.*"needed_bytes":\\([0-9]*\\).*/\\1/p')
echo 0 >/proc/sys/vm/overcommit_memory
echo at refused; echo $((needed / 1024 - 2048)) >/proc/sys/vm/overcommit_kbytes; surety check --json --headroom 0
echo "status $?"
"""


def run(kernel):
    done = subprocess.run([RUN, "--kernel", kernel, "--timeout", "250", "--shell", "--file", SURETY, "--file",
                           helper("leak"), "--", "sh", "-c", COMMAND], stdin=subprocess.DEVNULL, capture_output=True)
    parts, name = {}, None
    for line in done.stdout.decode().splitlines():
        if line.startswith("at "):
            name = line[3:]
            parts[name] = []
        elif name:
            parts[name].append(line)
    return done, parts


def row(lines, kind):
    found = [json.loads(line) for line in lines if '"row":"%s"' % kind in line]
    return found[0] if found else {}


def check_kernel(tap, kernel):
    done, parts = run(kernel)
    say = "Linux %s: " % kernel
    if not tap.equal(done.returncode, 0, say + "the guest got to its end",
                     done.stderr.decode() + done.stdout.decode()[-2000:]):
        return
    host = {name: row(lines, "host") for name, lines in parts.items()}
    tap.equal(host["boot"]["held_by_none_bytes"], 0, say + "Committed_AS is explained to the page", host["boot"])
    tap.equal((host["tmpfs"]["shared_memory_bytes"], host["tmpfs"]["held_by_none_bytes"]), (8 * MIB, 0),
              say + "so are files on a tmpfs", host["tmpfs"])
    tap.equal((host["gone"]["shared_memory_bytes"], host["gone"]["held_by_none_bytes"]), (0, 0),
              say + "and their end", host["gone"])
    tap.equal(host["leak"]["held_by_none_bytes"], 4 * MIB, say + "what the kernel leaks is held by nobody", host["leak"])
    tap.equal(host["again"]["held_by_none_bytes"], 5 * MIB, say + "to the page", host["again"])
    verdict = row(parts["check"], "host")
    tap.equal((verdict["verdict"], verdict["held_by_none_bytes"], verdict["certain"]), ("lives", 5 * MIB, True),
              say + "check: the verdict, and the leak in it", verdict)
    tap.ok(any("5M of it nobody holds" in line for line in parts["text"]), say + "check says so", parts["text"])
    tap.equal(parts["strict"], ["2", "lives"], say + "the host lives under mode 2 as check said")
    tap.equal(row(parts["after"], "host")["overcommit_memory"], 2, say + "check: the mode as it is")
    refused = row(parts["refused"], "host")
    tap.ok(refused.get("verdict") == "raise" and parts["refused"][-1] == "status 1",
           say + "with a lower limit another is needed, and the exit status says so", parts["refused"])
    tap.ok(refused.get("overcommit_kbytes", 0) * KIB >= refused.get("CommitLimit", 0),
           say + "the one proposed is higher", refused)


def main():
    need_qemu()
    tap = Tap()
    for kernel in ("6.12", "6.1"):
        check_kernel(tap, kernel)
    tap.done()


main()
