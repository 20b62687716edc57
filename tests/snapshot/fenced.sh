#!/bin/sh
# SPDX-License-Identifier: MIT
# If membarrier(2) is refused, as in some containers, writers use fences instead,
# and nothing else changes. Refused to all processes, and to one of two; or one of
# two opens the ledger as one that adds seldom.
in_memory=yes
. "${srcdir:-.}/tests/support/tap.sh"

tests/support/refuse membarrier -- true 2>/dev/null ||
	skip_all "no system call can be refused here"

for test in ledger/test_ledger snapshot/test_snapshot add/test_kill \
	snapshot/test_in_doubt; do
	[ -x tests/$test ] || continue
	check "all without it: $test" run \
		tests/support/refuse membarrier -- tests/$test
done
check "all without it: two processes" run \
	tests/support/refuse membarrier -- tests/support/steady -t 0.4 -s 100 "$tmp/all"
check "each snapshot is whole" grep -qx "broken 0" "$out"
for one in "-f one without it" "-a one that adds seldom"; do
	# Longer if a busy host left no time for a snapshot.
	for time in 0.4 2 8; do
		run tests/support/steady "${one%% *}" -t $time -s 100 "$tmp/one"
		status=$?
		grep -qx 'snapshots 0' "$out" || break
		rm -f "$tmp/one"
	done
	check "${one#* }: two processes" test $status -eq 0
	check "${one#* }: snapshots are taken" \
		grep -qx 'snapshots [1-9][0-9]*' "$out"
	check "${one#* }: each is whole" grep -qx 'broken 0' "$out"
	rm -f "$tmp/one"
done
plan
