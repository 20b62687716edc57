#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally topo, on a made-up machine, on captured ones, and on this one.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"

topo()
{
	run "$tool" topo "$@"
}

cpu=sys/devices/system/cpu
node=sys/devices/system/node
put $cpu/online 0-4,8
put $node/online 1,12
put $node/node1/cpulist 0-2,8
put $node/node1/meminfo 'Node 1 MemTotal: 1536 kB'
put $node/node1/distance '10 20'
put $node/node12/cpulist ''
put $node/node12/meminfo 'Node 12 MemTotal: 0 kB'
put $node/node12/distance '20'

topo --root "$m"
result $? "a machine"
grep -q '^   1  *1\.5 MiB  0-2,8$' "$out"
result $? "a node's line"
grep -q '^  12  *0 B  none$' "$out"
result $? "a node without CPUs and memory"
grep -q '^CPUs on none of these nodes: 3-4$' "$out"
result $? "CPUs of no node"
grep -q '^   1  10  20$' "$out" && grep -q '^  12   -   -$' "$out"
result $? "distances, known and not"
! grep -q 'tier\|kind' "$out"
result $? "no columns without a known value"

put sys/devices/virtual/memory_tiering/memory_tier4/nodelist 1
put proc/driver/nvidia/gpus/0000:01:00.0/numa_status 'Node: 12'
topo --root "$m" && grep -q '^   1  *1\.5 MiB     0  -     0-2,8$' "$out" &&
	grep -q '^  12  *0 B     -  GPU   none$' "$out"
result $? "tiers and kinds"

topo --json --root "$m"
result $? "JSON"
cat >"$tmp/expected" <<-END
	{"version":1,"nodes":[{"id":1,"cpus":[0,1,2,8],"memory_bytes":1572864,"distances":{"1":10,"12":20},"tier":0,"memory_kind":null},{"id":12,"cpus":[],"memory_bytes":0,"distances":{},"tier":null,"memory_kind":"GPU"}],"cpus_without_node":[3,4],"cpus_of_several_nodes":[],"machine":null}
END
cmp -s "$out" "$tmp/expected"
result $? "JSON, byte for byte"

COLUMNS=40 topo --root "$m" && ! grep -q '.\{41\}' "$out"
result $? "40 columns are enough"
i=0
list=
while [ $i -lt 100 ]; do
	list=$list$i,
	i=$((i + 2))
done
put $cpu/online "${list%,}"
put $node/node1/cpulist "${list%,}"
COLUMNS=40 topo --root "$m" && ! grep -q '.\{41\}' "$out" &&
	! grep -q ' $' "$out" && grep -q '^ \{30\}.*98$' "$out"
result $? "a long list of CPUs is continued below"

# As with numa=fake.
put $cpu/online 0-4,8
put $node/node1/cpulist 0-2,8
put $node/node12/cpulist 1-4
mkdir -p "$m/$cpu/cpu2/node12"
topo --root "$m" && grep -q '  0-1,8$' "$out" && grep -q '  2-4$' "$out" &&
	grep -q '^CPUs that several nodes list: 1-2$' "$out"
result $? "CPUs that several nodes list"
topo --json --root "$m" && grep -q '"cpus_of_several_nodes":\[1,2\],' "$out"
result $? "JSON"
rmdir "$m/$cpu/cpu2/node12"

# A list that makes no sense, and CPUs that may be on its node.
put $cpu/online 0-4,8
put $node/node1/cpulist 0-2,8
put $node/node12/cpulist 3-x
topo --root "$m"
[ $? -eq 1 ] && grep -q '^  12  *0 B     -  GPU   -$' "$out" &&
	grep -q '^CPUs of which no node is known: 3-4$' "$out" &&
	grep -qx 'numatally topo: node 12: its CPUs are not known' "$err"
result $? "a list of CPUs that makes no sense"
topo --json --root "$m"
[ $? -eq 1 ] && grep -q '{"id":12,"cpus":null,' "$out"
result $? "the same as JSON: null"

# hidden NAME: sysfs shows no nodes: all is on node 0, and every verb prints that once
warning="$m: sys/devices/system shows no nodes:"
hidden()
{
	what=$1
	shift
	for args in topo 'stat -m' 'stat --by node' 'stat --by process' \
		'top --batch --count 1'; do
		run "$tool" $args --root "$m"
		is='everything is'
		[ "$args" != 'stat --by process' ] || is='all CPUs are'
		grep -qi -e '^ *0 ' -e 'node *0' "$out" &&
			[ "$(grep -c 'shows no nodes' "$err")" -eq 1 ] &&
			grep -q "$warning $is on node 0" "$err"
		result $? "$what: $args"
	done
}
rm -rf "$m"
put proc/meminfo 'MemTotal: 2048 kB
MemFree: 1024 kB'
put proc/stat 'cpu  77 2 3 4
cpu0 1 2 3 4
cpu3 1 2 3 4
intr 7'
mkdir -p "$m/proc/self"
put proc/10/stat '10 (ten) S 1 0 0 0 0 0 0 0 0 0 30 12 0 0 0 0 1 0 10 0 99 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0'
put proc/10/status 'VmSize:	100 kB
VmRSS:	40 kB
RssAnon:	40 kB
RssFile:	0 kB
RssShmem:	0 kB'
hidden "no sysfs"
topo --root "$m" && grep -q '^   0  *2.0 MiB  0,3$' "$out"
result $? "no sysfs: the CPUs are those of proc/stat"
mkdir -p "$m/sys/devices/system/node" "$m/sys/devices/system/cpu"
hidden "sysfs is empty"
mkdir -p "$m/$cpu/cpu0/node1" "$m/$cpu/cpu3/node1"
put $cpu/online 0,3
hidden "its nodes are hidden"
topo --root "$m" && grep -q '^   0  *2.0 MiB  0,3$' "$out"
result $? "the CPUs are known"
rm -r "$m/$cpu" "$m/$node"
put $node/node1/cpulist 0,3
put $node/node1/meminfo 'Node 1 MemTotal: 1536 kB'
topo --root "$m" && grep -q '^   1  *1.5 MiB  0,3$' "$out" && [ ! -s "$err" ]
result $? "its CPUs are hidden: the nodes are known"
rm -r "$m"

topo
result $? "this machine"
topo --json && grep -q '^{"version":1,"nodes":\[{"id":[0-9]*,"cpus":' "$out"
result $? "this machine's JSON"

for dir in "$tmp" "$tmp/missing" "$out"; do
	topo --root "$dir"
	[ $? -eq 1 ] && [ ! -s "$out" ] && [ -s "$err" ]
	result $? "no captured machine in ${dir##*/}"
done
for args in "--root" "more" "--json=1"; do
	topo $args
	[ $? -eq 2 ] && [ ! -s "$out" ] && grep -q "^Try 'numatally topo --help'" "$err"
	result $? "usage error: $args"
done
if [ -c /dev/full ]; then
	for args in "" --json; do
		"$tool" topo --root "$m" $args >/dev/full 2>"$err"
		[ $? -eq 1 ] && [ "$(wc -l <"$err")" -eq 1 ]
		result $? "a full disk${args:+, $args}"
	done
else
	skip "a full disk" "no /dev/full"
fi

# The tool lists the nodes and the online CPUs that have directories.
ids()
{
	ls "$1" | sed -n "s/^$2\\([0-9][0-9]*\\)\$/\\1/p" | sort -n
}

online()
{
	for id in $(ids "$1" cpu); do
		[ "$(cat "$1/cpu$id/online" 2>/dev/null)" = 0 ] || echo "$id"
	done
}

# ---- described machines -------------------------------------------------------

topo --input 'numa:2(memory=8GiB) core:4 pu:2' &&
	grep -q '^   1  *8\.0 GiB  8-15$' "$out" &&
	grep -q '^distances: not known$' "$out"
result $? "a synthetic description"
topo --json --input 'numa:2 pu:1' &&
	grep -q '^{"version":1,"nodes":\[{"id":0,"cpus":\[0\],.*"machine":null}$' "$out"
result $? "a synthetic description in JSON"
topo --input rubbish
[ $? -eq 1 ] && [ ! -s "$out" ] &&
	grep -q "'rubbish' is no file, and no machine" "$err"
result $? "a description that is none"
echo rubbish >"$tmp/rubbish.xml"
topo --input "$tmp/rubbish.xml"
[ $? -eq 1 ] && grep -q "rubbish.xml: hwloc finds no machine in it" "$err"
result $? "a file that is no XML"
topo --input "$tmp"
[ $? -eq 1 ] && grep -q "$tmp: Is a directory" "$err"
result $? "a directory"
topo --input pu:1 --root /
[ $? -eq 2 ] && grep -q 'exclude each other' "$err"
result $? "two inputs"

captured()
{
	ids "$root/$node" node >"$tmp/nodes"
	online "$root/$cpu" >"$tmp/cpus"
	topo --json --root "$root"
	result $? "$name"
	grep -o '"id":[0-9]*' "$out" | sed 's/.*://' | cmp -s - "$tmp/nodes"
	result $? "$name: its nodes"
	grep -o '\(cpus\|cpus_without_node\)":\[[0-9,]*' "$out" |
		sed 's/.*\[//' | tr ',' '\n' | grep . | sort -n |
		cmp -s - "$tmp/cpus"
	result $? "$name: its CPUs"
	COLUMNS=80 topo --root "$root" && ! grep -q '.\{81\}' "$out" &&
		[ "$(sed -n '2,/^$/s/^ *\([0-9][0-9]*\)  .*/\1/p' "$out")" = \
			"$(cat "$tmp/nodes")" ]
	result $? "$name: as text"
}
each_captured captured
plan
