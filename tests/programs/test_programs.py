#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real software inside a group: unchanged with enough, failing well with too little.

"Failing well": it ends in time, it is not killed by SIGKILL, it says something
of its own or gives an exit status, and surety reports what it refused.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import GUARD, MIB, Job, Tap, helper, need_live, plain, run, symbols, tmp, wait_until  # noqa: E402

PYTHON = "/usr/bin/python3"


def need(tap, program):
    if shutil.which(program):
        return True
    tap.skip(program, "program: %s is not installed" % program)
    return False


def unchanged(tap, name, cmd, limit="1G", **kw):
    """Same output and exit status as without surety, and nothing refused."""
    want = plain(cmd, **kw)
    got = run(cmd, limit, **kw)
    tap.equal((got.rc, got.out, got.err), (want.rc, want.out, want.err), "%s: unchanged" % name, got)
    tap.equal(got.reports, [], "%s: nothing refused" % name)
    return got


def fails_well(tap, name, cmd, limit, says=None, timeout=30, **kw):
    r = run(cmd, limit, timeout=timeout, prefix=GUARD, **kw)
    tap.ok(not r.timed_out, "%s: ends in time" % name, r)
    tap.ok(r.rc != 0 and r.rc not in (128 + signal.SIGKILL, -signal.SIGKILL) and "Killed" not in r.err,
           "%s: fails by itself (exit %s)" % (name, r.rc), r)
    tap.ok(len(r.reports) >= 1, "%s: reported" % name, r)
    if says:
        tap.ok(any(s.lower() in (r.out + r.err).lower() for s in says), "%s: says so" % name, r)
    return r


def bash(tap):
    script = r"""
    total=0; for i in $(seq 1 20); do total=$((total + i)); done; echo $total
    declare -A a; for w in one two three; do a[$w]=${#w}; done; echo ${a[three]}
    (echo sub; exit 3); echo $?
    printf '%s\n' c b a | sort | tr '\n' ' '; echo
    x=$(for i in 1 2 3; do /bin/echo $i; done); echo "$x" | wc -l
    cat <(echo one) <(echo two); kill -0 $$ && echo alive; trap 'echo bye' EXIT; exit 7
    """
    unchanged(tap, "bash", ["bash", "-c", script], "64M")
    fails_well(tap, "bash, tight", ["bash", "-c", 'x=x; for i in $(seq 1 29); do x=$x$x; done'], "24M", ["cannot allocate"])


def make_project(folder):
    os.makedirs(folder)
    body = "\n".join("int f%%d_%d(int x) { return x * %d + f%%d_%d(x - 1); }" % (i, i, i - 1) for i in range(1, 200))
    for n in range(4):
        with open(os.path.join(folder, "p%d.c" % n), "w") as f:
            f.write("int f%d_0(int x) { return x; }\n" % n + body.replace("%d", str(n)) + "\n")
    with open(os.path.join(folder, "main.c"), "w") as f:
        f.write("#include <stdio.h>\n" + "".join("int f%d_199(int);\n" % n for n in range(4)))
        f.write("int main(void) { printf(\"%d\\n\", " + " ^ ".join("f%d_199(3)" % n for n in range(4)) + "); return 0; }\n")
    with open(os.path.join(folder, "Makefile"), "w") as f:
        f.write("CC = gcc\nCFLAGS = -O2 -g\nOBJ = main.o p0.o p1.o p2.o p3.o\nprog: $(OBJ)\n\t$(CC) -o $@ $(OBJ)\n")
        f.write("clean:\n\trm -f prog $(OBJ)\n")


def gcc_make(tap):
    if not (need(tap, "gcc") and need(tap, "make")):
        return
    folder = tmp("project")
    make_project(folder)
    make = ["make", "-s", "-j2", "-C", folder]
    want = plain(make)
    native = plain([os.path.join(folder, "prog")]).out
    plain(make + ["clean"])
    got = run(make, "1G")
    tap.equal((got.rc, got.out, got.err), (want.rc, want.out, want.err), "gcc and make: unchanged", got)
    tap.equal(plain([os.path.join(folder, "prog")]).out, native, "gcc and make: the program works")
    tap.equal(got.reports, [], "gcc and make: nothing refused")
    plain(make + ["clean"])
    fails_well(tap, "gcc and make, tight", make, "20M")
    tap.ok(not os.path.exists(os.path.join(folder, "prog")), "gcc and make, tight: no half-made program")


def python(tap):
    code = ("import json, hashlib, re, subprocess, threading\n"
            "t=[threading.Thread(target=lambda: None) for _ in range(4)]\n"
            "[x.start() for x in t]; [x.join() for x in t]\n"
            "print(hashlib.sha256(json.dumps(list(range(1000))).encode()).hexdigest())\n"
            "print(subprocess.run(['echo','child'],capture_output=True).stdout)\n")
    unchanged(tap, "python3", [PYTHON, "-c", code], "256M")
    code = ("try:\n bytearray(1<<30)\nexcept MemoryError:\n print('MemoryError')\n"
            "print(sum(range(1000)), len(bytearray(1<<24)))\n")
    r = run([PYTHON, "-c", code], "256M", prefix=GUARD)
    tap.equal((r.rc, r.out), (0, "MemoryError\n499500 16777216\n"), "python3: MemoryError, and the interpreter lives", r)
    tap.equal(len(r.reports), 1, "python3: one report", r.reports)
    fails_well(tap, "python3, tight", [PYTHON, "-c", "x=[]\nfor i in range(5000): x.append('x'*100000+str(i))"], "64M",
               ["MemoryError"])
    code = ("import os\nb=bytearray(100<<20)\ntry:\n os.fork()\nexcept OSError as e:\n print(e.errno)\n")
    r = run([PYTHON, "-c", code], "160M")
    tap.equal((r.rc, r.out), (0, "12\n"), "python3: fork fails with ENOMEM", r)
    tap.equal([x["operation"] for x in r.reports], ["fork"], "python3: reported as fork")


def perl(tap):
    if not need(tap, "perl"):
        return
    code = 'my %h; $h{$_ % 7} += $_ for 1..1000; print join(",", map {"$_=$h{$_}"} sort keys %h), "\\n"; print `echo child`;'
    unchanged(tap, "perl", ["perl", "-e", code], "64M")
    fails_well(tap, "perl, tight", ["perl", "-e", 'my $x = "a" x (1 << 29); print length $x'], "64M", ["out of memory"])


def git(tap):
    if not need(tap, "git"):
        return
    script = r"""
    set -e; rm -rf "$1"; git init -q "$1"; cd "$1"
    git config user.name t; git config user.email t@example.org; git config gc.auto 0
    export GIT_AUTHOR_DATE="2020-01-01T00:00:00Z" GIT_COMMITTER_DATE="2020-01-01T00:00:00Z"
    for i in 1 2 3; do seq $((i * 1000)) > f$i; git add .; git commit -q -m "c$i"; done
    git log --oneline; git status --short; git repack -adq; git fsck; git diff --stat HEAD~2
    """
    folder = tmp("repository")
    unchanged(tap, "git", ["bash", "-c", script, "sh", folder], "1G")
    big = tmp("big")
    with open(big, "wb") as f:
        f.truncate(300 * MIB)
    fails_well(tap, "git, tight", ["bash", "-c", 'cat "$2" | git -C "$1" hash-object --stdin', "sh", folder, big], "64M",
               ["out of memory"])


def sqlite(tap):
    if not need(tap, "sqlite3"):
        return
    sql = ("create table t(a integer primary key, b text);"
           "with recursive n(i) as (select 1 union all select i+1 from n where i<20000)"
           " insert into t select i, hex(i*i) from n;"
           "select count(*), sum(length(b)) from t; create index x on t(b); select a from t order by b limit 3;")
    unchanged(tap, "sqlite3", ["sqlite3", ":memory:", sql], "64M")
    fails_well(tap, "sqlite3, tight", ["sqlite3", ":memory:", "select length(hex(zeroblob(200000000)));"], "64M",
               ["out of memory"])


def node(tap):
    if not need(tap, "node"):
        return
    code = ("const c=require('crypto'),z=require('zlib');"
            "console.log(c.createHash('sha256').update(z.gzipSync(Buffer.alloc(100000,'a')).length+'').digest('hex'));"
            "new (require('worker_threads').Worker)('console.log(6*7)',{eval:true});")
    unchanged(tap, "node", ["node", "-e", code], "1G")
    code = "try{Buffer.alloc(1<<30)}catch(e){console.log(e.constructor.name)};console.log(Buffer.alloc(1<<20).length)"
    r = run(["node", "-e", code], "512M")
    tap.equal((r.rc, r.out), (0, "RangeError\n1048576\n"), "node: an exception, and it lives", r)
    tap.ok(len(r.reports) >= 1, "node: reported", r)
    fails_well(tap, "node, tight", ["node", "-e", "let a=[];for(let i=0;i<2500;i++)a.push(new Array(100000).fill(a.length))"], "192M",
               ["memory", "heap", "allocation"])


def redis(tap):
    if not (need(tap, "redis-server") and need(tap, "redis-cli")):
        return
    sock = tmp("redis.sock")
    cmd = ["redis-server", "--port", "0", "--unixsocket", sock, "--save", "", "--dir", os.path.dirname(sock),
           "--appendonly", "no"]

    def cli(*args):
        return plain(["redis-cli", "-s", sock, *args], timeout=20)

    with Job(cmd, "512M") as job:
        tap.ok(wait_until(lambda: cli("ping").out.strip() == "PONG", 10), "redis: answers")
        script = "for i=1,20000 do redis.call('set','k'..i,string.rep('v',100)) end return redis.call('dbsize')"
        tap.equal(cli("eval", script, "0").out.strip(), "20000", "redis: a load")
        tap.equal(cli("get", "k777").out.strip(), "v" * 100, "redis: keeps it")
        said = cli("bgsave").out.strip()
        tap.ok("started" in said, "redis: forks a snapshot", said)
        tap.ok(wait_until(lambda: "rdb_bgsave_in_progress:0" in cli("info", "persistence").out, 10) and
               "rdb_last_bgsave_status:ok" in cli("info", "persistence").out, "redis: the snapshot ends well")
        cli("shutdown", "nosave")
        result = job.finish(timeout=20)
        tap.equal((result.rc, result.reports), (0, []), "redis: ends well, nothing refused", result)
    with Job(cmd, "96M", prefix=GUARD) as job:
        tap.ok(wait_until(lambda: cli("ping").out.strip() == "PONG", 10), "redis, tight: answers")
        cli("setrange", "big", str(400 * MIB), "x")
        try:
            result = job.finish(timeout=20)
            tap.ok(result.rc not in (0, 137), "redis, tight: ends by itself (exit %s)" % result.rc, result)
            tap.ok("Out Of Memory" in result.out + result.err, "redis, tight: says so", result)
            tap.ok(result.reports, "redis, tight: reported")
        finally:
            kill_quietly(job)


def kill_quietly(job):
    if job.proc.poll() is None:
        job.proc.terminate()


def static_binary(tap):
    path = helper("static")
    unchanged(tap, "static binary", [path, "10"], "32M")
    r = fails_well(tap, "static binary, tight", [path, "64"], "32M", ["no memory"])
    tap.equal(r.rc, 3, "static binary, tight: its own exit status")
    names = symbols(r.reports[0]) if r.reports else []
    tap.ok("take" in names and "main" in names, "static binary: the stack goes up to main", names)


def go_binary(tap):
    if not need(tap, "go"):
        return
    source, binary = tmp("prog.go"), tmp("goprog")
    with open(source, "w") as f:
        f.write("""package main
import ("fmt"; "os"; "runtime"; "strconv"; "sync")
func main() {
	n, _ := strconv.Atoi(os.Args[1])
	var wg sync.WaitGroup
	sum := make(chan int, 64)
	for i := 0; i < 64; i++ {
		wg.Add(1)
		go func(i int) { defer wg.Done(); b := make([]byte, n<<14); b[i] = 1; s := 0
			for j := range b { s += int(b[j]) }; runtime.Gosched(); sum <- s }(i)
	}
	wg.Wait(); close(sum); t := 0
	for s := range sum { t += s }
	big := make([]byte, n<<20)
	for i := 0; i < len(big); i += 4096 { big[i] = 1 }
	fmt.Println(t, len(big))
}
""")
    env = dict(os.environ, GOCACHE=tmp("gocache"), GO111MODULE="off", GOFLAGS="", CGO_ENABLED="0", HOME=tmp(""))
    made = plain(["go", "build", "-o", binary, source], env=env, timeout=120)
    if not tap.ok(made.rc == 0, "go: builds", made):
        return
    unchanged(tap, "go binary", [binary, "4"], "512M")
    fails_well(tap, "go binary, tight", [binary, "400"], "256M", ["out of memory", "cannot allocate"])


def compat32(tap):
    source, binary = tmp("m32.c"), tmp("m32")
    with open(source, "w") as f:
        f.write("#include <stdio.h>\n#include <stdlib.h>\nint main(int c, char **v) { size_t n = strtoul(v[1], 0, 10) << 20;"
                "char *p = malloc(n); if (!p) { perror(\"malloc\"); return 3; } p[n - 1] = 1;"
                "printf(\"%zu %d\\n\", n, (int)sizeof(void *)); return 0; }\n")
    if plain(["gcc", "-m32", "-g", "-o", binary, source]).rc:
        tap.skip("32-bit program", "32bit: no compiler for -m32 here")
        return
    unchanged(tap, "32-bit program", [binary, "10"], "32M")
    r = fails_well(tap, "32-bit program, tight", [binary, "64"], "32M", ["cannot allocate memory"])
    names = symbols(r.reports[0]) if r.reports else []
    tap.ok("main" in names, "32-bit program: the stack goes up to main", names)


def debuggers(tap):
    scenario = helper("scenario")
    if need(tap, "gdb"):
        r = run(["gdb", "-q", "-batch", "-nx", "-ex", "set confirm off", "-ex", "break map_and_touch", "-ex", "run",
                 "-ex", "bt", "-ex", "delete", "-ex", "continue", "--args", scenario, "S1", "256"], "256M")
        tap.ok("map_and_touch" in r.out and "main" in r.out, "gdb: break, run, bt", r)
        tap.ok("ENOMEM at mmap" in r.out, "gdb: the refused call of a traced program returns ENOMEM", r)
        tap.ok("exited normally" in r.out, "gdb: the program comes to its end", r)
        tap.equal(len(r.reports), 1, "gdb: reported all the same", r)
        script = '"$1" "$2" & p=$!; sleep 0.3; gdb -q -batch -nx -p $p -ex bt -ex detach; kill $p; wait $p; echo ended $?'
        r = run(["bash", "-c", script, "sh", "sleep", "20"], "256M")
        tap.ok("nanosleep" in r.out and "ended 143" in r.out, "gdb: attach, bt, detach", r)
        gdb_outside(tap)
    if need(tap, "strace"):
        out = tmp("strace.out")
        r = run(["strace", "-f", "-o", out, scenario, "S2", "256"], "256M")
        tap.equal(r.out.strip(), "2 pass, 2 ENOMEM", "strace -f: the program sees what it should", r)
        with open(out) as f:
            text = f.read()
        tap.equal(text.count("= -1 ENOMEM"), 2, "strace -f: shows both refusals")
        tap.ok(text.count("+++ exited with 0 +++") >= 5, "strace -f: follows all processes")


def gdb_outside(tap):
    """From outside, at a member that loops in stopped calls."""
    tasks = helper("tasks")
    with Job([tasks, "urgent", "256"], "256M") as job:
        time.sleep(0.3)
        pids = job.pids()
        if not tap.ok(pids, "gdb: a member is running"):
            return
        r = subprocess.run(["gdb", "-q", "-batch", "-nx", "-p", str(pids[0]), "-ex", "bt", "-ex", "detach"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        tap.ok(b"urgent" in r.stdout or b"main" in r.stdout, "gdb: attach from outside", r.stdout.decode())
        facts = []
        while True:
            line = job.line(30)
            if line is None:
                break
            if line.startswith("rest"):
                job.say()
            facts.append(line)
        tap.ok(not [f for f in facts if f.startswith("no ")], "gdb: the program goes on unharmed", facts)
        tap.equal(job.finish(timeout=10).rc, 0, "gdb: exit status")


def main():
    need_live()
    tap = Tap()
    for test in (bash, gcc_make, python, perl, git, sqlite, node, redis, static_binary, go_binary, compat32, debuggers):
        tap.guarded(test)
    tap.done()


if __name__ == "__main__":
    main()
