#!/bin/sh
# SPDX-License-Identifier: MIT
# The example of a scheduler compiles without a warning, from the headers alone, and
# prints what it should; README shows its core.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
examples=${srcdir:-.}/tests/examples
LD_LIBRARY_PATH=$PWD/lib/.libs
export LD_LIBRARY_PATH
ledgers=$(mktemp -d /dev/shm/numatally-test.XXXXXX) || ledgers=$tmp
at_end()
{
	rm -rf "$ledgers"
}

# prints NAME LEDGER JOBS THREADS, with what it prints on stdin
prints()
{
	cat >"$tmp/want"
	run "$tmp/scheduler" "$ledgers/$2" "$3" "$4" </dev/null
	check "$1: it ends well" [ $? -eq 0 ]
	diff "$tmp/want" "$out" >"$tmp/log"
	result $? "$1: it prints what it should"
}

run ${CC:-cc} ${CFLAGS-} -std=c11 -Wall -Wextra -Werror -I"${srcdir:-.}/include" \
	-o "$tmp/scheduler" "$examples/scheduler.c" -pthread \
	lib/.libs/libnumatally.so ${LDFLAGS-}
result $? "it compiles"

prints "one that finds room for some" ledger 24 1 <<'END_LIST'
job-7#1: placed on m1/0
job-15#1: placed on m1/0
job-23#1: placed on m1/1
job-0#1: placed on m1/1
job-1#1: placed on m1/1
job-2#1: placed on m2/0
job-3#1: placed on m2/0
job-4#1: placed on m1/1
job-5#1: placed on m2/1
job-6#1: placed on m2/1
job-8#1: placed on m2/0
job-9#1: placed on m2/1
job-10#1: placed on m3/0
job-11#1: placed on m3/0
job-12#1: placed on m3/1
job-13#1: placed on m3/1
job-14#1: placed on m3/1
job-16#1: placed on m2/1
job-21#1: placed on m3/1
job-17: pending
job-18: pending
job-19: pending
job-20: pending
job-22: pending
END_LIST
prints "the next one evicts for an urgent job" ledger 32 1 <<'END_LIST'
job-6#1: evicted
job-16#1: evicted
job-31#1: placed on m2/1
job-24#1: placed on m3/0
job-17: pending
job-18: pending
job-19: pending
job-20: pending
job-22: pending
job-25: pending
job-26: pending
job-27: pending
job-28: pending
job-29: pending
job-30: pending
job-6: pending
job-16: pending
END_LIST

# Two at once: each job is placed by one of them, once. There is room in any order.
"$tmp/scheduler" "$ledgers/two" 10 3 </dev/null >"$tmp/first" 2>"$tmp/log" &
run "$tmp/scheduler" "$ledgers/two" 10 3 </dev/null
check "one of two ends well" [ $? -eq 0 ]
wait $!
result $? "the other one ends well"
cat "$out" "$tmp/first" | sed -n 's/#.*: placed on .*//p' | sort -V >"$tmp/log"
for i in 0 1 2 3 4 5 6 7 8 9; do
	echo "job-$i"
done | cmp -s - "$tmp/log"
result $? "each job is placed once"

run "$tmp/scheduler" "$ledgers/two" 0 1 </dev/null
check "without jobs it says how it is used" grep -q '^usage: ' "$err"

[ "$(cat "$examples"/scheduler*.[ch] | wc -l)" -lt 600 ]
result $? "it is short"
sed -n '/^static int schedule(/,/^}/p' "$examples/scheduler.c" >"$tmp/want"
awk '/^```/ { inside = $0 == "```c" && ++n == 2; next } inside' \
	"${srcdir:-.}/README.md" | sed 1d | diff - "$tmp/want" >"$tmp/log"
result $? "README shows its core"
[ "$(wc -l <"$tmp/want")" -lt 30 ]
result $? "which has less than 30 lines"
plan
