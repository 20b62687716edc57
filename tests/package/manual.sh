#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual pages of section 1 keep up: each verb and option is in them.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
top=${srcdir:-.}
page1=$top/tools/main/numatally.1
pages1=$(ls "$top"/tools/*/numatally*.1)

# named PAGES LEAD: prints the words read that no page has after LEAD.
named()
{
	while read -r word; do
		plain=$(echo "$word" | sed 's/^--//')
		grep -q -e "$2$plain\\([^a-z_-]\\|\$\\)" $1 ||
			echo "$word"
	done
}

plan 4

"$NUMATALLY" --help >"$tmp/help" 2>"$tmp/log" &&
	sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' "$tmp/help" >"$tmp/verbs"
named "$page1" '^\.It Cm ' <"$tmp/verbs" >"$tmp/log"
while read -r verb; do
	grep -q "^\.Xr numatally-$verb 1" "$page1" || echo "no numatally-$verb(1)"
done <"$tmp/verbs" >>"$tmp/log"
[ ! -s "$tmp/log" ]
result $? "numatally(1) has each verb, and points to its page"

while read -r verb; do
	"$NUMATALLY" "$verb" --help </dev/null
done <"$tmp/verbs" | grep -o -e '--[a-z][a-z-]*' | sort -u |
	named "$pages1" 'Fl \\-' >"$tmp/log"
[ ! -s "$tmp/log" ]
result $? "the pages of section 1 have each long option"

while read -r verb; do
	page=$top/tools/$verb/numatally-$verb.1
	[ -e "$page" ] || echo "no $page"
	"$NUMATALLY" "$verb" --help </dev/null >"$tmp/verb"
	grep -o -e '--[a-z][a-z-]*' "$tmp/verb" | sort -u |
		named "$page" '^\.It.* Fl \\-'
	sed -n 's/^  -\([a-zA-Z]\)[[, ].*/\1/p' "$tmp/verb" | sort -u |
		named "$page" '^\.It Fl '
done <"$tmp/verbs" >"$tmp/log"
[ ! -s "$tmp/log" ]
result $? "each verb has a page, with each of its options"

sed '1,/^\.\\" screen: begin/d; /^\.\\" screen: end/,$d; /^\.[BE]d/d' \
	"$top/tools/top/numatally-top.1" | sed 's/\\-/-/g; s/\\(ti/~/g' >"$tmp/log"
[ "$(wc -l <"$tmp/log")" -eq 24 ] && ! grep -q '.\{81\}' "$tmp/log" &&
	head -n 1 "$tmp/log" | grep -q '^numatally top  64 nodes'
result $? "numatally-top(1) has a screen of 80 columns and 24 lines"
