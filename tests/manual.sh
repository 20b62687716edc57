#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual pages keep up: each verb, option and function is in them, and
# the example program does what it says.
set -u
top=${srcdir:-.}
page1=$top/tools/numatally.1
page3=$top/lib/numatally.3
pages1="$page1 $top/tools/numatally-stat.1 $top/tools/numatally-top.1"
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

result()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$tmp/log"
	fi
}

# named PAGES LEAD: which of the words read have the pages no LEADword of.
named()
{
	while read -r word; do
		plain=$(echo "$word" | sed 's/^--//')
		grep -q -e "$2$plain\\([^a-z_-]\\|\$\\)" $1 ||
			echo "$word"
	done
}

echo 1..7
n=0

"$NUMATALLY" --help >"$tmp/help" 2>"$tmp/log" &&
	sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' "$tmp/help" >"$tmp/verbs"
named "$page1" '^\.It Cm ' <"$tmp/verbs" >"$tmp/log"
[ ! -s "$tmp/log" ]
result $? "numatally(1) has each verb"

while read -r verb; do
	"$NUMATALLY" "$verb" --help </dev/null
done <"$tmp/verbs" | grep -o -e '--[a-z][a-z-]*' | sort -u |
	named "$pages1" 'Fl \\-' >"$tmp/log"
[ ! -s "$tmp/log" ]
result $? "the pages of section 1 have each long option"

"$NUMATALLY" stat --help | grep -o -e '--[a-z][a-z-]*' | sort -u |
	named "$top/tools/numatally-stat.1" '^\.It Fl \\-' >"$tmp/log"
"$NUMATALLY" stat --help | sed -n 's/^  -\([a-zA-Z]\)[[ ].*/\1/p' | sort -u |
	named "$top/tools/numatally-stat.1" '^\.It Fl ' >>"$tmp/log"
[ ! -s "$tmp/log" ]
result $? "numatally-stat(1) has each option"

"$NUMATALLY" top --help | grep -o -e '--[a-z][a-z-]*' | sort -u |
	named "$top/tools/numatally-top.1" '^\.It Fl \\-' >"$tmp/log"
[ ! -s "$tmp/log" ]
result $? "numatally-top(1) has each option"

sed '1,/^\.\\" screen: begin/d; /^\.\\" screen: end/,$d; /^\.[BE]d/d' \
	"$top/tools/numatally-top.1" | sed 's/\\-/-/g; s/\\(ti/~/g' >"$tmp/log"
[ "$(wc -l <"$tmp/log")" -eq 24 ] && ! grep -q '.\{81\}' "$tmp/log" &&
	head -n 1 "$tmp/log" | grep -q '^numatally top  64 nodes'
result $? "numatally-top(1) has a screen of 80 columns and 24 lines"

sed -n '/^global:/,/^local:/s/^[[:space:]]*\(tally_[a-z0-9_]*\);$/\1/p' \
	"$top/lib/numatally.map" | named "$page3" '\(Fn\|Va\) ' >"$tmp/log"
[ ! -s "$tmp/log" ]
result $? "numatally(3) has each function"

sed '1,/^\.\\" example: begin/d; /^\.\\" example: end/,$d; /^\.[BE]d/d' \
	"$page3" | sed 's/\\e/\\/g; s/\\-/-/g' >"$tmp/example.c"
${CC:-cc} ${CFLAGS-} -std=c11 -Wall -Wextra -Werror -I"$top/include" \
	-o "$tmp/example" "$tmp/example.c" lib/.libs/libnumatally.so \
	${LDFLAGS-} >"$tmp/log" 2>&1 &&
	LD_LIBRARY_PATH=lib/.libs "$tmp/example" >"$tmp/out" 2>>"$tmp/log" &&
	awk '/^batch\/job-42: node [0-9]+: [0-9]+ requests$/ {
			sum += $4; next
		}
		{ exit 1 }
		END { exit sum != 1000 }' "$tmp/out"
result $? "the example of numatally(3) counts to 1000"
