# SPDX-License-Identifier: MIT
"""What the live tests share: TAP, running jobs, and an own count of commitment.

The count (kernel_count) is a second implementation on purpose.  It shares
nothing with src/ and rests only on /proc: `ac` and `nr` in smaps VmFlags,
kcmp(2) for address spaces that are one, map_files and fd for shared-memory
objects, /proc/sysvipc/shm for System V segments.
"""
import atexit
import ctypes
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

PAGE = os.sysconf("SC_PAGE_SIZE")
KIB, MIB, GIB = 1024, 1024 ** 2, 1024 ** 3
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SURETY = os.path.abspath(os.environ.get("SURETY", os.path.join(ROOT, "build", "surety")))
SKIP = 77
MARK = "SURETY_TEST_MARK"

_libc = ctypes.CDLL(None, use_errno=True)
_tmp = tempfile.mkdtemp(prefix="surety-live-")
_owner = os.getpid()


# A job that is to run out of memory gets this as well, so that an engine which
# does not refuse cannot take the whole machine.  Far above any limit used.
GUARD = ["prlimit", "--data=%d" % (3 * GIB), "--"]


def _clean_tmp():
    if os.getpid() == _owner:
        shutil.rmtree(_tmp, ignore_errors=True)


atexit.register(_clean_tmp)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(99))


def tmp(name):
    return os.path.join(_tmp, name)


# TAP


class Tap:
    """Test Anything Protocol on standard output; done() ends the script."""

    def __init__(self):
        self.number = self.failed = 0

    def ok(self, condition, name, diag=None):
        self.number += 1
        if not condition:
            self.failed += 1
        print("%s %d - %s" % ("ok" if condition else "not ok", self.number, name), flush=True)
        if not condition and diag is not None:
            self.diag(diag)
        return bool(condition)

    def equal(self, got, want, name, diag=None):
        text = "got %r, want %r" % (got, want)
        return self.ok(got == want, name, text if diag is None else "%s\n%s" % (text, diag))

    def skip(self, name, reason):
        self.number += 1
        print("ok %d - %s # SKIP %s" % (self.number, name, reason), flush=True)

    @staticmethod
    def diag(text):
        for line in str(text).splitlines()[:60]:
            print("# " + line[:1000], flush=True)

    def guarded(self, function, *args):
        """Runs one test; an exception is a failure of it, not the end of all."""
        try:
            function(self, *args)
        except Exception as e:  # noqa: BLE001 - whatever it is, it is this test's
            import traceback
            self.ok(False, "%s: no exception" % function.__name__,
                    "%s\n%s" % (e, traceback.format_exc()))

    def done(self):
        print("1..%d" % self.number, flush=True)
        sys.exit(1 if self.failed else 0)


def skip_all(reason):
    print("1..0 # SKIP " + reason, flush=True)
    sys.exit(SKIP)


def need_live():
    """Ends the script with a visible skip where no engine can work."""
    if not os.access(SURETY, os.X_OK):
        skip_all("live: no executable %s" % os.path.relpath(SURETY, ROOT))
    sizes = (ctypes.c_uint16 * 3)()
    if _libc.syscall(317, 3, 0, sizes) != 0:  # seccomp(SECCOMP_GET_NOTIF_SIZES)
        skip_all("live: this kernel has no seccomp user notification")


# Helpers


_flags = {
    "compat32": ("compat.c", ["-m32"]),
    "static": ("static.c", ["-static"]),
    "bigbss": ("bigbss.c", ["-static"]),
}


def instrumented():
    """Whether surety is a build that watches its memory: it maps terabytes itself."""
    with open(SURETY, "rb") as f:
        return b"__asan_init" in f.read()


def helper(name):
    """Path of a built helper; compiled here where the build has not done it.
    Returns None where this machine cannot build it (no -m32)."""
    for folder in (os.environ.get("HELPERS"), os.path.join(os.path.dirname(SURETY), "tests", "helpers")):
        if folder and os.access(os.path.join(folder, name), os.X_OK):
            return os.path.join(folder, name)
    source, flags = _flags.get(name, (name + ".c", []))
    out = tmp(name)
    if not os.path.exists(out):
        made = subprocess.run(["cc", "-std=gnu11", "-O2", "-g", "-pthread", *flags, "-o", out,
                               os.path.join(ROOT, "tests", "helpers", source)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if made.returncode:
            if flags:
                return None
            raise RuntimeError("cc %s: %s" % (source, made.stdout.decode()))
    return out


# Jobs


class Result:
    def __init__(self, rc, out, err, reports, seconds, timed_out=False):
        self.rc, self.out, self.err, self.reports = rc, out, err, reports
        self.seconds, self.timed_out = seconds, timed_out

    def __str__(self):
        return "exit %s%s after %.1f s, %d reports\n--- stdout\n%s\n--- stderr\n%s" % (
            self.rc, " (timed out)" if self.timed_out else "", self.seconds, len(self.reports),
            self.out[-1500:], self.err[-1500:])


def read_reports(path):
    reports = []
    try:
        with open(path, errors="replace") as f:
            for line in f:
                if line.strip():
                    reports.append(json.loads(line))
    except FileNotFoundError:
        pass
    return reports


def symbols(report):
    """Names on the stack of a report, innermost first."""
    return [f.get("symbol") for f in (report.get("stack") or {}).get("frames", [])]


def explained(report):
    """Whether the figures in a report say that the request did not fit."""
    return report["committed_bytes"] + report["reserved_bytes"] + report["requested_bytes"] >= report["allowed_bytes"]


def group_name():
    return "test-%d-%s" % (os.getpid(), uuid.uuid4().hex[:6])


def surety_args(limit, opts=(), name=None, report=None):
    args = [SURETY, "run"]
    if limit is not None:
        args += ["--limit", str(limit)]
    if name:
        args += ["--name", name]
    if report:
        args += ["--report", report, "--format", "json"]
    return args + list(opts) + ["--"]


class Job:
    """A group under `surety run`, still going: its pipes, status and count."""

    def __init__(self, cmd, limit="256M", opts=(), env=None, stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, report=True, prefix=(), name=None, **kw):
        self.name = name or group_name()
        self.mark = uuid.uuid4().hex
        self.report = tmp("report-" + self.name) if report else None
        full = dict(os.environ if env is None else env)
        full[MARK] = self.mark
        self.args = list(prefix) + surety_args(limit, opts, self.name, self.report) + list(cmd)
        self.started = time.monotonic()
        self.proc = subprocess.Popen(self.args, stdin=stdin, stdout=stdout, stderr=stderr, env=full, **kw)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()

    def pids(self):
        return marked(self.mark)

    def everything(self):
        """All pids with the mark, surety's own processes included."""
        return marked(self.mark, own=True)

    def kill(self):
        for pid in self.pids():
            kill(pid)
        if self.proc.poll() is None:
            try:
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        for pid in self.everything():
            kill(pid)
        for f in (self.proc.stdin, self.proc.stdout, self.proc.stderr):
            if f:
                try:
                    f.close()
                except OSError:
                    pass

    def finish(self, text=None, timeout=60):
        data = text.encode() if isinstance(text, str) else text
        timed_out = False
        try:
            out, err = self.proc.communicate(data, timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            self.dump = "\n".join(describe(p) for p in self.everything())
            for pid in self.pids():
                kill(pid)
            try:
                out, err = self.proc.communicate(timeout=5)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                for pid in self.everything():
                    kill(pid)
                out, err = self.proc.communicate()
        text_err = (err or b"").decode(errors="replace")
        if timed_out:
            text_err += "\n--- at the timeout\n" + self.dump
        return Result(self.proc.returncode, (out or b"").decode(errors="replace"), text_err,
                      self.reports(), time.monotonic() - self.started, timed_out)

    def reports(self):
        return read_reports(self.report) if self.report else []

    def line(self, timeout=60):
        """One line of the job's standard output, or None at its end."""
        return read_line(self.proc.stdout, timeout)

    def say(self, text="\n"):
        self.proc.stdin.write(text.encode())
        self.proc.stdin.flush()

    def status(self):
        return status(self.name)

    def count(self, keys=()):
        return kernel_count(self.pids(), sysv_prefix=keys)

    def audit(self):
        r = subprocess.run([SURETY, "audit", self.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
        return r.returncode, r.stdout.decode(errors="replace")


def run(cmd, limit="256M", timeout=60, text=None, **kw):
    """Runs CMD under `surety run` to its end."""
    kw.setdefault("stdin", subprocess.PIPE if text is not None else subprocess.DEVNULL)
    with Job(cmd, limit, **kw) as job:
        return job.finish(text, timeout)


def plain(cmd, timeout=60, **kw):
    """Runs CMD without surety, same shape of result."""
    started = time.monotonic()
    r = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=timeout, **kw)
    return Result(r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace"), [],
                  time.monotonic() - started)


def read_line(stream, timeout):
    import select
    buf = b""
    end = time.monotonic() + timeout
    while not buf.endswith(b"\n"):
        left = end - time.monotonic()
        if left <= 0 or not select.select([stream], [], [], left)[0]:
            raise TimeoutError("no line within %s s (had %r)" % (timeout, buf))
        c = os.read(stream.fileno(), 1)
        if not c:
            return buf.decode(errors="replace") if buf else None
        buf += c
    return buf.decode(errors="replace").rstrip("\n")


def status(name):
    r = subprocess.run([SURETY, "status", name, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
    if r.returncode:
        raise RuntimeError("surety status: exit %d: %s" % (r.returncode, r.stderr.decode(errors="replace").strip()))
    return json.loads(r.stdout.splitlines()[0])


# Processes


def kill(pid, sig=signal.SIGKILL):
    try:
        os.kill(pid, sig)
    except (ProcessLookupError, PermissionError):
        pass


def state(pid):
    """State letter of a process, or None once it is gone or a zombie."""
    try:
        with open("/proc/%d/stat" % pid, errors="replace") as f:
            s = f.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if s in "ZX" and not live_tids(pid) else s


def live_tids(pid):
    """Threads of a process that are not dead, leader first."""
    live = []
    try:
        tids = sorted(map(int, os.listdir("/proc/%d/task" % pid)))
    except (FileNotFoundError, ProcessLookupError):
        return live
    for tid in tids:
        try:
            with open("/proc/%d/task/%d/stat" % (pid, tid), errors="replace") as f:
                if f.read().rpartition(")")[2].split()[0] not in "ZX":
                    live.append(tid)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return live


def describe(pid):
    parts = [str(pid)]
    for name in ("comm", "wchan", "syscall"):
        try:
            with open("/proc/%d/%s" % (pid, name), errors="replace") as f:
                parts.append(f.read().strip()[:60])
        except OSError:
            pass
    return "%s state %s" % (" ".join(parts), state(pid))


def marked(mark, own=False):
    """Live processes that carry the mark in their environment."""
    needle = ("%s=%s" % (MARK, mark)).encode()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        pid = int(entry)
        tids = live_tids(pid)
        if not tids:
            continue
        try:
            with open("/proc/%d/task/%d/environ" % (pid, tids[0]), "rb") as f:
                if needle not in f.read().split(b"\0"):
                    continue
            exe = os.path.basename(os.readlink("/proc/%d/task/%d/exe" % (pid, tids[0])))
        except OSError:
            continue
        if own or not exe.startswith("surety"):
            found.append(pid)
    return found


def wait_until(condition, timeout):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


# The kernel's own count


def same_space(a, b):
    return _libc.syscall(312, a, b, 1, 0, 0) == 0  # kcmp(KCMP_VM)


_header = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) (....) [0-9a-f]+ ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)$")


class Count:
    def __init__(self):
        self.spaces = {}   # pid: bytes, one pid for each address space
        self.objects = {}  # (dev, ino): (bytes, what)
        self.missed = []   # pids that went away under the reading

    @property
    def space_bytes(self):
        return sum(self.spaces.values())

    @property
    def object_bytes(self):
        return sum(b for b, _ in self.objects.values())

    @property
    def total(self):
        return self.space_bytes + self.object_bytes

    def __str__(self):
        rows = ["pid %d: %d kB" % (p, b // KIB) for p, b in sorted(self.spaces.items())]
        for kind in sorted({w for _, w in self.objects.values()}):
            each = sorted(((b // KIB, k) for k, (b, w) in self.objects.items() if w == kind), reverse=True)
            rows.append("%d %s: %d kB, the largest %s" % (len(each), kind, sum(b for b, _ in each), each[:5]))
        return "\n".join(rows)


def _vma_bytes(perms, size, flags, anonymous, mode):
    if b"ac" in flags:
        return size
    if perms[3:4] == b"s" or b"ht" in flags or b"dp" in flags:
        return 0
    if b"nr" in flags:  # mode 2 would have charged it; read-only again, the pages that are there
        return 0 if mode != 2 else size if perms[1:2] == b"w" else anonymous
    return 0 if perms[1:2] == b"w" else anonymous


def _read_space(pid, tid, count, mode):
    total = 0
    perms = size = None
    anonymous = 0
    with open("/proc/%d/task/%d/smaps" % (pid, tid), "rb") as f:
        for line in f.read().splitlines():
            m = _header.match(line)
            if m:
                start, end = int(m[1], 16), int(m[2], 16)
                perms, size, anonymous = m[3], end - start, 0
                name = m[7]
                dev = os.makedev(int(m[4], 16), int(m[5], 16))
                ino = int(m[6])
            elif line.startswith((b"Anonymous:", b"Swap:")):
                anonymous += int(line.split()[1]) * KIB
            elif line.startswith(b"VmFlags:"):
                flags = line.split()[1:]
                total += _vma_bytes(perms, size, flags, anonymous, mode)
                if perms[3:4] == b"s" or name.startswith((b"/memfd:", b"/dev/shm/")):
                    _add_object(pid, start, end, dev, ino, name, count, mode != 2 and b"nr" in flags)
    return total


def _add_object(pid, start, end, dev, ino, name, count, noreserve):
    if name.startswith(b"/SYSV"):
        kind = "sysv"
    elif name.startswith(b"/dev/zero"):
        kind = "anon"
    elif name.startswith((b"/memfd:", b"/dev/shm/")):
        kind = "tmpfs"
    else:
        return
    if kind != "sysv" and (dev, ino) in count.objects:
        return
    if kind == "sysv":
        count.sysv_mapped.add(ino)
        return
    try:
        st = os.stat("/proc/%d/map_files/%x-%x" % (pid, start, end))
    except OSError:
        st = None
    if kind == "anon":
        size = st.st_size if st else end - start
        if noreserve:
            size = st.st_blocks * 512 if st else 0
        count.objects[(dev, ino)] = ((size + PAGE - 1) // PAGE * PAGE, kind)
    elif st:
        count.objects[(dev, ino)] = (st.st_blocks * 512, kind)


def _add_fds(pid, tid, count):
    folder = "/proc/%d/task/%d/fd" % (pid, tid)
    for fd in os.listdir(folder):
        path = "%s/%s" % (folder, fd)
        try:
            target = os.readlink(path)
            if not target.startswith(("/memfd:", "/dev/shm/")):
                continue
            st = os.stat(path)
        except OSError:
            continue
        if st.st_blksize == PAGE:  # not hugetlbfs
            count.objects[(st.st_dev, st.st_ino)] = (st.st_blocks * 512, "tmpfs")


def _started(pid):
    """Seconds since the epoch, a second early at most: a segment older than the
    process was made by another that had its id."""
    with open("/proc/stat") as f:
        boot = next(int(line.split()[1]) for line in f if line.startswith("btime"))
    try:
        with open("/proc/%d/stat" % pid, errors="replace") as f:
            ticks = int(f.read().rpartition(")")[2].split()[19])
    except OSError:
        return 0
    return boot + ticks // os.sysconf("SC_CLK_TCK") - 1


def _add_sysv(count, prefix, creators):
    """Segments of the group: mapped by it, or made with one of its keys, or by one of its pids."""
    with open("/proc/sysvipc/shm") as f:
        next(f)
        for line in f:
            w = line.split()
            key, shmid, perms, size, cpid = int(w[0]) & 0xffffffff, int(w[1]), int(w[2], 8), int(w[3]), int(w[4])
            if perms & 0o4000:  # SHM_HUGETLB
                continue
            made = cpid in creators and int(w[13]) >= _started(cpid)
            if shmid in count.sysv_mapped or made or any(key >> 16 == p for p in prefix):
                count.objects[("sysv", shmid)] = ((size + PAGE - 1) // PAGE * PAGE, "sysv")


def kernel_count(pids, sysv_prefix=(), mode=2):
    """What the kernel holds for these processes: bytes, exact while they rest."""
    count = Count()
    count.sysv_mapped = set()
    seen = []
    for pid in pids:
        tids = live_tids(pid)
        if not tids:
            continue
        if any(same_space(tids[0], other) for other in seen):
            shared = True
        else:
            shared = False
        try:
            if not shared:
                count.spaces[pid] = _read_space(pid, tids[0], count, mode)
                seen.append(tids[0])
            _add_fds(pid, tids[0], count)
        except (FileNotFoundError, ProcessLookupError):
            count.missed.append(pid)
    _add_sysv(count, sysv_prefix, set(pids))
    return count


def odd_mappings(pid):
    """Mappings that are not simply charged or simply free."""
    found = []
    head, anonymous = None, 0
    try:
        with open("/proc/%d/smaps" % pid, errors="replace") as f:
            for line in f:
                if _header.match(line.rstrip("\n").encode()):
                    head, anonymous = line.strip(), 0
                elif line.startswith(("Anonymous:", "Swap:")):
                    anonymous += int(line.split()[1])
                elif line.startswith("VmFlags:") and " ac" not in line and head.split()[1][3] == "p" and (
                        anonymous or head.split()[1][1] == "w"):
                    found.append("  %s: %d kB, %s" % (head, anonymous, line.strip()))
    except OSError:
        pass
    return found


def difference(count, said):
    """Where surety's figures and the kernel's own differ, for people."""
    lines = ["off by %d pages" % ((said["Committed_AS"] - count.total) // PAGE)]
    theirs = {p["pid"]: p for p in said["processes"]}
    for pid in sorted(set(theirs) | set(count.spaces)):
        a = theirs[pid]["Committed_AS"] if pid in theirs else None
        b = count.spaces.get(pid, 0)
        if a != b:
            lines.append("pid %d %s: surety %s, kernel %s" % (pid, theirs.get(pid, {}).get("comm"), a, b))
            lines += odd_mappings(pid)
    if said["Shmem"] != count.object_bytes:
        lines.append("objects: surety %d, kernel %d" % (said["Shmem"], count.object_bytes))
    lines += [str(count), json.dumps({k: v for k, v in said.items() if k != "processes"})]
    return "\n".join(lines)


def program_lines(tap, job, timeout):
    """Facts of the helper become test points; yields its rests."""
    while True:
        line = job.line(timeout)
        if line is None:
            return
        if line.startswith("rest "):
            yield line
        elif line.startswith(("ok ", "no ")):
            tap.ok(line.startswith("ok "), line[3:])
        else:
            tap.diag(line)


def ends_within_limit(tap, job, label, limit, refusals):
    """A program that has been at LIMIT, and waits, was refused there and promised
    nothing past it; what it has left is counted exactly, and the group ends."""
    figures = job.status()
    tap.ok(figures["refusals"] > refusals, "%s: at the limit" % label, figures)
    tap.ok(figures["Peak"] <= limit, "%s: nothing is promised past the limit" % label, figures)
    rc, text = job.audit()
    tap.equal(rc, 0, "%s: what is left is counted exactly" % label, text)
    job.say()
    tap.equal(job.finish().rc, 0, "%s: the group ends" % label)


def compare(tap, job, name, keys=()):
    """Invariant 3: what surety says is what the kernel holds, to the page."""
    last = None
    for _ in range(3):  # a fork or an exit under way is not rest
        before = job.count(keys)
        said = job.status()
        after = job.count(keys)
        last = (before, said)
        if before.total == after.total and not before.missed:
            break
        time.sleep(0.05)
    before, said = last
    return tap.equal(said["Committed_AS"], before.total, name,
                     difference(before, said))


def remove_segments(creators=(), prefix=()):
    """Removes System V segments made by these pids, or with keys of these prefixes."""
    with open("/proc/sysvipc/shm") as f:
        next(f)
        for line in f:
            w = line.split()
            if int(w[4]) in creators or (int(w[0]) & 0xffffffff) >> 16 in prefix:
                subprocess.run(["ipcrm", "-m", w[1]], stderr=subprocess.DEVNULL, check=False)


def host_committed():
    with open("/proc/meminfo") as f:
        for line in f:
            if line.startswith("Committed_AS:"):
                return int(line.split()[1]) * KIB
    raise RuntimeError("no Committed_AS in /proc/meminfo")


ENOMEM = errno.ENOMEM
