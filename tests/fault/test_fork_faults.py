#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Children under a fork policy when something goes wrong."""
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from sampler import Sampler  # noqa: E402
from surety import KIB, MIB, Job, Tap, describe, helper, kill, need_live, run, state, wait_until  # noqa: E402

RESERVE = ["--fork-reserve", "20"]
PYTHON = "/usr/bin/python3"
HOLD = r"""
import ctypes, mmap, os, signal, sys, threading, time
libc = ctypes.CDLL(None)
m = mmap.mmap(-1, %d << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
def write(part=100, value=1):
    for i in range(0, len(m) // 100 * part, 4096):
        m[i] = value
def up(text):
    print(text, flush=True)
    sys.stdin.readline()
write()
"""


def program(mib, text):
    return [PYTHON, "-c", HOLD % mib + text]


def settled(job):
    wait_until(lambda: job.status()["ForkKept"] == 0, 3)
    return job.status()


def no_drift(tap, job, name):
    settled(job)
    code, said = job.audit()
    tap.equal(code, 0, "%s: no drift" % name, said)


def supervisor_killed(tap):
    """While a snapshot lives, and while one is being ended."""
    for write in ("", "write(100, 2)"):
        text = "pid = os.fork()\nif pid == 0: time.sleep(60); os._exit(0)\nprint('forked', flush=True)\n%s\ntime.sleep(60)" % write
        with Job(program(150, text), "256M", opts=RESERVE) as job:
            tap.equal(job.line(), "forked", "supervisor killed: a child")
            time.sleep(0.02)
            kill(job.status()["supervisor_pid"])
            tap.ok(wait_until(lambda: not job.pids(), 3), "supervisor killed%s: parent and child end" % (" while writing" if write else ""),
                   [describe(p) for p in job.pids()])
            tap.ok(wait_until(lambda: job.proc.poll() == 125, 3), "supervisor killed: 125")


def traced(tap):
    """A child with a tracer is ended all the same, and nobody hangs."""
    if not shutil.which("strace"):
        tap.skip("a child with a tracer", "program: strace is not installed")
        return
    text = "pid = os.fork()\nif pid == 0:\n    while True: time.sleep(.01)\nup('%d' % pid)\nwrite(100, 2)\n" \
           "print(os.waitpid(pid, 0)[1], m[0] == 2, flush=True)"
    with Job(program(150, text), "256M", opts=RESERVE) as job:
        pid = int(job.line())
        tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-p", str(pid)], stderr=subprocess.DEVNULL)
        wait_until(lambda: "TracerPid:\t%d" % tracer.pid in open("/proc/%d/status" % pid).read(), 5)
        job.say()
        r = job.finish(timeout=20)
        tracer.wait(10)
        tap.ok(r.out.strip() in ("9 True", "15 True") and len(r.reports) == 1, "a child with a tracer is ended", r)


def stopped(tap):
    """One that is stopped does not act on SIGTERM: SIGKILL comes when the reserve is at its end."""
    text = "pid = os.fork()\nif pid == 0:\n    os.kill(os.getpid(), signal.SIGSTOP)\nup('%d' % pid)\nwrite(100, 2)\n" \
           "print(os.waitpid(pid, 0)[1], m[0] == 2, flush=True)"
    with Job(program(150, text), "256M", opts=RESERVE) as job:
        pid = int(job.line())
        wait_until(lambda: state(pid) == "T", 5)
        job.say()
        r = job.finish(timeout=20)
        tap.ok(r.out.strip() == "9 True" and len(r.reports) == 1, "a stopped child is ended", r)


def deaf(tap):
    """SIGTERM that is ignored, with a writer so slow that the reserve lasts: the grace ends it."""
    text = """
pid = os.fork()
if pid == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)
up("ready")
i, began = 0, time.monotonic()
while os.waitpid(pid, os.WNOHANG)[0] == 0 and i < len(m):
    m[i] = 2
    i += 4096
    if i // 4096 % 64 == 0:
        time.sleep(.004)
print("ended" if i < len(m) else "lives", flush=True)
"""
    with Job(program(150, text), "256M", opts=RESERVE + ["--fork-end-grace", "100ms"]) as job:
        sampler = Sampler(job)
        sampler.start()
        tap.equal(job.line(), "ready", "SIGTERM ignored: ready")
        job.say()
        r = job.finish(timeout=40)
        sampler.finish()
        tap.ok(r.out.strip() == "ended" and len(r.reports) == 1, "SIGTERM ignored: SIGKILL follows", r)
        tap.ok(sampler.most <= 256 * MIB, "SIGTERM ignored: never more than the limit", sampler.most)


def short_lives(tap):
    """Children that never exec, most of them gone before they are seen."""
    text = """
for i in range(300):
    if os.fork() == 0:
        os._exit(0)
    if i % 3 == 0:
        m[i * 4096] = 2
    if i % 7 == 0:
        os.wait()
try:
    while True: os.wait()
except ChildProcessError:
    up("done")
"""
    with Job(program(40, text), "256M", opts=["--fork-reserve", "2"]) as job:
        tap.equal(job.line(), "done", "short lives: 300 children")
        no_drift(tap, job, "short lives")
        status = job.status()
        tap.equal((status["refusals"], status["ForkUncharged"], len(status["processes"])), (0, 0, 1), "short lives: all given back",
                  status)
        job.say()
        job.finish()


def unseen(tap):
    """Children that make no call at all are found, and what they write is counted."""
    text = """
pid = os.fork()
if pid == 0:
    write(100, 3)
    os._exit(0)
print(os.waitpid(pid, 0)[1], m[0] == 1, flush=True)
"""
    with Job(program(150, text), "256M", opts=RESERVE) as job:
        sampler = Sampler(job)
        sampler.start()
        r = job.finish(timeout=40)
        sampler.finish()
        tap.ok(r.out.strip() in ("9 True", "15 True") and len(r.reports) == 1, "a child that only writes is ended", r)
        tap.ok(sampler.most <= 256 * MIB, "a child that only writes: never more than the limit", sampler.most)


def vforks(tap):
    """vfork, posix_spawn and threads in a snapshot's child."""
    text = """
import subprocess
pid = os.fork()
if pid == 0:
    bad = 0
    for i in range(5):
        bad += os.posix_spawn("/bin/true", ["true"], {}) <= 0
        bad += subprocess.call(["/bin/true"]) != 0
    threads = [threading.Thread(target=time.sleep, args=(.05,)) for _ in range(5)]
    for t in threads: t.start()
    for t in threads: t.join()
    os._exit(bad)
print(os.waitpid(pid, 0)[1], flush=True)
up("done")
"""
    with Job(program(100, text), "256M", opts=RESERVE) as job:
        tap.equal(job.line(), "0", "vfork and threads in a child")
        tap.equal(job.line(), "done", "vfork and threads: done")
        no_drift(tap, job, "vfork and threads")
        job.say()
        job.finish()


def asks_more(tap):
    """What a child asks for itself is charged in full, and refused to it as to any."""
    text = """
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    got = mmap.mmap(-1, 20 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        mmap.mmap(-1, 200 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        os.write(w, b"granted")
    except OSError as e:
        os.write(w, b"refused")
    time.sleep(60)
print(os.read(r, 10).decode(), flush=True)
sys.stdin.readline()
os.kill(pid, 9)
"""
    with Job(program(100, text), "256M", opts=RESERVE) as job:
        tap.equal(job.line(), "refused", "a child asks for more than there is")
        no_drift(tap, job, "a child that asked")
        child = min(job.status()["processes"], key=lambda p: p["Committed_AS"])["Committed_AS"]
        tap.ok(40 * MIB < child < 44 * MIB, "a child holds its reserve, and what it asked for", child // KIB)
        job.say()
        job.finish()


def shrinks(tap):
    """A parent that gives back what the child still has."""
    text = """
pid = os.fork()
if pid == 0:
    time.sleep(60)
    os._exit(0)
up("forked")
m.close()
m = None
up("closed")
try:
    more = mmap.mmap(-1, 160 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for i in range(0, len(more), 4096): more[i] = 1
    print("granted", flush=True)
except OSError:
    print("refused", flush=True)
sys.stdin.readline()
"""
    with Job(program(150, text), "256M", opts=RESERVE) as job:
        sampler = Sampler(job)
        sampler.start()
        for step in ("forked", "closed"):
            tap.equal(job.line(), step, "a parent that shrinks: " + step)
            job.say()
        said = job.line()
        time.sleep(0.1)
        sampler.finish()
        tap.equal(said, "refused", "a parent that shrinks: its child's pages are still counted", job.reports())
        tap.ok(sampler.most <= 256 * MIB, "a parent that shrinks: never more than the limit", sampler.most // MIB)
        job.say()


def parent_ends(tap):
    """Before its children are seen, and with several."""
    r = run([helper("snapshot"), "60", "5", "3", "x"], "256M", opts=["--fork-reserve", "10"], timeout=30)
    tap.ok(r.rc == 0 and not r.reports, "a parent that ends before its children", r)
    text = """
for i in range(3):
    if os.fork() == 0:
        time.sleep(1)
        write(100, i)
        os._exit(0)
os._exit(0)
"""
    with Job(program(70, text), "256M", opts=RESERVE) as job:
        sampler = Sampler(job)
        sampler.start()
        r = job.finish(timeout=30)
        sampler.finish()
        tap.ok(not r.timed_out and sampler.most <= 256 * MIB, "heirs that write: never more than the limit",
               (r, sampler.most // MIB))


def storm(tap):
    """Forks, execs, ends and writes of all kinds at once; nothing stays behind."""
    text = """
import random
def work(seed):
    rng = random.Random(seed)
    for _ in range(60):
        what = rng.randrange(5)
        pid = os.fork()
        if pid == 0:
            if what == 0: os.execv("/bin/true", ["true"])
            if what == 1: write(3, 7)
            if what == 2 and os.fork() == 0: os._exit(0)
            if what == 3: time.sleep(.01)
            os._exit(0)
        m[rng.randrange(len(m))] = 5
        os.waitpid(pid, 0)
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()
up("done")
"""
    for opts in (["--fork-reserve", "5"], ["--fork-policy", "exec-grace=20s"]):
        with Job(program(30, text), "512M", opts=opts) as job:
            tap.equal(job.line(120), "done", "a storm under %s" % opts[0])
            wait_until(lambda: len(job.status()["processes"]) == 1, 3)
            no_drift(tap, job, "a storm under %s" % opts[0])
            status = job.status()
            tap.equal((status["ForkUncharged"], status["ForkKept"]), (0, 0), "a storm: all given back", status)
            job.say()
            tap.equal(job.finish().rc, 0, "a storm: ends well")


def main():
    need_live()
    tap = Tap()
    for test in sys.argv[1:] and [globals()[n] for n in sys.argv[1:]] or \
            (supervisor_killed, traced, stopped, deaf, short_lives, unseen, vforks, asks_more, shrinks, parent_ends, storm):
        tap.guarded(test)
    tap.done()


main()
