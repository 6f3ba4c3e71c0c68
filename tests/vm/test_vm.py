#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bpf engine on Debian's 6.12 kernel: boots a guest and runs a script there.

    test_vm.py SCRIPT [ARGUMENT...]

The script prints TAP, which is passed on.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "guest"))

from guest import need_qemu  # noqa: E402

BUILD = os.environ["BUILD"]


def main():
    need_qemu()
    if not os.path.exists(os.path.join(BUILD, "src", "bpf", "surety.bpf.o")):
        print("1..0 # SKIP bpf: built without clang, llvm, bpftool or libbpf")
        return 77
    programs = [os.path.join(BUILD, name) for name in ("surety", "surety-report", "tests/vm/ops", "tests/vm/churn")]
    files = [a for program in programs for a in ("--file", program)]
    return subprocess.call([
        os.path.join(HERE, "..", "guest", "run"), "--build", BUILD, "--memory", "1G", "--cpus", "2", "--shell",
        "--timeout", "550", *files, "--file", HERE + ":/vm", "--", "sh", "/vm/" + sys.argv[1] + ".sh", *sys.argv[2:]],
        stdin=subprocess.DEVNULL)


sys.exit(main())
