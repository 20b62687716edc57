#!/bin/sh
# SPDX-License-Identifier: MIT
# make check-fuzz: each fuzzer, from inputs that are real ledgers, or texts of a
# real kernel, for its part of NUMATALLY_FUZZ_SECONDS. Run in a build directory
# that has them. What it found stays in fuzz-found/.
srcdir=${srcdir-$(dirname "$0")/..}
seconds=${NUMATALLY_FUZZ_SECONDS:-60}
fuzzers="reader ledger kernel"
export ASAN_OPTIONS=detect_leaks=1:${ASAN_OPTIONS-}

echo "1..3"
rm -rf fuzz-seeds fuzz-seeds-kernel
mkdir -p fuzz-seeds fuzz-seeds-kernel fuzz-found
cp "$srcdir"/tests/fuzzed/kernel-* fuzz-seeds-kernel
tests/fuzz_seeds fuzz-seeds >/dev/null 2>&1 || {
	echo "Bail out! no inputs to begin with"
	exit 1
}
nr=0
status=0
for fuzzer in $fuzzers; do
	nr=$((nr + 1))
	mkdir -p "fuzz-corpus/$fuzzer"
	seeds=fuzz-seeds
	[ $fuzzer != kernel ] || seeds=fuzz-seeds-kernel
	# Threads of several ledgers keep a little of each until they end.
	"tests/fuzz_$fuzzer" -max_len=32768 -timeout=60 -rss_limit_mb=0 \
		-max_total_time=$((seconds / 3)) -print_final_stats=1 \
		-artifact_prefix=fuzz-found/ "fuzz-corpus/$fuzzer" $seeds \
		>"fuzz-$fuzzer.log" 2>&1 &
	pid=$!
	wait $pid
	rc=$?
	# Its files, which one that ends early leaves.
	rm -rf "/dev/shm/tally-fuzz-$pid" "/tmp/tally-fuzz-$pid"
	if [ $rc -eq 0 ]; then
		echo "ok $nr - fuzz_$fuzzer:" "$(sed -n \
			's/^Done \([0-9]* runs in [0-9]* second\)/\1/p' \
			"fuzz-$fuzzer.log")"
	else
		echo "not ok $nr - fuzz_$fuzzer"
		tail -n 40 "fuzz-$fuzzer.log" | sed 's/^/# /'
		status=1
	fi
done
exit $status
