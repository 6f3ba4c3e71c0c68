# SPDX-License-Identifier: MIT
"""Rows that grow: threads, processes, mappings, and what the supervisor itself takes for them."""
import glob
import json
import os
import select
import signal
import subprocess
import time

from measure import RUN_SECONDS, Failed, Figure, take_turns
from programs import make_command, sqlite_command
from rows import MIB, Shape, commands, granted, leave_little, memory_kb
from table import axis_words

NEAR = str(1024 * MIB)
THREAD_BYTES = 1 << 16  # 64 threads at once stay within what is left near the limit


def axes(bench):
    """{axis: (its numbers, what makes the shape of one)}; the first number is what the others are compared with."""
    quick = bench.quick
    return {
        "mappings": ((1, 500) if quick else (1, 1000, 10000, 60000), lambda n: {"mappings": n if n > 1 else 0}),
        "processes": ((1, 10) if quick else (1, 10, 100, 1000), lambda n: {"processes": n - 1}),
        "threads": ((1, 4) if quick else (1, 2, 4, 8, 16, 32, 64), lambda n: {"threads": n, "size": THREAD_BYTES}),
    }


def grown(bench, row, axis, count, bar=None):
    """A granted call at each number of an axis: to the first, to the floor, near the limit to far from it."""
    found = []
    numbers, make = axes(bench)[axis]
    for number in numbers:
        shape, first = dict(make(number), count=count), dict(make(numbers[0]), count=count)
        results = take_turns({
            "first": lambda: granted(bench, **first),
            "native": lambda: granted(bench, under="native", **shape),
            "floor": lambda: granted(bench, under="floor", **shape),
            "surety": lambda: granted(bench, **shape),
            "near": lambda: granted(bench, leave_little, NEAR, **shape),
        }, bench.runs, 0 if bench.quick else 1)
        one, what = results.pop("first"), axis_words(axis, number)

        def figure(of, a, b, held_to=None, samples=None):
            found.append(Figure(row, what + of, [x / y for x, y in zip(a, b)], held_to, samples=samples,
                                samples_unit="us", at=(axis, number)))

        figure(", surety / floor", results["surety"], results["floor"], samples=results)
        figure(", near / far", results["near"], results["surety"], 5)
        if number != numbers[0] and bar:
            figure(" / " + axis_words(axis, numbers[0]), results["surety"], one, bar)
    return found


def row_threads(bench):
    """threads: mmap and munmap by 1 to 64 threads of one process"""
    return grown(bench, "threads", "threads", bench.count(20000, 640))


def row_group(bench):
    """group: a granted call in a group of 1 to 1,000 processes"""
    return grown(bench, "group", "processes", bench.count(5000, 200), 1.15)


def row_space(bench):
    """space: a granted call in an address space of few to 60,000 mappings"""
    return grown(bench, "space", "mappings", bench.count(5000, 200), 1.15)


def on_cpu_us(pid):
    """What the threads of a process have run, to the nanosecond."""
    total = 0
    for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
        with open(path) as f:
            total += int(f.read().split()[0])
    return total / 1e3


def row_supervisor(bench):
    """supervisor: its memory, and its time for each granted call, with 1 to 1,000 processes, 60,000 mappings, 64 threads"""
    found = []
    count = bench.count(20000, 640)
    for axis, (numbers, make) in axes(bench).items():
        for number in numbers:
            memory, cpu = [], []
            for _ in range(1 if bench.quick else 3):
                with Shape(bench, count=count, **make(number)) as job:
                    pid = job.status()["supervisor_pid"]
                    before = on_cpu_us(pid)
                    job.start()
                    cpu.append((on_cpu_us(pid) - before) / count)
                    memory.append(memory_kb(pid)[1] / 1024)
                    job.end()
            what, at = axis_words(axis, number), (axis, number)
            found.append(Figure("supervisor", "private memory, " + what, memory, unit=" MiB", at=at))
            found.append(Figure("supervisor", "CPU of a granted call, " + what, cpu, unit=" us", at=at))
    return found


# The command waits for the one who looks on, before and after.
HELD = 'read line; "$@" </dev/null >/dev/null 2>&1; echo $?; read line'


def watched(bench, argv, cwd):
    """ARGV in a group: (the supervisor's part of all processor time in percent, its private memory in MiB at most)."""
    name = "bench-%d" % os.getpid()
    job = subprocess.Popen(bench.under_surety(["/bin/sh", "-c", HELD, "sh"] + argv, options=["--name", name]), cwd=cwd,
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    end = time.monotonic() + RUN_SECONDS
    try:
        said = ""
        while not said and time.monotonic() < end:  # the group has its name a moment after the start
            time.sleep(0.01)
            said = subprocess.run([bench.surety, "status", "--json", name], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, timeout=RUN_SECONDS).stdout
        pid = json.loads(said)["supervisor_pid"]
        before, most = on_cpu_us(pid), memory_kb(pid)[1]
        print(file=job.stdin, flush=True)
        while not select.select([job.stdout], [], [], 0.02)[0] and time.monotonic() < end:
            most = max(most, memory_kb(pid)[1])
        if time.monotonic() > end or job.stdout.readline() != "0\n":
            raise Failed("%s did not end well" % argv[0])
        us = on_cpu_us(pid) - before
        job.stdin.close()
        _, _, usage = os.wait4(job.pid, 0)
        job.returncode = 0
        return 100 * us / 1e6 / (usage.ru_utime + usage.ru_stime), most / 1024
    finally:
        if job.returncode is None:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
        job.stdin.close()
        job.stdout.close()


def row_share(bench):
    """share: the supervisor's part of the processor time of real programs, and its memory while they run"""
    found = []
    work = {name: (argv, None) for name, argv in commands(bench).items()}
    work["sqlite"] = sqlite_command(bench), None
    if not bench.quick:
        work["make"] = make_command(bench)
    for name, (argv, cwd) in work.items():
        seen = [watched(bench, argv, cwd) for _ in range(1 if bench.quick else 3)]
        found.append(Figure("share", name + ", CPU of the supervisor", [part for part, _ in seen], unit=" %"))
        found.append(Figure("share", name + ", private memory of the supervisor", [mib for _, mib in seen], unit=" MiB"))
    return found


ROWS = [row_threads, row_group, row_space, row_supervisor, row_share]
