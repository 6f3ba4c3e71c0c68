#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Acceptance vectors: what each operation moves Committed_AS by, to the page.

Each step is checked twice: what `surety status` moved by against the vector,
and what it stands at against the kernel's own count.  With SURETY=native in the
environment only the kernel's count is held against the vectors: that proves the
vectors themselves on this kernel.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import (KIB, MARK, Job, Tap, helper, kernel_count, marked, need_live,  # noqa: E402
                    read_line)

NATIVE = os.environ.get("SURETY") == "native"


class Native:
    """The same program without surety; its status is the kernel's own count."""

    def __init__(self, cmd, mode):
        self.mode = mode
        self.mark = "native-%d" % os.getpid()
        self.proc = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     env=dict(os.environ, **{MARK: self.mark}))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.proc.kill()
        self.proc.wait()

    def line(self):
        return read_line(self.proc.stdout, 20)

    def say(self):
        self.proc.stdin.write(b"\n")
        self.proc.stdin.flush()

    def count(self):
        return kernel_count(marked(self.mark), mode=self.mode)

    def status(self):
        return {"Committed_AS": self.count().total}


def steps(tap, kind, mode):
    cmd = [helper("vectors"), kind]
    job = Native(cmd, mode) if NATIVE else Job(cmd, "1G", opts=["--overcommit-memory", str(mode)], stderr=None)
    last = None
    seen = 0
    with job:
        while True:
            line = job.line()
            if line is None or line.startswith("fail"):
                tap.ok(False, "%s: the program gets through its steps" % kind, line)
                return
            if line == "end":
                break
            change, name = line.split(" ", 1)
            if change == "skip":
                tap.skip("%s: %s" % (kind, name), "live: not on this kernel")
                job.say()
                continue
            said = job.status()["Committed_AS"]
            own = job.count() if NATIVE else kernel_count(job.pids(), mode=mode)
            tap.equal(said, own.total, "%s: %s: surety and the kernel's count" % (kind, name), own)
            if last is not None:
                tap.equal((said - last) // KIB, int(change), "%s: %s: change in kB" % (kind, name))
                seen += 1
            last = said
            job.say()
    tap.ok(seen > 5, "%s: steps were seen" % kind)
    if not NATIVE:
        tap.equal(job.reports(), [], "%s: nothing was refused" % kind)


def main():
    if not NATIVE:
        need_live()
    tap = Tap()
    tap.guarded(steps, "mode2", 2)
    tap.guarded(steps, "forced", 2)
    tap.guarded(steps, "mode0", 0)
    tap.done()


if __name__ == "__main__":
    main()
