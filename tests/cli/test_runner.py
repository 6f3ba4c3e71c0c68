#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/run itself: what it makes of tests that pass, fail, skip, break, hang or lie."""
import json
import os
import subprocess
import tempfile

from cli import ROOT, Tap

RUNNER = os.path.join(ROOT, "tests", "run")

# name, script, exit status of the runner, last line, last line with REQUIRE=live
ROWS = [
    ("TAP", "echo 1..2; echo ok 1 - a; echo ok 2 - b", "2 passed, 0 failed, 0 skipped", None),
    ("no TAP", "echo hello", "1 passed, 0 failed, 0 skipped", None),
    ("no TAP, fails", "exit 1", "0 passed, 1 failed, 0 skipped", None),
    ("one point fails", "echo 1..2; echo ok 1; echo not ok 2 - b; exit 1", "1 passed, 1 failed, 0 skipped", None),
    ("a point fails, exit 0", "echo 1..1; echo not ok 1 - b", "0 passed, 1 failed, 0 skipped", None),
    ("all pass, exit 1", "echo 1..1; echo ok 1; exit 1", "1 passed, 1 failed, 0 skipped", None),
    ("stops early", "echo 1..3; echo ok 1", "1 passed, 1 failed, 0 skipped", None),
    ("no plan", "echo ok 1", "1 passed, 1 failed, 0 skipped", None),
    ("bails out", "echo 1..1; echo ok 1; echo Bail out! no", "1 passed, 1 failed, 0 skipped", None),
    ("crashes", "echo 1..1; echo ok 1; kill -SEGV $$", "1 passed, 1 failed, 0 skipped", None),
    ("broken", "exit 99", "0 passed, 1 failed, 0 skipped", None),
    ("skips a point", "echo 1..2; echo ok 1; echo 'ok 2 - x # SKIP live: none'", "1 passed, 0 failed, 1 skipped",
     "1 passed, 1 failed, 0 skipped"),
    ("skips all", "echo '1..0 # SKIP live: none'; exit 77", "0 passed, 0 failed, 1 skipped",
     "0 passed, 1 failed, 0 skipped"),
    ("skips for another reason", "echo ok 1; echo 'ok 2 # SKIP m32: live'; echo 1..2", "1 passed, 0 failed, 1 skipped",
     "1 passed, 0 failed, 1 skipped"),
    ("skips all after a point", "echo ok 1; echo '1..0 # SKIP x'; exit 77", "0 passed, 1 failed, 1 skipped", None),
    ("two groups of cmocka", "echo 1..1; echo ok 1 - a; echo 1..1; echo ok 1 - b", "2 passed, 0 failed, 0 skipped", None),
    ("hangs", "echo 1..1; echo ok 1; sleep 60 & sleep 60", "1 passed, 1 failed, 0 skipped", None),
]


def run(folder, name, script, require="", args=(), suite="live"):
    os.makedirs(os.path.join(folder, "meson-info"), exist_ok=True)
    tests = [{"name": name, "suite": ["surety:" + suite], "cmd": ["/bin/sh", "-c", script], "env": {},
              "workdir": None, "timeout": 1 if name == "hangs" else 30}]
    with open(os.path.join(folder, "meson-info", "intro-tests.json"), "w") as f:
        json.dump(tests, f)
    env = dict(os.environ, REQUIRE=require)
    return subprocess.run([RUNNER, "--build", folder, *args], env=env, capture_output=True, text=True)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        for name, script, last, required in ROWS:
            for require, want in (("", last), ("root,live", required)):
                if want is None:
                    continue
                got = run(folder, name, script, require)
                good = " 0 failed" in want and not want.startswith("0 passed")
                tap.equal((got.stdout.splitlines()[-1], got.returncode), (want, 0 if good else 1),
                          name + (" with REQUIRE=" + require if require else ""))
        got = run(folder, "fails loudly", "echo 1..1; echo why it failed; echo not ok 1 - thing; exit 1")
        tap.ok("FAILED: thing" in got.stdout and "| why it failed" in got.stdout, "a failure is shown with its output",
               got.stdout)
        early = "echo 1..201; echo not ok 1 - thing; echo '# its reason'; for i in $(seq 200); do echo ok $i; done; exit 1"
        got = run(folder, "fails early", early)
        tap.ok("| # its reason" in got.stdout and "| ok 1\n" not in got.stdout,
               "a failed point is shown with its diagnostics, however long ago", got.stdout)
        got = run(folder, "x", "echo 1..1; echo 'ok 1 - y # SKIP because'")
        tap.ok("skipped: y: because" in got.stdout, "a skip is shown with its reason", got.stdout)
        for args, want in (((), "0 passed"), (("--suite", "guest"), "1 passed")):
            got = run(folder, "boots", "exit 0", args=args, suite="guest")
            tap.ok(got.stdout.splitlines()[-1].startswith(want), "the suite guest runs by name alone", got.stdout)
        got = run(folder, "x", "exit 0", args=("no-such-test",))
        tap.equal((got.stdout.splitlines()[-1], got.returncode), ("0 passed, 0 failed, 0 skipped", 1),
                  "a run of nothing is no success")
    tap.done()


main()
