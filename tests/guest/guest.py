# SPDX-License-Identifier: MIT
"""Boots a packaged Debian kernel in QEMU and runs one command there.

    result = Guest("6.12", build, ["/bin/perform", "script"], files=[("script", "/script")]).run()

The machine is emulated (no KVM is needed), has no disk and no network, and an
initramfs with tests/guest/init.c as its first process; see there for how the
results come back.  With rootfstype=ramfs the files of the initramfs hold no
commitment.
"""
import os
import re
import selectors
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time

import packages

QEMU = "qemu-system-x86_64"
CONSOLE_LINES = 20
# Where a processor runs into the kernel's patching of its own text on another, the
# emulation sometimes lets it see the breakpoint when that is over: no fault of ours.
PATCHING = "Oops: int3: "
TRIES = 3
CAUSE = re.compile(r"panic|BUG:|Oops|Out of memory|^guest: ")  # shown even if more followed


class GuestError(Exception):
    """The guest did not get to its end; the message has its last words."""


def need_qemu():
    """Ends a test with a visible skip where no machine can be emulated."""
    if not shutil.which(QEMU):
        print("1..0 # SKIP vm: no %s (tools/deps.sh guest installs it)" % QEMU, flush=True)
        sys.exit(77)


class Result:
    def __init__(self):
        self.status = None
        self.release = None
        self.memory_kib = None  # all of the kernel's RAM: MemTotal
        self.out = bytearray()
        self.err = bytearray()
        self.files = {}  # name below /out: bytes
        self.boot_seconds = None
        self.seconds = None


class Archive:
    """A cpio archive (newc) in memory."""

    def __init__(self):
        self.data = bytearray()
        self.number = 0
        self.folders = set()

    def _entry(self, name, mode, body=b"", device=(0, 0)):
        self.number += 1
        raw = name.encode() + b"\0"
        fields = [self.number, mode, 0, 0, 1, 0, len(body), 0, 0, device[0], device[1], len(raw), 0]
        self.data += b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self._pad()
        self.data += body
        self._pad()

    def _pad(self):
        self.data += b"\0" * (-len(self.data) % 4)

    def folder(self, name):
        name = name.strip("/")
        if name and name not in self.folders:
            self.folder(os.path.dirname(name))
            self.folders.add(name)
            self._entry(name, stat.S_IFDIR | 0o755)

    def add(self, name, body, mode=0o644):
        self.folder(os.path.dirname(name))
        self._entry(name.strip("/"), stat.S_IFREG | mode, body)

    def link(self, name, target):
        self.folder(os.path.dirname(name))
        self._entry(name.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def node(self, name, major, minor):
        self.folder(os.path.dirname(name))
        self._entry(name.strip("/"), stat.S_IFCHR | 0o600, device=(major, minor))

    def copy(self, host, name):
        """A file, or a folder with all that is in it."""
        if os.path.isdir(host):
            self.folder(name)
            for entry in sorted(os.listdir(host)):
                self.copy(os.path.join(host, entry), name.rstrip("/") + "/" + entry)
            return
        with open(host, "rb") as f:
            self.add(name, f.read(), stat.S_IMODE(os.stat(host).st_mode))

    def finish(self):
        self._entry("TRAILER!!!", 0)
        return self.data


def libraries(host):
    """The shared libraries that a program names, by the paths it looks for."""
    with open(host, "rb") as f:
        if f.read(4) != b"\x7fELF":
            return []
    done = subprocess.run(["ldd", host], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return re.findall(r"(?:=> |^\s*)(/\S+) \(0x", done.stdout, re.M)


class Guest:
    """One boot.  COMMAND is looked up in /bin; FILES are (host path, guest path)."""

    def __init__(self, version, build, command, files=(), memory="512M", cpus=1, timeout=300, env=None,
                 shell=False, append="", on_output=None, counting=False):
        self.version, self.build, self.command = version, os.path.abspath(build), list(command)
        self.files, self.memory, self.cpus = list(files), memory, cpus
        self.timeout, self.env, self.shell, self.append = timeout, dict(env or {}), shell, append
        self.on_output = on_output  # called with ("o" or "e", bytes) as they come; with more processors at the end
        self.counting = counting  # its clock counts instructions, one a nanosecond
        self.held = []
        self.result = Result()

    def _initramfs(self):
        init = os.path.join(self.build, "tests", "guest", "guest-init")
        if not os.path.exists(init):
            raise GuestError("no '%s' (run make first)" % init)
        archive = Archive()
        archive.node("/dev/console", 5, 1)
        archive.copy(init, "/init")
        env = {"PATH": "/bin", "HOME": "/", "TMPDIR": "/tmp", **self.env}
        words = ["%s=%s" % item for item in env.items()] + [""] + self.command
        archive.add("/guest/command", b"".join(w.encode() + b"\0" for w in words))
        names = set()
        for host, name in self.files:
            names.add(name)
            archive.copy(host, name)
            if os.path.isfile(host) and os.access(host, os.X_OK):
                for library in libraries(host):
                    if library not in names:
                        names.add(library)
                        archive.copy(library, library)
        if self.shell:
            box = packages.busybox(self.build)
            archive.copy(box, "/bin/busybox")
            applets = subprocess.run([box, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
            for applet in applets:
                if "/bin/" + applet not in names and applet != "busybox":
                    archive.link("/bin/" + applet, "busybox")
        return archive.finish()

    def _args(self, folder):
        append = ("console=ttyS0 quiet loglevel=4 panic=-1 oops=panic rootfstype=ramfs 8250.nr_uarts=2 "
                  "mitigations=off nokaslr no_timer_check nowatchdog surety.guest " + self.append)
        return ["setpriv", "--pdeathsig", "KILL", QEMU,
                "-machine", "q35", "-accel", "tcg", "-cpu", "max,-la57", "-m", self.memory, "-smp", str(self.cpus),
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-kernel", packages.kernel(self.version, self.build),
                "-initrd", os.path.join(folder, "initramfs"), "-append", append,
                "-chardev", "file,id=console,path=" + os.path.join(folder, "console"),
                "-chardev", "stdio,id=results,signal=off",
                "-device", "isa-serial,chardev=console", "-device", "isa-serial,chardev=results",
                *(["-icount", "shift=0,sleep=off"] if self.counting else [])]

    def run(self):
        """Boots, runs the command to its end and returns the Result."""
        if not shutil.which(QEMU):
            raise GuestError("no %s (tools/deps.sh guest installs it)" % QEMU)
        with tempfile.TemporaryDirectory(prefix="surety-guest-") as folder:
            try:
                args = self._args(folder)
            except packages.FetchError as e:
                raise GuestError(str(e)) from e
            with open(os.path.join(folder, "initramfs"), "wb") as f:
                f.write(self._initramfs())
            try:
                self._try(args, folder)
            finally:
                for kind, data in self.held:
                    self.on_output(kind, data)
        return self.result

    def _try(self, args, folder):
        for left in reversed(range(TRIES if self.cpus > 1 else 1)):
            self.held = []
            try:
                self._follow(args, folder)
                return
            except GuestError as e:
                if not left or PATCHING not in str(e):
                    raise
                print("guest %s: stopped by its patching of its own text, started again" % self.version,
                      file=sys.stderr, flush=True)
                self.result = Result()

    def _follow(self, args, folder):
        started = time.monotonic()
        with open(os.path.join(folder, "errors"), "w+b") as errors, \
             subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as qemu:
            try:
                why = self._receive(qemu.stdout, started)
            finally:
                qemu.kill()
            errors.seek(0)
            said = errors.read().decode(errors="replace")
        self.result.seconds = time.monotonic() - started
        if why:
            raise GuestError(self._last_words(why, said, os.path.join(folder, "console")))

    def _receive(self, stream, started):
        """Takes frames to the last one; why there is none, or None."""
        buffer, current = bytearray(), None
        os.set_blocking(stream.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while self.result.status is None:
                left = started + self.timeout - time.monotonic()
                if left <= 0 or not selector.select(left):
                    return "it did not end within %g s, and was killed" % self.timeout
                data = stream.read(1 << 20)
                if not data:
                    return "it ended before the command did"
                buffer += data
                at = 0
                while len(buffer) - at >= 5:
                    size, = struct.unpack_from("<I", buffer, at + 1)
                    if len(buffer) - at < 5 + size:
                        break
                    current = self._frame(chr(buffer[at]), bytes(buffer[at + 5:at + 5 + size]), current, started)
                    at += 5 + size
                del buffer[:at]
        return None

    def _frame(self, kind, data, current, started):
        result = self.result
        if kind == "b":
            result.release, memory = data.decode().split(" ")
            result.memory_kib = int(memory)
            result.boot_seconds = time.monotonic() - started
        elif kind in "oe":
            if self.on_output and self.cpus > 1:
                self.held.append((kind, data))
            elif self.on_output:
                self.on_output(kind, data)
            else:
                (result.out if kind == "o" else result.err).extend(data)
        elif kind == "f":
            current = data.decode()
            result.files[current] = bytearray()
        elif kind == "d":
            result.files[current] += data
        elif kind == "x":
            result.status, = struct.unpack("<I", data)
        else:
            raise GuestError("the guest sent a frame of unknown type %r" % kind)
        return current

    def _last_words(self, why, said, console):
        lines = ["guest %s: %s" % (self.version, why)]
        lines += ["qemu: " + line for line in said.splitlines()[-CONSOLE_LINES:]]
        try:
            with open(console, errors="replace") as f:
                text = f.read().splitlines()
        except OSError:
            text = []
        causes = [line for line in text[:-CONSOLE_LINES] if CAUSE.search(line)]
        lines += ["console: " + line for line in causes[-CONSOLE_LINES:] + text[-CONSOLE_LINES:]] or ["console: nothing"]
        tail = (self.result.out + self.result.err).decode(errors="replace").splitlines()[-CONSOLE_LINES:]
        return "\n".join(lines + ["command: " + line for line in tail])
