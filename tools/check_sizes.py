#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Keeps files and functions readable: a .c file over 800 lines, a .h file over
300 or a function over 100 lines is a fault, unless tools/sizes.allow names it with a
reason.  An entry that is not needed any more is a fault as well.

Functions are told by the kernel's style: the brace that opens and the one that
closes the body are alone in the first column.
"""
import os
import re
import sys

FILE_MAX, HEADER_MAX, FUNCTION_MAX = 800, 300, 100
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAME = re.compile(r"([A-Za-z_]\w*)\s*\(")


def read_allowed(path):
    """Lines of `PATH REASON` or `PATH:FUNCTION REASON`."""
    allowed = {}
    with open(path) as f:
        for line in f:
            line = line.strip()
            if line and not line.startswith("#"):
                what, _, reason = line.partition(" ")
                if not reason.strip():
                    sys.exit(f"{path}: '{what}' has no reason")
                allowed[what] = reason
    return allowed


def functions(lines):
    """(name, lines) of each function body."""
    start, head = None, ""
    for number, line in enumerate(lines):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            match = NAME.search(head)
            yield (match[1] if match else "?"), number - start + 1
            start = None
        elif start is None and line and line[0] not in "\t #/*}":
            head = line


def long_things():
    for top in ("src", "tests", "bench", "tools", "demo"):
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in sorted(names):
                if not name.endswith((".c", ".h")):
                    continue
                path = os.path.relpath(os.path.join(folder, name), ROOT)
                with open(os.path.join(folder, name)) as f:
                    lines = f.read().splitlines()
                limit = FILE_MAX if name.endswith(".c") else HEADER_MAX
                if len(lines) > limit:
                    yield path, f"{len(lines)} lines, more than {limit}"
                for function, size in functions(lines):
                    if size > FUNCTION_MAX:
                        yield f"{path}:{function}", f"{size} lines, more than {FUNCTION_MAX}"


def main():
    allowed = read_allowed(os.path.join(ROOT, "tools", "sizes.allow"))
    found = dict(long_things())
    faults = [f"{what}: {why}" for what, why in found.items() if what not in allowed]
    faults += [f"tools/sizes.allow: '{what}' is not too long any more" for what in allowed if what not in found]
    print("1..1")
    print("not ok 1 - sizes" if faults else "ok 1 - no file and no function is too long")
    for fault in faults:
        print("# " + fault)
    sys.exit(1 if faults else 0)


main()
