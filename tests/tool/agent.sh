#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally agent, on the cgroups of this machine: what they used, what is kept of
# those that are gone, and how it starts and ends.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
logs="log err out"
NUMATALLY_DIR=$tmp
export NUMATALLY_DIR

fails 2 "an argument" "$tool" agent machine
fails 2 "an interval of 0" "$tool" agent --interval 0
fails 2 "no such version" "$tool" agent --cgroup 3
fails 1 "a ledger that can't be" "$tool" agent --ledger "$tmp/none/l.ledger"

command -v jq >/dev/null || skip_all "no jq"
[ "$(id -u)" -eq 0 ] || skip_all "not root, who makes cgroups"
spin=$tests/support/spin
eat=$tests/support/eat
name=numatally-test-$$
made=

# point TYPE OPTION: where such cgroups are mounted
point() {
	awk -v type="$1" -v option="$2" '{
		for (i = 7; $i != "-"; i++)
			;
		n = split($(i + 3), options, ",")
		for (j = 1; j <= n; j++)
			found = found || options[j] == option
		if ($(i + 1) == type && (option == "" || found)) {
			print $5
			exit
		}
		found = 0
	}' /proc/self/mountinfo
}
# made PATH…: makes cgroups
make() {
	for group in "$@"; do
		mkdir "$group" 2>/dev/null || return 1
		made="$group $made"
	done
}
unmake() {
	for group in "$@"; do
		rmdir "$group" || return 1
	done
}
at_end() {
	for group in $made; do
		[ ! -d "$group" ] || {
			kill -KILL $(cat "$group/cgroup.procs")
			await rmdir "$group"
		} 2>/dev/null
	done
}
# inside CGROUP COMMAND…: runs it there
inside() (
	echo 0 >"$1/cgroup.procs" || exit
	shift
	exec "$@"
)

# The shell ignores SIGINT for what it runs in the background.
defaults=
! env --default-signal=INT true 2>/dev/null || defaults='env --default-signal=INT'
# agent OPTION…: starts it, and waits until its ledger is kept
agent() {
	: >"$tmp/log" # what an earlier one said
	$defaults "$tool" agent --interval 0.1 "$@" 2>"$tmp/log" &
	agent=$!
	children="$children $agent"
	await has 'is kept$' log
}
# ended: its exit status
ended() {
	kill -"$1" $agent
	wait $agent 2>/dev/null
}
# amount KEY RESOURCE: on all nodes together; nothing without such an account
amount() {
	"$tool" show --json machine |
		jq --arg key "$1" --arg r "$2" '.accounts[] |
			select(.key == $key) | [.nodes[][$r]] | add // 0'
}
total() {
	"$tool" show --json machine | jq '[.nodes[].totals.cpu_ns] | add'
}
# near A B: they differ by one in a hundred at most
near() {
	[ -n "$1" ] && [ -n "$2" ] && [ "$1" -gt 0 ] &&
		[ $((($1 - $2) * 100)) -le "$2" ] &&
		[ $((($2 - $1) * 100)) -le "$2" ]
}
counted() {
	near "$(amount "$1" cpu_ns)" "$2"
}
equal() {
	[ "$(amount "$1" "$2")" = "$3" ]
}
phase() {
	"$tool" show --json machine | jq -e --arg key "$1" --arg phase "$2" '
		([.accounts[] | select(.key == $key) | .phase] | first) // "gone" |
		. == $phase' >/dev/null
}
later() {
	seen=$(total) && [ "$seen" -gt "$1" ]
}

# ---- CPU time by BPF

# used VERSION CGROUP: what the kernel counted, ns
used() {
	if [ "$1" -eq 1 ]; then
		cat "$2/cpuacct.usage"
	else
		awk '$1 == "usage_usec" { printf "%.0f\n", $2 * 1000 }' "$2/cpu.stat"
	fi
}

by_bpf() {
	version=$1 at=$2
	what="version $1: "
	make "$at/$name-old" || {
		skip "CPU time of cgroups of version $version" "none can be made"
		return
	}
	agent --cgroup "$version" --keep 1000
	if ! has 'by BPF' log; then
		skip "CPU time of cgroups of version $version" \
			"$(grep -o 'BPF: .*' "$tmp/log")"
		ended TERM
		unmake "$at/$name-old"
		return
	fi
	make "$at/$name-new" "$at/$name-new/part"
	for group in old new new/part; do
		inside "$at/$name-$group" "$spin" 200
		check "${what}CPU time of $group is the kernel's" await counted \
			"/$name-$group" "$(used "$version" "$at/$name-$group")"
	done
	[ "$(amount "/$name-old" context_switches)" -gt 0 ]
	result $? "${what}switches"

	# Born and gone between two rounds, however long these are.
	make "$at/$name-short"
	kill -STOP $agent
	inside "$at/$name-short" "$spin" 10
	short=$(used "$version" "$at/$name-short")
	unmake "$at/$name-short"
	kill -CONT $agent
	check "${what}10 ms between two rounds are not missed" await counted \
		"/$name-short" "$short"
	check "${what}its account is kept for a while" await phase \
		"/$name-short" terminating

	unmake "$at/$name-new/part" "$at/$name-new"
	check "${what}a cgroup is removed: its account ends" await phase \
		"/$name-new/part" terminating
	part=$(amount "/$name-new/part" cpu_ns)
	make "$at/$name-new"
	inside "$at/$name-new" "$spin" 20
	check "${what}one with its path: an account of its own" await counted \
		"/$name-new" "$(used "$version" "$at/$name-new")"
	unmake "$at/$name-new"

	old=$(amount "/$name-old" cpu_ns)
	before=$(total)
	ended KILL
	agent --cgroup "$version" --keep 0
	check "${what}killed, and started again: amounts stay" test \
		"$(amount "/$name-old" cpu_ns)" -ge "$old"
	check "${what}accounts of cgroups that are gone are ended" phase \
		"/$name-new/part" gone
	check "${what}what they counted is in the totals" test "$(total)" -ge \
		"$before"
	unmake "$at/$name-old"
	check "${what}without --keep an account is gone soon" await phase \
		"/$name-old" gone
	before=$(total)
	kill -HUP $agent
	check "${what}SIGHUP: it goes on" await later "$before"
	check "${what}its system calls are limited" is_confined $agent
	ended TERM
	check "${what}SIGTERM ends it" test $? -eq 0
	rm -f "$tmp/machine.ledger"
}

v1=$(point cgroup cpuacct)
v2=$(point cgroup2 "")
if [ -n "$v1" ]; then
	by_bpf 1 "$v1"
else
	skip "CPU time of cgroups of version 1" "none are mounted"
fi
if [ -n "$v2" ]; then
	by_bpf 2 "$v2"
else
	skip "CPU time of cgroups of version 2" "none are mounted"
fi

# ---- without BPF

refused() {
	: >"$tmp/log"
	setpriv --bounding-set=-bpf,-perfmon,-sys_admin "$tool" agent \
		--interval 0.1 "$@" 2>"$tmp/log" &
	agent=$!
	children="$children $agent"
	await has 'is kept$' log
}
if ! setpriv --bounding-set=-bpf,-perfmon,-sys_admin true 2>/dev/null; then
	skip "refused BPF" "no setpriv that knows the capabilities"
elif [ -n "$v1" ] && make "$v1/$name"; then
	refused
	has 'is cpuacct.usage_percpu.*BPF: ' log
	result $? "refused BPF: it says so"
	# What is in it before it is known counts, too.
	make "$v1/$name/part"
	inside "$v1/$name/part" "$spin" 200
	inside "$v1/$name" "$spin" 100
	check "refused BPF: CPU time of a cgroup" await equal "/$name/part" cpu_ns \
		"$(cat "$v1/$name/part/cpuacct.usage")"
	check "refused BPF: without what is in it" await equal "/$name" cpu_ns \
		$(($(cat "$v1/$name/cpuacct.usage") -
			$(cat "$v1/$name/part/cpuacct.usage")))
	"$tool" show --json machine |
		jq -e '[.resources[].name] | index("migrations") == null' >/dev/null
	result $? "refused BPF: what is not known is not in the ledger"
	# The shell ignores it for what it runs in the background.
	kill -INT $agent
	sleep 0.2
	before=$(total)
	inside "$v1/$name" "$spin" 20
	check "an ignored SIGINT does nothing" await later "$before"
	ended TERM
	check "SIGTERM ends it" test $? -eq 0
	unmake "$v1/$name/part" "$v1/$name"
	rm -f "$tmp/machine.ledger"
else
	skip "refused BPF, version 1" "none are mounted, or can be made"
fi

# Of version 2, it is cpu.stat's, on nodes that perf events tell or that are an
# estimate.
spread_of() {
	echo $(($(amount "$1" cpu_ns) + $(amount "$1" cpu_estimate_ns)))
}
is_spread() {
	near "$(spread_of "$1")" "$(used 2 "$2")"
}
counts() {
	[ "$(amount "$1" cpu_ns)" -gt 0 ]
}
spread() {
	what=$1
	make "$v2/$name" "$v2/$name/part"
	inside "$v2/$name/part" "$spin" 200
	check "$what: CPU time of a cgroup" await is_spread "/$name/part" \
		"$v2/$name/part"
	if has 'by perf events' log; then
		inside "$v2/$name/part" "$spin" 1000000 &
		spinner=$!
		children="$children $spinner"
		check "$what: perf events tell the node" await counts \
			"/$name/part"
		kill -KILL $(cat "$v2/$name/part/cgroup.procs")
		wait $spinner 2>/dev/null
		check "$what: it is cpu.stat's" await is_spread "/$name/part" \
			"$v2/$name/part"
	fi
	check "$what: what is in a cgroup is not its own" test \
		"$(spread_of "/$name")" -lt 50000000
	check "$what: its system calls are limited" is_confined $agent
	await unmake "$v2/$name/part"
	unmake "$v2/$name"
	check "$what: its account ends" await phase "/$name" terminating
	ended TERM
	check "$what: SIGTERM ends it" test $? -eq 0
	rm -f "$tmp/machine.ledger"
}
if [ -n "$v2" ] && make "$v2/$name"; then
	unmake "$v2/$name"
	agent --cgroup 2 --no-bpf
	has 'CPU time by node is .*estimate.*BPF: not wanted' log
	result $? "no BPF, version 2: it says so"
	spread "no BPF, version 2"
	if setpriv --bounding-set=-bpf,-perfmon,-sys_admin true 2>/dev/null; then
		refused --cgroup 2
		has 'CPU time by node is .*estimate' log
		result $? "refused perf events, version 2: it says so"
		spread "refused perf events, version 2"
	fi
else
	skip "no BPF, version 2" "none are mounted, or can be made"
fi

# ---- memory

memory=$(point cgroup memory)
# stat CGROUP KIND: bytes, of version 1
stat_of() {
	awk -F '[= ]' -v kind="$2" '$1 == kind { print $2 * bytes }' \
		bytes="$(getconf PAGESIZE)" "$1/memory.numa_stat"
}
same_memory() {
	for kind in anon file unevictable; do
		equal "/$name" ${kind}_bytes "$(stat_of "$memory/$name" $kind)" ||
			return 1
	done
}
has_8_mib() {
	[ "$(amount "/$name" anon_bytes)" -ge 8388608 ]
}
is_counted() {
	[ "$(amount "/$name" cpu_ns)" -gt 0 ]
}
is_local() {
	[ "$(amount "/$name" local_bytes)" -eq $(($(amount "/$name" anon_bytes) + \
		$(amount "/$name" file_bytes))) ] &&
		[ "$(amount "/$name" remote_bytes)" -eq 0 ]
}
if [ -n "$memory" ] && make "$memory/$name" "$memory/$name/part"; then
	agent --no-bpf
	[ -z "$v1" ] || [ "$v1" = "$memory" ] || make "$v1/$name"
	(
		[ -z "$v1" ] || echo 0 >"$v1/$name/cgroup.procs"
		inside "$memory/$name" "$eat" hold 8 1000000
	) &
	eater=$!
	children="$children $eater"
	check "memory of a cgroup is seen" await has_8_mib
	check "it is memory.numa_stat's" await same_memory
	if [ "$(cat /sys/devices/system/node/online)" = 0 ] && [ -n "$v1" ]; then
		check "its CPU time is counted" await is_counted
		check "it is local, on the only node" await is_local
	else
		skip "memory is local" "several nodes, or no CPU time"
	fi
	kill -KILL $(cat "$memory/$name/cgroup.procs")
	wait $eater 2>/dev/null
	[ ! -d "$v1/$name" ] || [ "$v1" = "$memory" ] || await unmake "$v1/$name"
	unmake "$memory/$name/part"
	await unmake "$memory/$name"
	await phase "/$name" terminating
	check "a cgroup that is gone has no memory" test \
		"$(amount "/$name" anon_bytes)" -eq 0

	fails 1 "a second agent on the ledger" "$tool" agent
	ended TERM
else
	skip "memory of cgroups of version 1" "none can be made"
fi

# ---- rounds that take longer than the interval

crowd=${v1:-$v2}/$name-crowd
begin_crowd() {
	[ "$crowd" != "/$name-crowd" ] && make "$crowd" || return 1
	crowd_nr=0
	while [ $crowd_nr -lt 300 ]; do
		make "$crowd/$crowd_nr" || return 1
		crowd_nr=$((crowd_nr + 1))
	done
}
ended_soon() {
	(
		sleep 20
		kill -KILL $agent
	) >/dev/null 2>&1 &
	children="$children $!"
	ended "$1"
}
if begin_crowd; then
	for signal in ${defaults:+INT} TERM; do
		agent --no-bpf --interval 0.001
		sleep 0.2
		ended_soon $signal
		check "it never rests: SIG$signal ends it" test $? -eq 0
	done
	busy=0.001
else
	skip "it never rests: a signal ends it" "too few cgroups can be made"
	busy=0.1
fi

# ---- the manager that started it

cat >"$tmp/listen.py" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(60)
while True:
    text = s.recv(4096).decode()
    print(text, flush=True)
    if text.startswith("STOPPING=1"):
        break
END
if command -v python3 >/dev/null; then
	python3 "$tmp/listen.py" "$tmp/socket" >"$tmp/told" &
	listener=$!
	children="$children $listener"
	await test -S "$tmp/socket"
	NOTIFY_SOCKET=$tmp/socket
	export NOTIFY_SOCKET
	agent --no-bpf --interval $busy
	kill -HUP $agent
	check "the manager is told of a reload" await has '^RELOADING=1' told
	ended_soon TERM
	wait $listener
	check "and of the end" has '^STOPPING=1' told
	head -n 2 "$tmp/told" | tr '\n' ' ' | grep -q '^READY=1 STATUS=.*CPU time'
	result $? "first of all, that the ledger is ready"
else
	skip "the manager is told" "no python3"
fi
plan
