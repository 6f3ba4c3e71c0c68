#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs what the project needs from Debian's packages, and nothing that is
# there already: with everything in place no apt call is made.
#
#     tools/deps.sh LIST...           LIST is build, test, guest, demo, servers or bench
#     tools/deps.sh --missing LIST... prints what would be installed
set -eu

# One package a line: its name, the command that makes it unneeded (- for none,
# then the package itself is asked for), and what it is for.
list_build='
meson            meson         describes the build
ninja-build      ninja         runs it
gcc              gcc           C compiler
libc6-dev        -             C library, also as an archive for the static binary
pkg-config       pkg-config    finds the libraries
python3          python3       checks of the source tree, runner of the tests
libseccomp-dev   -             writes the filter program, at build time only
libdw-dev        -             stacks and symbols of refused calls
libelf-dev       -             what libdw needs
libjansson-dev   -             JSON
uthash-dev       -             hash tables
libncurses-dev   -             the terminal of surety top
clang            clang         programs of the bpf engine
llvm             llvm-strip    takes their debug information away
bpftool          bpftool       makes a header of them
libbpf-dev       -             loads them
zlib1g-dev       -             what libelf needs
'
list_test='
libcmocka-dev    -             unit tests
gcc-multilib     -             32-bit test programs
gdb              gdb           tests: a debugger inside a group
strace           strace        tests: a tracer inside a group
tmux             tmux          tests: a terminal inside a group
procps           ps            tests: process lists
util-linux       unshare       tests: namespaces
mandoc           mandoc        checks the man page
make             make          tests: a build inside a group
git              git           tests: real program
perl             perl          tests: real program
nodejs           node          tests: real program
redis-server     redis-server  tests: real program
sqlite3          sqlite3       tests: real program
chromium         chromium      tests: the page of surety explain --html
chromium-driver  chromedriver  tests: drives it
golang-go        go            tests: a runtime that makes its own calls
postgresql       -             tests: the demo on a database server
stress-ng        stress-ng     tests: memory and processes at the limit
default-jdk-headless javac     tests: the demo on a JVM
cpio             cpio          tests: reads the archive that a test guest starts from
'
list_guest='
qemu-system-x86  qemu-system-x86_64  emulates the machine that packaged kernels are tested on
'
list_demo='
python3          python3       the job that the demo runs
'
list_bench='
postgresql       -             bench: a database under load
binutils-source  -             bench: a real C library to make
make             make          bench: makes it
'
list_servers='
python3          python3       runs the demos on real servers
postgresql       -             demo/postgres: server, pgbench, libpq
nodejs           node          demo/node
default-jdk-headless javac     demo/java
golang-go        go            demo/go
gcc              gcc           demo/make
make             make          demo/make
'

fail()
{
	echo "tools/deps.sh: $*" >&2
	exit 1
}

installed()
{
	test "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed
}

missing()
{
	for list in "$@"; do
		case $list in
		build) rows=$list_build ;;
		test) rows=$list_test ;;
		guest) rows=$list_guest ;;
		demo) rows=$list_demo ;;
		servers) rows=$list_servers ;;
		bench) rows=$list_bench ;;
		esac
		echo "$rows" | while read -r package command _; do
			test -n "$package" || continue
			if test "$command" != - && command -v "$command" >/dev/null; then
				continue
			fi
			installed "$package" || echo "$package"
		done
	done | sort -u
}

# As root.  A package with a service must not start it: RUNLEVEL says so where
# there is no systemd, a policy file for the time of the installation elsewhere.
install_packages()
{
	policy=/usr/sbin/policy-rc.d
	if test ! -e $policy; then
		trap 'rm -f $policy' EXIT INT TERM
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
	apt-get -q update
	apt-get -q install -y --no-install-recommends "$@"
}

check_lists()
{
	for list in "$@"; do
		case $list in
		build | test | guest | demo | servers | bench) ;;
		*) fail "unknown list '$list' (build, test, guest, demo, servers or bench)" ;;
		esac
	done
}

case ${1-} in
--missing)
	shift
	check_lists "$@"
	missing "$@"
	exit
	;;
--install)
	shift
	install_packages "$@"
	exit
	;;
'' | -*) fail "usage: tools/deps.sh [--missing] LIST..." ;;
esac

check_lists "$@"
packages=$(missing "$@")
test -n "$packages" || exit 0
command -v apt-get >/dev/null || fail "missing:" $packages "(install them; this is not a Debian system)"
echo "installing:" $packages
if test "$(id -u)" = 0; then
	install_packages $packages
elif command -v sudo >/dev/null; then
	sudo sh "$0" --install $packages
else
	fail "missing:" $packages "(run as root, or install sudo)"
fi
