#!/bin/sh
# SPDX-License-Identifier: MIT
# A ledger on real nodes: no add is lost while threads hop over CPUs that come and
# go, and every page is where numatally check reports it.
in_memory=yes
. "${srcdir:-.}/tests/support/tap.sh"
logs="check err"
command -v jq >/dev/null || skip_all "there is no jq"
tool=${NUMATALLY:-numatally}
export NUMATALLY_DIR="$tmp/ledgers"
names=
program=
nodes=/sys/devices/system/node
# Ten million in one machine.
sum=500000
[ "$NUMATALLY_GUEST" = four ] && [ "$(id -u)" -eq 0 ] && sum=10000000

# look LEDGER [COMMAND...]: what numatally check prints of LEDGER, run by COMMAND,
# is then in $tmp/check, and its exit status in $status
look()
{
	ledger=$1
	shift
	"$@" "$tool" check "$ledger" --json --verbose \
		>"$tmp/check" 2>"$err"
	status=$?
}

# is NAME EXPRESSION: a result of judge: EXPRESSION is true of the report. jq
# starts slowly under emulation, so judge asks it once for all of them.
is()
{
	names="$names$1
"
	program="$program${program:+, }([$2] | length > 0 and (last | . == true))"
}

judge()
{
	jq "$program" "$tmp/check" >"$tmp/verdicts" 2>>"$err"
	while read -r name <&4; do
		verdict=none
		read -r verdict <&3
		check "$name" test "$verdict" = true
	done 3<"$tmp/verdicts" 4<<-END
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
tests/support/adder -c -t 8 -n $sum adds >"$tmp/sum" 2>"$err" &
adder=$!
turns=0
until [ -e "$NUMATALLY_DIR/adds.ledger" ]; do
	kill -0 $adder || break
	sleep 0.05
done
# At least once, however fast the adds are.
while [ -n "$cpu" ]; do
	echo 0 >"$cpu"
	sleep 0.1
	echo 1 >"$cpu"
	sleep 0.1
	turns=$((turns + 1))
	kill -0 $adder 2>/dev/null || break
done
wait $adder
check "eight threads add" test $? -eq 0
echo "# a CPU went and came $turns times"
check "every add is in the sum" test "$(cat "$tmp/sum")" = $sum
"$tool" show adds --json >"$tmp/show"
jq -c '([.nodes[].totals.adds] | add),
	(.nodes[] | select(.totals.adds > 0) | .id)' "$tmp/show" >"$tmp/totals"
check "show prints the same sum" test "$(head -n 1 "$tmp/totals")" = $sum
check "the adds are on all nodes with CPUs, and on no other" test \
	"$(tail -n +2 "$tmp/totals" | xargs)" = "$with_cpus"

# ---- placement
look adds
is "check: every page is counted" \
	'.pages > 0 and .pages == .placed + .misplaced + .unplaced and
	([.nodes[].pages] | add) == .pages and
	all(.nodes[]; ([.on[]] | add) == .pages and .pages > 0)'
is "check: no problem except of placement" '.problems == []'
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
	check "check: exits with 0" test $status -eq 0
else
	check "check: exits with 1" test $status -eq 1
fi

# ---- mbind refused
sum=500000
tests/support/refuse mbind -- tests/support/adder -c -t 8 -n $sum apart \
	>"$tmp/sum" 2>"$err"
check "mbind refused: eight threads add" test $? -eq 0
check "mbind refused: every add is in the sum" \
	test "$(cat "$tmp/sum")" = $sum
look apart
is "mbind refused: check says unplaced" \
	'.unplaced == .pages and .placed == 0 and .misplaced == 0 and
	all(.nodes[]; .why | contains("not permitted"))'
judge
check "mbind refused: check exits with 1" test $status -eq 1

# ---- move_pages refused
look adds tests/support/refuse move_pages --
is "move_pages refused: check says unplaced" \
	'.unplaced == .pages and .pages > 0 and
	all(.nodes[]; .on == {"unknown": .pages})'
judge
check "move_pages refused: check exits with 1" test $status -eq 1

# ---- pages that moved after they were placed
set -- $with_memory
if [ $# -ge 2 ] && [ "$NUMATALLY_GUEST" != off ] &&
	command -v migratepages >/dev/null; then
	# The pages that this process has mapped, because it read them.
	"$tool" show adds --interval 0.05 >"$tmp/again" &
	shower=$!
	until [ -s "$tmp/again" ]; do
		kill -0 $shower || break
		sleep 0.05
	done
	migratepages $shower "$1" "$2"
	kill $shower
	wait $shower
	look adds
	is "moved: check says misplaced" \
		".misplaced > 0 and .placed > 0 and
		(.nodes[] | select(.id == $1) |
		.on[\"$2\"] == .misplaced and
		([.elsewhere[] | select(.on == $2)] | length) == .misplaced)"
	judge
	check "moved: check exits with 1" test $status -eq 1
fi
plan
