#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally run in hostile surroundings: it counts what can be counted, reports
# what cannot, and the command runs undisturbed.
. "${srcdir:-.}/tests/tool/run_lib.sh"
# A short loop is enough here, and an emulated machine is slower.
[ -z "$NUMATALLY_GUEST" ] || busy=$(echo "$busy" | sed 's/15000/3000/')

# In a mount namespace of its own, if that is allowed.
if unshare -m true 2>/dev/null; then
	apart='unshare -m'
elif unshare -rm true 2>/dev/null; then
	apart='unshare -rm'
else
	apart=
fi

# apart NAME EXPECTED MOUNT ARGUMENT...: runs the tool, as the same user, in a
# mount namespace after the shell commands MOUNT
apart() {
	tried=$1 expected=$2 mount=$3
	shift 3
	if [ -z "$apart" ] || ! $apart sh -c "$mount" 2>/dev/null; then
		skip "$tried" "nothing may be mounted here"
		return 1
	fi
	: >"$tmp/json"
	# shellcheck disable=SC2016
	NUMATALLY_DIR='' timeout -s KILL 200 $apart sh -c "$mount"'; exec "$@"' \
		sh "$tool" run "$@" >"$out" 2>"$err"
	got=$?
	check "$tried" test "$got" -eq "$expected"
}

# ---- /dev/shm has no room
shm='mount -t tmpfs -o mode=1777'
for room in size=4k size=16k size=32k; do
	apart "/dev/shm of $room: the exit status" 7 \
		"$shm,$room none /dev/shm" sh -c "echo x; $busy; exit 7" ||
		continue
	check "/dev/shm of $room: stdout is the command's" \
		test "$(cat "$out")" = x
	check "/dev/shm of $room: the table" has '^node 0 .*%' err
	check "/dev/shm of $room: an error message" \
		has "^no ledger 'run-[0-9]*': No space left" err
done
apart "a full /dev/shm: the exit status" 7 \
	"$shm,size=64k none /dev/shm; cat /dev/zero >/dev/shm/x 2>&1 || :" \
	--json sh -c "$busy; exit 7" && {
	check "a full /dev/shm: an error message" \
		has "no ledger 'run-[0-9]*': No space left" err
	check "a full /dev/shm: no ledger, in JSON" has '"ledger":null' err
}
apart "no inodes in /dev/shm: the exit status" 7 \
	"$shm,nr_inodes=1 none /dev/shm" sh -c 'exit 7' &&
	check "no inodes in /dev/shm: an error message" \
		has "no ledger 'run-[0-9]*': No space left" err
apart "/dev/shm that fills up: the exit status" 7 \
	"$shm,size=1m none /dev/shm" --interval 0.01 sh -c \
	"cat /dev/zero >/dev/shm/x 2>/dev/null; $busy; exit 7" &&
	check "/dev/shm that fills up: the table" has '^node 0 .*%' err
apart "/dev/shm is read-only: the exit status" 7 \
	"$shm,ro none /dev/shm" sh -c "$busy; exit 7" && {
	check "/dev/shm is read-only: the table" has '^node 0 .*%' err
	check "/dev/shm is read-only: an error message" \
		has "^no ledger 'run-[0-9]*': Read-only" err
}

# ---- a container that hides /sys, or a part of it
for hidden in '' /devices/system /devices/system/node; do
	what="/sys$hidden is hidden"
	apart "$what: the exit status" 7 "mount -t tmpfs none /sys$hidden" \
		sh -c "$busy; exit 7" || continue
	check "$what: all is on one node" has '^node 0 .*100.0 %' err
	check "$what: memory, too" has '^node 0 .*[KM]iB$' err
	check "$what: no other row" \
		test "$(grep -c '^node\|^no node\|^all' "$err")" -eq 2
	check "$what: is said once" \
		test "$(grep -c 'shows no nodes' "$err")" -eq 1
	apart "$what: JSON" 0 "mount -t tmpfs none /sys$hidden" --json true &&
		check "$what: is a problem in JSON" \
			has '"problems":\["/sys/devices/system shows no nodes' err
done
apart "/sys/devices/system/cpu is hidden: the exit status" 7 \
	"mount -t tmpfs none /sys/devices/system/cpu" sh -c "$busy; exit 7" &&
	check "/sys/devices/system/cpu is hidden: the table" \
		has '^node .*100.0 %' err

# ---- programs whose events Linux takes away
"$tool" run --json --events=inherit -o "$tmp/json" tests/support/spin 200
# The time after a task's last event is long on a busy host.
slack=0
[ -z "$NUMATALLY_GUEST" ] || slack=100000000
check "no time is unattributed" test "$(of_none cpu_ns)" -le $slack
inherited=false
has '"events":"inherit"' json && inherited=true

nodes=$("$tool" topo --json | grep -o '"id":' | wc -l)

# lost NAME PROGRAM: PROGRAM, whose events Linux closes
lost() {
	timeout -s KILL 200 "$tool" run --json --events=inherit -o "$tmp/json" \
		sh -c "'$2' 300; exit 3" 2>"$err"
	check "$1: the exit status" test $? -eq 3
	check "$1: no time is lost" \
		awk -v all="$(sum cpu_ns)" -v rusage="$(rusage_ns)" \
		-v slack=$slack 'BEGIN { exit all < 0.97 * rusage - slack ||
			all > 1.01 * rusage + slack }'
	check "$1: a message" \
		has '[0-9] s of CPU time had no events (a setuid program?): ' json
	check "$1: migrations are an estimate" has '"estimates":\["migrations"' json
	"$tool" run --events=inherit -o "$tmp/table" sh -c "'$2' 300"
	check "$1: a message in the table" has 'had no events (a setuid' table
	if [ "$nodes" -eq 1 ]; then
		check "$1: its time is the one node's" test "$(of_none cpu_ns)" -eq 0
		return
	fi
	check "$1: its time is unattributed" test "$(of_none cpu_ns)" -ge 250000000
	check "$1: is in the table" has '^no node .* ms .*%' table
}

# Not on a file system mounted nosuid, nor in a user namespace of one user.
setuid_works() {
	"$tmp/spin" 5000 &
	await has_no_root $!
	worked=$?
	kill $!
	wait $!
	return $worked
}

has_no_root() {
	grep -q '^Uid:	0	1	' "/proc/$1/status"
}

cp tests/support/spin "$tmp/spin"
chmod 755 "$tmp" "$tmp/spin"
if ! $inherited; then
	skip "events that are taken away" "perf events are refused"
elif [ "$(id -u)" -ne 0 ]; then
	chmod 111 "$tmp/spin"
	lost "a program that can't be read" "$tmp/spin"
elif chown 1 "$tmp/spin" && chmod 4755 "$tmp/spin" && setuid_works; then
	lost "a setuid program" "$tmp/spin"
else
	skip "a setuid program" "none takes effect in $tmp"
fi

# ---- fewer CPUs than the machine has
cpu=$(taskset -cp $$ 2>/dev/null | sed 's/.*[^0-9]//')
if [ -n "$cpu" ]; then
	for way in inherit cgroup sample; do
		taskset -c "$cpu" "$tool" run --json --events=$way \
			-o "$tmp/json" sh -c "taskset -cp \$\$; tests/support/spin 100" \
			>"$out" 2>"$err"
		check "one CPU, $way: the command has no other" \
			has "[^0-9,-]$cpu\$" out
		check "one CPU, $way: all time is counted" \
			test "$(sum cpu_ns)" -ge 100000000
	done
else
	skip "one CPU" "there is no taskset"
fi

# ---- a procfs that hides processes, or is not mounted
as_other=
if [ "$(id -u)" -eq 0 ] && setpriv --reuid=1 --regid=1 --clear-groups \
	test -x "$tool" 2>/dev/null; then
	as_other="$(command -v setpriv) --reuid=1 --regid=1 --clear-groups"
fi
for way in inherit sample; do
	what="hidepid=2, $way"
	if [ -z "$as_other" ] || ! unshare -mpf sh -c \
		'mount -t proc -o hidepid=2 proc /proc' 2>/dev/null; then
		skip "$what" "procfs may not be mounted so, or not as another"
		continue
	fi
	: >"$tmp/json"
	chmod 666 "$tmp/json"
	timeout -s KILL 200 unshare -mpf sh -c "
		mount -t proc -o hidepid=2 proc /proc
		sleep 50 &
		hidden=\$!
		export hidden
		exec $as_other '$tool' run --json --events=$way \
			-o '$tmp/json' sh -c '
				[ -e /proc/\$hidden ] || echo hidden
				tests/support/spin 200 & tests/support/spin 200; wait; exit 5'" \
		>"$out" 2>"$err"
	check "$what: the exit status" test $? -eq 5
	check "$what: other processes are hidden" test "$(cat "$out")" = hidden
	check "$what: all time is counted" test "$(sum cpu_ns)" -ge 390000000
	check "$what: memory is seen" \
		test "$(member anonymous | sort -n | tail -n 1)" -gt 0
	check "$what: no problem is reported" \
		test "$(grep -c '/proc does not\|memory:' "$tmp/json")" -eq 0
done
for way in inherit sample; do
	if [ -n "$ASAN_OPTIONS" ]; then
		skip "no /proc, $way" "LeakSanitizer can't do without"
		continue
	fi
	apart "no /proc, $way: the exit status" 7 'umount -l /proc' \
		--events=$way sh -c "$busy; exit 7" || continue
	check "no /proc, $way: the table" has '^node 0 .*%' err
	check "no /proc, $way: an error message" has '^/proc does not show' err
done

# Numbers of processes mean others there: with one PID namespace between, and two.
for way in inherit sample; do
	for spaces in 'unshare -pf' 'unshare -pf unshare -pf'; do
		what="/proc of another PID namespace, $way"
		[ "$spaces" = 'unshare -pf' ] || what="$what above"
		if [ "$(id -u)" -ne 0 ] || ! $spaces true 2>/dev/null; then
			skip "$what" "no PID namespaces"
			continue
		fi
		: >"$tmp/json"
		timeout -s KILL 200 $spaces "$tool" run --json --events=$way \
			-o "$tmp/json" sh -c 'tests/support/spin 50; exit 5'
		check "$what: the exit status" test $? -eq 5
		check "$what: a message" has '"problems":\["/proc does not show' json
		check "$what: no CPU time of others" \
			test "$(sum cpu_ns)" -le $(($(rusage_ns) * 2))
		check "$what: no memory of others" \
			has '"memory_at_once":{"bytes":null,"lower_bytes":null,' json
		check "$what: no process of others" has '"still_running":0' json
	done
done
if [ "$(id -u)" -eq 0 ] && unshare -pf --mount-proc true 2>/dev/null; then
	unshare -pf --mount-proc "$tool" run --json -o "$tmp/json" sleep 0.1
	check "/proc of its PID namespace: no message" has '"problems":\[\]' json
	unshare -p "$tool" run --json -o "$tmp/json" sleep 0.1
	check "the command has a PID namespace: no message" \
		has '"problems":\[\]' json
else
	skip "/proc of its PID namespace" "no PID namespaces"
fi

# ---- standard streams that are closed
# shellcheck disable=SC2016
look='for fd in 0 1 2; do
	[ -e /proc/$$/fd/$fd ] && echo $fd is open
done >>$tmp/fds; exit 7'
export tmp
for closed in '0<&-' '1>&-' '2>&-' '0<&- 1>&- 2>&-'; do
	: >"$tmp/fds"
	eval "sh -c '$look' $closed"
	mv "$tmp/fds" "$tmp/bare"
	: >"$tmp/fds"
	eval "\"$tool\" run -o '$tmp/table' sh -c '$look' $closed"
	check "$closed: the exit status" test $? -eq 7
	check "$closed: it is closed for the command" \
		cmp -s "$tmp/bare" "$tmp/fds"
	check "$closed: the table" has '^node 0 .*%' table
done
"$tool" run sh -c 'exit 7' 2>&-
check "no stderr for the table: the exit status" test $? -eq 7
: >"$tmp/table"
"$tool" run -l "$tmp/none/x" -o "$tmp/table" "$tmp/no-such-command" 2>&-
check "no stderr: the table has no diagnostics" \
	test "$(grep -c ':.*No such file' "$tmp/table")" -eq 0

# ---- readers that have gone
"$tool" run -o "$tmp/table" sh -c 'while echo x; do :; done; exit 9' \
	2>/dev/null | :
check "a command whose output is not read: the table" has '^node 0 .*%' table
{
	"$tool" run sh -c "until [ -e '$tmp/gone' ]; do sleep 0.02; done; exit 7"
	echo $? >"$tmp/status"
} 2>&1 | { exec <&-; touch "$tmp/gone"; } &
await test -s "$tmp/status"
check "a table that is not read: the exit status" \
	test "$(cat "$tmp/status")" = 7

# ---- parents that ignore SIGCHLD; a shell's trap does not
if env --ignore-signal=CHLD true 2>/dev/null; then
	env --ignore-signal=CHLD "$tool" run -o "$tmp/table" \
		sh -c 'sleep 0.05 & wait; exit 7'
	check "SIGCHLD ignored: the exit status" test $? -eq 7
	check "SIGCHLD ignored: the table" has '^node 0 .*%' table
	env --ignore-signal=CHLD "$tool" run --json -o "$tmp/json" sleep 0.1
	check "SIGCHLD ignored: memory has no bound from above" has \
		'"memory_at_once":{"bytes":[0-9]*,"lower_bytes":[0-9]*,"upper_bytes":null}' json
	env --ignore-signal=CHLD "$tool" run -o "$tmp/table" sleep 0.1
	check "SIGCHLD ignored: memory has no bound from above, in the table" \
		has '^~ memory: at least .* at once in all$' table
else
	skip "SIGCHLD ignored" "this env ignores no signals"
fi

# ---- a low limit on files, which the user can't raise
for nr in 18 24 40; do
	# shellcheck disable=SC2016
	timeout -s KILL 100 sh -c "ulimit -n $nr"'; exec "$@"' sh \
		$as_other "$tool" run sh -c "$busy; exit 7" 2>"$err"
	check "$nr files: the exit status" test $? -eq 7
	check "$nr files: the table" has '^node 0 .*%' err
done

# ---- daemons outlive the command
rm -f "$tmp/daemon"
"$tool" run --json -o "$tmp/json" sh -c "
	(setsid sh -c 'echo \$\$ >$tmp/daemon; exec sleep 50' >/dev/null 2>&1 &)
	until [ -s $tmp/daemon ]; do sleep 0.02; done; exit 7"
check "a daemon: the exit status" test $? -eq 7
check "a daemon: is reported" has '"still_running":1' json
check "a daemon: lives on" is_in_state "$(cat "$tmp/daemon")" S
kill "$(cat "$tmp/daemon")"
plan
