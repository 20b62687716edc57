# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Sourced by the tests of numatally run: what they report, and how they read
# what it says.

# A shell can't take back that a signal was ignored when it started, as under
# nohup(1), or behind & of a shell without job control.
if [ -z "$signals" ] && env --default-signal true 2>/dev/null; then
	export signals=default
	exec env --default-signal sh "$0" "$@"
fi

tool=${NUMATALLY:-./tools/numatally}
# Not libtool's script, which needs more around it than the program does.
if [ -x "${tool%/*}/.libs/${tool##*/}-verbs" ]; then
	tool=${tool%/*}/.libs/${tool##*/}-verbs
	LD_LIBRARY_PATH=$PWD/lib/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	export LD_LIBRARY_PATH
fi
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
NUMATALLY_DIR=$dir/ledgers
export NUMATALLY_DIR
count=0

# A loop of a shell that takes some time on a CPU.
busy='i=0; while [ $i -lt 15000 ]; do i=$((i+1)); done'

report() {
	name=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		for log in out err json table; do
			[ ! -s "$dir/$log" ] || sed "s/^/# $log: /" "$dir/$log"
		done
	fi
}

skip() {
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

# status NAME EXPECTED ARGUMENT...: runs the tool
status() {
	tried=$1 expected=$2
	shift 2
	: >"$dir/json"
	"$tool" run "$@" >"$dir/out" 2>"$dir/err"
	got=$?
	report "$tried" test "$got" -eq "$expected"
}

# member NAME: the numbers that members of this name have, one a line
member() {
	grep -o "\"$1\":[0-9]*" "$dir/json" | cut -d : -f 2
}

sum() {
	member "$1" | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# of_none NAME: the number of what is of no node
of_none() {
	sed 's/.*"unattributed"//' "$dir/json" | grep -o "\"$1\":[0-9]*" |
		head -n 1 | cut -d : -f 2
}

rusage_ns() {
	echo $(($(sum user_ns) + $(sum system_ns)))
}

has() {
	grep -q -e "$1" "$dir/$2"
}

# await COMMAND...: until it succeeds, or long has passed
await() {
	tries=0
	until "$@" 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 500 ] || return 1
		sleep 0.02
	done
}

# is_in_state PID STATE...: as /proc/PID/stat has it
is_in_state() {
	case $(sed 's/.*) //' "/proc/$1/stat") in
	$2*) true ;;
	*) false ;;
	esac
}
