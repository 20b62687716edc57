#!/bin/sh
# SPDX-License-Identifier: MIT
# A ledger on real nodes: nothing is lost while threads hop over CPUs that come
# and go, and every page is where check says that it is.
command -v jq >/dev/null || { echo "1..0 # SKIP there is no jq"; exit 0; }
tool=${NUMATALLY:-numatally}
dir=$(TMPDIR=/dev/shm mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
export NUMATALLY_DIR="$dir/ledgers"
count=0
names=
program=
nodes=/sys/devices/system/node
# Ten million, once.
sum=500000
[ "$NUMATALLY_GUEST" = four ] && [ "$(id -u)" -eq 0 ] && sum=10000000

# report NAME COMMAND...
report()
{
	count=$((count + 1))
	name=$1
	shift
	if "$@" >"$dir/said" 2>&1; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		cat "$dir/said" "$dir/check" "$dir/err" 2>/dev/null |
			sed 's/^/# /'
	fi
}

# check [COMMAND...]: what check says of the ledger into $dir/check, and its
# exit status into $status
check()
{
	ledger=$1
	shift
	"$@" "$tool" check "$ledger" --json --verbose \
		>"$dir/check" 2>"$dir/err"
	status=$?
}

# is NAME EXPRESSION: to be true of what check said, when judge asks. jq takes
# long to start under emulation, so it is asked once for all of them.
is()
{
	names="$names$1
"
	program="$program${program:+, }([$2] | length > 0 and (last | . == true))"
}

judge()
{
	jq "$program" "$dir/check" >"$dir/verdicts" 2>>"$dir/err"
	while read -r name <&4; do
		verdict=none
		read -r verdict <&3
		report "$name" test "$verdict" = true
	done 3<"$dir/verdicts" 4<<-END
		${names%?}
	END
	names='' program=''
}

# with WHAT: the numbers of nodes with CPUs, or with memory
with()
{
	for node in "$nodes"/node[0-9]*; do
		id=${node##*/node}
		case $1 in
		cpus) [ -z "$(cat "$node/cpulist")" ] || echo "$id" ;;
		memory) grep -q 'MemTotal: *0 kB' "$node/meminfo" ||
			echo "$id" ;;
		esac
	done | sort -n | xargs
}

if [ -d $nodes ]; then
	all=$(ls -d $nodes/node[0-9]* | sed 's/.*node//' | sort -n | xargs)
	with_memory=$(with memory)
	with_cpus=$(with cpus)
else
	all=0 with_memory= with_cpus=0
fi
bare=$(for node in $all; do
	case " $with_memory " in
	*" $node "*) ;;
	*) echo "$node" ;;
	esac
done | xargs)

# ---- adds, while a CPU goes and comes
cpu=$(ls -d /sys/devices/system/cpu/cpu[0-9]*/online 2>/dev/null |
	sort -V | tail -n 1)
[ "$(id -u)" -eq 0 ] || cpu=
tests/adder -c -t 8 -n $sum adds >"$dir/sum" 2>"$dir/err" &
adder=$!
turns=0
until [ -e "$NUMATALLY_DIR/adds.ledger" ]; do
	kill -0 $adder || break
	sleep 0.05
done
# At least once, whoever is faster.
while [ -n "$cpu" ]; do
	echo 0 >"$cpu"
	sleep 0.1
	echo 1 >"$cpu"
	sleep 0.1
	turns=$((turns + 1))
	kill -0 $adder 2>/dev/null || break
done
wait $adder
report "eight threads add" test $? -eq 0
echo "# a CPU went and came $turns times"
report "every add is in the sum" test "$(cat "$dir/sum")" = $sum
"$tool" show adds --json >"$dir/show"
jq -c '([.nodes[].totals.adds] | add),
	(.nodes[] | select(.totals.adds > 0) | .id)' "$dir/show" >"$dir/totals"
report "show has the same" test "$(head -n 1 "$dir/totals")" = $sum
report "on all nodes with CPUs, and no other" test \
	"$(tail -n +2 "$dir/totals" | xargs)" = "$with_cpus"

# ---- placement
check adds
is "check: every page is counted" \
	'.pages > 0 and .pages == .placed + .misplaced + .unplaced and
	([.nodes[].pages] | add) == .pages and
	all(.nodes[]; ([.on[]] | add) == .pages and .pages > 0)'
is "check: no problem but of placement" '.problems == []'
is "check: every node of the machine" \
	"[.nodes[].id] == [$(echo "$all" | tr ' ' ,)]"
for node in $with_memory; do
	[ "$NUMATALLY_GUEST" != off ] || continue
	is "check: node $node's pages are there" \
		".nodes[] | select(.id == $node) |
		.on == {\"$node\": .pages} and .placed == .pages and
		.why == null and .elsewhere == []"
done
for node in $bare; do
	is "check: node $node has no memory" \
		".nodes[] | select(.id == $node) |
		.unplaced == .pages and .placed == 0 and
		(.on | has(\"$node\") | not) and
		.why == \"the node has no memory\" and
		(.elsewhere | length) == .pages"
done
judge
if [ -d $nodes ] && [ -z "$bare" ]; then
	report "check: exits with 0" test $status -eq 0
else
	report "check: exits with 1" test $status -eq 1
fi

# ---- where placing is refused
sum=500000
tests/refuse mbind -- tests/adder -c -t 8 -n $sum apart \
	>"$dir/sum" 2>"$dir/err"
report "mbind refused: eight threads add" test $? -eq 0
report "mbind refused: every add is in the sum" \
	test "$(cat "$dir/sum")" = $sum
check apart
is "mbind refused: check says unplaced" \
	'.unplaced == .pages and .placed == 0 and .misplaced == 0 and
	all(.nodes[]; .why | contains("not permitted"))'
judge
report "mbind refused: check exits with 1" test $status -eq 1

# ---- where asking is refused
check adds tests/refuse move_pages --
is "move_pages refused: check says unplaced" \
	'.unplaced == .pages and .pages > 0 and
	all(.nodes[]; .on == {"unknown": .pages})'
judge
report "move_pages refused: check exits with 1" test $status -eq 1

# ---- pages that moved after they were placed
set -- $with_memory
if [ $# -ge 2 ] && [ "$NUMATALLY_GUEST" != off ] &&
	command -v migratepages >/dev/null; then
	# Those that this process alone has mapped, since it read them.
	"$tool" show adds --interval 0.05 >"$dir/again" &
	shower=$!
	until [ -s "$dir/again" ]; do
		kill -0 $shower || break
		sleep 0.05
	done
	migratepages $shower "$1" "$2"
	kill $shower
	wait $shower
	check adds
	is "moved: check says misplaced" \
		".misplaced > 0 and .placed > 0 and
		(.nodes[] | select(.id == $1) |
		.on[\"$2\"] == .misplaced and
		([.elsewhere[] | select(.on == $2)] | length) == .misplaced)"
	judge
	report "moved: check exits with 1" test $status -eq 1
fi
echo "1..$count"
