#!/bin/sh
# SPDX-License-Identifier: MIT
# README.md's C program compiles without a warning and prints what the page shows.
. "${srcdir:-.}/tests/support/tap.sh"
top=${srcdir:-.}

awk '/^```/ { inside = $0 == "```c" && !n++; next } inside' "$top/README.md" \
	>"$tmp/readme.c"
# What it prints stands in the next block.
awk '/^```c$/ { seen = 1 } /^```/ { n += seen; next } n == 3' \
	"$top/README.md" >"$tmp/want"
run ${CC:-cc} ${CFLAGS-} -std=c11 -Wall -Wextra -Werror -I"$top/include" \
	-o "$tmp/readme" "$tmp/readme.c" lib/.libs/libnumatally.so \
	${LDFLAGS-}
result $? "the program compiles"
LD_LIBRARY_PATH=lib/.libs run "$tmp/readme"
check "it ends well" [ $? -eq 0 ]
diff "$tmp/want" "$out" >"$tmp/log"
result $? "it prints what the page shows"
plan
