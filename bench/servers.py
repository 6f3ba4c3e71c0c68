# SPDX-License-Identifier: MIT
"""Rows about servers: one is started for each turn, loaded by a client outside
its group, and stopped.  Each listens on loopback or a socket of its own folder,
and keeps its data there."""
import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import statistics
import subprocess
import time

from measure import RUN_SECONDS, Failed, Figure, Missing, take_turns

STOP_SECONDS = 30


def need(program, *folders):
    path = shutil.which(program, path=os.pathsep.join(list(folders) + [os.environ["PATH"]]))
    if not path:
        raise Missing("%s is not installed" % program)
    return path


def run(argv, **kwargs):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_SECONDS,
                          **kwargs)
    if done.returncode != 0:
        raise Failed("%s ended with %d: %s" % (argv[0], done.returncode, done.stdout[-300:].strip()))
    return done.stdout


@contextlib.contextmanager
def served(argv, ready, log, how=signal.SIGTERM, **kwargs):
    """ARGV as long as the block lasts; READY() tells that it answers."""
    with open(log, "w") as out:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                                   **kwargs)
    try:
        end = time.monotonic() + STOP_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > end:
                with open(log) as f:
                    raise Failed("%s did not get ready: %s" % (argv[0], f.read()[-300:].strip()))
            time.sleep(0.02)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


class Load:
    """What a client measured: requests a second, and the 99th percentile of its latencies in ms."""

    def __init__(self, rate, p99):
        self.rate, self.p99 = rate, p99


def figures(row, results, what):
    """Throughput as surety / native, where more is better, and latency, where less is."""
    native, surety = results["native"], results["surety"]

    def samples(of):
        return {name: [getattr(x, of) for x in loads] for name, loads in results.items()}

    rate = Figure(row, what + ", native / surety", [n.rate / s.rate for n, s in zip(native, surety)], 1 / 0.98,
                  samples=samples("rate"), samples_unit="/s")
    p99 = Figure(row, what + " p99 latency, surety / native", [s.p99 / n.p99 for n, s in zip(native, surety)], 1.05,
                 samples=samples("p99"))
    return [rate, p99]


class Postgres:
    """A cluster of PostgreSQL in a folder, run by a user that it agrees to."""

    SCALE = 10

    def __init__(self, bench):
        homes = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
        self.bench = bench
        self.initdb, self.postgres = need("initdb", *homes), need("postgres", *homes)
        self.pgbench, self.isready = need("pgbench", *homes), need("pg_isready", *homes)
        self.folder = bench.path("postgres")
        self.data = os.path.join(self.folder, "data")
        self.log = os.path.join(self.folder, "log")
        self.env = dict(os.environ, PGHOST=self.folder, PGDATABASE="postgres", PGUSER="bench", LC_ALL="C")
        os.makedirs(self.folder)
        self.user = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("postgres" if self.has_user("postgres") else "nobody")
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            os.chmod(bench.folder, 0o755)

    @staticmethod
    def has_user(name):
        try:
            return bool(pwd.getpwnam(name))
        except KeyError:
            return False

    def make(self):
        run([self.initdb, "-D", self.data, "-U", "bench", "-A", "trust", "--no-sync"], env=self.env, cwd=self.folder,
            **self.user)
        with self.up([]):
            run([self.pgbench, "-i", "-q", "-s", str(1 if self.bench.quick else self.SCALE)], env=self.env)

    def up(self, prefix):
        argv = prefix + [self.postgres, "-D", self.data, "-k", self.folder, "-c", "listen_addresses=", "-c", "fsync=off",
                         "-c", "shared_buffers=128MB", "-c", "autovacuum=off"]
        return served(argv, self.answers, self.log, signal.SIGINT, env=self.env, cwd=self.folder, **self.user)

    def answers(self):
        return subprocess.run([self.isready, "-q"], env=self.env).returncode == 0

    def load(self, prefix, arguments):
        prefix_log = self.bench.path("pgbench_log")
        seconds = 1 if self.bench.quick else 5
        with self.up(prefix):
            out = run([self.pgbench, "-n", "-c", "4", "-j", "2", "-T", str(seconds), "-l", "--log-prefix", prefix_log]
                      + arguments, env=self.env)
        latencies = []
        for path in glob.glob(prefix_log + "*"):
            with open(path) as f:
                latencies += [int(line.split()[2]) for line in f]
            os.unlink(path)
        rate = [float(line.split()[2]) for line in out.splitlines() if line.startswith("tps = ")]
        if not rate or len(latencies) < 100:
            raise Failed("pgbench said nothing of use: %s" % out[-300:].strip())
        return Load(rate[0], statistics.quantiles(latencies, n=100)[98] / 1e3)


def row_pgbench(bench):
    """pgbench: PostgreSQL under pgbench, 4 clients, TPC-B and then reading only"""
    found = []
    server = Postgres(bench)
    server.make()
    for name, arguments in ("TPC-B", []), ("reading", ["-S"]):
        results = take_turns({
            "native": lambda: server.load([], arguments),
            "surety": lambda: server.load(bench.under_surety([]), arguments),
        }, bench.runs, 0 if bench.quick else 1)
        found += figures("pgbench", results, name)
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def redis_load(bench, prefix):
    client, server, port = need("redis-benchmark"), need("redis-server"), free_port()
    folder = bench.path("redis")
    os.makedirs(folder, exist_ok=True)

    def answers():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    argv = prefix + [server, "--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", "", "--appendonly",
                     "no"]
    with served(argv, answers, os.path.join(folder, "log")):
        out = run([client, "-p", str(port), "-n", str(bench.count(400000, 5000)), "-r", "100000", "-d", "100", "-t",
                   "set,get", "--csv"])
    rows = [line.replace('"', "").split(",") for line in out.splitlines()]
    rows = [dict(zip(rows[0], row)) for row in rows[1:]]
    if {row.get("test") for row in rows} != {"SET", "GET"}:
        raise Failed("redis-benchmark said nothing of use: %s" % out[-300:].strip())
    rates = [float(row["rps"]) for row in rows]
    return Load(len(rates) / sum(1 / rate for rate in rates), max(float(row["p99_latency_ms"]) for row in rows))


def row_redis(bench):
    """redis: redis-server under redis-benchmark, SET and GET of 100,000 keys"""
    results = take_turns({
        "native": lambda: redis_load(bench, []),
        "surety": lambda: redis_load(bench, bench.under_surety([])),
    }, bench.runs, 0 if bench.quick else 1)
    return figures("redis", results, "SET and GET")


ROWS = [row_pgbench, row_redis]
