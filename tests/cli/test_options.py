#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command line as rows: arguments, exit status, stdout, stderr.

Every row is also held to a ceiling on memory and to the three descriptors it
began with.  A command line that is wrong prints one line and starts nothing.
"""
import os
import re
import subprocess
import sys
import tempfile

from cli import BUILD, SURETY, Tap, commands, options

MEASURE = os.environ.get("MEASURE", os.path.join(BUILD, "tests", "cli", "measure"))
RSS_KIB = 8 * 1024
GUARDED = 4  # with a job there is the pipe that ties guard and supervisor together
LINE = re.compile(r"\Asurety: (?P<what>[^':]+?)(?: '(?P<object>.*?)')?: (?P<why>[^()]+) \((?P<do>.+)\)\n\Z")

SIZE = "not a size (a whole number with K, M, G or T behind it, as in 256M)"
LIMIT = ["--limit", "64M"]
RUN = ["run"] + LIMIT
CMD = ["--", "/bin/false"]

# arguments, the line on stderr without "surety: "
ERRORS = [
    ([], "no command given: surety has nothing to do (surety --help lists what it can do)"),
    (["frobnicate"], "unknown command 'frobnicate': surety has none of that name "
                     "(to start a program: surety run --limit 256M -- CMD)"),
    (["statsu"], "unknown command 'statsu': surety has none of that name (did you mean status?)"),
    (["prob"], "unknown command 'prob': surety has none of that name (did you mean probe?)"),
    (["--limit", "1G", "--", "true"], "unknown option '--limit': options stand behind a command "
                                      "(surety --help lists them)"),
    ([""], "unknown command '': surety has none of that name "
           "(to start a program: surety run --limit 256M -- CMD)"),

    # ps
    (["ps", "abc"], "bad process id 'abc': not a whole number (ps lists them)"),
    (["ps", "0"], "bad process id '0': not a whole number (ps lists them)"),
    (["ps", "2147483647"], "no process '2147483647': it is not running (ps lists those that are)"),
    (["ps", "--user", "no-such\x1buser"], "no user 'no-such?user': /etc/passwd has no such name (give its number)"),
    (["ps", "--tree", "--by", "user"], "cannot use '--tree': it has a row for each process (leave out --by)"),
    (["ps", "--lines", "0"], "bad --lines '0': it is 0 (1 or more)"),
    (["ps", "--lines", "x"], "bad --lines 'x': not a whole number (1 or more)"),
    (["ps", "--lines", "2147483648"], "bad --lines '2147483648': too large (at most 2147483647)"),
    (["ps", "--sort", "size"], "bad --sort 'size': not one of the values it takes "
                               "(committed, used, unused, noreserve, stacks, pid)"),

    # maps
    (["maps"], "no process given: surety maps has nothing to show (surety maps PID)"),
    (["maps", "1x"], "bad process id '1x': not a whole number (ps lists them)"),
    (["maps", "2147483647"], "no process '2147483647': it is not running (surety ps lists those that are)"),
    (["maps", "--overcommit-memory", "3", "1"],
     "bad --overcommit-memory '3': not one of the values it takes (0, 1, 2, host)"),

    # check
    (["check", "--"], "no command given: surety check has nothing to start "
                      "(put it after the options: surety check -- CMD)"),
    (["check", "--headroom", "5%"], "bad --headroom '5%': not a whole number (0 or more)"),
    (["check", "--limit", "1G"], "unknown option '--limit': surety check does not have it "
                                 "(surety check --help lists what it has)"),

    # record, explain
    (["run", "--engine", "null", "--record", "r"] + CMD,
     "cannot use '--record': the null engine sees nothing (leave --engine out)"),
    (["run", "--record", "/nowhere/r"] + CMD,
     "cannot write the record '/nowhere/r': No such file or directory (give another --record FILE)"),
    (["explain"], "no record given: surety explain has nothing to read (surety run --record FILE makes one)"),
    (["explain", "a", "b"], "unexpected 'b': surety explain takes one operand (surety explain --help)"),
    (["explain", "--fork-reserve", "101", "r"],
     "bad --fork-reserve '101': it is a part of what a fork charges (1 to 100)"),
    (["explain", "/nowhere/r"],
     "cannot read the record '/nowhere/r': No such file or directory (give the file that --record wrote)"),

    # top
    (["top"], "cannot show 'top': standard input or output is no terminal (surety ps prints the same once)"),
    (["top", "--delay", "0"], "bad --delay '0': it is 0 (1 or more)"),
    (["top", "--sort", "noreserve"], "bad --sort 'noreserve': not one of the values it takes "
                                     "(committed, used, unused, stacks, pid)"),
    (["top", "1"], "unexpected '1': surety top takes no operand (surety top --help)"),

    # options that are none
    (["run", "--limti", "64M"] + CMD, "unknown option '--limti': surety run does not have it (did you mean --limit?)"),
    (["run", "--lim", "64M"] + CMD, "unknown option '--lim': surety run does not have it (did you mean --limit?)"),
    (["run", "--sumary"] + CMD, "unknown option '--sumary': surety run does not have it (did you mean --summary?)"),
    (["run", "--overcommit"] + CMD, "unknown option '--overcommit': surety run does not have it "
                                    "(surety run --help lists what it has)"),
    (["run", "--nonsense=1"] + CMD, "unknown option '--nonsense=1': surety run does not have it "
                                    "(surety run --help lists what it has)"),
    (["run", "-x"] + CMD, "unknown option '-x': surety run does not have it (surety run --help lists what it has)"),
    (["run", "---"] + CMD, "unknown option '---': surety run does not have it "
                           "(surety run --help lists what it has)"),
    (["run", "--=3"] + CMD, "unknown option '--=3': surety run does not have it "
                            "(surety run --help lists what it has)"),
    (["status", "--limit", "1G"], "unknown option '--limit': surety status does not have it "
                                  "(surety status --help lists what it has)"),
    (["status", "--jsno"], "unknown option '--jsno': surety status does not have it (did you mean --json?)"),
    (["audit", "--summary"], "unknown option '--summary': surety audit does not have it "
                             "(surety audit --help lists what it has)"),
    (["probe", "--enigne", "null"], "unknown option '--enigne': surety probe does not have it "
                                    "(did you mean --engine?)"),
    (["help", "--json"], "unknown option '--json': surety help does not have it "
                         "(surety help --help lists what it has)"),

    # arguments that are missing or too many
    (["run", "--limit"], "missing argument of '--limit': it needs SIZE (as in --limit=SIZE)"),
    (["run", "-l"], "missing argument of '--limit': it needs SIZE (as in --limit=SIZE)"),
    (["run", "--limit"] + CMD, "missing argument of '--limit': it needs SIZE (as in --limit=SIZE)"),
    (["run", "--report", "--summary"] + LIMIT + CMD,
     "missing argument of '--report': it needs FILE (as in --report=FILE)"),
    (["run", "--summary=yes"] + LIMIT + CMD, "bad option '--summary=yes': it takes no argument "
                                             "(write --summary alone)"),
    (["run", "--limit="] + CMD, "bad --limit '': it is empty (give SIZE)"),
    (["run", "--limit", ""] + CMD, "bad --limit '': it is empty (give SIZE)"),
    (RUN + ["--report", ""] + CMD, "bad --report '': it is empty (give FILE)"),

    # sizes
    (["run", "--limit", "12Q"] + CMD, f"bad --limit '12Q': {SIZE}"),
    (["run", "--limit", "-5"] + CMD, "bad --limit '-5': a size has no sign (a whole number, as in 256M)"),
    (["run", "--limit", "+5M"] + CMD, "bad --limit '+5M': a size has no sign (a whole number, as in 256M)"),
    (["run", "--limit", "1.5G"] + CMD, f"bad --limit '1.5G': {SIZE}"),
    (["run", "--limit", "M"] + CMD, f"bad --limit 'M': {SIZE}"),
    (["run", "--limit", "64 M"] + CMD, f"bad --limit '64 M': {SIZE}"),
    (["run", "--limit", " 64M"] + CMD, f"bad --limit ' 64M': {SIZE}"),
    (["run", "--limit", "64MM"] + CMD, f"bad --limit '64MM': {SIZE}"),
    (["run", "--limit", "0x4000"] + CMD, f"bad --limit '0x4000': {SIZE}"),
    (["run", "--limit", "99999999999999999999"] + CMD,
     "bad --limit '99999999999999999999': too large (less than 8388608T)"),
    (["run", "--limit", "18446744073709551615"] + CMD,
     "bad --limit '18446744073709551615': too large (less than 8388608T)"),
    (["run", "--limit", "9223372036854775808"] + CMD,
     "bad --limit '9223372036854775808': too large (less than 8388608T)"),
    (["run", "--limit", "8388608T"] + CMD, "bad --limit '8388608T': too large (less than 8388608T)"),
    (["run", "--limit", "16777217T"] + CMD, "bad --limit '16777217T': too large (less than 8388608T)"),
    (["run", "--limit", "0"] + CMD, "bad --limit '0': nothing can start with none (a size such as 256M)"),
    (["run", "--limit", "256"] + CMD, "bad --limit '256': less than a page of 4096 bytes "
                                      "(add the unit, as in 256M)"),
    (["run", "--overcommit-kbytes", "64M"] + CMD,
     "bad --overcommit-kbytes '64M': not a number of KiB (a whole number without a unit; --limit takes 256M)"),
    (["run", "--overcommit-kbytes", "0"] + CMD,
     "bad --overcommit-kbytes '0': nothing can start with none (a size such as 256M)"),
    (["run", "--overcommit-kbytes", "9007199254740992"] + CMD,
     "bad --overcommit-kbytes '9007199254740992': too large (less than 8388608T)"),
    (RUN + ["--memory", "0"] + CMD, "bad --memory '0': nothing can start with none (a size such as 256M)"),
    (RUN + ["--swap", "x"] + CMD, f"bad --swap 'x': {SIZE}"),
    (RUN + ["--admin-reserve", "-1"] + CMD,
     "bad --admin-reserve '-1': a size has no sign (a whole number, as in 256M)"),
    (RUN + ["--user-reserve", "1Q"] + CMD, f"bad --user-reserve '1Q': {SIZE}"),

    # numbers and choices
    (["run", "--overcommit-ratio", "half"] + CMD,
     "bad --overcommit-ratio 'half': not a whole number (per cent of the RAM, as in 50)"),
    (["run", "--overcommit-ratio", "50%"] + CMD,
     "bad --overcommit-ratio '50%': not a whole number (per cent of the RAM, as in 50)"),
    (["run", "--overcommit-ratio", "-50"] + CMD,
     "bad --overcommit-ratio '-50': not a whole number (per cent of the RAM, as in 50)"),
    (["run", "--overcommit-ratio", "0"] + CMD,
     "bad --overcommit-ratio '0': nothing can start with none (per cent of the RAM, as in 50)"),
    (["run", "--overcommit-ratio", "2147483648"] + CMD,
     "bad --overcommit-ratio '2147483648': too large (at most 2147483647)"),
    (RUN + ["--overcommit-memory", "3"] + CMD,
     "bad --overcommit-memory '3': not one of the values it takes (0, 1, 2)"),
    (RUN + ["--overcommit-memory", "never"] + CMD,
     "bad --overcommit-memory 'never': not one of the values it takes (0, 1, 2)"),
    (RUN + ["--on-refusal", "ignore"] + CMD,
     "bad --on-refusal 'ignore': not one of the values it takes (return, stop, abort, kill)"),
    (RUN + ["--on-refusal", "return|stop"] + CMD,
     "bad --on-refusal 'return|stop': not one of the values it takes (return, stop, abort, kill)"),
    (RUN + ["--format", "xml"] + CMD, "bad --format 'xml': not one of the values it takes (text, json)"),
    (RUN + ["--engine", "kvm"] + CMD, "bad --engine 'kvm': not one of the values it takes (auto, seccomp, null, bpf)"),
    (["probe", "--engine", "ebpf"],
     "bad --engine 'ebpf': not one of the values it takes (auto, seccomp, null, bpf)"),
    (RUN + ["--fork-reserve", "0"] + CMD,
     "bad --fork-reserve '0': not a part of the parent (per cent from 1 to 100, as in 25%)"),
    (RUN + ["--fork-reserve", "101%"] + CMD,
     "bad --fork-reserve '101%': not a part of the parent (per cent from 1 to 100, as in 25%)"),
    (RUN + ["--fork-policy", "sh:full,a:reserve=0"] + CMD,
     "bad --fork-policy 'a:reserve=0': its reserve is not a per cent from 1 to 100 "
     "(as in redis-server:reserve=25%,exec-grace=200ms)"),
    (RUN + ["--fork-policy", "exec-grace=5"] + CMD,
     "bad --fork-policy 'exec-grace=5': its grace is not a time as 200ms or 2s "
     "(as in redis-server:reserve=25%,exec-grace=200ms)"),
    (RUN + ["--fork-reserve", "5", "--fork-policy", "full"] + CMD,
     "bad --fork-policy 'full': the policy of all others is given twice "
     "(as in redis-server:reserve=25%,exec-grace=200ms)"),
    (RUN + ["--fork-end-grace", "1h"] + CMD,
     "bad --fork-end-grace '1h': not a time (a whole number with ms, s or m behind it, as in 500ms)"),
    (RUN + ["--fork-end", "stop"] + CMD, "bad --fork-end 'stop': not one of the values it takes (term, kill)"),
    (["run", "--overcommit-memory", "1", "--fork-reserve", "5"] + CMD,
     "cannot use '--fork-reserve': only a group with overcommit_memory 2 refuses forks (leave one of them out)"),
    (["attach"], "no cgroup given: surety attach needs one (surety attach system.slice --limit 1G)"),
    (["attach", "a"], "no limit given: a group with overcommit_memory 2 has none by itself (add --limit SIZE or "
     "--overcommit-ratio PCT)"),
    (["attach", "a", "--limit", "1G", "--overcommit-ratio", "50"],
     "cannot use '--overcommit-ratio': the limit is given as a size already (give one of them)"),
    (["detach"], "no cgroup given: surety detach needs one, or --all (surety groups lists them)"),
    (["detach", "--all", "a"], "cannot use '--all': a cgroup is given already (give one of them)"),

    # names
    (RUN + ["--name", "a/b"] + CMD, "bad --name 'a/b': not a name "
                                    "(letters, digits and . _ -, a letter or digit first)"),
    (RUN + ["--name", ".."] + CMD, "bad --name '..': not a name "
                                   "(letters, digits and . _ -, a letter or digit first)"),
    (RUN + ["--name", "1234"] + CMD, "bad --name '1234': digits alone are a process id (add a letter)"),
    (RUN + ["--name", "n" * 64] + CMD, f"bad --name '{'n' * 64}': too long (at most 63 characters)"),

    # what does not go together, and what is not there
    (["run", "--limit", "64M", "--overcommit-kbytes", "65536"] + CMD,
     "cannot use '--overcommit-kbytes': --limit sets the same thing (give one of them)"),
    (["run", "--overcommit-kbytes", "65536", "--limit", "64M"] + CMD,
     "cannot use '--limit': --overcommit-kbytes sets the same thing (give one of them)"),
    (["run", "--limit", "64M", "--overcommit-ratio", "50"] + CMD,
     "cannot use '--overcommit-ratio': the limit is given as a size already (give one of them)"),
    (["run", "--overcommit-ratio", "50", "--overcommit-kbytes", "65536"] + CMD,
     "cannot use '--overcommit-ratio': the limit is given as a size already (give one of them)"),
    (["run"] + CMD, "no limit given: a group with overcommit_memory 2 has none by itself "
                    "(add --limit SIZE or --overcommit-ratio PCT)"),
    (["run", "--overcommit-memory", "2"] + CMD,
     "no limit given: a group with overcommit_memory 2 has none by itself "
     "(add --limit SIZE or --overcommit-ratio PCT)"),
    (RUN, "no command given: surety run has nothing to start "
          "(put it after the options: surety run --limit 256M -- CMD)"),
    (RUN + ["--"], "no command given: surety run has nothing to start "
                   "(put it after the options: surety run --limit 256M -- CMD)"),
    (["run"], "no command given: surety run has nothing to start "
              "(put it after the options: surety run --limit 256M -- CMD)"),
    (["status", "a", "b"], "unexpected 'b': surety status takes one operand (surety status --help)"),
    (["status", "a", "--json", "b"], "unexpected 'b': surety status takes one operand (surety status --help)"),
    (["audit", ""], "bad operand '': it is empty (surety audit --help)"),
    (["probe", "now"], "unexpected 'now': surety probe takes no operand (surety probe --help)"),
    (["help", "rum"], "no help on 'rum': surety has no command of that name (surety --help lists them)"),

    # words that would spoil the line
    (["run", "--limit", "1\n2"] + CMD, f"bad --limit '1?2': {SIZE}"),
    (["run", "--limit", "\x1b[31m"] + CMD, f"bad --limit '?[31m': {SIZE}"),
    (["run", "--limit", "9" * 500] + CMD,
     f"bad --limit '{'9' * 64}...': too large (less than 8388608T)"),
    (["run", "--" + "x" * 4000] + CMD, "unknown option '--" + "x" * 62 + "...': surety run does not have it "
                                       "(surety run --help lists what it has)"),
]

# command lines that are right, and cannot be done: arguments, exit status, line
FAILURES = [
    (RUN + ["--", ""], 127, "cannot run '': the command is empty (is a variable unset?)"),
    (RUN + ["--", "/nonexistent/x"], 127, "cannot run '/nonexistent/x': not found (check the name and PATH)"),
    (RUN + ["--", "no-such-command"], 127, "cannot run 'no-such-command': not found (check the name and PATH)"),
    (RUN + ["--", "/etc/passwd"], 126, "cannot run '/etc/passwd': Permission denied (is it executable?)"),
    (RUN + ["--", "/"], 126, "cannot run '/': it is a directory (name a program)"),
    (["run", "--limit", "4K", "--", "/bin/true"], 125,
     r"cannot start '/bin/true': it needs more than the limit of 4K to load \(give it at least \d+K to get further\)"),
    (RUN + ["--report", "/nonexistent/x", "--", "/bin/true"], 125,
     "cannot write the report '/nonexistent/x': No such file or directory (give another --report FILE)"),
    (RUN + ["--report", "/", "--", "/bin/true"], 125,
     "cannot write the report '/': Is a directory (give another --report FILE)"),
    (RUN + ["--", SURETY] + RUN + ["--", "/bin/true"], 125,
     "cannot supervise 'seccomp': another supervisor already listens to this process "
     "(run surety outside it: a process has one listener)"),
    (["check", "--", "/nonexistent/x"], 127, "cannot run '/nonexistent/x': not found (check the name and PATH)"),
    (["status", "no-such-group"], 125,
     "cannot ask group 'no-such-group': no running group has this name or process "
     "(surety status lists %s)" % ("those of this user" if os.geteuid() else "all")),
    (["audit", "no-such-group"], 125,
     "cannot ask group 'no-such-group': no running group has this name or process "
     "(surety status lists %s)" % ("those of this user" if os.geteuid() else "all")),
]

# command lines that are right: arguments, exit status, stdout
SUCCESSES = [
    (RUN + ["/bin/true"], 0, ""),
    (RUN + ["--", "/bin/false"], 1, ""),
    (RUN + ["sh", "-c", "exit 7"], 7, ""),
    (RUN + ["--", "sh", "-c", "kill -TERM $$"], 128 + 15, ""),
    (RUN + ["--", "sh", "-c", "kill -KILL $$"], 128 + 9, ""),
    (RUN + ["--", "echo", "--limit", "--help"], 0, "--limit --help\n"),
    (RUN + ["--engine", "null", "--", "echo", "x"], 0, "x\n"),
    (RUN + ["--", "ls", "/proc/self/fd"], 0, "0\n1\n2\n3\n"),  # the fourth is ls's own
]


class Measured:
    def __init__(self, args, **kw):
        with tempfile.NamedTemporaryFile("r") as f:
            env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")  # no leak check under ptrace
            done = subprocess.run([MEASURE, f.name, SURETY, *args], stdin=subprocess.DEVNULL,
                                  capture_output=True, env=env, **kw)
            figures = f.read().split()
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()
        self.rss_kib, self.fds = map(int, figures) if len(figures) == 2 else (None, None)

    def police(self, tap, name, fds=3):
        # a sanitizer's own memory is not ours
        light = self.rss_kib is not None and (self.rss_kib < RSS_KIB or "asan" in os.path.basename(BUILD))
        tap.ok(light and self.fds is not None and self.fds <= fds, f"{name}: under {RSS_KIB} KiB, no descriptor left",
               f"peak {self.rss_kib} KiB, {self.fds} descriptors at exit")


def shown(args):
    return " ".join("surety".split() + [repr(a[:40])[1:-1] if a else "''" for a in args])


def check_errors(tap):
    for args, line in ERRORS:
        name = shown(args)
        got = Measured(args)
        tap.equal((got.code, got.out, got.err), (125, "", f"surety: {line}\n"), name)
        match = LINE.match(got.err)
        tap.ok(match and got.err.count("\n") == 1, f"{name}: what, why, what to do", got.err)
        got.police(tap, name)


def check_commands(tap):
    works = subprocess.run([SURETY, "probe"], capture_output=True)
    for args, code, line in FAILURES:
        name = shown(args).replace(SURETY, "surety")
        if works.returncode and args[0] == "run":
            tap.skip(name, "live: surety probe says that no engine works here")
            continue
        got = Measured(args)
        pattern = line if "\\d" in line else re.escape(line)
        tap.ok(got.code == code and got.out == "" and re.fullmatch(f"surety: {pattern}\n", got.err), name,
               f"exit {got.code}\n{got.err}")
        tap.ok(LINE.match(got.err), f"{name}: what, why, what to do", got.err)
        got.police(tap, name, GUARDED)
    for args, code, out in SUCCESSES:
        if works.returncode:
            tap.skip(shown(args), "live: surety probe says that no engine works here")
            continue
        got = Measured(args)
        tap.equal((got.code, got.out, got.err), (code, out, ""), shown(args))
        got.police(tap, shown(args), GUARDED)


def check_nothing_started(tap):
    with tempfile.TemporaryDirectory() as folder:
        witness = os.path.join(folder, "started")
        report = os.path.join(folder, "report")
        for wrong in (["--limit", "12Q"], ["--limit", "0"], ["--limti", "1G"], ["--limit", "1G", "--format", "x"], []):
            args = ["run", "--report", report, *wrong, "--", "/bin/sh", "-c", f": >{witness}"]
            got = Measured(args)
            tap.ok(got.code == 125 and os.listdir(folder) == [],
                   f"{' '.join(wrong) or 'no limit'}: nothing is started, no file is made",
                   f"exit {got.code}, {os.listdir(folder)}")


def check_help(tap):
    overview = Measured(["--help"])
    tap.equal((overview.code, overview.err), (0, ""), "surety --help")
    overview.police(tap, "surety --help")
    listed = re.findall(r"^  ([a-z]+)", overview.out.partition("Commands:\n")[2].partition("\nOptions:")[0], re.M)
    tap.equal(listed, commands(), "surety --help lists the commands of the table")
    for form in (["-h"], ["help"]):
        tap.equal(Measured(form).out, overview.out, f"surety {form[0]} is the same")
    for command in commands():
        rows = [(name, letter, arg) for c, name, letter, arg in options() if c == command]
        got = Measured([command, "--help"])
        tap.equal((got.code, got.err), (0, ""), f"surety {command} --help")
        got.police(tap, f"surety {command} --help")
        found = re.findall(r"^  (?:-(\w), |    )--([\w-]+)(?: (\S+))?(?:  |$)", got.out, re.M)
        tap.equal([(n, letter or None, arg or None) for letter, n, arg in found if n != "help"],
                  rows,
                  f"surety {command} --help has the options of the table, and no other")
        tap.equal(Measured(["help", command]).out, got.out, f"surety help {command} is the same")
        tap.equal(Measured([command, "-h"]).out, got.out, f"surety {command} -h is the same")
        long = [line for line in (got.out + overview.out).splitlines() if len(line) > 80]
        tap.ok(not long, f"surety {command} --help fits 80 columns", "\n".join(long))
    got = Measured(["run", "--limit", "64M", "--help", "--nonsense"])
    tap.ok(got.code == 0 and got.out.startswith("Usage: surety run"), "help asked for is help given")


def check_version(tap):
    for form in ("--version", "-V"):
        got = Measured([form])
        tap.ok(got.code == 0 and re.fullmatch(r"surety \d+\.\d+\.\d+\n", got.out) and not got.err,
               f"surety {form}", got.out + got.err)
        got.police(tap, f"surety {form}")


def check_output_failures(tap):
    for args in (["--help"], ["run", "--help"], ["--version"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([SURETY, *args], stdout=full, stderr=subprocess.PIPE)
        want = "surety: cannot write 'standard output': No space left on device (is the disk full?)\n"
        tap.equal((done.returncode, done.stderr.decode()), (125, want), f"surety {args[0]} on a full disk")
    for fds in (">&-", "<&-", "<&- >&- 2>&-"):
        done = subprocess.run(["/bin/sh", "-c", f'"$1" run --limit 12Q -- true {fds}', "sh", SURETY],
                              stderr=subprocess.PIPE)
        tap.equal(done.returncode, 125, f"started with {fds}: the exit status is still 125")
    with tempfile.NamedTemporaryFile("r") as report:
        subprocess.run(["/bin/sh", "-c", '"$1" run --limit 4K --report "$2" -- /bin/true 2>&-',
                        "sh", SURETY, report.name])
        tap.equal(report.read(), "", "with stderr closed no message goes into the report")


def main():
    for path in (SURETY, MEASURE):
        if not os.access(path, os.X_OK):
            print(f"Bail out! no executable {path}")
            sys.exit(99)
    tap = Tap()
    check_errors(tap)
    check_commands(tap)
    check_nothing_started(tap)
    check_help(tap)
    check_version(tap)
    check_output_failures(tap)
    tap.done()


main()
