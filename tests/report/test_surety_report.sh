#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The program surety-report: options, damaged input, signals, where it writes.
#
#     test_surety_report.sh SNAP SURETY-REPORT

snap=$1
report=$2
doc=$(cd "$(dirname "$0")/../.." && pwd)/docs/REPORT.md
nr=0
failed=0

if [ ! -x "$snap" ] || [ ! -x "$report" ]; then
	echo "usage: test_surety_report.sh SNAP SURETY-REPORT" >&2
	exit 99
fi
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99

check() { # NAME, and the condition is the status before it
	status=$?
	nr=$((nr + 1))
	if [ $status = 0 ]; then
		echo "ok $nr - $1"
	else
		echo "not ok $nr - $1"
		failed=1
		[ -s err ] && sed 's/^/# /' err
	fi
}

# python3 that asks for 1 GiB: a program that nobody here wrote.
"$snap" -- python3 -c 'b = bytearray(1 << 30)' >rec 2>/dev/null
[ -s rec ]
check "python3 was refused"

"$report" <rec 2>err
[ $? = 0 ] && grep -q '^surety: refused' err
check "text on stderr is the default"

"$report" --format json --fd 1 <rec >out 2>err
[ $? = 0 ] && [ ! -s err ] && python3 -c '
import json, sys
for line in open("out"):
    o = json.loads(line)
    assert o["schema"] == "surety.refusal/1", o
    assert o["comm"] == "python3" and o["requested_bytes"] > 1 << 30, o
    assert o["stack"]["end"] == "outermost" and len(o["calls"]) >= 2, o
' 2>err
check "json, one object a line"

python3 - "$doc" >err <<'END'
import json, re, sys
text = open(sys.argv[1]).read().partition("## JSON")[2]
documented = set(re.findall(r"`(\w+)`", text))
def keys(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)
used = set(keys(json.loads(open("out").readline())))
print("not documented:", *sorted(used - documented))
sys.exit(not used or bool(used - documented))
END
check "every field is documented"

"$report" --fd 3 <rec 3>out 2>err
[ $? = 0 ] && [ ! -s err ] && grep -q '^surety: refused' out
check "--fd N"

"$report" </dev/null >out 2>err
[ $? = 0 ] && [ ! -s out ] && [ ! -s err ]
check "no record, no report"

# One write(2) a report.
if command -v strace >/dev/null; then
	cat rec rec >two
	strace -e trace=write -o trace "$report" --fd 1 <two >out 2>err
	[ "$(grep -c '^write(1, "surety: refused' trace)" = 2 ] && [ "$(grep -c '^write(1,' trace)" = 2 ]
	check "each report is one write"
else
	nr=$((nr + 1))
	echo "ok $nr - each report is one write # SKIP strace: not installed"
fi

refuses() { # NAME WORDS ARGS...: exit 125, one line
	refused_name=$1
	words=$2
	shift 2
	"$report" "$@" <rec >out 2>err
	[ $? = 125 ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] && grep -q "^surety: .*$words" err
	check "$refused_name"
}

refuses "an unknown format" "'xml'" --format xml
refuses "an unknown option" "'--what'" --what
refuses "a missing value" "'--fd'" --fd
refuses "a descriptor that is not open" "'77'" --fd 77
refuses "a descriptor that is no number" "'-1'" --fd -1
refuses "an argument" "'file'" file

# Damage: the reports before it are not lost.
head -c 1000 rec >short
"$report" <short >out 2>err
[ $? = 125 ] && [ "$(wc -l <err)" = 1 ] && grep -q '^surety: .*damaged' err
check "a record cut short"
head -c 100000 /dev/zero >zero
cat rec zero >mixed
"$report" --fd 1 <mixed >out 2>err
[ $? = 125 ] && grep -q '^surety: refused' out && [ "$(wc -l <err)" = 1 ] && grep -q '^surety: .*damaged' err
check "noise behind a sound record"

# Output that cannot be written is said once, and the input is read to its end.
if [ -w /dev/full ]; then
	cat rec rec >two
	"$report" --fd 3 <two 3>/dev/full 2>err
	[ $? = 125 ] && [ "$(wc -l <err)" = 1 ] && grep -q '^surety: .*No space left' err
	check "a full disk is said once"
fi

# Signals for the job do not end it before its input does.
mkfifo pipe
"$report" --fd 1 <pipe >out 2>err &
pid=$!
exec 4>pipe
# It has set the signals once it has read: an event is reported while the pipe is open.
cat rec >&4
tries=0
until [ -s out ] || [ $tries = 200 ]; do
	tries=$((tries + 1))
	sleep 0.05
done
[ -s out ]
check "a report does not wait for the end of the input"
for signal in INT TERM HUP QUIT; do
	kill -$signal $pid
done
cat rec >&4
exec 4>&-
wait $pid
[ $? = 0 ] && [ "$(grep -c '^surety: refused' out)" = 2 ]
check "signals do not lose a report"

echo "1..$nr"
exit $failed
