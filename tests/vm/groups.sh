# SPDX-License-Identifier: MIT
# Groups above one another, processes that were there before, moves and removal.
. /vm/lib.sh

mkdir -p $C/a/b/c $C/d
inside a/b ops rw:0:20 shared:1:4 nr:2:8 child stay >/dev/null &
sleep 1
surety attach a/b --limit 128M
is "what lived in it is counted" "$(audit a/b)" "0 0"
is "with MAP_NORESERVE memory" "$(test "$(figure a/b Committed_AS)" -gt $((56 * 1048576)) && echo counted)" counted
surety attach a --limit 160M
surety attach a/b/c --limit 16M
is "a group above holds what those below hold" "$(figure a Committed_AS)" "$(figure a/b Committed_AS)"
is "its limit counts for those below" "$(ops a rw:0:60 rw:1:50)" "rw=ok rw=ENOMEM"
is "and theirs for themselves" "$(ops a/b/c rw:0:10 rw:1:10)" "rw=ok rw=ENOMEM"
surety attach a/b --limit 10M
is "a lower limit ends nobody" "$(cat $C/a/b/cgroup.procs | wc -l)" 2
has "it stops growth" "$(ops a/b rw:0:1 2>&1)" "annot allocate memory"
surety attach a/b --limit 128M
is "a higher one lets it grow" "$(ops a/b rw:0:1)" "rw=ok"

before=$(figure a/b Committed_AS)
pid=$(head -1 $C/a/b/cgroup.procs)
echo "$pid" >$C/a/b/c/cgroup.procs
is "a process moves with its memory" "$(audit a/b/c)" "0 0"
is "what is above both holds the same" "$(figure a/b Committed_AS)" "$before"
is "what that takes past the limit is debt" "$(test "$(figure a/b/c Debt)" -gt 0 && echo told)" told
echo "$pid" >$C/d/cgroup.procs
is "one that leaves takes its memory along" "$(figure a/b/c Committed_AS)" 0
echo "$pid" >$C/a/b/cgroup.procs
is "one that comes back is counted again" "$(audit a/b) $(figure a/b Committed_AS)" "0 0 $before"
kill -9 $(cat $C/a/b/cgroup.procs)
until_true held_is a 0
is "all of it was given back" "$(figure a Committed_AS) $(figure a/b Committed_AS)" "0 0"

ops a/b/c shmget:0:4 >/dev/null
rmdir $C/a/b/c
has "a removed cgroup holds its objects" "$(surety groups)" "(removed)"
is "so do the groups above" "$(figure a/b Committed_AS)" $((4 * 1048576))
surety detach a/b
is "what is detached stays with the group above" "$(figure a Committed_AS)" $((4 * 1048576))
ops d shmrm:0 >/dev/null # the first segment has the id 0
is "until it is gone" "$(figure a Committed_AS)" 0
has "one clear line for what is no group" "$(surety detach d 2>&1)" "cannot detach 'd': it has no limit"
surety detach --all
is "all can be taken away at once" "$(surety groups)" "no cgroup is limited"
finish
