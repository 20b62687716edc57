#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally run in hard surroundings: it counts what can be counted, says what
# could not be, and the command runs as if nothing were.
. "$srcdir/tests/tool_run_lib.sh"
# Some time is enough here, and it passes more slowly on an emulated machine.
[ -z "$NUMATALLY_GUEST" ] || busy=$(echo "$busy" | sed 's/15000/3000/')

# In a mount namespace of its own, where that is allowed.
if unshare -m true 2>/dev/null; then
	apart='unshare -m'
elif unshare -rm true 2>/dev/null; then
	apart='unshare -rm'
else
	apart=
fi

# apart NAME EXPECTED MOUNT ARGUMENT...: runs the tool where MOUNT, words of a
# shell, was done; as the user that it would be
apart() {
	tried=$1 expected=$2 mount=$3
	shift 3
	if [ -z "$apart" ] || ! $apart sh -c "$mount" 2>/dev/null; then
		skip "$tried" "nothing may be mounted here"
		return 1
	fi
	: >"$dir/json"
	# shellcheck disable=SC2016
	NUMATALLY_DIR='' timeout -s KILL 60 $apart sh -c "$mount"'; exec "$@"' \
		sh "$tool" run "$@" >"$dir/out" 2>"$dir/err"
	got=$?
	report "$tried" test "$got" -eq "$expected"
}

# ---- /dev/shm has no room
shm='mount -t tmpfs -o mode=1777'
for room in size=4k size=16k size=32k; do
	apart "/dev/shm of $room: the exit status" 7 \
		"$shm,$room none /dev/shm" sh -c "echo x; $busy; exit 7" ||
		continue
	report "/dev/shm of $room: stdout is the command's" \
		test "$(cat "$dir/out")" = x
	report "/dev/shm of $room: the table" has '^node 0 .*%' err
	report "/dev/shm of $room: is said" \
		has "^no ledger 'run-[0-9]*': No space left" err
done
apart "a full /dev/shm: the exit status" 7 \
	"$shm,size=64k none /dev/shm; cat /dev/zero >/dev/shm/x 2>&1 || :" \
	--json sh -c "$busy; exit 7" && {
	report "a full /dev/shm: is said" \
		has "no ledger 'run-[0-9]*': No space left" err
	report "a full /dev/shm: no ledger, in JSON" has '"ledger":null' err
}
apart "no inodes in /dev/shm: the exit status" 7 \
	"$shm,nr_inodes=1 none /dev/shm" sh -c 'exit 7' &&
	report "no inodes in /dev/shm: is said" \
		has "no ledger 'run-[0-9]*': No space left" err
apart "/dev/shm that fills up: the exit status" 7 \
	"$shm,size=1m none /dev/shm" --interval 0.01 sh -c \
	"cat /dev/zero >/dev/shm/x 2>/dev/null; $busy; exit 7" &&
	report "/dev/shm that fills up: the table" has '^node 0 .*%' err
apart "/dev/shm is read-only: the exit status" 7 \
	"$shm,ro none /dev/shm" sh -c "$busy; exit 7" && {
	report "/dev/shm is read-only: the table" has '^node 0 .*%' err
	report "/dev/shm is read-only: is said" \
		has "^no ledger 'run-[0-9]*': Read-only" err
}

# ---- programs whose events Linux takes away
"$tool" run --json --events=inherit -o "$dir/json" tests/spin 200
# What a task does after its last event is long where CPUs wait for CPUs.
slack=0
[ -z "$NUMATALLY_GUEST" ] || slack=100000000
report "nothing is of no node" test "$(of_none cpu_ns)" -le $slack
inherited=false
has '"events":"inherit"' json && inherited=true

# lost NAME PROGRAM: it and what it starts
lost() {
	timeout -s KILL 60 "$tool" run --json --events=inherit -o "$dir/json" \
		sh -c "'$2' 300; exit 3" 2>"$dir/err"
	report "$1: the exit status" test $? -eq 3
	report "$1: no time is lost" \
		awk -v all="$(sum cpu_ns)" -v rusage="$(rusage_ns)" \
		-v slack=$slack 'BEGIN { exit all < 0.97 * rusage - slack ||
			all > 1.01 * rusage + slack }'
	report "$1: it is of no node" test "$(of_none cpu_ns)" -ge 250000000
	report "$1: is said" has 'of no node (setuid' json
	"$tool" run --events=inherit -o "$dir/table" sh -c "'$2' 300"
	report "$1: is in the table" has '^no node .* ms .*%' table
}

# Not where the file system is mounted so, nor as root without more users.
setuid_works() {
	"$dir/spin" 5000 &
	await has_no_root $!
	worked=$?
	kill $!
	wait $!
	return $worked
}

has_no_root() {
	grep -q '^Uid:	0	1	' "/proc/$1/status"
}

cp tests/spin "$dir/spin"
chmod 755 "$dir" "$dir/spin"
if ! $inherited; then
	skip "events that are taken away" "perf events are refused"
elif [ "$(id -u)" -ne 0 ]; then
	chmod 111 "$dir/spin"
	lost "a program that can't be read" "$dir/spin"
elif chown 1 "$dir/spin" && chmod 4755 "$dir/spin" && setuid_works; then
	lost "a setuid program" "$dir/spin"
else
	skip "a setuid program" "none takes effect in $dir"
fi

# ---- fewer CPUs than the machine has
cpu=$(taskset -cp $$ 2>/dev/null | sed 's/.*[^0-9]//')
if [ -n "$cpu" ]; then
	for way in inherit cgroup sample; do
		taskset -c "$cpu" "$tool" run --json --events=$way \
			-o "$dir/json" sh -c "taskset -cp \$\$; tests/spin 100" \
			>"$dir/out" 2>"$dir/err"
		report "one CPU, $way: the command has no other" \
			has "[^0-9,-]$cpu\$" out
		report "one CPU, $way: all time is counted" \
			test "$(sum cpu_ns)" -ge 100000000
	done
else
	skip "one CPU" "there is no taskset"
fi

# ---- a procfs that hides, or is not there
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
	: >"$dir/json"
	chmod 666 "$dir/json"
	timeout -s KILL 60 unshare -mpf sh -c "
		mount -t proc -o hidepid=2 proc /proc
		sleep 50 &
		hidden=\$!
		export hidden
		exec $as_other '$tool' run --json --events=$way \
			-o '$dir/json' sh -c '
				[ -e /proc/\$hidden ] || echo hidden
				tests/spin 200 & tests/spin 200; wait; exit 5'" \
		>"$dir/out" 2>"$dir/err"
	report "$what: the exit status" test $? -eq 5
	report "$what: others are hidden" test "$(cat "$dir/out")" = hidden
	report "$what: all time is counted" test "$(sum cpu_ns)" -ge 390000000
	report "$what: memory is seen" \
		test "$(member anonymous | sort -n | tail -n 1)" -gt 0
	report "$what: no problem with it" \
		test "$(grep -c '/proc does not\|memory:' "$dir/json")" -eq 0
done
for way in inherit sample; do
	if [ -n "$ASAN_OPTIONS" ]; then
		skip "no /proc, $way" "LeakSanitizer can't do without"
		continue
	fi
	apart "no /proc, $way: the exit status" 7 'umount -l /proc' \
		--events=$way sh -c "$busy; exit 7" || continue
	report "no /proc, $way: the table" has '^node 0 .*%' err
	report "no /proc, $way: is said" has '^/proc does not show' err
done

# ---- standard streams that are closed
# shellcheck disable=SC2016
look='for fd in 0 1 2; do
	[ -e /proc/$$/fd/$fd ] && echo $fd is open
done >>$dir/fds; exit 7'
export dir
for closed in '0<&-' '1>&-' '2>&-' '0<&- 1>&- 2>&-'; do
	: >"$dir/fds"
	eval "sh -c '$look' $closed"
	mv "$dir/fds" "$dir/bare"
	: >"$dir/fds"
	eval "\"$tool\" run -o '$dir/table' sh -c '$look' $closed"
	report "$closed: the exit status" test $? -eq 7
	report "$closed: it is closed for the command" \
		cmp -s "$dir/bare" "$dir/fds"
	report "$closed: the table" has '^node 0 .*%' table
done
"$tool" run sh -c 'exit 7' 2>&-
report "no stderr for the table: the exit status" test $? -eq 7
: >"$dir/table"
"$tool" run -l "$dir/none/x" -o "$dir/table" "$dir/no-such-command" 2>&-
report "no stderr: the table has no diagnostics" \
	test "$(grep -c ':.*No such file' "$dir/table")" -eq 0

# ---- who reads has gone
"$tool" run -o "$dir/table" sh -c 'while echo x; do :; done; exit 9' \
	2>/dev/null | :
report "a command that writes to nobody: the table" has '^node 0 .*%' table
{
	"$tool" run sh -c "until [ -e '$dir/gone' ]; do sleep 0.02; done; exit 7"
	echo $? >"$dir/status"
} 2>&1 | : &
sleep 0.1
touch "$dir/gone"
await test -s "$dir/status"
report "a table that nobody reads: the exit status" \
	test "$(cat "$dir/status")" = 7

# ---- parents that ignore SIGCHLD
(
	trap '' CHLD
	exec "$tool" run -o "$dir/table" sh -c 'sleep 0.05 & wait; exit 7'
)
report "SIGCHLD ignored: the exit status" test $? -eq 7
report "SIGCHLD ignored: the table" has '^node 0 .*%' table

# ---- few files may be open, to somebody who can't raise that
for nr in 18 24 40; do
	# shellcheck disable=SC2016
	timeout -s KILL 20 sh -c "ulimit -n $nr"'; exec "$@"' sh \
		$as_other "$tool" run sh -c "$busy; exit 7" 2>"$dir/err"
	report "$nr files: the exit status" test $? -eq 7
	report "$nr files: the table" has '^node 0 .*%' err
done

# ---- daemons outlive the command
rm -f "$dir/daemon"
"$tool" run --json -o "$dir/json" sh -c "
	(setsid sh -c 'echo \$\$ >$dir/daemon; exec sleep 50' >/dev/null 2>&1 &)
	until [ -s $dir/daemon ]; do sleep 0.02; done; exit 7"
report "a daemon: the exit status" test $? -eq 7
report "a daemon: is told of" has '"still_running":1' json
report "a daemon: lives on" is_in_state "$(cat "$dir/daemon")" S
kill "$(cat "$dir/daemon")"
echo "1..$count"
