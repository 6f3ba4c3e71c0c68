# SPDX-License-Identifier: MIT
# The engine from outside: probe, run, reports, and life without any process of ours.
. /vm/lib.sh

has "probe" "$(surety probe --engine bpf)" "bpf: works here"
is "probe leaves nothing" "$(ls /sys/fs/bpf)" ""
is "no group" "$(surety groups)" "no cgroup is limited"
mkdir $C/z
surety attach z --limit 64M
is "it was loaded by the first" "$(ls /sys/fs/bpf)" "surety"
is "run" "$(surety run --engine bpf --limit 64M --report /dev/null -- ops rw:0:30 rw:1:40 fork | sed 's/ $//')" \
	"rw=ok rw=ENOMEM fork=ok"
has "its summary" "$(surety run --engine bpf --limit 64M --summary --name job -- ops rw:0:30 2>&1)" "group 'job': peak Committed_AS 30."
has "a limit that nothing fits in" "$(surety run --engine bpf --limit 8K -- ops 2>&1)" "does not fit under the limit"
is "a command that is not there" "$(surety run --engine bpf --limit 8M -- /nowhere 2>/dev/null; echo $?)" 127
surety detach z
is "run leaves nothing" "$(ls /sys/fs/bpf; ls -d $C/surety-* 2>/dev/null)" ""

mkdir $C/a
surety attach a --limit 64M
surety watch --report /tmp/reports &
watch=$!
sleep 1
ops a rw:0:80 >/dev/null
ops a memfd:0:80 write:0:70 >/dev/null
(ops a rw:0:40 fork stay >/dev/null) &
sleep 2
kill $watch
wait $watch
is "watch ends in order" $? 0
reports=$(cat /tmp/reports)
has "a report of mmap" "$reports" "refused mmap of 80M"
has "with its group and engine" "$reports" "group    /a, overcommit_memory 2, engine bpf"
has "with the stack" "$reports" "main+"
has "a report of a file's page, once" "$(grep -c 'refused shmem of 4K' /tmp/reports)" 1
has "a report of fork, with all of it" "$reports" "refused fork of 40."
has "with the largest holders" "$reports" "largest holders"
is "reports as JSON" "$(surety watch --format json --report /tmp/json & sleep 1; ops a rw:0:80 >/dev/null; sleep 2; kill $!; wait; \
	grep -c '"engine":"bpf"' /tmp/json)" 1

kill -9 $(cat $C/a/cgroup.procs)
until_true held_is a 0
# kill -9 of every process of ours, at any time: the kernel goes on alone.
for i in $(seq 12); do
	surety attach a --limit 64M &
	surety watch --report /dev/null & 
	surety groups >/dev/null &
	usleep $((i * 7000))
	kill -9 $(jobs -p) 2>/dev/null
	wait 2>/dev/null
	got=$(ops a rw:0:80 rw:0:30)
	test "$got" = "rw=ENOMEM rw=ok" || break
done
is "enforced after kill -9 of all of ours" "$got" "rw=ENOMEM rw=ok"
until_true held_is a 0
is "and nothing was lost" "$(figure a Committed_AS)" 0
surety detach a
for i in 1 2 3 4; do
	surety attach a --limit 64M &
	usleep $((i * 400000))
	kill -9 $! 2>/dev/null
	wait 2>/dev/null
done
surety attach a --limit 64M
is "a load that was killed can be done again" "$(ops a rw:0:80)" "rw=ENOMEM"
surety detach --all
is "and taken away" "$(ls /sys/fs/bpf)" ""
finish
