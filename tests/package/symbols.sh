#!/bin/sh
# SPDX-License-Identifier: MIT
# The functions that the headers declare, that the map names and that the built
# libraries export are the same.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
top=${srcdir:-.}

# Every TALLY_API declaration, by the preprocessor: export.h is kept out, so
# that the mark survives.
declared()
{
	for h in "$top"/include/numatally/*.h; do
		${CC:-cc} -E -P -I"$top/include" ${URCU_CFLAGS-} \
			-DNUMATALLY_EXPORT_H -D'TALLY_API=@API@' \
			-DTALLY_BEGIN= -DTALLY_END= -DTALLY_NODISCARD= "$h"
	done | tr '\n\t' '  ' | grep -o '@API@[^;{]*[;{]' |
		sed 's/\(tally_[a-z0-9_]*\) *[(;[].*/\n\1/' |
		sed -n 's/^\(tally_[a-z0-9_]*\)$/\1/p' | sort -u
}

# Every function that a header inlines, but those that only other inlined ones
# call.
inlined()
{
	for h in "$top"/include/numatally/*.h; do
		${CC:-cc} -E -P -I"$top/include" ${URCU_CFLAGS-} "$h"
	done | tr '\n\t' '  ' | grep -o 'static inline [^;{]*{' |
		sed -n 's/.*[ *]\(tally_[a-z0-9_]*\)(.*/\1/p' |
		grep -v '^tally_\(fast\|rseq\|credit\)_' | sort -u
}

mapped()
{
	tr '{};' '\n\n\n' <"$top/lib/numatally.map" |
		sed -n 's/^[[:space:]]*\(tally_[a-z0-9_]*\)[[:space:]]*$/\1/p' |
		sort
}

# same ONE OTHER NAME: a result
same()
{
	diff "$tmp/$1" "$tmp/$2" >"$tmp/diff"
	rc=$?
	sed "s/^</only $1:/; s/^>/only $2:/; t; d" "$tmp/diff" >"$tmp/log"
	result $rc "$3"
}

declared >"$tmp/declared"
mapped >"$tmp/mapped"
nm -D --defined-only lib/.libs/libnumatally.so 2>/dev/null |
	awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$tmp/shared"
nm -g --defined-only lib/.libs/libnumatally.a 2>/dev/null |
	awk '$3 ~ /^tally_/ { print $3 }' | sort >"$tmp/static"

plan 6
check "the headers declare something" test -s "$tmp/declared"
same declared mapped "the map names each function of the headers"
name="the shared library exports just these"
if [ -e lib/.libs/libnumatally.so ]; then
	same mapped shared "$name"
else
	skip "$name" "not built"
fi
name="no private function is named tally_"
if [ -e lib/.libs/libnumatally.a ]; then
	same mapped static "$name"
else
	skip "$name" "not built"
fi

# The words of tally_strerror_of() are for functions that exist.
grep -o '"tally_[a-z0-9_]*"' "$top/lib/base/error.c" | tr -d '"' | sort -u |
	while read -r name; do
		grep -q "^$name" "$tmp/mapped" || echo "no function: $name"
	done >"$tmp/log"
check "errors have words for functions that exist" test ! -s "$tmp/log"

inlined >"$tmp/inlined"
sed 's/_inline//; s/_fast$//' "$tmp/inlined" | sort -u |
	comm -23 - "$tmp/mapped" | sed 's/^/not exported: /' >"$tmp/log"
check "what is inlined has an exported twin" \
	test -s "$tmp/inlined" -a ! -s "$tmp/log"
