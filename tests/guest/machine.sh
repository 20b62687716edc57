#!/bin/sh
# SPDX-License-Identifier: MIT
# The machine is the one that its description asks for, as Linux sees it; the
# other tests stand on that.  Nodes are told apart by what they have.
cd /sys/devices/system/node || exit 99
count=0

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
	fi
}

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
	report "three nodes and one of memory only" \
		test "$(kinds)" = "cm cm cm m"
	report "every distance differs" \
		test "$(distances)" = "10 12 17 20 21 28 31"
	;;
sparse)
	report "two nodes and one of nothing" test "$(kinds)" = "cm cm none"
	report "numbers are left out" test "$(cat online)" = "0,2-3"
	report "distances" test "$(distances)" = "10 17 20 28"
	;;
two)
	report "one node and one of CPUs only" test "$(kinds)" = "c cm"
	report "distances" test "$(distances)" = "10 20"
	;;
pair)
	report "two nodes" test "$(kinds)" = "cm cm"
	report "distances" test "$(distances)" = "10 20"
	;;
one | off)
	report "one node" test "$(kinds)" = "cm"
	report "distances" test "$(distances)" = "10"
	;;
*)
	echo "1..0 # SKIP no guest, or a machine for use by hand"
	exit 0
	;;
esac

last=$(ls -d /sys/devices/system/cpu/cpu[0-9]* | sort -V | tail -n 1)
if [ "$(id -u)" -eq 0 ]; then
	echo 0 >"$last/online"
	report "a CPU goes offline" test "$(cat "$last/online")" = 0
	echo 1 >"$last/online"
	report "and comes back" test "$(cat "$last/online")" = 1
fi
echo "1..$count"
