# SPDX-License-Identifier: MIT
"""The anonymous memory that a group has, sampled from outside."""
import os
import re
import threading
import time

from surety import KIB, same_space

FIELD = re.compile(rb"^(Pss_Anon|SwapPss): *(\d+) kB", re.M)


class Sampler(threading.Thread):
    """Most anonymous memory of the job at a time, looked at every 10 ms."""

    def __init__(self, job):
        super().__init__(daemon=True)
        self.job, self.most, self.samples, self.stop = job, 0, 0, False

    def descendants(self):
        pids, todo = [], [self.job.proc.pid]
        while todo:
            pid = todo.pop()
            try:
                with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
                    found = [int(x) for x in f.read().split()]
            except OSError:
                continue
            pids += found
            todo += found
        return pids

    def spaces(self):
        """Who shares memory with whom: changes with a fork, an exec and an end."""
        found = []
        for pid in self.descendants():
            try:
                exe = os.path.basename(os.readlink("/proc/%d/exe" % pid))
                with open("/proc/%d/stat" % pid) as f:
                    flags = f.read().rpartition(")")[2].split()[6]
            except OSError:
                continue
            if not exe.startswith("surety"):
                found.append((pid, exe, int(flags) & 0x44))  # PF_EXITING, PF_FORKNOEXEC
        return found

    def sample(self):
        """None where a fork, an exec or an end came between: a page would count twice."""
        before, total = self.spaces(), 0
        pids = [pid for pid, _, _ in before]
        for i, pid in enumerate(pids):
            if any(same_space(pid, other) for other in pids[:i]):
                continue  # vfork
            try:
                with open("/proc/%d/smaps_rollup" % pid, "rb") as f:
                    total += sum(int(kb) for _, kb in FIELD.findall(f.read())) * KIB
            except OSError:
                pass
        return total if before == self.spaces() else None

    def run(self):
        while not self.stop:
            began = time.monotonic()
            got = self.sample()
            if got is not None:
                self.most = max(self.most, got)
                self.samples += 1
            time.sleep(max(0, began + 0.01 - time.monotonic()))

    def finish(self):
        self.stop = True
        self.join()
