#!/bin/sh
# SPDX-License-Identifier: MIT
# one_test ends a test that takes too long, with its whole process group, and
# automake's driver reports it by name; everything else passes through.
. "${srcdir:-.}/tests/support/tap.sh"
here=$(cd "${srcdir:-.}" && pwd)
one_test=$here/tests/support/one_test

# script: a test, read from stdin
script()
{
	{ echo '#!/bin/sh'; cat; } >"$tmp/test"
	chmod 755 "$tmp/test"
}

# run [VARIABLE=VALUE]...: the script, which must leave nothing behind; how long it
# took is then in $tmp/took
run()
{
	env "$@" "$one_test" "$tmp/test" >"$tmp/all" 2>"$err"
	rc=$?
	sed -n '/^# took [0-9]* s, [0-9]* s of CPU time$/w '"$tmp/took"'
		//!p' "$tmp/all" >"$out"
	return $rc
}

# await_end FILE: waits until the process whose number FILE holds has ended
await_end()
{
	while state=$(sed 's/.*) \(.\).*/\1/' "/proc/$(cat "$1")/stat" 2>/dev/null)
		[ -n "$state" ] && [ "$state" != Z ]; do
		sleep 0.1
	done
}

script <<'END'
echo 1..2
echo ok 1 - a
echo not ok 2 - b
echo said >&2
exit 3
END
run A=1
[ $? -eq 3 ] && [ "$(tail -n 1 "$out")" = "not ok 2 - b" ] &&
	[ "$(cat "$err")" = said ]
result $? "output, diagnostics and exit status pass through"
script <<'END'
echo 'not ok 1 # SKIP why'
read line || echo ok 2 - no input
trap 'echo ok 3 - SIGINT' INT
kill -s INT $$
END
run A=1
[ $? -eq 0 ] && [ "$(cat "$out")" = "ok 1 # SKIP why
ok 2 - no input
ok 3 - SIGINT" ]
result $? "a skip of cmocka, no input, and SIGINT with its default"

script <<END
echo 1..1
sh -c 'trap "" TERM; while :; do sleep 1; done' &
echo \$! >$tmp/child
echo ok 1 - last words
echo \$\$ >$tmp/parent
while :; do sleep 1; done
END
run NUMATALLY_TEST_SECONDS=2 NUMATALLY_TEST_FACTOR=2
[ $? -eq 1 ] && [ "$(cat "$out")" = "1..1
ok 1 - last words
Bail out! took longer than 4 s" ] && [ -s "$tmp/took" ]
result $? "a test that takes too long bails out, after its output"
await_end "$tmp/parent" && await_end "$tmp/child"
result $? "no process of it is left"
: >"$tmp/parent"
"$one_test" "$tmp/test" >"$out" 2>"$err" &
until [ -s "$tmp/parent" ]; do
	sleep 0.1
done
kill $!
wait $!
[ $? -eq 143 ] && await_end "$tmp/parent" && await_end "$tmp/child"
result $? "no process is left if the run is ended"

# As make check runs it
(
	cd "$tmp" && NUMATALLY_TEST_SECONDS=1 AM_TAP_AWK=awk \
		sh "$here/build-aux/tap-driver.sh" --test-name slow \
		--log-file log --trs-file trs --color-tests no \
		--enable-hard-errors yes --expect-failure no -- \
		"$one_test" "$tmp/test" >out 2>err
)
grep -q '^ERROR: slow - Bail out! took longer than 1 s' "$out" &&
	grep -q '^:test-result: ERROR' "$tmp/trs" &&
	grep -q 'last words' "$tmp/log"
result $? "make check names it, and its log has its output"
plan
