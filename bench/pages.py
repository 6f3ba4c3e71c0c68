# SPDX-License-Identifier: MIT
"""What the documents show of kept data: which figure stands in which table and in which picture."""
import re

from charts import Panel, Strip, panels, strips
from measure import spread
from table import axis_words, cells, markdown, number, shown

MARKS = re.compile(r"(<!-- bench -->\n).*?(<!-- /bench -->)", re.S)
RATIO = re.compile(r"^(?:(.*), )?(\w+) / (\w+)$")
VARIANTS = ("native", "ulimit", "floor", "surety")
AXES = ("processes", "mappings", "threads")
FIRST = {"mappings": "few"}
AXIS_WORDS = {"processes": "processes in the group", "mappings": "mappings of the process",
              "threads": "threads of the process"}


class Kept:
    """The figures of one or several runs; of a row that several have, the last one's."""

    def __init__(self, runs):
        self.runs = runs
        last = {f.row: run for run in runs for f in run.figures}
        self.rows = {row: [f for f in run.figures if f.row == row] for row, run in last.items()}
        self.used = [run for run in runs if run in last.values()]

    def figures(self):
        return [f for figures in self.rows.values() for f in figures]

    def rows_of(self, run):
        return [row for row, figures in self.rows.items() if figures[0] in run.figures]

    def places(self):
        """{a machine and a version: its runs}"""
        found = {}
        for run in self.used:
            found.setdefault(run.where(), []).append(run)
        return found


def head(kept):
    """What was measured where: in a line of each place."""
    lines = []
    for where, runs in kept.places().items():
        counts, dates = [run.runs for run in runs], sorted({run.date for run in runs})
        lines.append("%s; %s, %s runs of each figure." % (where, " to ".join(dict.fromkeys((dates[0], dates[-1]))),
                                                          " to ".join(map(str, dict.fromkeys((min(counts), max(counts)))))))
    return "\n\n".join(lines)


def table_of_runs(kept):
    rows = [[", ".join(kept.rows_of(run)), run.date, str(run.runs), "%.1f" % run.load[0], "%.1f" % run.load[1]]
            for run in kept.used]
    return markdown(("rows", "measured", "runs of each", "load before", "after"), rows)


class Case:
    """One command, or one load of a server, that was run in several ways: a line of the first table."""

    def __init__(self, row, name):
        self.row, self.name = row, name
        self.ratios = {}  # (variant, variant): Figure

    def label(self):
        return self.row + (" " + self.name if self.name else "")

    def to_native(self, variant):
        """A figure that is more where VARIANT is slower, or None."""
        return self.ratios.get((variant, "native")) or self.ratios.get(("native", variant))

    def held(self):
        """The figure that has a bar, or the first one."""
        return next((f for f in self.ratios.values() if f.bar), next(iter(self.ratios.values())))

    def samples(self):
        return next((f for f in self.ratios.values() if f.samples), self.held())


def cases(kept):
    """Everything that was run natively as well, and is no number on an axis."""
    found = {}
    for figure in kept.figures():
        match = RATIO.match(figure.what)
        if match and not figure.at:
            name = match[1] or ""
            found.setdefault((figure.row, name), Case(figure.row, name)).ratios[match[2], match[3]] = figure
    return [case for case in found.values() if case.to_native("surety")]


def others(kept):
    """Ratios and sizes of another kind."""
    seen = {id(f) for case in cases(kept) for f in case.ratios.values()}
    return [f for f in kept.figures() if not f.at and id(f) not in seen]


def grown(kept):
    """{axis: {number: {what: Figure}}} of the rows that grow."""
    found = {}
    for figure in kept.figures():
        if figure.at:
            axis, at = figure.at
            found.setdefault(axis, {}).setdefault(at, {})[measured(figure)] = figure
    return {axis: dict(sorted(found[axis].items())) for axis in AXES if axis in found}


def measured(figure):
    """What a figure of an axis is of, without the number."""
    if figure.row == "supervisor":
        return figure.what.partition(",")[0]
    match = re.search(r"(\w+ / \w+)$", figure.what)
    return match[1] if match and match[1] in ("surety / floor", "near / far") else "first"


# Tables

def median_and_quartiles(figure):
    if figure is None:
        return ""
    _, q1, median, q3, _ = spread(figure.values)
    return "%.3f (%.3f to %.3f)" % (median, q1, q3)


def table_of_cases(kept):
    rows = []
    for case in cases(kept):
        held, samples = case.held(), case.samples()
        cpu = case.to_native("surety").cpu
        of_floor = held is case.ratios.get(("surety", "floor"))
        rows.append([case.label()] + [shown(samples, name) for name in VARIANTS] + [
            median_and_quartiles(case.to_native("surety")), median_and_quartiles(case.ratios.get(("surety", "floor"))),
            median_only(case.to_native("floor")), median_only(case.to_native("ulimit")),
            median_only(case.to_native("control")),
            "%.2f" % spread(cpu)[2] if cpu else "", "%.4g" % held.bar + (" of the floor" if of_floor else "") if held.bar else "",
            held.verdict()])
    return markdown(("row", "native", "`ulimit -v`", "floor", "surety", "surety / native", "surety / floor", "floor / native",
                     "`ulimit -v` / native", "control / native", "cpu", "bar", ""), rows)


def median_only(figure):
    return "%.3f" % figure.median if figure else ""


def table_of_others(kept):
    rows = []
    for figure in others(kept):
        row, what, native, floor, surety, median, quartiles, _, cpu, bar, verdict = cells(figure)
        rows.append([row, what.rstrip(")") + ", surety: %s)" % surety if surety else what, median, quartiles, cpu, bar, verdict])
    return markdown(("row", "figure", "median", "quartiles", "cpu", "bar", ""), rows)


def table_of_grown(kept):
    rows = []
    for axis, numbers in grown(kept).items():
        for at, figures in numbers.items():
            samples = figures.get("surety / floor")
            if not samples:
                continue
            to_first = figures.get("first")
            rows.append([named(axis, at)] + [shown(samples, name) for name in ("native", "floor", "surety", "near")]
                        + [median_and_quartiles(figures[what]) if what in figures else ""
                           for what in ("surety / floor", "near / far", "first")]
                        + [", ".join(dict.fromkeys(f.verdict() for f in (figures.get("near / far"), to_first)
                                                   if f and f.verdict()))])
    return markdown(("a granted call with", "native", "floor", "surety", "near the limit", "surety / floor", "near / far",
                     "to the first", "bars 5 and 1.15"), rows)


def named(axis, at):
    first = FIRST.get(axis)
    return "%s %s" % (first, axis) if first and at == 1 else axis_words(axis, at)


def table_of_supervisor(kept):
    rows = []
    for axis, numbers in grown(kept).items():
        for at, figures in numbers.items():
            if "private memory" in figures:
                rows.append([named(axis, at)] + ["%s%s" % (number(figures[w].median), figures[w].unit)
                                                 for w in ("private memory", "CPU of a granted call")])
    return markdown(("the supervisor with", "private memory", "CPU of a granted call"), rows)


def tables(kept):
    parts = [head(kept), table_of_runs(kept), table_of_cases(kept), table_of_others(kept)]
    if grown(kept):
        parts += [table_of_grown(kept), table_of_supervisor(kept)]
    return "\n\n".join(part for part in parts if part.count("\n") != 1) + "\n"


# What README.md shows: words, to what, row, figure.
CHOSEN = (
    ("mmap and munmap in a loop", "to the floor of the mechanism", "mmap", "surety / floor"),
    ("mmap and munmap in a loop", "to native", "mmap", "surety / native"),
    ("`gcc -O2 -c`, one file of 2,700 lines", "to native", "gcc", "surety / native"),
    ("`make -j2` of a C library of 60 files", "to native", "make", "surety / native"),
    ("`python3` with a few imports", "to native", "python", "surety / native"),
    ("`node`, a small script", "to native", "node", "surety / native"),
    ("`sqlite3`, 100,000 rows in memory", "to native", "sqlite", "surety / native"),
    ("`git status`, 4,000 files, 6 ms", "to native", "git", "surety / native"),
    ("the same with the floor alone, which knows nothing", "to native", "git", "floor / native"),
    ("`bash`, 300 times fork and exec", "to native", "bash", "surety / native"),
    ("PostgreSQL under `pgbench`, time for a transaction", "to native", "pgbench", "TPC-B, native / surety"),
    ("Redis under `redis-benchmark`, time for a request", "to native", "redis", "SET and GET, native / surety"),
    ("a granted call, 30,000 mappings", "to few mappings", "mappings", "30000 / few"),
    ("a granted call, 500 processes", "to one process", "processes", "500 / 1"),
    ("a granted call near the limit, 200 processes", "to one far from it", "near", "near / far, 200 processes"),
    ("memory of surety, 1,000 processes", "Rss", "memory", "Rss, both processes"),
)


def summary(kept):
    rows = []
    for words, to, row, what in CHOSEN:
        figure = next((f for f in kept.rows.get(row, ()) if f.what == what), None)
        if figure:
            form = "%.3f" if not figure.unit else "%.2f"
            _, q1, median, q3, _ = figure.spread
            rows.append([words, to, form % median + figure.unit, "%s to %s" % (form % q1, form % q3)])
    return head(kept) + "\n\n" + markdown(("what", "ratio", "median", "quartiles"), rows) + "\n"


def put(document, text):
    """DOCUMENT with TEXT between its marks."""
    found, count = MARKS.subn(lambda m: m[1] + text + m[2], document)
    if count != 1:
        raise ValueError("%d pairs of the marks <!-- bench -->, not one" % count)
    return found


# Pictures

TO_NATIVE = [("floor", "floor: the least that the mechanism costs"), ("surety", "surety"), ("bar", "its bar"),
             (None, "box: quartiles, thick line: median, < or >: beyond the edge")]


def strip_of(case):
    series = [(name, case.to_native(name).values) for name in ("floor", "surety") if case.to_native(name)]
    held = case.held()
    bar = held.bar
    if bar and held is case.ratios.get(("surety", "floor")) and case.to_native("floor"):
        bar *= case.to_native("floor").median
    return Strip(case.label(), series, bar, "%.4g%s" % (held.bar, "*" if bar != held.bar else "") if bar else "")


def picture_of_cases(kept, title, about, wanted):
    rows = [strip_of(case) for case in cases(kept) if wanted(case)]
    if not rows:
        return None
    axis = "times native: 1 is as long as without surety"
    if any(row.note.endswith("*") for row in rows):
        axis += "   (* held to the floor, and drawn at that)"
    bars = any(row.bar for row in rows)
    return strips(title, about, rows, axis, [e for e in TO_NATIVE if bars or e[0] != "bar"], "bar" if bars else "")


def overview(kept):
    return picture_of_cases(kept, "Time that programs and servers take: times native",
                            "Ratios of paired runs: every pair a dot, floor and surety side by side.",
                            lambda case: case.row not in ("stress", "start"))


def stress(kept):
    return picture_of_cases(kept, "Time for stress-ng's classes on memory and processes, and for a start: times native",
                            "Ratios of paired runs: every pair a dot, floor and surety side by side.",
                            lambda case: case.row in ("stress", "start"))


def calls(kept):
    rows = [Strip(f.row + ": " + f.what, [("native" if f.what.endswith(", native") else "surety", f.values)], f.bar, "%.4g" % f.bar if f.bar else "") for f in others(kept)
            if not f.unit and f.row != "share"]
    if not rows:
        return None
    return strips("The same work in two situations", "Ratios of paired runs: every pair a dot.", rows,
                  "times the second of the two", [("surety", "surety"), ("native", "native"), ("bar", "its bar"),
                                                  (None, "box: quartiles, thick line: median")], "bar")


def cost(kept):
    row = []
    for axis, numbers in grown(kept).items():
        of = {at: figures["surety / floor"].samples for at, figures in numbers.items() if "surety / floor" in figures}
        names = [n for n in ("native", "floor", "surety", "near") if all(n in samples for samples in of.values())]
        if of:
            row.append(Panel("", AXIS_WORDS[axis], "µs for mmap and munmap",
                             [(name, [(at, samples[name]) for at, samples in of.items()]) for name in names],
                             first=FIRST.get(axis, "")))
    if not row:
        return None
    high = max(panel.highest() for panel in row)
    for panel in row:
        panel.top = high * 1.05
    return panels("What a granted call costs as process and group grow", "Medians, with lines from quartile to quartile.", [row],
                  [("native", "native"), ("floor", "floor"), ("surety", "surety, far from the limit"),
                   ("near", "surety, 3 % left"), (None, "upright lines: quartiles")])


def supervisor(kept):
    rows = []
    for what, up in ("private memory", "MiB, private"), ("CPU of a granted call", "µs of CPU for a call"):
        row = [Panel("", AXIS_WORDS[axis], up, [("surety", [(at, figures[what].values) for at, figures in numbers.items()])],
                     first=FIRST.get(axis, ""))
               for axis, numbers in grown(kept).items() if all(what in figures for figures in numbers.values())]
        for panel in row:
            panel.top = max(p.highest() for p in row) * 1.05
        if row:
            rows.append(row)
    if not rows:
        return None
    return panels("The supervisor as the group grows: its memory, and its time for a granted call",
                  "Medians, with lines from quartile to quartile.", rows,
                  [("surety", "median"), (None, "upright lines: quartiles")])


def share(kept):
    found = {}
    for figure in kept.rows.get("share", ()):
        name, _, what = figure.what.partition(", ")
        found.setdefault(name, {})[what.split()[0]] = figure
    rows = [Strip(name, [("surety", pair["CPU"].values)], None, "%.2f MiB" % pair["private"].median)
            for name, pair in found.items() if len(pair) == 2]
    if not rows:
        return None
    return strips("The supervisor's part of the processor time of a whole job", "Each run a dot.", rows,
                  "% of the processor time of job and surety together",
                  [("surety", "one run"), (None, "thick line: median")], "memory", log=False)


def servers(kept):
    columns = []
    for row in "pgbench", "redis":
        for figure in kept.rows.get(row, ()):
            if figure.samples_unit != "/s":
                continue
            load = figure.what.partition(",")[0]
            p99 = next((f for f in kept.rows[row] if f.what.startswith(load + " p99")), None)
            if p99:
                columns.append([server_panel(row + ", " + load, "requests a second", figure),
                                server_panel("", "ms, 99th percentile", p99)])
    if not columns:
        return None
    return panels("Servers under load: requests a second (more is better), p99 latency (less is better)",
                  "Each run a dot, with quartiles and median.", list(zip(*columns)),
                  [("native", "native"), ("surety", "surety"), (None, "box: quartiles, thick line: median, with its value")])


def server_panel(title, up, figure):
    samples = figure.samples
    return Panel(title, "", up, [(name, [(name, samples[name])]) for name in ("native", "surety")],
                 top=1.1 * max(max(values) for values in samples.values()))


PICTURES = {"overview": overview, "stress": stress, "situations": calls, "calls": cost, "supervisor": supervisor,
            "share": share, "servers": servers}
