#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Calls that come between a decision and what it was about (tests/helpers/races.c):
a second block of memory is never granted while the first is held."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import MIB, Job, Tap, ends_within_limit, helper, need_live, program_lines  # noqa: E402

LIMIT = 256 * MIB
SECONDS = "2"
RACES = "ends", "ends-shared", "net", "lower", "keyed", "forked", "missed", "moved"


def race(tap, name):
    with Job([helper("races"), name, SECONDS], str(LIMIT), report=False, opts=["--report", "/dev/null"]) as job:
        rest = next(program_lines(tap, job, 30), None)
        if tap.ok(rest is not None, "%s: comes to its end" % name):
            ends_within_limit(tap, job, name, LIMIT, 20)


def main():
    need_live()
    tap = Tap()
    for name in RACES:
        tap.guarded(race, name)
    tap.done()


if __name__ == "__main__":
    main()
