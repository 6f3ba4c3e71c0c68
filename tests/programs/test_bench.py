#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/run works, and says MISSED when a bar is missed.  No time is judged here."""
import os
import platform
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import ROOT, SURETY, Tap, need_live, tmp  # noqa: E402

BENCH = os.path.join(ROOT, "bench")
sys.path.insert(0, BENCH)
import kept  # noqa: E402
import measure  # noqa: E402
import source  # noqa: E402

ROWS = ["start", "mmap", "bash", "mappings", "processes", "near", "refusals", "memory", "threads", "group", "space",
        "supervisor", "share", "tight", "stress"]


def run(*args):
    return subprocess.run([os.path.join(BENCH, "run"), "--build", os.path.dirname(SURETY), *args],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=100)


def arithmetic(tap):
    tap.equal(measure.spread([4, 1, 3, 2, 5]), [1, 2, 3, 4, 5], "spread: minimum, quartiles, maximum")
    results = {"a": [measure.Sample(2, 6), measure.Sample(9, 1)], "b": [measure.Sample(1, 2), measure.Sample(3, 1)]}
    tap.equal(measure.ratios(results, "a", "b"), [2, 3], "a ratio is of the runs of one turn")
    order = []
    measure.take_turns({n: lambda n=n: order.append(n) for n in "abc"}, 20, 1)
    turns = ["".join(order[i:i + 3]) for i in range(0, len(order), 3)]
    tap.equal([len(turns), {"".join(sorted(turn)) for turn in turns}], [21, {"abc"}],
              "variants take turns, the warm-up too")
    tap.ok(len(set(turns)) > 2, "in another order each turn", turns)


def verdicts(tap):
    def verdict(values, bar, enforced):
        figure = measure.Figure("row", "what", values, bar)
        figure.enforced = enforced
        return figure.verdict()

    tap.equal(verdict([1.0, 1.3, 1.2], 1.2, True), "ok", "a median on the bar holds it")
    tap.equal(verdict([1.0, 1.3, 1.21], 1.2, True), "MISSED", "a median over the bar misses it")
    tap.equal(verdict([1.0, 1.3, 1.21], 1.2, False), "not held", "with few runs no bar is held to")
    tap.equal(verdict([9.0], None, True), "", "without a bar there is no verdict")


def runs(tap):
    for argv, what in ((["false"], "a status other than 0"), (["sh", "-c", "kill -9 $$"], "an end by a signal")):
        try:
            measure.run_once(argv)
            tap.ok(False, "%s is no figure" % what)
        except measure.Failed as e:
            tap.ok(argv[0] in str(e), "%s is no figure" % what, e)
    sample = measure.run_once(["sleep", "0.05"])
    tap.ok(0.05 <= sample.wall < 5 and sample.cpu < sample.wall, "wall and processor time are told apart", vars(sample))


def sources(tap):
    path = source.c_file(tmp("bench.c"), 2)
    with open(path) as f:
        text = f.read()
    built = subprocess.run(["cc", "-std=gnu11", "-Wall", "-Werror", "-o", tmp("bench.out"), path], stderr=subprocess.PIPE,
                           text=True, timeout=60)
    tap.equal(built.returncode, 0, "the C file compiles without a warning", built.stderr)
    ran = subprocess.run([tmp("bench.out")], timeout=20)
    tap.equal(ran.returncode, 0, "and runs")
    with open(source.c_file(tmp("again.c"), 2)) as f:
        tap.ok(f.read() == text, "it is the same each time")


def driver(tap):
    out = tmp("bench.json")
    done = run("--quick", "--json", out, *ROWS)
    tap.equal(done.returncode, 0, "bench/run --quick", done.stdout + done.stderr)
    run_of = kept.load(out)
    tap.equal((run_of.not_measured, run_of.quick), ([], True), "it wrote what it found", done.stdout[-500:])
    tap.equal([r for r in ROWS if r not in {f.row for f in run_of.figures}], [], "each row has a figure")
    tap.equal([f.what for f in run_of.figures if min(f.values) <= 0], [], "each value is more than none")
    tap.ok(all(f.what in done.stdout for f in run_of.figures), "the table shows each figure", done.stdout)
    unlike = [f.row + " " + f.what for f in run_of.figures for a, b in re.findall(r"(\w+) / (\w+)$", f.what)
              if a in f.samples and b in f.samples and f.unit == ""
              and any(abs(x / y / value - 1) > 1e-3 for x, y, value in zip(f.samples[a], f.samples[b], f.values))]
    tap.equal(unlike, [], "a ratio is that of the single values kept beside it")
    again = tmp("again.json")
    run_of.save(again)
    with open(out) as f, open(again) as g:
        text = f.read()
        tap.ok(text == g.read(), "a file that is read and written is the same")
    tap.equal(told(text), [], "it tells nothing of where it was measured")


def told(text):
    """What a kept file must not have: names of the machine and the user, paths."""
    head = text.partition('"figures"')[0]  # a row may have the name of the machine by chance
    words = [os.environ.get("USER", ""), ROOT, os.path.expanduser("~"), tmp("")]
    return [w for w in words if len(w) > 1 and re.search(r"(?<!\w)%s(?!\w)" % re.escape(w), text)] + \
        re.findall(r"\b%s\b" % re.escape(platform.node()), head) + \
        re.findall(r"/(?:home|root|tmp|work|usr|opt|srv|var|mnt)\b", text)


def bad_input(tap):
    tap.equal(run("no-such-row").returncode, 2, "a row that does not exist")
    tap.equal(run("--runs", "0", "start").returncode, 2, "no runs at all")
    done = subprocess.run([os.path.join(BENCH, "run"), "--build", tmp("nowhere"), "start"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=20)
    tap.ok(done.returncode == 1 and "run make first" in done.stderr, "nothing is built", done.stderr)


def main():
    need_live()
    tap = Tap()
    for function in (arithmetic, verdicts, runs, sources, driver, bad_input):
        tap.guarded(function)
    tap.done()


main()
