#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally stat by process, cgroup and user: memory that was bound to a real
# node is on that node, and so is the kernel's account of its cgroup.
dir=$(mktemp -d) || exit 99
group=/sys/fs/cgroup/held
pids=
trap 'kill -9 $pids 2>/dev/null; rm -rf "$dir"' EXIT
count=0

report()
{
	name=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		head -n 60 "$dir/csv" "$dir/err" | sed 's/^/# /'
	fi
}

# stat ARGUMENT…: as CSV
stat()
{
	"$NUMATALLY" stat --csv "$@" >"$dir/csv" 2>"$dir/err"
}

# value ID NODE FIGURE
value()
{
	awk -F, -v id="$1" -v node="$2" -v figure="$3" \
		'$3 == id && $6 == node && $7 == figure { print $9 }' "$dir/csv"
}

# mostly ID NODE FIGURE: at least 4 MiB there, and less than that elsewhere
mostly()
{
	awk -F, -v id="$1" -v node="$2" -v figure="$3" '
		$3 == id && $6 != "" && $7 == figure {
			if ($6 == node) here = $9
			else other += $9
		}
		END { exit here >= 4194304 && other < here / 2 ? 0 : 1 }' \
		"$dir/csv"
}

if [ "$(id -u)" -ne 0 ] || ! echo +memory >/sys/fs/cgroup/cgroup.subtree_control
then
	echo "1..0 # SKIP no memory controller to be had"
	exit 0
fi
mkdir -p $group && echo +memory >$group/cgroup.subtree_control
# Shells that hold 4 MiB for each of these, on its node.
hold='x=$(head -c 4194304 /dev/zero | tr "\0" x); kill -STOP $$; : "$x"'
for node in 0 2 3; do
	mkdir -p $group/n$node
	sh -c "echo \$\$ >$group/n$node/cgroup.procs
		exec numactl --membind=$node setpriv --reuid=$((5000 + node)) \
			sh -c '$hold' held-$node" &
	pids="$pids $!"
done
for pid in $pids; do
	while ! grep -q '^State:.*stopped' /proc/$pid/status; do
		sleep 0.1
	done
done
set -- $pids

stat --by process
for node in 0 2 3; do
	report "a process's memory is on node $node" mostly "$1" $node memory
	report "its own, not others'" mostly "$1" $node 'private anonymous'
	report "a process is in its cgroup" grep -q "/held/n$node\$" "/proc/$1/cgroup"
	shift
done
set -- $pids
stat --by process "$1" "$3" held-2
report "those that were named, and the one that was found" test \
	"$(cut -d, -f3 "$dir/csv" | sort -u | wc -l)" -eq 4
stat --by cgroup
for node in 0 2 3; do
	report "a cgroup's account is on node $node" mostly /held/n$node $node anon
	report "what its processes have is, too" mostly /held/n$node $node \
		'mapped anonymous'
done
report "a cgroup has what those in it have" test \
	"$(value /held 0 anon)" -ge "$(value /held/n0 0 anon)" -a \
	"$(value /held 3 anon)" -ge "$(value /held/n3 3 anon)" -a \
	"$(value /held 2 memory)" -ge 4194304
stat --by user
for node in 0 2 3; do
	report "a user's memory is on node $node" mostly $((5000 + node)) $node memory
done

# ---- cgroups that come and go while they are looked at
"$NUMATALLY" stat --csv --by cgroup --interval 0.1 --count 5 >"$dir/csv" 2>"$dir/err" &
pid=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	mkdir $group/come-$i
	rmdir $group/come-$i
done
wait $pid
report "cgroups come and go" test $? -eq 0 -a ! -s "$dir/err"
kill -9 $pids
wait
rmdir $group/n0 $group/n2 $group/n3 $group
pids=
echo "1..$count"
