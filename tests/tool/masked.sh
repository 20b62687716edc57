#!/bin/sh
# SPDX-License-Identifier: MIT
# This machine with an empty directory over parts of its /sys, as containers do:
# without nodes everything is on node 0, but for memory whose node numa_maps names,
# and each verb prints that, once.
set -u
. "${srcdir:-.}/tests/tool/tool_lib.sh"
apart='unshare -m'
$apart sh -c 'mount -t tmpfs none /sys' 2>"$err" || {
	apart='unshare -rm'
	$apart sh -c 'mount -t tmpfs none /sys' 2>"$err" ||
		skip_all "no mount namespaces"
}
says='sys/devices/system shows no nodes: everything is on node 0$'

# masked PATH ARGUMENT…: runs the tool there; SHELL is the shell that does
masked() {
	path=$1
	shift
	run $apart sh -c '
		mount -t tmpfs none "$1" && shift || exit
		for word; do
			shift
			[ "$word" != SHELL ] || word=$$
			set -- "$@" "$word"
		done
		"$@"
		exit' sh "$path" "$tool" "$@"
}

# nodes: the numbers of nodes in the JSON
nodes() {
	jq -c '[(.nodes // (.processes // .users)[0].nodes)[].id]' "$out"
}

command -v jq >/dev/null || skip_all "no jq"
real=$("$tool" topo --json | jq -c '[.nodes[].id]')
cpus=$("$tool" topo --json | jq -c '[.nodes[].cpus[]] | sort')

# told: what is on stderr, but of processes that even root is refused
told() {
	grep -v 'rows are not readable: ' "$err"
}

# verb NAME ARGUMENT…: on each hidden machine. The exit status may tell of processes
# that even root is refused. Of a process, numa_maps names nodes all the same.
verb() {
	name=$1
	shift
	for mask in /sys /sys/devices/system /sys/devices/system/node; do
		masked $mask "$@"
		case $name:$(nodes) in
		'stat by process:'* | 'stat by user:'*)
			words=${says%%:*}': all CPUs are on node 0$'
			[ "$(nodes)" = '[0]' ] || [ "$real" != '[0]' ] ;;
		*:'[0]') words=$says ;;
		*) false ;;
		esac && [ "$(told | wc -l)" -eq 1 ] &&
			has "$words" err
		result $? "$name: $mask"
	done
	mask=/sys/devices/system/cpu
	masked $mask "$@"
	[ "$(nodes)" = "$real" ] && [ -z "$(told)" ]
	result $? "$name: $mask: the nodes are known"
}

verb topo topo --json
[ "$(jq -c '[.nodes[].cpus[]] | sort' "$out")" = "$cpus" ]
result $? "topo: so are their CPUs"
verb top top --json --count 1 --by user
verb "stat by process" stat --json --by process SHELL
verb "stat by user" stat --json --by user SHELL
verb "stat by node" stat --json
for mask in /sys /sys/devices/system /sys/devices/system/node; do
	masked $mask run true && [ "$(grep -c "$says" "$err")" -eq 1 ] &&
		[ "$(grep -c '^node' "$err")" -eq 2 ]
	result $? "run: $mask"
	masked $mask run --json true
	status=$?
	mv "$err" "$out"
	[ $status -eq 0 ] && [ "$(nodes)" = '[0]' ] &&
		[ "$(grep -o "${says%?}" "$out" | wc -l)" -eq 1 ]
	result $? "run: $mask: JSON"
done
mask=/sys/devices/system/cpu
masked $mask run --json true && mv "$err" "$out" && [ "$(nodes)" = "$real" ] &&
	! has "${says%?}"
result $? "run: $mask: the nodes are known"

# A machine has processes, and if only the one that looks.
for verb in 'stat --by process' 'stat --by user' 'stat -p 1' \
	'top --batch --count 1' 'top --batch --count 1 --by user' \
	"capture $tmp/capture.tar.gz"; do
	# shellcheck disable=SC2086
	masked /proc $verb
	[ $? -eq 1 ] && [ "$(grep -c '/: it has no processes in proc$' \
		"$err")" -eq 1 ]
	result $? "${verb%%/*}: no processes"
done

# What they say is the same everywhere.
masked /sys topo --json
mv "$err" "$tmp/first"
for verb in 'top --json --count 1' 'stat -m' 'stat --json'; do
	# shellcheck disable=SC2086
	masked /sys $verb
	sed 's/^numatally [a-z]*//' "$err" | grep "$says" >"$tmp/second"
	sed 's/^numatally [a-z]*//' "$tmp/first" | cmp -s - "$tmp/second"
	result $? "${verb%% -*}: the words of topo"
done
plan
