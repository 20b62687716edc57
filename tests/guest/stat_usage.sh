#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally stat by process, cgroup and user: memory bound to a real node is
# reported on that node, also in the kernel's account of its cgroup.
. "${srcdir:-.}/tests/support/tap.sh"
logs="csv err"
group=/sys/fs/cgroup/held

# stat ARGUMENT…: as CSV
stat()
{
	"$NUMATALLY" stat --csv "$@" >"$tmp/csv" 2>"$err"
}

# value ID NODE FIGURE
value()
{
	awk -F, -v id="$1" -v node="$2" -v figure="$3" \
		'$3 == id && $6 == node && $7 == figure { print $9 }' "$tmp/csv"
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
		"$tmp/csv"
}

if [ "$(id -u)" -ne 0 ] || ! echo +memory >/sys/fs/cgroup/cgroup.subtree_control
then
	skip_all "no memory controller to be had"
fi
mkdir -p $group && echo +memory >$group/cgroup.subtree_control
# A shell for each of these nodes, with 4 MiB on it.
hold='x=$(head -c 4194304 /dev/zero | tr "\0" x); kill -STOP $$; : "$x"'
for node in 0 2 3; do
	mkdir -p $group/n$node
	sh -c "echo \$\$ >$group/n$node/cgroup.procs
		exec numactl --membind=$node setpriv --reuid=$((5000 + node)) \
			sh -c '$hold' held-$node" &
	children="$children $!"
done
for pid in $children; do
	while ! grep -q '^State:.*stopped' /proc/$pid/status; do
		sleep 0.1
	done
done
set -- $children

stat --by process
for node in 0 2 3; do
	check "a process's memory is on node $node" mostly "$1" $node memory
	check "it is private" mostly "$1" $node private_anonymous
	check "a process is in its cgroup" grep -q "/held/n$node\$" "/proc/$1/cgroup"
	shift
done
set -- $children
stat --by process "$1" "$3" held-2
check "processes by number and by pattern" test \
	"$(cut -d, -f3 "$tmp/csv" | sort -u | wc -l)" -eq 4
stat --by cgroup
for node in 0 2 3; do
	check "a cgroup's account is on node $node" mostly /held/n$node $node anon
	check "and so is the memory of its processes" mostly /held/n$node $node \
		mapped_anonymous
done
check "a cgroup includes the cgroups in it" test \
	"$(value /held 0 anon)" -ge "$(value /held/n0 0 anon)" -a \
	"$(value /held 3 anon)" -ge "$(value /held/n3 3 anon)" -a \
	"$(value /held 2 memory)" -ge 4194304
stat --by user
for node in 0 2 3; do
	check "a user's memory is on node $node" mostly $((5000 + node)) $node memory
done

# ---- cgroups that come and go while they are read
"$NUMATALLY" stat --csv --by cgroup --interval 0.1 --count 5 >"$tmp/csv" 2>"$err" &
pid=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	mkdir $group/come-$i
	rmdir $group/come-$i
done
wait $pid
check "cgroups come and go" test $? -eq 0 -a ! -s "$err"
kill -9 $children
wait
rmdir $group/n0 $group/n2 $group/n3 $group
echo -memory >/sys/fs/cgroup/cgroup.subtree_control
children=
plan
