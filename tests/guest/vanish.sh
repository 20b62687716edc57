#!/bin/sh
# SPDX-License-Identifier: MIT
# A node's memory comes and goes, and in the end the node itself. This can't be
# undone: no test that needs the node comes after it.
[ "$NUMATALLY_GUEST" = sparse ] ||
	{ echo "1..0 # SKIP no node can be taken out here"; exit 0; }
[ "$(id -u)" -eq 0 ] || { echo "1..0 # SKIP not root"; exit 0; }
. "$srcdir/tests/guest/sysfs.sh"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT

# The node of a DIMM, by its blocks, which alone are removable from the start.
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

# What topo says while nodes change, for as long as there is $dir/go.
watch()
{
	while [ -e "$dir/go" ]; do
		"$NUMATALLY" topo --json >>"$dir/said" || echo >>"$dir/failed"
	done
}

report "a node without memory and CPUs" test "$(memory)" = 0
state online_movable
report "gets memory" test "$(memory)" = 268435456
report "as sysfs says" topo_agrees
state offline
report "loses it" test "$(memory)" = 0
report "as sysfs says too" topo_agrees

: >"$dir/go"
: >"$dir/said"
watch &
"$NUMATALLY" stat --json --interval 0.05 >"$dir/stat" 2>"$dir/stat.err" &
stat=$!
sleep 0.5
for _ in 1 2 3 4 5; do
	state online_movable
	state offline
done
for dimm in /sys/bus/acpi/devices/PNP0C80:*; do
	echo 1 >"$dimm/eject"
done 2>/dev/null
sleep 1
rm "$dir/go"
kill -TERM $stat
wait
# A row whose node goes while it is read may say so; the first and the last ones
# are of nodes that stayed.
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
	[ "$(wc -l <"$dir/stat")" -gt 2 ] &&
		[ "$(grep -vc '^{"version":1,.*}$' "$dir/stat")" -eq 0 ] &&
		head -n 1 "$dir/stat" | grep -q "\"id\":${node#node}," &&
		[ "$(tail -n 1 "$dir/stat" | ids)" = "$(here)" ] &&
		! tail -n 1 "$dir/stat" | grep -q '"errors":{"'
}
report "stat went on, and has the nodes that there are" stat_agrees
report "the node is gone" test ! -e "$sysfs/$node"
report "as topo says" topo_agrees
report "topo never failed meanwhile" test ! -e "$dir/failed"
report "and was asked" test "$(wc -l <"$dir/said")" -gt 1
report "and said something whole each time" test \
	"$(grep -vc '^{"version":1,"nodes":\[{.*}\],.*}$' "$dir/said")" -eq 0
echo "1..$count"
