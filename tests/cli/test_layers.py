#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/check_layers.py refuses what the table in docs/ARCHITECTURE.md does not allow."""
import os
import shutil
import subprocess
import sys
import tempfile

from cli import ROOT, Tap

CHECK = os.path.join(ROOT, "tools", "check_layers.py")

# file under src/, its include, whether it is allowed
ROWS = [
    ("core/a.c", '"base/err.h"', True),
    ("core/a.c", '"core/rules.h"', True),
    ("core/a.c", "<stdint.h>", True),
    ("core/a.c", '"sys/smaps.h"', False),
    ("core/a.c", "<stdio.h>", False),
    ("core/a.c", "<unistd.h>", False),
    ("base/a.h", '"core/rules.h"', False),
    ("sys/a.c", '"core/rules.h"', True),
    ("sys/a.c", '"engine/engine.h"', False),
    ("engine/seccomp/a.c", '"engine/engine.h"', True),
    ("engine/seccomp/a.c", '"engine/null/null.h"', False),
    ("engine/null/a.c", '"engine/seccomp/group.h"', False),
    ("engine/seccomp/a.c", '"report/record.h"', False),
    ("engine/seccomp/a.c", '"cli/opts.h"', False),
    ("engine/seccomp/a.c", '"filter_program.h"', True),
    ("report/a.c", '"core/refusal.h"', True),
    ("report/a.c", '"engine/engine.h"', False),
    ("cli/a.c", '"engine/engine.h"', True),
    ("main.c", '"cli/cmd.h"', True),
    ("main.c", '"engine/engine.h"', False),
    ("cli/a.c", '"parse.h"', False),
    ("core/rules.def", '"sys/smaps.h"', False),
    ("other/a.c", "<stdint.h>", False),
]


def main():
    tap = Tap()
    for path, include, allowed in ROWS:
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "docs"))
            shutil.copy(os.path.join(ROOT, "docs", "ARCHITECTURE.md"), os.path.join(folder, "docs"))
            full = os.path.join(folder, "src", path)
            os.makedirs(os.path.dirname(full))
            with open(full, "w") as f:
                f.write(f"/* */\n#include {include}\n")
            done = subprocess.run([sys.executable, CHECK, folder], capture_output=True, text=True)
            tap.ok(done.returncode == (0 if allowed else 1) and not done.stderr,
                   f"{path} {'may' if allowed else 'may not'} include {include}", done.stdout + done.stderr)
    tap.done()


main()
