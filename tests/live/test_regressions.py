#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What supervisors of memory calls are known to get wrong, one trap a group.

Each trap is a small program (tests/helpers/traps.c, tasks.c, compat.c) that
knows the limit and says what it found.  Where it says "rest", surety's figures
are held against the kernel's own count.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import (MIB, Job, Tap, compare, ends_within_limit, helper, need_live, program_lines,  # noqa: E402
                    remove_segments, run, symbols)

LIMIT = 128

TRAPS = ["strict", "break", "fixed", "credit", "none", "escape", "mixed", "zero", "remap", "remap-several", "moving",
         "noreserve", "file", "sysv", "memfd", "posixshm", "stack", "growsdown", "huge", "race"]
TASKS = ["child-dies", "fork-refused", "dont-fork", "clone3", "clone-vm", "leader-exits", "thread-exec", "silent",
         "zombies", "daemon", "short-lived", "pid-reuse", "urgent", "interrupted", "not-restarted", "break-exec", "exec-often",
         "orphans", "twins",
         "new-pids"]


def follow(tap, job, name, timeout=40):
    """Facts become test points; rests are looked at."""
    facts = 0
    creators = set()
    while True:
        line = job.line(timeout)
        if line is None:
            break
        if line.startswith("rest "):
            creators |= set(job.pids())
            compare(tap, job, "%s: %s: exact at rest" % (name, line[5:]))
            job.say()
        elif line.startswith(("ok ", "no ")):
            facts += 1
            tap.ok(line.startswith("ok "), "%s: %s" % (name, line[3:]))
        else:
            tap.diag(line)
    remove_segments(creators=creators)
    return facts


def trap(tap, program, name, *args, limit=LIMIT, opts=(), rc=0):
    path = helper(program)
    if not path:
        tap.skip("%s: %s" % (program, name), "32bit: no compiler for -m32 here")
        return None
    cmd = [path] + ([name] if name else []) + [str(limit), *args]
    label = name or program
    with Job(cmd, "%dM" % limit, opts=opts) as job:
        try:
            facts = follow(tap, job, label)
        except TimeoutError as e:
            tap.ok(False, "%s: comes to its end" % label, e)
            return None
        result = job.finish(timeout=20)
    tap.equal(result.rc, rc, "%s: exit status" % label, result)
    tap.ok(facts > 0 or rc, "%s: said something" % label, result)
    return result


def on_refusal(tap, action, wanted):
    """--on-refusal reaches the caller and nobody else of the group."""
    result = trap(tap, "tasks", "caller-only", opts=["--on-refusal", action])
    tap.ok(result and any(wanted in p for p in SAID), "on-refusal %s: %s" % (action, wanted), SAID)


SAID = []


class Listener(Tap):
    """A Tap that also keeps the names of its points."""

    def ok(self, condition, name, diag=None):
        SAID.append(name)
        return super().ok(condition, name, diag)


def actions(tap):
    for action, wanted in (("return", "ended with status 9"), ("kill", "ended by signal 9"),
                           ("abort", "ended by signal 6"), ("stop", "stopped by 19")):
        del SAID[:]
        tap.guarded(on_refusal, action, wanted)


def one_report(tap):
    """The three or four refused calls of one malloc are one refusal."""
    code = "import ctypes; c=ctypes.CDLL(None); c.malloc.restype=ctypes.c_void_p; print(c.malloc(1<<30))"
    r = run(["/usr/bin/python3", "-c", code], "128M")
    tap.equal((r.rc, r.out.strip()), (0, "None"), "malloc of 1 GiB: NULL", r)
    tap.equal(len(r.reports), 1, "malloc of 1 GiB: one report", [(x["operation"], x["requested_bytes"]) for x in r.reports])
    for report in r.reports:
        tap.ok(len(report["calls"]) >= 3, "the report lists the calls", report["calls"])
        tap.ok(any(s and "malloc" in s for s in symbols(report)), "the stack shows malloc", symbols(report))
        tap.ok(report.get("holders") and report["holders"][0]["bytes"] > MIB, "holders are named", report.get("holders"))


def exec_big(tap):
    path = helper("bigbss")
    r = trap(tap, "tasks", "exec-big", path)
    tap.ok(r and r.reports and r.reports[-1]["operation"] == "execve", "exec-big: reported as execve",
           r and r.reports)


def exec_in_flight(tap):
    """An image that is half mapped is not taken for all there is, and a thread that
    has become another's leader is not waited for."""
    limit = 256 << 20
    with Job([helper("execs"), "4"], str(limit), report=False, opts=["--report", "/dev/null"]) as job:
        try:
            tap.equal(job.line(30), "done 0", "exec in flight: every process comes to its end")
        except TimeoutError as e:
            tap.ok(False, "exec in flight: comes to its end", e)
            return
        ends_within_limit(tap, job, "exec in flight", limit, 100)


def peak(tap, program, name, spaces, had):
    """The peak is what was held at most: what is held at the end, by so many SPACES, and HAD bytes."""
    with Job([helper(program), name, str(LIMIT)], "%dM" % LIMIT) as job:
        for _ in program_lines(tap, job, 30):
            figures = job.status()
            held = figures["Committed_AS"] * spaces + had
            tap.ok(held <= figures["Peak"] < held + 2 * MIB, "%s: the peak is what was held" % name, figures)
            job.say()
        tap.equal(job.finish().rc, 0, "%s: exit status" % name)


def modes(tap):
    """In modes 0 and 1 the group is counted but hardly refused."""
    scenario = helper("scenario")
    r = run([scenario, "S1", "64"], "64M", opts=["--overcommit-memory", "1"])
    tap.equal((r.out.strip(), r.reports), ("works", []), "mode 1 refuses nothing", r)
    r = run([scenario, "S5", "64"], None, opts=["--overcommit-memory", "0", "--memory", "256M", "--swap", "0"])
    tap.equal(r.out.strip(), "works", "mode 0: less than the RAM at once", r)
    r = run([scenario, "S1", "256"], None, opts=["--overcommit-memory", "0", "--memory", "256M", "--swap", "0"])
    tap.equal(r.out.strip(), "ENOMEM at mmap", "mode 0: more than RAM plus swap at once", r)
    r = run([scenario, "S1", "128"], None,
            opts=["--overcommit-ratio", "50", "--memory", "256M", "--swap", "0"])
    tap.equal(r.out.strip(), "ENOMEM at mmap", "mode 2 by ratio: 50 % of 256M", r)
    tap.equal([x["limit_bytes"] for x in r.reports], [128 * MIB], "CommitLimit is what the ratio gives")


def unprivileged(tap):
    """As an ordinary user: nothing here needs privileges."""
    if os.getuid() != 0:
        tap.skip("as nobody", "root: only root can become nobody")
        return
    prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    scenario, tasks = helper("scenario"), helper("tasks")
    for path in (scenario, tasks):
        os.chmod(path, 0o755)
    os.chmod(os.path.dirname(scenario), 0o755)
    for row, wanted in (("S1", "ENOMEM at mmap"), ("S2", "2 pass, 2 ENOMEM"), ("S3", "works")):
        r = run([scenario, row, str(LIMIT)], "%dM" % LIMIT, prefix=prefix, report=False)
        tap.equal(r.out.strip(), wanted, "as nobody: %s" % row, r)
    r = run([tasks, "undumpable", str(LIMIT)], "%dM" % LIMIT, prefix=prefix, report=False)
    for line in r.out.splitlines():
        tap.ok(line.startswith("ok"), "as nobody: " + line[3:], r)
    tap.equal(r.rc, 0, "as nobody: undumpable: exit status", r)


def shared_huge(tap):
    """A shared mapping of huge pages (PostgreSQL tries for one) is in no counter of
    its process: it must not make every later request near the limit read smaps."""
    code = """
import mmap
try:
    mmap.mmap(-1, 4 << 20, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | 0x40000)  # MAP_HUGETLB
except OSError:
    pass
held = mmap.mmap(-1, 84 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
print("full", flush=True)
input()
for _ in range(300):
    mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
print("asked", flush=True)
input()
"""
    with Job(["/usr/bin/python3", "-c", code], "104M") as job:
        job.line()
        supervisor = job.status()["supervisor_pid"]
        before = bytes_read(supervisor)
        job.say()
        job.line()
        per_call = (bytes_read(supervisor) - before) // 300
        job.say()
        result = job.finish(timeout=20)
    tap.equal((result.rc, result.reports), (0, []), "shared huge pages: nothing refused", result)
    tap.ok(per_call < 1000, "shared huge pages: a request near the limit is cheap", "%d bytes read" % per_call)


def bytes_read(pid):
    with open("/proc/%d/io" % pid) as f:
        return int(f.readline().split()[1])


def main():
    need_live()
    tap = Listener()
    for name in TRAPS:
        tap.guarded(trap, "traps", name)
    for name in TASKS:
        tap.guarded(trap, "tasks", name)
    for _ in range(10):
        tap.guarded(trap, "traps", "newborn")
    tap.guarded(trap, "compat", None)
    tap.guarded(trap, "compat32", None)
    tap.guarded(actions)
    tap.guarded(one_report)
    tap.guarded(exec_big)
    tap.guarded(exec_in_flight)
    for name in "inherited", "shrunk":
        tap.guarded(trap, "kin", name)
    tap.guarded(lambda tap: trap(tap, "kin", "next", limit=4 * LIMIT))
    tap.guarded(peak, "tasks", "toggled", 1, LIMIT * MIB // 4)
    tap.guarded(peak, "kin", "siblings", 3, LIMIT * MIB // 2)
    tap.guarded(peak, "kin", "larger", 22, LIMIT * MIB // 2)
    tap.guarded(modes)
    tap.guarded(unprivileged)
    tap.guarded(shared_huge)
    tap.done()


if __name__ == "__main__":
    main()
