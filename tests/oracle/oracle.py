# SPDX-License-Identifier: MIT
"""Scripts, performed and simulated: what compare.py and the random runs share.

The engine's run of a script is held against the simulator (`surety simulate`), the
kernel's own count of the processes, and what `surety status` says; a kernel's run,
kept in results/, against the simulator.
"""
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lib")]
import kernels  # noqa: E402
from surety import KIB, PAGE, ROOT, SURETY, Job, tmp  # noqa: E402

SCRIPTS = os.path.join(HERE, "scripts")
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
NO_LIMIT = 64 << 40
TIMEOUT = 60


def perform():
    build = os.environ.get("BUILD", os.path.dirname(SURETY))
    return os.path.join(build, "tests", "oracle", "perform")


def size(word):
    match = re.fullmatch(r"(\d+)([KMGT]?)", word)
    return int(match[1]) * UNITS[match[2]]


class Script:
    """What a driver has to know of one: its settings and its header."""

    def __init__(self, path):
        self.path, self.name = path, os.path.basename(path)[:-len(".txt")]
        self.mode, self.limit, self.memory, self.ratio = 2, None, None, None
        self.reserves = {}
        self.differs = {}  # "seccomp", "bpf" or "kernel": the rule and why
        self.outcomes = {}  # line: what the header says a kernel does, where it cannot be performed
        self.kernel = (0, 0)
        self.rules = []
        self.lines = []
        with open(path) as f:
            self.lines = f.read().splitlines()
        for line in self.lines:
            self._read(line)

    def _read(self, line):
        words = line.split()
        if line.startswith("# differs: "):
            self.differs[words[2]] = " ".join(words[3:])
        elif line.startswith("# outcomes: "):
            self.outcomes = {int(n): word for n, word in re.findall(r"(\d+) (\w+)", line)}
        elif line.startswith("# R-") and not self.rules:
            self.rules = re.findall(r"R-\d{3}", line.partition(": ")[0])
        elif len(words) == 2:
            if words[0] == "mode":
                self.mode = int(words[1])
            elif words[0] in ("limit", "memory"):
                setattr(self, words[0], size(words[1]))
            elif words[0] == "ratio":
                self.ratio = int(words[1])
            elif words[0] in ("admin-reserve", "user-reserve"):
                self.reserves[words[0]] = words[1]
            elif words[0] == "needs" and re.fullmatch(r"\d+\.\d+", words[1]):
                self.kernel = tuple(map(int, words[1].split(".")))

    def text(self, line):
        return self.lines[line - 1].strip() if line <= len(self.lines) else "no such line"


def scripts():
    return [Script(path) for path in sorted(glob.glob(os.path.join(SCRIPTS, "*.txt")))]


def this_kernel():
    return ".".join(re.match(r"(\d+)\.(\d+)", os.uname().release).groups())


def newest(script):
    """A kernel that SCRIPT can be simulated for."""
    return "%d.%d" % max((6, 18), script.kernel)


class Run:
    """What came of each line: outcomes[line] is "ok", "ENOMEM", "rest 64 kB"."""

    def __init__(self):
        self.outcomes = {}
        self.detail = {}       # line: what the simulator adds
        self.by_status = {}    # line: kB beyond the programs, as the engine itself has it
        self.program = None    # kB of each process, and kB that it has mapped
        self.skipped = None    # why
        self.faults = []

    def take(self, line, kernel_sum=False):
        """Reads a line of output.  At rest FORCED pages (R-070) are a part of a
        group's count and not of the kernel's; where Committed_AS is the count it
        goes before the sum of smaps."""
        match = re.match(r"program (\d+) kB, (\d+) kB mapped$", line)
        if match:
            self.program = (int(match[1]), int(match[2]))
            return
        match = re.match(r"left (-?\d+) kB, (\d+) faults$", line)
        if match:
            if match.groups() != ("0", "0"):
                self.faults.append("when all had ended: " + line)
            return
        if line.startswith("skip "):
            self.skipped = line[5:]
            return
        match = re.match(r"(\d+) rest (-?\d+) kB(?:, (\d+) kB forced)?(?:, (-?\d+) kB by meminfo)?"
                         r"(?:, (-?\d+) kB by ledger)?(?:, (\d+) kB drift)?(?:, (\d+) faults)?$", line)
        if match:
            held = int(match[2]) + (0 if kernel_sum else int(match[3] or 0))
            if match[4] is not None:
                held = int(match[4])
            self.outcomes[int(match[1])] = "rest %d kB" % held
            if match[5] is not None:
                self.by_status[int(match[1])] = int(match[5])
            if match[6] or match[7]:
                self.faults.append("the engine's own: " + line)
            return
        match = re.match(r"(\d+) (\w+)$", line)
        if match:
            self.outcomes[int(match[1])] = match[2]
        else:
            self.faults.append("no outcome: %r" % line)


def simulate(script, kind, program, kernel=None):
    """`surety simulate` of SCRIPT as KIND, with programs of the size PROGRAM."""
    args = [SURETY, "simulate", script.path, "--as", kind, "--overcommit-memory", str(script.mode)]
    if kernel:
        args += ["--kernel", kernel]
    if program:
        args += ["--program", "%dK" % program[0], "--program-mapped", "%dK" % program[1]]
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
    run = Run()
    if done.returncode:
        run.faults.append("%s: exit %d: %s" % (" ".join(args), done.returncode, done.stderr.strip()))
    for line in done.stdout.splitlines():
        match = re.match(r"(\d+) (rest -?\d+ kB|\w+)(.*)$", line)
        if match:
            run.outcomes[int(match[1])] = match[2]
            run.detail[int(match[1])] = match[3].strip()
    return run


def _options(script, base):
    """Options of surety run so that LIMIT is above the BASE bytes held at the start."""
    opts = ["--overcommit-memory", str(script.mode)]
    for name, value in script.reserves.items():
        opts += ["--" + name, value]
    if script.memory is not None and script.ratio is None:
        opts += ["--memory", str(script.memory), "--swap", "0"]
    if script.ratio is None:
        return opts, (NO_LIMIT if script.limit is None else script.limit) + base
    want = base + script.memory * script.ratio // 100
    memory = -(-want * 100 // script.ratio)
    memory += -memory % PAGE
    if memory // PAGE * script.ratio // 100 != want // PAGE:
        raise ValueError("%s: no memory has %d %% of %d bytes" % (script.name, script.ratio, want))
    return opts + ["--overcommit-ratio", str(script.ratio), "--memory", str(memory), "--swap", "0"], None


def _base(script, env, run):
    """What director and first worker hold before the first operation, in bytes; None
    where RUN says why it cannot be performed."""
    done = subprocess.run([perform(), "--base", "--files", tmp(""), script.path], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT)
    match = re.match(r"base (\d+) kB\n", done.stdout)
    if match:
        return int(match[1]) * KIB
    if done.stdout.startswith("skip "):
        run.skipped = done.stdout[5:].strip()
    else:
        run.faults.append("perform --base: exit %d: %s" % (done.returncode, done.stdout.strip()))
    return None


def under_engine(script):
    """Performs SCRIPT under surety run; at each rest surety status is asked."""
    run = Run()
    env = {"LC_ALL": "C.UTF-8"}
    base = _base(script, env, run)
    if base is None:
        return run
    opts, limit = _options(script, base)
    cmd = [perform(), "--ask", "--files", tmp(""), script.path]
    with Job(cmd, limit, opts=opts, env=env) as job:
        _follow(job, run)
        job.proc.stdin.close()
        job.proc.stdin = None
        status = job.proc.wait(TIMEOUT)
        said = job.proc.stderr.read().decode(errors="replace").strip()
    if status:
        run.faults.append("exit %d: %s" % (status, said))
    return run


def _follow(job, run):
    last = None
    while True:
        line = job.line(TIMEOUT)
        if line is None:
            return
        match = re.match(r"ask (\d+) kB$", line)
        if match:
            run.by_status[last] = job.status()["Committed_AS"] // KIB - int(match[1])
            job.say()
            continue
        run.take(line)
        last = max(run.outcomes, default=None)


def kept(version):
    """What is kept of the kernel VERSION: {script name: Run}."""
    runs = {}
    for name, (_, lines) in kernels.read_kept(version).items():
        run = runs[name] = Run()
        for line in lines:
            run.take(line, kernel_sum=True)
    return runs


def uncertain(said):
    return [line for line, detail in sorted(said.detail.items()) if detail.endswith("not certain")]


def cut_uncertain(run, said):
    """Forgets what comes from the first line on that is otherwise than the simulator
    has it, and that it was not certain of: all that follows may differ.  Returns it."""
    for line in uncertain(said):
        held = run.by_status.get(line)
        outcome = run.outcomes.get(line) if held is None else "rest %d kB" % held
        if outcome != said.outcomes[line]:
            cut(run, said, line)
            return line
    return None


def cut(got, want, first):
    """Forgets what came of line FIRST and of those after it."""
    for run in (got, want):
        for table in (run.outcomes, run.by_status):
            for line in [n for n in table if n >= first]:
                del table[line]


def differences(script, got, want, what):
    """Lines that say where GOT and WANT, two runs, are not the same."""
    found = list(got.faults) + list(want.faults)
    said = {line: "rest %d kB" % held for line, held in got.by_status.items()}
    for line in sorted(set(got.outcomes) | set(want.outcomes)):
        held = got.outcomes.get(line, "nothing")
        a, b = said.get(line, held), want.outcomes.get(line, "nothing")
        if a != b:
            found.append("%s:%d: %s: %s: %s, simulator: %s %s" %
                         (script.name, line, script.text(line), what, a, b, want.detail.get(line, "")))
        if a != held and not set(script.differs) & {"seccomp", "bpf"}:
            found.append("%s:%d: the ledger: %s, the kernel's files: %s" % (script.name, line, a, held))
    return found
