#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which groups are found by whom: a user's own, and by root those of every user,
also in mount and PID namespaces; and that a group's answer cannot harm who asks."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import SURETY, Job, Tap, group_name, need_live, tmp  # noqa: E402

NOBODY, DAEMON = 65534, 1


def surety(*words):
    return subprocess.run([SURETY, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)


def as_user(uid):
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--"]


def job(name, prefix=(), env=None):
    """A group that lives until its standard input ends."""
    return Job(["sh", "-c", "echo up; read x"], "64M", name=name, prefix=prefix, env=env, report=False)


def without_runtime_dir():
    return {k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"}


def private_folder(uid):
    path = tmp("run-%d-%s" % (uid, group_name()))
    os.mkdir(path, 0o700)
    os.chown(path, uid, uid)
    return path


def listed():
    """{(uid, name): figures} of surety status."""
    rows = [json.loads(line) for line in surety("status", "--json").stdout.splitlines()]
    return {(row["uid"], row["group"]): row for row in rows}


def own(tap):
    name = group_name()
    with job(name) as running:
        tap.equal(running.line(), "up", "own: it runs")
        figures = listed()
        tap.ok((os.geteuid(), name) in figures, "own: listed", figures.keys())
        pid = figures.get((os.geteuid(), name), {}).get("main_pid", 0)
        for word in name, str(pid), "%d:%s" % (os.geteuid(), name):
            said = surety("status", word)
            tap.ok(said.stdout.startswith("group %s: engine" % name), "own: found as %s" % word.replace(name, "NAME"), said)


def of_two_users(tap):
    name = group_name()
    shared = private_folder(DAEMON)
    os.chmod(tmp(""), 0o755)
    with job(name, as_user(NOBODY), without_runtime_dir()) as first, \
            job(name, as_user(DAEMON), dict(os.environ, XDG_RUNTIME_DIR=shared)) as second:
        tap.equal((first.line(), second.line()), ("up", "up"), "two users: both run")
        figures = listed()
        tap.ok((NOBODY, name) in figures and (DAEMON, name) in figures, "two users: root has both", figures.keys())
        said = surety("status", name)
        tap.ok(said.returncode == 125 and "2 running groups have this name (give USER:NAME" in said.stderr,
               "two users: the name alone is not enough", said)
        for user, uid in ("nobody", NOBODY), ("daemon", DAEMON), (str(DAEMON), DAEMON):
            said = surety("status", "%s:%s" % (user, name))
            tap.ok("supervisor %d" % figures[uid, name]["supervisor_pid"] in said.stdout.splitlines()[:1][0],
                   "two users: %s:NAME is the right one" % user, said)
        said = surety("status", str(figures[DAEMON, name]["main_pid"]))
        tap.ok(said.stdout.startswith("group daemon:%s: " % name), "two users: a process id is enough", said)
        said = surety("audit", "nobody:" + name)
        tap.ok(said.returncode == 0 and said.stdout.endswith("drift 0 kB\n"), "two users: root audits", said)
        said = subprocess.run(as_user(NOBODY) + [SURETY, "status", "--json"], stdout=subprocess.PIPE, text=True,
                              env=without_runtime_dir(), timeout=30)
        rows = [json.loads(line) for line in said.stdout.splitlines()]
        tap.ok(name in [row["group"] for row in rows] and {row["uid"] for row in rows} == {NOBODY},
               "two users: one does not see the other's", rows)
        second.say()
        tap.equal(second.finish().rc, 0, "two users: one ends")
        said = surety("status", name)
        tap.ok(said.stdout.startswith("group nobody:%s: " % name), "two users: then the name is enough", said)


def in_namespaces(tap):
    hidden, boxed = group_name(), group_name()
    folder = private_folder(NOBODY)
    mount = 'mount -t tmpfs -o mode=1777 none "$0" && exec "$@"'
    private = ["unshare", "--mount", "sh", "-c", mount, folder, *as_user(NOBODY)]
    pids = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]
    with job(hidden, private, dict(os.environ, XDG_RUNTIME_DIR=folder)) as first, \
            job(boxed, pids) as second:
        tap.equal((first.line(), second.line()), ("up", "up"), "namespaces: both run")
        figures = listed()
        tap.ok((NOBODY, hidden) in figures, "namespaces: a private mount hides nothing from root", figures.keys())
        said = surety("status", boxed)
        tap.ok("process ids of another namespace" in said.stdout, "namespaces: foreign process ids are told", said)
        said = surety("audit", boxed)
        tap.ok(said.returncode == 125 and "another PID namespace" in said.stderr, "namespaces: and not audited", said)


HOSTILE = r"""
import ctypes, json, os, socket, sys, time
folder = sys.argv[1]
def serve(name, answer):
    s = socket.socket(socket.AF_UNIX)
    s.bind(folder + "/" + name)
    s.listen(4)
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, b"surety", 0, 0, 0)
        while True:
            c, _ = s.accept()
            if os.fork() == 0:
                s.close()
                try:
                    answer(c)
                except OSError:
                    pass
                os._exit(0)
            c.close()
    return s
figures = {"schema": "surety.status/1", "group": "\x1b[31mred", "engine": "\x1b]0;x\x07", "uid": 0,
           "processes": [{"pid": 1, "comm": "\x1b[2J"}], "main_pid": 1, "supervisor_pid": 1}
def endless(c):
    c.sendall(b'{"a": "')
    while True:
        c.sendall(b"x" * 65536)
serve("garbage", lambda c: c.sendall(b"\x1b[31m not JSON"))
serve("escapes", lambda c: c.sendall(json.dumps(figures).encode()))
serve("endless", endless)
serve("list", lambda c: c.sendall(b"[1]\n"))
serve("\x1b[31mname", lambda c: c.sendall(json.dumps(figures).encode()))
full = socket.socket(socket.AF_UNIX)
full.bind(folder + "/full")
full.listen(0)
fill = [socket.socket(socket.AF_UNIX) for i in range(2)]
for f in fill:
    f.setblocking(False)
    try:
        f.connect(folder + "/full")
    except OSError:
        pass
print("up", flush=True)
sys.stdin.read()
os.killpg(0, 9)
"""


@contextlib.contextmanager
def hostile(folder):
    os.chmod(tmp(""), 0o755)
    process = subprocess.Popen(as_user(NOBODY) + [sys.executable, "-c", HOSTILE, folder], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, start_new_session=True,
                               env=dict(os.environ, XDG_RUNTIME_DIR=os.path.dirname(folder)))
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def hostile_answers(tap):
    folder = os.path.join(private_folder(NOBODY), "surety")
    os.mkdir(folder, 0o700)
    os.chown(folder, NOBODY, NOBODY)
    with hostile(folder) as up:
        tap.equal(up, "up", "hostile: it serves")
        started = time.monotonic()
        said = surety("status")
        took = time.monotonic() - started
        tap.ok(r"group nobody:\x1b[31mred: engine \x1b]0;x\x07" in said.stdout and "\x1b" not in said.stdout + said.stderr,
               "hostile: sequences are harmless", said)
        tap.ok(said.returncode == 0 and took < 15, "hostile: who does not accept holds up for 5 s", "%.1f s" % took)
        said = surety("status", "--json", "escapes")
        tap.ok('"uid":%d' % NOBODY in said.stdout and "\x1b" not in said.stdout, "hostile: whose it is, the kernel tells", said)
        for name in "garbage", "endless", "list":
            said = surety("status", name)
            tap.ok(said.returncode == 125 and said.stderr.count("\n") == 1 and "\x1b" not in said.stderr,
                   "hostile: %s is no answer" % name, said)


def loose_folder(tap):
    """A folder that others may enter, or of another owner, is not gone into."""
    folder = os.path.join(private_folder(NOBODY), "surety")
    for mode, owner in (0o755, NOBODY), (0o700, DAEMON):
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder, mode)
        os.chmod(folder, mode)
        os.chown(folder, owner, owner)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(folder + "/bait")
            s.listen(4)
            before = dict(os.environ, XDG_RUNTIME_DIR=os.path.dirname(folder))
            with job(group_name(), as_user(NOBODY), before) as running:
                running.line()
                s.settimeout(0.5)
                surety("status")
                try:
                    s.accept()
                    reached = True
                except OSError:
                    reached = False
            tap.ok(not reached, "a folder of mode %o and owner %d is not entered" % (mode, owner))


def main():
    need_live()
    tap = Tap()
    tap.guarded(own)
    if os.geteuid() != 0:
        tap.skip("groups of other users", "root: only root sees them")
        tap.done()
    for function in of_two_users, in_namespaces, hostile_answers, loose_folder:
        tap.guarded(function)
    tap.done()


if __name__ == "__main__":
    main()
