#!/bin/bash
# SPDX-License-Identifier: MIT
# numatally stat and Debian's numastat, on machines that stand still: the live
# one's files as they were a moment ago, captured ones, and processes that were
# made up, bind-mounted over /sys/devices/system/node and /proc. All options and
# combinations give the same bytes, but for differences that numatally-stat(1)
# lists; each of those is applied here to one of the two sides, as said there.
set -u
. "${srcdir:-.}/tests/tool_stat_lib.sh"
real=/usr/bin/numastat
tool=${NUMATALLY:-./tools/numatally}
page=$(getconf PAGESIZE)

skip()
{
	echo "1..0 # SKIP $1"
	exit 0
}

[ -x $real ] || skip "no $real"
[ "$(id -u)" -eq 0 ] || skip "not root"
unshare -m true 2>/dev/null || skip "no mount namespaces"
[ -d /sys/devices/system/node/node0 ] || skip "no nodes in sysfs"
[ "$page" -eq 4096 ] || skip "pages of $page bytes"

tmp=$(TMPDIR=$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) mktemp -d) ||
	exit 99
children=()
trap 'kill "${children[@]}" 2>/dev/null; rm -rf "$tmp"' EXIT
n=0

# result STATUS NAME: with what is in $tmp/log
result()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		head -n 40 "$tmp/log" | sed 's/^/# /'
	fi
}

ln -s "$(realpath "$tool")" "$tmp/numastat"
unset NUMASTAT_WIDTH

# ---- machines -----------------------------------------------------------------

# Copies what there is to read of nodes and processes. Of the copy for numastat,
# the counters are taken times 256: then the MBs as which it shows them, with
# pages of 4 KiB, are the numbers themselves.
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

# Children that do nothing, and lend their numbers to processes made up.
for i in 1 2 3 4 5; do
	sleep 1000 &
	children+=($!)
done
mapfile -t children < <(printf '%s\n' "${children[@]}" | sort -n)
mark=mk$$

# Lines of numa_maps with pages on the nodes given, times a factor.
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
	local dir=$tmp/m/proc/${children[$1]}

	mkdir -p "$dir"
	cat >"$dir/numa_maps"
	printf 'Name:\t%s\nUmask:\t0022\nState:\tT (stopped)\n' "$2" \
		>"$dir/status"
	printf '%s\0' $3 >"$dir/cmdline"
}

# Two with the same amount, a large one, one on a single node, and one as
# threads of the kernel are.
processes()
{
	local last=${ids[${#ids[@]} - 1]}

	maps 1 "${ids[@]}" | process 0 "sh" "one $mark two"
	maps 1 "${ids[@]}" | process 1 '(b) c' "$mark"
	# As wide as a label may be.
	local name=a-name-of-many-letters
	name=${name:0:$((24 - 3 - ${#children[2]}))}
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
	# In one word, behind operands, and what is ignored.
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
	local c v z s w who mn all

	for c in '' -c; do
	# numastat cuts labels off after 16 columns there.
	all=${children[*]}
	[ -z "$c" ] || all=${all/${children[2]} /}
	for v in '' -v; do for z in '' -z; do
	for s in '' -s "-s${ids[0]}" "$1"; do
	for who in "${children[0]}" "-p ${children[4]}" "$all" "-p $mark" \
		"${children[3]} -p $mark ${children[0]} $mark"; do
		# Rows and columns that are zero in one table only: see below.
		case $v$z$who in
		-v-z*\ *) [ "$who" = "-p ${children[4]}" ] || continue ;;
		esac
		for w in 32 80 200 -; do
			echo "$w $c $v $z $s $who"
		done
	done; done; done; done; done
	for mn in -m -n -mn; do
		echo "80 $mn -c ${children[1]}"
		echo "80 $mn ${children[1]}"
		echo "- ${children[*]} -s $mn"
		echo "- -z -v -p ${children[2]} $mn"
	done
}

# The same, with a machine in place of this one.
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

	# Where numastat is as the script once was, numbers are no MBs.
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

# What is there without mounts, and in numatally's other form.
# same_with_root NAME
same_with_root()
{
	sed 's/^[^ ]* *//' "$tmp/all" | grep -v -e "$mark" | sort -u |
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

# A table of each, without rows and columns of zeros: numastat leaves those in
# that were not zero in a table before, so that its tables are printed one by
# one.
each_by_itself()
{
	local c w

	for c in '' -c; do for w in 32 80 -; do
		for pid in "${children[@]}"; do
			echo "$w -v -z $c $pid"
		done
	done; done | on "$tmp/t" $real | grep -v '^== ' >"$tmp/theirs"
	for c in '' -c; do for w in 32 80 -; do
		echo "$w -v -z $c ${children[*]}"
	done; done | on "$tmp/m" "$tmp/numastat" | grep -v '^== ' >"$tmp/ours"
	diff "$tmp/theirs" "$tmp/ours" >"$tmp/log"
	result $? "$1: tables of processes, without zeros"
}

# machine NAME ROOT
machine()
{
	local sort

	take "$2"
	# numastat takes the node that -s names for a place, where it isn't 0.
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
	fi | sed "s,  *, ,g; s, \$,," | sort -u >"$tmp/all"
	compare "$1"
	same_with_root "$1"
	each_by_itself "$1"
}

machine "this machine" ""
found=
for archive in "${NUMATALLY_DATA:-}"/sysfs-dumps/*.tar.bz2; do
	[ -f "$archive" ] || continue
	rm -rf "$tmp/dump"
	mkdir "$tmp/dump"
	tar -xjf "$archive" -C "$tmp/dump" --wildcards \
		'*/sys/devices/system/node/node*/meminfo' \
		'*/sys/devices/system/node/node*/numastat' \
		'*/proc/meminfo' 2>/dev/null
	root=$(echo "$tmp"/dump/*)
	[ -e "$root/proc/meminfo" ] || continue
	found=yes
	name=${archive##*/}
	machine "${name%.tar.bz2}" "$root"
done
if [ -z "$found" ]; then
	n=$((n + 1))
	echo "ok $n # SKIP no captured machines in NUMATALLY_DATA, or no tar"
fi
echo "1..$n"
