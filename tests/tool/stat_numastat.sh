#!/bin/bash
# SPDX-License-Identifier: MIT
# numatally stat prints the same bytes as Debian's numastat, for all combinations
# of options: on copies of this machine's files, on captured machines, and with
# made-up processes, bind-mounted over /sys/devices/system/node and /proc. Each
# difference that numatally-stat(1) lists is applied to one of the two sides.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
. "${srcdir:-.}/tests/tool/stat_lib.sh"
logs=log
real=/usr/bin/numastat
page=$(getconf PAGESIZE)

[ -x $real ] || skip_all "no $real"
[ "$(id -u)" -eq 0 ] || skip_all "not root"
unshare -m true 2>/dev/null || skip_all "no mount namespaces"
[ -d /sys/devices/system/node/node0 ] || skip_all "no nodes in sysfs"
[ "$page" -eq 4096 ] || skip_all "pages of $page bytes"

ln -s "$(realpath "$tool")" "$tmp/numastat"
unset NUMASTAT_WIDTH

# ---- machines -----------------------------------------------------------------

# Copies the files of nodes and processes. numastat's copy has the counters times
# 256: it prints them as MBs of 4 KiB pages, which are then the numbers.
# take ROOT
take()
{
	local dir id

	rm -rf "$tmp/m" "$tmp/t"
	mkdir -p "$tmp/m/sys/devices/system/node" "$tmp/m/proc"
	ids=()
	for dir in "$1"/sys/devices/system/node/node*[0-9]; do
		id=${dir##*/node}
		ids+=("$id")
		dir=$tmp/m/sys/devices/system/node/node$id
		mkdir "$dir"
		cp "$1/sys/devices/system/node/node$id/meminfo" "$dir"
		cp "$1/sys/devices/system/node/node$id/numastat" "$dir" \
			2>/dev/null || rm -f "$dir/numastat"
	done
	mapfile -t ids < <(printf '%s\n' "${ids[@]}" | sort -n)
	cp "$1/proc/meminfo" "$tmp/m/proc/meminfo"
	huge=$(awk '/^Hugepagesize:/ { print $2 }' "$tmp/m/proc/meminfo")
	processes
	cp -r "$tmp/m" "$tmp/t"
	for dir in "$tmp"/t/sys/devices/system/node/node*; do
		[ -e "$dir/numastat" ] || continue
		awk '{ printf "%s %.0f\n", $1, $2 * 256 }' \
			"$dir/numastat" >"$tmp/numastat.256"
		mv "$tmp/numastat.256" "$dir/numastat"
	done
	chmod -R a+rX "$tmp/m" "$tmp/t"
}

# Made-up processes have the numbers of children that sleep.
for i in 1 2 3 4 5; do
	sleep 1000 &
	children="$children $!"
done
mapfile -t pids < <(printf '%s\n' $children | sort -n)
mark=mk$$

# Prints lines of numa_maps with pages on the nodes given, times a factor.
# maps FACTOR NODE...
maps()
{
	local k=$1 node
	shift

	for node; do
		echo "55d0c0a0e000 default file=/usr/bin/a\\040heap\\040huge" \
			"mapped=$((7 * k)) mapmax=3 N$node=$((7 * k))" \
			"kernelpagesize_kB=4"
		echo "55d0c0b00000 default heap anon=$((300 * k + node))" \
			"dirty=9 active=0 N$node=$((300 * k + node))" \
			"kernelpagesize_kB=4"
	done
	echo "7f0000000000 interleave:0-1 anon=$((1000 * k * $#)) dirty=1" \
		"$(printf "N%d=$((1000 * k)) " "$@")kernelpagesize_kB=4"
	echo "7f0100000000 bind:0 anon=0"
	[ -z "$huge" ] || echo "7f0200000000 default file=/anon_hugepage\\040(x)" \
		"huge anon=1 dirty=1 N$1=$k kernelpagesize_kB=$huge"
	echo "7ffc00000000 default stack anon=4 dirty=4 N$1=4 kernelpagesize_kB=4"
}

# process CHILD NAME COMMAND < numa_maps
process()
{
	local dir=$tmp/m/proc/${pids[$1]}

	mkdir -p "$dir"
	cat >"$dir/numa_maps"
	printf 'Name:\t%s\nUmask:\t0022\nState:\tT (stopped)\n' "$2" \
		>"$dir/status"
	printf '%s\0' $3 >"$dir/cmdline"
}

# Two with the same amount, a large one, one on a single node, and one like a
# kernel thread.
processes()
{
	local last=${ids[${#ids[@]} - 1]}

	maps 1 "${ids[@]}" | process 0 "sh" "one $mark two"
	maps 1 "${ids[@]}" | process 1 '(b) c' "$mark"
	# The widest label.
	local name=a-name-of-many-letters
	name=${name:0:$((24 - 3 - ${#pids[2]}))}
	maps 2000 "${ids[@]}" | process 2 "$name" 'other --x'
	maps 3 "$last" | process 3 "x $$" 'y'
	process 4 kw/u8 '' </dev/null
}

# ---- combinations -------------------------------------------------------------

# Each line: the width, or -, and the arguments.

system_combinations()
{
	local c m n z s w

	for c in '' -c; do for m in '' -m; do for n in '' -n; do
	for z in '' -z; do for s in '' -s "-s${ids[0]}" "$1" -s4000; do
	for w in 32 80 200 -; do
		echo "$w $c $m $n $z $s"
	done; done; done; done; done; done
	# In one word, after operands, and ignored ones.
	echo "- -cmnzs"
	echo "80 -mc -v -n"
	echo "0 -m"
	echo "-5 -m"
	echo "10000001 -m"
	echo "33x -m"
	echo "x -m"
	echo "- -vz"
}

process_combinations()
{
	local c v z s w of mn all

	for c in '' -c; do
	# With -c numastat cuts labels off after 16 columns.
	all=${pids[*]}
	[ -z "$c" ] || all=${all/${pids[2]} /}
	for v in '' -v; do for z in '' -z; do
	for s in '' -s "-s${ids[0]}" "$1"; do
	for of in "${pids[0]}" "-p ${pids[4]}" "$all" "-p $mark" \
		"${pids[3]} -p $mark ${pids[0]} $mark"; do
		# Rows and columns that are zero in one table only: see below.
		case $v$z$of in
		-v-z*\ *) [ "$of" = "-p ${pids[4]}" ] || continue ;;
		esac
		for w in 32 80 200 -; do
			echo "$w $c $v $z $s $of"
		done
	done; done; done; done; done
	for mn in -m -n -mn; do
		echo "80 $mn -c ${pids[1]}"
		echo "80 $mn ${pids[1]}"
		echo "- ${pids[*]} -s $mn"
		echo "- -z -v -p ${pids[2]} $mn"
	done
}

# Runs a program on combinations, with a tree in place of this machine.
# on TREE PROGRAM < combinations
on()
{
	tree=$1 program=$2 unshare -m --propagation private bash -c '
	mount --bind "$tree/sys/devices/system/node" /sys/devices/system/node &&
	mount --bind "$tree/proc/meminfo" /proc/meminfo || exit
	for dir in "$tree"/proc/[0-9]*; do
		mount --bind "$dir" "/proc/${dir##*/}" || exit
	done
	'"$runs"
}

# compare NAME: on all combinations
compare()
{
	local rc=0

	# Without options numastat prints numbers, not MBs.
	grep '^[^ ]*$' "$tmp/all" >"$tmp/plain"
	grep -v '^[^ ]*$' "$tmp/all" >"$tmp/options"
	{
		on "$tmp/m" $real <"$tmp/plain"
		on "$tmp/t" $real <"$tmp/options"
	} >"$tmp/theirs"
	cat "$tmp/plain" "$tmp/options" |
		on "$tmp/m" "$tmp/numastat" >"$tmp/ours"
	unknown "$tmp/theirs" >"$tmp/unknown"
	theirs_as_ours "$tmp/theirs" >"$tmp/theirs.as"
	ours_as_theirs "$tmp/unknown" "$tmp/ours" >"$tmp/ours.as"
	[ "$(grep -c '^== exit' "$tmp/ours")" -eq \
		"$(wc -l <"$tmp/all")" ] &&
		diff "$tmp/theirs.as" "$tmp/ours.as" >"$tmp/log" || rc=1
	result $rc "$1: $(wc -l <"$tmp/all") combinations"
}

# numatally stat --root prints the same without mounts; a node that does not
# exist is its error alone.
# same_with_root NAME
same_with_root()
{
	sed 's/^[^ ]* *//' "$tmp/all" | grep -v -e "$mark" | sort -u |
		awk -v ids=" ${ids[*]} " '
		match($0, /-s[0-9]+/) &&
			!index(ids, " " substr($0, RSTART + 2, RLENGTH - 2) " ") {
			next
		}
		{ print }' |
		head -n 60 | while read -r args; do
		echo "-${args:+ }$args --root $tmp/m"
	done >"$tmp/with"
	sed "s| --root $tmp/m\$||" "$tmp/with" >"$tmp/without"
	program=$tmp/stat bash -c "$runs" <"$tmp/with" |
		sed "s| --root $tmp/m\$||" >"$tmp/root"
	on "$tmp/m" "$tmp/numastat" <"$tmp/without" |
		diff - "$tmp/root" >"$tmp/log"
	result $? "$1: the same below --root"
}
printf '#!/bin/sh\nexec "%s" stat "$@"\n' "$(realpath "$tool")" >"$tmp/stat"
chmod 755 "$tmp/stat"

# Tables without rows and columns of zeros. numastat keeps those that were not
# zero in an earlier table, so it runs once for each table.
each_by_itself()
{
	local c w

	for c in '' -c; do for w in 32 80 -; do
		for pid in "${pids[@]}"; do
			echo "$w -v -z $c $pid"
		done
	done; done | on "$tmp/t" $real | grep -v '^== ' >"$tmp/theirs"
	for c in '' -c; do for w in 32 80 -; do
		echo "$w -v -z $c ${pids[*]}"
	done; done | on "$tmp/m" "$tmp/numastat" | grep -v '^== ' >"$tmp/ours"
	diff "$tmp/theirs" "$tmp/ours" >"$tmp/log"
	result $? "$1: tables of processes, without zeros"
}

# Of this machine every third, of captured ones every tenth, and with NUMATALLY_LONG
# all.
# some NAME
some()
{
	local every=10

	case $1 in this*) every=3 ;; esac
	[ -z "${NUMATALLY_LONG-}" ] || every=1
	awk -v every=$every 'NR % every == 0'
}

# machine NAME ROOT
machine()
{
	local sort

	take "$2"
	# numastat takes the node of -s for an index, unless it is 0.
	sort=-s1
	[ "${ids[*]}" = "$(seq -s' ' 0 $((${#ids[@]} - 1)))" ] || sort=-s
	if [ -e "$tmp/m/sys/devices/system/node/node${ids[0]}/numastat" ]; then
		system_combinations $sort
		case $1 in
		this* | 256ia64* | *sparse*) process_combinations $sort ;;
		esac
	else
		system_combinations $sort | grep -e -m | grep -v -e '-[a-z]*n'
	fi | if [ "${ids[0]}" = 0 ]; then
		cat
	else
		grep -v -e "-s${ids[0]}"
	fi | sed "s,  *, ,g; s, \$,," | sort -u | some "$1" >"$tmp/all"
	compare "$1"
	same_with_root "$1"
	each_by_itself "$1"
}

machine "this machine" ""
captured()
{
	[ ! -e "$root/proc/meminfo" ] || machine "$name" "$root"
}
each_captured captured
plan
