#!/bin/sh
# SPDX-License-Identifier: MIT
# A snapshot every millisecond, beside two processes that never stop writing, and
# beside an exclusive writer. With NUMATALLY_LONG=1 it takes a minute each.
in_memory=yes
. "${srcdir:-.}/tests/support/tap.sh"
time=1.2 slice=200
[ -z "$NUMATALLY_LONG" ] || time=60 slice=1000

# said WHAT: the figure of that name
said()
{
	sed -n "s/^$1 //p" "$out"
}

# snapshots HOW OPTIONS...
snapshots()
{
	how=$1
	shift
	# Longer if a busy host left no time for a snapshot.
	for factor in 1 5 20; do
		run tests/support/steady "$@" -t "$(awk "BEGIN { print $time * $factor }")" \
			-s $slice "$tmp/ledger"
		status=$?
		[ "$(said snapshots)" = 0 ] || break
		rm -f "$tmp/ledger"
	done
	! grep -q 'snapshot: Function not implemented' "$err" ||
		skip_all "membarrier(2) is refused"
	check "$how: it runs" test $status -eq 0
	check "$how: snapshots are taken" test "$(said snapshots)" -gt 0
	check "$how: each is whole and in order" test "$(said broken)" = 0
	check "$how: no charge is lost" test "$(said difference)" = 0
	awk -v how="$how" '
	{ v[$1] = $2 }
	END {
		printf "# %s: %d snapshots in %.1f us each (median), %d late\n",
			how, v["snapshots"], v["taking_ns"] / 1000, v["late"]
		printf "# %s: %d charges/s without, %d with snapshots: %.1f %%\n",
			how, v["without"], v["with"],
			v["without"] ? 100 * v["with"] / v["without"] : 0
	}' "$out"
	rm -f "$tmp/ledger"
}

snapshots "two processes"
snapshots "two processes, with other work" -w 300
snapshots "one process" -x
plan
