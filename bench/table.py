# SPDX-License-Identifier: MIT
"""Figures as lines of a table, on a terminal and in Markdown."""
import statistics

COLUMNS = ("row", "figure", "native", "floor", "surety", "median", "quartiles", "min..max", "cpu", "bar", "verdict")
TIMES = ("native", "floor", "surety")


def number(value):
    """Three digits or more, and no exponent."""
    return "%.0f" % value if abs(value) >= 1000 else "%.3g" % value if abs(value) >= 1 else "%.2f" % value


def axis_words(axis, at):
    """A number of an axis in words: 1 process, 1,000 processes."""
    one = {"processes": "process", "threads": "thread", "mappings": "mapping"}
    return "{:,} {}".format(at, one[axis] if at == 1 else axis)


def shown(figure, name):
    """The median of one variant, with its unit."""
    if name not in figure.samples:
        return ""
    value, unit = statistics.median(figure.samples[name]), figure.samples_unit
    return number(value) + ("" if unit.startswith("/") else " ") + unit


def cells(figure):
    """One line of the table; what has no column of its own stands behind the figure's name."""
    low, q1, median, q3, high = figure.spread
    form = "%.3f" if not figure.unit else "%.0f" if median > 100 else "%.2f"
    rest = [name for name in figure.samples if name not in TIMES + ("ulimit",)]
    what = figure.what
    if rest:
        what += " (%s)" % ", ".join("%s: %s" % (name, shown(figure, name)) for name in rest)
    return [figure.row, what] + [shown(figure, name) for name in TIMES] + [
        form % median + figure.unit, "%s to %s" % (form % q1, form % q3), "%s..%s" % (form % low, form % high),
        "%.2f" % statistics.median(figure.cpu) if figure.cpu else "",
        "" if figure.bar is None else "%.4g" % figure.bar, figure.verdict()]


def aligned(rows):
    """The first two columns begin together, the others end together; what stands above is not repeated."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines, last = [], None
    for row in rows:
        first = "" if row[0] == last else row[0]
        last = row[0]
        lines.append("  ".join(c.ljust(w) if i < 2 else c.rjust(w)
                               for i, (c, w) in enumerate(zip([first, *row[1:]], widths))).rstrip())
    return "\n".join(lines)


def text(figures):
    return aligned([list(COLUMNS)] + [cells(f) for f in figures])


def markdown(columns, rows):
    lines = ["| %s |" % " | ".join(columns), "|%s" % ("---|" * len(columns))]
    return "\n".join(lines + ["| %s |" % " | ".join(row) for row in rows])
