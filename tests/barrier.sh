#!/bin/sh
# SPDX-License-Identifier: MIT
# A snapshot stands still from its first instant on; and does not where
# membarrier(2) says that it has done something and has not, so that the test
# would notice if it were left out.
dir=$(TMPDIR=/dev/shm mktemp -d 2>/dev/null || mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
count=0

skip()
{
	echo "1..0 # SKIP $1"
	exit 0
}

taskset -c 0,1 true 2>/dev/null || skip "CPUs 0 and 1 are not both ours"
tests/litmus -t 0 "$dir/ledger" >"$dir/said" 2>&1 ||
	skip "$(head -n 1 "$dir/said")"
rm -f "$dir/ledger"

# report NAME COMMAND...
report()
{
	count=$((count + 1))
	name=$1
	shift
	if "$@"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' "$dir/said"
	fi
}

# stands HOW COMMAND...
stands()
{
	how=$1
	shift
	"$@" -t 0.5 "$dir/ledger" >"$dir/said" 2>&1
	rm -f "$dir/ledger"
	report "$how: it stands still" grep -qx 'broken 0' "$dir/said"
	sed -n "s/^snapshots/# $how: snapshots:/p" "$dir/said"
}

stands "two processes" tests/litmus
stands "one process" tests/litmus -x
if tests/refuse membarrier -- true 2>/dev/null; then
	stands "fenced marks" tests/refuse membarrier -- tests/litmus
	stands "fenced marks, one process" \
		tests/refuse membarrier -- tests/litmus -x
	for how in "" -x; do
		name="without a barrier${how:+, one process}: it is noticed"
		tests/refuse -e 0 membarrier -- \
			tests/litmus $how -t 20 "$dir/ledger" >"$dir/said" 2>&1
		rm -f "$dir/ledger"
		if [ -n "$ASAN_OPTIONS$TSAN_OPTIONS" ] &&
			grep -qx 'broken 0' "$dir/said"; then
			count=$((count + 1))
			echo "ok $count - $name # SKIP a sanitizer is slow"
			continue
		fi
		report "$name" grep -qx 'broken 1' "$dir/said"
	done
fi
echo "1..$count"
