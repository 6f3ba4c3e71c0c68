#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/guest counts in all situations, and says MISSED when a bar is missed."""
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "guest"))

from guest import need_qemu  # noqa: E402
from surety import ROOT, Tap  # noqa: E402

BENCH = os.path.join(ROOT, "bench", "guest")
BUILD = os.environ["BUILD"]


def load():
    loader = importlib.machinery.SourceFileLoader("bench_guest", BENCH)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_guest", loader))
    loader.exec_module(module)
    return module


def verdicts(tap, bench):
    def verdict(situation, value, held=True):
        return bench.Figure("map", situation, [value, value, 9 * value], [100, 100, 100]).verdict(held)

    tap.equal([verdict("outside", value) for value in (102, 103)], ["ok", "MISSED"], "the median is held to its bar")
    tap.equal([verdict("outside", 103, False), verdict("never", 500)], ["", ""], "but not in a short run, or without one")


def quick(tap, bench):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")
        done = subprocess.run([BENCH, "--quick", "--build", BUILD, "--json", out], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if not tap.equal(done.returncode, 0, "bench/guest --quick", done.stdout):
            return
        with open(out) as f:
            figures = json.load(f)["figures"]
    tap.equal(len(figures), len(bench.OPERATIONS) * len(bench.SITUATIONS), "every operation in every situation")
    ratio = {(f["operation"], f["situation"]): f["ratio"] for f in figures}
    tap.ok(1.01 < ratio["map", "outside"] < ratio["map", "inside"] < 1.5, "hooks are met by mmap", done.stdout)


def main():
    need_qemu()
    if not os.path.exists(os.path.join(BUILD, "src", "bpf", "surety.bpf.o")):
        print("1..0 # SKIP bpf: built without clang, llvm, bpftool or libbpf")
        return 77
    tap, bench = Tap(), load()
    tap.guarded(verdicts, bench)
    tap.guarded(quick, bench)
    return tap.done()


sys.exit(main())
