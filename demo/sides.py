# SPDX-License-Identifier: MIT
"""What the demos share: one job on two sides, and the table of what came of it.

A side is a way to hold a job to a limit: a memory cgroup, or `surety run`.  The
job of both is started alike, as an ordinary user where root starts the demo.
A demo fills a Table, states Claims about it, and ends by Demo.finish(): exit
status 0 if every claim held, 1 if not, 77 if a program is missing.

What a job is promised natively is bounded: each process gets RLIMIT_DATA, far
above any limit used here.  Only what a demo started is ended by it, and its
folder goes with it.
"""
import os
import pwd
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = "/usr/bin/python3"
SKIP = 77
DATA_LIMIT = 2048 * MIB  # of each process, on either side
DEADLINE = 180           # seconds; a demo that is not over by then has failed


class Failed(Exception):
    """The demo could not be carried out: one line says why."""


def read(path):
    with open(path, errors="replace") as f:
        return f.read()


def need(command):
    """Path of a command, or the end of the demo."""
    path = shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/bin:/usr/sbin")
    if not path:
        print("program: %s is not installed" % command)
        sys.exit(SKIP)
    return path


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed("%s: not within %d s" % (what, seconds))
        time.sleep(0.02)


class Side:
    """One way to hold a job to LIMIT_MIB."""

    def __init__(self, demo, limit_mib):
        self.demo, self.limit_mib = demo, limit_mib
        self.jobs = []

    def wrap(self, argv):
        raise NotImplementedError

    def popen(self, argv, **kw):
        """Starts ARGV as the demo's user, held to the limit."""
        kw.setdefault("stdin", subprocess.DEVNULL)
        env = dict(os.environ, HOME=self.demo.folder, TMPDIR=self.demo.folder, LC_ALL="C.UTF-8")
        env.pop("XDG_RUNTIME_DIR", None)
        env.update(kw.pop("env", {}))
        job = subprocess.Popen(self.wrap(argv), env=env, cwd=self.demo.folder, start_new_session=True,
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (DATA_LIMIT, DATA_LIMIT)),
                               **kw)
        self.jobs.append(job)
        return job

    def run(self, argv, seconds=50, **kw):
        """Runs ARGV to its end: (exit status, output), the status None where it
        had not ended within SECONDS."""
        job = self.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)
        try:
            out = job.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            self.end_all()
            return None, job.communicate()[0].decode(errors="replace")
        return job.returncode, out.decode(errors="replace")

    def end_all(self):
        for job in self.jobs:
            if job.poll() is None:
                job.kill()

    def close(self):
        self.end_all()
        for job in self.jobs:
            job.wait()

    def kills(self):
        """Processes that the kernel ended by SIGKILL for the limit."""
        return 0


class Cgroup(Side):
    """A memory cgroup, of version 1 or 2, beside or below that of the demo."""

    def __init__(self, demo, limit_mib):
        super().__init__(demo, limit_mib)
        self.version, parent = self.find()
        self.title = "cgroup v%d limit" % self.version
        self.path = os.path.join(parent, "surety-demo-%d" % os.getpid())
        os.mkdir(self.path)
        limit = str(limit_mib * MIB)
        try:
            if self.version == 2:
                self.set("memory.max", limit)
                self.set("memory.swap.max", "0", must=False)
            else:
                self.set("memory.limit_in_bytes", limit)
                self.set("memory.memsw.limit_in_bytes", limit, must=False)
        except OSError:
            os.rmdir(self.path)
            raise

    @staticmethod
    def find():
        """(version, folder to make a cgroup in)"""
        for line in read("/proc/self/cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            if "memory" in controllers.split(","):
                folder = "/sys/fs/cgroup/memory" + path
                return 1, folder if os.path.isdir(folder) else "/sys/fs/cgroup/memory"
            if controllers == "" and os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
                folder = "/sys/fs/cgroup" + path
                while folder.startswith("/sys/fs/cgroup"):
                    # a cgroup whose children have the controller; there can be processes beside it
                    try:
                        if "memory" in read(os.path.join(folder, "cgroup.subtree_control")).split():
                            return 2, folder
                    except OSError:
                        pass
                    folder = os.path.dirname(folder.rstrip("/"))
        raise OSError("no cgroup here has children with a memory controller")

    @classmethod
    def why_not(cls):
        """Why this side cannot be shown here, or None."""
        if os.geteuid() != 0:
            return "a cgroup with a memory limit needs root"
        try:
            _, folder = cls.find()
            name = os.path.join(folder, "surety-demo-try-%d" % os.getpid())
            os.mkdir(name)
            os.rmdir(name)
        except OSError as e:
            return str(e)
        return None

    def set(self, name, value, must=True):
        try:
            with open(os.path.join(self.path, name), "w") as f:
                f.write(value)
        except OSError:
            if must:
                raise

    def wrap(self, argv):
        enter = 'echo 0 >"$1" && shift && exec "$@"'
        return ["sh", "-c", enter, "sh", os.path.join(self.path, "cgroup.procs"), *self.demo.as_user(argv)]

    def kills(self):
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        for line in read(os.path.join(self.path, name)).splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        raise Failed("no count of oom kills in '%s'" % os.path.join(self.path, name))

    def end_all(self):
        super().end_all()
        for _ in range(500):
            pids = read(os.path.join(self.path, "cgroup.procs")).split()
            if not pids:
                return
            for pid in pids:
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)

    def close(self):
        super().close()
        for _ in range(100):
            try:
                return os.rmdir(self.path)
            except OSError:
                time.sleep(0.02)


class Surety(Side):
    """`surety run`, by the same user as the job.

    --user-reserve is the sysctl of that name: no process gets the last 32nd of
    its own size.  So the biggest is refused first, and the small requests of the
    others find something left.
    """
    title = "surety run"

    def __init__(self, demo, limit_mib):
        super().__init__(demo, limit_mib)
        self.options = ["--user-reserve", "64M"]
        self.report_path = os.path.join(demo.folder, "surety-report.txt")

    def wrap(self, argv):
        return self.demo.as_user([self.demo.surety, "run", "--limit", "%dM" % self.limit_mib, *self.options,
                                  "--report", self.report_path, "--", *argv])

    def report(self, wait=5):
        """What surety reported; the first refusal is waited for."""
        end = time.monotonic() + wait
        while time.monotonic() < end and not self.reports():
            time.sleep(0.05)
        return self.reports()

    def reports(self):
        """The reports, each beginning with its line `surety: refused ...`."""
        try:
            text = read(self.report_path)
        except FileNotFoundError:
            return []
        return ["surety: refused " + part for part in ("\n" + text).split("\nsurety: refused ")[1:]]


class Demo:
    """One demo: its folder, its user, its table and its claims."""

    def __init__(self, name, what, user="nobody"):
        self.name, self.side, self.at_exit = name, None, []
        self.table, self.claims, self.said, self.report = [], [], [], None
        built = os.path.abspath(os.environ.get("SURETY", os.path.join(ROOT, "build", "surety")))
        if not os.access(built, os.X_OK):
            sys.exit("demo/%s: no %s: build first (make)" % (name, built))
        self.root = os.geteuid() == 0
        self.user = pwd.getpwnam(user) if self.root else pwd.getpwuid(os.geteuid())
        self.folder = tempfile.mkdtemp(prefix="surety-demo-%s-" % name, dir="/tmp")
        for program in ("surety", "surety-report"):  # where the user can reach them
            shutil.copy(os.path.join(os.path.dirname(built), program), self.folder)
        self.surety = os.path.join(self.folder, "surety")
        os.chmod(self.folder, 0o755)
        if self.root:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        signal.signal(signal.SIGALRM, lambda *_: self.give_up())
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        signal.alarm(DEADLINE)
        print("demo/%s: %s" % (name, what), flush=True)
        if self.root:
            print("Run as user %s." % self.user.pw_name, flush=True)

    def give_up(self):
        raise Failed("no end after %d s" % DEADLINE)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        signal.alarm(0)
        self.close_side()
        for function in self.at_exit:
            function()
        shutil.rmtree(self.folder, ignore_errors=True)
        if isinstance(error, (Failed, OSError)):
            print("demo/%s: %s" % (self.name, error), file=sys.stderr)
            sys.exit(1)

    def as_user(self, argv):
        if not self.root:
            return list(argv)
        return ["setpriv", "--reuid", str(self.user.pw_uid), "--regid", str(self.user.pw_gid), "--clear-groups", "--",
                *argv]

    def path(self, name, text=None):
        """A file of the demo's folder, written where TEXT is given."""
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w") as f:
                f.write(text)
            os.chmod(path, 0o644)
        return path

    def sides(self, limit_mib):
        """Yields both sides in turn, and cleans up after each."""
        missing = Cgroup.why_not()
        if missing:
            print("Not tried under a cgroup: %s." % missing)
        for kind in ([] if missing else [Cgroup]) + [Surety]:
            self.side = kind(self, limit_mib)
            yield self.side
            self.close_side()

    def close_side(self):
        side, self.side = self.side, None
        if side:
            side.close()

    def row(self, what, side, value):
        """A figure of SIDE."""
        for row in self.table:
            if row[0] == what:
                row[1][side.title] = value
                return
        self.table.append((what, {side.title: value}))

    def claim(self, side, text, held):
        self.claims.append(("%s: %s" % (side.title, text), bool(held)))

    def say(self, side, text):
        """A line that is shown under the table."""
        self.said.append("%s: %s" % (side.title, text))

    def finish(self):
        """Prints table, claims and a report of surety, if any; ends the demo."""
        titles = sorted({title for _, cells in self.table for title in cells})
        rows = [[what] + [str(cells.get(title, "")) for title in titles] for what, cells in self.table]
        rows = [[""] + titles] + rows
        widths = [max(len(row[i]) for row in rows) for i in range(len(titles) + 1)]
        print()
        for number, row in enumerate(rows):
            print(" | ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
            if number == 0:
                print("-+-".join("-" * width for width in widths))
        print()
        for line in self.said:
            print(line)
        for text, held in self.claims:
            print("%-9s %s" % ("held:" if held else "NOT HELD:", text))
        if self.report:
            print("\n" + self.report.rstrip())
        sys.exit(0 if all(held for _, held in self.claims) else 1)
