# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Every test that is a shell script reads this file first:
#
#   . "${srcdir:-.}/tests/support/tap.sh"
#
#   check NAME COMMAND…     a result: COMMAND succeeds
#   result STATUS NAME      a result: STATUS is 0
#   ok NAME, not_ok NAME    a result
#   skip NAME REASON        a result that could not be had, and why
#   skip_all REASON         ends the test: nothing of it can run here
#   plan [NUMBER]           prints the number of results: at the end, or NUMBER
#                           at the start
#   run COMMAND…            keeps what COMMAND prints in $out and $err
#
# $tmp is a directory of the test's own: in /dev/shm if the test sets in_memory
# before, where ledgers are files in memory, but programs may not be executed.
# A failed result prints the files of $tmp that $logs names. At the test's end,
# also by a signal, the processes in $children are ended, at_end is called, which
# a test may define, and $tmp is removed.

[ -z "${nr_results-}" ] || return 0 # of two libraries, each reads it
tmp=${TMPDIR:-/tmp}
[ -z "${in_memory-}" ] || [ ! -w /dev/shm ] || tmp=/dev/shm
tmp=$(mktemp -d "$tmp/numatally-test.XXXXXX") || exit 99
out=$tmp/out
err=$tmp/err
logs="out err log"
children=
nr_results=0
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

at_end() {
	:
}

clean_up() {
	[ -z "$children" ] || {
		kill $children
		kill -CONT $children
	} 2>/dev/null
	at_end
	rm -rf "$tmp"
}

ok() {
	nr_results=$((nr_results + 1))
	echo "ok $nr_results - $1"
}

not_ok() {
	nr_results=$((nr_results + 1))
	echo "not ok $nr_results - $1"
	for tap_log in $logs; do
		[ ! -s "$tmp/$tap_log" ] || head -c 4000 "$tmp/$tap_log" |
			LC_ALL=C tr -c '\n\t -~' '?' |
			awk -v file="$tap_log" '{ print "# " file ": " $0 }'
	done
}

result() {
	if [ "$1" -eq 0 ]; then
		ok "$2"
	else
		not_ok "$2"
	fi
}

check() {
	tap_name=$1
	shift
	"$@"
	result $? "$tap_name"
}

skip() {
	ok "$1 # SKIP $2"
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

plan() {
	echo "1..${1:-$nr_results}"
}

run() {
	"$@" >"$out" 2>"$err"
}
