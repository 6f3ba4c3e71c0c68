# SPDX-License-Identifier: MIT
"""Pictures as SVG text: a canvas, scales, and marks that are told apart without their colour.

A picture has a ground of its own, light or dark as the reader's system is, because
a page that shows it as an image cannot tell it which the page is.
"""
import math
from xml.sax.saxutils import escape, quoteattr

# Of each thing its colour on a light ground and on a dark one.
PLAIN = {"text": ("#1f2328", "#f0f6fc"), ".small": ("#59636e", "#9198a1"), ".band": ("#f6f8fa", "#151b23")}
LINES = {".grid": ("#e4e8ec", "#262c36"), ".axis": ("#818b98", "#7d8590")}
VARIANTS = {"native": ("#59636e", "#9ea7b3"), "floor": ("#a84a00", "#f0883e"), "surety": ("#0a58ca", "#58a6ff"),
            "near": ("#8035c8", "#c297ff"), "bar": ("#c21f30", "#ff7b72")}


def colours(dark):
    lines = ["%s { fill: %s }" % (name, pair[dark]) for name, pair in PLAIN.items()]
    lines += ["%s { stroke: %s }" % (name, pair[dark]) for name, pair in LINES.items()]
    lines.append(".ground { fill: %s; stroke: %s }" % (("#ffffff", "#d1d9e0"), ("#0d1117", "#3d444d"))[dark])
    for name, pair in VARIANTS.items():
        lines.append(".%s { stroke: %s } .%s.full, .%s.box { fill: %s }" % (name, pair[dark], name, name, pair[dark]))
    return "\n".join(lines)


STYLE = """\
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }
.small { font-size: 12px } .head { font-size: 15px; font-weight: 600 } .strong { font-weight: 600 }
.line { fill: none; stroke-width: 1.6 } .hollow { fill: none; stroke-width: 1.3 } .faint { opacity: .5 }
.box { fill-opacity: .16; stroke-opacity: .7 } .middle { stroke-width: 3 }
.limit { stroke-width: 1.8; stroke-dasharray: 4 2 }
%s
@media (prefers-color-scheme: dark) {
%s
}
""" % (colours(False), colours(True))


def short(x):
    """A coordinate: a tenth of a pixel is enough."""
    return ("%.1f" % x).rstrip("0").rstrip(".")


class Canvas:
    def __init__(self, width, height, title, about):
        self.width, self.height = width, height
        self.parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">' % (
                          width, height, width, height),
                      "<title>%s</title>" % escape(title), "<desc>%s</desc>" % escape(about),
                      "<style>\n%s</style>" % STYLE,
                      '<rect class="ground" x="0.5" y="0.5" width="%d" height="%d" rx="6"/>' % (width - 1, height - 1)]
        self.text(16, 26, title, "head")

    def add(self, tag, cls, **attributes):
        shown = "".join(' %s=%s' % (name.replace("_", "-"), quoteattr(short(v) if isinstance(v, (int, float)) else v))
                        for name, v in attributes.items())
        self.parts.append('<%s class="%s"%s/>' % (tag, cls, shown))

    def text(self, x, y, words, cls="", anchor="start", turned=False):
        if not words:
            return
        turn = ' transform="rotate(-90 %s %s)"' % (short(x), short(y)) if turned else ""
        self.parts.append('<text class="%s" x="%s" y="%s" text-anchor="%s"%s>%s</text>' % (
            cls, short(x), short(y), anchor, turn, escape(words)))

    def line(self, x1, y1, x2, y2, cls):
        self.add("line", cls, x1=x1, y1=y1, x2=x2, y2=y2)

    def rect(self, x, y, width, height, cls):
        self.add("rect", cls, x=x, y=y, width=max(width, 0.5), height=height)

    def path(self, points, cls, dashes=""):
        way = " ".join("%s%s %s" % ("L" if i else "M", short(x), short(y)) for i, (x, y) in enumerate(points))
        self.add("path", cls, d=way, **({"stroke_dasharray": dashes} if dashes else {}))

    def mark(self, name, x, y, r, faint=False):
        """The sign of one variant: each has another shape."""
        cls = name + (" faint" if faint else "")
        if name == "native":
            self.rect(x - r, y - r, 2 * r, 2 * r, cls + " hollow")
        elif name == "floor":
            self.add("circle", cls + " hollow", cx=x, cy=y, r=r)
        elif name == "near":
            self.add("path", cls + " full", d="M%s %sl%s %sh%sz" % (short(x), short(y - 1.2 * r), short(1.2 * r),
                                                                    short(2.2 * r), short(-2.4 * r)))
        else:
            self.add("circle", cls + " full", cx=x, cy=y, r=r)

    def legend(self, x, y, entries):
        """ENTRIES: (name, words), or (None, words) for words alone; returns where it ends."""
        for name, words in entries:
            if name == "bar":
                self.line(x + 4, y - 11, x + 4, y + 3, "bar limit")
            elif name:
                self.mark(name, x + 4, y - 4, 4)
            x += 14 if name else 0
            self.text(x, y, words, "small")
            x += 6.3 * len(words) + 18
        return x

    def done(self):
        return "\n".join(self.parts + ["</svg>", ""])


class Scale:
    """From values to pixels."""

    def __init__(self, low, high, start, end, log=False):
        self.low, self.high, self.start, self.end = low, high, start, end
        self.turn = math.log if log else float

    def __call__(self, value):
        low, high = self.turn(self.low), self.turn(self.high)
        return self.start + (self.turn(value) - low) / (high - low or 1) * (self.end - self.start)

    def inside(self, value):
        return self.low <= value <= self.high


def steps(high, most=5):
    """Round numbers from 0 to HIGH or a little more."""
    rough = high / most or 1
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * n for n in (1, 2, 2.5, 5, 10) if size * n >= rough * 0.999)
    return [step * i for i in range(math.ceil(high / step * 0.999) + 1)]


def ratio_steps(low, high):
    """Round numbers within a range of ratios, far enough apart to be read."""
    fine = [0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.5, 2, 3, 4, 5, 7, 10, 20, 50, 100]
    found, width = [1.0], math.log(high / low)
    for value in sorted(fine, key=lambda v: abs(math.log(v))):
        if low <= value <= high and all(abs(math.log(value / v)) / width > 0.045 for v in found):
            found.append(value)
    return sorted(found)
