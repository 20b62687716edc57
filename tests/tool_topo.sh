#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally topo, on a small machine made up here and on the captured ones.
set -u
tool=${NUMATALLY:-./tools/numatally}
tmp=$(TMPDIR=$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) mktemp -d) ||
	exit 99
trap 'rm -rf "$tmp"' EXIT
out=$tmp/out
err=$tmp/err
n=0

# result STATUS NAME
result()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$out" "$err"
	fi
}

# put FILE TEXT: in the made-up machine
put()
{
	mkdir -p "$tmp/m/$(dirname "$1")"
	echo "$2" >"$tmp/m/$1"
}

topo()
{
	"$tool" topo "$@" >"$out" 2>"$err"
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

topo --root "$tmp/m"
result $? "a machine"
grep -q '^   1  *1\.5 MiB  0-2,8$' "$out"
result $? "a node's line"
grep -q '^  12  *0 B  -$' "$out"
result $? "a node without CPUs and memory"
grep -q '^CPUs on none of these nodes: 3-4$' "$out"
result $? "CPUs of no node"
grep -q '^   1  10  20$' "$out" && grep -q '^  12   -   -$' "$out"
result $? "distances, known and not"
! grep -q 'tier\|kind' "$out"
result $? "no columns of what nobody knows"

put sys/devices/virtual/memory_tiering/memory_tier4/nodelist 1
put proc/driver/nvidia/gpus/0000:01:00.0/numa_status 'Node: 12'
topo --root "$tmp/m" && grep -q '^   1  *1\.5 MiB     0  -     0-2,8$' "$out" &&
	grep -q '^  12  *0 B     -  GPU   -$' "$out"
result $? "tiers and kinds"

topo --json --root "$tmp/m"
result $? "JSON"
cat >"$tmp/expected" <<-END
	{"version":1,"nodes":[{"id":1,"cpus":[0,1,2,8],"memory_bytes":1572864,"distances":{"1":10,"12":20},"tier":0,"memory_kind":null},{"id":12,"cpus":[],"memory_bytes":0,"distances":{},"tier":null,"memory_kind":"GPU"}],"cpus_without_node":[3,4]}
END
cmp -s "$out" "$tmp/expected"
result $? "JSON, byte for byte"

COLUMNS=40 topo --root "$tmp/m" && ! grep -q '.\{41\}' "$out"
result $? "40 columns are enough"
i=0
list=
while [ $i -lt 100 ]; do
	list=$list$i,
	i=$((i + 2))
done
put $cpu/online "${list%,}"
put $node/node1/cpulist "${list%,}"
COLUMNS=40 topo --root "$tmp/m" && ! grep -q '.\{41\}' "$out" &&
	! grep -q ' $' "$out" && grep -q '^ \{30\}.*98$' "$out"
result $? "a long list of CPUs goes on below"

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
	[ $? -eq 2 ] && [ ! -s "$out" ] && grep -q '^Usage:' "$err"
	result $? "usage error: $args"
done
if [ -c /dev/full ]; then
	for args in "" --json; do
		"$tool" topo --root "$tmp/m" $args >/dev/full 2>"$err"
		[ $? -eq 1 ] && [ "$(wc -l <"$err")" -eq 1 ]
		result $? "a full disk${args:+, $args}"
	done
else
	n=$((n + 1))
	echo "ok $n # SKIP no /dev/full"
fi

# The node directories and the online CPUs' directories of a captured machine
# are what the tool lists.
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

found=
for archive in "${NUMATALLY_DATA:-}"/sysfs-dumps/*.tar.bz2; do
	[ -f "$archive" ] || continue
	rm -rf "$tmp/dump"
	mkdir "$tmp/dump"
	tar -xjf "$archive" -C "$tmp/dump" --exclude='*/cache' \
		--exclude='*/cpuidle' --exclude='*/cpufreq' 2>/dev/null || break
	found=yes
	root=$(echo "$tmp"/dump/*)
	name=${root##*/}
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
done
if [ -z "$found" ]; then
	n=$((n + 1))
	echo "ok $n # SKIP no captured machines in NUMATALLY_DATA, or no tar"
fi
echo "1..$n"
