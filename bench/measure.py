# SPDX-License-Identifier: MIT
"""Paired timing: every figure is a ratio of runs that stood side by side.

A run is a whole process from posix_spawn to wait4.  The variants of one figure
take turns (A B C, C A B, ...), so that each turn gives one ratio and whatever the
machine does beside falls on all of them alike.  The order within a turn is drawn
anew, for what runs before a variant leaves its mark on it.
"""
import os
import random
import signal
import statistics
import time

RUN_SECONDS = 120  # past it a run is killed, and the measurement with it
ENOUGH = 10        # pairs, for a bar to be held to


class Failed(Exception):
    """A run that did not do what it was started for: no figure comes of it."""


class Missing(Exception):
    """A program that is not installed."""


class Sample:
    def __init__(self, wall, cpu):
        self.wall, self.cpu = wall, cpu  # seconds; cpu is user + system


def _give_up(signum, frame):
    raise Failed("no end after %d s" % RUN_SECONDS)


def run_once(argv, env=None, cwd=None):
    """Times ARGV with its output thrown away; its exit status must be 0."""
    actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    before = os.getcwd()
    old = signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(RUN_SECONDS)
    pid = None
    try:
        if cwd:
            os.chdir(cwd)
        start = time.perf_counter()
        pid = os.posix_spawnp(argv[0], argv, os.environ if env is None else env, file_actions=actions, setpgroup=0)
        _, status, usage = os.wait4(pid, 0)
        wall = time.perf_counter() - start
        done, pid = pid, None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
        os.chdir(before)
        if pid is not None:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise Failed("%s (pid %d) ended with %d" % (" ".join(argv)[:200], done, code))
    return Sample(wall, usage.ru_utime + usage.ru_stime)


def take_turns(variants, runs, warm_up, draw=None):
    """{name: [result, ...]} of {name: function}, each called RUNS times in turn."""
    for _ in range(warm_up):
        for function in variants.values():
            function()
    results = {name: [] for name in variants}
    order, draw = list(variants), draw or random.Random(runs)
    for _ in range(runs):
        draw.shuffle(order)
        for name in order:
            results[name].append(variants[name]())
    return results


def spread(values):
    """min, lower quartile, median, upper quartile, max"""
    values = sorted(values)
    if len(values) == 1:
        return values * 5
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return [values[0], low, middle, high, values[-1]]


class Figure:
    """One line of the table: a median, and what it is held to.

    AT is where a row that grows stands: an axis and a number on it, such as
    ("threads", 4).  SAMPLES are the single values that the ratios were made of,
    in turns, by variant.
    """

    def __init__(self, row, what, values, bar=None, unit="", samples=None, samples_unit="ms", cpu=None, at=None):
        self.row, self.what, self.bar, self.unit = row, what, bar, unit
        self.values = brief(values)
        self.samples = {name: brief(found) for name, found in (samples or {}).items()}
        self.samples_unit = samples_unit if samples else ""
        self.cpu = brief(cpu or [])  # the ratio of processor time, for information
        self.at = tuple(at) if at else None
        self.spread = spread(self.values)
        self.median = self.spread[2]
        self.enforced = False

    def verdict(self):
        if self.bar is None:
            return ""
        if not self.enforced:
            return "not held"
        return "ok" if self.median <= self.bar else "MISSED"


def brief(values):
    """Five digits are more than any time here is good for."""
    return [float("%.5g" % value) for value in values]


def ratios(results, a, b, of="wall"):
    """Of each turn A / B."""
    return [getattr(x, of) / getattr(y, of) for x, y in zip(results[a], results[b])]


def milliseconds(results):
    return {name: [1e3 * s.wall for s in samples] for name, samples in results.items()}


def cpu_ratios(results, a, b):
    low = [y.cpu for y in results[b]]
    return ratios(results, a, b, "cpu") if min(low) > 0 else None
