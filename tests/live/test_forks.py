#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Forks under a policy: what they are charged, what is copied, who is ended.

In each, the anonymous memory that the group has is sampled from outside: each
page once (Pss), so the copies that a parent and its children make are in it.
"""
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from sampler import Sampler  # noqa: E402
from surety import KIB, MIB, Job, Tap, helper, need_live, run, wait_until  # noqa: E402

LIMIT = 256
PART = LIMIT * 60 // 100


def sampled(tap, name, cmd, opts, limit=LIMIT, timeout=60):
    """Runs it, and checks that it never has more than its limit."""
    with Job(cmd, "%dM" % limit, opts=opts, stdin=subprocess.DEVNULL) as job:
        sampler = Sampler(job)
        sampler.start()
        result = job.finish(timeout=timeout)
        sampler.finish()
    tap.ok(sampler.samples > 0 and sampler.most <= limit * MIB,
           "%s: never more than the limit" % name, "%d samples, most %.1f MiB" % (sampler.samples, sampler.most / MIB))
    return result


def snapshot(*args):
    return [helper("snapshot")] + [str(a) for a in args]


def rows(tap):
    r = run(snapshot(PART, 5), "%dM" % LIMIT)
    tap.equal((r.out.strip(), len(r.reports)), ("fork: ENOMEM", 1), "S6 without a policy: the fork is refused", r)
    tap.equal(r.reports[0]["rule"]["id"], "R-045", "S6: by the kernel's rule")
    for reserve in ("25%", "10"):
        r = sampled(tap, "S6", snapshot(PART, 5), ["--fork-reserve", reserve])
        tap.equal((r.rc, r.out.strip(), r.reports), (0, "works", []), "S6 with a reserve of %s" % reserve, r)
    for how in ("", "t", "w", "s"):
        r = sampled(tap, "S7 " + how, snapshot(PART, 100, 1, how), ["--fork-reserve", "25%"])
        tap.ok(re.fullmatch(r"child ended by signal (9|15), parent unharmed", r.out.strip()) and r.rc == 0,
               "S7 %s: the child is ended, the parent is not" % how, r)
        tap.equal(len(r.reports), 1, "S7 %s: one report" % how, r)


def report(tap):
    r = run(snapshot(PART, 100, 1, "s"), "%dM" % LIMIT, opts=["--fork-reserve", "25%", "--summary"])
    tap.equal(len(r.reports), 1, "an ended child is reported once", r)
    if not r.reports:
        return
    x, ended = r.reports[0], r.reports[0]["ended"]
    tap.equal((x["operation"], x["rule"]["id"], x["comm"], x["verdict"]), ("copy", "R-048", "snapshot", "over_limit"),
              "its operation and rule", x)
    tap.ok(ended["signal"] in ("SIGTERM", "SIGKILL") and ended["parent_comm"] == "snapshot" and
           ended["parent_pid"] != x["pid"] and ended["parent_state"] in "RSD", "its parent, and the state of that", ended)
    tap.ok(PART * MIB // 4 < ended["copied_bytes"] <= (LIMIT - PART) * MIB and
           ended["copied_bytes"] <= ended["fork_reserve_bytes"], "its copies are what the reserve and the headroom allow", ended)
    tap.ok("1 child ended" in r.err, "the summary tells of it", r)
    names = [f.get("symbol") for f in x["stack"]["frames"]]
    if names:
        tap.ok("main" in names, "the child's stack", names)


def kill_at_once(tap):
    r = run(snapshot(PART, 100), "%dM" % LIMIT, opts=["--fork-reserve", "25%", "--fork-end", "kill"])
    tap.equal(r.out.strip(), "child ended by signal 9, parent unharmed", "--fork-end kill", r)


def many(tap):
    for how in ("", "g", "v", "gv"):
        r = sampled(tap, "ten children %s" % how, snapshot(100, 5, 10, how), ["--fork-reserve", "5"])
        tap.equal((r.rc, r.out.strip(), r.reports), (0, "works", []), "ten children %s" % how, r)
    r = sampled(tap, "ten children, all written", snapshot(100, 100, 10), ["--fork-reserve", "5"])
    tap.ok("parent unharmed" in r.out or r.out.strip() == "works", "ten children, all written", r)
    r = run(snapshot(100, 5, 40), "%dM" % LIMIT, opts=["--fork-reserve", "5"])
    tap.equal((r.out.strip(), len(r.reports)), ("fork: ENOMEM", 1), "more children than the reserves fit", r)
    tap.equal(r.reports[0]["rule"]["id"], "R-048", "by the reserve's rule", r.reports[0])


def by_name(tap):
    name = ["--fork-policy", "snapshot:reserve=10,full"]
    r = run(snapshot(PART, 5), "%dM" % LIMIT, opts=name)
    tap.equal(r.out.strip(), "works", "a policy by name", r)
    r = run(snapshot(PART, 5), "%dM" % LIMIT, opts=["--fork-policy", "snapshots:reserve=10"])
    tap.equal(r.out.strip(), "fork: ENOMEM", "another's policy", r)
    r = run(snapshot(PART, 5), "%dM" % LIMIT, opts=["--fork-reserve", "10", "--fork-policy", "snapshot:full"])
    tap.equal(r.out.strip(), "fork: ENOMEM", "full by name, a reserve for others", r)


def held(job):
    """The child's charge, and what audit says."""
    status = job.status()
    return status, job.audit()


HOLD = r"""
import mmap, os, sys, time
m = mmap.mmap(-1, %d << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for i in range(0, len(m), 4096):
    m[i] = 1
def up(text):
    print(text, flush=True)
    sys.stdin.readline()
"""


def figures(tap):
    """A child's charge, step by step, and the audit at each."""
    program = HOLD % 100 + r"""
pid = os.fork()
if pid == 0:
    time.sleep(60)
    os._exit(0)
up("forked")
for i in range(0, 10 << 20, 4096):
    m[i] = 2
    if i % (256 << 10) == 0: time.sleep(.001)  # a fast writer might be given more, ahead of need
up("written")
os.kill(pid, 9)
os.waitpid(pid, 0)
up("reaped")
"""
    with Job(["/usr/bin/python3", "-c", program], "256M", opts=["--fork-reserve", "20"]) as job:
        for step in ("forked", "written", "reaped"):
            tap.equal(job.line(), step, "figures: " + step)
            wait_until(lambda: job.status()["ForkKept"] == 0, 2)
            status, (code, said) = held(job)
            tap.equal(code, 0, "figures, %s: audit finds no drift" % step, said)
            parent = max(p["Committed_AS"] for p in status["processes"])
            child = min(p["Committed_AS"] for p in status["processes"])
            if step == "reaped":
                tap.equal((status["ForkUncharged"], len(status["processes"])), (0, 1), "figures: all is given back", status)
            else:
                tap.ok(abs(child - parent * 20 // 100) <= 256 * KIB, "figures, %s: the child holds a fifth" % step, status)
                tap.ok(abs(status["ForkUncharged"] - parent * 80 // 100) <= 256 * KIB,
                       "figures, %s: and the rest is told" % step, status)
            job.say()
        tap.equal(job.finish().rc, 0, "figures: ends well")


def exec_and_heir(tap):
    """exec ends a discount; a parent's end makes the child pay for all."""
    program = HOLD % 100 + r"""
pid = os.fork()
if pid == 0:
    os.execv("/bin/sleep", ["sleep", "60"])
time.sleep(.3)
up("execed")
os.kill(pid, 9)
os.waitpid(pid, 0)
pid = os.fork()
if pid == 0:
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
os.waitpid(pid, 0)
up("orphan")
if os.fork() == 0:
    up("heir")
os._exit(0)
"""
    with Job(["/usr/bin/python3", "-c", program], "256M", opts=["--fork-reserve", "20"]) as job:
        tap.equal(job.line(), "execed", "exec: ready")
        status, (code, said) = held(job)
        tap.equal((code, status["ForkUncharged"], status["ForkKept"]), (0, 0, 0), "exec: the discount is gone", (said, status))
        tap.ok(min(p["Committed_AS"] for p in status["processes"]) < 2 * MIB, "exec: the child has its own image", status)
        job.say()
        tap.equal(job.line(), "orphan", "a grandchild whose parent has ended")
        wait_until(lambda: job.status()["ForkKept"] == 0, 2)
        status, (code, said) = held(job)
        tap.equal((code, len(status["processes"])), (0, 2), "orphan: no drift", (said, status))
        for pid in job.pids():
            if pid != status["main_pid"]:
                os.kill(pid, signal.SIGKILL)
        job.say()
        tap.equal(job.line(), "heir", "a child whose parent has ended")
        wait_until(lambda: job.status()["ForkUncharged"] == 0, 2)
        status, (code, said) = held(job)
        tap.equal((code, status["ForkUncharged"], status["ForkKept"]), (0, 0, 0), "heir: it is charged in full", (said, status))
        tap.ok(status["Committed_AS"] > 100 * MIB, "heir: all of it", status)
        job.say()
        job.finish()


def exec_grace(tap):
    program = HOLD % PART + r"""
import ctypes
libc = ctypes.CDLL(None)
bad = 0
for i in range(%d):
    if i %% 5 == 0:
        bad += libc.system(b"exit 3") != 3 << 8
    elif i %% 5 == 1:
        bad += os.popen("echo " + str(i)).read() != str(i) + "\n"
    else:
        pid = os.fork()
        if pid == 0:
            os.execv("/bin/true", ["true"])
        bad += os.waitpid(pid, 0)[1] != 0
    m[i * 4096] = 3
up("bad %%d" %% bad)
""" % ROUNDS
    with Job(["/usr/bin/python3", "-c", program], "%dM" % LIMIT, opts=["--fork-policy", "exec-grace=2s"]) as job:
        sampler = Sampler(job)
        sampler.start()
        tap.equal(job.line(240), "bad 0", "exec-grace: %d times fork and exec, system or popen under a 60 %% parent" % ROUNDS)
        sampler.finish()
        wait_until(lambda: job.status()["ForkKept"] == 0, 2)
        status, (code, said) = held(job)
        tap.equal((code, status["refusals"], status["ForkUncharged"]), (0, 0, 0), "exec-grace: no refusal, no drift", said)
        tap.ok(sampler.most <= LIMIT * MIB, "exec-grace: never more than the limit", sampler.most)
        job.say()
        tap.equal(job.finish().rc, 0, "exec-grace: ends well")


def exec_grace_passed(tap):
    r = run(snapshot(PART, 20, 1, "s"), "%dM" % LIMIT, opts=["--fork-policy", "exec-grace=50ms"], timeout=30)
    tap.ok("child ended by signal" in r.out and len(r.reports) == 1, "a child that does not call exec in its grace", r)
    if r.reports:
        tap.equal(r.reports[0]["rule"]["id"], "R-049", "its rule", r.reports[0])
    r = run(snapshot(60, 5, 1, "s"), "%dM" % LIMIT, opts=["--fork-policy", "exec-grace=50ms"])
    tap.equal((r.out.strip(), r.reports), ("works", []), "where it fits, it is charged and goes on", r)


def exec_grace_starved(tap):
    """A child that is late because others have the processor, not of its own."""
    program = HOLD % PART + r"""
import signal, time
cpu = min(os.sched_getaffinity(0))
hogs = []
for i in range(4):
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "while :; do :; done"], os.environ)
    os.sched_setaffinity(pid, {cpu})
    hogs.append(pid)
start = time.monotonic()
pid = os.fork()
if pid == 0:
    os.sched_setaffinity(0, {cpu})
    os.nice(12)  # some 2 % of that processor
    while time.process_time() < 0.006:
        pass
    os.execv("/bin/true", ["true"])
status = os.waitpid(pid, 0)[1]
took = time.monotonic() - start
for pid in hogs:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
up("%d %.1f" % (status, took))
"""
    r = run(["/usr/bin/python3", "-c", program], "%dM" % LIMIT, opts=["--fork-policy", "exec-grace=300ms"], timeout=60)
    status, _, took = r.out.strip().partition(" ")
    tap.diag("fork to the child's end: %s s, with a grace of 0.3 s" % took)
    tap.equal((status, r.reports), ("0", []), "exec-grace: a child that waits for a processor is waited for", r)


ROUNDS = int(os.environ.get("FORK_ROUNDS", "1000"))


def main():
    need_live()
    tap = Tap()
    for test in sys.argv[1:] and [globals()[n] for n in sys.argv[1:]] or \
            (rows, report, kill_at_once, many, by_name, figures, exec_and_heir, exec_grace, exec_grace_passed, exec_grace_starved):
        tap.guarded(test)
    tap.done()


main()
