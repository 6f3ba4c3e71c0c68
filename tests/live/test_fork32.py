#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docker/for-linux#862: a 32 MiB buffer and 32 children must not pass the limit."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import KIB, MIB, Job, Tap, compare, helper, host_committed, need_live  # noqa: E402

LIMIT = 512
NOISE = 64 * MIB  # what others on this host may add while we look


def main():
    need_live()
    tap = Tap()
    with Job([helper("fork32"), str(LIMIT)], "%dM" % LIMIT) as job:
        fits = job.line(30).split()
        compare(tap, job, "before: exact at rest")
        before = host_committed()
        mine = job.count().total
        job.say()
        forked = job.line(30).split()
        after = host_committed()
        tap.equal(forked[1:3], ["forked", fits[2]], "refused at the right fork, the one after %s" % fits[2], forked)
        tap.equal(forked[3:], ["ENOMEM"], "with ENOMEM")
        tap.ok(0 < int(fits[2]) < 32, "some fit and some do not")
        compare(tap, job, "forked: exact at rest")
        tap.ok(job.count().total < LIMIT * MIB, "the group is inside its limit")
        tap.ok(after - before + mine <= LIMIT * MIB + NOISE,
               "the host's Committed_AS rose by no more than the limit",
               "rose by %d kB" % ((after - before) // KIB))
        job.say()
        job.line(30)
        compare(tap, job, "children gone: exact at rest")
        job.say()
        result = job.finish(timeout=20)
        tap.equal(result.rc, 0, "exit status", result)
        tap.equal([r["operation"] for r in result.reports], ["fork"], "one report, of a fork", result.reports)
    tap.done()


if __name__ == "__main__":
    main()
