#!/bin/sh
# SPDX-License-Identifier: MIT
# What the fuzzers begin with, and what they have found so far, once more.
srcdir=${srcdir-$(dirname "$0")/..}
tests=$(dirname "$NUMATALLY")/../tests
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

if [ ! -x "$tests/fuzz_seeds" ]; then
	echo "1..0 # SKIP without cmocka"
	exit 0
fi
nr=0
echo "1..3"
"$tests/fuzz_seeds" "$dir" >/dev/null 2>&1 || echo "Bail out! no inputs"
for fuzzer in reader ledger kernel; do
	nr=$((nr + 1))
	found=$(find "$srcdir/tests/fuzzed" -name "$fuzzer-*" 2>/dev/null)
	made="$dir/*"
	[ $fuzzer != kernel ] || made=
	if "$tests/fuzz_replay_$fuzzer" $made $found; then
		echo "ok $nr - $fuzzer"
	else
		echo "not ok $nr - $fuzzer"
	fi
done
