# SPDX-License-Identifier: MIT
"""Rows about servers: two alone and one under surety are up at once, and loaded in
turns by a client outside the group.  What one of the two alone is to the other is
what the machine makes of nothing: the control.  Each listens on loopback or a
socket of its own folder, and keeps its data there."""
import contextlib
import functools
import glob
import os
import pwd
import random
import shutil
import signal
import socket
import statistics
import subprocess
import time

from measure import RUN_SECONDS, Failed, Figure, Missing, ratios, take_turns

STOP_SECONDS = 30
BLOCK = 10  # turns that one start of the servers serves
PLACES = range(3)


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
    """Throughput as native / surety, and latency as surety / native: more than 1 is slower in both."""
    def samples(of):
        return {name: [getattr(x, of) for x in loads] for name, loads in results.items() if name != "control"}

    return [Figure(row, what + ", native / surety", ratios(results, "native", "surety", "rate"), 1 / 0.98,
                   samples=samples("rate"), samples_unit="/s"),
            Figure(row, what + ", native / control", ratios(results, "native", "control", "rate")),
            Figure(row, what + " p99 latency, surety / native", ratios(results, "surety", "native", "p99"), 1.05,
                   samples=samples("p99")),
            Figure(row, what + " p99 latency, control / native", ratios(results, "control", "native", "p99"))]


def side_by_side(bench, up, load):
    """{variant: [Load, ...]} of UP(prefix, place), a context in which a server is up,
    and LOAD(place).  Each block of turns has new servers, on each other's places."""
    prefixes = {"native": [], "control": [], "surety": bench.under_surety([])}
    results, draw = {name: [] for name in prefixes}, random.Random(bench.runs)
    for first in range(0, bench.runs, BLOCK):
        places = dict(zip(prefixes, draw.sample(PLACES, len(PLACES))))
        with contextlib.ExitStack() as servers:
            for name, prefix in prefixes.items():
                servers.enter_context(up(prefix, places[name]))
            loads = {name: functools.partial(load, place) for name, place in places.items()}
            part = take_turns(loads, min(BLOCK, bench.runs - first), 0 if bench.quick else 1, draw)
        for name, found in part.items():
            results[name] += found
    return results


class Postgres:
    """Clusters of PostgreSQL that are alike, run by a user that it agrees to."""

    SCALE = 10

    def __init__(self, bench):
        homes = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
        self.bench = bench
        self.initdb, self.postgres = need("initdb", *homes), need("postgres", *homes)
        self.pgbench, self.isready = need("pgbench", *homes), need("pg_isready", *homes)
        self.folders = [bench.path("postgres-%d" % place) for place in PLACES]
        self.user = {}
        nobody = None
        if os.getuid() == 0:
            nobody = pwd.getpwnam("postgres" if self.has_user("postgres") else "nobody")
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chmod(bench.folder, 0o755)
        for folder in self.folders:
            os.makedirs(folder)
            if nobody:
                os.chown(folder, nobody.pw_uid, nobody.pw_gid)

    @staticmethod
    def has_user(name):
        try:
            return bool(pwd.getpwnam(name))
        except KeyError:
            return False

    def data(self, place):
        return os.path.join(self.folders[place], "data")

    def env(self, place):
        return dict(os.environ, PGHOST=self.folders[place], PGDATABASE="postgres", PGUSER="bench", LC_ALL="C")

    def make(self):
        for place in PLACES:
            run([self.initdb, "-D", self.data(place), "-U", "bench", "-A", "trust", "--no-sync"], env=self.env(place),
                cwd=self.folders[place], **self.user)
            with self.up([], place):
                scale = 1 if self.bench.quick else self.SCALE
                run([self.pgbench, "-i", "-q", "-s", str(scale)], env=self.env(place))

    def up(self, prefix, place):
        def answers():
            return subprocess.run([self.isready, "-q"], env=self.env(place)).returncode == 0

        folder = self.folders[place]
        argv = prefix + [self.postgres, "-D", self.data(place), "-k", folder]
        for setting in ("listen_addresses=", "fsync=off", "shared_buffers=128MB", "autovacuum=off",
                        "checkpoint_timeout=1h", "max_wal_size=16GB"):
            argv += ["-c", setting]
        return served(argv, answers, os.path.join(folder, "log"), signal.SIGINT, env=self.env(place), cwd=folder,
                      **self.user)

    def load(self, arguments, place):
        prefix = self.bench.path("pgbench_log")
        out = run([self.pgbench, "-n", "-c", "4", "-j", "2", "-T", "1", "-l", "--log-prefix", prefix] + arguments,
                  env=self.env(place))
        latencies = []
        for path in glob.glob(prefix + "*"):
            with open(path) as f:
                latencies += [int(line.split()[2]) for line in f]
            os.unlink(path)
        rate = [float(line.split()[2]) for line in out.splitlines() if line.startswith("tps = ")]
        if not rate or len(latencies) < 100:
            raise Failed("pgbench said nothing of use: %s" % out[-300:].strip())
        return Load(rate[0], statistics.quantiles(latencies, n=100)[98] / 1e3)


def row_pgbench(bench):
    """pgbench: PostgreSQL under pgbench, 4 clients, TPC-B and then reading only"""
    found, clusters = [], Postgres(bench)
    clusters.make()
    for name, arguments in ("TPC-B", []), ("reading", ["-S"]):
        results = side_by_side(bench, clusters.up, functools.partial(clusters.load, arguments))
        found += figures("pgbench", results, name)
    return found


class Redis:
    """Servers, on a port and in a folder each."""

    def __init__(self, bench):
        self.bench, self.client, self.server = bench, need("redis-benchmark"), need("redis-server")
        self.folders = [bench.path("redis-%d" % place) for place in PLACES]
        self.ports = [0 for place in PLACES]
        for folder in self.folders:
            os.makedirs(folder)

    def up(self, prefix, place):
        def answers():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.ports[place])) == 0

        folder, self.ports[place] = self.folders[place], free_port()
        argv = prefix + [self.server, "--bind", "127.0.0.1", "--port", str(self.ports[place]), "--dir", folder,
                         "--save", "", "--appendonly", "no"]
        return served(argv, answers, os.path.join(folder, "log"))

    def load(self, place):
        requests = str(self.bench.count(60000, 5000))
        out = run([self.client, "-p", str(self.ports[place]), "-n", requests, "-r", "100000", "-d", "100", "-t",
                   "set,get", "--csv"])
        rows = [line.replace('"', "").split(",") for line in out.splitlines()]
        rows = [dict(zip(rows[0], row)) for row in rows[1:]]
        if {row.get("test") for row in rows} != {"SET", "GET"}:
            raise Failed("redis-benchmark said nothing of use: %s" % out[-300:].strip())
        rates = [float(row["rps"]) for row in rows]
        return Load(len(rates) / sum(1 / rate for rate in rates), max(float(row["p99_latency_ms"]) for row in rows))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def row_redis(bench):
    """redis: redis-server under redis-benchmark, SET and GET of 100,000 keys"""
    servers = Redis(bench)
    return figures("redis", side_by_side(bench, servers.up, servers.load), "SET and GET")


ROWS = [row_pgbench, row_redis]
