#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally stat: its command line, under both of its names.
set -u
. "${srcdir:-.}/tests/tool/tool_lib.sh"

program=$(realpath "$tool")
ln -s "$program" "$tmp/numastat"

stat()
{
	run "$tool" stat "$@"
}

numastat()
{
	run "$tmp/numastat" "$@"
}

stat --help && grep -q '^Usage: numatally stat' "$out" && [ ! -s "$err" ]
result $? "--help"
stat -c --json --help -V && grep -q '^Usage: numatally stat' "$out"
result $? "--help after other options"
stat -V && grep -q '^numatally stat version: [0-9.]*: numatally$' "$out"
result $? "-V"

# usage ARGUMENT...
usage()
{
	stat "$@"
	[ $? -eq 2 ] && [ ! -s "$out" ] && [ "$(wc -l <"$err")" -eq 2 ] &&
		grep -q "^Try 'numatally stat --help'" "$err"
	result $? "usage error: $*"
}

usage -x
usage '-?'
usage -p
usage --what
usage --json=1
usage --json --csv
usage --json --long
usage --csv --long
usage --interval
usage --interval 0
usage --interval -1
usage --interval 1x
usage --interval nan
usage --interval inf
usage --interval 1e9
usage --count 3
usage --interval 1 --count 0
usage --interval 1 --count -1
usage --interval 1 --count 1x
usage --interval 1 --count 99999999999999999999
usage --by
usage --by nobody
usage --by node 1
usage --by node -p 1
usage --nodes ''
usage --nodes x
usage --nodes 1,
usage --nodes ,1
usage --nodes 1-
usage --nodes 3-1
usage --nodes 1-2-3
usage --nodes 4096
usage --nodes 99999999999999999999
usage --nodes -1
usage --top 0
usage --top -1
usage --top 99999999999
usage --root

numastat -V && grep -q "^$tmp/numastat version: [0-9.]*: numatally\$" "$out"
result $? "numastat -V"

# numastat_usage LINES ARGUMENT...: prints that many lines
numastat_usage()
{
	lines=$1
	shift
	numastat "$@"
	[ $? -eq 1 ] && [ ! -s "$out" ] &&
		[ "$(wc -l <"$err")" -eq "$lines" ] &&
		grep -q "^Usage: $tmp/numastat \\[-c\\]" "$err"
	result $? "numastat's usage: $*"
}

numastat_usage 9 --help
numastat_usage 9 '-?'
numastat_usage 10 -x
numastat_usage 10 -p
numastat_usage 10 -mp
numastat_usage 10 --json
numastat_usage 10 --root /

# Debian's prints the same.
if [ -x /usr/bin/numastat ]; then
	mkdir "$tmp/ours" "$tmp/theirs"
	ln -s "$program" "$tmp/ours/numastat"
	ln -s /usr/bin/numastat "$tmp/theirs/numastat"
	for args in --help '-?' -x -p -cx --json --hel -xV; do
		for whose in ours theirs; do
			(cd "$tmp/$whose" && ./numastat $args \
				>"$tmp/$whose.out" 2>"$tmp/$whose.err"
			echo $? >>"$tmp/$whose.out")
		done
		diff "$tmp/ours.out" "$tmp/theirs.out" >"$out" &&
			diff "$tmp/ours.err" "$tmp/theirs.err" >"$err"
		result $? "as Debian's numastat: $args"
	done
else
	skip "as Debian's numastat" "no /usr/bin/numastat"
fi
plan
