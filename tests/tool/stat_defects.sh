#!/bin/bash
# SPDX-License-Identifier: MIT
# Each difference between numastat and numatally stat that numatally-stat(1)
# lists: numatally is right, and, if Debian's numastat is installed and the test
# runs as root, numastat is shown to be wrong.
set -u
real=/usr/bin/numastat
. "${srcdir:-.}/tests/tool/tool_lib.sh"
unset NUMASTAT_WIDTH
export LC_ALL=C.UTF-8

lacks=
if [ ! -x $real ]; then
	lacks="no $real"
elif [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
	lacks="no mount namespaces"
elif [ ! -d /sys/devices/system/node/node0 ]; then
	lacks="no nodes in sysfs"
fi

# ---- a made-up machine ---------------------------------------------------------

# machine NODE...: with some memory, and no processes
machine()
{
	local node

	rm -rf "$m"
	mkdir -p "$m/proc"
	printf 'MemTotal: 1 kB\nHugepagesize: 2048 kB\nHugetlb: 0 kB\n' \
		>"$m/proc/meminfo"
	for node; do
		mkdir -p "$m/sys/devices/system/node/node$node"
		rows "$node" "MemTotal $((4096 + node))" "MemFree 1024"
		counters "$node" "numa_hit 10" "numa_miss 0"
	done
}

# rows NODE "NAME KIB"...: writes its meminfo
rows()
{
	local node=$1 row
	shift

	for row; do
		echo "Node $node ${row% *}: ${row#* } kB"
	done >"$m/sys/devices/system/node/node$node/meminfo"
}

counters()
{
	local node=$1
	shift

	printf '%s\n' "$@" >"$m/sys/devices/system/node/node$node/numastat"
}

# Made-up processes have the numbers of children that sleep.
for i in 1 2 3; do
	sleep 1000 &
	children="$children $!"
done
read -r one two three < <(printf '%s\n' $children | sort -n | xargs)

# process PID NAME COMMAND LINE...: with these lines of numa_maps
process()
{
	local pid=$1 name=$2 command=$3
	shift 3

	mkdir -p "$m/proc/$pid"
	printf 'Name:\t%b\n' "$name" >"$m/proc/$pid/status"
	printf '%s\0' "$command" >"$m/proc/$pid/cmdline"
	printf '%b\n' "$@" >"$m/proc/$pid/numa_maps"
}

# pages NODE NR: a line of numa_maps
pages()
{
	echo "7f0000000000 default anon=$2 dirty=$2 N$1=$2 kernelpagesize_kB=4"
}

# ---- the two ----------------------------------------------------------------------

ours()
{
	run "$tool" stat --root "$m" "$@"
}

theirs()
{
	tree=$m real=$real unshare -m --propagation private bash -c '
	mount --bind "$tree/sys/devices/system/node" /sys/devices/system/node &&
	mount --bind "$tree/proc/meminfo" /proc/meminfo || exit 99
	for dir in "$tree"/proc/[0-9]*; do
		[ ! -d "$dir" ] || mount --bind "$dir" "/proc/${dir##*/}" ||
			exit 99
	done
	exec $real "$@"' - "$@" >"$out" 2>"$err"
}

# wrong NAME COMMAND...: numastat shows the defect
wrong()
{
	if [ -n "$lacks" ]; then
		skip "numastat: $1" "$lacks"
		return
	fi
	check "numastat: $1" "${@:2}"
}

# right NAME COMMAND...: numatally does not
right()
{
	check "numatally: $1" "${@:2}"
}

lacks_line()
{
	! grep -q -e "$1" "$out"
}

# order WORD...: the lines that begin so are in this order
order()
{
	[ "$(grep -o -E -e "^($(IFS='|'; echo "$*"))" "$out" | xargs)" = "$*" ]
}

# ---- processes that can't be read -------------------------------------------------

machine 0
process $one first x "$(pages 0 256)"
process $two second x "$(pages 0 512)"
process $three third x "$(pages 0 1024)"
rm "$m/proc/$three/numa_maps"
f() { theirs $one $two $three; [ $? -eq 0 ] && lacks_line first; }
wrong "the last process is gone: no table at all" f
f()
{
	ours $one $two $three
	[ $? -eq 1 ] && has "^$one (first) *1.00" && has "^$two (second) *2.00" &&
		lacks_line "^$three" && has '^Total *3.00' &&
		grep -q "process $three: " "$err"
}
right "the last process is gone: all others are there" f
f()
{
	theirs -v $one $three && [ "$(grep -c '^Per-node' "$out")" -eq 2 ] &&
		[ "$(grep -c '^Total' "$out")" -eq 1 ]
}
wrong "-v: a heading without a table" f
f()
{
	ours -v $one $three
	[ $? -eq 1 ] && [ "$(grep -c '^Per-node' "$out")" -eq 1 ]
}
right "-v: no heading without a table" f

mkdir "$m/proc/$two/numa_maps.d"
rm "$m/proc/$two/numa_maps"
mv "$m/proc/$two/numa_maps.d" "$m/proc/$two/numa_maps"
process $three third x "$(pages 0 1024)"
f() { theirs $one $two $three; [ $? -eq 1 ] && lacks_line third; }
wrong "a process can't be read: no table at all" f
f()
{
	ours $one $two $three
	[ $? -eq 1 ] && has "^$one " && lacks_line "^$two" &&
		has "^$three (third) *4.00" && has '^Total *5.00' &&
		grep -q "process $two: " "$err"
}
right "a process can't be read: all others are there" f

machine 0
process $one first x "$(pages 0 256)"
f() { theirs $((4294967296 + one)); has "PID $one (first)"; }
wrong "a number that is too large is another process" f
f() { ours $((4294967296 + one)); [ $? -eq 1 ] && [ ! -s "$out" ]; }
right "a number that is too large is no process" f
f() { ours ''; [ $? -eq 1 ] && [ ! -s "$out" ] && [ -s "$err" ]; }
right "an empty number is no process" f

# ---- patterns ---------------------------------------------------------------------

f()
{
	theirs -p nobody-has-this-$$-in-it && has '^Found no processes' &&
		has '^Per-node numastat info'
}
wrong "a pattern without a match: the table of the machine, exit 0" f
f()
{
	ours -p nobody-has-this-$$-in-it
	[ $? -eq 1 ] && [ ! -s "$out" ] && grep -q "nobody-has-this-$$" "$err"
}
right "a pattern without a match: an error message, exit 1" f
f()
{
	ours -p nobody-has-this-$$-in-it $one
	[ $? -eq 1 ] && has "PID $one (first)" && grep -q nobody "$err"
}
right "a pattern without a match, and a process" f
f()
{
	ours -n -p nobody-has-this-$$-in-it
	[ $? -eq 1 ] && has '^Per-node numastat' && grep -q nobody "$err"
}
right "a pattern without a match, and the counters" f
process $one first "$(printf '%03000d' 0)mark-$$" "$(pages 0 256)"
f() { theirs -p mark-$$ && has '^Found no'; }
wrong "a command line is not searched to its end" f
f() { ours -p "mark-$$" && has "PID $one (first)"; }
right "a command line is searched to its end" f
# A process that ends after it was found is no error.
process $two second "mark-$$" "$(pages 0 256)"
rm "$m/proc/$two/numa_maps" "$m/proc/$two/status"
f() { ours -p "mark-$$" && has "^$one (first)" && lacks_line "^$two"; }
right "a process that ends after a pattern matched it is no error" f
f() { ours -p "mark-$$" $two; [ $? -eq 1 ] && grep -q "process $two: " "$err"; }
right "unless it was named as well" f

# ---- numa_maps --------------------------------------------------------------------

# numastat's buffer ends behind N1.
machine 0 1
long=$(printf '%02008d' 0)
line="7f0000000000 default file=/$long anon=256 N1=256 kernelpagesize_kB=4"
process $one first x "$line"
f()
{
	[ "${line:0:2047}" = "${line%=256 kern*}" ] || return
	theirs $one
	[ $? -eq 1 ] && ! has '^Total'
}
wrong "a line of over 2,047 bytes ends everything" f
f() { ours $one && has '^Private *0.00 *1.00 *1.00$'; }
right "a line of over 2,047 bytes" f

process $one first x \
	"7f0000000000 default file=/a\\rN0 mapped=256 N1=256 kernelpagesize_kB=4"
f() { theirs $one; [ $? -eq 1 ] && ! has '^Total'; }
wrong "a file's name ends everything" f
f() { ours $one && has '^Private *0.00 *1.00 *1.00$'; }
right "a file's name is a file's name" f
process $one first x \
	"7f0000000000 default file=/a\\rhuge mapped=256 N1=256 kernelpagesize_kB=4"
f() { theirs $one && has '^Huge *0.00 *512.00'; }
wrong "a file's name makes huge pages" f
f() { ours $one && has '^Huge *0.00 *0.00' && has '^Private *0.00 *1.00'; }
right "a file's name makes no huge pages" f

machine 0
process $one first x "$(pages 0 256)" "$(pages 5 512)"
f() { theirs $one; lacks_line 'Node 5'; }
wrong "memory on a node that is not in its list" f
f()
{
	ours $one && has 'Node 0  *Node 5  *Total$' &&
		has '^Private *1.00 *2.00 *3.00$'
}
right "memory on a node that is not in sysfs" f

machine 0
process $one first x "7f0000000000 default file=/anon_hugepage huge anon=1 \
dirty=1 N0=1 kernelpagesize_kB=1048576" "7f0000000000 default \
file=/anon_hugepage huge anon=2 dirty=2 N0=2 kernelpagesize_kB=2048"
f() { theirs $one && has '^Huge *6.00 '; }
wrong "huge pages of another size than the default" f
f() { ours $one && has '^Huge *1028.00 '; }
right "huge pages of their own size" f
process $one first x "$(pages 0 256)" "nonsense"
f()
{
	ours $one
	[ $? -eq 1 ] && has '^Private *1.00 ' && grep -q "process $one: 1 " "$err"
}
right "a line that makes no sense is an error" f

# ---- -z and -v --------------------------------------------------------------------

machine 0 1
process $one first x "7f00 default heap anon=256 N0=256 kernelpagesize_kB=4"
process $two second x "$(pages 1 256)"
f() { theirs -v -z $one $two && [ "$(grep -c '^Heap' "$out")" -eq 2 ]; }
wrong "-v -z: rows of zeros, where an earlier table had others" f
f()
{
	ours -v -z $one $two && [ "$(grep -c '^Heap' "$out")" -eq 1 ] &&
		[ "$(grep -c 'Node 1' "$out")" -eq 1 ]
}
right "-v -z: no rows and columns of zeros" f

# ---- names and cells --------------------------------------------------------------

machine 0 1
process $one 'evil\0033[2Jname' x "$(pages 0 256)"
f() { theirs $one && has "$(printf '\033')"; }
wrong "a name's control characters reach the terminal" f
f() { ours $one && has "PID $one (evil\\\\x1b\\[2Jname)$"; }
right "a name's control characters are escaped" f
process $one 'kworker/u128:3-events_unbound_and_more' x "$(pages 0 256)"
process $two second x "$(pages 0 256)"
f() { theirs $one $two && lacks_line 'and_more)'; }
wrong "a long name is cut off" f
f() { ours $one $two && has "^$one (kworker/u128:3-events_unbound_and_more) "; }
right "a long name is not cut off" f
f() { ours -c $one $two && has '_and_more)  *1  *0  *1$'; }
right "a long name is not cut off with -c" f
process $one 'éééééééé' x "$(pages 0 256)"
f() { theirs -c $one $two && lacks_line 'é) *1 *0 *1$'; }
wrong "a name's bytes are columns" f
f()
{
	ours -c $one $two && [ "$(sed 1,2d "$out" | while read -r line; do
		echo ${#line}
	done | sort -u | wc -l)" -eq 1 ]
}
right "a name's characters are columns" f

counters 0 "numa_hit 1234567890123456" "numa_miss 9007199254740993"
counters 1 "numa_hit 1234567890123456" "numa_miss 12345678901234567"
f() { theirs && has '^numa_hit *12345678901234561234567890123456$'; }
wrong "cells touch" f
f() { theirs && has '^numa_miss *[0-9]* *1234567890123456$\|1234567890123456$'; }
wrong "cells are cut off" f
f()
{
	ours && has '^numa_hit  *1234567890123456  *1234567890123456$' &&
		has '  *12345678901234567$'
}
right "cells are whole, and apart" f
f() { theirs && lacks_line 9007199254740993; }
wrong "large counters lose digits" f
f() { ours && has ' 9007199254740993 '; }
right "counters are exact" f

# ---- figures ----------------------------------------------------------------------

machine 0 8
counters 0 "numa_hit 5500000" "numa_miss 0"
f()
{
	theirs -n && has 'numastat info (in MBs)' &&
		has '^Numa_Hit *21484.38 '
}
wrong "-n: events are memory, more than there is" f
f() { ours -n && has 'numastat info (in events)' && has '^Numa_Hit *5500000 '; }
right "-n: events are counted" f

rows 0 "MemTotal 4096" "MemFree 512" "SwapCached 2048" "Newest 1024"
f() { theirs -m && has '^Token SwapCached not in' && lacks_line '^SwapCached'; }
wrong "-m: unknown rows are left out" f
f()
{
	ours -m && has '^SwapCached *2.00 *2.00$' &&
		has '^Newest *1.00 *1.00$' && lacks_line Token &&
		[ "$(grep -c '^MemTotal' "$out")" -eq 1 ]
}
right "-m: every row is printed" f
f() { ours -m -s && order MemTotal SwapCached MemFree Newest; }
right "-m -s: new rows are sorted with the others" f
rows 8 "MemTotal 4096" "OfEight 1024"
f() { ours -m && has '^OfEight  *1.00  *1.00$' && has '^Newest *1.00 *1.00$'; }
right "-m: rows that a node alone has" f
counters 8 "numa_hit 1" "new_kind 7"
f() { ours -n && has '^New_Kind *7 *7$' && ours && has '^new_kind *7$'; }
right "-n: counters that a node alone has" f

# Only directories have pages that are not of the default size.
huge=$m/sys/devices/system/node/node0/hugepages/hugepages-1048576kB
mkdir -p "$huge" "$m/sys/kernel/mm/hugepages/hugepages-1048576kB"
echo 2 >"$huge/nr_hugepages"
echo 1 >"$huge/free_hugepages"
echo 0 >"$huge/surplus_hugepages"
huge=${huge%/*}/hugepages-2048kB
mkdir "$huge" "$m/sys/kernel/mm/hugepages/hugepages-2048kB"
echo 3 >"$huge/nr_hugepages"
echo 3 >"$huge/free_hugepages"
echo 1 >"$huge/surplus_hugepages"
printf 'MemTotal: 1 kB\nHugetlb: 2103296 kB\nHugepagesize: 2048 kB\n' \
	>"$m/proc/meminfo"
for node in 0 8; do
	printf "Node $node %s\n" 'MemTotal: 4096 kB' "HugePages_Total: $((3 - node / 4))" \
		"HugePages_Free: $((3 - node / 4))" "HugePages_Surp: $((node < 1))" \
		>"$m/sys/devices/system/node/node$node/meminfo"
done
f() { theirs -m && has '^HugePages_Total *6.00 *2.00 *8.00$'; }
wrong "-m: huge pages of the default size alone" f
f()
{
	ours -m && has '^HugePages_Total *2054.00 *2.00 *2056.00$' &&
		has '^HugePages_Free *1030.00 *2.00 *1032.00$' &&
		has '^HugePages_Surp *2.00 *0.00 *2.00$'
}
right "-m: huge pages of all sizes" f
rm "$m/proc/meminfo"
rm -r "$m/sys/devices/system/node/node8" "$m/sys/devices/system/node/node0/hugepages" \
	"$m/sys/kernel"
f()
{
	ours -m
	[ $? -eq 1 ] && has '^MemTotal *4.00' && lacks_line '^HugePages_Total' &&
		grep -q 'HugePages_Total' "$err"
}
right "-m: huge pages of an unknown size" f

# ---- nodes ------------------------------------------------------------------------

machine 0 1 2
rm "$m/sys/devices/system/node/node1/meminfo"
f() { theirs -m; [ $? -eq 1 ] && lacks_line '^MemTotal'; }
wrong "a node's file can't be read: no table at all" f
f()
{
	ours -m
	[ $? -eq 1 ] && has '^ *Node 0 *Node 2 *Total$' &&
		has '^MemTotal *4.00 *4.00 *8.00$' && grep -q 'node 1: ' "$err"
}
right "a node's file can't be read: all others are there" f

machine 0 8
rows 0 "MemTotal 3000" "MemFree 2000" "MemUsed 1000"
rows 8 "MemTotal 2000" "MemFree 1000" "MemUsed 2500"
f() { theirs -m -s8 && order MemTotal MemUsed MemFree; }
wrong "-s8 of nodes 0 and 8 sorts by the total" f
f() { ours -m -s8 && order MemUsed MemTotal MemFree && [ ! -s "$err" ]; }
right "-s8 sorts by node 8" f
# The figure of node 0 two rows below: that of HighFree, for MemUsed.
rows 0 "MemTotal 3000" "MemFree 2000" "MemUsed 1000" "HighFree 9000"
rows 8 "MemTotal 3000" "MemFree 2000" "MemUsed 1000" "HighFree 9000"
f() { theirs -m -s1; sed 1,4d "$out" | head -n 1 | grep -q '^MemUsed'; }
wrong "-s1 of nodes 0 and 8 sorts by a figure of another row" f
f()
{
	ours -m -s1
	[ $? -eq 1 ] && order HighFree MemTotal MemFree MemUsed &&
		grep -q 'no node 1' "$err"
}
right "-s1: no such node: an error message, exit 1" f
f()
{
	ours -m -sx
	[ $? -eq 1 ] && order HighFree MemTotal MemFree MemUsed &&
		grep -q "no node 'x'" "$err"
}
right "-sx is no node either" f
process $one first x "$(pages 8 256)" \
	"7f00 default heap N0=512 kernelpagesize_kB=4"
f() { theirs -s8 $one && order Heap Private; }
wrong "-s8 of a process sorts by the total" f
f() { ours -s8 $one && order Private Heap; }
right "-s8 of a process sorts by node 8" f

# No NUMA in the kernel.
rm -r "$m/sys"
printf '%s\n' 'MemTotal: 4096 kB' 'MemFree: 1024 kB' >"$m/proc/meminfo"
mkdir "$m/sys"
f() { ours -m && has '^ *Node 0 *Total$' && has '^MemTotal *4.00 *4.00$'; }
right "a machine without NUMA has one node" f

f()
{
	ours
	[ $? -eq 1 ] && [ "$(grep -c 'no node has numastat' "$err")" -eq 1 ]
}
right "a machine without NUMA has no counters" f
for root in "$tmp/missing" "$out" "$m/sys"; do
	f()
	{
		run "$tool" stat --root "$root"
		[ $? -eq 1 ] && [ ! -s "$out" ] && [ "$(wc -l <"$err")" -eq 1 ]
	}
	right "no captured machine in ${root##*/}" f
done

# ---- the output ---------------------------------------------------------------------

machine 0 1 2 3 4 5 6 7
f()
{
	NUMASTAT_WIDTH=80 theirs -m
	first=$(grep -c 'Node 7  *Total$' "$out")
	[ "$first" -eq 0 ]
}
wrong "(80 columns are too few for 8 nodes)" f
terminal=$PWD/tests/support/terminal
if [ -x "$terminal" ] && "$terminal" true </dev/null 2>/dev/null &&
	command -v stty >/dev/null; then
	f()
	{
		printf 'await Node 7           Total\nexit 0\n' |
			"$terminal" sh -c \
			"stty cols 200; '$tool' stat --root '$m' -m" 2>"$err"
	}
	right "a terminal of 200 columns" f
	f()
	{
		printf 'await Node 1\nawait Node 2\nawait Node 7\nexit 0\n' |
			"$terminal" sh -c "stty cols 48
			'$tool' stat --root '$m' -m | cat
			'$tool' stat --root '$m' -m >$out.tty
			'$tool' stat --root '$m' -m" 2>"$err" &&
			grep -q 'Node 7  *Total$' "$out.tty"
	}
	right "a terminal of 48 columns, and a pipe" f
	f()
	{
		printf 'await Total\nexit 0\n' | tree=$m real=$real "$terminal" \
			unshare -m --propagation private bash -c '
		mount --bind "$tree/sys/devices/system/node" \
			/sys/devices/system/node || exit 99
		stty cols 200
		$real -m | cat >/dev/null
		$real -m' 2>"$err" || return
		! printf 'await Node 7           Total\nexit 0\n' | tree=$m \
			real=$real "$terminal" unshare -m --propagation private \
			bash -c 'mount --bind "$tree/sys/devices/system/node" \
			/sys/devices/system/node || exit 99
		stty cols 200
		$real -m' 2>"$err"
	}
	wrong "a terminal of 200 columns has 80" f
else
	skip "the terminal's width" "no pseudo-terminals, or no stty"
fi
if [ -c /dev/full ]; then
	f() { : >"$out"; $real >/dev/full 2>"$err"; }
	wrong "a full disk is not noticed" f
	f()
	{
		: >"$out"
		"$tool" stat --root "$m" >/dev/full 2>"$err"
		[ $? -eq 1 ] && [ -s "$err" ]
	}
	right "a full disk is noticed" f
fi
plan
