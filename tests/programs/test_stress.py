#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""stress-ng's classes on memory and processes, each alone in a group at its limit.

SECONDS is how long each runs (2), CLASSES which of them (all), separated by
commas; `make soak` takes a minute for each.  Of each: it works and comes to its
end, surety answers meanwhile, nothing is promised past the limit, what is left is
counted exactly, the supervisor lives, and the kernel killed nothing.
"""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import Job, Tap, need_live, skip_all, state, tmp  # noqa: E402

SECONDS = int(os.environ.get("SECONDS", "2"))
LIMIT = 512 << 20
# About 340 MiB are stress-ng's own.  A class gets a size where its default is the host's.
OPTIONS = {
    "vm": ["--vm-bytes", "80M"], "mmap": ["--mmap-bytes", "300M"], "mmapfork": [], "mmapfixed": [],
    "mremap": ["--mremap-bytes", "200M"], "mprotect": [], "brk": [], "bigheap": ["--bigheap-growth", "1M"],
    "malloc": ["--malloc-bytes", "300M"], "shm": ["--shm-bytes", "24M", "--shm-objs", "4"],
    "shm-sysv": ["--shm-sysv-bytes", "32M", "--shm-sysv-segs", "8"], "memfd": ["--memfd-bytes", "300M"], "stack": [],
    "fork": [], "vfork": [], "clone": [], "exec": [], "daemon": [], "zombie": ["--zombie-max", "500"],
}
NO_RESOURCE = 3  # stress-ng's exit status where it was refused what it cannot do without
FAILED = 2       # and where it found something wrong


def oom_kills():
    """Of the host: where it has not moved, the kernel killed nothing.  stress-ng's
    own word for it is also used of children that it killed itself."""
    with open("/proc/vmstat") as f:
        return next((int(line.split()[1]) for line in f if line.startswith("oom_kill ")), 0)


def as_user():
    """stress-ng does not do all of its classes as root."""
    if os.getuid() != 0:
        return []
    os.chmod(tmp(""), 0o777)
    return ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]


def segments():
    """System V segments of stress-ng's user that nobody has attached: ids."""
    with open("/proc/sysvipc/shm") as f:
        rows = [line.split() for line in list(f)[1:]]
    user = "65534" if os.getuid() == 0 else str(os.getuid())
    return {row[1] for row in rows if row[9] == user and row[6] == "0" and not os.path.exists("/proc/" + row[4])}


def stress(tap, name):
    # Should surety not refuse, this does: each process far above its share.
    guard = ["prlimit", "--data=%d" % (1 << 30), "--"]
    argv = as_user() + ["stress-ng", "--" + name, "2", *OPTIONS[name], "--timeout", "%ds" % SECONDS,
                        "--temp-path", tmp(""), "--oomable", "--no-rand-seed", "--verbose"]
    script = '"$@" </dev/null >"$0" 2>&1; echo "ended $?"; read line'
    log = tmp("stress-ng.log")
    before, label = oom_kills(), "stress-ng --" + name
    old_segments = segments()
    with Job(guard + ["bash", "-c", script, log, *argv], str(LIMIT), report=False, opts=["--report", "/dev/null", "--summary"]) as job:
        supervisor = None
        time.sleep(min(1, SECONDS / 2))
        started = time.monotonic()
        try:
            supervisor = job.status()["supervisor_pid"]
        except (RuntimeError, subprocess.TimeoutExpired) as e:
            tap.diag(e)
        took = time.monotonic() - started
        tap.ok(supervisor and took < 5, "%s: surety answers meanwhile" % label, "%.1f s" % took)
        try:
            line = job.line(SECONDS + 30) or "no end"
        except TimeoutError as e:
            tap.ok(False, "%s: comes to its end" % label, "%s\n%s" % (e, "\n".join(map(str, job.everything()))))
            return
        ended = line.rpartition("ended ")[2]
        with open(log, errors="replace") as f:
            said = f.read()
        tap.ok(ended.isdigit() and int(ended) in (0, NO_RESOURCE, FAILED) and "dispatching hogs" in said,
               "%s: works, and comes to its end" % label, said)
        lives = supervisor and state(supervisor)
        tap.ok(lives, "%s: the supervisor lives" % label, None if lives else job.finish(timeout=20))
        if not lives:
            return
        # Of the children that stress-ng killed.  They are the group's still, and the audit
        # knows a segment by its creator.
        for segment in segments() - old_segments:
            subprocess.run(["ipcrm", "-m", segment], check=False)
        rc, text = drift(job)
        tap.equal(rc, 0, "%s: what is left is counted exactly" % label, text)
        peak = job.status()["Peak"]
        tap.ok(peak <= LIMIT, "%s: nothing is promised past the limit" % label, peak)
        job.say()
        result = job.finish(timeout=20)
        tap.equal(result.rc, 0, "%s: the group ends" % label, result)
        tap.diag("%s: exit status %s; %s" % (label, ended, result.err.strip().splitlines()[-1:]))
    tap.ok(oom_kills() == before or "OOM killer" not in said, "%s: the kernel killed nothing" % label, said)


def drift(job):
    """Processes that stress-ng has let go may still be ending."""
    for _ in range(20):
        rc, text = job.audit()
        if rc == 0:
            break
        time.sleep(0.2)
    return rc, text


def main():
    need_live()
    if not shutil.which("stress-ng"):
        skip_all("program: stress-ng is not installed")
    names = os.environ.get("CLASSES", ",".join(OPTIONS)).split(",")
    tap = Tap()
    for name in names:
        tap.guarded(stress, name)
    tap.done()


if __name__ == "__main__":
    main()
