#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""surety ps against an own reading of smaps, for every process of the machine."""
import ctypes
import json
import mmap
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from surety import KIB, MIB, PAGE, SURETY, Tap, helper, wait_until  # noqa: E402

NOBODY = 65534
libc = ctypes.CDLL(None, use_errno=True)


def ps(*args, **kw):
    done = subprocess.run([SURETY, "ps", "--json", *args], capture_output=True, timeout=120, **kw)
    if done.returncode:
        raise RuntimeError("surety ps: %d %s" % (done.returncode, done.stderr.decode()))
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def rows(found, kind):
    return [r for r in found if r["row"] == kind]


def ac_bytes(pid):
    """The sum of mappings marked ac, and those marked nr that are private and writable; None: gone or denied."""
    ac = nr = size = 0
    perms = ""
    try:
        with open("/proc/%d/smaps" % pid, errors="surrogateescape") as f:
            for line in f:
                word = line.split()
                if line.startswith("VmFlags:"):
                    flags = word[1:]
                    if "ac" in flags:
                        ac += size
                    elif "nr" in flags and "ht" not in flags and "dp" not in flags and perms[1] == "w" and perms[3] == "p":
                        nr += size
                elif not word[0].endswith(":"):
                    start, end = (int(x, 16) for x in word[0].split("-"))
                    size, perms = end - start, word[1]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return ac, nr


def everybody():
    return {int(name): ac_bytes(int(name)) for name in os.listdir("/proc") if name.isdigit()}


def check_exact(tap):
    """A process that stands still between two own readings has to be met to the page."""
    before = everybody()
    found = {r["pid"]: r for r in rows(ps("--exact"), "process")}
    after = everybody()
    still = [p for p in found if before.get(p) and before.get(p) == after.get(p) and before[p][0] and found[p]["exact"]
             and found[p]["space_of"] == p]
    wrong = [(p, found[p]["comm"], found[p]["committed_bytes"], before[p]) for p in still
             if found[p]["committed_bytes"] != before[p][0]]
    tap.ok(still and not wrong, "--exact is the sum of the ac mappings of every process, to the page",
           "%d still, wrong: %r" % (len(still), wrong[:5]))
    wrong = [(p, found[p]["noreserve_bytes"], before[p][1]) for p in still
             if not before[p][1] <= found[p]["noreserve_bytes"]]
    tap.ok(not wrong, "noreserve has at least the writable MAP_NORESERVE mappings", wrong[:5])
    missed = [p for p in before if before[p] and before[p][0] and after.get(p) and p not in found]
    tap.ok(not missed, "no process that lived through it is missing", missed)
    print("# compared %d processes" % len(still))


def check_error_of_counters(tap):
    """What docs/LOOK.md says of the fast figures."""
    fast = {r["pid"]: r for r in rows(ps(), "process")}
    exact = {r["pid"]: r for r in rows(ps("--exact"), "process")}
    fast_again = {r["pid"]: r for r in rows(ps(), "process")}
    both = [p for p in fast if p in exact and exact[p]["exact"] and exact[p]["committed_bytes"] and p in fast_again
            and fast[p]["committed_bytes"] == fast_again[p]["committed_bytes"]]
    total = sum(exact[p]["committed_bytes"] for p in both)
    net = sum(fast[p]["committed_bytes"] - exact[p]["committed_bytes"] for p in both)
    gross = sum(abs(fast[p]["committed_bytes"] - exact[p]["committed_bytes"]) for p in both)
    print("# counters: %d processes, %d kB exact, net error %.2f %%, sum of errors %.2f %%"
          % (len(both), total // KIB, 100.0 * net / total, 100.0 * gross / total))
    tap.ok(both and gross < total, "the counters are of the order of the truth")


def check_known(tap):
    """A process that knows what it holds: ac, nr, hostile name, shared memory."""
    libc.prctl(15, b"\x1b[31m\n\xff\\x", 0, 0, 0)
    anon = mmap.mmap(-1, 8 * MIB, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    anon[:3 * MIB] = b"x" * (3 * MIB)
    loose = mmap.mmap(-1, 12 * MIB, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | 0x4000)
    loose[:MIB] = b"x" * MIB
    memfd = os.memfd_create("known\n\x1b[1mname")
    os.ftruncate(memfd, 64 * MIB)
    os.pwrite(memfd, b"y" * (2 * MIB), 0)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    MAP_NORESERVE = 0x4000
    libc.mmap(None, 128 * MIB, 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    shmid = libc.shmget(0, 5 * MIB - 100, 0o1600)
    try:
        found = ps("--exact")
        me = [r for r in rows(found, "process") if r["pid"] == os.getpid()][0]
        tap.ok(me["noreserve_bytes"] >= 128 * MIB, "MAP_NORESERVE is what mode 2 would add", me)
        tap.equal(me["comm"], "\x1b[31m\n\\xff\\x", "a name that is no UTF-8 is valid JSON")
        mine = [r for r in rows(found, "object") if r["pid"] == os.getpid()]
        tap.equal([(r["charged_bytes"], r["touched_bytes"]) for r in mine if r["kind"] == "anonymous"
                   and r["size_bytes"] == 8 * MIB], [(8 * MIB, 3 * MIB)], "shared anonymous memory is charged whole")
        tap.equal([(r["charged_bytes"], r["noreserve_bytes"]) for r in mine if r["size_bytes"] == 12 * MIB],
                  [(MIB, 11 * MIB)], "shared MAP_NORESERVE memory page by page; mode 2 would add the rest")
        tap.equal([(r["charged_bytes"], r["size_bytes"]) for r in mine if r["kind"] == "memfd"],
                  [(2 * MIB, 64 * MIB)], "a memfd is charged for its pages")
        tap.equal([r["charged_bytes"] for r in mine if r["kind"] == "sysv" and r["name"] == "shmid %d" % shmid],
                  [5 * MIB], "a SysV segment is charged whole, attached or not")
        fast = [r for r in rows(ps(), "process") if r["pid"] == os.getpid()][0]
        tap.ok(not fast["exact"] and fast["noreserve_bytes"] is None, "the counters do not tell MAP_NORESERVE", fast)
        tap.ok(fast["committed_bytes"] >= me["committed_bytes"] + 127 * MIB, "and count it", fast)
        text = subprocess.run([SURETY, "ps", str(os.getpid())], capture_output=True).stdout
        tap.ok(b"\x1b" not in text and b"\\x1b[31m\\x0a\\xff" in text, "a hostile name is escaped in the text", text)
        text = subprocess.run([SURETY, "ps", "--exact"], capture_output=True).stdout
        tap.ok(b"\x1b" not in text, "so is that of an object", text)
    finally:
        libc.shmctl(shmid, 0, None)
        os.close(memfd)
        libc.prctl(15, b"python3", 0, 0, 0)


def check_host(tap):
    def mine(found):
        return [r for r in rows(found, "process") if r["pid"] == os.getpid()][0]["committed_bytes"]

    before = ps("--exact")
    block = mmap.mmap(-1, 256 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    found = ps("--exact")
    block.close()
    after = rows(found, "host")[0]
    tap.ok(256 * MIB <= mine(found) - mine(before) < 257 * MIB, "what a process maps is promised to it")
    tap.equal(after["processes_bytes"], sum(r["committed_bytes"] for r in rows(found, "process")),
              "the part of processes is the sum of the rows")
    tap.equal(after["shared_memory_bytes"], sum(r["charged_bytes"] for r in rows(found, "object")),
              "that of shared memory the sum of the objects")
    meminfo = open("/proc/meminfo").read()
    limit = int(meminfo.partition("CommitLimit:")[2].split()[0]) * KIB
    tap.equal(after["CommitLimit"], limit, "CommitLimit is the host's")
    tap.equal(after["Committed_AS"], after["processes_bytes"] + after["shared_memory_bytes"] + after["held_by_none_bytes"],
              "the parts of Committed_AS add up")


def check_shared_space(tap):
    """vfork's child and its parent have one address space, which counts once."""
    child = subprocess.Popen([helper("tasks"), "clone-vm", "64"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        for line in child.stdout:
            if line.startswith(b"rest"):
                break
        found = rows(ps("--exact", str(child.pid)), "process")
        total = rows(ps("--exact", str(child.pid)), "total")[0]
        tap.equal([r["space_of"] for r in found], [child.pid, child.pid], "both rows name who counts it", )
        tap.equal([r["committed_bytes"] for r in found if r["pid"] != child.pid], [0], "the other counts nothing")
        tap.equal(total["committed_bytes"], ac_bytes(child.pid)[0], "it is in the total once")
        tap.equal((total["processes"], total["address_spaces"]), (2, 1), "two processes, one address space")
        text = subprocess.run([SURETY, "ps", str(child.pid)], capture_output=True).stdout.decode()
        tap.ok("shared with %d" % child.pid in text, "and the text says so", text)
    finally:
        child.communicate(b"\n\n")


def check_lower_ids(tap):
    """Of several users of an address space the one that is read may end: then the next is."""
    if os.geteuid():
        tap.skip("one user of an address space ends", "root: only root may choose an id")
        return
    child = subprocess.Popen([helper("users"), "64"], stdout=subprocess.PIPE)
    try:
        child.stdout.readline()
        held = ac_bytes(child.pid)[0]
        seen = [rows(ps("--exact", str(child.pid)), "total")[0] for _ in range(60)]
        tap.equal({t["committed_bytes"] for t in seen}, {held}, "what is held is told, whoever of its users ends")
        tap.equal({t["address_spaces"] for t in seen}, {1}, "as one address space")
        tap.ok(child.poll() is None, "and there were users to end", child.returncode)
    finally:
        child.kill()
        child.wait()


def check_filesystems(tap):
    """tmpfs in a mount namespace of its own: one with a limit, one without, one hidden by another mount."""
    with tempfile.TemporaryDirectory() as folder:
        script = "cd %s && mkdir a b c && mount -t tmpfs -o size=9m x a && dd if=/dev/zero of=a/f bs=1M count=3 2>/dev/null" \
            " && mount -t tmpfs -o size=0 x b && mount -t tmpfs -o size=9m x c && mount --bind a c && echo rest && read x" % folder
        before = rows(ps(), "total")[0]["missing"]["filesystems"]
        child = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", script],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            if child.stdout.readline() != b"rest\n":
                tap.skip("tmpfs of another mount namespace", "root: may not mount")
                return
            found = ps()
            mine = [(r["name"], r["charged_bytes"]) for r in rows(found, "object") if r["kind"] == "tmpfs"
                    and (r["name"] or "").startswith(folder)]
            tap.equal(mine, [(folder + "/a", 3 * MIB)], "a tmpfs of another mount namespace, once")
            tap.equal(rows(found, "total")[0]["missing"]["filesystems"] - before, 2,
                      "one without a limit and one that is out of reach are counted")
        finally:
            child.communicate(b"\n")


def check_selection(tap):
    child = subprocess.Popen(["sh", "-c", "sleep 60 & sleep 61 & wait"], preexec_fn=os.setsid)
    try:
        wait_until(lambda: [r["comm"] for r in rows(ps(str(child.pid)), "process")].count("sleep") == 2, 10)
        found = ps(str(child.pid))
        tap.equal(sorted(r["comm"] for r in rows(found, "process")), ["sh", "sleep", "sleep"], "a process and its children")
        tap.ok(not rows(found, "host") and not rows(found, "object"), "the host is left out of a part of it")
        tree = subprocess.run([SURETY, "ps", "--tree", str(child.pid)], capture_output=True).stdout.decode()
        tap.ok(tree.count("    sleep") == 2, "--tree indents", tree)
        users = rows(ps("--by", "user"), "user")
        tap.ok(sum(r["processes"] for r in users) >= 3 and "root" in [r["name"] for r in users] or os.geteuid(),
               "--by user", users)
        exes = rows(ps("--by", "exe", str(child.pid)), "exe")
        tap.equal(sum(r["processes"] for r in exes), 3, "--by exe")
        groups = rows(ps("--by", "cgroup", str(child.pid)), "cgroup")
        tap.equal(sum(r["processes"] for r in groups), 3, "--by cgroup")
        name = groups[0]["name"]
        if name and name != "/":
            inside = {r["pid"] for r in rows(ps("--cgroup", name), "process")}
            tap.ok(child.pid in inside, "--cgroup has what is in it")
            outside = subprocess.run([SURETY, "ps", "--json", "--cgroup", name + "x"], capture_output=True).stdout
            tap.ok(b'"row":"process"' not in outside, "and nothing that only begins alike")
        pids = [r["pid"] for r in rows(ps("--sort", "pid"), "process")]
        tap.equal(pids, sorted(pids), "--sort pid")
        used = [r["used_bytes"] for r in rows(ps("--sort", "used"), "process")]
        tap.equal(used, sorted(used, reverse=True), "--sort used")
        tap.equal(len(rows(ps("--lines", "2"), "process")), 2, "--lines")
        human = subprocess.run([SURETY, "ps", "--human", str(child.pid)], capture_output=True).stdout.decode()
        tap.ok("K" in human.splitlines()[1], "--human has units", human)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def check_stacks(tap):
    """Four threads of python: their stacks are known by where they stand."""
    code = "import threading,time\nfor i in range(4): threading.Thread(target=time.sleep,args=(60,),daemon=True).start()\n" \
           "print('rest',flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             preexec_fn=lambda: __import__("resource").setrlimit(3, (4 * MIB, 4 * MIB)))
    try:
        child.stdout.readline()
        row = rows(ps("--exact", str(child.pid)), "process")[0]
        tap.equal((row["threads"], row["exact"], row["moving"]), (5, True, False), "threads, standing still")
        tap.ok(abs(row["stacks_bytes"] - 16 * MIB) <= 4 * 16 * KIB, "four stacks of 4 MiB are the threads' rent", row)
    finally:
        child.communicate(b"\n")


def check_unprivileged(tap):
    if os.geteuid():
        tap.skip("another user's view", "root: not root")
        return
    os.chmod(os.path.dirname(SURETY), 0o755)
    done = subprocess.run([SURETY, "ps", "--exact"], capture_output=True, user=NOBODY, group=NOBODY, extra_groups=[])
    text = done.stdout.decode()
    tap.equal((done.returncode, done.stderr), (0, b""), "ps --exact of another user works")
    tap.ok("shown by the mm counters alone, marked ~" in text and "run it as root" in text,
           "and tells how many could not be read", text[-800:])
    own = [r for r in rows(ps("--exact", "--user", str(NOBODY), user=NOBODY, group=NOBODY, extra_groups=[]), "process")]
    tap.ok(own and all(r["exact"] for r in own), "one's own processes need no privilege", own)


def check_crowd(tap):
    crowd = subprocess.Popen([helper("crowd"), "2000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if crowd.stdout.readline() != b"rest\n":
            tap.skip("2000 processes", "program: no room for so many")
            return
        measure = os.path.join(os.path.dirname(SURETY), "tests", "cli", "measure")
        for args in ([], ["--exact"]):
            name = "ps " + " ".join(args)
            best = None
            for _ in range(3):
                child = subprocess.Popen([SURETY, "ps", *args], stdout=subprocess.DEVNULL)
                _, status, usage = os.wait4(child.pid, 0)
                child.returncode = status
                cpu = usage.ru_utime + usage.ru_stime
                best = cpu if best is None else min(best, cpu)
            print("# %s: %.3f s of CPU for 2000 processes" % (name, best))
            tap.ok(best < (0.3 if not args else 1.0), "%s: 2000 processes in time" % name, best)
            with tempfile.NamedTemporaryFile("r") as f:
                subprocess.run([measure, f.name, SURETY, "ps", *args], stdout=subprocess.DEVNULL)
                peak = int(f.read().split()[0])
            print("# %s: peak %d KiB" % (name, peak))
            tap.ok(peak < 16 * KIB, "%s: under 16 MiB" % name, peak)
    finally:
        crowd.communicate(b"\n")


def check_vanishing(tap):
    """Processes that come and go while they are looked at."""
    storm = subprocess.Popen(["sh", "-c", "while :; do /bin/true & /bin/true; done"], preexec_fn=os.setsid,
                             stderr=subprocess.DEVNULL)
    try:
        bad = [done for done in (subprocess.run([SURETY, "ps", "--exact", "--tree"], capture_output=True)
                                 for _ in range(20)) if done.returncode or done.stderr]
        tap.ok(not bad, "vanishing processes make no noise", bad[:1])
    finally:
        os.killpg(storm.pid, signal.SIGKILL)
        storm.wait()


def main():
    tap = Tap()
    for check in (check_exact, check_error_of_counters, check_known, check_host, check_shared_space, check_lower_ids,
                  check_filesystems, check_selection,
                  check_stacks, check_unprivileged, check_crowd, check_vanishing):
        tap.guarded(check)
    tap.done()


assert PAGE == 4096
main()
