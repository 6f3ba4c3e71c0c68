# SPDX-License-Identifier: MIT
"""What is measured: a function for each row, and the bars that rows are held to."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import source
from measure import RUN_SECONDS, Failed, Figure, Missing, cpu_ratios, milliseconds, ratios, run_once, take_turns

MIB = 1 << 20
FAR = "64G"  # a limit that nothing here comes near
PYTHON = "/usr/bin/python3"


class Bench:
    """Where things are, and how often they are run."""

    def __init__(self, root, build, folder, runs, quick):
        self.root, self.build, self.folder, self.runs, self.quick = root, build, folder, runs, quick
        self.surety = os.path.join(build, "surety")
        self.warm_up = 0 if quick else 2

    def program(self, name):
        return os.path.join(self.build, "bench", name)

    def count(self, full, quick):
        return quick if self.quick else full

    def under_surety(self, argv, limit=FAR, options=()):
        return [self.surety, "run", "--limit", limit, *options, "--"] + argv

    def path(self, *names):
        return os.path.join(self.folder, *names)


def need(program):
    path = shutil.which(program)
    if not path:
        raise Missing("%s is not installed" % program)
    return path


def three_ways(bench, row, argv, env=None, cwd=None, bar=None, floor_bar=None, case="", options=()):
    """A command alone, under `ulimit -v`, under the floor of the mechanism, and under surety."""
    results = take_turns({
        "native": lambda: run_once(argv, env, cwd),
        "ulimit": lambda: run_once(["/bin/sh", "-c", 'ulimit -v %d; exec "$@"' % (64 << 20), "sh"] + argv, env, cwd),
        "floor": lambda: run_once([bench.program("floor")] + argv, env, cwd),
        "surety": lambda: run_once(bench.under_surety(argv, options=options), env, cwd),
    }, bench.runs, bench.warm_up)

    def figure(a, b, held_to=None, samples=None):
        return Figure(row, "%s%s / %s" % (case and case + ", ", a, b), ratios(results, a, b), held_to, samples=samples,
                      cpu=cpu_ratios(results, a, b))

    times = milliseconds(results)
    if floor_bar:
        first = [figure("surety", "floor", floor_bar, times), figure("surety", "native")]
    else:
        first = [figure("surety", "native", bar, times), figure("surety", "floor")]
    return first + [figure("floor", "native"), figure("ulimit", "native")]


def row_start(bench):
    """start: /bin/true, nothing but the start of a group and its end"""
    return three_ways(bench, "start", ["/bin/true"])


NODE_SCRIPT = """\
const fs = require('fs'), path = require('path');
const lines = fs.readFileSync(__filename, 'utf8').split('\\n');
const words = new Map();
for (const line of lines)
	for (const word of line.split(/\\W+/))
		words.set(word, (words.get(word) || 0) + 1);
console.log(path.basename(__filename), JSON.stringify([...words].sort()));
"""


def commands(bench):
    """Programs that several rows run: {name: argv}."""
    path, script = source.c_file(bench.path("bench.c"), bench.count(28, 1)), bench.path("bench.js")
    with open(script, "w") as f:
        f.write(NODE_SCRIPT)
    loop = "for ((i = 0; i < %d; i++)); do /bin/true; done" % bench.count(300, 20)
    return {
        "mmap": [bench.program("mmap_loop"), str(bench.count(50000, 2000))],
        "gcc": [need("gcc"), "-O2", "-c", "-o", bench.path("bench.o"), path],
        "python": [need(PYTHON), "-I", "-c", "import argparse, asyncio, decimal, json, re, subprocess"],
        "node": [need("node"), script],
        "bash": [need("bash"), "--norc", "--noprofile", "-c", loop],
    }


def row_mmap(bench):
    """mmap: 1 MiB mapped and unmapped in a loop, each mmap one notification"""
    return three_ways(bench, "mmap", commands(bench)["mmap"], floor_bar=1.2)


def row_gcc(bench):
    """gcc: gcc -O2 -c of one file of some 2,700 lines"""
    return three_ways(bench, "gcc", commands(bench)["gcc"], bar=1.06)


def row_python(bench):
    """python: python3 with a few imports, no work"""
    return three_ways(bench, "python", commands(bench)["python"], bar=1.05)


def row_node(bench):
    """node: node with a script of seven lines"""
    return three_ways(bench, "node", commands(bench)["node"], bar=1.03)


def git_status(bench, row, files):
    git, folder = need("git"), source.tree(bench.path("repository-%d" % files), files)
    env = {"PATH": os.environ["PATH"], "HOME": bench.folder, "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1",
           "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_OPTIONAL_LOCKS": "0"}
    for name in ("AUTHOR", "COMMITTER"):
        env.update({"GIT_%s_NAME" % name: "bench", "GIT_%s_EMAIL" % name: "bench@localhost",
                    "GIT_%s_DATE" % name: "2001-09-09T01:46:40Z"})
    for words in ["init", "-q"], ["add", "."], ["commit", "-q", "-m", "files"]:
        subprocess.run([git] + words, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL, timeout=RUN_SECONDS)
    return three_ways(bench, row, [git, "status", "--porcelain"], env, folder, bar=1.2)


def row_record(bench):
    """record: a run that is recorded, to one that is not: gcc, node, the loop of mmap, forks"""
    figures, work = [], commands(bench)
    for name in "gcc", "node", "mmap", "bash":
        argv = work[name]
        recorded = [bench.surety, "run", "--limit", FAR, "--record", bench.path("run.rec"), "--"] + argv
        results = take_turns({"surety": lambda: run_once(bench.under_surety(argv)),
                              "record": lambda: run_once(recorded)}, bench.runs, bench.warm_up)
        figures.append(Figure("record", "%s, record / surety" % name, ratios(results, "record", "surety"), 1.25,
                              samples=milliseconds(results), cpu=cpu_ratios(results, "record", "surety")))
    return figures


def row_git(bench):
    """git: git status in a repository of 4,000 files"""
    return git_status(bench, "git", bench.count(4000, 100))


def row_git_large(bench):
    """git-large: git status in a repository of 40,000 files"""
    return git_status(bench, "git-large", bench.count(40000, 200))


def row_bash(bench):
    """bash: a loop of 300 forks and execs of /bin/true"""
    return three_ways(bench, "bash", commands(bench)["bash"], bar=1.25)


def peak_bytes(bench, argv):
    """The most that a command is ever promised, as its summary says."""
    done = subprocess.run([bench.surety, "run", "--limit", FAR, "--summary", "--"] + argv, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=RUN_SECONDS)
    found = re.search(r"peak Committed_AS ([\d.]+)([KMG]?)", done.stderr)
    if done.returncode != 0 or not found:
        raise Failed("%s: no summary: %s" % (argv[0], done.stderr[-300:].strip()))
    return float(found[1]) * 1024 ** " KMG".index(found[2] or " ")


def row_tight(bench):
    """tight: whole programs under a limit 4 % above the most they take, to one far away"""
    figures, work = [], commands(bench)
    for name in "gcc", "python", "node", "bash":
        argv = work[name]
        limit = str(int(max(peak_bytes(bench, argv) for _ in range(3)) * 1.04) & -4096)
        results = take_turns({"far": lambda: run_once(bench.under_surety(argv)),
                              "near": lambda: run_once(bench.under_surety(argv, limit))}, bench.runs, bench.warm_up)
        figures.append(Figure("tight", "%s, near / far" % name, ratios(results, "near", "far"),
                              samples=milliseconds(results), cpu=cpu_ratios(results, "near", "far")))
    return figures


# A process of a given shape, see call_cost.c


class Shape:
    """call_cost, or with THREADS the program of that name, started, its shape made, and waiting."""

    def __init__(self, bench, mappings=0, processes=0, threads=0, count=1, size=MIB, step=0, limit=FAR, under="surety"):
        shape = [threads, count, size] if threads else [mappings, processes, count, size, step]
        self.what = "threads" if threads else "call_cost"
        argv = [bench.program(self.what)] + [str(n) for n in shape]
        self.bench, self.count = bench, count
        self.name = "bench-%d" % os.getpid()
        if under == "floor":
            argv = [bench.program("floor")] + argv
        if under == "surety":
            argv = [bench.surety, "run", "--limit", limit, "--name", self.name, "--report", "/dev/null", "--"] + argv
        self.said = open(bench.path("call_cost.err"), "w+")
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said,
                                        text=True, start_new_session=True)

    def __enter__(self):
        self.old = signal.signal(signal.SIGALRM, self.too_long)
        signal.alarm(RUN_SECONDS)
        try:
            if self.process.stdout.readline() != "ready\n":
                raise self.failed("did not get ready")
        except Failed:
            self.__exit__()
            raise
        return self

    def too_long(self, signum, frame):
        raise Failed("no end after %d s" % RUN_SECONDS)

    def __exit__(self, *exc):
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self.old)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.said.close()

    def failed(self, what):
        self.said.seek(0)
        return Failed("%s %s: %s" % (self.what, what, self.said.read(300).strip() or "it said nothing"))

    def status(self):
        out = subprocess.run([self.bench.surety, "status", "--json", self.name], stdout=subprocess.PIPE, check=True,
                             timeout=RUN_SECONDS).stdout
        return json.loads(out)

    def start(self, hold=0):
        """(microseconds a call, refused calls); the process lives on"""
        self.process.stdin.write("%d\n" % hold)
        self.process.stdin.flush()
        out = self.process.stdout.readline()
        if len(out.split()) != 2:
            raise self.failed("made no calls")
        ns, refused = map(int, out.split())
        return ns / 1e3 / self.count, refused

    def finish(self, hold=0):
        """The same, and it ends."""
        result = self.start(hold)
        self.end()
        return result

    def end(self):
        """Its group is over, and the name free, when it has ended by itself."""
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise self.failed("ended with %d" % self.process.returncode)


def granted(bench, hold=None, limit=FAR, **shape):
    """Microseconds of one granted call; HOLD tells how much is held, from status."""
    with Shape(bench, limit=limit, **shape) as job:
        cost, refused = job.finish(hold(job.status()) if hold else 0)
    if refused:
        raise Failed("%d calls were refused that should fit" % refused)
    return cost


def compare(bench, row, what, variants, bar=None):
    """Ratio of the second variant to the first."""
    results = take_turns(variants, bench.runs, 0 if bench.quick else 1)
    (base, low), (other, high) = results.items()
    return Figure(row, what, [h / l for h, l in zip(high, low)], bar, samples=results, samples_unit="us")


def row_mappings(bench):
    """mappings: a granted call in a process of 30,000 mappings, to one of few"""
    many, count = bench.count(30000, 500), bench.count(10000, 500)
    return [compare(bench, "mappings", "%d / few%s" % (many, ", native" if under == "native" else ""),
                    {"few": lambda: granted(bench, count=count, under=under),
                     str(many): lambda: granted(bench, mappings=many, count=count, under=under)}, bar)
            for under, bar in (("surety", 1.15), ("native", None))]


def row_processes(bench):
    """processes: a granted call in a group of 500 processes, to one of one"""
    many, count = bench.count(500, 20), bench.count(10000, 500)
    return [compare(bench, "processes", "%d / 1%s" % (many, ", native" if under == "native" else ""),
                    {"1": lambda: granted(bench, count=count, under=under),
                     str(many): lambda: granted(bench, processes=many, count=count, under=under)}, bar)
            for under, bar in (("surety", 1.15), ("native", None))]


def leave_little(status):
    """What a job must hold beside for 3 % of its limit to be left."""
    return (status["CommitLimit"] - status["Committed_AS"] - status["CommitLimit"] * 3 // 100) & -4096


def row_near(bench):
    """near: a granted call with 3 % of the limit left, to one far from the limit"""
    limit, count = 512 * MIB, bench.count(5000, 200)
    return [compare(bench, "near", "near / far, %d process%s" % (n + 1, "es" if n else ""),
                    {"far": lambda: granted(bench, processes=n, count=count),
                     "near": lambda: granted(bench, leave_little, str(limit), processes=n, count=count)}, 5)
            for n in (0, bench.count(199, 9))]


def row_refusals(bench):
    """refusals: refused calls a second of one thread; more than can be reported are only counted"""
    figures = []
    for what, step, full in ("the same call again", 0, 20000), ("another size each time", 4096, 2000):
        count, rates = bench.count(full, 100), []
        for _ in range(bench.runs):
            with Shape(bench, count=count, size=256 * MIB, step=step, limit="128M") as job:
                cost, refused = job.finish()
            if refused != count:
                raise Failed("%d of %d calls were refused" % (refused, count))
            rates.append(1e6 / cost)
        figures.append(Figure("refusals", what, rates, unit="/s"))
    return figures


def memory_kb(pid):
    """(Rss, Private) of a process, KiB"""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        sums = dict(re.findall(r"^(\w+):\s+(\d+) kB$", f.read(), re.M))
    return int(sums["Rss"]), int(sums["Private_Clean"]) + int(sums["Private_Dirty"])


def row_memory(bench):
    """memory: of surety's own processes, with 1,000 live processes in the group"""
    processes = bench.count(999, 19)
    found = []
    for _ in range(1 if bench.quick else 3):
        with Shape(bench, processes=processes) as job:
            status = job.status()
            if len(status["processes"]) != processes + 1:
                raise Failed("surety knows %d processes of %d" % (len(status["processes"]), processes + 1))
            own = {"guard": job.process.pid, "supervisor": status["supervisor_pid"]}
            found.append({name: memory_kb(pid) for name, pid in own.items()})
            job.finish()
    sums = [[sum(pair[n] for pair in sample.values()) / 1024 for sample in found] for n in (0, 1)]
    parts = {name: [sample[name][0] / 1024 for sample in found] for name in found[0]}
    # Rss counts the text that both share twice: the harder figure is held to the bar.
    rss = Figure("memory", "Rss, both processes", sums[0], 8, " MiB", parts, "MiB")
    rss.enforced = not bench.quick  # a size is not noisy: three looks are enough
    return [rss, Figure("memory", "private, both processes", sums[1], unit=" MiB")]


ROWS = [row_start, row_mmap, row_gcc, row_python, row_node, row_record, row_git, row_git_large, row_bash, row_tight,
        row_mappings, row_processes, row_near, row_refusals, row_memory]


def name_of(row):
    return row.__name__[4:].replace("_", "-")


def torture(bench, seed, operations):
    """The invariants under OPERATIONS random operations; returns whether they held."""
    script = os.path.join(bench.root, "tests", "live", "test_torture.py")
    env = dict(os.environ, TORTURE_OPS=str(operations), SURETY=bench.surety,
               HELPERS=os.path.join(bench.build, "tests", "helpers"))
    print("torture: seed %d, %d operations" % (seed, operations), flush=True)
    try:
        done = subprocess.run([sys.executable, script, str(seed)], env=env, stdout=subprocess.PIPE, text=True,
                              timeout=600 + operations / 100)
    except subprocess.TimeoutExpired as e:
        print("torture: no end after %d s: NOT HELD" % e.timeout)
        return False
    lines = done.stdout.splitlines()
    faults = [line for line in lines if line.startswith(("not ok", "Bail out"))]
    passed = sum(line.startswith("ok ") and "# SKIP" not in line for line in lines)
    print("\n".join(line for line in lines if not line.startswith("ok ")))
    held = done.returncode == 0 and not faults and passed > 0
    print("torture: %d points passed, %d failed: %s" % (passed, len(faults), "held" if held else "NOT HELD"))
    return held
