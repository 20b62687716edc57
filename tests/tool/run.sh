#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally run: what it passes to the command and back, the processes that it waits
# for, and its ledger.
. "${srcdir:-.}/tests/tool/run_lib.sh"

# ---- exit statuses
status "the command's exit status" 7 sh -c 'exit 7'
status "128 and the signal" 143 sh -c 'kill -TERM $$'
status "not found" 127 "$tmp/no-such-command"
check "not found: an error message" has 'no-such-command: No such file' err
status "not in PATH" 127 no-such-command-anywhere
: >"$tmp/plain"
status "not executable" 126 "$tmp/plain"
status "a directory" 126 "$tmp"
status "no command" 2
status "an unknown option" 2 --no-such-option true
status "an unknown way" 2 --events=guess true
for interval in 0 -1 x 1x nan 1e9; do
	status "no interval: $interval" 2 --interval "$interval" true
done
touch "$tmp/not-run"
status "FILE can't be opened" 125 -o "$tmp/none/x" rm "$tmp/not-run"
check "FILE can't be opened: the command does not run" test -e "$tmp/not-run"
status "options end at the command" 3 sh -c 'exit 3' --json
status "options end at --" 4 --json -- sh -c 'exit 4'

# ---- what the command reads, writes and inherits
printf 'a\0b\nc' >"$tmp/in"
"$tool" run cat <"$tmp/in" >"$out" 2>"$err"
check "stdin and stdout pass through" cmp -s "$tmp/in" "$out"
check "the table is on stderr" has '^node ' err
"$tool" run -o "$tmp/table" sh -c 'echo out; echo err >&2' \
	>"$out" 2>"$err"
check "-o: stdout is the command's" test "$(cat "$out")" = out
check "-o: stderr is the command's" test "$(cat "$tmp/err")" = err
check "-o: the table is in FILE" grep -q '^node ' "$tmp/table"
"$tool" run -o - sh -c 'echo out; echo err >&2' >"$out" 2>"$err"
check "-o -: the table is on stdout, behind what the command wrote" \
	test "$(sed -n '1p; /^node 0/s/ .*//p' "$out" | tr '\n' ' ')" = \
	'out node node '
check "-o -: stderr is the command's" test "$(cat "$tmp/err")" = err
"$tool" run --json -o - true >"$tmp/json" 2>"$err"
check "-o - in JSON" has '^{"version":1,.*}$' json
check "-o -: makes no file" test ! -e ./-
check "no table is wider than 80 columns" \
	awk '/^wall/ { exit } length > 80 { exit 1 }' "$tmp/table"

# Without signals 32 and 33 of the C library, which a sanitizer's thread blocks.
look='while read -r name mask; do
	case $name in
	SigBlk: | SigIgn: | SigCgt:)
		echo "$name" $((0x$mask & ~0x180000000)) ;;
	esac
done </proc/self/status
ulimit -n; ls /proc/self/fd'
sh -c "$look" >"$tmp/bare"
"$tool" run -o "$tmp/table" sh -c "$look" >"$out" 2>"$err"
check "signals, limits and files are as they were" \
	cmp -s "$tmp/bare" "$out"
(
	trap '' HUP CHLD
	sh -c "$look" >"$tmp/bare"
	"$tool" run -o "$tmp/table" sh -c "$look" >"$out" 2>"$err"
)
check "ignored signals stay ignored" cmp -s "$tmp/bare" "$out"
(
	ulimit -S -n 16
	"$tool" run -o "$tmp/table" sh -c "ulimit -n" >"$out" 2>"$err"
)
check "a low limit on files stays" test "$(cat "$out")" = 16
"$tool" run -o "$tmp/table" sh -c 'echo x' >&- 2>"$err"
check "a closed stdout stays closed" has 'echo\|write' err
group='cut -d " " -f 5 /proc/$$/stat'
sh -c "$group" >"$tmp/bare"
"$tool" run -o "$tmp/table" sh -c "$group" >"$out"
check "the process group stays" cmp -s "$tmp/bare" "$out"

# ---- signals
for signal in TERM HUP USR1; do
	rm -f "$tmp/ready"
	"$tool" run -o "$tmp/table" sh -c "trap 'exit 9' $signal
		: >'$tmp/ready'; while :; do sleep 0.02; done" &
	pid=$!
	await test -e "$tmp/ready"
	kill -$signal $pid
	wait $pid
	check "SIG$signal is passed on" test $? -eq 9
done

rm -f "$tmp/ready"
"$tool" run -o "$tmp/table" sh -c "trap 'exit 5' TERM
	echo \$\$ >'$tmp/ready'; while :; do sleep 0.02; done" &
pid=$!
await test -s "$tmp/ready"
kill -INT $pid
kill -QUIT $pid
kill -STOP "$(cat "$tmp/ready")"
await is_in_state "$(cat "$tmp/ready")" T
# Repeated: a SIGCONT that comes before the tool knows of the stop is lost.
wakes() {
	kill -CONT $pid
	is_in_state "$(cat "$tmp/ready")" '[SR]'
}
check "SIGCONT wakes a command that stopped" await wakes
kill -TERM $pid
wait $pid
check "SIGINT and SIGQUIT are left to the command" test $? -eq 5

# ---- the end, in JSON
status "not found, in JSON" 127 --json "$tmp/no-such-command"
check "not found, in JSON: its exit status" has '"exit_status":127' err
now=$(date +%s)
status "a signal, in JSON" 137 --json -o "$tmp/json" sh -c 'kill -KILL $$'
check "a signal, in JSON: its number" has '"exit_status":137,"signal":9,' json
check "the time of the start, in JSON" test \
	"$(($(member started_ns) / 1000000000 - now))" -ge 0 -a \
	"$(($(member started_ns) / 1000000000 - now))" -lt 300
status "a signal" 143 sh -c 'kill -TERM $$'
check "a signal: the table has it" has '^signal 15 ended it: Terminated$' err
status "no signal" 137 --json sh -c 'exit 137'
check "no signal: null" has '"exit_status":137,"signal":null,' err

# ---- descendants
rm -f "$tmp/orphan"
"$tool" run --json -o "$tmp/json" sh -c "
	sh -c 'sleep 1000 & echo \$! >$tmp/orphan' &
	wait"
check "an orphan is not waited for" has '"still_running":1' json
kill "$(cat "$tmp/orphan")"
"$tool" run --wait --json -o "$tmp/json" sh -c "
	sh -c '(sleep 0.1; $busy) &' & wait"
check "--wait: none is left" has '"still_running":0' json
check "--wait: an orphan is accounted" \
	test "$(sum user_ns)" -gt 1000000
# The wall time of CPU time that one thread used can't be less.
"$tool" run --wait --json -o "$tmp/json" sh -c 'tests/support/spin 200 &'
check "--wait: the wall time is that of all" \
	test "$(sum wall_ns)" -ge 200000000

# orphaned [SIGNAL]: a command ends with status 3, but for what it left in the
# background; with the signal ignored
orphaned() {
	rm -f "$tmp/orphan"
	: >"$tmp/json"
	(
		[ $# -eq 0 ] || trap '' "$1"
		# Of what runs in the background, the shell has these ignored.
		exec ${signals:+env --default-signal=INT,QUIT} "$tool" run \
			--wait --json -o "$tmp/json" sh -c "
			sleep 20 & echo \$\$ \$! >$tmp/new; mv $tmp/new $tmp/orphan
			exit 3"
	) &
	pid=$!
	await test -s "$tmp/orphan"
	read -r command orphan <"$tmp/orphan"
	await test ! -d "/proc/$command"
}
for signal in ${signals:+INT:2 QUIT:3} HUP:1 TERM:15; do
	orphaned
	kill -${signal%:*} $pid
	wait $pid
	check "--wait: SIG${signal%:*} ends it, with its status" \
		test $? -eq $((128 + ${signal#*:}))
	kill "$orphan"
done
check "--wait: a signal, in JSON" has '"exit_status":143,"signal":null,' json
check "--wait: a signal: what the command left runs" has '"still_running":1' json
check "--wait: a signal: the report tells of it" \
	has 'signal 15 ended the waiting: Terminated' json
orphaned HUP
kill -HUP $pid
kill -USR1 $pid
sleep 0.2
kill "$orphan"
wait $pid
check "--wait: an ignored SIGHUP, and SIGUSR1, do nothing" test $? -eq 3
check "--wait: they do nothing: none is left" has '"still_running":0' json

# ---- the ledger
status "an unusable ledger costs nothing but itself" 0 \
	--ledger "$tmp/none/x" true
check "an unusable ledger: an error message" has "no ledger '$tmp/none/x'" err
echo x >"$tmp/file"
status "a ledger that is none" 0 --ledger "$tmp/file" true
check "a ledger that is none: an error message" \
	has "no ledger '$tmp/file': not a ledger" err
check "a ledger that is none: is left alone" test "$(cat "$tmp/file")" = x
status "no ledger" 0 --ledger none --json true
check "no ledger: null" has '"ledger":null' err
status "a ledger with a name" 0 --ledger named true
check "a ledger with a name: is removed" test ! -e "$NUMATALLY_DIR/named.ledger"
# $! is the tool that made the ledger; the other one joins it.
"$tool" run --ledger shared -o "$tmp/table" sh -c "
	until [ -e '$tmp/joined' ]; do sleep 0.02; done" &
made=$!
await test -e "$NUMATALLY_DIR/shared.ledger"
"$tool" run --ledger shared -o "$tmp/table" sh -c "
	: >'$tmp/joined'; until [ -e '$tmp/left' ]; do sleep 0.02; done" &
joined=$!
wait $made
check "a ledger that another writes to is left in place" \
	test -e "$NUMATALLY_DIR/shared.ledger"
: >"$tmp/left"
wait $joined
rm -f "$tmp/joined"
"$tool" run --ledger held -o "$tmp/table" sh -c "
	until [ -e '$tmp/joined' ]; do sleep 0.02; done" &
made=$!
await test -e "$NUMATALLY_DIR/held.ledger"
"$tool" run --ledger held --keep -o "$tmp/table" true
: >"$tmp/joined"
wait $made
check "a ledger with another's account is left in place" \
	test -e "$NUMATALLY_DIR/held.ledger"
rm -f "$NUMATALLY_DIR/shared.ledger" "$NUMATALLY_DIR/held.ledger"
status "a ledger that is kept" 0 --ledger kept --keep sh -c "$busy"
check "a ledger that is kept: it exists" \
	test -s "$NUMATALLY_DIR/kept.ledger"
status "an existing ledger is joined" 0 --ledger kept --json true
check "an existing ledger is left in place" test -s "$NUMATALLY_DIR/kept.ledger"
"$tool" show kept --json >"$tmp/json"
check "a kept ledger has the account of --keep, and no other" \
	test "$(grep -o '"key":"run/[0-9]*/[a-z]*"' "$tmp/json" |
		cut -d / -f 3)" = 'sh"'
status "another that is kept" 0 --ledger kept --keep true
"$tool" show kept --json >"$tmp/json"
check "both accounts are in the ledger" \
	test "$(grep -o '"key":"run/[0-9]*/[a-z]*"' "$tmp/json" | wc -l)" -eq 2
./tests/support/charger "$NUMATALLY_DIR/other.ledger" cpu_ns:ns:counter \
	page_faults::counter context_switches::counter migrations::counter \
	anonymous_bytes:bytes:counter file_bytes:bytes:gauge \
	shared_bytes:bytes:gauge huge_bytes:bytes:gauge </dev/null
status "a ledger with a resource of another kind" 0 --ledger other --json true
check "it is not joined" \
	has "no ledger 'other': it has other resources than a run has" err
check "kinds of a run's resources" test "$("$tool" show kept --json |
	grep -o '"kind":"[a-z]*"' | cut -d '"' -f 4 | tr '\n' ' ')" = \
	'counter counter counter counter gauge gauge gauge gauge '

plan
