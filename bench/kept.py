# SPDX-License-Identifier: MIT
"""What a run of bench/run leaves in a file: every value, and the machine it is of.

One key a line, and one list a line, so that two runs can be told apart with diff.
A file is for publication: nothing in it names the machine, its user or its paths.
docs/PERFORMANCE.md describes the keys.
"""
import json
import os
import platform
import re
import time

from measure import Figure

SCHEMA = "surety.bench/2"


class Bad(Exception):
    """A file that is none of ours: the message names it."""


def machine():
    """What a figure may depend on."""
    with open("/proc/cpuinfo") as f:
        cpuinfo = f.read()
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.M)
    with open("/proc/meminfo") as f:
        memory_kib = int(f.readline().split()[1])
    return {"kernel": re.match(r"[\d.]+(-\d+)?", platform.release())[0],  # what stands behind may name who built it
            "architecture": platform.machine(), "processor": model[1].strip() if model else "",
            "processors": os.cpu_count(), "virtual": bool(re.search(r"^flags.*\bhypervisor\b", cpuinfo, re.M)),
            "memory_gib": round(memory_kib / (1 << 20))}


class Run:
    """One run of bench/run: its figures, and what they were measured on."""

    def __init__(self, figures, version, machine, date, load, runs, quick, not_measured=()):
        self.figures, self.version, self.machine, self.date = figures, version, machine, date
        self.load = load  # of a minute: before and after
        self.runs, self.quick, self.not_measured = runs, quick, list(not_measured)

    def where(self):
        """The machine, and what was measured on it."""
        m = self.machine
        return "Linux %s %s, %s%d processors%s, %d GiB, surety %s" % (
            m["kernel"], m["architecture"], m["processor"] and m["processor"] + ", ", m["processors"],
            " of a virtual machine" if m["virtual"] else "", m["memory_gib"], self.version)

    def line(self):
        """What stands above a table."""
        return "%s, %s, %d runs of each, load %.1f before and %.1f after%s" % (
            self.where(), self.date, self.runs, *self.load, ", small counts (--quick)" if self.quick else "")

    def save(self, path):
        head = {"schema": SCHEMA, "date": self.date, "surety": self.version, "machine": self.machine,
                "load": [round(x, 1) for x in self.load], "runs": self.runs, "quick": self.quick,
                "not_measured": self.not_measured}
        lines = [' "%s": %s,' % (key, json.dumps(value)) for key, value in head.items()]
        figures = ",\n".join(figure_text(figure) for figure in self.figures)
        with open(path, "w") as f:
            f.write("{\n%s\n \"figures\": [\n%s\n ]\n}\n" % ("\n".join(lines), figures))


def figure_text(figure):
    head = {"row": figure.row, "what": figure.what, "unit": figure.unit, "bar": figure.bar and round(figure.bar, 4),
            "held": figure.enforced, "at": figure.at}
    lists = {"values": figure.values, "cpu": figure.cpu}
    lines = ["%s" % json.dumps(head)[1:-1]] + ['"%s": %s' % (key, json.dumps(v)) for key, v in lists.items() if v]
    if figure.samples:
        lines += ['"samples_unit": "%s"' % figure.samples_unit,
                  '"samples": {\n    %s}' % ",\n    ".join("%s: %s" % (json.dumps(name), json.dumps(values))
                                                       for name, values in figure.samples.items())]
    return "  {" + ",\n   ".join(lines) + "}"


def figure_of(entry):
    figure = Figure(entry["row"], entry["what"], entry["values"], entry["bar"], entry["unit"], entry.get("samples"),
                    entry.get("samples_unit", ""), entry.get("cpu"), entry["at"])
    figure.enforced = entry["held"]
    return figure


def load(path):
    try:
        with open(path) as f:
            data = json.load(f)
        if data.get("schema") != SCHEMA:
            raise Bad("%s: its schema is '%s', not '%s' (measure it anew)" % (path, data.get("schema"), SCHEMA))
        return Run([figure_of(entry) for entry in data["figures"]], data["surety"], data["machine"], data["date"],
                   data["load"], data["runs"], data["quick"], data["not_measured"])
    except OSError as e:
        raise Bad("%s: cannot read it: %s" % (path, e.strerror)) from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as e:
        raise Bad("%s: not a file of bench/run --json: %s" % (path, e)) from None


def today():
    return time.strftime("%Y-%m-%d", time.gmtime())
