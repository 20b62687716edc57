#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally stat by node, in its own formats: on a made-up machine, on captured
# ones, and on this one.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
unset COLUMNS

# over FILE TEXT: writes text of the same length, so that a reader sees no part
over()
{
	echo "$2" 1<>"$m/$1"
}

stat()
{
	run "$tool" stat "$@"
}

# has_lines NR: at least that many have been printed
has_lines()
{
	[ "$(wc -l <"$out")" -ge "$1" ]
}

cpu=sys/devices/system/cpu
node=sys/devices/system/node
# machine: nodes 1 and 12
machine()
{
	rm -rf "$m"
	put $cpu/online 0-2
	mkdir -p "$m/$cpu/cpu0" "$m/$cpu/cpu1" "$m/$cpu/cpu2"
	put $node/online 1,12
	for i in 1 12; do
		put $node/node$i/meminfo "Node $i MemTotal: 1048576 kB
Node $i MemFree: 524288 kB
Node $i FilePages: 1024 kB
Node $i HugePages_Total: 3"
		put $node/node$i/numastat "numa_hit 5000
numa_miss 12
numa_foreign 0
interleave_hit 0
local_node 4900
other_node 112"
		put $node/node$i/vmstat "nr_free_pages 131072
nr_dirtied 77
numa_hit 5000
pgdemote_kswapd 9
nr_anon_transparent_hugepages 4"
		for f in nr free surplus; do
			put "$node/node$i/hugepages/hugepages-2048kB/${f}_hugepages" 3
		done
	done
	put $node/node1/cpulist 0-1
	put $node/node12/cpulist 2
	put $node/node1/distance '10 20'
	put $node/node12/distance '20 10'
	put proc/stat 'cpu 6 0 0 0
cpu0 2 0 0 100
cpu1 3 0 0 100
cpu2 1 0 0 100'
	put proc/meminfo 'MemTotal: 2097152 kB
Hugepagesize: 2048 kB'
	put sys/kernel/mm/transparent_hugepage/hpage_pmd_size 2097152
	put sys/devices/virtual/memory_tiering/memory_tier4/nodelist 1
	put sys/devices/virtual/memory_tiering/memory_tier22/nodelist 12
}

# ---- tables -----------------------------------------------------------------

machine
cat >"$tmp/expected" <<'END'
                   node 1    node 12      all
MemTotal          1.0 GiB    1.0 GiB  2.0 GiB
MemFree         512.0 MiB  512.0 MiB  1.0 GiB
FilePages         1.0 MiB    1.0 MiB  2.0 MiB
numa_hit             5000       5000    10000
numa_miss              12         12       24
other_node            112        112      224
cpu user          50.0 ms    10.0 ms  60.0 ms
tier                    0          1
distance to 1          10         20
distance to 12         20         10

0 everywhere: cpu system
not known: MemAvailable
END
stat --by node --root "$m" && cmp -s "$out" "$tmp/expected"
result $? "a table, figures down"
cat >"$tmp/expected" <<'END'
          Mem
node    Total    MemFree
   1  1.0 GiB  512.0 MiB
  12  1.0 GiB  512.0 MiB
 all  2.0 GiB    1.0 GiB

         File   numa  numa
node    Pages    hit  miss
   1  1.0 MiB   5000    12
  12  1.0 MiB   5000    12
 all  2.0 MiB  10000    24

      other      cpu
node   node     user  tier
   1    112  50.0 ms     0
  12    112  10.0 ms     1
 all    224  60.0 ms

0 everywhere: cpu system
not known: MemAvailable
END
COLUMNS=30 stat --by node --root "$m" && cmp -s "$out" "$tmp/expected"
result $? "nodes down, folded, in a narrow terminal"
stat --nodes 12 --root "$m" && grep -q '^ *node 12$' "$out" &&
	! grep -q 'node 1$\|all\|sum\|to 1$' "$out"
result $? "--nodes"
stat --nodes 1,7 --root "$m"
[ $? -eq 1 ] && grep -q 'node 1$' "$out" && grep -q 'no node 7' "$err"
result $? "--nodes with an unknown node: a failure, and the others"
stat --nodes 0-3,7 --root "$m"
[ $? -eq 1 ] && grep -q 'node 1$' "$out" &&
	echo 'numatally stat: no nodes 0, 2-3, 7' | cmp -s - "$err"
result $? "--nodes with a range: one message names those that it lacks"
stat -n --by node -s7 --root "$m"
[ $? -eq 1 ] && grep -q 'node 1 ' "$out" && grep -q 'no node 7' "$err"
result $? "-s of an unknown node: a failure, and all figures"
put $node/node12/numastat "numa_hit 9000
numa_miss 12
numa_foreign 0
interleave_hit 0
local_node 4900
other_node 112"
stat -n --top 1 --root "$m" && grep -q '^ *node 12  *rest  *all$' "$out" &&
	grep -q '^numa_hit  *9000  *5000  *14000$' "$out" &&
	grep -q 'of 2 nodes' "$out"
result $? "--top: which matter most, the rest, and how that was found"
stat -m --by node --root "$m" && ! grep -q 'numa_hit\|distance' "$out" &&
	grep -q '^HugePages_Total  *3  *3  *6$' "$out"
result $? "-m"
stat -n --by node --root "$m" && ! grep -q 'MemFree' "$out" &&
	grep -q '^numa_miss  *12  *12  *24$' "$out" &&
	grep -q '^0 everywhere: numa_foreign, interleave_hit$' "$out"
result $? "-n"
stat -nz --by node --root "$m" && ! grep -q 'numa_foreign' "$out"
result $? "-z"
stat -ns --by node --root "$m" && [ "$(sed -n '2p' "$out" | cut -c1-8)" = numa_hit ] &&
	[ "$(sed -n '3p' "$out" | cut -c1-10)" = local_node ]
result $? "-s"
stat -v --by node --root "$m" && grep -q '^pgdemote_kswapd  *9  *9  *18$' "$out" &&
	grep -q '^hugepages-2048kB nr  *3  *3  *6$' "$out"
result $? "-v"

# ---- other forms ------------------------------------------------------------

machine
stat --json --root "$m" && [ "$(wc -l <"$out")" -eq 1 ] &&
	grep -q '^{"version":1,"time_ns":[0-9]*,"interval_ns":null,"nodes":\[{"id":1,"cpus":\[0,1\],"distances":{"1":10,"12":20},"tier":0,"memory_kind":null,' "$out" &&
	grep -q '"meminfo_bytes":{"MemTotal":1073741824,"MemFree":536870912,"FilePages":1048576},"meminfo_huge_pages":{"HugePages_Total":3}' "$out" &&
	grep -q '"numastat_events":{"numa_hit":5000,' "$out" &&
	grep -q '"vmstat_pages":{"nr_free_pages":131072,"nr_dirtied":77,"pgdemote_kswapd":9}' "$out" &&
	grep -q '"vmstat_events":{"numa_hit":5000}' "$out" &&
	grep -q '"vmstat_huge_pages":{"nr_anon_transparent_hugepages":4}' "$out" &&
	grep -q '"hugepages":\[{"page_bytes":2097152,"nr_pages":3,"free_pages":3,"surplus_pages":3}\]' "$out" &&
	grep -q '"cpu_ns":{"user":50000000,"nice":0,"system":0,"idle":2000000000},"estimate_bytes":{"MemAvailable":null},"errors":{}' "$out" &&
	grep -q '"page_bytes":{"meminfo_huge_pages":2097152,"vmstat_pages":4096,"vmstat_huge_pages":2097152}' "$out" &&
	grep -q '"counters":{"numastat_events":\[.*"vmstat_pages":\["nr_dirtied","pgdemote_kswapd"\]' "$out" &&
	grep -q '"estimates":\["estimate_bytes"\]}$' "$out"
result $? "JSON: units in the names, exact integers"
stat --csv --root "$m" &&
	[ "$(head -n 1 "$out")" = 'time,node,source,figure,unit,page_bytes,counter,estimate,value,delta,per_second,reset' ] &&
	grep -q '^,12,vmstat,nr_dirtied,pages,4096,1,0,77,,,0$' "$out" &&
	grep -q '^,1,topology,distance_to_12,,,0,0,20,,,0$' "$out" &&
	grep -q '^,1,hugepages,hugepages-2048kB_free,pages,2097152,0,0,3,,,0$' "$out" &&
	[ -z "$(awk -F, 'NF != 12' "$out")" ]
result $? "CSV"
printf 'Node 12 a"b,c: 5 kB\n' >"$m/$node/node12/meminfo"
stat --csv --root "$m" && grep -q '^,12,meminfo,"a""b,c",bytes,,0,0,5120,,,0$' "$out"
result $? "CSV: what has to be quoted"
machine
cat >"$tmp/expected" <<'END'
node  group      figures
   1  meminfo    MemTotal 1.0 GiB  MemFree 512.0 MiB  FilePages 1.0 MiB
   1  numastat   numa_hit 5000  numa_miss 12  other_node 112
   1  cpu        user 50.0 ms  system 0
   1  topology   tier 0  distances 1:10 12:20
END
stat --long --root "$m" && head -n 5 "$out" | cmp -s - "$tmp/expected" &&
	! grep -q '.\{81\}' "$out"
result $? "--long"

# ---- repeatedly -------------------------------------------------------------

# change_between ARGS...: two readings; in between figures change, and node 12 is
# reset
change_between()
{
	machine
	: >"$out"
	"$tool" stat --root "$m" --interval $interval --count 2 "$@" \
		>"$out" 2>"$err" &
	pid=$!
	await has_lines 1
	over $node/node1/numastat 'numa_hit 7000'
	over $node/node12/numastat 'numa_hit 0009'
	over $node/node1/meminfo 'Node 1 MemTotal: 1048577 kB'
	wait $pid
}

# rate RATE SECONDS: RATE is that of 2000 events in SECONDS, as rounded
rate()
{
	awk -v rate="$1" -v s="$2" 'BEGIN {
		off = (index(rate, ".") ? 0.06 : 0.6) * s + rate * 0.0006
		exit !(s > 0 && rate * s >= 2000 - off && rate * s <= 2000 + off) }'
}

# part PATTERN: what \(\) matches in the first line that begins with PATTERN
part()
{
	sed -n "s/$1.*/\\1/p" "$out" | head -n 1
}

deltas_in_json()
{
	change_between --json && [ "$(wc -l <"$out")" -eq 2 ] || return
	tail -n 1 "$out" >"$tmp/second"
	cp "$tmp/second" "$out"
	grep -q '"id":1,.*"deltas":{"meminfo_bytes":{"MemTotal":1024,"MemFree":0,' "$out" &&
		grep -q '"id":1,.*"numastat_events":{"numa_hit":2000,.*"per_second":{"numastat_events":{"numa_hit":[0-9.]*,.*"resets":{}' "$out" &&
		grep -q '"id":12,.*"deltas":{.*"numastat_events":{"numa_hit":null,.*"per_second":{"numastat_events":{"numa_hit":null.*"resets":{"numastat_events":\["numa_hit"\]}' "$out" &&
		rate "$(sed 's/.*"id":1,//; s/"id":12,.*//
			s/.*"per_second":{"numastat_events":{"numa_hit":\([0-9.]*\).*/\1/' "$out")" \
			"$(part '.*"interval_ns":\([0-9]*\),' |
				awk '{ printf "%.9f", $1 / 1e9 }')"
}
in_time deltas_in_json
result $? "JSON: deltas and rates, and what was reset"

seconds='^after \([0-9.]*\) s'
rates_in_table()
{
	change_between && grep -q '^0 everywhere: numa_miss, other_node' "$out" &&
		rate "$(part '^numa_hit \/s  *\([0-9.]*\)  *reset  *-')" \
			"$(part "$seconds")"
}
in_time rates_in_table
result $? "a table: rates, and what was reset"

rates_in_lines()
{
	change_between --long &&
		rate "$(part '^   1  numastat   numa_hit 7000 +2000 \([0-9.]*\)\/s  numa_miss 12  other')" \
			"$(part "$seconds")" &&
		grep -q '^  12  numastat   numa_hit 9 reset  numa_miss 12  other' "$out" &&
		grep -q 'MemTotal 1.0 GiB +1.0 KiB' "$out"
}
in_time rates_in_lines
result $? "--long: rates, and what was reset"

rates_in_csv()
{
	change_between --csv || return
	# The readings are at least the interval apart.
	part '^,1,numastat,numa_hit,events,,1,0,7000,2000,\([0-9]*\.[0-9]*\),0' |
		awk -v s="$interval" '{ rate = $1 }
			END { exit !(rate > 0 && rate * s < 2001) }' &&
		grep -q '^,12,numastat,numa_hit,events,,1,0,9,,,1$' "$out" &&
		[ "$(grep -c '^time,' "$out")" -eq 1 ]
}
in_time rates_in_csv
result $? "CSV: rates, and what was reset"

stat --csv && utc=$(date -u +%Y-%m-%dT) && sed 1d "$out" |
	grep -v -q "^$utc[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\.[0-9]\{6\}Z,"
[ $? -eq 1 ] || [ "$utc" != "$(date -u +%Y-%m-%dT)" ]
result $? "CSV: the time of day"
[ "$(sed 1d "$out" | cut -d, -f1 | sort -u | wc -l)" -eq 1 ]
result $? "CSV: one time for one reading"
# real JSON: whether it has the time since the epoch, to within a day
real()
{
	ns=$(grep -o '"realtime_ns":[0-9]*' "$out" | head -n 1 | cut -d: -f2)
	ns=$((ns / 1000000000 - $(date +%s)))
	[ $ns -ge -86400 ] && [ $ns -le 86400 ]
}
stat --json && real
result $? "JSON: the time of day, by node"
stat --json --by user
real
result $? "JSON: the time of day, by user"
stat --json --root "$m" && grep -q '"realtime_ns":null,' "$out"
result $? "JSON: it is not known of a captured machine"

# A node comes and another goes between two readings.
nodes_change()
{
	machine
	: >"$out"
	cp -r "$m/$node/node1" "$m/$node/node0"
	sed -i 's/Node 1/Node 0/' "$m/$node/node0/meminfo"
	"$tool" stat --root "$m" --interval $interval --count 2 --json \
		>"$out" 2>"$err" &
	pid=$!
	await has_lines 1
	over $node/online '0,12'
	rm -f "$m/$node/online"
	wait $pid && sed 1d "$out" | grep -q '"id":0,.*"id":12,' &&
		! sed 1d "$out" | grep -q '"id":1,"' &&
		sed 1d "$out" | grep -q '"id":0,.*"errors":{}}.*"id":12,.*"deltas"'
}
in_time nodes_change
result $? "nodes that come and go"

machine
echo "Node 1 MemFree: 12" >"$m/$node/node1/meminfo"
stat --json --root "$m"
[ $? -eq 1 ] && [ "$(wc -l <"$err")" -eq 1 ] &&
	grep -q '^numatally stat: node 1: meminfo: malformed' "$err" &&
	grep -q '"id":1,.*"MemFree":null.*"errors":{"meminfo":' "$out" &&
	grep -q '"id":12,.*"MemFree":536870912.*"errors":{}' "$out"
result $? "a damaged file: a failure, and every other row"
stat --by node --root "$m" --interval 0.01 --count 5
[ $? -eq 1 ] && [ "$(wc -l <"$err")" -eq 1 ] && grep -q '^MemFree  *-  *512' "$out"
result $? "a damaged file: one error message"
stat --long --root "$m"
[ $? -eq 1 ] && grep -q '^   1  meminfo    -$' "$out"
result $? "a damaged file: a line in --long"

# Signals, and readers that have gone.
machine
# A shell without job control ignores SIGINT for its children.
defaults=
! env --default-signal=INT true 2>/dev/null || defaults='env --default-signal=INT'
for signal in ${defaults:+INT:130} TERM:143; do
	: >"$out"
	$defaults "$tool" stat --root "$m" --interval 100 --by node >"$out" 2>"$err" &
	pid=$!
	await has_lines 5
	kill -s ${signal%:*} $pid
	wait $pid 2>/dev/null
	[ $? -eq ${signal#*:} ] && [ ! -s "$err" ] && grep -q '^MemFree' "$out"
	result $? "dies of SIG${signal%:*}, with what it wrote"
done
: >"$out"
(
	trap '' INT
	exec "$tool" stat --root "$m" --interval 0.01 --by node
) >"$out" 2>"$err" &
pid=$!
await has_lines 5
kill -s INT $pid
lines=$(wc -l <"$out")
await has_lines $((lines + 20))
result $? "an ignored SIGINT does nothing"
kill $pid
wait $pid 2>/dev/null
{
	"$tool" stat --root "$m" --interval 0.01 --json 2>"$err"
	echo $? >"$tmp/status"
} | head -n 1 >"$out"
[ ! -s "$err" ] && [ "$(cat "$tmp/status")" -eq 141 ] && [ -s "$out" ]
result $? "ends cleanly when the reader has gone"
if [ -c /dev/full ]; then
	for args in --json --csv --long "--by node"; do
		"$tool" stat --root "$m" $args --interval 0.01 >/dev/full 2>"$err"
		[ $? -eq 1 ] && [ "$(wc -l <"$err")" -eq 1 ]
		result $? "a full disk, $args"
	done
else
	skip "a full disk" "no /dev/full"
fi
stat --json --root "$tmp/none"
[ $? -eq 1 ] && [ ! -s "$out" ] && [ -s "$err" ]
result $? "no such machine"

# Without NUMA in the kernel there is one node.
rm -rf "$m"
mkdir -p "$m/$cpu/cpu0"
put $cpu/online 0
put proc/meminfo 'MemTotal: 2048 kB
MemFree: 1024 kB'
put proc/stat 'cpu0 7 0 0'
stat --by node --root "$m" && grep -q '^ *node 0$' "$out" &&
	grep -q '^MemFree  *1.0 MiB$' "$out" && grep -q '^cpu user  *70.0 ms$' "$out"
result $? "a machine without NUMA"

# ---- this machine -----------------------------------------------------------

for args in "--by node" "-v --by node" --long --json --csv "-mn --by node"; do
	stat $args
	result $? "this machine, $args"
done
stat --json --interval 0.05 --count 3 && [ "$(wc -l <"$out")" -eq 3 ] &&
	sed 1d "$out" | grep -q '"deltas":{"meminfo_bytes":{"MemTotal":0'
result $? "this machine, repeatedly"

# ---- captured ones ----------------------------------------------------------

# looks ARGS: succeeds, and no line is longer than $width
looks()
{
	COLUMNS=$width stat "$@" --root "$root" &&
		! grep -q ".\\{$((width + 1))\\}" "$out"
}

captured()
{
	ids=$(ls "$root/$node" | sed -n 's/^node\([0-9][0-9]*\)$/\1/p' | sort -n)
	for width in 80 200; do
		looks --by node && looks -v --by node && looks --long -v
		result $? "$name at $width columns"
	done
	stat --json --root "$root"
	result $? "$name: JSON"
	[ "$(grep -o '"id":[0-9]*' "$out" | sed 's/.*://')" = "$ids" ]
	result $? "$name: its nodes"
	stat --csv -m --root "$root"
	for id in $ids; do
		grep -v '^$' "$root/$node/node$id/meminfo" |
			sed 's/^Node \([0-9]*\) \(.*\): *\([0-9]*\)\(.*\)/\1 \2 \3 \4/' |
			awk '{ printf "%s,%s,%.0f\n", $1, $2,
				$4 == "kB" ? $3 * 1024 : $3 }'
	done >"$tmp/expected"
	sed 1d "$out" | awk -F, '$9 != "" { print $2 "," $4 "," $9 }' |
		cmp -s - "$tmp/expected"
	result $? "$name: every figure of every meminfo"
	case $name in
	256ia64*)
		width=80
		looks --by node && [ "$(sed -n '/^  *63 /p' "$out" | wc -l)" -eq 1 ]
		result $? "$name: 64 nodes in one table of 80 columns"
		looks --top 8 && [ "$(wc -l <"$out")" -lt 24 ]
		result $? "$name: the 8 that matter most, in 24 lines"
		looks --top 4 && [ "$(grep -c '^distance to' "$out")" -eq 4 ] &&
			[ "$(wc -l <"$out")" -lt 24 ]
		result $? "$name: distances between those that are shown"
		;;
	esac
}
each_captured captured
plan
