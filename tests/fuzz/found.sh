#!/bin/sh
# SPDX-License-Identifier: MIT
# Replays the inputs that the fuzzers start from, and all that they once found.
. "${srcdir:-.}/tests/support/tap.sh"
tests=${top_builddir:-.}/tests

[ -x "$tests/fuzz/seeds" ] || skip_all "without cmocka"
plan 3
mkdir "$tmp/seeds"
run "$tests/fuzz/seeds" "$tmp/seeds" || echo "Bail out! no inputs"
for fuzzer in reader ledger kernel; do
	found=$(find "${srcdir:-.}/tests/fuzz/found" -name "$fuzzer-*")
	made=
	[ $fuzzer = kernel ] || made="$tmp/seeds/*"
	check $fuzzer run "$tests/fuzz/replay_$fuzzer" $made $found
done
