#!/bin/sh
# SPDX-License-Identifier: MIT
# The same tests on each way that an add can take: without restartable sequences,
# with those of an area that the C library did not register, without membarrier(2),
# and in checked mode.
in_memory=yes
. "${srcdir:-.}/tests/support/tap.sh"

all="ledger/test_ledger add/test_kinds view/test_view snapshot/test_snapshot \
	limit/test_take open/test_model"

# NAME COMMAND…
each_test()
{
	name=$1
	shift
	for test in $all; do
		[ -x "tests/$test" ] || continue
		check "$name: $test" run "$@" "tests/$test"
	done
}

each_test "without sequences" env NUMATALLY_RSEQ=0
each_test "in an area of ours" env GLIBC_TUNABLES=glibc.pthread.rseq=0
each_test "in checked mode" env NUMATALLY_CHECKED=1
if tests/support/refuse membarrier -- true 2>/dev/null; then
	each_test "without membarrier" tests/support/refuse membarrier --
	each_test "both refused" env GLIBC_TUNABLES=glibc.pthread.rseq=0 \
		tests/support/refuse membarrier rseq --
else
	skip "without membarrier" "no system call can be refused here"
fi
plan
