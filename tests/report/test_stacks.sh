#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Stacks and coalescing of real programs, refused by the helper snap.
#
#     test_stacks.sh SNAP SURETY-REPORT
#
# Programs are compiled here, as users compile theirs.  Each stack must go from
# the allocation to main, or to the thread's function, with file and line.

snap=$1
report=$2
cc=${CC:-cc}
here=$(cd "$(dirname "$0")" && pwd)
nr=0
failed=0

if [ ! -x "$snap" ] || [ ! -x "$report" ]; then
	echo "usage: test_stacks.sh SNAP SURETY-REPORT" >&2
	exit 99
fi
if ! command -v "$cc" >/dev/null; then
	echo "1..0 # SKIP cc: no C compiler"
	exit 77
fi
work=$(mktemp -d) || exit 99
pid= # of the program that wrote /tmp/perf-PID.map
trap 'rm -rf "$work"; [ -z "$pid" ] || rm -f "/tmp/perf-$pid.map"' EXIT
cd "$work" || exit 99

result() { # VERDICT NAME [FILE]
	nr=$((nr + 1))
	echo "$1 $nr - $2"
	if [ "$1" != ok ]; then
		failed=1
		[ -n "$3" ] && sed 's/^/# /' "$3" | head -80
	fi
}

skip() {
	nr=$((nr + 1))
	echo "ok $nr - $1 # SKIP $2"
}

# Compiles SOURCE to NAME with the flags given.
build() {
	built=$1
	built_from=$2
	shift 2
	"$cc" -pthread "$@" "$here/$built_from" -o "$built" 2>"$built.log"
}

# Runs a program under snap and keeps records and report: NAME.rec, NAME.txt.
# The report is made after the program has ended.
observe() {
	observed=$1
	shift
	"$snap" "$@" >"$observed.rec" || return 1
	"$report" --fd 1 <"$observed.rec" >"$observed.txt"
}

line_of() { # SOURCE MARK
	grep -n "/\* at: $2 \*/" "$here/$1" | cut -d: -f1
}

# Whether report FILE has frames, in this order and next to each other, that are
# the functions named, each at its mark in SOURCE.
frames_in() {
	file=$1
	source=$2
	shift 2
	wanted=
	for mark in "$@"; do
		line=$(line_of "$source" "$mark")
		[ -n "$line" ] || return 1
		wanted="$wanted|$mark $source:$line"
	done
	# "#6 0x... level3.constprop.0+0x9 at .../stack_malloc.c:23 (...)" -> "|level3 stack_malloc.c:23"
	sed -n 's/^    #[0-9]* *\(0x[0-9a-f]*\|inlined\) *\([^ .+]*\)[^ ]* at \([^ ]*\).*/\2 \3/p' "$file" |
		sed 's,^\([^ ]*\) .*/,\1 ,' | tr '\n' '|' | sed 's/^/|/' | grep -qF "$wanted|"
}

expect_stack() { # NAME-OF-TEST REPORT SOURCE MARK...
	test_name=$1
	file=$2
	shift 2
	if frames_in "$file" "$@" && ! grep -q '^    \.\.\.' "$file"; then
		result ok "$test_name"
	else
		result "not ok" "$test_name" "$file"
	fi
}

expect_line() { # NAME-OF-TEST REPORT FIXED-TEXT
	if grep -qF -- "$3" "$2"; then
		result ok "$1"
	else
		result "not ok" "$1 (no '$3')" "$2"
	fi
}

expect_count() { # NAME-OF-TEST COUNT PATTERN FILE
	got=$(grep -c "$3" "$4")
	if [ "$got" = "$2" ]; then
		result ok "$1"
	else
		result "not ok" "$1: $got, not $2" "$4"
	fi
}

frame_count() {
	grep -c '^    #' "$1"
}

# How each program is compiled, and that its stack is whole.
through_malloc() { # NAME FLAGS...
	name=$1
	shift
	if ! build "$name" stack_malloc.c "$@"; then
		skip "stack: $name ($*)" "cannot compile: $(head -c 100 "$name.log" | tr '\n' ' ')"
		return
	fi
	observe "$name" -- "./$name" || { result "not ok" "stack: $name got its memory" "$name.txt"; return; }
	expect_stack "stack: $name ($*)" "$name.txt" stack_malloc.c level3 inlined level2 main
	expect_count "one report of one failed malloc: $name" 1 '^surety: refused' "$name.txt"
}

through_malloc plain -O2 -g
through_malloc unoptimised -O0 -g
through_malloc no_frame_pointer -O2 -g -fomit-frame-pointer
through_malloc frame_pointer_only -O2 -g -fno-omit-frame-pointer -fno-asynchronous-unwind-tables
through_malloc static -O2 -g -static
through_malloc static_pie -O2 -g -static-pie
through_malloc no_pie -O2 -g -no-pie
through_malloc i386 -O2 -g -m32
through_malloc i386_static -O2 -g -m32 -static

# On another thread, and in a signal handler.  The frame that returns from a
# signal of an i386 program lies in its vdso, which has ended with it.
elsewhere() { # NAME HOW DEEPEST-MARK BELOW
	if [ ! -x "$1" ]; then
		skip "stack: $1 $2" "$1 was not compiled"
		return
	fi
	observe "$1-$2" -- "./$1" "$2"
	if frames_in "$1-$2.txt" stack_malloc.c level3 inlined level2 "$3" && grep -q " $4+0x" "$1-$2.txt"; then
		result ok "stack: $1 $2, down to $4"
	else
		result "not ok" "stack: $1 $2, down to $4" "$1-$2.txt"
	fi
	expect_count "one report of one failed malloc: $1 $2" 1 '^surety: refused' "$1-$2.txt"
}

elsewhere plain thread worker start_thread
elsewhere static thread worker start_thread
elsewhere i386 thread worker worker
elsewhere plain signal handler main
elsewhere static signal handler main
elsewhere i386 signal handler handler

# The calls of one event, and an event for each failure.
calls=$(grep -c '^  \(call    \|        \) [a-z0-9]*(.* = ENOMEM' plain.txt)
if [ "$calls" = 3 ]; then
	result ok "three calls of one malloc are listed"
else
	result "not ok" "$calls calls are listed, not 3" plain.txt
fi
expect_line "the caller beyond the allocator is named" plain.txt "caller   level3 at "
observe twice -- ./plain twice
expect_count "two failures from one line are two reports" 2 '^surety: refused' twice.txt
expect_line "the first line stands alone" plain.txt "] in group 'snap': Committed_AS 1M + 1.0G would pass CommitLimit 64M"

# What is kept from one process to the next changes nothing.
cp plain copy # another file with the same build-id
"$snap" -- ./plain thread >one.rec
"$snap" -- ./copy thread >two.rec
"$snap" -- ./plain signal >three.rec
for name in one two three; do "$report" --fd 1 <$name.rec; done >apart.txt
cat one.rec two.rec three.rec | "$report" --fd 1 >together.txt
if [ "$(grep -c '^surety' apart.txt)" = 3 ] && cmp -s apart.txt together.txt; then
	result ok "reports of several processes are those of each alone"
else
	result "not ok" "reports of several processes are those of each alone" together.txt
fi

# A frame-pointer frame: complete with all registers.
build frame stack_frame.c -O2 -g || exit 99
observe frame -- ./frame
expect_stack "stack: alloca and a bare system call" frame.txt stack_frame.c varying between main
# With stack pointer and pc alone malloc's frames do not need the frame pointer.
observe partial --partial -- ./plain
expect_stack "stack: from stack pointer and pc alone, through malloc" partial.txt \
	stack_malloc.c level3 inlined level2 main

# Without symbols: as deep as with them, and offsets that addr2line takes.
cp plain stripped && strip stripped
observe stripped -- ./stripped
deep=$(($(frame_count plain.txt) - 1)) # the inlined one is not known any more
if [ "$(frame_count stripped.txt)" = "$deep" ]; then
	result ok "stack: a stripped program is unwound as deep"
else
	result "not ok" "stack: a stripped program is unwound as deep ($deep frames)" stripped.txt
fi
lines=$(sed -n 's/.*(stripped+\(0x[0-9a-f]*\)).*/\1/p' stripped.txt |
	xargs addr2line -e plain | sed 's,.*/,,; s/ (disc.*//' | head -3 | tr '\n' ' ')
wanted="stack_malloc.c:$(line_of stack_malloc.c level3) "
wanted="$wanted""stack_malloc.c:$(line_of stack_malloc.c inlined) "
wanted="$wanted""stack_malloc.c:$(line_of stack_malloc.c main) "
if [ "$lines" = "$wanted" ]; then
	result ok "module offsets are what addr2line takes"
else
	result "not ok" "module offsets are what addr2line takes: '$lines', not '$wanted'" stripped.txt
fi
id=$(readelf -n plain | sed -n 's/.*Build ID: //p')
expect_line "the build-id is given" plain.txt "$id $work/plain"

# The file is gone, or is another one by now.
cp frame_pointer_only gone
"$snap" -- ./gone >gone.rec
rm gone
"$report" --fd 1 <gone.rec >gone.txt
offsets=$(sed -n 's/.*(\(gone\|frame_pointer_only\)+\(0x[0-9a-f]*\)).*/\2/p' gone.txt | head -3 | tr '\n' ' ')
wanted=$(sed -n 's/.*(frame_pointer_only+\(0x[0-9a-f]*\)).*/\1/p' frame_pointer_only.txt | head -3 | tr '\n' ' ')
if [ -n "$wanted" ] && [ "$offsets" = "$wanted" ]; then
	result ok "a deleted file: module and offsets all the same, by frame pointers"
else
	result "not ok" "a deleted file: offsets '$offsets', not '$wanted'" gone.txt
fi
cp frame gone
"$report" --fd 1 <gone.rec >replaced.txt
if grep -q 'gone+0x' replaced.txt && ! grep -q 'stack_frame.c\|varying\|between' replaced.txt; then
	result ok "a file that took its place is not used"
else
	result "not ok" "a file that took its place is not used" replaced.txt
fi

# Code made at run time.
if build jit stack_jit.c -O2 -g -fno-omit-frame-pointer; then
	"$snap" -- ./jit map >jit.rec 2>jit.pid
	pid=$(head -n 1 jit.pid)
	"$report" --fd 1 <jit.rec >jit.txt
	expect_line "perf-PID.map names a frame, escaped" jit.txt 'jit\x1b[31m_new with blanks+0x6'
	expect_count "and the stack goes on below it" 1 ' main+0x' jit.txt
	expect_count "code that no line table covers gets no line" 0 ' _start+0x[0-9a-f]* at ' jit.txt
	[ -n "$pid" ] && rm -f "/tmp/perf-$pid.map"
	"$report" --fd 1 <jit.rec >nojit.txt
	expect_count "without the map the frame is there without a name" 1 '^    #[0-9]* *0x[0-9a-f]* *?$' nojit.txt
	if [ -n "$pid" ]; then # a link is not followed, a fifo not waited for
		echo "0 ffffffffffffffff stolen" >elsewhere
		ln -s "$work/elsewhere" "/tmp/perf-$pid.map"
		timeout 20 "$report" --fd 1 <jit.rec >link.txt
		expect_count "a perf-PID.map that is a link is not read" 0 stolen link.txt
		rm -f "/tmp/perf-$pid.map"
		mkfifo "/tmp/perf-$pid.map"
		timeout 20 "$report" --fd 1 <jit.rec >fifo.txt
		expect_count "nor is one that is a fifo waited for" 1 '^surety: refused' fifo.txt
		exec 5<>"/tmp/perf-$pid.map" && cat elsewhere >&5
		timeout 20 "$report" --fd 1 <jit.rec >fifo.txt
		expect_count "nor is one that is a fifo read" 0 stolen fifo.txt
		exec 5>&-
		rm -f "/tmp/perf-$pid.map"
	fi
else
	skip "perf-PID.map" "cannot compile"
fi

# No capture.
observe bare --bare -- ./plain
expect_line "a refusal without a stack is reported" bare.txt "not available"
expect_count "and its calls are one report" 1 '^surety: refused' bare.txt

# While the program runs, as in use.
"$snap" -- ./plain 2>/dev/null | "$report" --fd 1 >live.txt
expect_stack "stack: reported while the program runs" live.txt stack_malloc.c level3 inlined level2 main

echo "1..$nr"
exit $failed
