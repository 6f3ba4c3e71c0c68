#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Calls that come between a decision and what it was about (tests/helpers/races.c):
a second block of memory is never granted while the first is held."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import MIB, Job, Tap, helper, need_live  # noqa: E402

LIMIT = 256 * MIB
SECONDS = "2"
RACES = "ends", "ends-shared", "net", "lower", "forked"


def race(tap, name):
    job = Job([helper("races"), name, SECONDS], str(LIMIT), report=False, opts=["--report", "/dev/null"])
    with job:
        while True:
            line = job.line(30)
            if line is None or line.startswith("rest "):
                break
            tap.ok(line.startswith("ok "), line[3:])
        tap.ok(line is not None, "%s: comes to its end" % name)
        if line is None:
            return
        figures = job.status()
        tap.ok(figures["refusals"] > 20, "%s: at the limit" % name, figures)
        tap.ok(figures["Peak"] <= LIMIT, "%s: nothing is promised past the limit" % name, figures)
        rc, text = job.audit()
        tap.equal(rc, 0, "%s: what is left is counted exactly" % name, text)
        job.say()
        tap.equal(job.finish().rc, 0, "%s: the group ends" % name)


def main():
    need_live()
    tap = Tap()
    for name in RACES:
        tap.guarded(race, name)
    tap.done()


if __name__ == "__main__":
    main()
