# SPDX-License-Identifier: MIT
# Every kind of charge is refused at the limit, given back, and drifts by nothing.
. /vm/lib.sh

mkdir $C/a
surety attach a --limit 64M
is "attach" $? 0
is "mmap" "$(ops a rw:0:16 unmap:0 rw:0:80 rw:1:40 rw:2:40 unmap:1 rw:2:40)" \
	"rw=ok unmap=ok rw=ENOMEM rw=ok rw=ENOMEM unmap=ok rw=ok"
is "mprotect" "$(ops a none:0:80 protrw:0 protrw:0:40 protrw:0:30:45 protnone:0:40 protrw:0:40:40)" \
	"none=ok protrw=ENOMEM protrw=ok protrw=ENOMEM protnone=ok protrw=ok"
is "fork" "$(ops a rw:0:40 fork unmap:0:20 fork)" "rw=ok fork=ENOMEM unmap=ok fork=ok"
is "fork without what is not copied" "$(ops a rw:0:40 dontfork:0 fork)" "rw=ok dontfork=ok fork=ok"
is "shared memory" "$(ops a shared:0:40 rw:1:40 unmap:0 rw:1:40)" "shared=ok rw=ENOMEM unmap=ok rw=ok"
is "System V" "$(ops a shmget:0:40 shmget:1:40 shmrm:0 shmget:1:40 shmrm:1)" "shmget=ok shmget=ENOMEM shmrm=ok shmget=ok shmrm=ok"
is "memfd" "$(ops a memfd:0:80 write:0:70 truncate:0:0 write:0:50 punch:0:40 rw:0:40 fallocate:0:50)" \
	"memfd=ok write=ENOSPC truncate=ok write=ok punch=ok rw=ok fallocate=ENOSPC"
is "brk" "$(ops a brk:0:40 brk:0:40 brkdown:0:40 brk:0:50)" "brk=ok brk=ENOMEM brkdown=ok brk=ok"
is "mremap" "$(ops a rw:0:10 remap:0:40 remap:0:80 remap:0:5 rw:1:50)" "rw=ok remap=ok remap=ENOMEM remap=ok rw=ok"
is "MREMAP_DONTUNMAP" "$(ops a rw:0:40 dontunmap:0)" "rw=ok dontunmap=ENOMEM"
is "MAP_FIXED pays the difference" "$(ops a rw:0:50 fixed:0:50 fixednone:0:50 rw:1:50)" "rw=ok fixed=ok fixednone=ok rw=ok"
is "MAP_NORESERVE is ignored" "$(ops a nr:0:40 nr:1:40 unmap:0 nr:1:40)" "nr=ok nr=ENOMEM unmap=ok nr=ok"
is "MAP_NORESERVE made writable" "$(ops a nrnone:0:80 protrw:0:40 protrw:0:40:40 protnone:0:40 protrw:0:40:40)" \
	"nrnone=ok protrw=ok protrw=ENOMEM protnone=ok protrw=ok"
is "MAP_NORESERVE that was touched stays charged" "$(ops a nr:0:40 touch:0 protro:0 rw:1:40 unmap:0 rw:1:40)" \
	"nr=ok touch=ok protro=ok rw=ENOMEM unmap=ok rw=ok"
is "MAP_NORESERVE shared" "$(ops a sharednr:0:40 sharednr:1:40 unmap:0 sharednr:1:40)" \
	"sharednr=ok sharednr=ENOMEM unmap=ok sharednr=ok"
is "MAP_NORESERVE at fork" "$(ops a nr:0:40 fork unmap:0:20 fork)" "nr=ok fork=ENOMEM unmap=ok fork=ok"
is "MAP_DROPPABLE is free" "$(ops a droppable:0:200)" "droppable=ok"
is "a mapping that fails gives back" "$(ops a badmap:0:50 badmap:0:50 rw:0:60)" "badmap=EPERM badmap=EPERM rw=ok"
is "the stack" "$(ops a rw:0:60 stack:0:5)" "rw=ok stack=ok"
is "debt is told" "$(test "$(figure a Debt)" -gt 0 && echo told)" told
surety attach a --limit 64900K # 63 MiB, ops itself, and less than a stack needs
is "execve that cannot fit fails whole" "$(ops a rw:0:63 exec)" "rw=ok exec=ENOMEM"
surety attach a --limit 64M
is "nothing is left" "$(figure a Committed_AS)" 0
is "the peak stayed below the limit but for debt" \
	"$(test "$(figure a Peak)" -le $((67108864 + $(figure a Debt))) && echo below)" below

inside a ops rw:0:10 nr:1:10 shared:2:4 memfd:3:4 write:3:3 remap:0:20 dontunmap:1 child stay >/dev/null &
until_true test "$(audit a)" = "0 0"
is "ledger and kernel agree" "$(audit a)" "0 0"
kill -9 $(cat $C/a/cgroup.procs)
until_true held_is a 0
is "exit gives all back" "$(figure a Committed_AS)" 0
is "no release of what was not held" "$(fault underflow)" 0
surety attach a --overcommit-memory 1
is "mode 1 refuses nothing" "$(ops a rw:0:200 fork)" "rw=ok fork=ok"
surety attach a --overcommit-memory 0 --memory 100M --swap 0
is "mode 0 refuses one request" "$(ops a rw:0:90 rw:1:90 rw:2:110)" "rw=ok rw=ok rw=ENOMEM"
surety detach a
is "detach" "$? $(ls /sys/fs/bpf)" "0 "
finish
