#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The drivers of the guest, with no guest: results are kept and read again, a failing
script gets short, an archive is what the kernel unpacks."""
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import kernels  # noqa: E402
from guest import Archive, libraries  # noqa: E402
from shrink import shrink  # noqa: E402
from surety import Tap  # noqa: E402

OUTPUT = """script a
program 420 kB, 1244 kB mapped
2 ok
3 rest 16 kB
end a 0
script b
program 420 kB, 1244 kB mapped
2 ok
end b timeout
script c
skip needs Linux 6.11
end c 0
"""


def results(tap, folder):
    got = kernels.split(OUTPUT)
    tap.equal(got, {"a": ["program 420 kB, 1244 kB mapped", "2 ok", "3 rest 16 kB"],
                    "b": ["program 420 kB, 1244 kB mapped", "2 ok", "end timeout"],
                    "c": ["skip needs Linux 6.11"]}, "the output of a batch, script by script")
    kernels.RESULTS = os.path.join(folder, "results")
    kernels.keep("6.12", "6.12.1-a", got)
    tap.equal(kernels.read_kept("6.12"), {name: ("6.12.1-a", lines) for name, lines in got.items()},
              "what is kept is read again")
    got["a"] = ["program 421 kB, 1244 kB mapped", "2 ok", "3 rest 16 kB"]
    got["b"] = got["b"][:-1] + ["3 ok"]
    kernels.keep("6.12", "6.12.2-b", got)
    kept = kernels.read_kept("6.12")
    tap.equal((kept["a"], kept["b"][0]), (("6.12.1-a", ["program 420 kB, 1244 kB mapped", "2 ok", "3 rest 16 kB"]),
                                          "6.12.2-b"), "kept anew, only what has changed is written")


def shorter(tap):
    dice = random.Random(3)
    tries, wrong = [], []
    for _ in range(60):
        count = dice.randrange(1, 201)
        needed = set(dice.sample(range(count), min(count, dice.randrange(1, 7))))
        calls = []

        def fails(candidates, needed=needed, calls=calls):
            calls.append(len(candidates))
            return [needed <= set(lines) for lines in candidates]
        got = shrink(list(range(count)), fails)
        tries.append(len(calls))
        if got != sorted(needed):
            wrong.append((count, needed, got))
    tap.equal(wrong, [], "the shortest list that fails")
    tap.ok(max(tries) <= 30, "found in a few rounds, each of which may boot a machine", tries)


def archive(tap, folder):
    host = os.path.join(folder, "host", "deep")
    os.makedirs(host)
    with open(os.path.join(host, "program"), "wb") as f:
        f.write(b"12345")
    os.chmod(os.path.join(host, "program"), 0o751)
    made = Archive()
    made.copy(os.path.join(folder, "host"), "/data")
    made.add("/a/b", b"xyz")
    made.link("/a/c", "b")
    out = os.path.join(folder, "out")
    os.mkdir(out)
    done = subprocess.run(["cpio", "-id", "--quiet"], input=bytes(made.finish()), cwd=out)
    program = os.path.join(out, "data", "deep", "program")
    tap.equal(done.returncode, 0, "cpio reads the archive")
    tap.equal((oct(os.stat(program).st_mode), open(program, "rb").read(), os.readlink(os.path.join(out, "a", "c")),
               open(os.path.join(out, "a", "c"), "rb").read()), ("0o100751", b"12345", "b", b"xyz"),
              "files, folders, links and modes are in it")
    found = libraries("/bin/sh")
    tap.ok(any("libc.so" in name for name in found) and any("ld-linux" in name for name in found),
           "a program comes with the libraries and the loader that it needs", found)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        results(tap, folder)
        shorter(tap)
        archive(tap, folder)
    tap.done()


main()
