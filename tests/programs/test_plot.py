#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/plot makes tables and pictures of kept data, and the documents have what it makes."""
import glob
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import ROOT, Tap, tmp  # noqa: E402

BENCH = os.path.join(ROOT, "bench")
sys.path.insert(0, BENCH)
import kept  # noqa: E402
import pages  # noqa: E402
import svg  # noqa: E402
from measure import Figure  # noqa: E402

MACHINE = {"kernel": "6.12.1", "architecture": "x86_64", "processor": "A <b> & C", "processors": 4, "virtual": False,
           "memory_gib": 8}
DOCUMENTS = ("README.md", "docs/PERFORMANCE.md")


def plot(*args):
    return subprocess.run([os.path.join(BENCH, "plot"), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60)


def copy(name):
    """A folder with the documents, and what bench/plot said of it when nothing was there yet."""
    folder = tmp(name)
    os.makedirs(os.path.join(folder, "docs"))
    for document in DOCUMENTS:
        shutil.copy(os.path.join(ROOT, document), os.path.join(folder, document))
    return folder


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def three(row, native, floor, surety, bar):
    samples = {"native": native, "floor": floor, "surety": surety}
    ratio = [s / n for s, n in zip(surety, native)]
    return [Figure(row, "surety / native", ratio, bar, samples=samples, cpu=[1.5, 1.25, 1.75]),
            Figure(row, "surety / floor", [s / f for s, f in zip(surety, floor)]),
            Figure(row, "floor / native", [f / n for f, n in zip(floor, native)])]


def made():
    """Figures of each kind, with medians that are known."""
    figures = three("gcc", [100, 200, 100], [110, 220, 110], [120, 250, 121], 1.2)
    figures[0].enforced = True
    for number in 1, 1000:
        figures.append(Figure("group", "%d processes, surety / floor" % number, [1.1, 1.2, 1.3], at=("processes", number),
                              samples={"native": [2, 2, 2], "floor": [4, 4, 4], "surety": [5, 5.5, 6], "near": [7, 8, 9]},
                              samples_unit="us"))
        figures.append(Figure("supervisor", "private memory, %d processes" % number, [number / 4], unit=" MiB",
                              at=("processes", number)))
        figures.append(Figure("supervisor", "CPU of a granted call, %d processes" % number, [2.5], unit=" us",
                              at=("processes", number)))
    figures.append(Figure("near", "near / far, 1 process", [4, 6, 5.5], 5))
    return kept.Run(figures, "1.2.3", MACHINE, "2001-09-09", [0.5, 1.5], 3, False)


def generator(tap):
    data, folder = tmp("made.json"), copy("made")
    run = made()
    run.save(data)
    done = plot(data, "--docs", folder)
    tap.equal(done.returncode, 0, "bench/plot", done.stdout + done.stderr)
    text = read(os.path.join(folder, "docs/PERFORMANCE.md"))
    tap.ok("| gcc | 100 ms |  | 110 ms | 121 ms | 1.210 (1.205 to 1.230) | 1.100 (1.095 to 1.118) | 1.100 |  |  | 1.50 | 1.2 |"
           " MISSED |" in text, "a command has one line: its times, ratios, quartiles, bar", text)
    tap.ok("| 1,000 processes | 2 us | 4 us | 5.5 us | 8 us | 1.200 (1.150 to 1.250) |" in text,
           "what grows has a line for each number")
    tap.ok("| 1,000 processes | 250 MiB | 2.5 us |" in text, "so has the supervisor")
    tap.ok("| near | near / far, 1 process | 5.500 |" in text, "ratios of another kind have a table of their own")
    tap.ok(text.count("<!-- bench -->") == 1 and "surety 1.2.3; 2001-09-09, 3 runs of each figure.\n" in text
           and "| 2001-09-09 | 3 | 0.5 | 1.5 |" in text,
           "the tables stand between the marks, under what they were measured on")
    outside = pages.MARKS.sub("", read(os.path.join(ROOT, "docs/PERFORMANCE.md")))
    tap.equal(pages.MARKS.sub("", text), outside, "nothing outside the marks is changed")
    tap.ok("| to native | 1.210 | 1.205 to 1.230 |" in read(os.path.join(folder, "README.md")), "README.md has the short table")
    names = sorted(os.path.basename(path) for path in glob.glob(os.path.join(folder, "docs/bench/*.svg")))
    tap.equal(names, ["calls.svg", "overview.svg", "situations.svg", "supervisor.svg"],
              "there are the pictures for which there is data")
    return folder, data


def pictures(tap, folder):
    space = "{http://www.w3.org/2000/svg}"
    for path in sorted(glob.glob(os.path.join(folder, "docs/bench/*.svg"))):
        name, root = os.path.basename(path), ET.parse(path).getroot()
        size = [float(n) for n in root.get("viewBox").split()]
        tap.equal((root.tag, root.get("width"), size[2]), (space + "svg", "880", 880), name + " is SVG, and fits a page")
        numbers = [float(n) for e in root.iter() for n in (e.get("x"), e.get("cx"), e.get("x1"), e.get("x2")) if n]
        tap.ok(numbers and 0 <= min(numbers) and max(numbers) <= 880, name + ": all of it is inside",
               (min(numbers), max(numbers)))
        words = " ".join(e.text for e in root.iter(space + "text"))
        tap.ok("nan" not in read(path) and re.search("times|µs|MiB", words), name + ": its axis has a unit", words)
    overview = ET.parse(os.path.join(folder, "docs/bench/overview.svg")).getroot()
    dots = [e for e in overview.iter(space + "circle") if "faint" in e.get("class")]
    arrows = [e for e in overview.iter(space + "path") if "line" in e.get("class")]
    tap.equal(len(dots) + len(arrows), 6, "every pair of floor and of surety is a dot, or an arrow where it is outside")
    tap.equal({"hollow" in e.get("class") for e in dots if "floor" in e.get("class")}, {True},
              "the floor's are told apart by more than a colour")
    tap.ok("prefers-color-scheme: dark" in svg.STYLE, "there are colours for a dark page")


def stale(tap, folder, data):
    tap.equal(plot(data, "--docs", folder, "--check").returncode, 0, "--check: what was just made is as it is to be")
    with open(os.path.join(folder, "docs/bench/calls.svg"), "a") as f:
        f.write(" ")
    done = plot(data, "--docs", folder, "--check")
    tap.ok(done.returncode == 1 and "calls.svg" in done.stdout and "overview" not in done.stdout,
           "--check names what is not", done.stdout)
    newer = tmp("newer.json")
    run = made()
    run.figures, run.date = three("gcc", [100] * 3, [100] * 3, [300] * 3, None), "2001-09-10"
    run.save(newer)
    tap.equal(plot(data, newer, "--docs", folder).returncode, 0, "two files")
    text = read(os.path.join(folder, "docs/PERFORMANCE.md"))
    tap.ok("| 3.000 (3.000 to 3.000) |" in text and "1.210" not in text and "| 8 us |" in text and "2001-09-10" in text,
           "of a row that both have, the last one's is shown", text)
    run.figures = made().figures[-1:]
    run.save(newer)
    plot(newer, "--docs", folder)
    tap.ok(not os.path.exists(os.path.join(folder, "docs/bench/calls.svg")), "a picture that has no data goes")


def bad_input(tap, folder):
    other = tmp("other.json")
    for text, said, what in (("{", "not a file of bench/run", "what is no JSON"), ("[]", "not a file of bench/run", "a list"),
                             ('{"schema": "surety.bench/1"}', "measure it anew", "another schema")):
        with open(other, "w") as f:
            f.write(text)
        done = plot(other, "--docs", folder)
        tap.ok(done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr, what, done.stderr)
    done = plot(tmp("none.json"), "--docs", folder)
    tap.ok(done.returncode == 1 and "No such file" in done.stderr, "a file that is not there", done.stderr)
    made().save(other)
    with open(os.path.join(folder, "README.md"), "w") as f:
        f.write("no marks\n")
    done = plot(other, "--docs", folder)
    tap.ok(done.returncode == 1 and "marks" in done.stderr, "a document without the marks", done.stderr)


def committed(tap):
    done = plot("--check")
    tap.equal(done.returncode, 0, "the documents have what docs/bench gives (make bench-docs)", done.stdout + done.stderr)
    for path in glob.glob(os.path.join(ROOT, "docs/bench/*.json")):
        text, again = read(path), tmp("again.json")
        kept.load(path).save(again)
        tap.ok(read(again) == text, "%s is as bench/run writes it" % os.path.basename(path))
        tap.equal(re.findall(r"/(?:home|root|tmp|work|usr|opt|srv|var|mnt)\b", text), [], "and names no path")
    shown = re.findall(r"\]\((bench/[\w-]+\.svg)\)", read(os.path.join(ROOT, "docs/PERFORMANCE.md")))
    there = ["bench/" + os.path.basename(path) for path in glob.glob(os.path.join(ROOT, "docs/bench/*.svg"))]
    tap.equal(sorted(shown), sorted(there), "docs/PERFORMANCE.md shows each picture")


def main():
    tap = Tap()
    folder, data = generator(tap)
    tap.guarded(pictures, folder)
    tap.guarded(stale, folder, data)
    tap.guarded(bad_input, folder)
    tap.guarded(committed)
    tap.done()


main()
