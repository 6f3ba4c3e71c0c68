#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds #include lines in src/ to the layer table of docs/ARCHITECTURE.md.

    check_layers.py [ROOT] [--stamp FILE]

The table stands between <!-- layers --> and <!-- /layers -->; its columns are
folder under src/, folders it may include, system headers it may include (* for
any).  A file belongs to the longest folder that matches; a folder may always
include itself.  Headers that the build generates are in no folder and free.
"""
import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
GENERATED = {"config.h", "filter_program.h", "explain_page.h", "surety.skel.h"}


def read_table(path):
    with open(path) as f:
        text = f.read()
    match = re.search(r"<!-- layers -->(.*?)<!-- /layers -->", text, re.S)
    if not match:
        sys.exit(f"{path}: no layer table")
    table = {}
    for line in match[1].splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if len(cells) < 3 or not cells[0].startswith("`"):
            continue
        folder, may, headers = (re.findall(r"`([^`]+)`", c) for c in cells[:3])
        table[folder[0].strip("/")] = ({m.strip("/") for m in may}, set(headers))
    if not table:
        sys.exit(f"{path}: the layer table is empty")
    return table


def layer_of(path, table):
    """Longest folder of the table that PATH, relative to src/, lies in."""
    folder = os.path.dirname(path)
    while folder and folder not in table:
        folder = os.path.dirname(folder)
    return folder or (path if path in table else None)


def check_line(path, line, table):
    """The fault in one line of source, or None."""
    match = INCLUDE.match(line)
    if not match:
        return None
    kind, target = match[1], match[2]
    layer = layer_of(path, table)
    may, headers = table[layer]
    if kind == "<":
        return None if "*" in headers or target in headers else f"{layer} may not include <{target}>"
    if target in GENERATED:
        return None
    other = layer_of(target, table)
    if other is None:
        return f'"{target}" is in no layer; includes are written relative to src/'
    return None if other == layer or other in may else f'{layer} may not include {other}: "{target}"'


def check(root):
    table = read_table(os.path.join(root, "docs", "ARCHITECTURE.md"))
    faults, seen = [], 0
    src = os.path.join(root, "src")
    for folder, _, names in os.walk(src):
        for name in sorted(names):
            if not name.endswith((".c", ".h", ".def")):
                continue
            full = os.path.join(folder, name)
            path = os.path.relpath(full, src)
            if layer_of(path, table) is None:
                faults.append(f"src/{path}: in no layer of docs/ARCHITECTURE.md")
                continue
            with open(full) as f:
                for number, line in enumerate(f, 1):
                    seen += 1
                    fault = check_line(path, line, table)
                    if fault:
                        faults.append(f"src/{path}:{number}: {fault}")
    if not seen:
        faults.append(f"{src}: no sources")
    return faults


def main():
    args = sys.argv[1:]
    stamp = None
    if "--stamp" in args:
        at = args.index("--stamp")
        stamp = args[at + 1]
        del args[at:at + 2]
    root = args[0] if args else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    faults = check(root)
    for fault in faults:
        print(fault, file=sys.stderr if stamp else sys.stdout)
    if faults:
        sys.exit(1)
    if stamp:
        with open(stamp, "w") as f:
            f.write("ok\n")
    else:
        print("1..1\nok 1 - every include keeps to the layers")


main()
