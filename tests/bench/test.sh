#!/bin/sh
# SPDX-License-Identifier: MIT
# The benchmarks run and print their results in each form. No check here is of
# a time.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
case "${CFLAGS-}" in
*-fsanitize*)
	skip_all "a sanitizer's build is not to be measured" ;;
esac
bench=tests/bench/bench
plan 7
groups=$($bench --list | awk '{ print $1 }')
check "groups are listed" test -n "$groups"
mkdir "$tmp/svg"
$bench --quick --csv "$tmp/csv" --svg "$tmp/svg" >"$out" 2>"$err"
check "a quick run succeeds" test $? -eq 0
sed 's/^/# /' "$err"

in_all()
{
	for g in $groups; do
		grep -q "^\"$g\"," "$tmp/csv" &&
			grep -q '</svg>' "$tmp/svg/$g.svg" &&
			grep -q "^$g: " "$out" || return 1
	done
}
check "every group is in the text, the CSV and a picture" in_all

same_columns()
{
	awk -F, '
		{ gsub(/"[^"]*"/, "x") }
		NR == 1 { want = NF }
		NF != want { bad = 1 }
		END { exit bad || NR < 2 }' "$tmp/csv"
}
check "the CSV's lines have the same columns" same_columns

timed()
{
	awk -F, '
		{ gsub(/"[^"]*"/, "x") }
		NR > 1 && $3 == "ours" && !($4 > 0) { bad = 1 }
		END { exit bad }' "$tmp/csv"
}
check "every contender of ours was timed" timed

rows()
{
	[ "$(grep -c '^| .* |$' "$out")" -gt 5 ] &&
		grep -q '^ *512 ' "$out"
}
check "the table of targets and that of memory are printed" rows

$bench --no-such-option >"$out" 2>"$err"
check "a usage error exits with 2" test $? -eq 2
