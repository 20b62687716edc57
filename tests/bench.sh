#!/bin/sh
# SPDX-License-Identifier: MIT
# The benchmarks run, and say what they found in each form. Nothing here
# depends on a time.
set -u
case "${CFLAGS-}" in
*-fsanitize*)
	echo "1..0 # SKIP a sanitizer's build is not to be measured"
	exit 0 ;;
esac
bench=tests/bench/bench
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0

check()
{
	what=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
	fi
}

echo 1..7
groups=$($bench --list | awk '{ print $1 }')
check "groups are listed" test -n "$groups"
mkdir "$dir/svg"
$bench --quick --csv "$dir/csv" --svg "$dir/svg" >"$dir/out" 2>"$dir/err"
check "a quick run succeeds" test $? -eq 0
sed 's/^/# /' "$dir/err"

in_all()
{
	for g in $groups; do
		grep -q "^\"$g\"," "$dir/csv" &&
			grep -q '</svg>' "$dir/svg/$g.svg" &&
			grep -q "^$g: " "$dir/out" || return 1
	done
}
check "every group is in the text, the CSV and a picture" in_all

same_columns()
{
	awk -F, '
		{ gsub(/"[^"]*"/, "x") }
		NR == 1 { want = NF }
		NF != want { bad = 1 }
		END { exit bad || NR < 2 }' "$dir/csv"
}
check "the CSV's lines have the same columns" same_columns

timed()
{
	awk -F, '
		{ gsub(/"[^"]*"/, "x") }
		NR > 1 && $3 == "ours" && !($4 > 0) { bad = 1 }
		END { exit bad }' "$dir/csv"
}
check "everything of ours was timed" timed

rows()
{
	[ "$(grep -c '^| .* |$' "$dir/out")" -gt 5 ] &&
		grep -q '^ *512 ' "$dir/out"
}
check "the table of targets and that of memory are printed" rows

$bench --no-such-option >"$dir/out" 2>"$dir/err"
check "a usage error exits with 2" test $? -eq 2
