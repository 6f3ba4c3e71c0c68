# SPDX-License-Identifier: MIT
"""Two kinds of picture: strips of ratios, and panels of curves.  What goes in is the pages' matter."""
from measure import spread
from svg import Canvas, Scale, ratio_steps, short, steps
from table import number

WIDTH = 880
LANE, GAP = 15, 9


class Strip:
    """One line of a picture of strips."""

    def __init__(self, label, series, bar=None, note=""):
        self.label = label    # what was run
        self.series = series  # [(variant, values)]
        self.bar, self.note = bar, note

    def height(self):
        return LANE * len(self.series) + GAP


def strips(title, about, rows, axis, legend, notes="", log=True):
    """Each row's values as dots, with median and quartiles; a scale from 0, or of ratios around 1."""
    left, right, top = 8 * max(len(row.label) for row in rows) + 24, 132 if notes else 66, 78
    height = top + sum(row.height() for row in rows) + 52
    canvas = Canvas(WIDTH, height, title, about)
    canvas.legend(16, 50, legend)
    spreads = [spread(values) for row in rows for _, values in row.series]
    if log:
        bars = [row.bar for row in rows if row.bar]
        low = min([0.85] + [s[1] / 1.05 for s in spreads])
        high = max([1.25] + [s[3] * 1.08 for s in spreads] + [b * 1.05 for b in bars])
        ticks, x = ratio_steps(low, high), Scale(low, high, left, WIDTH - right, log=True)
    else:
        ticks = steps(max(s[4] for s in spreads), 8)
        x = Scale(0, ticks[-1], left, WIDTH - right)
    bottom = height - 52
    for tick in ticks:
        canvas.line(x(tick), top - 6, x(tick), bottom, "axis" if tick in (0, 1) else "grid")
        canvas.text(x(tick), bottom + 17, "%g" % tick, "small", "middle")
    canvas.text((left + WIDTH - right) / 2, height - 14, axis, "small", "middle")
    canvas.text(WIDTH - right + 12, top - 10, "median", "small")
    if notes:
        canvas.text(WIDTH - right + 66, top - 10, notes, "small")
    y = top
    for i, row in enumerate(rows):
        if i % 2 == 0:
            canvas.parts.insert(5, '<rect class="band" x="8" y="%s" width="%d" height="%s"/>' % (
                short(y - GAP / 2), WIDTH - 16, short(row.height())))
        canvas.text(left - 12, y + LANE * len(row.series) / 2 + 4, row.label, "", "end")
        for name, values in row.series:
            lane(canvas, x, y + LANE / 2, name, values)
            canvas.text(WIDTH - right + 12, y + LANE / 2 + 4, number_of(values), "strong" if name == "surety" else "small")
            y += LANE
        if row.bar and x.inside(row.bar):
            canvas.line(x(row.bar), y - LANE - 2, x(row.bar), y + 2, "bar limit")
        canvas.text(WIDTH - right + 66, y - LANE / 2 + 4, row.note, "small")
        y += GAP
    return canvas.done()


def number_of(values):
    median = spread(values)[2]
    return "%.3f" % median if median < 10 else number(median)


def lane(canvas, x, y, name, values):
    """The values of one variant: a dot each, a box from quartile to quartile, a thick line at the median."""
    _, q1, median, q3, _ = spread(values)
    canvas.rect(x(q1), y - 5, x(q3) - x(q1), 10, name + " box")
    for i, value in enumerate(values):
        if x.inside(value):
            canvas.mark(name, x(value), y + (i % 3 - 1) * 2.5, 2.3, faint=True)
        else:  # past the edge: an arrow head that points there
            edge, way = (x.start, -5) if value < x.low else (x.end, 5)
            canvas.path([(edge - way, y - 4), (edge, y), (edge - way, y + 4)], name + " line")
    canvas.line(x(median), y - 6.5, x(median), y + 6.5, name + " middle")


class Panel:
    """One small picture: curves over numbers, or dots over names."""

    def __init__(self, title, across, up, series, top=None, first=""):
        self.title, self.across, self.up = title, across, up
        self.series = series  # [(variant, [(number or name, values)])]
        self.top = top        # of the scale, where panels share it
        self.first = first    # what stands for the first number

    def highest(self):
        return max(spread(values)[3] for _, points in self.series for _, values in points)


DASHES = {"native": "2 3", "floor": "6 3", "near": "8 3 2 3"}


def panels(title, about, rows, legend):
    """ROWS of panels, all of one size."""
    top, high, gap = 66, 232, 12
    canvas = Canvas(WIDTH, top + high * len(rows), title, about)
    canvas.legend(16, 50, legend)
    for r, row in enumerate(rows):
        wide = (WIDTH - 2 * gap) / len(row)
        for c, panel in enumerate(row):
            draw(canvas, panel, gap + c * wide, top + r * high, wide, high)
    return canvas.done()


def label_of(value):
    return value if isinstance(value, str) else "%d" % value if value < 1000 else "%gk" % (value / 1000)


def draw(canvas, panel, left, top, wide, high):
    names = list(dict.fromkeys(at for _, points in panel.series for at, _ in points))
    ticks = steps(panel.top or panel.highest() * 1.05, 4)
    y = Scale(0, ticks[-1], top + high - 46, top + 26)
    start, end = left + 58, left + wide - 14
    if isinstance(names[0], str):
        place = {at: start + (i + 0.5) * (end - start) / len(names) for i, at in enumerate(names)}
    else:
        x = Scale(names[0], names[-1], start + 14, end - 14, log=True)
        place = {at: x(at) for at in names}
    canvas.text((start + end) / 2, top + 14, panel.title, "strong", "middle")
    for tick in ticks:
        canvas.line(start, y(tick), end, y(tick), "axis" if tick == 0 else "grid")
        canvas.text(start - 6, y(tick) + 4, "%gk" % (tick / 1000) if tick >= 10000 else "%g" % tick, "small", "end")
    canvas.text(left + 14, (y.start + y.end) / 2, panel.up, "small", "middle", turned=True)
    for i, (at, px) in enumerate(place.items()):
        canvas.line(px, y.start, px, y.start + 4, "axis")
        canvas.text(px, y.start + 17, panel.first if i == 0 and panel.first else label_of(at), "small", "middle")
    canvas.text((start + end) / 2, top + high - 12, panel.across, "small", "middle")
    for i, (name, points) in enumerate(panel.series):
        curve(canvas, y, name, [(place[at] + (0 if isinstance(at, str) else 3 * i - 1.5 * len(panel.series)), at, values) for at, values in points])


def curve(canvas, y, name, points):
    if not isinstance(points[0][1], str):
        canvas.path([(px, y(spread(values)[2])) for px, _, values in points], name + " line", DASHES.get(name, ""))
    for px, at, values in points:
        _, q1, median, q3, _ = spread(values)
        if isinstance(at, str):
            canvas.rect(px - 16, y(q3), 32, y(q1) - y(q3), name + " box")
            for i, value in enumerate(v for v in values if y.inside(v)):
                canvas.mark(name, px + (i % 3 - 1) * 8, y(value), 2.6, faint=True)
            canvas.line(px - 18, y(median), px + 18, y(median), name + " middle")
            canvas.text(px + 22, y(median) + 4, number(median), "small")
        else:
            if y.inside(q3):
                canvas.line(px, y(q1), px, y(q3), name + " line")
            canvas.mark(name, px, y(median), 3.4)
