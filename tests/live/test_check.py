#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""surety check: the verdict on this host, and the limit that a command needs."""
import ctypes
import json
import mmap
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import GIB, KIB, MIB, PAGE, SURETY, Tap, helper, need_live  # noqa: E402

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
STATUS = {"lives": 0, "raise": 1, "beyond": 2}


def check(*args):
    done = subprocess.run([SURETY, "check", "--json", *args], capture_output=True)
    rows = [json.loads(line) for line in done.stdout.decode().splitlines()]
    return done.returncode, rows[0], rows[1:]


def meminfo(name):
    return int(open("/proc/meminfo").read().partition(name + ":")[2].split()[0]) * KIB


def check_sums(tap):
    status, host, rows = check()
    tap.equal(status, STATUS[host["verdict"]], "the exit status is the verdict")
    promised = host["Committed_AS"] + host["noreserve_bytes"]
    tap.equal(host["needed_bytes"], promised + host["headroom_bytes"] + host["reserve_bytes"] + PAGE, "the sum")
    tap.equal(host["headroom_bytes"], (promised // PAGE * 20 + 99) // 100 * PAGE, "20 per cent of headroom")
    tap.equal(host["CommitLimit"], meminfo("CommitLimit"), "CommitLimit")
    ram, swap = meminfo("MemTotal") - meminfo("Hugetlb"), meminfo("SwapTotal")
    tap.equal(host["backing_bytes"], ram + swap, "RAM without hugetlb, and swap")
    want = "lives" if host["needed_bytes"] <= host["CommitLimit"] else \
        "raise" if host["needed_bytes"] <= ram + swap else "beyond"
    tap.equal(host["verdict"], want, "the verdict follows from the sum")
    tap.equal(host["overcommit_kbytes"], (host["needed_bytes"] - swap) // KIB, "kbytes")
    tap.equal(host["overcommit_ratio"], -(-(host["needed_bytes"] - swap) * 100 // ram), "ratio")
    unused = [r["unused_bytes"] for r in rows if r["row"] == "unused"]
    tap.ok(unused and unused == sorted(unused, reverse=True) and len(unused) <= 10, "who holds most", unused)
    _, tighter, _ = check("--headroom", "50")
    tap.ok(tighter["headroom_bytes"] > host["headroom_bytes"], "--headroom")
    _, _, few = check("--lines", "1")
    tap.ok(len(few) <= 2, "--lines", few)
    text = subprocess.run([SURETY, "check"], capture_output=True)
    lines = re.findall(r"^sysctl -w vm\.overcommit_(memory|kbytes)=(\d+)", text.stdout.decode(), re.M)
    tap.ok(("memory", "2") in lines, "sysctl lines to paste", text.stdout.decode())
    tap.ok(max(map(len, text.stdout.decode().splitlines())) <= 140, "lines are short")


def check_noreserve(tap):
    for _ in range(10):  # others come and go meanwhile
        _, before, _ = check()
        address = libc.mmap(None, GIB, 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, -1, 0)
        _, after, rows = check()
        grown = after["noreserve_bytes"] - before["noreserve_bytes"]
        if abs(grown - GIB) < 256 * MIB:
            break
        libc.munmap(address, GIB)
    tap.ok(abs(grown - GIB) < 256 * MIB, "MAP_NORESERVE is charged by mode 2", grown)
    tap.ok(os.getpid() in [r["pid"] for r in rows if r["row"] == "noreserve"], "and its holder named", rows)
    libc.munmap(address, GIB)
    address = libc.mmap(None, 1 << 40, 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, -1, 0)
    if address == ctypes.c_void_p(-1).value:
        tap.skip("more than there is", "program: this host refuses it")
        return
    status, host, _ = check()
    tap.equal((status, host["verdict"]), (2, "beyond"), "more than there is")
    text = subprocess.run([SURETY, "check", "--human"], capture_output=True).stdout.decode()
    tap.ok("cannot start in mode 2" in text and "mode 2 cannot keep its word" in text, "and says so", text)
    libc.munmap(address, 1 << 40)
    for _ in range(10):
        _, before, _ = check()
        shared = mmap.mmap(-1, 512 * MIB, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | 0x4000)
        shared[:MIB] = b"x" * MIB
        _, after, _ = check()
        shared.close()
        grown = after["noreserve_bytes"] - before["noreserve_bytes"]
        if abs(grown - 511 * MIB) < 200 * MIB:
            break
    tap.ok(abs(grown - 511 * MIB) < 200 * MIB, "shared MAP_NORESERVE memory is charged whole by mode 2", grown)


def check_unprivileged(tap):
    if os.geteuid():
        tap.skip("another user's view", "root: not root")
        return
    done = subprocess.run([SURETY, "check", "--json"], capture_output=True, user=65534, group=65534, extra_groups=[])
    host = json.loads(done.stdout.decode().splitlines()[0])
    tap.ok(not host["certain"] and done.returncode in (0, 1, 2), "what rests on part of the processes is not certain", host)


def needed(*command):
    done = subprocess.run([SURETY, "check", "--json", "--", *command], capture_output=True)
    return done, json.loads(done.stderr.decode().splitlines()[-1])


def refusals(limit, *command):
    done = subprocess.run([SURETY, "run", "--limit", "%dK" % (limit // KIB), "--summary", "--", *command],
                          capture_output=True)
    found = re.search(r"(\d+) refusals?", done.stderr.decode().splitlines()[-1])
    return int(found[1]) if found else -1


def check_command(tap):
    done, row = needed("sh", "-c", "echo out; exit 7")
    tap.equal((done.returncode, done.stdout, row["exit_status"]), (7, b"out\n", 7), "the command's output and status")
    done, row = needed("sh", "-c", "kill -TERM $$")
    tap.equal((done.returncode, row["exit_status"]), (143, 143), "the command's signal")
    tap.equal(row["needed_bytes"], row["peak_bytes"] + PAGE, "the limit is a page above the peak")
    program = [helper("static")] if helper("static") else []
    for command in (["python3", "-S", "-E", "-c", "x = bytearray(64 << 20)"], ["cat", "/etc/passwd"],
                    ["sort", "-S", "16M", "--parallel=1", os.path.abspath(__file__)], program):
        if not command:
            continue
        _, row = needed(*command)
        limit = row["needed_bytes"]
        name = " ".join(command)[:40]
        # the stack's start is random by a few pages
        tap.equal(refusals(limit + 8 * PAGE, *command), 0, "%s: the limit that is told refuses nothing" % name)
        less = limit - max(limit // 50, 12 * PAGE)
        tap.ok(refusals(less // KIB * KIB, *command) != 0, "%s: 2 %% less does" % name)
    _, row = needed("python3", "-c", "import mmap\nmmap.mmap(-1, 1<<30, flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS|0x4000)")
    tap.ok(row["peak_bytes"] > GIB, "MAP_NORESERVE counts, as in mode 2", row)
    text = subprocess.run([SURETY, "check", "/bin/true"], capture_output=True).stderr.decode()
    tap.ok(re.match(r"surety: '/bin/true': peak Committed_AS \S+ in \d+ charges; "
                    r"the least limit without a refusal is --limit \d+K\n", text), "a line for people", text)
    tap.ok(re.search(r"^peak +\w+ of .* by .*\n    #0 ", text, re.M), "the request that makes the peak, with its stack", text)
    tap.ok(re.search(r"^held at the peak\n.* CALL SITE\n.* kB ", text, re.M), "who holds it", text)
    check_record(tap)


def check_record(tap):
    with tempfile.TemporaryDirectory() as folder:
        env = dict(os.environ, TMPDIR=folder)
        done = subprocess.run([SURETY, "check", "python3", "-S", "-E", "-c", "x = bytearray(80 << 20); print(len(x))"],
                              capture_output=True, env=env)
        text = done.stderr.decode()
        tap.equal(done.stdout, b"%d\n" % (80 * MIB), "the output is the command's alone")
        tap.ok(re.search(r"^ +8\d{4} kB +\d+ % +\d+ kB  python3 .*\S", text.partition("held at the peak")[2], re.M),
               "the call site that holds most of the peak", text)
        mib = [float(x) for x in re.search(r"^peak .*: Committed_AS ([\d.]+)M \+ ([\d.]+)M$", text, re.M).groups()]
        told = re.search(r"refusal is --limit (\d+)K$", text, re.M)
        tap.ok(abs(sum(mib) * 1024 - int(told[1])) < 256, "record and ledger agree on the peak", text)
        tap.equal(os.listdir(folder), [], "the record is not kept")
        child = subprocess.Popen([SURETY, "check", "sh", "-c", "echo; exec sleep 60"], env=env,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        child.stdout.readline()
        child.terminate()
        child.wait()
        tap.equal(os.listdir(folder), [], "nor where the command was ended")


def main():
    tap = Tap()
    for function in (check_sums, check_noreserve, check_unprivileged):
        tap.guarded(function)
    need_live()
    tap.guarded(check_command)
    tap.done()


main()
