# SPDX-License-Identifier: MIT
"""The kernel as oracle: scripts performed in a test guest by a kernel that is
itself in mode 2 (docs/SCRIPTS.md), many in one boot; and the kept results.

A guest has sixteen CPUs and starts one of them: the kernel's counter then has the
smallest batch there is (32 pages, mm/mm_init.c mm_compute_batch), so that what
it compares with the limit is off by less than that.
"""
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "guest"))

from guest import Guest, GuestError  # noqa: E402, F401
from packages import KERNELS  # noqa: E402, F401

RESULTS = os.path.join(HERE, "results")
SCRIPTS = os.path.join(HERE, "scripts")
CPUS, MACHINE = 16, "maxcpus=1 hugepages=16"
SCRIPT_SECONDS = 120
BPF_KERNEL = "6.12"  # the oldest that the bpf engine works on
HEAD = "# What Linux %s does with tests/oracle/scripts: a script, the kernel's release, its outcomes.\n"


def name_of(path):
    return os.path.splitext(os.path.basename(path))[0]


def written():
    """{name: text} of the written scripts."""
    texts = {}
    for entry in sorted(os.listdir(SCRIPTS)):
        if entry.endswith(".txt"):
            with open(os.path.join(SCRIPTS, entry)) as f:
                texts[name_of(entry)] = f.read()
    return texts


def derive(version, build, texts, timeout=900, bpf=False):
    """(the guest's Result, {name: outcome lines}) of scripts {name: text}.  A script that
    does not get to its end has a last line "end ..." that says how it ended.  With BPF
    the host is in mode 0, and each script's limit is that of a cgroup of its own."""
    programs = [(os.path.join(build, "tests", "oracle", name), "/bin/" + name) for name in ("batch", "perform")]
    with tempfile.TemporaryDirectory(prefix="surety-scripts-") as folder:
        for name, text in texts.items():
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
        how = ["--attach", "/bin/surety"] if bpf else ["--kernel-limit", "--meminfo"]
        if bpf:
            programs.append((os.path.join(build, "surety"), "/bin/surety"))
        guest = Guest(version, build,
                      ["batch", str(SCRIPT_SECONDS), "/scripts", "/bin/perform", "--files", "/", *how],
                      [*programs, (folder, "/scripts")], memory="1G" if bpf else "512M", cpus=CPUS, append=MACHINE,
                      timeout=timeout)
        result = guest.run()
    outcomes = split(result.out.decode())
    missing = set(texts) - set(outcomes)
    if result.status or missing:
        raise GuestError("guest %s: exit status %d, %d scripts without a result:\n%s" %
                         (version, result.status, len(missing), result.err.decode(errors="replace")[-2000:]))
    return result, outcomes


def split(text):
    outcomes, lines = {}, []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "script":
            lines = outcomes[rest] = []
        elif word == "end":
            if not rest.endswith(" 0"):
                lines.append("end " + rest.partition(" ")[2])
        else:
            lines.append(line)
    return outcomes


def same(a, b):
    """Whether outcomes agree.  What the program holds of itself depends on who
    compiled it; the simulator wants to know."""
    return compared(a) == compared(b)


def compared(lines):
    return [line for line in lines if not line.startswith("program ")]


NO_BPF = "built without clang, llvm, bpftool or libbpf"


def has_bpf(build):
    return os.path.exists(os.path.join(build, "src", "bpf", "surety.bpf.o"))


def by_bpf(build, texts, timeout=900):
    """(the guest's Result, {name: oracle.Run}) of scripts under the bpf engine."""
    import oracle  # which has kernels
    result, outcomes = derive(BPF_KERNEL, build, texts, timeout, bpf=True)
    runs = {}
    for name, lines in outcomes.items():
        runs[name] = oracle.Run()
        for line in lines:
            runs[name].take(line, kernel_sum=True)
    return result, runs


# Kept results


def kept_path(version):
    return os.path.join(RESULTS, version + ".txt")


def read_kept(version):
    """{name: (release, outcome lines)}"""
    kept, lines = {}, None
    try:
        with open(kept_path(version)) as f:
            text = f.read()
    except FileNotFoundError:
        return kept
    for line in text.splitlines():
        match = re.match(r"script (\S+) (\S+)$", line)
        if match:
            lines = []
            kept[match[1]] = (match[2], lines)
        elif line and not line.startswith("#"):
            lines.append(line)
    return kept


def keep(version, release, outcomes):
    """Rewrites the kept results.  A script whose outcomes are as they were stays as
    it is, with the release that it was first seen on."""
    before = read_kept(version)
    os.makedirs(RESULTS, exist_ok=True)
    with open(kept_path(version), "w") as f:
        f.write(HEAD % version)
        for name, lines in sorted(outcomes.items()):
            old = before.get(name)
            seen, lines = old if old and same(old[1], lines) else (release, lines)
            f.write("\nscript %s %s\n" % (name, seen))
            f.writelines(line + "\n" for line in lines)
