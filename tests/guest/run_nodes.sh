#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally run on real nodes: the amounts are on the nodes where the command
# was put, and a CPU that goes and comes back loses nothing.
tool=${NUMATALLY:-numatally}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
count=0
nodes=/sys/devices/system/node

report() {
	name=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /; s/"memory_peak_[lu][a-z_]*":{[^}]*},*//g' "$dir/json"
	fi
}

# member OBJECT MEMBER: a number after OBJECT in the document
member() {
	sed "s/.*$1//" "$dir/json" | grep -o "\"$2\":[0-9]*" | head -n 1 |
		cut -d : -f 2
}

# sum MEMBER: over nodes and what is of no node
sum() {
	grep -o "\"$1\":[0-9]*" "$dir/json" | cut -d : -f 2 |
		awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# share PART WHOLE: PART is 99 % of WHOLE at least
share() {
	awk -v part="$1" -v whole="$2" \
		'BEGIN { exit whole > 0 && part >= 0.99 * whole ? 0 : 1 }'
}

# mostly PART WHOLE: of CPU time, the same but for 100 ms, see near
mostly() {
	awk -v part="$1" -v whole="$2" 'BEGIN {
		exit whole > 0 && part >= whole / 2 &&
			part >= 0.99 * whole - 1e8 ? 0 : 1 }'
}

# near A B: within 3 % and 100 ms; what a task does after its last event is long
# where CPUs wait for CPUs
near() {
	awk -v a="$1" -v b="$2" 'BEGIN {
		off = a > b ? a - b : b - a
		exit off <= b * 3 / 100 + 1e8 ? 0 : 1 }'
}

last_with() {
	for node in "$nodes"/node[0-9]*; do
		id=${node##*/node}
		case $1 in
		cpus) [ -n "$(cat "$node/cpulist")" ] && echo "$id" ;;
		memory) grep -q 'MemTotal: *0 kB' "$node/meminfo" || echo "$id" ;;
		esac
	done | sort -n | tail -n 1
}

cpu_node=$(last_with cpus)
memory_node=$(last_with memory)

# Until somebody gave the root's children a controller, Linux has no events of
# cgroups either.
root=/sys/fs/cgroup/cgroup.subtree_control
[ "$(id -u)" -ne 0 ] || echo +pids >$root

for way in inherit cgroup; do
	numactl --cpunodebind="$cpu_node" --membind="$memory_node" \
		"$tool" run --json --events=$way -o "$dir/json" \
		dd if=/dev/zero of=/dev/null bs=16M count=20 2>/dev/null
	report "$way: CPU time is on node $cpu_node" mostly \
		"$(member "{\"id\":$cpu_node," cpu_ns)" "$(sum cpu_ns)"
	report "$way: page faults are on node $cpu_node" share \
		"$(member "{\"id\":$cpu_node," page_faults)" \
		"$(sum page_faults)"
done
# 64 MiB, filled, and held until somebody looks: longer where that comes slowly
for seconds in 1 4 16; do
	numactl --cpunodebind="$cpu_node" --membind="$memory_node" \
		"$tool" run --json --interval 0.1 -o "$dir/json" sh -c \
		"dd if=/dev/zero bs=64M count=1 | sleep $seconds" 2>/dev/null
	anonymous=$(member "{\"id\":$memory_node," anonymous)
	all=$(grep -o '"memory_peak_bytes":{"anonymous":[0-9]*' "$dir/json" |
		cut -d : -f 3 |
		awk '{ sum += $1 } END { printf "%.0f\n", sum }')
	[ "$all" -lt 67108864 ] || break
done
report "anonymous memory is on node $memory_node" share "$anonymous" "$all"
report "it is all there" test "$all" -ge 67108864

# ---- a CPU that goes
cpu=$(ls -d /sys/devices/system/cpu/cpu[0-9]*/online 2>/dev/null |
	sort -V | tail -n 1)
if [ "$(id -u)" -ne 0 ] || [ -z "$cpu" ]; then
	echo "1..$count"
	exit 0
fi
nr=${cpu%/online}
nr=${nr##*/cpu}

# shellcheck disable=SC2016
busy='for i in 1 2 3 4 5 6; do
	(k=0; while [ $k -lt 15000 ]; do k=$((k+1)); done) &
done; wait'

for way in inherit cgroup; do
	echo 0 >"$cpu"
	"$tool" run --json --events=$way --interval 0.1 -o "$dir/json" \
		sh -c "$busy" &
	pid=$!
	sleep 0.5
	echo 1 >"$cpu"
	sleep 0.5
	echo 0 >"$cpu"
	wait $pid
	echo 1 >"$cpu"
	report "$way: a CPU goes and comes, and CPU time is all there" near \
		"$(sum cpu_ns)" $(($(sum user_ns) + $(sum system_ns)))
	[ $way = cgroup ] || report "$way: nothing is of no node" \
		grep -q '"unattributed":{"cpu_ns":0,' "$dir/json"
	report "$way: it was counted so" grep -q "\"events\":\"$way\"" "$dir/json"
done

# ---- a CPU that comes after the start, and has all the work
# comes WAY MS: that much of it
comes() {
	rm -f "$dir/ready"
	echo 0 >"$cpu"
	"$tool" run --json --events="$1" --interval 0.1 -o "$dir/json" sh -c \
		": >'$dir/ready'; until taskset -c $nr true; do sleep 0.1; done
		exec taskset -c $nr tests/spin $2" 2>/dev/null &
	pid=$!
	until [ -e "$dir/ready" ]; do sleep 0.1; done
	sleep 0.3
	echo 1 >"$cpu"
	wait $pid
	on_node=$(member "{\"id\":$cpu_node," cpu_ns)
}

for way in inherit cgroup; do
	# A cgroup's events begin when they are read next, which is soon, but
	# not where this machine has to wait for its own CPUs.
	least=200000000
	[ $way = inherit ] || least=1
	for ms in 400 1600 6400; do
		comes $way $ms
		[ "$on_node" -lt $least ] || break
	done
	report "$way: a CPU comes, and CPU time is all there" near \
		"$(sum cpu_ns)" $(($(sum user_ns) + $(sum system_ns)))
	report "$way: a CPU comes, and its time is on its node" \
		test "$on_node" -ge $least
done

# ---- a CPU that sysfs did not have at the start: here, that it hides
hide='cd /sys/devices/system
for list in cpu/possible cpu/present cpu/online node/node'$cpu_node'/cpulist; do
	sed "s/[-,]'$nr'$//" $list >'$dir'/list.${list##*/}
done
for sub in cpu node; do
	cp -r $sub '$dir'/ 2>/dev/null
	mount --bind '$dir'/$sub $sub
done
rm -rf cpu/cpu'$nr' node/node'$cpu_node'/cpu'$nr'
for list in cpu/possible cpu/present cpu/online node/node'$cpu_node'/cpulist; do
	cp '$dir'/list.${list##*/} $list
done
cd "$OLDPWD" || exit 99'
mkdir "$dir/cpu" "$dir/node"
for way in inherit cgroup sample; do
	unshare -m sh -c "$hide
		\"$tool\" topo --json >$dir/topo
		\"$tool\" run --json --events=$way -o \"$dir/json\" \
			taskset -c $nr tests/spin 400"
	report "$way: a CPU unknown at the start: it was" \
		test "$(grep -c "[^0-9]$nr[],]" "$dir/topo")" -eq 0
	report "$way: a CPU unknown at the start: CPU time is all there" near \
		"$(sum cpu_ns)" $(($(sum user_ns) + $(sum system_ns)))
	# Of what ended unseen an estimate tells nothing; and what taskset took
	# before it was on that CPU, which is much under emulation, is part of
	# the 400 ms.
	[ $way = sample ] ||
		report "$way: a CPU unknown at the start: it is of no node" \
		test "$(member unattributed cpu_ns)" -ge 200000000
done

# ---- fewer CPUs and nodes than the machine has
cpuset=/sys/fs/cgroup/few
few() {
	echo +cpuset >$root && mkdir $cpuset &&
		cat $nodes/node$cpu_node/cpulist >$cpuset/cpuset.cpus &&
		echo "$cpu_node" >$cpuset/cpuset.mems
}
if few; then
	for way in inherit cgroup sample; do
		sh -c "echo \$\$ >$cpuset/cgroup.procs
			exec \"$tool\" run --json --events=$way \
			-o \"$dir/json\" sh -c 'tests/spin 400; exit 6'"
		report "$way: a small cpuset: the exit status" test $? -eq 6
		report "$way: a small cpuset: CPU time is on its node" mostly \
			"$(member "{\"id\":$cpu_node," cpu_ns)" \
			"$(sum cpu_ns)"
		report "$way: a small cpuset: all nodes are told of" test \
			"$(grep -o '"id":[0-9]*' "$dir/json" | wc -l)" -eq \
			"$(ls -d $nodes/node[0-9]* | wc -l)"
		report "$way: a small cpuset: there is a ledger" \
			grep -q '"ledger":"run' "$dir/json"
	done
	rmdir $cpuset
fi

echo "1..$count"
