# SPDX-License-Identifier: MIT
"""Rows that grow: threads, processes, mappings, and what the supervisor itself takes for them."""
import glob
import statistics
import subprocess

from measure import RUN_SECONDS, Failed, Figure, take_turns
from rows import MIB, Shape, compare, granted, memory_kb


def per_call_us(bench, prefix, number, count):
    argv = prefix + [bench.program("threads"), str(number), str(count), str(MIB)]
    out = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=RUN_SECONDS)
    if out.returncode != 0:
        raise Failed("threads ended with %d" % out.returncode)
    return int(out.stdout) / 1e3 / count


def row_threads(bench):
    """threads: mmap and munmap by 1 to 64 threads of one process"""
    found, count = [], bench.count(20000, 640)
    for number in (1, 4, 64) if bench.quick else (1, 2, 4, 8, 16, 32, 64):
        results = take_turns({
            "native": lambda: per_call_us(bench, [], number, count),
            "floor": lambda: per_call_us(bench, [bench.program("floor")], number, count),
            "surety": lambda: per_call_us(bench, bench.under_surety([]), number, count),
        }, bench.runs, 0 if bench.quick else 1)
        shown = {name: "%.2f us" % statistics.median(values) for name, values in results.items()}
        for base in "floor", "native":
            found.append(Figure("threads", "%d threads, surety / %s" % (number, base),
                                [s / n for s, n in zip(results["surety"], results[base])],
                                absolute=shown if base == "floor" else None))
    return found


def row_group(bench):
    """group: a granted call in a group of 1 to 1,000 processes, to one of one"""
    count = bench.count(5000, 200)
    return [compare(bench, "group", "%d / 1 process" % number,
                    {"1": lambda: granted(bench, count=count),
                     str(number): lambda: granted(bench, processes=number - 1, count=count)}, 1.15)
            for number in ((10,) if bench.quick else (10, 100, 1000))]


def row_space(bench):
    """space: a granted call in an address space of 1,000 to 60,000 mappings, to one of few"""
    count = bench.count(5000, 200)
    return [compare(bench, "space", "%d mappings / few" % number,
                    {"few": lambda: granted(bench, count=count),
                     str(number): lambda: granted(bench, mappings=number, count=count)}, 1.15)
            for number in ((500,) if bench.quick else (1000, 10000, 60000))]


def on_cpu_us(pid):
    """What the threads of a process have run, to the nanosecond."""
    total = 0
    for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
        with open(path) as f:
            total += int(f.read().split()[0])
    return total / 1e3


def row_supervisor(bench):
    """supervisor: its memory with 1 to 1,000 processes in the group, and its time for each granted call"""
    found = []
    count = bench.count(20000, 200)
    for number in (1, 10) if bench.quick else (1, 10, 100, 1000):
        memory, cpu = [], []
        for _ in range(1 if bench.quick else 3):
            with Shape(bench, processes=number - 1, count=count) as job:
                pid = job.status()["supervisor_pid"]
                before = on_cpu_us(pid)
                job.start()
                cpu.append((on_cpu_us(pid) - before) / count)
                memory.append(memory_kb(pid)[1] / 1024)
                job.end()
        found.append(Figure("supervisor", "private memory, %d processes" % number, memory, unit=" MiB"))
        found.append(Figure("supervisor", "CPU of a granted call, %d processes" % number, cpu, unit=" us"))
    return found


ROWS = [row_threads, row_group, row_space, row_supervisor]
