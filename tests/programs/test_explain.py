#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The least limit that surety explain finds: real programs run with it without a
refusal, and with 2 % less are refused.  And the picture of a run.

A program is given the same to do each time, as far as it lets itself: addresses
are not random (setarch -R), sort and node have one thread, redis-server rehashes only
when it is asked something.
"""
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import KIB, MIB, SURETY, Job, Tap, need_live, read_reports, tmp  # noqa: E402
import browser  # noqa: E402

PYTHON = "/usr/bin/python3"
SAME = ["setarch", "-R"]


def explain(record, *options):
    r = subprocess.run([SURETY, "explain", *options, record], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60)
    return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")


def as_json(record, *options):
    return json.loads(explain(record, "--json", *options)[1])


def drive(argv, client=None, timeout=60):
    """(exit status, what it said) of a surety command; CLIENT talks to what it runs."""
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        if client:
            client(p)
        _, err = p.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        p.kill()  # the guard: the job ends with it
        _, err = p.communicate()
    return p.returncode, err.decode(errors="replace")


def refusals(cmd, limit, client):
    """How many reports a run with LIMIT bytes makes; one that cannot even load counts too."""
    report = tmp("explain-report")
    if os.path.exists(report):
        os.unlink(report)
    _, err = drive([SURETY, "run", "--limit", str(limit), "--report", report, "--format", "json", "--"] + cmd, client)
    return len(read_reports(report)) + ("cannot start" in err)


def least_limit(tap, name, cmd, client=None, runs=3):
    if not shutil.which(cmd[2] if cmd[:2] == SAME else cmd[0]):
        tap.skip(name, "program: %s is not installed" % name)
        return
    record = tmp("record-" + name)
    rc, err = drive([SURETY, "run", "--record", record, "--"] + cmd, client)
    found = as_json(record)
    limit = found["least_limit_bytes"]
    tap.equal((rc, found["record"]["complete"], found["record"]["wait_status"]), (0, True, 0), "%s: recorded" % name, err)
    tap.ok(found["peak"]["stack"]["frames"], "%s: the peak has a stack" % name, found["peak"])
    held = sum(site["committed_bytes"] for site in found["held_at_peak"])
    need = found["peak"]["committed_bytes"] + found["peak"]["requested_bytes"]
    tap.ok(abs(held - need) < 64 * KIB, "%s: what is held at the peak adds up" % name, (held, need))
    tap.equal([refusals(cmd, limit, client) for _ in range(runs)], [0] * runs,
              "%s: %d KiB refuse nothing" % (name, limit // KIB))
    below = [refusals(cmd, limit * 98 // 100, client) for _ in range(runs)]
    tap.ok(all(below), "%s: 2 %% less refuse" % name, below)
    first = as_json(record, "--limit", str(limit * 98 // 100))["first_refusal"]
    tap.ok(first and first["stack"]["frames"], "%s: explain says which, with its stack" % name, first)


def gcc(tap):
    path = tmp("explain.c")
    with open(path, "w") as f:
        f.write("#include <string.h>\n")
        for i in range(60):
            f.write("int f%d(int x, char *s) { int a[16]; for (int i = 0; i < 16; i++) a[i] = x * i + %d;\n"
                    "if (x > %d) return strlen(s) + a[x & 15]; return x ? f%d(x - 1, s) + a[3] : a[1]; }\n"
                    % (i, i, i, max(i - 1, 0)))
    least_limit(tap, "gcc", SAME + ["gcc", "-O2", "-c", "-o", "/dev/null", path])


def python3(tap):
    code = "import json, re\nx = [str(i) * 20 for i in range(200000)]\nprint(len(json.dumps(x)))"
    least_limit(tap, "python3", SAME + [PYTHON, "-I", "-c", code])


def sqlite3(tap):
    sql = ("create table t(a integer, b text); with recursive c(x) as (select 1 union all select x + 1 from c where "
           "x < 100000) insert into t select x, hex(x * 7919) from c; create index i on t(b); select count(*) from t;")
    least_limit(tap, "sqlite3", SAME + ["sqlite3", ":memory:", sql])


def sort(tap):
    path = tmp("explain.txt")
    generator = random.Random(1)
    with open(path, "w") as f:
        for _ in range(200000):
            f.write("%d\n" % generator.randrange(10 ** 12))
    least_limit(tap, "sort", SAME + ["sort", "-S", "32M", "--parallel=1", "-o", "/dev/null", path])


def node(tap):
    path = tmp("explain.js")
    with open(path, "w") as f:
        f.write("const a = []; for (let i = 0; i < 100000; i++) a.push({ i, s: 'x' + i });\n"
                "console.log(a.length, Buffer.alloc(1 << 24).length);\n")
    least_limit(tap, "node", SAME + ["node", "--single-threaded", "--predictable", path])


def redis(tap):
    path = tmp("redis.sock")

    def load(p):
        """20,000 keys, each command after the answer to the last, and the end."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        try:
            for _ in range(500):
                try:
                    s.connect(path)
                    break
                except OSError:
                    if p.poll() is not None:
                        return
                    time.sleep(0.02)
            f = s.makefile("rwb")
            for batch in range(400):
                keys = [b"key:%d" % (batch * 50 + i) for i in range(50)]
                f.write(b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$400\r\n%s\r\n" % (len(k), k, b"v" * 400) for k in keys))
                f.flush()
                for _ in keys:
                    f.readline()
            f.write(b"*2\r\n$8\r\nSHUTDOWN\r\n$6\r\nNOSAVE\r\n")
            f.flush()
            f.readline()
            p.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            p.kill()  # refused: it has ended, or hangs in its own report of it
        finally:
            s.close()
            if os.path.exists(path):
                os.unlink(path)

    least_limit(tap, "redis", SAME + [
        "redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--loglevel", "warning",
        "--daemonize", "no", "--activerehashing", "no", "--jemalloc-bg-thread", "no"], load)


def survives(tap):
    """A record of a job that crashed, and of a supervisor that was killed."""
    record = tmp("record-crash")
    rc, _ = drive([SURETY, "run", "--record", record, "--", PYTHON, "-c", "import os\nx = bytearray(8 << 20)\nos.abort()"])
    found = as_json(record)
    tap.equal((rc, found["record"]["complete"], found["record"]["wait_status"] & 127), (134, True, 6), "the job crashed")
    record = tmp("record-killed")
    code = "import sys, time\nx = bytearray(8 << 20)\ntime.sleep(.4)\nprint('here', flush=True)\ntime.sleep(60)"
    with Job([PYTHON, "-c", code], None, ["--record", record]) as job:
        job.line()
        os.kill(job.status()["supervisor_pid"], 9)
        job.proc.wait(20)
    rc, out, err = explain(record)
    tap.equal(rc, 0, "the supervisor was killed: it can be read", err)
    tap.ok("has no end" in err and err.count("\n") == 1, "and one line says that the end is missing", err)
    tap.ok("bytearray" in out or "mmap of 8" in out, "and what it had asked for is there", out)


def bad_files(tap):
    record, path = tmp("record-good"), tmp("record-bad")
    drive([SURETY, "run", "--record", record, "--", "true"])
    with open(record, "rb") as f:
        good = f.read()

    def said(data):
        with open(path, "wb") as f:
            f.write(data)
        rc, _, err = explain(path)
        return rc, err

    middle = len(good) // 2
    for name, data, words in (("an empty file", b"", "it is none"), ("text", b"hello\n" * 10, "it is none"),
                              ("another version", good[:14] + b"9\n" + good[16:], "another version"),
                              ("a changed byte", good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1:] + good[16:], "damaged")):
        rc, err = said(data)
        tap.ok(rc == 125 and words in err and err.count("\n") == 1, "%s: one line" % name, err)
    rc, err = said(good[:-10])
    tap.ok(rc == 0 and "has no end" in err, "a file that was cut off is read", err)
    rc, _, err = explain(tmp("nothing-here"))
    tap.ok(rc == 125 and "cannot read the record" in err, "no file", err)


HOSTILE = "</script><img src=x onerror=\"document.title='hit'\">"


def picture(tap):
    missing = browser.find()
    if missing:
        tap.skip("the page", "program: %s is not installed" % missing)
        return
    record, page, shots = tmp("record-page"), tmp("page.html"), os.environ.get("SCREENSHOTS")
    code = ("import mmap, time\n"
            "def grow(n):\n m = mmap.mmap(-1, n, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n m.write(b'x' * (n // 4))\n return m\n"
            "kept = []\nfor i in range(12):\n kept.append(grow(4 << 20)); time.sleep(.03)\n")
    program = tmp('<i>x</script>&"'.replace("/", ""))
    os.symlink(PYTHON, program)
    drive([SURETY, "run", "--record", record, "--", program, "-c", code, HOSTILE])
    rc, _, err = explain(record, "--html", page, "--limit", "40M")
    tap.equal(rc, 1, "the limit refuses something", err)
    with open(page) as f:
        text = f.read()
    tap.ok("<img" not in text and "http://" not in text.replace("http://www.w3.org/2000/svg", ""),
           "the page holds no name as HTML, and no address of a network")
    with browser.Browser() as b:
        for width, dark in ((1280, False), (1280, True), (400, False), (400, True)):
            name = "%d px, %s" % (width, "dark" if dark else "light")
            b.view(width, 1000, dark)
            b.open(page)
            found = b.run("""return {title: document.title, wide: document.documentElement.scrollWidth > innerWidth,
                images: document.images.length, command: document.querySelector('h1').textContent,
                frames: document.querySelectorAll('#flame div').length, lines: document.querySelectorAll('#chart path').length,
                marks: document.querySelectorAll('#chart circle').length,
                paper: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
                process: document.querySelectorAll('#flame .process')[1].textContent,
                widths: [...document.querySelectorAll('#flame .process')].map(e => e.offsetWidth)}""")
            tap.equal(b.log(), [], "%s: no complaint of the page" % name)
            tap.ok(not found["wide"] and found["frames"] > 8 and found["lines"] == 3 and found["marks"] > 0,
                   "%s: the chart and the flame graph are drawn, within the width" % name, found)
            tap.ok(found["title"] != "hit" and found["images"] == 0 and HOSTILE.split("<img")[0] in found["command"] and
                   found["process"] == '<i>x<script>&"', "%s: hostile names are text" % name, found)
            light = [sum(map(int, c[4:-1].split(","))) for c in (found["paper"], found["ink"])]
            tap.ok((light[0] < light[1]) == dark, "%s: the colours follow" % name, light)
            if shots:
                b.shoot(os.path.join(shots, "page-%d-%s.png" % (width, "dark" if dark else "light")))
        b.view(1280)
        b.open(page)
        moved = b.run("""const s = document.getElementById('slider'), w = () => document.getElementById('when').textContent;
            const at = [w()]; s.value = 0; s.oninput({target: s}); at.push(w());
            document.getElementById('to-peak').click(); at.push(w());
            const frames = document.querySelectorAll('#flame .frame'); frames[0].click();
            at.push(document.getElementById('whole').hidden, document.querySelectorAll('#flame .frame')[0].offsetWidth >
                document.getElementById('flame').clientWidth - 4);
            document.getElementById('whole').click(); at.push(document.getElementById('whole').hidden);
            return at;""")
        tap.ok(moved[0] == moved[2] and "peak" in moved[0] and moved[1] != moved[0], "the slider and the button move it", moved)
        tap.equal(moved[3:], [False, True, True], "a frame that is selected fills the width, until all are shown")


def main():
    need_live()
    tap = Tap()
    for test in (gcc, python3, sqlite3, sort, node, redis, survives, bad_files, picture):
        tap.guarded(test)
    tap.done()


if __name__ == "__main__":
    main()
