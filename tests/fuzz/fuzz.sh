#!/bin/sh
# SPDX-License-Identifier: MIT
# make check-fuzz: runs each fuzzer for its part of NUMATALLY_FUZZ_SECONDS, from
# real ledgers, or texts of a real kernel. Starts in a build directory that has
# the fuzzers. What they find stays in fuzz-found/.
. "${srcdir:-.}/tests/support/tap.sh"
seconds=${NUMATALLY_FUZZ_SECONDS:-60}
fuzzers="reader ledger kernel"
export ASAN_OPTIONS=detect_leaks=1:${ASAN_OPTIONS-}

plan 3
rm -rf fuzz-seeds fuzz-seeds-kernel
mkdir -p fuzz-seeds fuzz-seeds-kernel fuzz-found
cp "${srcdir:-.}"/tests/fuzz/found/kernel-* fuzz-seeds-kernel
tests/fuzz/seeds fuzz-seeds >/dev/null 2>&1 || {
	echo "Bail out! no inputs to begin with"
	exit 1
}
status=0
for fuzzer in $fuzzers; do
	mkdir -p "fuzz-corpus/$fuzzer"
	seeds=fuzz-seeds
	[ $fuzzer != kernel ] || seeds=fuzz-seeds-kernel
	# Threads keep a little memory of each ledger until they end.
	"tests/fuzz/$fuzzer" -max_len=32768 -timeout=60 -rss_limit_mb=0 \
		-max_total_time=$((seconds / 3)) -print_final_stats=1 \
		-artifact_prefix=fuzz-found/ "fuzz-corpus/$fuzzer" $seeds \
		>"fuzz-$fuzzer.log" 2>&1 &
	pid=$!
	wait $pid
	rc=$?
	# Files that a fuzzer leaves if it ends early.
	rm -rf "/dev/shm/tally-fuzz-$pid" "/tmp/tally-fuzz-$pid"
	if [ $rc -eq 0 ]; then
		ok "$fuzzer: $(sed -n \
			's/^Done \([0-9]* runs in [0-9]* second\)/\1/p' \
			"fuzz-$fuzzer.log")"
	else
		tail -n 40 "fuzz-$fuzzer.log" >"$tmp/log"
		not_ok "$fuzzer"
		status=1
	fi
done
exit $status
