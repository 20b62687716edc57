#!/bin/sh
# SPDX-License-Identifier: MIT
# A node's memory comes and goes, and in the end the node itself goes. This can't
# be undone: no test that needs the node comes after it.
. "${srcdir:-.}/tests/guest/sysfs.sh"
[ "$NUMATALLY_GUEST" = sparse ] ||
	skip_all "no node can be taken out here"
[ "$(id -u)" -eq 0 ] || skip_all "not root"

# The node of a DIMM: only its memory blocks are offline at the start.
node=$(grep -l offline $sysfs/node*/memory*/state | head -n 1 |
	sed 's|.*/\(node[0-9]*\)/.*|\1|')

# state WORD
state()
{
	for block in "$sysfs/$node"/memory*; do
		echo "$1" >"$block/state" || return
	done
}

memory()
{
	topo_nodes | sed -n \
		"s/^{\"id\":${node#node},.*\"memory_bytes\":\([0-9]*\),.*/\1/p"
}

# Runs topo while nodes change, until $tmp/go is removed.
watch()
{
	while [ -e "$tmp/go" ]; do
		"$NUMATALLY" topo --json >>"$tmp/said" || echo >>"$tmp/failed"
	done
}

check "a node without memory and CPUs" test "$(memory)" = 0
state online_movable
check "the node gets memory" test "$(memory)" = 268435456
check "topo agrees with sysfs" topo_agrees
state offline
check "the node loses its memory" test "$(memory)" = 0
check "topo agrees with sysfs again" topo_agrees

: >"$tmp/go"
: >"$tmp/said"
watch &
"$NUMATALLY" stat --json --interval 0.05 >"$tmp/stat" 2>"$tmp/stat.err" &
stat=$!
until [ -s "$tmp/said" ] && [ -s "$tmp/stat" ]; do
	sleep 0.1
done
for _ in 1 2 3 4 5; do
	state online_movable
	state offline
done
for dimm in /sys/bus/acpi/devices/PNP0C80:*; do
	echo 1 >"$dimm/eject"
done 2>/dev/null
# The line after the next is of a reading that began after this.
lines=$(wc -l <"$tmp/stat")
until [ "$(wc -l <"$tmp/stat")" -ge $((lines + 2)) ]; do
	sleep 0.1
done
rm "$tmp/go"
kill -TERM $stat
wait
# A row whose node goes while it is read may have an error; the first and the
# last readings are of nodes that stayed.
ids()
{
	grep -o '"id":[0-9]*' | sed 's/.*://' | tr '\n' ' '
}

here()
{
	ls $sysfs | sed -n 's/^node\([0-9]*\)$/\1/p' | sort -n | tr '\n' ' '
}

stat_agrees()
{
	[ "$(wc -l <"$tmp/stat")" -gt 2 ] &&
		[ "$(grep -vc '^{"version":1,.*}$' "$tmp/stat")" -eq 0 ] &&
		head -n 1 "$tmp/stat" | grep -q "\"id\":${node#node}," &&
		[ "$(tail -n 1 "$tmp/stat" | ids)" = "$(here)" ] &&
		! tail -n 1 "$tmp/stat" | grep -q '"errors":{"'
}
check "stat kept running, and lists the nodes that exist" stat_agrees
check "the node is gone" test ! -e "$sysfs/$node"
check "topo lists it no more" topo_agrees
check "topo never failed meanwhile" test ! -e "$tmp/failed"
check "topo ran several times" test "$(wc -l <"$tmp/said")" -gt 1
check "topo printed a whole document each time" test \
	"$(grep -vc '^{"version":1,"nodes":\[{.*}\],.*}$' "$tmp/said")" -eq 0
plan
