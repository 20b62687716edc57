#!/bin/sh
# SPDX-License-Identifier: MIT
# Linux sees the machine that its description asks for; the other tests rely on
# that. Nodes are identified by what they have, not by number.
. "${srcdir:-.}/tests/support/tap.sh"
cd /sys/devices/system/node || exit 99

# kinds: for each node, by number, c where it has CPUs and m where memory
kinds()
{
	for node in $(ls -d node[0-9]* | sort -V); do
		kind=
		[ -z "$(cat "$node/cpulist")" ] || kind=c
		grep -q 'MemTotal: *0 kB' "$node/meminfo" || kind=${kind}m
		echo "${kind:-none}"
	done | sort | xargs
}

# distances: every distance, once
distances()
{
	cat node[0-9]*/distance | tr ' ' '\n' | sort -un | xargs
}

case $NUMATALLY_GUEST in
four)
	check "three nodes and one of memory only" \
		test "$(kinds)" = "cm cm cm m"
	check "every distance differs" \
		test "$(distances)" = "10 12 17 20 21 28 31"
	;;
sparse)
	check "two nodes and one of nothing" test "$(kinds)" = "cm cm none"
	check "numbers are left out" test "$(cat online)" = "0,2-3"
	check "distances" test "$(distances)" = "10 17 20 28"
	;;
two)
	check "one node and one of CPUs only" test "$(kinds)" = "c cm"
	check "distances" test "$(distances)" = "10 20"
	;;
pair)
	check "two nodes" test "$(kinds)" = "cm cm"
	check "distances" test "$(distances)" = "10 20"
	;;
one | off)
	check "one node" test "$(kinds)" = "cm"
	check "distances" test "$(distances)" = "10"
	;;
*)
	skip_all "no guest, or a machine for use by hand"
	;;
esac

last=$(ls -d /sys/devices/system/cpu/cpu[0-9]* | sort -V | tail -n 1)
if [ "$(id -u)" -eq 0 ]; then
	echo 0 >"$last/online"
	check "a CPU goes offline" test "$(cat "$last/online")" = 0
	echo 1 >"$last/online"
	check "and comes back" test "$(cat "$last/online")" = 1
fi
plan
