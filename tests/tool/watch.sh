#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally watch: when it fires, what it prints and runs, and what ends it.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
ledger=$tmp/l.ledger
logs="lines json errors event"

# A writer of the ledger, which takes commands from file 9.
writer()
{
	mkfifo "$tmp/commands"
	"$tests/support/reserver" "$ledger" <"$tmp/commands" &
	writer=$!
	exec 9>"$tmp/commands"
	rm "$tmp/commands"
}
tell()
{
	printf '%s\n' "$@" >&9
}
held()
{
	"$tool" show --json "$ledger" | jq -e ".nodes[0].held.cores == $1" >/dev/null
}
# told N COMMAND…: tell, and wait until N cores are held
told()
{
	until_held=$1
	shift
	tell "$@"
	await held "$until_held"
}
lines()
{
	test "$(wc -l <"$tmp/lines")" -ge "$1"
}
# Whether it printed its second line after it had time to look at what is free
# again.
again()
{
	told 10 "release pods/b"
	sleep 0.2
	told 62 "reserve pods/b 0 cores 52"
	sleep 0.2
	lines 2
}
json()
{
	jq -e "$1" "$tmp/json" >/dev/null
}

# ---- usage
fails 2 "no ledger" "$tool" watch --over 'a>1'
fails 2 "no threshold" "$tool" watch "$ledger"
for wrong in cores 'cores>1' 'cores<' 'cores<x' 'cores<1,' 'cores<2,1' 'cores<1 ' \
	'@0<1' 'cores@<1' 'cores:<1' 'cores<1X' 'cores<9999999999999999999' \
	'cores<9000P' 'co res<1'; do
	fails 2 "no threshold: $wrong" "$tool" watch "$ledger" --free "$wrong"
done
fails 2 "no threshold of pending accounts" "$tool" watch "$ledger" --pending 'pods/'
fails 2 "back on the wrong side" "$tool" watch "$ledger" --over 'cores>1,2'
fails 1 "no such ledger" "$tool" watch "$tmp/nobody" --free 'cores<1'

# ---- when it fires
writer
tell create "capacity 0 cores 64" "capacity 0 memory_bytes 8589934592" \
	"reserve pods/a 0 cores 10"
await test -e "$ledger"
await held 10
fails 1 "no such resource" "$tool" watch "$ledger" --free 'disks<1'
fails 1 "no such node" "$tool" watch "$ledger" --free 'cores@77<1'
fails 1 "no such account" "$tool" watch "$ledger" --over 'cores:nobody>1'
fails 1 "nothing crosses in time" "$tool" watch "$ledger" --free 'cores<54' \
	--timeout 0.1
has 'the watch did not fire' err
result $? "time-out: an error message"
run "$tool" watch --once "$ledger" --free 'cores@some<55'
result $? "crossed already, on some node"
has '^[0-9-]*T[0-9:.]*[+-][0-9]* free cores@some 54 < 55$'
result $? "the line has the time, and the amount before the mark"
run "$tool" watch --once "$ledger" --free=cores@some=55 --over=cores:pods/=9 &&
	has ' free cores@some 54 < 55, cores:pods/ 10 > 9$'
result $? "'=' for either sign; an account and those below"
run "$tool" watch --once --any "$ledger" --free 'cores<1' --under 'cores:pods/a<1K' &&
	has ' cores:pods/a 10 < 1024$'
result $? "any: what is crossed is printed; K"

run "$tool" watch --once --any "$ledger" --pending 'x>-1' --pending '=-1' &&
	has ' pending x 0 > -1, pending 0 > -1$'
result $? "pending accounts"
"$tool" watch --json --once "$ledger" --free memory_bytes@some=8G,9G \
	--over cores@every:pods/=-1 --any >"$tmp/json"
check "the same as JSON" json '
	.version == 1 and .count == 1 and (.path | endswith("/l.ledger")) and
	.ledger == .path and
	(.time_ns > 1700000000000000000) and
	(.thresholds | length) == 2 and
	.thresholds[0] == {of: "free", resource: "memory_bytes", node: "some",
		account: null, side: "below", mark: 8589934592,
		back: 9663676416, amount: 8589934592, crossed: false} and
	(.thresholds[1] | .of == "amount" and .node == "every" and
		.account == "pods/" and .side == "above" and .mark == -1 and
		.crossed == true)'

(
	NUMATALLY_DIR=$(dirname "$ledger")
	export NUMATALLY_DIR
	exec "$tool" watch --json --once "$(basename "$ledger" .ledger)" \
		--pending '=-1'
) >"$tmp/json"
check "its name, and its path" json '
	.ledger == "l" and (.path | endswith("/l.ledger"))'

"$tool" watch -i 0.005 "$ledger" --free 'cores@some<10,20' >"$tmp/lines" 2>"$tmp/errors" &
children=$!
told 60 "reserve pods/b 0 cores 50"
await lines 1
check "it fires when the amount crosses" lines 1
# 14 are free, and 4 again: within BACK.
told 50 "release pods/a"
sleep 0.1
told 60 "reserve pods/a 0 cores 10"
await again
check "it fires again once it had gone back" \
	test "$(cut -d' ' -f2- "$tmp/lines" | head -n 2 | tr '\n' ';')" = \
	'free cores@some 4 < 10;free cores@some 2 < 10;'
kill $children
wait $children 2>/dev/null
children=

# ---- commands
run "$tool" watch --once "$ledger" --free 'cores@some<10' -- \
	sh -c 'echo "$NUMATALLY_EVENT" >"$1"; exit 3' sh "$tmp/event"
status=$?
check "--once ends with the command's exit status" test $status -eq 3
has ' free cores@some 2 < 10$' event
result $? "the command has the line in its environment"
run "$tool" watch --once "$ledger" --free 'cores@some<10' -- "$tmp/nobody"
status=$?
check "a command that is not there" test $status -eq 127
run "$tool" watch "$ledger" --free 'cores@some<10' -- "$tmp/nobody"
status=$?
check "without --once that ends it, too" test $status -eq 1
# 126 and 127 can be the command's own.
for failure in 5 126 127; do
	run "$tool" watch "$ledger" --free 'cores@some<10' --timeout 0.3 -- \
		sh -c "exit $failure"
	status=$?
	has "sh: exit status $failure" err && has 'did not fire' err &&
		[ $status -eq 1 ]
	result $? "one that fails with $failure is reported, and the watch goes on"
done

# ---- what ends it
: >"$tmp/lines"
"$tool" watch -i 0.005 "$ledger" --free 'cores@some<10' >"$tmp/lines" 2>"$tmp/errors" &
watch=$!
children=$watch
await lines 1
cp "$ledger" "$tmp/copy"
rm "$ledger"
wait $watch
status=$?
grep -q 'the ledger was removed or replaced' "$tmp/errors" && [ $status -eq 1 ]
result $? "a ledger that is removed ends it"
exec 9>&-
wait $writer
mv "$tmp/copy" "$ledger"
fails 1 "a ledger that no process writes to ends it" \
	"$tool" watch "$ledger" --free 'cores@some<1'
has 'no process writes to the ledger' err
result $? "no writer: an error message"
fails 1 "not with --idle" "$tool" watch --idle --timeout 0.05 "$ledger" --free 'cores@some<1'
has 'the watch did not fire' err
result $? "--idle: the time-out ends it"
children=
plan
