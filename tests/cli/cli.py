# SPDX-License-Identifier: MIT
"""What the tests of the command line share: TAP, and the rows of the table."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
SURETY = os.environ.get("SURETY", os.path.join(BUILD, "surety"))


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, name, diagnosis=""):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}")
        if not good:
            for line in str(diagnosis).splitlines()[:40]:
                print("# " + line)
        return good

    def equal(self, got, want, name):
        return self.ok(got == want, name, f"got  {got!r}\nwant {want!r}")

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}")

    def done(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)


def read(*path):
    with open(os.path.join(ROOT, *path)) as f:
        return f.read()


def commands():
    """Names of the commands, in the order of the table."""
    return re.findall(r"^COMMAND\((\w+)", read("src", "cli", "commands.def"), re.M)


def options():
    """(command, long, letter or None, argument or None) of each row."""
    rows = re.findall(r"^OPT\((\w+), \"([\w-]+)\", (0|'.'), (NULL|\"[^\"]*\")",
                      read("src", "cli", "options.def"), re.M)
    return [(c, name, None if letter == "0" else letter[1], None if arg == "NULL" else arg[1:-1])
            for c, name, letter, arg in rows]
