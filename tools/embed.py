#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints a text file as a C header: one array of characters.

    embed.py FILE NAME
"""
import sys


def main():
    path, name = sys.argv[1:]
    with open(path, "rb") as f:
        data = f.read() + b"\0"
    print("static const char %s[] = {" % name)
    for at in range(0, len(data), 20):
        print("\t" + " ".join("%d," % (b if b < 128 else b - 256) for b in data[at:at + 20]))
    print("};")


if __name__ == "__main__":
    main()
