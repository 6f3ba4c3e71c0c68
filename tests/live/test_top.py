#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""surety top, driven in a real terminal."""
import ctypes
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import KIB, SURETY, Tap, helper, skip_all  # noqa: E402

libc = ctypes.CDLL(None)
COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-7]|4[0-7])[0-9;]*m")


class Terminal:
    """A tmux of its own; what runs in it, and what it shows."""

    def __init__(self, command, columns=80, lines=24, env=""):
        self.folder = tempfile.mkdtemp(prefix="surety-top-")
        self.socket = os.path.join(self.folder, "s")
        self.done = os.path.join(self.folder, "done")
        shell = "%s TERM=screen-256color %s; echo $? >%s; sleep 600" % (env, command, self.done)
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), shell,
                  env=dict(os.environ, LC_ALL="C.UTF-8"))

    def tmux(self, *args, **kw):
        done = subprocess.run(["tmux", "-S", self.socket, *args], capture_output=True, timeout=30, **kw)
        return done.stdout.decode(errors="surrogateescape")

    def screen(self, *args):
        return self.tmux("capture-pane", "-p", *args)

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def size(self, columns, lines):
        self.tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def wait(self, wanted, seconds=15):
        """The screen once WANTED, a pattern or a function, holds of it; else the last one."""
        test = wanted if callable(wanted) else lambda text: re.search(wanted, text, re.M)
        end = time.monotonic() + seconds
        while True:
            text = self.screen()
            if test(text) or time.monotonic() > end:
                return text
            time.sleep(0.05)

    def status(self):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if os.path.exists(self.done) and open(self.done).read():
                return int(open(self.done).read())
            time.sleep(0.05)
        return None

    def close(self):
        self.tmux("kill-server")
        shutil.rmtree(self.folder, ignore_errors=True)


def top(*args):
    return " ".join([SURETY, "top", *args])


def check_screen(tap):
    terminal = Terminal(top())
    try:
        text = terminal.wait(r"PID USER +Committed_AS Anonymous")
        lines = text.splitlines()
        tap.ok(re.match(r"surety top  \d\d:\d\d:\d\d  overcommit_memory \d  \d+ processes, \d+ threads", lines[0]),
               "80 columns: the title", text)
        tap.ok(re.search(r"^Committed_AS \S+ of CommitLimit \S+ \[[#.]+\]$", text, re.M), "the host's commitment", text)
        tap.ok(re.search(r"^history, \S+ to \S+ [\u2581-\u2588]+", text, re.M), "the history", text)
        tap.ok(re.search(r"^ +\d+ \S+ +[\d.]+[KMGT]? +[\d.]+[KMGT]? .*  \S", text, re.M), "rows", text)
        tap.ok(lines[-1].startswith("q quit"), "the keys", text)
        figures = [line.split()[2] for line in lines if re.match(r" +\d+ \S+ +\d", line)]
        bytes_ = [float(f.rstrip("KMGT")) * 1024 ** " KMGT".index(f[-1] if f[-1] in "KMGT" else " ") for f in figures]
        tap.ok(len(bytes_) > 3 and bytes_ == sorted(bytes_, reverse=True), "sorted by commitment", text)
        terminal.keys("s")
        tap.ok("by used" in terminal.wait(r"by used"), "s sorts by the next column")
        terminal.keys("S", "S")
        tap.ok("by pid" in terminal.wait(r"by pid"), "S by the one before")
        terminal.keys("t")
        tap.ok("tree" in terminal.wait(r"by pid, tree"), "t shows the tree")
        terminal.keys("/", "no-such-process")
        text = terminal.wait("filter: no-such-process_")
        tap.ok("no process matches" in text, "the filter, while it is typed", text)
        terminal.keys("Escape")
        terminal.wait("by pid, tree$")
        terminal.keys("/", "surety-top", "Enter")
        text = terminal.wait(lambda s: "by pid, tree, filter surety-top" in s)
        tap.equal(len(re.findall(r"surety-top$", text, re.M)) >= 1, True, "the filter finds")
        terminal.keys("q")
        tap.equal(terminal.status(), 0, "q ends it with 0")
    finally:
        terminal.close()


def check_sizes(tap):
    terminal = Terminal(top("--delay", "1"), 200, 50)
    try:
        terminal.wait("PID USER")
        for columns, lines in ((40, 16), (80, 24), (60, 10), (30, 6), (20, 3), (120, 40)):
            terminal.size(columns, lines)
            text = terminal.wait(lambda s: len(s.split("\n")) == lines + 1 and "PID" in s
                                 and ("surety top" in s) == (columns >= 60))
            widest = max(len(line) for line in text.splitlines())
            tap.ok("PID" in text and "Unused" in text[:10000] or columns < 30, "%dx%d: the columns" % (columns, lines), text)
            tap.ok(widest <= columns, "%dx%d: nothing is wider" % (columns, lines), text)
            if columns >= 30:
                rows = re.findall(r"^ *\d+ .*[KMG] ", text, re.M)
                tap.ok(len(rows) >= 2, "%dx%d: there are rows" % (columns, lines), text)
        terminal.size(8, 2)
        tap.ok("too sma" in terminal.wait("too sma"), "8x2: says so")
        for i in range(60):
            terminal.size(30 + i % 50, 5 + i % 20)
        terminal.size(80, 24)
        text = terminal.wait(r"PID USER +Committed_AS")
        tap.ok(re.search(r"^Committed_AS \S+ of CommitLimit \S+ \[[#.]+\]$", text, re.M) and "surety top" in text,
               "a storm of sizes leaves a clean screen", text)
        terminal.keys("q")
        tap.equal(terminal.status(), 0, "and ends")
    finally:
        terminal.close()


def check_terminal(tap):
    """Colours only where wanted; the terminal as it was found; no terminal at all."""
    terminal = Terminal(top())
    try:
        terminal.wait("PID USER")
        tap.ok(COLOUR.search(terminal.screen("-e")), "a terminal with colours has them")
    finally:
        terminal.close()
    terminal = Terminal(top(), env="NO_COLOR=1")
    try:
        terminal.wait("PID USER")
        tap.ok(not COLOUR.search(terminal.screen("-e")), "NO_COLOR is kept to", repr(terminal.screen("-e")[:400]))
    finally:
        terminal.close()
    with tempfile.TemporaryDirectory() as folder:
        before, after = os.path.join(folder, "a"), os.path.join(folder, "b")
        terminal = Terminal("sh -c 'trap : INT; stty -a >%s; %s; stty -a >%s'" % (before, top(), after))
        try:
            terminal.wait("PID USER")
            terminal.keys("C-c")
            terminal.status()
            tap.ok(open(before).read() and open(before).read() == open(after).read(), "^C leaves the terminal as it was")
        finally:
            terminal.close()
    terminal = Terminal("sh -c 'TERM=no-such-terminal %s'" % top())
    try:
        text = terminal.wait("surety: .*no-such-terminal")
        tap.ok("is not known here (set TERM" in text.replace("\n", ""), "an unknown terminal", text)
        tap.equal(terminal.status(), 125, "is a failure")
    finally:
        terminal.close()


def check_times(tap):
    terminal = Terminal(top("--times", "2", "--tree", "--sort", "pid", "--filter", "surety"))
    try:
        tap.equal(terminal.status(), 0, "--times ends it")
    finally:
        terminal.close()


def check_hostile(tap):
    libc.prctl(15, b"\x1b]0;x\x07\xff\xe2\x82\xacz", 0, 0, 0)
    terminal = Terminal(top("--filter", "z"))
    try:
        text = terminal.wait(r"\\x1b\]0;x\\x07\\xff")
        tap.ok("\\x1b]0;x\\x07\\xff\u20acz" in text, "a hostile name is shown and does nothing", text)
    finally:
        libc.prctl(15, b"python3", 0, 0, 0)
        terminal.close()


def check_live(tap):
    terminal = Terminal(top("--filter", "hungry"))
    hungry = None
    try:
        terminal.wait("no process matches")
        code = "import ctypes,mmap,time\nctypes.CDLL(None).prctl(15,b'hungry',0,0,0)\n" \
               "x=mmap.mmap(-1,300<<20,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS)\ntime.sleep(60)"
        hungry = subprocess.Popen([sys.executable, "-c", code])
        text = terminal.wait(r"30\d\.\dM.* hungry")
        tap.ok(re.search(r"30\d\.\dM.* hungry", text), "a process that grows is seen", text)
        hungry.kill()
        hungry.wait()
        tap.ok("no process matches" in terminal.wait("no process matches"), "and gone when it has ended")
    finally:
        if hungry:
            hungry.kill()
        terminal.close()


def check_groups(tap):
    if subprocess.run([SURETY, "probe"], capture_output=True).returncode:
        tap.skip("refusals of groups", "live: no engine works here")
        return
    name = "top-test-%d" % os.getpid()
    code = "import time\ntry: bytearray(256<<20)\nexcept MemoryError: pass\nprint(flush=True)\ntime.sleep(60)"
    group = subprocess.Popen([SURETY, "run", "--limit", "64M", "--name", name, "--report", "/dev/null", "--",
                              sys.executable, "-c", code], stdout=subprocess.PIPE)
    group.stdout.readline()
    terminal = Terminal(top(), 100, 40)
    try:
        text = terminal.wait("group %s: .* of 64M, [1-9]" % name)
        tap.ok(re.search("group %s: .* of 64M, [1-9]\\d* refused" % name, text), "refusals of a running group", text)
    finally:
        group.terminate()
        group.wait()
        terminal.close()


def cpu_of(pid):
    fields = open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check_cost(tap):
    crowd = subprocess.Popen([helper("crowd"), "2000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if crowd.stdout.readline() != b"rest\n":
            tap.skip("2000 processes", "program: no room for so many")
            return
        pid, fd = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm"
            os.execv(SURETY, [SURETY, "top", "--delay", "1"])
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

        def run(seconds):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if select.select([fd], [], [], 0.1)[0]:
                    os.read(fd, 65536)

        run(2)
        before, began = cpu_of(pid), time.monotonic()
        run(6)
        percent = 100 * (cpu_of(pid) - before) / (time.monotonic() - began)
        status = open("/proc/%d/status" % pid).read()
        peak = int(status.partition("VmHWM:")[2].split()[0])
        print("# 2000 processes: %.1f %% of a core, peak %d KiB" % (percent, peak))
        tap.ok(percent < 3, "under 3 % of a core", percent)
        tap.ok(peak < 16 * KIB, "under 16 MiB", peak)
        os.close(fd)
        tap.ok(os.waitpid(pid, 0)[0] == pid, "it ends with its terminal")
    finally:
        crowd.communicate(b"\n")


def main():
    if not shutil.which("tmux"):
        skip_all("program: no tmux")
    tap = Tap()
    for check in (check_screen, check_sizes, check_terminal, check_times, check_hostile, check_live, check_groups, check_cost):
        tap.guarded(check)
    tap.done()


main()
