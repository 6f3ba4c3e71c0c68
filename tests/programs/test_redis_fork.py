#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Redis with a dataset of 60 % of its limit: snapshots under a fork policy.

Debian's redis-server, on a loopback port of its own, unchanged; written to by
redis-benchmark while it saves.  What it saved is loaded by another server,
without surety, and compared by DEBUG DIGEST.
"""
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from sampler import Sampler  # noqa: E402
from surety import MIB, Job, Tap, need_live, skip_all, tmp, wait_until  # noqa: E402

LIMIT = 640
KEYS = 290000
VALUE = 1100
SLICES = int(os.environ.get("REDIS_SLICES", "40"))


class Reply(Exception):
    """An error reply."""


class Client:
    """As much of the protocol as is needed here."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.socket.makefile("rb")

    def send(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))

    def reply(self):
        line = self.file.readline()
        if not line:
            raise EOFError
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Reply(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            n = int(rest)
            return None if n < 0 else self.file.read(n + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return rest.decode()

    def __call__(self, *words):
        self.send(*words)
        return self.reply()

    def info(self, section):
        lines = self("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Redis:
    """A server with a folder of its own; under surety where OPTS is given."""

    def __init__(self, folder, opts=None, extra=()):
        self.folder, self.port = folder, free_port()
        os.makedirs(folder, exist_ok=True)
        self.log = os.path.join(folder, "log")
        cmd = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
               "--enable-debug-command", "yes", "--logfile", self.log, "--stop-writes-on-bgsave-error", "no",
               "--rdbcompression", "no", "--appendfsync", "no", *extra]
        self.job = None
        if opts is None:
            self.proc = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        else:
            self.job = Job(cmd, "%dM" % LIMIT, opts=opts, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            self.proc = self.job.proc
        self.client = self.connect()

    def __enter__(self):
        return self

    def end(self):
        if self.job:
            self.job.kill()
        else:
            self.proc.kill()
            self.proc.wait()

    def __exit__(self, *exc):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self):
        for _ in range(600):
            try:
                client = Client(self.port)
                if client("PING") == "PONG":
                    return client
            except (OSError, Reply, EOFError):
                pass
            if self.proc.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError("redis-server did not start:\n" + self.said())

    def said(self):
        try:
            with open(self.log, errors="replace") as f:
                return f.read()[-3000:]
        except OSError:
            return ""

    def load(self):
        script = ("local v = string.rep('v', %d) for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do "
                  "redis.call('set', string.format('key:%%012d', i), v) end" % VALUE)
        for first in range(0, KEYS, 5000):
            self.client("EVAL", script, 0, first, min(first + 5000, KEYS) - 1)

    def digest(self):
        return self.client("DEBUG", "DIGEST")

    def saving(self):
        i = self.client.info("persistence")
        return i["rdb_bgsave_in_progress"] == "1" or i["aof_rewrite_in_progress"] == "1"

    def wait_saved(self, timeout=60):
        return wait_until(lambda: not self.saving(), timeout)

    def snapshot(self, command):
        """Forks while nobody writes; returns the digest of what it forked."""
        self.client("CLIENT", "PAUSE", 60000, "WRITE")
        try:
            digest = self.digest()
            self.client(command)
        except Reply as e:
            raise RuntimeError("%s: %s\n%s\n%s" % (command, e, self.said(), self.job.status())) from e
        finally:
            self.client("CLIENT", "UNPAUSE")
        return digest

    def benchmark(self, requests, keys=KEYS, clients=4, pipeline=1, wait=True):
        args = ["redis-benchmark", "-h", "127.0.0.1", "-p", str(self.port), "-t", "set", "-n", str(requests), "-r", str(keys),
                "-d", str(VALUE), "-c", str(clients), "-P", str(pipeline), "--csv"]
        p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if not wait:
            return p
        out = p.communicate(timeout=120)[0].decode()
        return float(out.splitlines()[-1].split(",")[1].strip('"'))


def loads_as(redis, extra=()):
    """The digest of what another server finds where this one, which is ended, has saved."""
    redis.end()
    with Redis(redis.folder, extra=extra) as other:
        return other.digest()


def moderately(redis, until):
    """Writes that a quarter is enough for: 100 at a time, all over the dataset."""
    for _ in range(40):
        if until():
            return
        redis.benchmark(100)
        time.sleep(0.02)
    wait_until(until, 60)


def sampled(redis):
    sampler = Sampler(redis.job)
    sampler.start()
    return sampler


def never_more(tap, sampler, name):
    sampler.finish()
    tap.ok(sampler.samples > 3 and 0 < sampler.most <= LIMIT * MIB, "%s: never more than the limit" % name,
           "%d samples, most %.1f MiB" % (sampler.samples, sampler.most / MIB))


def saves(tap, command, extra):
    with Redis(tmp("redis"), ["--fork-reserve", "25%"], extra) as redis:
        redis.load()
        used = int(redis.client.info("memory")["used_memory"])
        tap.ok(0.58 * LIMIT * MIB < used < 0.66 * LIMIT * MIB, "%s: a dataset of 60 %% of the limit" % command, used / MIB)
        if "--appendonly" in extra:
            redis.wait_saved()
        sampler = sampled(redis)
        digest = redis.snapshot(command)
        status = redis.job.status()
        tap.ok(len(status["processes"]) == 2 and status["ForkUncharged"] > 200 * MIB, "%s: forked, and not charged" % command,
               status)
        moderately(redis, lambda: not redis.saving())
        never_more(tap, sampler, command)
        info = redis.client.info("persistence")
        tap.equal((info["rdb_last_bgsave_status"], info["aof_last_bgrewrite_status"]), ("ok", "ok"), "%s succeeds" % command,
                  redis.said())
        tap.equal(redis.job.reports(), [], "%s: nothing is refused" % command)
        if "--appendonly" in extra:
            digest = redis.digest()
        wait_until(lambda: redis.job.status()["ForkUncharged"] == 0, 5)
        code, said = redis.job.audit()
        tap.equal(code, 0, "%s: no drift" % command, said)
        tap.equal(loads_as(redis, extra), digest, "%s: it loads back equal" % command)


def bgsave(tap):
    saves(tap, "BGSAVE", [])


def bgrewriteaof(tap):
    saves(tap, "BGREWRITEAOF", ["--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"])


def full(tap):
    with Redis(tmp("redis"), []) as redis:
        redis.load()
        said = None
        try:
            redis.client("BGSAVE")
        except Reply as e:
            said = str(e)
        tap.ok(wait_until(lambda: redis.job.reports(), 10), "full: the fork is refused")
        report = redis.job.reports()[0]
        tap.equal((report["operation"], report["comm"], report["rule"]["id"]), ("fork", "redis-server", "R-045"),
                  "full: with a report", report)
        tap.ok("Can't save in background: fork" in redis.said() and redis.client("PING") == "PONG",
               "full: Redis says so and goes on", "%s\n%s" % (said, redis.said()))


def lost_keys(redis):
    """Keys that are gone, or that nobody wrote so."""
    lost = 0
    for first in range(0, KEYS, 1000):
        chunk = ["key:%012d" % i for i in range(first, min(first + 1000, KEYS))]
        lost += sum(v is None or len(v) != VALUE for v in redis.client("MGET", *chunk))
    return lost


def too_fast(tap):
    with Redis(tmp("redis"), ["--fork-reserve", "25%"], ["--rdb-key-save-delay", "100"]) as redis:
        redis.load()
        sampler = sampled(redis)
        redis.client("BGSAVE")
        writer = redis.benchmark(600000, clients=20, pipeline=16, wait=False)
        ended = wait_until(lambda: not redis.saving(), 60)
        writer.communicate(timeout=120)
        never_more(tap, sampler, "too fast")
        tap.ok(ended and redis.client.info("persistence")["rdb_last_bgsave_status"] == "err", "too fast: the save fails",
               redis.said())
        tap.ok("Background saving terminated by signal" in redis.said(), "too fast: Redis logs it", redis.said())
        wait_until(lambda: redis.job.reports(), 10)
        reports = redis.job.reports()
        tap.equal([(r["operation"], r["rule"]["id"]) for r in reports], [("copy", "R-048")], "too fast: one report")
        tap.equal(reports[0]["ended"]["parent_comm"], "redis-server", "too fast: of the parent that goes on")
        tap.equal((redis.client("DBSIZE"), lost_keys(redis)), (KEYS, 0), "too fast: no key is lost")
        redis.client("CONFIG", "SET", "rdb-key-save-delay", 0)
        redis.client("BGSAVE")
        redis.wait_saved()
        tap.equal(redis.client.info("persistence")["rdb_last_bgsave_status"], "ok", "too fast: the next save succeeds",
                  redis.said())


def throughput(tap):
    """Two servers that both save; written to in turns, so that a busy machine slows both."""
    slow = ["--rdb-key-save-delay", "200"]
    with Redis(tmp("native"), None, slow) as native, Redis(tmp("redis"), ["--fork-reserve", "25%"], slow) as ours:
        for redis in (native, ours):
            redis.load()
            redis.benchmark(5000, keys=2000)
            redis.client("BGSAVE")
        pairs = []
        for i in range(SLICES):
            order = (native, ours) if i % 2 else (ours, native)
            got = {redis is ours: redis.benchmark(4000, keys=2000, clients=10) for redis in order}
            pairs.append(got[True] / got[False])
        tap.ok(native.saving() and ours.saving(), "throughput: both are saving till the end", ours.said())
        tap.equal(ours.job.reports(), [], "throughput: nothing is refused or ended")
    ratio = statistics.median(pairs)
    tap.ok(ratio >= 0.95, "throughput: at least 0.95 of that without surety during a snapshot")
    tap.diag("median %.3f of %s" % (ratio, " ".join("%.2f" % p for p in sorted(pairs))))


def main():
    need_live()
    for program in ("redis-server", "redis-benchmark"):
        if not shutil.which(program):
            skip_all("program: %s is not installed" % program)
    tap = Tap()
    for test in sys.argv[1:] and [globals()[n] for n in sys.argv[1:]] or (bgsave, bgrewriteaof, full, too_fast, throughput):
        tap.guarded(test)
    tap.done()


main()
