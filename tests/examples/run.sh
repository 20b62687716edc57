#!/bin/sh
# SPDX-License-Identifier: MIT
# Each example compiles without a warning, from the headers alone, and prints what
# it should.
. "${srcdir:-.}/tests/support/tap.sh"
examples=${srcdir:-.}/tests/examples

# example NAME, with what it prints on stdin
example()
{
	cat >"$tmp/want"
	run ${CC:-cc} ${CFLAGS-} -std=c11 -Wall -Wextra -Werror \
		-I"${srcdir:-.}/include" -o "$tmp/$1" "$examples/$1.c" \
		lib/.libs/libnumatally.so ${LDFLAGS-}
	result $? "$1 compiles"
	[ "$(wc -l <"$examples/$1.c")" -lt 100 ]
	result $? "$1 has less than 100 lines"
	LD_LIBRARY_PATH=lib/.libs run "$tmp/$1"
	check "$1 ends well" [ $? -eq 0 ]
	diff "$tmp/want" "$out" >"$tmp/log"
	result $? "$1 prints what it should"
}

example scheduler <<'END'
batch/job-0: 2 cores: 0
batch/job-1: 3 cores: 0
batch/job-2: 4 cores: 0
batch/job-3: 5 cores: 0
batch/job-4: 6 cores: 1
batch/job-5: 2 cores: 1
batch/job-6: 3 cores: 1
batch/job-7: 4 cores: 1
batch/job-8: 5 cores: -28
batch/job-9: 6 cores: -28
END
plan
