#!/bin/sh
# SPDX-License-Identifier: MIT
# With few file descriptors, what a verb can't open is an error: it never says that it
# is not there.
set -u
. "${srcdir:-.}/tests/tool/tool_lib.sh"
sleep 1000 &
children=$!
pid=$!
await grep -q sleep "/proc/$pid/comm"
"$tool" topo >/dev/null 2>"$tmp/all"
hidden='shows no nodes'

# few PATTERN ARGUMENT…: says that files can't be opened, or prints what has the pattern
few() {
	pattern=$1
	shift
	wrong=
	for n in 4 5 6 7 8 9 10 11 12 14 16 20 32; do
		(ulimit -n $n && exec "$tool" "$@") >"$out" 2>"$err"
		status=$?
		if has 'Too many open files' err; then
			[ $status -eq 1 ]
		else
			has "$pattern"
		fi && ! has 'no processes\|^no process\|No such' err &&
			{ ! has "$hidden" err || has "$hidden" all; } ||
			wrong="$wrong $n"
	done
	[ -z "$wrong" ]
	result $? "$*${wrong:+: but with$wrong}"
}

node='^ *0 \|node *0\|Node 0'
few "\\<$pid\\>" stat --by process
few "\\<$pid\\>" stat --json --by process
few '"uid"' stat --json --by user
few '"cgroup"' stat --json --by cgroup
few "\\<$pid\\>" stat -p sleep
few "\\<$pid\\>" stat -p $pid
few "$node" stat
few '"id":0' stat --json
few "$node" topo
for by in process thread; do
	few "\"pid\":$pid," top --json --count 1 --by $by
done
few '"uid"' top --json --count 1 --by user
few '"cgroup"' top --json --count 1 --by cgroup

# A capture lacks nothing, unless it says so.
for n in 4 5 6 7 8; do
	rm -f "$tmp/c.tar.gz"
	(ulimit -n $n && exec "$tool" capture "$tmp/c.tar.gz") 2>"$err"
	has 'Too many open files' err || {
		"$tool" stat --by process --root "$tmp/c.tar.gz" >"$out" \
			2>"$tmp/log"
		has "\\<$pid\\>"
	} || break
done
result $? "capture"
plan
