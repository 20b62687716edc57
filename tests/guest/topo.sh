#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally topo agrees with sysfs on every machine, also while CPUs are offline.
. "${srcdir:-.}/tests/guest/sysfs.sh"

check "topo agrees with sysfs" topo_agrees
check "topo exits with 0" eval '"$NUMATALLY" topo >/dev/null'
if [ "$NUMATALLY_GUEST" = four ]; then
	# The node of memory only, and the distances from it.
	check "distances from the node of memory only" test "$(topo_nodes |
		sed -n 's/.*"cpus":\[\],.*{\(.*\)}/\1/p' | tr , '\n' |
		sed 's/.*://' | sort -n | xargs)" = "10 17 28 31"
	! command -v jq >/dev/null ||
		check "jq reads its JSON" eval \
		'"$NUMATALLY" topo --json | jq -e "[.nodes[].id] == [0,1,2,3]"'
fi

# All CPUs of the last node that has any, as far as the machine allows.
if [ "$(id -u)" -eq 0 ]; then
	cpus=$(topo_nodes | sed -n 's/.*"cpus":\[\([0-9].*\)\].*/\1/p' |
		tail -n 1 | tr , '\n' | grep -vx 0)
	for cpu in $cpus; do
		echo 0 >"/sys/devices/system/cpu/cpu$cpu/online"
	done
	check "with CPUs $(echo $cpus) offline" topo_agrees
	for cpu in $cpus; do
		echo 1 >"/sys/devices/system/cpu/cpu$cpu/online"
	done
	check "with all CPUs online again" topo_agrees
fi
plan
