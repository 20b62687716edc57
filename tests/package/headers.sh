#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, without config.h, as C11 and as C++17;
# numatally.h includes them all but the one that needs liburcu.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
include=${srcdir:-.}/include
headers=$(cd "$include" && echo numatally.h numatally/*.h)
have_cxx=$(command -v "${CXX:-g++}")

compile()
{
	printf "#include <%s>\nextern int one;\n" "$1" >"$tmp/one.$2"
	shift 2
	"$@" -I"$include" -Wall -Wextra -Wconversion -Wshadow -pedantic \
		-Werror -fsyntax-only 2>"$tmp/log"
}

set -- $headers
plan $(($# * 2 + 1))
for h in $headers; do
	check "$h as C11" compile "$h" c ${CC:-cc} -std=c11 \
		-Wstrict-prototypes -x c "$tmp/one.c"
	if [ -z "$have_cxx" ]; then
		skip "$h as C++17" "no C++ compiler"
	else
		check "$h as C++17" compile "$h" cc "${CXX:-g++}" -std=c++17 \
			-x c++ "$tmp/one.cc"
	fi
done

echo '#include <numatally.h>' |
	${CC:-cc} -I"$include" -M -x c - | tr ' ' '\n' >"$tmp/included"
for h in $headers; do
	case $h in
	numatally/slice_ref.h) ;;
	*) grep -qx "$include/$h" "$tmp/included" || echo "$h" ;;
	esac
done >"$tmp/log"
! grep -q urcu "$tmp/included" && [ ! -s "$tmp/log" ]
result $? "numatally.h has every header but slice_ref.h"
