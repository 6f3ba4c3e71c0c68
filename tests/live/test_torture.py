#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The three invariants under random operations of several processes and threads.

    test_torture.py [SEED]      TORTURE_OPS=N (default 100000)

1. never over: at no rest, and at no moment at which the job is frozen, does the
   kernel hold more for it than CommitLimit;
2. never wrongly refused: tests/helpers/exact.c predicts every outcome, and at
   each rest of the storm the last page that fits is granted, one more refused;
3. exact at rest: `surety status` says what the kernel holds, to the page.
"""
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import (KIB, MIB, PAGE, Job, Tap, compare, describe, difference, explained, helper, kill, live_tids,  # noqa: E402
                    need_live, program_lines, remove_segments)

LIMIT = 256
WRITTEN = 12 * 4 * PAGE  # by write(2) to memory files in a round, which nobody is asked for
OPS = int(os.environ.get("TORTURE_OPS", "100000"))


def thread_state(pid, tid):
    try:
        with open("/proc/%d/task/%d/stat" % (pid, tid)) as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def freeze(job, patience=1.0):
    """Stops every process of the job.  Returns their pids, or None where one
    would not stop in time (they are let go again)."""
    stopped = set()
    end = time.monotonic() + patience
    while time.monotonic() < end:
        pids = set(job.pids())
        for pid in pids - stopped:
            kill(pid, signal.SIGSTOP)
        new = pids - stopped
        stopped |= pids
        states = {thread_state(p, t) for p in pids for t in live_tids(p)}
        # A vfork parent sleeps uninterruptibly while its child is stopped.
        if not new and states <= {"T", "t", "D", None} and "T" in states:
            return sorted(p for p in stopped if live_tids(p))
        time.sleep(0.002)
    for pid in stopped:
        kill(pid, signal.SIGCONT)
    return None


def frozen_check(job, keys, seen):
    pids = freeze(job)
    if not pids:
        seen["skipped"] += 1
        return
    try:
        in_vfork = any(thread_state(p, t) == "D" for p in pids for t in live_tids(p))
        before = job.count(keys)
        said = job.status()
        after = job.count(keys)
        if before.total != after.total or in_vfork:
            seen["skipped"] += 1
            return
        seen["done"] += 1
        if said["Committed_AS"] != before.total:
            seen["drift"].append("%s\n%s" % (difference(before, said), "\n".join(map(describe, pids))))
        if before.total > LIMIT * MIB + seen["written"] and seen["round"] > 0:
            seen["over"].append("%d kB over\n%s" % ((before.total - LIMIT * MIB) // KIB, before))
    finally:
        for pid in pids:
            kill(pid, signal.SIGCONT)


def freezer(job, keys, seen, stop, seed):
    rng = random.Random(seed)
    while not stop.wait(rng.uniform(0.1, 0.6)):
        if seen["resting"]:
            continue
        try:
            frozen_check(job, keys, seen)
        except (RuntimeError, OSError) as e:
            if not stop.is_set() and job.proc.poll() is None:
                seen["errors"].append(str(e))


def storm(tap, seed):
    tap.diag("storm: seed %d, %d operations" % (seed, OPS))
    job = Job([helper("torture"), str(seed), str(OPS), str(LIMIT)], "%dM" % LIMIT, stderr=subprocess.PIPE)
    seen = {"done": 0, "skipped": 0, "drift": [], "over": [], "errors": [], "resting": True, "round": 0,
            "written": WRITTEN}
    stop = threading.Event()
    lock = threading.Lock()
    with job:
        keys = (int(job.line(20).split()[-1], 16),)
        watcher = threading.Thread(target=freezer, args=(job, keys, seen, stop, seed))
        seen["resting"] = False
        watcher.start()
        try:
            for line in program_lines(tap, job, 120):
                seen["resting"] = True
                time.sleep(0.01)
                with lock:
                    storm_rest(tap, job, keys, line, seen)
                seen["resting"] = False
        finally:
            stop.set()
            watcher.join(30)
            remove_segments(prefix=keys)
        result = job.finish(timeout=30)
        tap.equal(result.rc, 0, "storm: exit status", result)
    tap.ok(not seen["drift"], "frozen: surety says what the kernel holds (%d looks)" % seen["done"],
           "\n".join(seen["drift"][:2]))
    tap.ok(not seen["over"], "frozen: never over the limit", "\n".join(seen["over"][:2]))
    tap.ok(not seen["errors"], "frozen: status always answers", seen["errors"][:3])
    tap.diag("%d looks at a frozen job, %d given up; %.1f s" % (seen["done"], seen["skipped"], result.seconds))
    check_reports(tap, result.reports)


def storm_rest(tap, job, keys, line, seen):
    number = int(line.split()[1])
    seen["round"] = number
    compare(tap, job, "%s: surety says what the kernel holds" % " ".join(line.split()[:2]), keys)
    count = job.count(keys)
    if number > 0:  # round 0 maps what grows by itself
        tap.ok(count.total <= LIMIT * MIB + seen["written"], "rest %d: not over the limit" % number,
               "%d kB of %d\n%s" % (count.total // KIB, LIMIT * KIB, count))
        # What is over stays so, and the next round may write more.
        seen["written"] = seen["written"] + WRITTEN if count.total > LIMIT * MIB else WRITTEN
    said = job.status()
    left = LIMIT * MIB - count.total - said.get("Reserved", 0) - PAGE
    job.say("%d\n" % max(left, 0))


def check_reports(tap, reports):
    wrong = [r for r in reports if not explained(r)]
    tap.ok(not wrong, "each of %d reports explains its refusal" % len(reports), wrong[:2])


def exact(tap, seed, ops):
    tap.diag("exact: seed %d, %d operations" % (seed, ops))
    with Job([helper("exact"), str(seed), str(ops), str(LIMIT)], "%dM" % LIMIT) as job:
        drift = []
        creators = set()
        rests = 0
        for _ in program_lines(tap, job, 60):
            creators |= set(job.pids())
            said, count = job.status(), job.count()
            rests += 1
            if said["Committed_AS"] != count.total:
                drift.append("rest %d: %s" % (rests, difference(count, said)))
            job.say()
        result = job.finish(timeout=30)
        remove_segments(creators=creators)
        tap.equal(result.rc, 0, "exact %d: exit status" % seed, result)
        tap.ok(rests > 10 and not drift, "exact %d: surety says what the kernel holds at %d rests" % (seed, rests),
               "\n".join(drift[:2]))
        check_reports(tap, result.reports)


def main():
    need_live()
    tap = Tap()
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else int.from_bytes(os.urandom(3), "little")
    for n in range(3):
        tap.guarded(exact, seed + n, max(OPS // 40, 100))
    tap.guarded(storm, seed)
    tap.done()


if __name__ == "__main__":
    main()
