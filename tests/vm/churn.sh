# SPDX-License-Identifier: MIT
# Many processes in nested groups at work: the ledger against the kernel, to the
# page, and against the sum of smaps.  The arguments are churn's first three.
. /vm/lib.sh

mkdir -p $C/a/b $C/a/c/d
surety attach a --limit 96M
surety attach a/b --limit 40M
surety attach a/c --limit 48M
surety attach a/c/d --limit 24M
surety watch --report /dev/null 2>/dev/null &
mkfifo /tmp/said
churn "$1" "$2" "$3" $C/a $C/a/b $C/a/c $C/a/c/d >/tmp/said 2>&1 &
is "all of them did their share" "$(cat /tmp/said)" "done"
is "and are still there" "$(cat $C/a/cgroup.procs $C/a/b/cgroup.procs $C/a/c/cgroup.procs $C/a/c/d/cgroup.procs | wc -l)" "$2"
is "zero drift, by each process" "$(audit a)" "0 0"
is "the limits were tried" "$(test "$(figure a/c/d refusals)" -gt 0 || surety groups)" ""
is "and kept" "$(test "$(figure a Peak)" -le $((96 * 1048576 + $(figure a Debt))) && echo yes)" yes
kernel=0
for pid in $(cat $C/a/cgroup.procs $C/a/b/cgroup.procs $C/a/c/cgroup.procs $C/a/c/d/cgroup.procs); do
	kib=$(awk '/^Size:/ { size = $2 } /^VmFlags:/ { if (/ ac/) sum += size; else if (/ wr/ && / nr/ && !/ sh/) sum += size }
		END { print sum + 0 }' "/proc/$pid/smaps")
	kernel=$((kernel + kib * 1024))
done
ledger=$(surety audit /a --json | sed -n 's/.*"ledger_bytes":\([0-9]*\).*/\1/p')
# Read-only MAP_NORESERVE memory that was touched shows no flag that tells it.
is "no less than smaps shows" "$(test "$ledger" -ge "$kernel" && test $((ledger - kernel)) -lt $((8 * 1048576)) && echo yes)" yes
kill -9 $(cat $C/a/cgroup.procs $C/a/b/cgroup.procs $C/a/c/cgroup.procs $C/a/c/d/cgroup.procs)
until_true held_is a 0
is "nothing is left at the end" "$(figure a Committed_AS) $(figure a/b Committed_AS) $(figure a/c/d Committed_AS)" "0 0 0"
is "no fault was seen" "$(fault untracked) $(fault unseeded) $(fault missed) $(fault underflow)" "0 0 0 0"
finish
