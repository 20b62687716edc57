#!/bin/sh
# SPDX-License-Identifier: MIT
# Every command of README.md's tour prints what the page shows, but for numbers,
# their units and estimates' marks. The tour is of the machine of four nodes.
. "${srcdir:-.}/tests/support/tap.sh"
logs="diff got"
page=$(cd "$srcdir" && pwd)/README.md
export LC_ALL=C.UTF-8
cd "$tmp" || exit 99

# N.cmd and N.want for each "$ " line of the page's console blocks.
awk '
	/^```/ { inside = $0 == "```console"; next }
	!inside { next }
	/^\$ / || more {
		if (!more)
			n++
		sub(/^\$ /, "")
		print >(n ".cmd")
		more = /\\$/
		next
	}
	{ print >(n ".want") }' "$page"

mask()
{
	sed -E 's/[~#]//g; s/[0-9]+(\.[0-9]+)?/N/g
		s/N ([num]?s|[KMG]?i?B)\>/N/g; s/ +/ /g; s/ $//' "$1"
}

n=0
while [ -e $((n + 1)).cmd ]; do
	n=$((n + 1))
	sh ./$n.cmd >$n.got 2>&1
	mask $n.want >want
	mask $n.got >got
	diff want got >diff
	result $? "$(head -n 1 $n.cmd)"
done
check "the page has a tour" [ $n -ge 2 ]
plan
