#!/bin/sh
# SPDX-License-Identifier: MIT
# --root of what is no captured machine: the error names it, and what it lacks.
set -u
. "${srcdir:-.}/tests/tool/tool_lib.sh"

mkdir "$tmp/empty"
: >"$tmp/file"
put sys/devices/system/cpu/online 0
mkdir -p "$m/sys/devices/system/cpu/cpu0"
put sys/devices/system/node/online 0
put sys/devices/system/node/node0/cpulist 0
put sys/devices/system/node/node0/meminfo 'Node 0 MemTotal: 1000 kB
Node 0 MemFree: 500 kB'
put sys/devices/system/node/node0/numastat 'numa_hit 1
numa_miss 0
numa_foreign 0
interleave_hit 0
local_node 1
other_node 0'
nodes='it has neither sys/devices/system/node nor proc/meminfo'
processes='it has no processes in proc'

# says WORDS VERB ARGUMENT…: the only line on stderr, after the name of $root
says() {
	words=$1
	shift
	fails 1 "$* --root $root" "$tool" "$@" --root "$tmp/$root"
	echo "numatally $1: $tmp/$root: $words" | cmp -s - "$err"
	result $? "$* --root $root: '$words'"
}

for root in nowhere empty file m; do
	[ $root != file ] || [ -x "${tool%/*}/numatally-capture" ] || continue
	case $root in
	nowhere) nodes_words='No such file or directory' ;;
	file) nodes_words='neither a directory nor an archive that tar made' ;;
	*) nodes_words=$nodes ;;
	esac
	words=$processes
	[ "$nodes_words" = "$nodes" ] || words=$nodes_words
	for by in process user cgroup; do
		says "$words" stat --by $by
	done
	if [ $root = m ]; then
		for by in process cgroup user thread; do
			run "$tool" top --batch --count 1 --by $by --root "$m"
			[ $? -eq 1 ] && has '^ *0 .*1000K' &&
				echo "numatally top: $m: $processes" |
				cmp -s - "$err"
			result $? "top --by $by: its nodes need no proc"
		done
		run "$tool" top --json --count 2 --interval 0.1 --root "$m"
		[ $? -eq 1 ] && has '"nodes":.{"id":0,.*"processes":..,"error":"it has'
		result $? "top --json: the same"
		says "$processes" stat -p 1
		says "$processes" stat -p e
		for verb in stat 'stat -m' 'stat --json' 'stat --csv' topo; do
			# shellcheck disable=SC2086
			run "$tool" $verb --root "$m" && [ ! -s "$err" ]
			result $? "$verb needs no proc"
		done
		continue
	fi
	says "$nodes_words" stat
	says "$nodes_words" stat -m
	says "$nodes_words" stat -p 1
	says "$nodes_words" stat --json
	says "$nodes_words" top --batch --count 1
	[ "$nodes_words" = "$nodes" ] &&
		nodes_words='it has no CPUs in sys/devices/system/cpu, nor in proc'
	says "$nodes_words" topo
done

# ---- cgroups without processes
put sys/fs/cgroup/cgroup.controllers memory
put sys/fs/cgroup/a/memory.numa_stat 'anon N0=4096
file N0=8192'
run "$tool" stat --by cgroup --root "$m"
[ $? -eq 1 ] && has '^ *-  *-  *12K  *12K .*  /a$' && has 'm: it has no processes in proc$' err
result $? "the kernel's account of cgroups needs no proc"
run "$tool" stat --by cgroup --json --root "$m"
[ $? -eq 1 ] && has '"cgroup":"/a","processes":null,' && has '"all":null,' &&
	has '"account_total_bytes":12288'
result $? "JSON: the number of processes is not known"
run "$tool" stat --by cgroup --csv --interval 0.1 --count 2 --root "$m"
[ $? -eq 1 ] && has '^,cgroup,/a,,,0,memory,bytes,12288,,,0$'
result $? "CSV, repeatedly"

run "$tool" top --batch --count 1 --by cgroup --root "$m"
[ $? -eq 1 ] && has '^ *-  *-  *12K .* /a$' && has 'm: it has no processes in proc$' err
result $? "top: nor does it"
mkdir "$m/proc"
run "$tool" top --batch --count 1 --by cgroup --root "$m"
[ $? -eq 1 ] && has '^ *-  *-  *12K .* /a$' && has 'm: it has no processes in proc$' err
result $? "top: with a proc without processes, the number of processes is not known"
run "$tool" top --json --count 1 --by cgroup --root "$m"
[ $? -eq 1 ] && has '"cgroup":"/a","processes":null,' &&
	has '"error":"it has no processes in proc"'
result $? "JSON: null"

# ---- files of proc, but no processes: many captures have these
for args in 'stat --by process' 'stat --by process x' 'stat --by user' 'stat -p 1'; do
	# shellcheck disable=SC2086
	fails 1 "$args" "$tool" $args --root "$m"
	echo "numatally stat: $m: it has no processes in proc" | cmp -s - "$err"
	result $? "$args: it has no processes in proc"
done
run "$tool" stat --by cgroup --root "$m"
[ $? -eq 1 ] && has '^ *-  *-  *12K  *12K .*  /a$' && has 'm: it has no processes in proc$' err
result $? "stat --by cgroup: the kernel's account"
run "$tool" top --batch --count 1 --root "$m"
[ $? -eq 1 ] && has '^ *0 .*1000K' &&
	echo "numatally top: $m: it has no processes in proc" | cmp -s - "$err"
result $? "top: its nodes"

# ---- a machine of which nothing is known is not said to have a node
mkdir -p "$tmp/stat/proc"
echo 'cpu 1 2 3 4' >"$tmp/stat/proc/stat"
root=stat
says "$nodes" stat --by node
says "$nodes" stat -m

# ---- only what is needed is read
mkdir -p "$m/proc"
mkfifo "$m/proc/meminfo"
run timeout 60 "$tool" stat --root "$m" && [ ! -s "$err" ]
result $? "the counters need no proc/meminfo"
plan
