#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally run on real nodes: the amounts are on the nodes that the command was
# bound to, and a CPU that goes and comes back loses nothing.
tool=${NUMATALLY:-numatally}
. "${srcdir:-.}/tests/support/tap.sh"
logs=json
nodes=/sys/devices/system/node

# member OBJECT MEMBER: a number after OBJECT in the document
member() {
	sed "s/.*$1//" "$tmp/json" | grep -o "\"$2\":[0-9]*" | head -n 1 |
		cut -d : -f 2
}

# sum MEMBER: over nodes and the unattributed rest
sum() {
	grep -o "\"$1\":[0-9]*" "$tmp/json" | cut -d : -f 2 |
		awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# share PART WHOLE: PART is 99 % of WHOLE at least
share() {
	awk -v part="$1" -v whole="$2" \
		'BEGIN { exit whole > 0 && part >= 0.99 * whole ? 0 : 1 }'
}

# mostly PART WHOLE: the same of CPU time, except for 100 ms, see near
mostly() {
	awk -v part="$1" -v whole="$2" 'BEGIN {
		exit whole > 0 && part >= whole / 2 &&
			part >= 0.99 * whole - 1e8 ? 0 : 1 }'
}

# near A B: within 3 % and 100 ms: the time after a task's last event is long if
# CPUs of this machine wait for CPUs of its host
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

# A user may not load BPF.
"$tool" run --json --events=bpf -o "$tmp/json" true
bpf=
if grep -q '"events":"bpf"' "$tmp/json"; then
	bpf=bpf
else
	skip "bpf" "$(grep -o 'no BPF: [^"]*' "$tmp/json")"
fi

cpu_node=$(last_with cpus)
memory_node=$(last_with memory)

# Until a child of the root cgroup has a controller, Linux has no events of
# cgroups.
root=/sys/fs/cgroup/cgroup.subtree_control
[ "$(id -u)" -ne 0 ] || echo +pids >$root

for way in $bpf inherit cgroup; do
	numactl --cpunodebind="$cpu_node" --membind="$memory_node" \
		"$tool" run --json --events=$way -o "$tmp/json" \
		dd if=/dev/zero of=/dev/null bs=16M count=20 2>/dev/null
	check "$way: CPU time is on node $cpu_node" mostly \
		"$(member "{\"id\":$cpu_node," cpu_ns)" "$(sum cpu_ns)"
	check "$way: page faults are on node $cpu_node" share \
		"$(member "{\"id\":$cpu_node," page_faults)" \
		"$(sum page_faults)"
done
# Processes that switch or fork much: events lack a part of each switch and exit.
for way in $bpf inherit cgroup; do
	"$tool" run --json --events=$way -o "$tmp/json" sh -c \
		'i=0; while [ $i -lt 60 ]; do true | cat; i=$((i+1)); done'
	check "$way: forks: all CPU time is counted" near \
		"$(sum cpu_ns)" $(($(sum user_ns) + $(sum system_ns)))
	# A cgroup's own clock is told from its events by fixed bounds, for which
	# an emulated machine can be too slow.
	[ $way != cgroup ] || continue
	check "$way: forks: no time is unattributed" \
		grep -q '"unattributed":{"cpu_ns":0,' "$tmp/json"
	grep -q '"estimates":\["cpu_ns"' "$tmp/json"
	estimated=$?
	[ $way != bpf ]
	check "$way: forks: the time is an estimate, but by BPF" \
		test $? -eq $estimated
done
# The kernel charges a task also when another looks at it, from another node.
if [ -n "$bpf" ]; then
	rm -f "$tmp/pid"
	numactl --cpunodebind="$cpu_node" "$tool" run --json --events=bpf \
		-o "$tmp/json" sh -c "echo \$\$ >'$tmp/pid'
			exec tests/support/spin 2000" &
	run=$!
	until [ -s "$tmp/pid" ]; do sleep 0.1; done
	numactl --cpunodebind=0 tests/support/spin 20000 "$(cat "$tmp/pid")" &
	look=$!
	wait $run
	kill $look
	wait $look
	check "bpf: looks from another node change nothing" share \
		"$(member "{\"id\":$cpu_node," cpu_ns)" "$(sum cpu_ns)"
fi
# 64 MiB, kept from when all of it is there until a sample is taken: longer on a
# slow machine, where a sample may be an estimate
almost=$((67108864 / 10 * 9))
for ms in 1000 4000 16000; do
	numactl --cpunodebind="$cpu_node" --membind="$memory_node" \
		"$tool" run --json --interval 0.1 -o "$tmp/json" \
		tests/support/eat hold 64 $ms
	anonymous=$(member "{\"id\":$memory_node," anonymous)
	all=$(grep -o '"memory_peak_bytes":{"anonymous":[0-9]*' "$tmp/json" |
		cut -d : -f 3 |
		awk '{ sum += $1 } END { printf "%.0f\n", sum }')
	[ "$all" -lt $almost ] || break
done
check "anonymous memory is on node $memory_node" share "$anonymous" "$all"
check "all of it is counted" test "$all" -ge $almost

# ---- a CPU that goes
cpu=$(ls -d /sys/devices/system/cpu/cpu[0-9]*/online 2>/dev/null |
	sort -V | tail -n 1)
if [ "$(id -u)" -ne 0 ] || [ -z "$cpu" ]; then
	plan
	exit 0
fi
nr=${cpu%/online}
nr=${nr##*/cpu}

# shellcheck disable=SC2016
busy='for i in 1 2 3 4 5 6; do
	(k=0; while [ $k -lt 15000 ]; do k=$((k+1)); done) &
done; wait'

for way in $bpf inherit cgroup; do
	echo 0 >"$cpu"
	"$tool" run --json --events=$way --interval 0.1 -o "$tmp/json" \
		sh -c "$busy" &
	pid=$!
	sleep 0.5
	echo 1 >"$cpu"
	sleep 0.5
	echo 0 >"$cpu"
	wait $pid
	echo 1 >"$cpu"
	check "$way: a CPU goes and comes, and all CPU time is counted" near \
		"$(sum cpu_ns)" $(($(sum user_ns) + $(sum system_ns)))
	[ $way = cgroup ] || check "$way: no time is unattributed" \
		grep -q '"unattributed":{"cpu_ns":0,' "$tmp/json"
	check "$way: the report names it" grep -q "\"events\":\"$way\"" "$tmp/json"
done

# ---- a CPU that comes after the start, and has all the work
# comes WAY MS: work of MS
comes() {
	rm -f "$tmp/ready"
	echo 0 >"$cpu"
	"$tool" run --json --events="$1" --interval 0.1 -o "$tmp/json" sh -c \
		": >'$tmp/ready'; until taskset -c $nr true; do sleep 0.1; done
		exec taskset -c $nr tests/support/spin $2" 2>/dev/null &
	pid=$!
	until [ -e "$tmp/ready" ]; do sleep 0.1; done
	sleep 0.3
	echo 1 >"$cpu"
	wait $pid
	on_node=$(member "{\"id\":$cpu_node," cpu_ns)
}

for way in $bpf inherit cgroup; do
	# A cgroup's events begin at their next reading, which is soon, but not
	# on a busy host.
	least=200000000
	[ $way != cgroup ] || least=1
	for ms in 400 1600 6400; do
		comes $way $ms
		[ "$on_node" -lt $least ] || break
	done
	check "$way: a CPU comes, and all CPU time is counted" near \
		"$(sum cpu_ns)" $(($(sum user_ns) + $(sum system_ns)))
	check "$way: a CPU comes, and its time is on its node" \
		test "$on_node" -ge $least
done

# ---- a CPU that sysfs did not have at the start (here: hidden)
cp -r /sys/devices/system/cpu /sys/devices/system/node "$tmp" 2>/dev/null
for list in cpu/possible cpu/present cpu/online "node/node$cpu_node/cpulist"; do
	sed "s/[-,]$nr$//" "/sys/devices/system/$list" >"$tmp/$list"
done
rm -rf "$tmp/cpu/cpu$nr" "$tmp/node/node$cpu_node/cpu$nr"
# unknown WAY MS: work of MS, with what taskset takes before it is on that CPU
unknown() {
	unshare -m sh -c "
		for sub in cpu node; do
			mount --bind '$tmp'/\$sub /sys/devices/system/\$sub
		done
		\"$tool\" topo --json >$tmp/topo
		\"$tool\" run --json --events=$1 -o \"$tmp/json\" \
			taskset -c $nr tests/support/spin $2"
}

for way in $bpf inherit cgroup sample; do
	for ms in 400 1600 6400; do
		unknown $way $ms
		# An estimate has nothing of processes that ended between samples.
		[ $way != sample ] || break
		[ "$(member unattributed cpu_ns)" -lt 200000000 ] || break
	done
	check "$way: a CPU unknown at the start: topo lacks it" \
		test "$(grep -c "[^0-9]$nr[],]" "$tmp/topo")" -eq 0
	check "$way: a CPU unknown at the start: all CPU time is counted" near \
		"$(sum cpu_ns)" $(($(sum user_ns) + $(sum system_ns)))
	[ $way = sample ] ||
		check "$way: a CPU unknown at the start: its time is unattributed" \
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
	for way in $bpf inherit cgroup sample; do
		sh -c "echo \$\$ >$cpuset/cgroup.procs
			exec \"$tool\" run --json --events=$way \
			-o \"$tmp/json\" sh -c 'tests/support/spin 400; exit 6'"
		check "$way: a small cpuset: the exit status" test $? -eq 6
		check "$way: a small cpuset: CPU time is on its node" mostly \
			"$(member "{\"id\":$cpu_node," cpu_ns)" \
			"$(sum cpu_ns)"
		check "$way: a small cpuset: all nodes are listed" test \
			"$(grep -o '"id":[0-9]*' "$tmp/json" | wc -l)" -eq \
			"$(ls -d $nodes/node[0-9]* | wc -l)"
		check "$way: a small cpuset: there is a ledger" \
			grep -q '"ledger":"run' "$tmp/json"
	done
	# Else each later test's cgroup would toggle the kernel's key of cpusets.
	rmdir $cpuset && echo -cpuset >$root
fi

plan
