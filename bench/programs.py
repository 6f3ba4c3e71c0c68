# SPDX-License-Identifier: MIT
"""Rows about programs that nobody here wrote, beside those in rows.py."""
import glob
import os
import tarfile

from measure import Missing
from rows import need, three_ways
from servers import run


def sqlite_command(bench):
    script = ("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); "
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
              "INSERT INTO t SELECT i, hex(i * 2654435761) FROM n; CREATE INDEX u ON t(b); "
              "SELECT count(*) FROM t x JOIN t y ON x.b = y.b;" % bench.count(100000, 1000))
    return [need("sqlite3"), ":memory:", script]


def row_sqlite(bench):
    """sqlite: sqlite3 making, filling and searching a table of 100,000 rows in memory"""
    return three_ways(bench, "sqlite", sqlite_command(bench), bar=1.05)


def unpack(archive, parts, folder):
    """The named folders of a source archive, and the files beside them; no links: to follow one is to read it all again."""
    with tarfile.open(archive) as tar:
        for member in tar:
            names = member.name.split("/")
            if member.islnk() or member.issym():
                continue
            if len(names) == 2 or (len(names) > 2 and names[1] in parts):
                tar.extract(member, folder)
    return os.path.join(folder, names[0])


def make_command(bench):
    """(argv, the folder to run it in)"""
    folder = os.path.join(bench.path("binutils"), "*", "libiberty")
    if not glob.glob(folder):
        found = glob.glob("/usr/src/binutils/binutils-*.tar.*")
        if not found:
            raise Missing("binutils-source is not installed")
        run(["./configure"], cwd=os.path.join(unpack(found[0], ("include", "libiberty"), bench.path("binutils")), "libiberty"))
    return ["/bin/sh", "-c", '"$0" -s clean && "$0" -s -j2', need("make")], glob.glob(folder)[0]


def row_make(bench):
    """make: make -j2 of libiberty, the C library of the GNU binutils, of some 60 files"""
    argv, folder = make_command(bench)
    return three_ways(bench, "make", argv, cwd=folder, bar=1.05)


# Classes of stress-ng and how often each does its thing, for some tenths of a second.
CLASSES = {
    "malloc": (60, ["--malloc-bytes", "32M"]), "mmap": (2, ["--mmap-bytes", "8M"]), "mremap": (60, ["--mremap-bytes", "4M"]),
    "brk": (100000, []), "bigheap": (4000, ["--bigheap-growth", "64K"]), "mprotect": (20000, []), "vm": (4000, ["--vm-bytes", "8M"]),
    "shm": (40, ["--shm-bytes", "4M"]), "memfd": (1, ["--memfd-bytes", "8M"]), "fork": (150, []), "vfork": (150, []),
    "clone": (30, []),
}


def row_stress(bench):
    """stress: stress-ng's classes on memory and processes, each a fixed number of operations"""
    program, found = need("stress-ng"), []
    for name, (count, options) in CLASSES.items():
        argv = [program, "--" + name, "1", "--%s-ops" % name, str(max(1, count // bench.count(1, 20))), *options,
                "--no-rand-seed", "--quiet", "--temp-path", bench.folder]
        # Some ask for more than there is anywhere, to see it refused.
        found += three_ways(bench, "stress", argv, case=name, options=["--report", "/dev/null"])
    return found


ROWS = [row_sqlite, row_make, row_stress]
