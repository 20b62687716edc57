# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# The tests of numatally run read this file first: how they run the tool, and
# read its report.

# A shell can't reset signals that were ignored when it started, as under nohup(1)
# or in the background of a shell without job control.
if [ -z "$signals" ] && env --default-signal true 2>/dev/null; then
	export signals=default
	exec env --default-signal sh "$0" "$@"
fi

. "${srcdir:-.}/tests/tool/tool_lib.sh"
logs="out err json table"
NUMATALLY_DIR=$tmp/ledgers
export NUMATALLY_DIR

# A shell's loop that takes some CPU time.
busy='i=0; while [ $i -lt 15000 ]; do i=$((i+1)); done'

# status NAME EXPECTED ARGUMENT...: runs the tool
status() {
	tried=$1 expected=$2
	shift 2
	: >"$tmp/json"
	run "$tool" run "$@"
	got=$?
	check "$tried" test "$got" -eq "$expected"
}

# member NAME: the numbers of all members with this name, one a line
member() {
	grep -o "\"$1\":[0-9]*" "$tmp/json" | cut -d : -f 2
}

sum() {
	member "$1" | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# of_none NAME: the number that is unattributed
of_none() {
	sed 's/.*"unattributed"//' "$tmp/json" | grep -o "\"$1\":[0-9]*" |
		head -n 1 | cut -d : -f 2
}

rusage_ns() {
	echo $(($(sum user_ns) + $(sum system_ns)))
}

# is_in_state PID STATE...: as /proc/PID/stat has it
is_in_state() {
	case $(sed 's/.*) //' "/proc/$1/stat") in
	$2*) true ;;
	*) false ;;
	esac
}
