# SPDX-License-Identifier: MIT
# cost.sh ROUNDS MAPS FAULTS FORKS: what a few operations take, once a round in
# each situation, as lines "SITUATION OPERATION COUNT".  bench/guest reads them.
. /vm/lib.sh

# count SITUATION CGROUP; what the forked program says is an empty line
count()
{
	for operation in "map $maps" "fault $faults" "fork $forks"; do
		inside "$2" cost $operation | sed -n "s/^[a-z]/$1 &/p"
	done
}

# The kernel takes the hooks away some time after the last name of theirs is gone.
unhooked()
{
	! grep -q bpf_trampoline /sys/kernel/tracing/enabled_functions
}

rounds=$1 maps=$2 faults=$3 forks=$4
echo 0 >/proc/sys/kernel/randomize_va_space # which page tables there are tells in mmap
sleep 10 # what the kernel does after its boot
mkdir $C/limited $C/other
for _ in $(seq "$rounds"); do
	count plain other
	echo 2 >/proc/sys/vm/overcommit_memory
	count never other
	echo 0 >/proc/sys/vm/overcommit_memory
	surety attach limited --limit 64G >/dev/null || exit 1
	count outside other
	count inside limited
	surety detach limited >/dev/null || exit 1
	until_true unhooked || exit 1
done
