#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The man page is valid mdoc and has every section, command, option and default."""
import os
import re
import shutil
import subprocess

from cli import BUILD, Tap, commands, options, read

SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "ENVIRONMENT", "EXIT STATUS", "FILES", "EXAMPLES",
            "SEE ALSO", "NOTES"]


def rendered(page):
    text = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=1000", page], check=True,
                          capture_output=True).stdout.decode()
    return re.sub(r".\x08", "", text)


def main():
    tap = Tap()
    page = os.path.join(BUILD, "man", "surety.1")
    with open(page) as f:
        source = f.read()
    tap.equal(sorted(re.findall(r"^\.Sh (.*)$", source, re.M)), sorted(SECTIONS), "sections")
    for command in commands():
        tap.ok(f".It Cm {command}\n" in source and f".Nm\n.Cm {command}\n" in source,
               f"{command} is in SYNOPSIS and COMMANDS")
    text = rendered(page) if shutil.which("mandoc") else None
    if text is None:
        tap.skip("mandoc -T lint", "mandoc: not installed")
    else:
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True)
        tap.ok(lint.returncode == 0 and not lint.stdout, "mandoc -T lint -W warning", lint.stdout.decode())
    for command, name, letter, argument in options():
        section = source.partition(f".Ss Options of surety {command}\n")[2].partition(".Ss ")[0].partition(".Sh ")[0]
        item = (f"Fl {letter}{' Ar ' + argument if argument else ''} , " if letter else "") \
            + f"Fl -{name}{' Ar ' + argument if argument else ''}"
        tap.ok(f".It {item}\n" in section, f"{command} --{name} is in OPTIONS", section)
        if text:
            tap.ok(re.search(rf"(^|\s)--{name}{re.escape(' ' + argument) if argument else ''}(\n|  )", text), f"{command} --{name} is rendered")
    tap.equal(len(re.findall(r"^\.It .*Fl -", source, re.M)), len(options()), "no other option is described")
    tap.ok("@" not in re.sub(r"^\.\\\".*$", "", source, flags=re.M), "no part of the template is left over")
    template = read("man", "surety.1.in")
    tap.ok(all(line in source for line in template.splitlines() if not line.startswith("@")),
           "the prose of the template is there")
    tap.done()


main()
