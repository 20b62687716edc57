#!/bin/sh
# SPDX-License-Identifier: MIT
# Snapshots every millisecond, beside two processes that never stop writing; and
# beside one that alone writes. NUMATALLY_LONG=1 makes it a minute each.
dir=$(TMPDIR=/dev/shm mktemp -d 2>/dev/null || mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
count=0
time=1.2 slice=200
[ -z "$NUMATALLY_LONG" ] || time=60 slice=1000

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
		sed 's/^/# /' "$dir/said" "$dir/err"
	fi
}

# said WHAT: the figure of that name
said()
{
	sed -n "s/^$1 //p" "$dir/said"
}

# run HOW OPTIONS...
run()
{
	how=$1
	shift
	# Longer where a busy host has left no time for a snapshot.
	for factor in 1 5 20; do
		tests/steady "$@" -t "$(awk "BEGIN { print $time * $factor }")" \
			-s $slice "$dir/ledger" >"$dir/said" 2>"$dir/err"
		status=$?
		[ "$(said snapshots)" = 0 ] || break
		rm -f "$dir/ledger"
	done
	if grep -q 'snapshot: Function not implemented' "$dir/err"; then
		echo "1..0 # SKIP membarrier(2) is refused"
		exit 0
	fi
	report "$how: it runs" test $status -eq 0
	report "$how: snapshots are taken" test "$(said snapshots)" -gt 0
	report "$how: each is whole and in order" test "$(said broken)" = 0
	report "$how: no charge is lost" test "$(said difference)" = 0
	awk -v how="$how" '
	{ v[$1] = $2 }
	END {
		printf "# %s: %d snapshots in %.1f us each (median), %d late\n",
			how, v["snapshots"], v["taking_ns"] / 1000, v["late"]
		printf "# %s: %d charges/s without, %d with snapshots: %.1f %%\n",
			how, v["without"], v["with"],
			v["without"] ? 100 * v["with"] / v["without"] : 0
	}' "$dir/said"
	rm -f "$dir/ledger"
}

run "two processes"
run "two processes, with other work" -w 300
run "one process" -x
echo "1..$count"
