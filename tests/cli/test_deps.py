#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/deps.sh asks apt for what is missing and for nothing else."""
import os
import re
import subprocess
import tempfile

from cli import ROOT, Tap, read

DEPS = os.path.join(ROOT, "tools", "deps.sh")
FAKE_DPKG = """#!/bin/sh
for package; do :; done
case " $INSTALLED " in *" $package "*) printf installed ;; *) exit 1 ;; esac
"""
FAKE_LOG = "#!/bin/sh\necho \"${0##*/} $*\" >>\"$LOG\"\n"


def packages(name):
    text = re.search(rf"^list_{name}='\n(.*?)^'", read("tools", "deps.sh"), re.S | re.M)[1]
    return [line.split() for line in text.splitlines()]


def run(folder, *args, installed=()):
    """Runs deps.sh where only INSTALLED is there, and no command at all."""
    log = os.path.join(folder, "log")
    open(log, "w").close()
    env = {"PATH": folder, "INSTALLED": " ".join(installed), "LOG": log}
    done = subprocess.run(["/bin/sh", DEPS, *args], env=env, capture_output=True, text=True)
    with open(log) as f:
        return done, f.read()


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        fakes = {"dpkg-query": FAKE_DPKG, "apt-get": FAKE_LOG, "sudo": FAKE_LOG}
        for name, text in fakes.items():
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
            os.chmod(os.path.join(folder, name), 0o755)
        for name in ("sort", "id", "sh", "rm", "chmod"):
            os.symlink(os.path.join("/bin", name) if os.path.exists(f"/bin/{name}") else f"/usr/bin/{name}",
                       os.path.join(folder, name))
        build = [row[0] for row in packages("build")]
        tap.ok(len(build) > 5 and all(len(row) > 2 for row in packages("build") + packages("test")),
               "each package says what it is for")
        done, _ = run(folder, "--missing", "build")
        tap.equal(done.stdout.split(), sorted(build), "with nothing there, all of the list is missing")
        done, log = run(folder, "build", installed=build)
        tap.equal((done.returncode, log), (0, ""), "with everything there no apt call is made")
        done, _ = run(folder, "--missing", "build", installed=build[1:])
        tap.equal(done.stdout.split(), [build[0]], "only what is missing is asked for")
        with open(os.path.join(folder, packages("test")[3][1]), "w"):
            pass
        os.chmod(os.path.join(folder, packages("test")[3][1]), 0o755)
        done, _ = run(folder, "--missing", "test")
        tap.ok(packages("test")[3][0] not in done.stdout.split(), "a package whose command exists is not needed")
        done, _ = run(folder, "no-such-list")
        tap.equal(done.returncode, 1, "an unknown list is an error")
    tap.done()


main()
