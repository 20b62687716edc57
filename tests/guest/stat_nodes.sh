#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally stat prints the same as numastat for real nodes, and for processes
# whose memory is bound to them: the processes are stopped, the nodes' files are
# copies.
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/tool/stat_lib.sh"
logs=log
nodes=/sys/devices/system/node
real=$(command -v numastat)

if [ -z "$real" ]; then
	skip_all "no numastat"
fi
ln -s "$NUMATALLY" "$tmp/numastat"
for node in 0 1 2 3; do
	mkdir -p "$tmp/m/node$node" "$tmp/t/node$node"
	cp $nodes/node$node/meminfo $nodes/node$node/numastat "$tmp/m/node$node"
	cp "$tmp/m/node$node/meminfo" "$tmp/t/node$node"
	awk '{ printf "%s %.0f\n", $1, $2 * 256 }' \
		"$tmp/m/node$node/numastat" >"$tmp/t/node$node/numastat"
done

# A shell for each of these nodes, with a megabyte on it.
hold='x=$(head -c 1048576 /dev/zero | tr "\0" x); kill -STOP $$; : "$x"'
for node in 0 2 3; do
	numactl --membind=$node sh -c "$hold" "held-$node" &
	children="$children $!"
done
for pid in $children; do
	while ! grep -q '^State:.*stopped' /proc/$pid/status; do
		sleep 0.1
	done
done
set -- $children

{
	echo "-"
	echo "80"
	for more in '' '-s -c' '-s3 -z'; do
		for args in -m -n "-m -n" "-v $*" "$*" "-p held- $1" "$2 -m"; do
			echo "- $args $more"
			echo "60 $args $more"
		done
	done
} >"$tmp/all"

# on TREE PROGRAM < combinations
on()
{
	tree=$1 program=$2 unshare -m sh -c \
		"mount --bind \"\$tree\" $nodes || exit; $runs"
}

grep '^[^ ]*$' "$tmp/all" | on "$tmp/m" "$real" >"$tmp/theirs"
grep -v '^[^ ]*$' "$tmp/all" | on "$tmp/t" "$real" >>"$tmp/theirs"
on "$tmp/m" "$tmp/numastat" <"$tmp/all" >"$tmp/ours"
# -z and -v of several: numastat keeps rows that an earlier table had.
each_apart()
{
	awk '/^== / { drop = / -v / && / -z/ && !/^== exit/ } !drop' "$1"
}
unknown "$tmp/theirs" >"$tmp/unknown"
theirs_as_ours "$tmp/theirs" >"$tmp/theirs.as"
ours_as_theirs "$tmp/unknown" "$tmp/ours" >"$tmp/ours.as"
each_apart "$tmp/theirs.as" >"$tmp/theirs"
each_apart "$tmp/ours.as" >"$tmp/ours"
agree()
{
	[ "$(grep -c '^== exit 0' "$tmp/ours")" -gt 35 ] &&
		diff "$tmp/theirs" "$tmp/ours" >"$tmp/log"
}
check "$(wc -l <"$tmp/all") combinations" agree

# Whether a process has its megabyte, its heap and its stack on its node. Its
# program is in the page cache, on any node.
on_node()
{
	"$NUMATALLY" stat "$1" >"$tmp/log" && awk -v column=$(($2 + 2)) '
	/^(Heap|Stack)/ {
		for (i = 2; i < 6; i++)
			if (i != column && $i > 0)
				exit 1
	}
	/^Total/ { exit $column < 1 }' "$tmp/log"
}
for node in 0 2 3; do
	check "memory bound to node $node" on_node "$1" $node
	shift
done
plan
