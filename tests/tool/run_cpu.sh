#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally run: CPU time by node adds up to rusage's, by BPF and without, whatever
# becomes of the command's processes; by BPF, none of it is estimated or of no node.
. "${srcdir:-.}/tests/tool/run_lib.sh"
spin=$PWD/tests/support/spin
eat=$PWD/tests/support/eat
megabytes=20 forks=200
[ -z "$NUMATALLY_LONG" ] || megabytes=200 forks=2000
[ -z "$NUMATALLY_GUEST" ] || megabytes=2 forks=20

# What the command took before its execve(2) is in rusage alone.
slack=5
[ -z "$NUMATALLY_GUEST" ] || slack=100

# counted WAY OPTION... COMMAND...: runs it
counted() {
	way=$1
	shift
	"$tool" run --json --events="$way" -o "$tmp/json" "$@" >"$out" 2>"$err"
}

# is_rusage: the nodes' sum is, within 1 %
is_rusage() {
	awk -v a="$(sum cpu_ns)" -v b="$(rusage_ns)" -v ms=$slack 'BEGIN {
		off = a > b ? a - b : b - a
		exit off > b / 100 + ms * 1e6 }'
}

used() {
	[ "$(sum cpu_ns)" -ge $(($1 * 1000000)) ]
}

counted bpf true
bpf=
if has '"events":"bpf"' json; then
	bpf=bpf
	check "the table says what counted" "$tool" run --events=bpf -o "$tmp/table" true
	check "it was BPF" has '^counted by BPF$' table
else
	check "refused BPF: it says so" has '"no BPF: [A-Z a-z]*"' json
	skip "by BPF" "$(grep -o 'no BPF: [^"]*' "$tmp/json")"
fi

mkdir "$tmp/build"
cat >"$tmp/build/a.c" <<'END'
#include <stdio.h>
#define TEN(x) x x x x x x x x x x
int main(void) { TEN(TEN(puts("x");)) return 0; }
END
cp "$tmp/build/a.c" "$tmp/build/b.c"

for way in $bpf inherit; do
	# What perf events lack was never exact in a machine whose CPUs wait.
	[ "$way" = bpf ] || [ -z "$NUMATALLY_GUEST" ] || continue
	counted "$way" sh -c "yes | head -c ${megabytes}M | sha1sum"
	check "$way: a pipeline" is_rusage
	counted "$way" sh -c "
		i=0; while [ \$i -lt $forks ]; do sh -c :; i=\$((i+1)); done"
	check "$way: $forks forks" is_rusage
	# shellcheck disable=SC2086 # CC is a command line
	if ${CC:-cc} -c -o "$tmp/build/a.o" "$tmp/build/a.c" 2>/dev/null; then
		counted "$way" sh -c "cd '$tmp/build' && {
			${CC:-cc} -c -O2 a.c & ${CC:-cc} -c -O2 b.c & wait; }"
		check "$way: a build" is_rusage
	else
		skip "$way: a build" "no compiler"
	fi
done
[ -n "$bpf" ] || {
	plan
	exit 0
}

exact() {
	is_rusage && [ "$(of_none cpu_ns)" -eq 0 ] && ! has '"cpu_ns",' json &&
		has '"problems":\[\]' json
}

counted bpf --wait sh -c "setsid sh -c '($spin 100 &)'; ($spin 100 &)"
check "daemons" used 200
check "daemons: it is rusage's" exact
counted bpf sh -c "i=0; while [ \$i -lt 10 ]; do $spin 10; i=\$((i+1)); done"
check "lives of 10 ms" used 100
check "lives of 10 ms: it is rusage's" exact
counted bpf "$eat" leader 64 1
check "threads" exact
counted bpf "$eat" nowait 64 1
check "a child that nobody waits for" awk -v a="$(sum cpu_ns)" \
	-v b="$(rusage_ns)" 'BEGIN { exit a <= b }'

$spin 1000 &
other=$!
counted bpf sh -c 'sleep 0.3'
kill $other 2>/dev/null
wait $other
check "what others take is theirs" awk -v a="$(sum cpu_ns)" -v b="$(rusage_ns)" \
	-v ms=$slack 'BEGIN { exit a > b * 1.01 + ms * 1e6 }'

# Two runs: where the kernel balances nodes, one that lasts has more faults.
same_faults() {
	counted bpf "$eat" hold 16 0
	faults=$(sum page_faults)
	counted inherit "$eat" hold 16 0
	off=$((faults - $(sum page_faults)))
	[ $off -ge -100 -a $off -le 100 ]
}
for _ in 1 2 3 4 5; do
	same_faults && break
done
same=$?
if has '"estimates":\["page_faults"' json || ! has '"events":"inherit"' json; then
	skip "page faults are those of perf events" "perf events don't tell them"
else
	result $same "page faults are those of perf events"
fi

# Not on a file system mounted nosuid, nor in a user namespace of one user.
has_no_root() {
	grep -q '^Uid:	0	1	' "/proc/$1/status"
}
cp "$spin" "$tmp/spin"
if chown 1 "$tmp/spin" && chmod 4755 "$tmp/spin" && {
	"$tmp/spin" 20000 &
	await has_no_root $!
	worked=$?
	kill $!
	wait $!
	[ $worked -eq 0 ]
}; then
	counted bpf sh -c "'$tmp/spin' 200; exit 3"
	check "a setuid program: the exit status" test $? -eq 3
	check "a setuid program" used 200
	check "a setuid program: it is rusage's" exact
else
	skip "a setuid program" "none takes effect in $tmp"
fi

# The events of another's counter don't end with this one.
"$tool" run --json --events=bpf -o "$tmp/json" sh -c "
	'$tool' run --events=bpf -o '$tmp/table' $spin 100; $spin 100"
check "one in the other" used 200
check "one in the other: it is rusage's" exact
plan
