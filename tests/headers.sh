#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, without config.h, as C11 and as C++17.
set -u
include=${srcdir:-.}/include
headers=$(cd "$include" && echo numatally/*.h)
have_cxx=$(command -v "${CXX:-g++}")
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

compile()
{
	printf "#include <%s>\nextern int one;\n" "$1" >"$tmp/one.$2"
	shift 2
	if "$@" -I"$include" -Wall -Wextra -Wconversion -Wshadow -pedantic \
		-Werror -fsyntax-only 2>"$tmp/log"; then
		return 0
	fi
	sed 's/^/# /' "$tmp/log"
	return 1
}

set -- $headers
echo "1..$(($# * 2))"
n=0
for h in $headers; do
	n=$((n + 1))
	if compile "$h" c ${CC:-cc} -std=c11 -Wstrict-prototypes \
		-x c "$tmp/one.c"; then
		echo "ok $n - $h as C11"
	else
		echo "not ok $n - $h as C11"
	fi
	n=$((n + 1))
	if [ -z "$have_cxx" ]; then
		echo "ok $n - $h as C++17 # SKIP no C++ compiler"
	elif compile "$h" cc "${CXX:-g++}" -std=c++17 \
		-x c++ "$tmp/one.cc"; then
		echo "ok $n - $h as C++17"
	else
		echo "not ok $n - $h as C++17"
	fi
done
