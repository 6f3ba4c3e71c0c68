#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What happens when something goes wrong: killed supervisors, bad input, full disks.

surety run is a guard (the pid that the user sees) over a supervisor over the
job.  Whichever is killed, the job must neither hang nor run on unaccounted.
"""
import os
import random
import re
import signal
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import (MIB, SURETY, Job, Tap, compare, describe, helper, instrumented, kill, need_live,  # noqa: E402
                    plain, run, surety_args, tmp, wait_until)

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "36"))
LIMIT = "128M"


def one_line(text):
    lines = [x for x in text.splitlines() if x.strip()]
    return len(lines) == 1 and lines[0].startswith("surety: ")


def ready(job):
    line = job.line(20)
    if line != "up":
        raise RuntimeError("the load did not start: %r" % line)


def reporter(job):
    for pid in job.everything():
        try:
            if os.path.basename(os.readlink("/proc/%d/exe" % pid)) == "surety-report":
                return pid
        except OSError:
            pass
    return None


def victims(job, which):
    supervisor = job.status()["supervisor_pid"]
    return {"guard": [job.proc.pid], "supervisor": [supervisor], "both": [job.proc.pid, supervisor],
            "supervisor first": [supervisor, job.proc.pid], "report": [reporter(job)]}[which]


def kill_round(which, kind, delay):
    """Returns what was wrong, or None."""
    with Job([helper("load"), kind, "3"], LIMIT) as job:
        ready(job)
        if which == "report":  # started with the first refusal at the latest
            wait_until(lambda: reporter(job), 2 if kind in ("refusals", "mixed") else 0)
        pids = victims(job, which)
        if pids == [None]:
            return None
        time.sleep(delay)
        for pid in pids:
            kill(pid)
        if which == "report":
            time.sleep(0.3)
            if job.proc.poll() is not None or len(job.pids()) < 4:
                return "the job ended: exit %s, %d left" % (job.proc.poll(), len(job.pids()))
            job.status()
            return None
        if not wait_until(lambda: not job.pids(), 2):
            left = job.pids()
            # Nobody is left to kill it; what sleeps may sleep, what calls must have failed.
            if which in ("both", "supervisor first") and kind == "sleep":
                return None
            return "still there: %s" % "; ".join(map(describe, left))
        if not wait_until(lambda: job.proc.poll() is not None, 2):
            return "surety run does not end: %s" % describe(job.proc.pid)
        if which == "supervisor":
            err = job.proc.stderr.read().decode()
            if job.proc.returncode != 125 or len([x for x in err.splitlines() if "supervisor" in x]) != 1:
                return "exit %s, stderr %r" % (job.proc.returncode, err)
        if not wait_until(lambda: not job.everything(), 2):
            return "left of surety: %s" % "; ".join(map(describe, job.everything()))
    return None


def killed(tap):
    seed = int.from_bytes(os.urandom(3), "little")
    rng = random.Random(seed)
    tap.diag("seed %d" % seed)
    plan = [(w, k) for w in ("guard", "supervisor", "both", "supervisor first", "report")
            for k in ("forks", "maps", "refusals", "mixed", "sleep")]
    wrong = {}
    for n in range(ROUNDS):
        which, kind = plan[n % len(plan)]
        try:
            said = kill_round(which, kind, rng.uniform(0, 0.15))
        except (RuntimeError, TimeoutError, subprocess.TimeoutExpired, OSError) as e:
            said = "%s: %s" % (type(e).__name__, e)
        if said:
            wrong.setdefault(which, []).append("%s: %s" % (kind, said))
    for which in ("guard", "supervisor", "both", "supervisor first", "report"):
        tap.ok(which not in wrong, "kill -9 of %s at a random moment under load" % which,
               "\n".join(wrong.get(which, [])))


def mortals(tap):
    """Who is killed while its call is decided.  Freed memory is overwritten: its use shows."""
    env = dict(os.environ, MALLOC_PERTURB_="165")
    reserve, record = ["--fork-reserve", "10"], ["--record", tmp("mortals.rec")]
    for kind, more in (("maps", []), ("forks", []), ("execs", []), ("shared", []), ("threads", []), ("pokes", []),
                       ("maps", reserve), ("threads", reserve), ("maps", record), ("threads", record)):
        label = " ".join([kind, *more[:1]])
        script = '"$0" "$@"; echo "ended $?"; read line'
        with Job(["bash", "-c", script, helper("mortals"), kind, "1.5"], "64M", report=False, env=env,
                 opts=["--report", "/dev/null", "--summary", *more]) as job:
            line = job.line(30)
            said = job.audit() if line == "ended 0" else None
            if said:
                job.say()
            r = job.finish(timeout=20)
        tap.ok(said and r.rc == 0, "%s: callers are killed" % label, "%s\n%s" % (line, r))
        tap.ok(said and said[0] == 0, "%s: what is left is counted exactly" % label, said and said[1])
        peak = re.search(r"peak Committed_AS ([\d.]+)M", r.err)
        tap.ok(peak and float(peak[1]) <= 64, "%s: nothing is promised past the limit" % label, r)


def at_once(tap):
    """The command dies with the supervisor even where it never makes a call."""
    for which in ("guard", "supervisor"):
        with Job(["sleep", "60"], LIMIT) as job:
            wait_until(lambda: job.pids(), 5)
            for pid in victims(job, which):
                kill(pid)
            tap.ok(wait_until(lambda: not job.pids(), 2), "kill -9 of %s: a sleeping command ends" % which)


def signals(tap):
    script = 'trap "echo got; exit 9" TERM INT HUP USR1; echo up; while :; do sleep 0.05; done'
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        with Job(["sh", "-c", script], LIMIT) as job:
            ready(job)
            job.proc.send_signal(sig)
            r = job.finish(timeout=10)
            tap.equal((r.rc, r.out), (9, "got\n"), "%s is passed on" % sig.name, r)
    for sig in (signal.SIGTERM, signal.SIGINT):
        with Job(["sh", "-c", "echo up; exec sleep 20"], LIMIT) as job:
            ready(job)
            job.proc.send_signal(sig)
            r = job.finish(timeout=10)
            tap.equal(r.rc, 128 + sig, "a command that dies of %s" % sig.name, r)
    r = run(["sh", "-c", "kill -SEGV $$"], LIMIT)
    tap.equal(r.rc, 128 + signal.SIGSEGV, "a command that dies of SIGSEGV", r)
    r = run(["sh", "-c", "exit 42"], LIMIT)
    tap.equal(r.rc, 42, "a command's own exit status", r)


def few_descriptors(tap):
    prefix = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"]
    with Job([helper("load"), "sleep", "200"], "1G", prefix=prefix) as job:
        ready(job)
        tap.ok(wait_until(lambda: len(job.pids()) == 201, 20), "64 descriptors, 200 children: all run", len(job.pids()))
        compare(tap, job, "64 descriptors, 200 children: exact at rest")
        tap.equal(len(job.status()["processes"]), 201, "64 descriptors, 200 children: all are listed")
    with Job([helper("load"), "mixed", "100"], "256M", prefix=prefix) as job:
        ready(job)
        time.sleep(1.5)
        tap.ok(wait_until(lambda: job.proc.poll() is None and len(job.pids()) >= 100, 10), "64 descriptors under load: goes on",
               (job.proc.poll(), len(job.pids())))
        tap.ok(job.status()["Committed_AS"] <= 256 * MIB, "64 descriptors under load: inside the limit")


REFUSED = "import sys\ntry:\n bytearray(1<<30)\nexcept MemoryError:\n pass\nprint('on')\nsys.exit(5)"


def report_places(tap):
    cmd = ["/usr/bin/python3", "-c", REFUSED]
    r = run(cmd, LIMIT, opts=["--report", "/dev/full"], report=False)
    tap.equal((r.rc, r.out), (5, "on\n"), "--report /dev/full: the job is not touched", r)
    tap.ok("surety: " in r.err and len(r.err.splitlines()) <= 2, "--report /dev/full: said, and not over and over", r)
    reader, writer = os.pipe()
    os.close(reader)
    r = run(cmd, LIMIT, report=False, stderr=writer)
    os.close(writer)
    tap.equal((r.rc, r.out), (5, "on\n"), "the reader of the report is gone: the job is not touched", r)
    for place in ("/nonexistent/report", "/tmp", ""):
        mark = tmp("started")
        r = run(["touch", mark], LIMIT, opts=["--report", place], report=False)
        tap.equal(r.rc, 125, "--report %r: 125" % place, r)
        tap.ok(one_line(r.err), "--report %r: one clear line" % place, r)
        tap.ok(not os.path.exists(mark), "--report %r: nothing was started" % place)
        if os.path.exists(mark):
            os.unlink(mark)
    r = run(cmd, LIMIT, report=False)
    tap.ok(r.rc == 5 and "1024" in r.err or "1.0" in r.err, "by default the report goes to stderr", r)


def nested(tap):
    if instrumented():
        tap.skip("nested", "sanitizer: it cannot start within a limit")
        return
    r = run(surety_args("64M") + ["/bin/true"], "256M", report=False)
    tap.equal(r.rc, 125, "nested: 125", r)
    tap.ok(one_line(r.err), "nested: one clear line", r)


def too_small(tap):
    for limit, cmd in (("64K", ["/bin/true"]), ("4K", ["/bin/true"]), ("1M", ["/usr/bin/python3", "-c", "1"])):
        r = run(cmd, limit, report=False)
        tap.equal(r.rc, 125, "--limit %s -- %s: 125" % (limit, cmd[0]), r)
        tap.ok(one_line(r.err), "--limit %s -- %s: one clear line" % (limit, cmd[0]), r)


def commands(tap):
    plain_file, script, bare = tmp("plain"), tmp("script"), tmp("bare")
    for path, text, mode in ((plain_file, "text\n", 0o644), (script, "#!/nonexistent/interpreter\n", 0o755),
                             (bare, "exit 6\n", 0o755)):
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
    for name, cmd, codes in (
            ("missing", ["/nonexistent/command"], (127,)),
            ("missing in PATH", ["no-such-command-anywhere"], (127,)),
            ("not executable", [plain_file], (126,)),
            ("a directory", ["/tmp"], (126,)),
            ("a script without its interpreter", [script], (126, 127)),
            ("an empty name", [""], (125, 126, 127))):
        r = run(cmd, LIMIT, report=False)
        tap.ok(r.rc in codes, "%s: %s" % (name, " or ".join(map(str, codes))), r)
        tap.ok(one_line(r.err), "%s: one clear line" % name, r)
    r = run([bare], LIMIT, report=False)
    tap.ok(r.rc in (6, 126), "a script without #!: run by sh, or 126", r)
    for args in ([], ["--limit", "12Q"], ["--limit", "-5"], ["--limit", "99999999999999999999T"], ["--frobnicate"]):
        r = plain([SURETY, "run"] + args + ["--", "/bin/true"])
        if args:
            tap.ok(r.rc == 125 and one_line(r.err), "run %s: 125 and one line" % " ".join(args), r)
    r = plain([SURETY, "run", "--limit", "64M"])
    tap.ok(r.rc == 125 and one_line(r.err), "no command: 125 and one line", r)


def daemon(tap):
    """What the main process leaves behind stays inside the limit."""
    out = tmp("daemon")
    script = '(setsid sh -c "sleep 0.7; %s S1 128 > %s" </dev/null >/dev/null 2>&1 &); exit 3' % (helper("scenario"), out)
    with Job(["sh", "-c", script], LIMIT) as job:
        r = job.finish(timeout=15)
        tap.equal(r.rc, 3, "a daemon left behind: the exit status is the command's", r)
        wait_until(lambda: os.path.exists(out) and os.path.getsize(out), 3)
        with open(out) as f:
            tap.equal(f.read().strip(), "ENOMEM at mmap", "a daemon left behind: still inside the limit")
        tap.ok(wait_until(lambda: not job.everything(), 3), "a daemon left behind: nothing stays once it is done",
               [describe(p) for p in job.everything()])


def input_output(tap):
    r = run(["cat"], LIMIT, text="through\n" * 1000)
    tap.equal((r.rc, r.out), (0, "through\n" * 1000), "standard input and output are the command's")
    r = run(["sh", "-c", "ls -l /proc/self/fd | wc -l"], LIMIT, report=False, stderr=subprocess.PIPE)
    want = plain(["sh", "-c", "ls -l /proc/self/fd | wc -l"])
    tap.equal(r.out, want.out, "no descriptor of surety's is left in the command",
              run(["ls", "-l", "/proc/self/fd"], LIMIT, report=False).out)
    r = run(["sh", "-c", "trap '' TERM; grep -E '^Sig(Ign|Blk|Cgt)' /proc/self/status"], LIMIT)
    want = plain(["sh", "-c", "trap '' TERM; grep -E '^Sig(Ign|Blk|Cgt)' /proc/self/status"])
    tap.equal(r.out, want.out, "signal dispositions and mask are as they were")
    r = run(["sh", "-c", "umask; pwd; ulimit -n; ulimit -c; nice"], LIMIT)
    want = plain(["sh", "-c", "umask; pwd; ulimit -n; ulimit -c; nice"])
    tap.equal(r.out, want.out, "umask, directory, limits and niceness are as they were")


def names(tap):
    with Job(["sleep", "20"], LIMIT, name="twice-%d" % os.getpid()) as job:
        wait_until(job.pids, 5)
        r = plain(surety_args(LIMIT, name=job.name) + ["/bin/true"])
        tap.ok(r.rc == 125 and one_line(r.err), "a name that is taken: 125 and one line", r)
    r = plain([SURETY, "status", "no-such-group"])
    tap.ok(r.rc != 0 and one_line(r.err), "status of a group that is not there: one line", r)
    r = run(["/bin/true"], LIMIT, name="twice-%d" % os.getpid())
    tap.equal(r.rc, 0, "the name is free again", r)


def summary(tap):
    cmd = ["/usr/bin/python3", "-c", REFUSED]
    r = run(cmd, LIMIT, opts=["--summary"], report=False)
    tap.ok(r.rc == 5 and "eak" in r.err and "efusal" in r.err, "--summary: peak and refusals", r)


def main():
    need_live()
    os.umask(stat.S_IWGRP | stat.S_IWOTH)
    tap = Tap()
    for test in (signals, commands, too_small, nested, report_places, input_output, names, summary, daemon,
                 few_descriptors, at_once, killed, mortals):
        tap.guarded(test)
    tap.done()


if __name__ == "__main__":
    main()
