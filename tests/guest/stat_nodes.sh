#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally stat says the same of real nodes, and of processes whose memory was
# bound to them, as numastat: the processes are stopped, the nodes' files are
# copies.
# shellcheck source=tests/tool_stat_lib.sh
. "$srcdir/tests/tool_stat_lib.sh"
dir=$(mktemp -d) || exit 99
pids=
trap 'kill -9 $pids 2>/dev/null; rm -rf "$dir"' EXIT
count=0
nodes=/sys/devices/system/node
real=$(command -v numastat)

report()
{
	name=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		head -n 40 "$dir/log" | sed 's/^/# /'
	fi
}

if [ -z "$real" ]; then
	echo "1..0 # SKIP no numastat"
	exit 0
fi
ln -s "$NUMATALLY" "$dir/numastat"
for node in 0 1 2 3; do
	mkdir -p "$dir/m/node$node" "$dir/t/node$node"
	cp $nodes/node$node/meminfo $nodes/node$node/numastat "$dir/m/node$node"
	cp "$dir/m/node$node/meminfo" "$dir/t/node$node"
	awk '{ printf "%s %.0f\n", $1, $2 * 256 }' \
		"$dir/m/node$node/numastat" >"$dir/t/node$node/numastat"
done

# Shells that hold a megabyte for each of these, on its node.
hold='x=$(head -c 1048576 /dev/zero | tr "\0" x); kill -STOP $$; : "$x"'
for node in 0 2 3; do
	numactl --membind=$node sh -c "$hold" "held-$node" &
	pids="$pids $!"
done
for pid in $pids; do
	while ! grep -q '^State:.*stopped' /proc/$pid/status; do
		sleep 0.1
	done
done
set -- $pids

{
	echo "-"
	echo "80"
	for more in '' '-s -c' '-s3 -z'; do
		for args in -m -n "-m -n" "-v $*" "$*" "-p held- $1" "$2 -m"; do
			echo "- $args $more"
			echo "60 $args $more"
		done
	done
} >"$dir/all"

# on TREE PROGRAM < combinations
on()
{
	tree=$1 program=$2 unshare -m sh -c \
		"mount --bind \"\$tree\" $nodes || exit; $runs"
}

grep '^[^ ]*$' "$dir/all" | on "$dir/m" "$real" >"$dir/theirs"
grep -v '^[^ ]*$' "$dir/all" | on "$dir/t" "$real" >>"$dir/theirs"
on "$dir/m" "$dir/numastat" <"$dir/all" >"$dir/ours"
# -z and -v of several: numastat leaves in what was not zero in a table before.
each_apart()
{
	awk '/^== / { drop = / -v / && / -z/ && !/^== exit/ } !drop' "$1"
}
unknown "$dir/theirs" >"$dir/unknown"
theirs_as_ours "$dir/theirs" >"$dir/theirs.as"
ours_as_theirs "$dir/unknown" "$dir/ours" >"$dir/ours.as"
each_apart "$dir/theirs.as" >"$dir/theirs"
each_apart "$dir/ours.as" >"$dir/ours"
agree()
{
	[ "$(grep -c '^== exit 0' "$dir/ours")" -gt 35 ] &&
		diff "$dir/theirs" "$dir/ours" >"$dir/log"
}
report "$(wc -l <"$dir/all") combinations" agree

# Whether a process has its megabyte, its heap and its stack on its node. What it
# executes is in the page cache of any.
on_node()
{
	"$NUMATALLY" stat "$1" >"$dir/log" && awk -v column=$(($2 + 2)) '
	/^(Heap|Stack)/ {
		for (i = 2; i < 6; i++)
			if (i != column && $i > 0)
				exit 1
	}
	/^Total/ { exit $column < 1 }' "$dir/log"
}
for node in 0 2 3; do
	report "memory that was bound to node $node" on_node "$1" $node
	shift
done
echo "1..$count"
