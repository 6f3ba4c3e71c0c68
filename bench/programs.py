# SPDX-License-Identifier: MIT
"""Rows about programs that nobody here wrote, beside those in rows.py."""
import glob
import os
import tarfile

from measure import Missing
from rows import need, three_ways
from servers import run


def row_sqlite(bench):
    """sqlite: sqlite3 making, filling and searching a table of 100,000 rows in memory"""
    script = ("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); "
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
              "INSERT INTO t SELECT i, hex(i * 2654435761) FROM n; CREATE INDEX u ON t(b); "
              "SELECT count(*) FROM t x JOIN t y ON x.b = y.b;" % bench.count(100000, 1000))
    return three_ways(bench, "sqlite", [need("sqlite3"), ":memory:", script], bar=1.05)


def unpack(archive, parts, folder):
    """The named folders of a source archive, and the files beside them."""
    with tarfile.open(archive) as tar:
        for member in tar:
            names = member.name.split("/")
            if len(names) == 2 or (len(names) > 2 and names[1] in parts):
                tar.extract(member, folder)
    return os.path.join(folder, names[0])


def row_make(bench):
    """make: make -j2 of libiberty, the C library of the GNU binutils, of some 60 files"""
    found = glob.glob("/usr/src/binutils/binutils-*.tar.*")
    if not found:
        raise Missing("binutils-source is not installed")
    make = need("make")
    folder = os.path.join(unpack(found[0], ("include", "libiberty"), bench.path("binutils")), "libiberty")
    run(["./configure"], cwd=folder)
    return three_ways(bench, "make", ["/bin/sh", "-c", '"$0" -s clean && "$0" -s -j2', make], cwd=folder, bar=1.05)


ROWS = [row_sqlite, row_make]
