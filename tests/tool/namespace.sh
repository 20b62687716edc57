#!/bin/sh
# SPDX-License-Identifier: MIT
# A cgroup namespace whose hierarchy is mounted outside it: each cgroup has one row
# and the name that /proc/PID/cgroup has, on made-up machines and on this one.
set -u
. "${srcdir:-.}/tests/tool/tool_lib.sh"
logs="out err found"
made=
at_end() {
	wait
	for group in $made; do
		rmdir "$group"
	done 2>/dev/null
}

# stat ARGUMENT…: the name of each cgroup, its processes and anonymous memory on
# node 0, in $tmp/found. On this machine some processes may be refused.
stat() {
	run "$tool" stat --csv --by cgroup "$@"
	status=$?
	awk -F, '
		$2 != "cgroup" { next }
		!($3 in nr) { nr[$3] = 0; anon[$3] = "-" }
		$7 == "processes" { nr[$3] = $9 }
		$6 == 0 && $7 ~ /^(hierarchical_)?anon$/ { anon[$3] = $9 }
		END { for (name in nr) print name, nr[name], anon[name] }' \
		"$out" | LC_ALL=C sort >"$tmp/found"
	return $status
}

# top ARGUMENT…: the name of each cgroup, and its processes
top() {
	run "$tool" top --json --count 1 --by cgroup "$@" || return
	jq -r '.cgroups[] | "\(.cgroup) \(.processes)"' "$out" |
		LC_ALL=C sort >"$tmp/found"
}

# same: what was found is stdin
same() {
	diff - "$tmp/found" | sed 's/^/# /' | grep . && return 1
	return 0
}

# ---- made-up machines ----------------------------------------------------------

# process PID CGROUP
process() {
	put "proc/$1/stat" "$1 (p$1) S 1 0 0 0 0 0 0 0 0 0 30 12 0 0 0 0 1 0 $1 \
0 99 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
	put "proc/$1/status" "Name:	p$1
Uid:	7	7	7	7
VmSize:	    100 kB
RssAnon:	    400 kB
RssFile:	      0 kB
RssShmem:	      0 kB
VmSwap:	      0 kB"
	put "proc/$1/cgroup" "3:cpu:/elsewhere
$hierarchy:$2"
	put "proc/$1/maps" "1000-2000 rw-p 00000000 00:00 0"
	put "proc/$1/numa_maps" "1000 default anon=100 N0=100 \
kernelpagesize_kB=4"
}

# group AMOUNT PATH [PID…]: with processes
group() {
	put "cg$2/memory.numa_stat" "anon$equals N0=$1
file$equals N0=0"
	group=$2
	shift 2
	put "cg$group/cgroup.procs" "$(printf '%s\n' "$@")"
}

# machine: with a cgroup namespace at /p/q
machine() {
	rm -rf "$m"
	put sys/devices/system/cpu/online 0
	put sys/devices/system/cpu/possible 0
	put sys/devices/system/node/online 0
	put sys/devices/system/node/node0/cpulist 0
	put sys/devices/system/node/node0/meminfo \
		'Node 0 MemTotal: 1048576 kB'
	put sys/devices/system/cpu/cpu0/topology/core_cpus 1
	put sys/devices/system/cpu/cpu0/topology/package_cpus 1
	put proc/self/mountinfo "30 23 0:27 /../.. /cg rw - $type none $options"
	process 11 /../../x/y
	process 12 /
	process 13 /r
	process 14 /r
	process 15 /../z
	group 7 ''
	group 5 /p
	group 4 /p/q 12
	group 3 /p/q/r 13 14
	group 2 /p/z 15
	group 1 /x
	group 1 /x/y 11
}

for type in cgroup2 cgroup; do
	options=rw hierarchy=0: equals=
	[ $type = cgroup2 ] ||
		options=rw,memory hierarchy=2:memory equals='=0'
	machine
	stat --root "$m" && same <<'END'
/ 3 4
/.. 4 5
/../.. 5 7
/../../x 1 1
/../../x/y 1 1
/../z 1 2
/r 2 3
END
	result $? "$type: stat has each cgroup once"
	if command -v jq >/dev/null; then
		top --root "$m" && same <<'END'
/ 3
/.. 4
/../.. 5
/../../x 1
/../../x/y 1
/../z 1
/r 2
END
		result $? "$type: top has each cgroup once"
	else
		skip "$type: top has each cgroup once" "no jq"
	fi
	# Names of processes are all that is left.
	find "$m/cg" -name memory.numa_stat -exec rm {} +
	stat --root "$m" && same <<'END'
/ 3 -
/.. 4 -
/../.. 5 -
/../../x 1 -
/../../x/y 1 -
/../z 1 -
/r 2 -
END
	result $? "$type: so it has of cgroups without an account"
	rm -rf "$m/cg"
	stat --root "$m" && same <<'END'
/ 3 -
/.. 4 -
/../.. 5 -
/../../x 1 -
/../../x/y 1 -
/../z 1 -
/r 2 -
END
	result $? "$type: so it has without a hierarchy"
done

# All processes are inside: what is mounted above has them, too.
machine
rm -rf "$m/proc/11" "$m/proc/15"
stat --root "$m" && same <<'END'
/ 3 4
/.. 3 5
/../.. 3 7
/../../x 0 1
/../../x/y 0 1
/../z 0 2
/r 2 3
END
result $? "the cgroups above the namespace have what it has"

# ---- this machine --------------------------------------------------------------

mount=$(awk '{ for (i = 7; $i != "-"; i++) ; }
	$4 == "/" && $(i + 1) == "cgroup" && $(i + 3) ~ /(^|,)memory(,|$)/ {
		print $5 }' /proc/self/mountinfo)
key=:memory:
[ -n "$mount" ] || {
	mount=$(awk '$4 == "/" && / - cgroup2 / { print $5 }' \
		/proc/self/mountinfo)
	key=^0::
}
mount=$(echo "$mount" | tail -n 1)
own=$(sed -n "s|.*$key||p" /proc/self/cgroup)
base=$mount${own%/}/numatally-$$
[ -n "$mount" ] && mkdir "$base" 2>/dev/null || {
	skip "this machine" "no hierarchy, or no cgroup may be made"
	plan
	exit
}
made=$base
mkdir "$base/in" "$base/beside" &&
	made="$base/in/sub $base/in $base/beside $base"
mkdir "$base/in/sub"

# hold CGROUP: a process in it, that has settled
hold() {
	sh -c 'echo 0 >"$1/cgroup.procs" && exec sleep 1000' sh "$base/$1" &
	children="$children $!"
	await grep -q sleep "/proc/$!/comm"
}
hold in/sub
hold beside

# inside COMMAND…: in a namespace whose root is the cgroup in
inside() {
	sh -c 'echo 0 >"$1/cgroup.procs" && shift && exec unshare -C "$@"' \
		sh "$base/in" "$@"
}
inside true 2>"$err" || {
	skip "this machine" "no cgroup namespace"
	plan
	exit
}
inside grep "$key" /proc/self/cgroup | grep -q ":/$"
result $? "the namespace has a root of its own"

# This test's own cgroup comes and goes with it; others may come, too.
tool_outside=$tool
cat >"$tmp/tool" <<END
#!/bin/sh
echo 0 >"$base/in/cgroup.procs" && exec unshare -C "$tool_outside" "\$@"
END
chmod +x "$tmp/tool"
tool=$tmp/tool

# ours: what was found of the cgroups made here
ours() {
	grep -e '^/\.\./beside ' -e '^/sub ' -e '^/ ' -e '^/\.\. ' \
		-e numatally- -e '/in ' "$tmp/found" >"$tmp/ours"
	mv "$tmp/ours" "$tmp/found"
}

stat
ours
cut -d' ' -f1 "$tmp/found" >"$tmp/names" && mv "$tmp/names" "$tmp/found"
same <<'END'
/
/..
/../beside
/sub
END
result $? "stat has each cgroup once"
stat
awk '$1 == "/sub" || $1 == "/../beside" { nr += $2 } END { exit nr != 2 }' \
	"$tmp/found"
result $? "each with its process"
file=$base/in/sub/memory.numa_stat
if [ -f "$file" ]; then
	truth=$(awk '/^(hierarchical_)?anon[ =]/ {
		for (i = 2; i <= NF; i++)
			if (sub(/^N0=/, "", $i)) anon = $i
	} END { print anon }' "$file")
	awk -v truth="$truth" '$1 == "/sub" { found = $3 }
		END { exit found != truth }' "$tmp/found"
	result $? "and its account"
else
	skip "and its account" "it has none"
fi
if command -v jq >/dev/null; then
	top
	ours # and the shell that ran it
	awk '$1 ~ /^(\/sub|\/\.\.\/beside)$/ { nr += $2 }
		$1 == "/" { root = $2 }
		END { exit nr != 2 || root < 2 || NR != 4 }' "$tmp/found"
	result $? "top has each cgroup once"
else
	skip "top has each cgroup once" "no jq"
fi

# A cgroup for a command's events is never made outside the namespace.
unified=$(awk '$4 == "/" && / - cgroup2 / { print $5 }' /proc/self/mountinfo |
	tail -n 1)
own=$(sed -n 's/^0:://p' /proc/self/cgroup)
base=$unified${own%/}/numatally-$$
if [ -n "$unified" ] && mkdir -p "$base/in"; then
	made="$made $base/in $base"
	inside "$tool_outside" run --events cgroup -- cat /proc/self/cgroup \
		>"$out" 2>"$err"
	[ $? -eq 0 ] && has '^0::/' && ! has '^0::/\.\.'
	result $? "run stays inside"
else
	skip "run stays inside" "no hierarchy of version 2"
fi
plan
