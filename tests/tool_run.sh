#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally run: what it passes through to the command and back, and what it
# says of it.
. "$srcdir/tests/tool_run_lib.sh"
refuse=./tests/refuse

# ---- exit statuses
status "the command's exit status" 7 sh -c 'exit 7'
status "128 and the signal" 143 sh -c 'kill -TERM $$'
status "not found" 127 "$dir/no-such-command"
report "not found: is said" has 'no-such-command: No such file' err
status "not in PATH" 127 no-such-command-anywhere
: >"$dir/plain"
status "not executable" 126 "$dir/plain"
status "a directory" 126 "$dir"
status "no command" 2
status "an unknown option" 2 --no-such-option true
status "an unknown way" 2 --events=guess true
for interval in 0 -1 x 1x nan 1e9; do
	status "no interval: $interval" 2 --interval "$interval" true
done
touch "$dir/not-run"
status "FILE can't be opened" 125 -o "$dir/none/x" rm "$dir/not-run"
report "FILE can't be opened: nothing was run" test -e "$dir/not-run"
status "options end at the command" 3 sh -c 'exit 3' --json
status "options end at --" 4 --json -- sh -c 'exit 4'

# ---- what the command reads, writes and gets from us
printf 'a\0b\nc' >"$dir/in"
"$tool" run cat <"$dir/in" >"$dir/out" 2>"$dir/err"
report "stdin and stdout pass through" cmp -s "$dir/in" "$dir/out"
report "the table is on stderr" has '^node ' err
"$tool" run -o "$dir/table" sh -c 'echo out; echo err >&2' \
	>"$dir/out" 2>"$dir/err"
report "-o: stdout is the command's" test "$(cat "$dir/out")" = out
report "-o: stderr is the command's" test "$(cat "$dir/err")" = err
report "-o: the table is in FILE" grep -q '^node ' "$dir/table"
report "no table is wider than 80 columns" \
	awk '/^wall/ { exit } length > 80 { exit 1 }' "$dir/table"

# Without 32 and 33, which are the C library's own: a sanitizer's thread takes
# them.
look='while read -r name mask; do
	case $name in
	SigBlk: | SigIgn: | SigCgt:)
		echo "$name" $((0x$mask & ~0x180000000)) ;;
	esac
done </proc/self/status
ulimit -n; ls /proc/self/fd'
sh -c "$look" >"$dir/bare"
"$tool" run -o "$dir/table" sh -c "$look" >"$dir/out" 2>"$dir/err"
report "signals, limits and files are as they were" \
	cmp -s "$dir/bare" "$dir/out"
(
	trap '' HUP CHLD
	sh -c "$look" >"$dir/bare"
	"$tool" run -o "$dir/table" sh -c "$look" >"$dir/out" 2>"$dir/err"
)
report "so are signals that were ignored" cmp -s "$dir/bare" "$dir/out"
(
	ulimit -S -n 16
	"$tool" run -o "$dir/table" sh -c "ulimit -n" >"$dir/out" 2>"$dir/err"
)
report "so is a low limit on files" test "$(cat "$dir/out")" = 16
"$tool" run -o "$dir/table" sh -c 'echo x' >&- 2>"$dir/err"
report "a closed stdout stays closed" has 'echo\|write' err
group='cut -d " " -f 5 /proc/$$/stat'
sh -c "$group" >"$dir/bare"
"$tool" run -o "$dir/table" sh -c "$group" >"$dir/out"
report "the process group is ours" cmp -s "$dir/bare" "$dir/out"

# ---- signals
for signal in TERM HUP USR1; do
	rm -f "$dir/ready"
	"$tool" run -o "$dir/table" sh -c "trap 'exit 9' $signal
		: >'$dir/ready'; while :; do sleep 0.02; done" &
	pid=$!
	await test -e "$dir/ready"
	kill -$signal $pid
	wait $pid
	report "SIG$signal is passed on" test $? -eq 9
done

rm -f "$dir/ready"
"$tool" run -o "$dir/table" sh -c "trap 'exit 5' TERM
	echo \$\$ >'$dir/ready'; while :; do sleep 0.02; done" &
pid=$!
await test -s "$dir/ready"
kill -INT $pid
kill -QUIT $pid
kill -STOP "$(cat "$dir/ready")"
await is_in_state "$(cat "$dir/ready")" T
kill -CONT $pid
await is_in_state "$(cat "$dir/ready")" '[SR]'
report "SIGCONT wakes a command that stopped" test $? -eq 0
kill -TERM $pid
wait $pid
report "SIGINT and SIGQUIT are left to the command" test $? -eq 5

# ---- JSON
"$tool" run --json -o "$dir/json" sh -c "$busy; exit 3" 2>"$dir/err"
report "JSON: the exit status" test $? -eq 3
for part in '^{"version":1,' '"exit_status":3,' '"wall_ns":[1-9]' \
	'"ledger":"run-[0-9]*"' '"nodes":\[{"id":[0-9]' '"cpu_ns":[1-9]' \
	'"page_faults":[1-9]' '"context_switches":[0-9]' '"migrations":[0-9]' \
	'"memory_peak_bytes":{"anonymous":[0-9]*,"file":[0-9]*,"shared":[0-9]*,"huge":[0-9]*}' \
	'"estimates":\["' '"problems":\['; do
	report "JSON has $part" has "$part" json
done
nodes=$(ls -d /sys/devices/system/node/node[0-9]* 2>/dev/null | wc -l)
[ "$nodes" -gt 0 ] || nodes=1
report "JSON has every node" test "$(member id | wc -l)" -eq "$nodes"
report "the ledger is gone" test -z "$(ls "$NUMATALLY_DIR")"
status "not found, in JSON" 127 --json "$dir/no-such-command"
report "not found, in JSON: says so" has '"exit_status":127' err

# What a task does after its last event is not counted: short, but not where
# CPUs wait for CPUs.
percent=1
ms=5
[ -z "$NUMATALLY_GUEST" ] || percent=10 ms=200

# near NAME A B: A is B, but for that
near() {
	report "$1 ($2, $3)" awk -v a="$2" -v b="$3" -v p=$percent -v ms=$ms \
		'BEGIN { off = a > b ? a - b : b - a
			exit off <= b * p / 100 + ms * 1e6 ? 0 : 1 }'
}

# ---- what is counted
four='for i in 1 2 3 4; do ('$busy') & done; wait'
for way in inherit cgroup sample; do
	"$tool" run --json --events=$way -o "$dir/json" sh -c "$four" &
	run=$!
	wait $run
	rusage=$(($(sum user_ns) + $(sum system_ns)))
	near "$way: the nodes add up to rusage" "$(sum cpu_ns)" $rusage
	report "$way: no cgroup is left" \
		test -z "$(find /sys/fs/cgroup -name "numatally-run-$run")"
done
report "sampled counts are estimates" has \
	'"estimates":\["cpu_ns","page_faults","context_switches","migrations"' \
	json

if [ -x $refuse ] && $refuse perf_event_open -- true; then
	$refuse perf_event_open -- \
		"$tool" run --json -o "$dir/json" sh -c "$four"
	report "perf refused: the command runs" test $? -eq 0
	report "perf refused: sampled" has '"events":"sample"' json
	report "perf refused: estimates" has '"estimates":\["cpu_ns"' json
	report "perf refused: is said" has 'perf_event_paranoid' json
	rusage=$(($(sum user_ns) + $(sum system_ns)))
	near "perf refused: the sum is rusage's" "$(sum cpu_ns)" $rusage
	$refuse perf_event_open -- "$tool" run sh -c "$busy" 2>"$dir/err"
	report "perf refused: the table has marks" has '^node.*~' err
else
	skip "perf refused" "no seccomp"
fi

# ---- descendants
rm -f "$dir/orphan"
"$tool" run --json -o "$dir/json" sh -c "
	sh -c 'sleep 30 & echo \$! >$dir/orphan' &
	wait"
report "an orphan is not waited for" has '"still_running":1' json
kill "$(cat "$dir/orphan")"
"$tool" run --wait --json -o "$dir/json" sh -c "
	sh -c '(sleep 0.1; $busy) &' & wait"
report "--wait: none is left" has '"still_running":0' json
report "--wait: an orphan is accounted" \
	test "$(sum user_ns)" -gt 1000000

# ---- the ledger
status "an unusable ledger costs nothing but itself" 0 \
	--ledger "$dir/none/x" true
report "it is said" has "no ledger '$dir/none/x'" err
status "no ledger" 0 --ledger none --json true
report "no ledger: null" has '"ledger":null' err
status "a ledger that is kept" 0 --ledger kept --keep sh -c "$busy"
report "a ledger that is kept: is there" \
	test -s "$NUMATALLY_DIR/kept.ledger"
status "a ledger that is there is joined" 0 --ledger kept --json true
report "and left there" test -s "$NUMATALLY_DIR/kept.ledger"
"$tool" show kept --json >"$dir/json"
report "one that is kept has its account, and not the other's" \
	test "$(grep -o '"key":"run/[0-9]*/[a-z]*"' "$dir/json" |
		cut -d / -f 3)" = 'sh"'
status "another that is kept" 0 --ledger kept --keep true
"$tool" show kept --json >"$dir/json"
report "is there beside it" \
	test "$(grep -o '"key":"run/[0-9]*/[a-z]*"' "$dir/json" | wc -l)" -eq 2

echo "1..$count"
