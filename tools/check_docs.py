#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the documents to the tree.

    check_docs.py BUILD

- a path of the repository in backticks or in a link exists;
- every rule of src/core/rules.def is in docs/ACCOUNTING.md with its text and
  source word for word, no other rule is named anywhere, and each has a test;
- every rule has a script in tests/oracle/scripts, but for those that no script can
  show; a script stands in the rows of the rules that its first lines name, and one
  on which engine and kernel differ also where the difference is told;
- every option of src/cli/options.def is in the man page, and no document shows
  a command line with an option that does not exist;
- every source is compiled, and every test is run.
"""
import glob
import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOPS = ("src", "docs", "tests", "tools", "man", "bench", "demo", ".ci")
LAYERS = ("base", "core", "sys", "look", "engine", "report", "cli", "top")
TOP_FILES = re.compile(r"^(Makefile|LICENSE|meson\.build|meson_options\.txt|[A-Z]+\.md)$")
RULE = re.compile(r'^RULE\(\s*(\w+),\s*"(R-\d+)",\s*"((?:[^"\\]|\\.)*)",\s*"((?:[^"\\]|\\.)*)"\s*\)', re.M)
OPTION = re.compile(r'^OPT\(\s*(\w+),\s*"([\w-]+)",\s*(0|\'.\')', re.M)
COMMAND = re.compile(r"^COMMAND\(\s*(\w+)", re.M)
results = []


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def result(name, faults):
    results.append(not faults)
    print(f"{'not ok' if faults else 'ok'} {len(results)} - {name}")
    for fault in faults[:40]:
        print(f"# {fault}")


def documents():
    found = []
    for pattern in ("*.md", "docs/*.md", "docs/*/*.md"):
        found += glob.glob(os.path.join(ROOT, pattern))
    return sorted(os.path.relpath(f, ROOT) for f in found)


def path_fault(word, folder):
    """A fault if WORD is a path of this tree and does not exist."""
    word = re.sub(r"[:#].*$", "", word).rstrip("/")
    if not re.fullmatch(r"[\w.*-]+(/[\w.*-]+)*", word):
        return None
    first = word.split("/")[0]
    bases = [ROOT]
    if first in LAYERS and "/" in word and "." in word.rsplit("/", 1)[1]:
        bases.append(os.path.join(ROOT, "src"))
    elif "/" in word:
        if first not in TOPS:
            return None
    elif not TOP_FILES.match(word):
        return None
    bases.append(os.path.join(ROOT, folder))
    return None if any(glob.glob(os.path.join(b, word)) for b in bases) else f"no such path: {word}"


def check_paths():
    faults = []
    for document in documents():
        text = re.sub(r"^```.*?^```|<!-- layers -->.*?<!-- /layers -->", "", read(document), flags=re.S | re.M)
        words = re.findall(r"`([^`\n]+)`", text)
        for word in words:
            fault = path_fault(word, os.path.dirname(document))
            if fault:
                faults.append(f"{document}: {fault}")
        for link in re.findall(r"\]\(([^)#\s]+)", text):
            target = os.path.join(ROOT, os.path.dirname(document), link)
            if "://" not in link and not os.path.exists(target):
                faults.append(f"{document}: dead link: {link}")
    result("every path that a document names exists", faults)


def squeeze(text):
    return re.sub(r"\s+", " ", text.replace("\\|", "|").replace("`", ""))


def check_rules():
    rules = RULE.findall(read("src/core/rules.def"))
    faults = [] if rules else ["src/core/rules.def: no rules"]
    if len(rules) != len(re.findall(r"^RULE\(", read("src/core/rules.def"), re.M)):
        faults.append("src/core/rules.def: a row that this check cannot read")
    if len({r[1] for r in rules}) != len(rules):
        faults.append("src/core/rules.def: an id stands twice")
    accounting = read("docs/ACCOUNTING.md") if os.path.exists(os.path.join(ROOT, "docs/ACCOUNTING.md")) else ""
    lines = [squeeze(line) for line in accounting.splitlines()]
    for _, rule_id, text, source in rules:
        rows = [line for line in lines if rule_id in line]
        if not rows:
            faults.append(f"docs/ACCOUNTING.md: {rule_id} is missing")
        elif not any(squeeze(text) in row and squeeze(source) in row for row in rows):
            faults.append(f"docs/ACCOUNTING.md: {rule_id} differs from src/core/rules.def: {text} | {source}")
    ids = {r[1] for r in rules}
    for document in documents() + sources("src"):
        for rule_id in set(re.findall(r"\bR-\d{3}\b", read(document))) - ids:
            faults.append(f"{document}: there is no rule {rule_id}")
    result("the rules of the code and of docs/ACCOUNTING.md are the same", faults)
    named = "".join(read(t) for t in sources("tests"))
    named += "\n".join(line for line in lines if "tests/" in line)
    result("every rule has a test: one names it, or docs/ACCOUNTING.md names one",
           [f"{i} (RULE_{n})" for n, i, _, _ in rules if i not in named and not re.search(rf"\bRULE_{n}\b", named)])


SCRIPT = re.compile(r"`(R-\d{3}[\w-]*)\.txt`")
NO_SCRIPT = {"R-004", "R-018", "R-048", "R-049", "R-054", "R-098"} # docs/ACCOUNTING.md says why


def script_rules(name):
    """The rules that the first lines of a script name, and which engines differ."""
    text = read(f"tests/oracle/scripts/{name}.txt")
    rules = {r for head in re.findall(r"^# (R-[^:]*):", text, re.M) for r in re.findall(r"R-\d{3}", head)}
    return rules, set(re.findall(r"^# differs: (\w+) ", text, re.M))


def check_scripts():
    scripts = {os.path.basename(p)[:-len(".txt")] for p in glob.glob(os.path.join(ROOT, "tests/oracle/scripts/*.txt"))}
    engines = read("docs/ENGINES.md")
    rows, elsewhere = {}, set() # what the table of rules names for each rule; what other text names
    for line in read("docs/ACCOUNTING.md").splitlines():
        match = re.match(r"\| (R-\d{3}) \|", line)
        if match:
            rows[match[1]] = set(SCRIPT.findall(line))
        else:
            elsewhere.update(SCRIPT.findall(line))
    faults = [f"docs/ACCOUNTING.md: there is no script {n}.txt"
              for n in sorted(set().union(elsewhere, *rows.values()) - scripts)]
    faults += [f"docs/ACCOUNTING.md: {r} has no script" for r in sorted(rows) if not rows[r] and r not in NO_SCRIPT]
    faults += [f"docs/ACCOUNTING.md: {r} has a script, and check_docs.py says that it cannot" for r in sorted(NO_SCRIPT)
               if rows.get(r)]
    for name in sorted(scripts):
        rules, differs = script_rules(name)
        if not rules:
            faults.append(f"tests/oracle/scripts/{name}.txt: no rule in its first line")
        faults += [f"docs/ACCOUNTING.md: {r} does not name {name}.txt" for r in sorted(rules)
                   if name not in rows.get(r, ())]
        if "seccomp" in differs and name not in elsewhere:
            faults.append(f"docs/ACCOUNTING.md: the difference that {name}.txt shows is told nowhere")
        if ("bpf" in differs) != (f"`{name}`" in engines):
            faults.append(f"docs/ENGINES.md: names {name} as a difference of the bpf engine, and its first lines do not, "
                          "or the other way round")
    result("every rule names its scripts, and every script its rules", faults)


def sources(top):
    found = []
    for folder, _, names in os.walk(os.path.join(ROOT, top)):
        found += [os.path.relpath(os.path.join(folder, n), ROOT) for n in names
                  if n.endswith((".c", ".h", ".def", ".py", ".sh"))]
    return sorted(found)


def shown_command_lines(text):
    """(command, options) of each `surety COMMAND ...` that TEXT shows."""
    for match in re.finditer(r"(?:^|[\s`$/(])surety (\w+)((?:\s+[^\n`]*)?)", text, re.M):
        words = re.split(r"\s--(?:\s|$)", match[2])[0]
        yield match[1], re.findall(r"(?<![\w-])--([a-z][\w-]*)", words)


def check_options(build):
    options = OPTION.findall(read("src/cli/options.def"))
    commands = COMMAND.findall(read("src/cli/commands.def"))
    with open(os.path.join(build, "man", "surety.1")) as f:
        man = f.read()
    faults = [] if options else ["src/cli/options.def: no options"]
    for command, name, letter in options:
        section = man.partition(f".Ss Options of surety {command}\n")[2].partition(".Ss ")[0].partition(".Sh ")[0]
        if not re.search(rf"^\.It .*Fl -{name}\b(?!-)", section, re.M):
            faults.append(f"man page: surety {command} --{name} is missing")
        if letter != "0" and f".It Fl {letter[1]} " not in section:
            faults.append(f"man page: surety {command} -{letter[1]} is missing")
    result("every option is in the man page", faults)

    known = {c: {n for cc, n, _ in options if cc == c} | {"help"} for c in commands}
    faults, shown = [], 0
    for document in documents() + ["man/surety.1.in"]:
        for command, names in shown_command_lines(read(document)):
            if command not in known:
                continue
            shown += 1
            faults += [f"{document}: surety {command} has no --{n}" for n in names if n not in known[command]]
    if not shown:
        faults.append("no command line is shown anywhere: this check sees nothing")
    result("no document shows an option that does not exist", faults)


def check_lists(build):
    with open(os.path.join(build, "compile_commands.json")) as f:
        compiled = {os.path.relpath(os.path.join(e["directory"], e["file"]), ROOT) for e in json.load(f)}
    # What the kernel runs is compiled by another compiler, where there is one; a
    # source in place of the engine, where there is none.
    elsewhere = read("src/bpf/meson.build")
    result("every source is compiled",
           [s for s in sources("src") + sources("tests/helpers")
            if s.endswith(".c") and s not in compiled and "%s'" % os.path.basename(s) not in elsewhere])
    with open(os.path.join(build, "meson-info", "intro-tests.json")) as f:
        words = {"/".join(w.split("/")[-2:]) for t in json.load(f) for w in t["cmd"]}
    faults = []
    for top, _, names in os.walk(os.path.join(ROOT, "tests")):
        for name in names:
            if name.startswith(("test_", "fuzz_")) and name.endswith((".c", ".py", ".sh")):
                path = os.path.join(os.path.basename(top), name)
                if path not in words and path.rsplit(".", 1)[0] not in words:
                    faults.append(os.path.join("tests", path))
    result("every test is in a list of meson.build", faults)


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build"))
    check_paths()
    check_rules()
    check_scripts()
    check_options(build)
    check_lists(build)
    print(f"1..{len(results)}")
    sys.exit(0 if all(results) else 1)


main()
