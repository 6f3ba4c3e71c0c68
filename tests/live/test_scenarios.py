#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rows that tell memory limits apart: no limit, ulimit -v, surety run."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import MIB, Tap, explained, helper, need_live, plain, run, symbols  # noqa: E402

LIMIT = 256
ROWS = [
    # row, no limit, ulimit -v, surety, reports
    ("S1", "works", "ENOMEM at mmap", "ENOMEM at mmap", 1),
    ("S2", "all pass", "all pass", "2 pass, 2 ENOMEM", 2),
    ("S3", "works", "refused (ENOMEM)", "works", 0),
    ("S4", "works", "refused (ENOMEM)", "works", 0),
    ("S5", "works", "ENOMEM at mmap", "ENOMEM at mmap", 1),
]


def check_row(tap, row, free, ulimit, wanted, reports):
    scenario = helper("scenario")
    cmd = [scenario, row, str(LIMIT)]
    tap.equal(plain(cmd).out.strip(), free, "%s without a limit" % row)
    limited = plain(["sh", "-c", "ulimit -v %d; exec \"$@\"" % (LIMIT * 1024), "sh"] + cmd)
    tap.equal(limited.out.strip(), ulimit, "%s under ulimit -v" % row)
    r = run(cmd, "%dM" % LIMIT)
    tap.equal((r.rc, r.out.strip()), (0, wanted), "%s under surety run" % row, r)
    tap.equal(len(r.reports), reports, "%s: reports" % row, r.reports)
    for report in r.reports:
        check_report(tap, row, report)


def check_report(tap, row, report):
    asked = 2 * LIMIT * MIB if row in ("S1", "S5") else LIMIT * MIB // 10 * 4
    tap.equal(report.get("schema"), "surety.refusal/1", "%s: report schema" % row)
    tap.equal(report.get("operation"), "mmap", "%s: report operation" % row)
    tap.ok(asked <= report["requested_bytes"] < asked + 4096, "%s: report size" % row, report["requested_bytes"])
    tap.equal(report["limit_bytes"], LIMIT * MIB, "%s: report limit" % row)
    tap.equal(report.get("comm"), "scenario", "%s: report comm" % row)
    tap.equal(report["errno"], {"name": "ENOMEM", "number": 12}, "%s: report errno" % row)
    tap.ok(report["committed_bytes"] < report["limit_bytes"] and explained(report),
           "%s: the figures in the report explain the refusal" % row, report)
    tap.ok(("member" if row == "S2" else "map_and_touch") in symbols(report),
           "%s: the stack leads to the caller" % row, symbols(report))


def main():
    need_live()
    tap = Tap()
    for row in ROWS:
        tap.guarded(check_row, *row)
    for again in range(10):  # whatever the race, two pass
        r = run([helper("scenario"), "S2", str(LIMIT)], "%dM" % LIMIT)
        if r.out.strip() != "2 pass, 2 ENOMEM":
            break
    tap.equal(r.out.strip(), "2 pass, 2 ENOMEM", "S2 ten times over", r)
    tap.done()


if __name__ == "__main__":
    main()
