#!/bin/sh
# SPDX-License-Identifier: MIT
# A snapshot does not change after it was taken. If membarrier(2) returns 0 without
# doing anything, it does: so this test would notice a missing barrier.
in_memory=yes
. "${srcdir:-.}/tests/support/tap.sh"
logs=said

taskset -c 0,1 true 2>/dev/null || skip_all "CPUs 0 and 1 are not both ours"
tests/support/litmus -t 0 "$tmp/ledger" >"$tmp/said" 2>&1 ||
	skip_all "$(head -n 1 "$tmp/said")"
rm -f "$tmp/ledger"

# stands HOW COMMAND...
stands()
{
	how=$1
	shift
	"$@" -t 0.5 "$tmp/ledger" >"$tmp/said" 2>&1
	rm -f "$tmp/ledger"
	check "$how: it does not change" grep -qx 'broken 0' "$tmp/said"
	sed -n "s/^snapshots/# $how: snapshots:/p" "$tmp/said"
}

stands "two processes" tests/support/litmus
stands "one process" tests/support/litmus -x
if tests/support/refuse membarrier -- true 2>/dev/null; then
	stands "fences instead" tests/support/refuse membarrier -- tests/support/litmus
	stands "fences instead, one process" \
		tests/support/refuse membarrier -- tests/support/litmus -x
	for how in "" -x; do
		name="without a barrier${how:+, one process}: the change is noticed"
		tests/support/refuse -e 0 membarrier -- \
			tests/support/litmus $how -t 20 "$tmp/ledger" >"$tmp/said" 2>&1
		rm -f "$tmp/ledger"
		if [ -n "$ASAN_OPTIONS$TSAN_OPTIONS" ] &&
			grep -qx 'broken 0' "$tmp/said"; then
			skip "$name" "a sanitizer is slow"
			continue
		fi
		check "$name" grep -qx 'broken 1' "$tmp/said"
	done
fi
plan
