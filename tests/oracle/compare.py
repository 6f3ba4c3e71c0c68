#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The written scripts: what the engine does with them, and what kernels in mode 2
did, is what the simulator says, at each operation and at each rest.

    compare.py [--kept] [NAME...]

With --kept no engine is asked: only what kernels did, against the simulator.
A script on which engine and kernel differ says so in its first lines; then the
simulator has to say two things of it as well, or that it is not certain, and one
thing of every other.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kernels  # noqa: E402
import oracle  # noqa: E402
from surety import Tap, need_live, skip_all  # noqa: E402


def engine(tap, script):
    run = oracle.under_engine(script)
    what = "%s under the engine" % script.name
    if run.skipped:
        tap.skip(what, "host: %s" % run.skipped)
        return
    said = oracle.simulate(script, "seccomp", run.program, oracle.this_kernel())
    oracle.cut_uncertain(run, said)
    found = oracle.differences(script, run, said, "engine")
    tap.ok(not found, what, "\n".join(found))
    tap.ok(any(o.startswith("rest") for o in run.outcomes.values()), "%s: something was compared" % script.name)


def kernel(tap, script, version, run):
    what = "%s on Linux %s" % (script.name, version)
    if not run:
        tap.ok(False, what, "it has no kept result (make oracle-keep)")
        return
    if run.skipped:
        tap.ok(tuple(map(int, version.split("."))) < script.kernel, what + ": not performed", run.skipped)
        return
    if "kernel" in script.differs:
        said = oracle.simulate(script, "kernel", run.program, version).outcomes
        tap.equal({line: said.get(line) for line in script.outcomes}, script.outcomes, what + ", as the script says")
        tap.equal(sorted(run.outcomes), sorted(said), what + ": the result is of this script")
        return
    found = oracle.differences(script, run, oracle.simulate(script, "kernel", run.program, version), "kernel")
    tap.ok(not found, what, "\n".join(found))


def both(tap, script, engine):
    """The simulator's two answers differ where the script says so, and nowhere else."""
    program = (1024, 2048)
    answers = [oracle.simulate(script, kind, program, oracle.newest(script)) for kind in ("kernel", engine)]
    faults = answers[0].faults + answers[1].faults
    differ = answers[0].outcomes != answers[1].outcomes or bool(
        set(oracle.uncertain(answers[1])) - set(oracle.uncertain(answers[0])))
    tap.ok(differ == (engine in script.differs) and not faults,
           "%s: kernel and %s %s" % (script.name, engine, "differ" if engine in script.differs else "agree"),
           "\n".join(faults) or "\n".join("%s:%d: %s: kernel: %s, %s: %s" %
                                          (script.name, line, script.text(line), outcome, engine,
                                           answers[1].outcomes.get(line))
                                          for line, outcome in answers[0].outcomes.items()
                                          if outcome != answers[1].outcomes.get(line)))


def main():
    names = sys.argv[1:]
    only_kept = names[:1] == ["--kept"]
    if only_kept:
        names = names[1:]
    else:
        need_live()
        if os.getuid() != 0:
            skip_all("root: sizes of shared memory are read through /proc/PID/map_files")
    tap = Tap()
    kept = {version: oracle.kept(version) for version in kernels.KERNELS}
    for script in oracle.scripts():
        if names and not any(name in script.name for name in names):
            continue
        if not only_kept:
            tap.guarded(engine, script)
        for version in kept:
            tap.guarded(kernel, script, version, kept[version].get(script.name))
        if not only_kept:
            for word in ("seccomp", "bpf"):
                tap.guarded(both, script, word)
    tap.done()


if __name__ == "__main__":
    main()
