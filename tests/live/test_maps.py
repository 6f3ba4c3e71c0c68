#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""surety maps: charge and rule of mappings that were made on purpose."""
import ctypes
import json
import mmap
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import KIB, MIB, SURETY, Tap  # noqa: E402

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
NORESERVE, FIXED, RW = 0x4000, 0x10, 3


def maps(*args):
    done = subprocess.run([SURETY, "maps", "--json", *args, str(os.getpid())], capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def row_at(rows, address):
    found = [r for r in rows if r["row"] == "mapping" and int(r["start"], 16) <= address < int(r["end"], 16)]
    return found[0] if found else None


def ac_bytes():
    total = size = 0
    for line in open("/proc/self/smaps", errors="surrogateescape"):
        if line.startswith("VmFlags:"):
            total += size if "ac" in line.split()[1:] else 0
        elif not line.split()[0].endswith(":"):
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            size = end - start
    return total


def main():
    tap = Tap()
    folder = tempfile.TemporaryDirectory()
    path = os.path.join(folder.name, "na\nme\x1b[31m")
    with open(path, "wb") as f:
        f.truncate(2 * MIB)
    fd = os.open(path, os.O_RDWR)

    def map_(size, prot, flags, fd=-1):
        # a guard below keeps neighbours from being merged into it
        room = libc.mmap(None, size + 64 * KIB, 0, PRIVATE | NORESERVE, -1, 0)
        return libc.mmap(room + 32 * KIB, size, prot, flags | FIXED, fd, 0)

    anon = map_(4 * MIB, RW, PRIVATE)
    noreserve = map_(8 * MIB, RW, PRIVATE | NORESERVE)
    readonly = map_(3 * MIB, 1, PRIVATE)
    file = map_(2 * MIB, RW, mmap.MAP_PRIVATE, fd)
    shared_file = map_(2 * MIB, RW, mmap.MAP_SHARED, fd)
    sticky = map_(1 * MIB, RW, PRIVATE)
    ctypes.memset(sticky, 1, MIB)
    libc.mprotect(sticky, MIB, 1)
    shared = mmap.mmap(-1, 6 * MIB)
    shared[:MIB] = b"x" * MIB
    stack = [int(line.split("-")[0], 16) for line in open("/proc/self/maps") if "[stack]" in line][0]

    rows = maps("--overcommit-memory", "0")
    total = rows[-1]
    tap.equal(total["charged_bytes"], ac_bytes(), "the sum is that of the ac mappings, to the page")
    for name, address, rule, charge in (
            ("private writable", anon, "R-010", 4 * MIB), ("MAP_NORESERVE", noreserve, "R-013", 0),
            ("read-only", readonly, "R-014", 0), ("private file", file, "R-011", 2 * MIB),
            ("shared file", shared_file, "R-015", 0), ("read-only again", sticky, "R-019", MIB)):
        row = row_at(rows, address)
        tap.equal((row["rule"], row["charged_bytes"]), (rule, charge), name)
    tap.equal(row_at(rows, stack)["rule"], "R-050", "the stack")
    tap.equal(row_at(rows, noreserve)["flags"], "nr", "flags as smaps has them")
    tap.equal([(r["charged_bytes"], r["touched_bytes"]) for r in rows if r["row"] == "object" and r["rule"] == "R-060"
               and r["charged_bytes"] == 6 * MIB], [(6 * MIB, MIB)], "a shared object is told apart")
    sums = {r["rule"]: r for r in rows if r["row"] == "rule"}
    tap.equal(sum(r["charged_bytes"] for r in sums.values()), total["charged_bytes"], "the rules add up to the sum")
    tap.equal(sum(r["size_bytes"] for r in sums.values()), total["size_bytes"], "and to the size")

    strict = maps("--overcommit-memory", "2")
    row = row_at(strict, noreserve)
    tap.equal((row["rule"], row["charged_bytes"]), ("R-012", 8 * MIB), "mode 2 charges MAP_NORESERVE")
    host = maps()[-1]["overcommit_memory"]
    tap.equal(host, int(open("/proc/sys/vm/overcommit_memory").read()), "the default is the host's mode")

    text = subprocess.run([SURETY, "maps", str(os.getpid())], capture_output=True).stdout
    tap.ok(b"\x1b" not in text and b"na\\\\012me\\x1b[31m" in text, "a hostile path is escaped", text[:0])
    tap.ok(subprocess.run([SURETY, "maps", "--human", str(os.getpid())], capture_output=True).returncode == 0, "--human")
    kernel = subprocess.run([SURETY, "maps", "2"], capture_output=True)
    if os.path.exists("/proc/2/exe") or os.geteuid():
        tap.skip("a kernel thread", "root: process 2 is none that may be read")
    else:
        tap.ok(kernel.returncode == 0 and b"has no address space" in kernel.stdout, "a kernel thread", kernel)
    if os.geteuid() == 0:
        done = subprocess.run([SURETY, "maps", str(os.getpid())], capture_output=True, user=65534, group=65534,
                              extra_groups=[])
        tap.equal((done.returncode, done.stdout, done.stderr.decode()),
                  (125, b"", "surety: cannot read the mappings of process '%d': Permission denied "
                             "(run it as root, or as its user)\n" % os.getpid()), "somebody else's process")
    tap.done()


main()
