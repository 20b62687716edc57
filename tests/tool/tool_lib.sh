# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# The tests of the tool read this file first. It has what tap.sh has, and more:
#
#   fails STATUS NAME COMMAND…   a result: COMMAND exits with STATUS, with
#                                diagnostics, and with nothing on stdout
#   has PATTERN [FILE]           FILE of $tmp, else $out, has a match
#   await COMMAND…               waits until COMMAND succeeds, 200 s at most
#   in_time COMMAND…             runs COMMAND, which changes something between
#                                two readings that are $interval s apart: with a
#                                longer one where the machine is too busy
#   put FILE TEXT                writes a file of the made-up machine in $m
#   each_captured COMMAND…       runs COMMAND for each captured machine, with
#                                its tree in $root and its name in $name
#   is_confined PID              its threads are limited to some system calls, if it
#                                was built so
. "${srcdir:-.}/tests/support/tap.sh"
tool=${NUMATALLY:-$PWD/tests/bin/numatally}
tests=${top_builddir:-.}/tests
m=$tmp/m

fails() {
	failing=$2
	expected=$1
	shift 2
	run "$@"
	[ $? -eq "$expected" ] && [ -s "$err" ] && [ ! -s "$out" ]
	result $? "$failing"
}

has() {
	grep -q -e "$1" "$tmp/${2-out}"
}

await() {
	given_up=$(($(date +%s) + 200))
	until "$@" 2>/dev/null; do
		[ "$(date +%s)" -lt $given_up ] || return 1
		sleep 0.05
	done
}

in_time() {
	for interval in 1 5 30; do
		"$@" && return
	done
	return 1
}

put() {
	mkdir -p "$m/$(dirname "$1")"
	printf '%s\n' "$2" >"$m/$1"
}

each_captured() {
	root=
	for archive in "${NUMATALLY_DATA:-}"/sysfs-dumps/*.tar.bz2; do
		[ -f "$archive" ] || continue
		rm -rf "$tmp/captured"
		mkdir "$tmp/captured"
		tar -xjf "$archive" -C "$tmp/captured" --exclude='*/cache' \
			--exclude='*/cpuidle' --exclude='*/cpufreq' \
			2>/dev/null || break
		root=$(echo "$tmp"/captured/*)
		name=${root##*/}
		"$@"
	done
	[ -n "$root" ] ||
		skip "captured machines" "none in NUMATALLY_DATA, or no tar"
}

is_confined() {
	! grep -q '^#define HAVE_SECCOMP' config.h ||
		[ "$(cat /proc/"$1"/task/*/status | grep -c '^Seccomp:.*2$')" -eq \
			"$(ls /proc/"$1"/task | wc -l)" ]
}
