# SPDX-License-Identifier: MIT
"""Fetches Debian packages for a test guest into the build folder.

They are downloaded and unpacked, never installed.  What is there already is
taken as it is: delete the folder to have the newest.
"""
import fcntl
import glob
import os
import re
import shutil
import subprocess
import tempfile

KERNELS = ("6.1", "6.12")


class FetchError(Exception):
    pass


def _run(args, cwd=None):
    done = subprocess.run(args, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, LC_ALL="C"))
    return done.returncode, done.stdout


def _update():
    as_root = [] if os.getuid() == 0 else ["sudo"]
    status, text = _run([*as_root, "apt-get", "-q", "update"])
    if status:
        raise FetchError("apt-get update failed:\n" + text)


def _depends(package, pattern):
    """The first dependency of PACKAGE that PATTERN matches, or None."""
    _, text = _run(["apt-cache", "depends", package])
    found = re.findall(r"^\s*Depends: (\S+)$", text, re.M)
    return next((name for name in found if re.match(pattern, name)), None)


def kernel_package(version):
    """Which package has a kernel of VERSION: the metapackages move with Debian."""
    for meta in ("linux-image-%s-cloud-amd64" % version, "linux-image-cloud-amd64"):
        name = _depends(meta, r"linux-image-%s\." % re.escape(version))
        if name:
            return name
    return None


def _download(package, into):
    status, text = _run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package], into)
    found = glob.glob(os.path.join(into, "*.deb"))
    if status or len(found) != 1:
        raise FetchError("cannot download '%s':\n%s" % (package, text))
    status, text = _run(["dpkg-deb", "-x", found[0], os.path.join(into, "files")])
    if status:
        raise FetchError("cannot unpack '%s':\n%s" % (package, text))
    return os.path.join(into, "files")


def _fetch(folder, find_package, pattern, name):
    """Puts the one file that PATTERN names in a package at FOLDER/NAME."""
    path = os.path.join(folder, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path):
            return path
        package = find_package()
        if not package:
            _update()
            package = find_package()
        if not package:
            raise FetchError("no Debian package has %s (is this Debian 12, with its security updates?)" % path)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            try:
                files = _download(package, work)
            except FetchError:
                _update()  # the lists may be older than what the mirror has
                files = _download(find_package(), tempfile.mkdtemp(dir=work))
            found = glob.glob(os.path.join(files, pattern))
            if len(found) != 1:
                raise FetchError("package '%s' has no %s" % (package, pattern))
            with open(os.path.join(folder, "package"), "w") as f:
                f.write(package + "\n")
            shutil.move(found[0], path)
    return path


def kernel(version, build):
    """Path of the kernel VERSION, fetched where it is not there."""
    if version not in KERNELS:
        raise FetchError("no kernel '%s' (%s)" % (version, " or ".join(KERNELS)))
    return _fetch(os.path.join(build, "guest", version), lambda: kernel_package(version),
                  "boot/vmlinuz-*", "vmlinuz")


def busybox(build):
    """Path of a static busybox, fetched where it is not there."""
    return _fetch(os.path.join(build, "guest", "busybox"), lambda: "busybox-static", "bin/busybox", "busybox")
