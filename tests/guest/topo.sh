#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally topo says what sysfs says, whatever the nodes are like, also while
# CPUs are offline.
. "$srcdir/tests/guest/sysfs.sh"

report "topo agrees with sysfs" topo_agrees
report "and exits with 0" eval '"$NUMATALLY" topo >/dev/null'
if [ "$NUMATALLY_GUEST" = four ]; then
	# Not by number: the one of memory only, and who is how far from it.
	report "distances from the node of memory only" test "$(topo_nodes |
		sed -n 's/.*"cpus":\[\],.*{\(.*\)}/\1/p' | tr , '\n' |
		sed 's/.*://' | sort -n | xargs)" = "10 17 28 31"
	! command -v jq >/dev/null ||
		report "others read it" eval \
		'"$NUMATALLY" topo --json | jq -e "[.nodes[].id] == [0,1,2,3]"'
fi

# All CPUs of the last node that has any, as far as the machine allows.
if [ "$(id -u)" -eq 0 ]; then
	cpus=$(topo_nodes | sed -n 's/.*"cpus":\[\([0-9].*\)\].*/\1/p' |
		tail -n 1 | tr , '\n' | grep -vx 0)
	for cpu in $cpus; do
		echo 0 >"/sys/devices/system/cpu/cpu$cpu/online"
	done
	report "with CPUs $(echo $cpus) offline" topo_agrees
	for cpu in $cpus; do
		echo 1 >"/sys/devices/system/cpu/cpu$cpu/online"
	done
	report "and online again" topo_agrees
fi
echo "1..$count"
