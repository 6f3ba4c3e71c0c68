#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bash completion offers what the option table has, where it belongs."""
import os
import subprocess

from cli import BUILD, Tap, commands, options

SCRIPT = os.path.join(BUILD, "man", "surety")
ASK = """
set -u
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_surety
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(*words, extra=""):
    """What is offered for the last of WORDS; bash hands = over as a word."""
    done = subprocess.run(["bash", "--norc", "-c", extra + ASK, "bash", SCRIPT, "surety", *words],
                          capture_output=True, cwd=os.path.dirname(os.path.abspath(__file__)))
    return done.stderr.decode() or sorted(filter(None, done.stdout.decode().split("\n")))


def main():
    tap = Tap()
    tap.equal(offered(""), sorted(commands() + ["--help", "--version"]), "commands")
    tap.equal(offered("st"), ["status"], "a command begun")
    for command in commands():
        rows = [name for c, name, _, _ in options() if c == command]
        tap.equal(offered(command, "--"), sorted([f"--{n}" for n in rows] + ["--help"]), f"options of {command}")
    for command, name, letter, argument in options():
        if argument and "|" in argument:
            words = sorted(argument.split("|"))
            tap.equal(offered(command, f"--{name}", ""), words, f"values of {command} --{name}")
            tap.equal(offered(command, f"--{name}", "=", ""), words, f"values of {command} --{name}=")
            tap.equal(offered(command, f"--{name}", "="), words, f"values of {command} --{name} with the =")
            tap.equal(offered(command, f"--{name}", words[0][:-1]), [w for w in words if w.startswith(words[0][:-1])],
                      f"a value of {command} --{name} begun")
        elif argument and argument != "FILE":
            tap.equal(offered(command, f"--{name}", ""), [], f"nothing for the {argument} of {command} --{name}")
            if letter:
                tap.equal(offered(command, f"-{letter}", ""), [], f"nothing for the {argument} of {command} -{letter}")
    tap.equal(offered("run", "--report", "test_co"), ["test_completion.py"], "a file for --report")
    tap.equal(offered("run", "--limit", "1G", "--summ"), ["--summary"], "an option behind an argument")
    tap.equal(offered("run", "--limit", "=", "1G", "--summ"), ["--summary"], "an option behind =argument")
    tap.ok("true" in offered("run", "--limit", "1G", "--", "tru"), "a command behind --")
    tap.ok("true" in offered("run", "--limit", "1G", "tru"), "a command behind the options")
    tap.equal(offered("run", "--limit", "1G", "ls", "--summ"), [], "what follows the command is not ours")
    tap.equal(offered("run", "--limit", "1G", "ls", "test_co"), ["test_completion.py"], "files for its arguments")
    outer = "_command_offset() { COMPREPLY=(\"offset $1\"); }\n"
    tap.equal(offered("run", "--limit", "1G", "--", "git", "ch", extra=outer), ["offset 5"],
              "the command's own completion, where bash-completion has it")
    tap.equal(offered("help", "pro"), ["probe"], "help on a command")
    tap.equal(offered("probe", ""), [], "no operand for probe")
    tap.done()


main()
