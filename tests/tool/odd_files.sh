#!/bin/sh
# SPDX-License-Identifier: MIT
# Captured trees with files that make no sense: one odd line costs one figure, and
# nothing that is no file is waited for.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
unset COLUMNS

cpu=sys/devices/system/cpu
node=sys/devices/system/node

# machine: nodes 0 and 1, with a CPU on each, and process 10 on node 0
machine()
{
	rm -rf "$m"
	for i in 0 1; do
		put $node/node$i/cpulist $i
		put $node/node$i/meminfo "Node $i MemTotal: 1048576 kB
Node $i MemFree: 524288 kB
Node $i HugePages_Total: 0"
		put $node/node$i/numastat "numa_hit $((5 + i))
numa_miss 0"
		put $node/node$i/vmstat "nr_free_pages 131072"
		put $node/node$i/distance '10 20'
	done
	put $node/online 0-1
	put $cpu/online 0-1
	mkdir -p "$m/$cpu/cpu0" "$m/$cpu/cpu1"
	put proc/stat 'cpu 3 0 0 0
cpu0 1 0 0 0
cpu1 2 0 0 0'
	put proc/meminfo 'MemTotal: 2097152 kB'
	put proc/10/stat '10 (ten) S 1 0 0 0 0 0 0 0 0 0 30 12 0 0 0 0 1 0 10 0 99 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0'
	put proc/10/status 'Name:	ten
Tgid:	10
Uid:	7	7	7	7
VmSize:	100 kB
VmRSS:	40 kB
RssAnon:	40 kB
RssFile:	0 kB
RssShmem:	0 kB'
	put proc/10/maps '1000-11000 rw-p 00000000 00:00 0 [heap]'
	put proc/10/numa_maps '1000 default anon=10 N0=10 kernelpagesize_kB=4'
	put proc/10/cgroup '0::/a'
	put proc/10/cmdline ten
	put proc/self/mountinfo '30 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw'
	put sys/fs/cgroup/cgroup.controllers memory
	put sys/fs/cgroup/a/memory.numa_stat 'anon N0=40960 N1=0
file N0=8192 N1=4096'
}

numatally()
{
	timeout 60 "$tool" "$@" >"$out" 2>"$err"
}

# ---- null bytes at the end, as tar(1) pads files ------------------------------

# verbs ARGUMENTS…: what each prints, and its status
verbs()
{
	for args; do
		numatally $args --root "$m"
		echo "== $args: $?"
		grep -v time_ns "$out"
		cat "$err"
	done
}

all_verbs()
{
	verbs stat 'stat -m' 'stat -p ten' 'stat --by node' \
		'stat --by process -v' 'stat --by user' 'stat --by cgroup' \
		'stat --json' 'stat --by cgroup --json' topo \
		'top --batch --count 1' 'top --batch --count 1 --by cgroup'
}

machine
all_verbs >"$tmp/plain"
find "$m" -type f -size -4096c -exec truncate -s 4096 {} +
all_verbs >"$tmp/padded"
cmp -s "$tmp/plain" "$tmp/padded" && ! grep -v ': 0$' "$tmp/padded" | grep '^=='
result $? "padded files are read as others are"
cp "$tmp/plain" "$out"
has '^MemFree  *512.00  *512.00  *1024.00$' && has '10 .* 40K .* ten$'
result $? "(and others are)"

# ---- lines ----------------------------------------------------------------------

machine
put $node/node1/meminfo 'Node 1 MemTotal: 1048576 kB
Node 1 VendorThing:
Node 1 MemFree: x kB
Node 1 HugePages_Total: 0'
numatally stat -m --root "$m"
[ $? -eq 1 ] && has '^MemTotal  *1024.00  *1024.00  *2048.00$' &&
	has '^MemFree  *512.00  *-  *-$' &&
	grep -qx 'numatally stat: node 1: meminfo: malformed' "$err"
result $? "stat -m: - for what makes no sense, and for its total"
numatally stat --by node --root "$m"
[ $? -eq 1 ] && has '^MemTotal  *1.0 GiB  *1.0 GiB  *2.0 GiB$' &&
	has '^MemFree  *512.0 MiB  *-  *-$' &&
	grep -qx 'numatally stat: node 1: meminfo: malformed' "$err"
result $? "stat --by node: the same"
numatally stat --json --root "$m"
[ $? -eq 1 ] && has '"MemTotal":1073741824,"MemFree":null'
result $? "JSON: null"
numatally top --batch --count 1 --root "$m" && has '^ *1 .* -/1.0G'
result $? "top: the total is known"

machine
put sys/fs/cgroup/a/memory.numa_stat 'anon N0=40960 N1=0
vendor_thing
file N0=8192 N1=4096
vendor 12'
numatally stat --by cgroup --root "$m" && has ' 40K  *12K .* /a$'
result $? "an unknown name in memory.numa_stat is skipped"
put sys/fs/cgroup/a/memory.numa_stat 'anon N0=40960 N1=0
file N0=8192 N1='
numatally stat --by cgroup --root "$m"
[ $? -eq 1 ] && has ' 40K  *- .* /a$' &&
	grep -qx 'numatally stat: cgroup /a: malformed' "$err"
result $? "a known name without a value costs its figure"

machine
put proc/zoneinfo 'Node 0, zone Normal
  low x'
numatally stat --by node --root "$m"
[ $? -eq 1 ] && grep -qx 'numatally stat: proc/zoneinfo: malformed' "$err" &&
	[ "$(wc -l <"$err")" -eq 1 ]
result $? "one line for a file that the estimates of all nodes are made of"

# ---- what is not there ----------------------------------------------------------

machine
rm "$m/proc/10/stat"
numatally stat --by process --root "$m"
[ $? -eq 1 ] && has '^ *10  *7  *-  *40K .* ten$' &&
	grep -qx 'numatally stat: process 10: no stat' "$err"
result $? "a process without stat: what its other files tell"
numatally stat --by process --json --root "$m"
[ $? -eq 1 ] && has '"start_ticks":null,"ppid":null,"uid":7,' &&
	has '"error":"no stat","threads":null,"cpu_ns":null,'
result $? "JSON: null for what stat has"
numatally stat --by process --csv --interval 0.1 --count 2 --root "$m"
[ $? -eq 1 ] && has '^,process,10,,ten,0,memory,bytes,40960' && ! has 'cpu time'
result $? "CSV: not in it"
numatally top --batch --count 2 --interval 0.1 --root "$m"
[ $? -eq 1 ] && has '^ *10 7  *-  *40K .* ten$' && has ' 1 not readable$' &&
	grep -qx 'numatally top: 1 of 1 rows are not readable: process 10: no stat' \
		"$err"
result $? "top: the same"
rm "$m/proc/10/status"
numatally stat --by process --root "$m"
[ $? -eq 1 ] && has '^ *10  *?  *-  ' &&
	grep -qx 'numatally stat: process 10: no stat' "$err"
result $? "nor status"
numatally top --batch --count 1 --root "$m"
[ $? -eq 1 ] && has '^ *10 ?  *-  '
result $? "top: the same"
numatally top --json --count 1 --by user --root "$m"
[ $? -eq 1 ] && has '"users":\[{"uid":null,"user":"?",'
result $? "and its user is not known"
numatally top --json --count 1 --root "$m"
[ $? -eq 1 ] && has '{"pid":10,"ppid":null,"start_ticks":null,'
result $? "nor its parent and its start"

# Process 10, in /a, tells nothing but its cgroup; nor do files of /a tell anything.
machine
rm "$m/proc/10/stat" "$m/proc/10/status" "$m/proc/10/maps" \
	"$m/proc/10/numa_maps" "$m/sys/fs/cgroup/a/memory.numa_stat"
put sys/fs/cgroup/b/memory.numa_stat 'anon N0=40960 N1=0
file N0=8192 N1=4096'
for by in cgroup user; do
	numatally stat --by $by --root "$m"
	[ $? -eq 1 ] && has '^ *1\(  *-\)*  *\(/a\|?\)$'
	result $? "--by $by: - for what none of its processes tells"
done
numatally stat --by cgroup --json --root "$m"
[ $? -eq 1 ] && sed 's/.*"cgroup":"\/a",//; s/"\(id\|left_out\)":0//g' "$out" >"$tmp/a" &&
	grep -q '^"processes":1,"error":"no stat","threads":null,"cpu_ns":null,' \
		"$tmp/a" && ! grep -q ':0[,}]' "$tmp/a"
result $? "JSON: null"
numatally stat --by user --csv --root "$m"
[ $? -eq 1 ] && has ',processes,processes,1,' && [ "$(wc -l <"$out")" -eq 2 ]
result $? "CSV: not in it"
numatally top --batch --count 1 --by cgroup --root "$m"
[ $? -eq 1 ] && has '^ *1  *-  *-  *-  .*- /a$' &&
	grep -q '^numatally top: .* rows are not readable: cgroup /.*: no stat$' "$err"
result $? "top --by cgroup: the same"
numatally top --json --count 1 --by cgroup --root "$m"
[ $? -eq 1 ] && sed 's/.*"cgroup":"\/a",//; s/"id":0//g' "$out" >"$tmp/a" &&
	grep -q '"error":"no stat"' "$tmp/a" && ! grep -q ':0[,}]' "$tmp/a"
result $? "its JSON: null"

machine
rm "$m/proc/10/status" "$m/proc/10/numa_maps" "$m/$node"/node?/vmstat
numatally stat --by process --root "$m"
[ $? -eq 1 ] && has '^ *10  *?  *1  *-  *-  .* ten$' &&
	grep -qx 'numatally stat: process 10: no file tells its memory' "$err"
result $? "pages of an unknown size: the process stays"
rm "$m/proc/10/cmdline"
numatally stat ten --root "$m"
[ $? -eq 1 ] && grep -qx 'numatally stat: process 10: no numa_maps' "$err"
result $? "its stat has a name to look for"

machine
rm "$m/proc/10/numa_maps"
numatally stat 10 -p ten --root "$m"
[ $? -eq 1 ] && grep -qx 'numatally stat: process 10: no numa_maps' "$err" &&
	[ "$(wc -l <"$err")" -eq 1 ]
result $? "numastat's table of a process without numa_maps"
rm "$m/proc/10/status"
numatally stat 10 --root "$m"
[ $? -eq 1 ] && grep -qx 'numatally stat: process 10: no numa_maps' "$err"
result $? "nor status"

machine
rm "$m/$node/node1/meminfo" "$m/$node/node1/cpulist"
numatally top --batch --count 1 --root "$m"
[ $? -eq 1 ] && has '^ all -  *-  *-/-  *-  *- ' &&
	has '^   1 No such file or directory  *-  *-  ' &&
	grep -qx 'numatally top: node 1: meminfo: No such file or directory' \
		"$err"
result $? "top: a node without meminfo and CPUs, and what it is part of"
numatally top --json --count 1 --root "$m"
[ $? -eq 1 ] && has '{"id":1,.*"memory_bytes":null,"used_bytes":null,"cpus":null,' &&
	[ "$(wc -l <"$err")" -eq 1 ]
result $? "JSON: null"

# ---- no files ---------------------------------------------------------------------

# not_a_file PATH
not_a_file()
{
	for kind in fifo zero; do
		machine
		rm "$m/$1"
		if [ $kind = fifo ]; then
			mkfifo "$m/$1"
		else
			ln -s /dev/zero "$m/$1"
		fi
		verbs 'stat -m 10' 'stat --by process ten' 'stat --by cgroup' \
			'top --batch --count 1' topo >"$tmp/log"
		! grep -E '^== .*: (124|1[3-9][0-9])$' "$tmp/log"
		result $? "$kind for $1: every verb ends"
	done
}

logs="log out err"
for file in $node/online $node/node0/meminfo $node/node0/numastat \
	$node/node0/cpulist $cpu/online proc/stat proc/10/stat proc/10/status proc/10/maps \
	proc/10/numa_maps proc/10/cgroup proc/10/cmdline proc/self/mountinfo \
	sys/fs/cgroup/cgroup.controllers sys/fs/cgroup/a/memory.numa_stat; do
	not_a_file $file
done
machine
rm "$m/proc/10/numa_maps"
mkfifo "$m/proc/10/numa_maps"
numatally stat --by process --root "$m"
[ $? -eq 1 ] && has ' ten$' &&
	grep -qx 'numatally stat: process 10: malformed' "$err"
result $? "a FIFO for numa_maps is an error of its process"
plan
