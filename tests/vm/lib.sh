# SPDX-License-Identifier: MIT
# What the scripts in the guest share: TAP, and cgroups below /sys/fs/cgroup.
C=/sys/fs/cgroup
nr=0

# is WHAT GOT WANTED
is()
{
	nr=$((nr + 1))
	if test "$2" = "$3"; then
		echo "ok $nr - $1"
	else
		echo "not ok $nr - $1"
		printf '# got    %s\n# wanted %s\n' "$2" "$3"
	fi
}

# has WHAT TEXT PART
has()
{
	nr=$((nr + 1))
	case $2 in
	*"$3"*) echo "ok $nr - $1" ;;
	*)
		echo "not ok $nr - $1"
		printf '%s\n' "$2" | sed 's/^/# got    /'
		echo "# wanted $3"
		;;
	esac
}

# inside CGROUP COMMAND...
inside()
(
	sh -c 'echo $$ >'"$C/$1"'/cgroup.procs; shift; exec "$@"' sh "$@"
)

ops()
{
	group=$1
	shift
	inside "$group" ops "$@" | sed 's/ $//'
}

# figure CGROUP NAME: of surety groups, in bytes
figure()
{
	surety groups --json | sed -n 's|.*"cgroup":"/'"$1"'".*"'"$2"'":\([-0-9]*\).*|\1|p'
}

fault()
{
	surety groups --json | sed -n 's|.*groups_faults.*"'"$1"'":\([0-9]*\).*|\1|p'
}

# audit CGROUP: its drift
audit()
{
	surety audit "/$1" --json | sed -n 's|.*"drift_bytes":\([0-9]*\),"unreadable":\([0-9]*\).*|\1 \2|p'
}

# until COMMAND...: for what ends in its own time
until_true()
{
	for _ in $(seq 100); do
		"$@" && return
		sleep 0.1
	done
}

held_is()
{
	test "$(figure "$1" Committed_AS)" = "$2"
}

finish()
{
	echo "1..$nr"
}
