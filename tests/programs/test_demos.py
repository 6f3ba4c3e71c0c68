#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The demos on real servers come out as they say: each of their claims is a point."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import ROOT, SKIP, Tap, need_live, plain  # noqa: E402

DEMOS = {"postgres": ["--seconds", "1"], "python": [], "node": [], "java": [], "go": [], "make": []}
CLAIM = re.compile(r"^(held|NOT HELD): +(.*)$", re.M)
NOT_TRIED = re.compile(r"^Not tried under a cgroup: (.*)$", re.M)


def demo(tap, name, args):
    r = plain([sys.executable, os.path.join(ROOT, "demo", name), *args], timeout=200)
    if r.rc == SKIP:
        tap.skip("demo/" + name, r.out.strip().splitlines()[-1])
        return
    for held, what in CLAIM.findall(r.out):
        tap.ok(held == "held", "demo/%s: %s" % (name, re.sub(r"\d+", "N", what)), r)
    missing = NOT_TRIED.search(r.out)
    if missing:
        tap.skip("demo/%s under a cgroup" % name, "cgroup: " + missing[1])
    tap.equal(r.rc, 0, "demo/%s: exit status" % name, r)
    left = [f for f in os.listdir("/tmp") if f.startswith("surety-demo-") and name in f]
    tap.equal(left, [], "demo/%s: leaves nothing behind" % name)


def main():
    need_live()
    tap = Tap()
    for name, args in DEMOS.items():
        tap.guarded(demo, name, args)
    tap.done()


if __name__ == "__main__":
    main()
