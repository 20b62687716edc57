#!/bin/sh
# SPDX-License-Identifier: MIT
# What the headers declare, what the map names and what the built libraries
# show are one set.
set -u
top=${srcdir:-.}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

# Every TALLY_API declaration, by the preprocessor: export.h is kept out, so
# that the mark survives.
declared()
{
	for h in "$top"/include/numatally/*.h; do
		${CC:-cc} -E -P -I"$top/include" ${URCU_CFLAGS-} \
			-DNUMATALLY_EXPORT_H -D'TALLY_API=@API@' \
			-DTALLY_BEGIN= -DTALLY_END= "$h"
	done | tr '\n\t' '  ' | grep -o '@API@[^;{]*[;{]' |
		sed 's/\(tally_[a-z0-9_]*\) *[(;[].*/\n\1/' |
		sed -n 's/^\(tally_[a-z0-9_]*\)$/\1/p' | sort -u
}

mapped()
{
	tr '{};' '\n\n\n' <"$top/lib/numatally.map" |
		sed -n 's/^[[:space:]]*\(tally_[a-z0-9_]*\)[[:space:]]*$/\1/p' |
		sort
}

same()
{
	n=$((n + 1))
	if diff "$tmp/$1" "$tmp/$2" >"$tmp/diff"; then
		echo "ok $n - $3"
	else
		echo "not ok $n - $3"
		sed "s/^</# only $1:/; s/^>/# only $2:/; t; d" "$tmp/diff"
	fi
}

declared >"$tmp/declared"
mapped >"$tmp/mapped"
nm -D --defined-only lib/.libs/libnumatally.so 2>/dev/null |
	awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$tmp/shared"
nm -g --defined-only lib/.libs/libnumatally.a 2>/dev/null |
	awk '$3 ~ /^tally_/ { print $3 }' | sort >"$tmp/static"

echo 1..4
n=1
if [ -s "$tmp/declared" ]; then
	echo "ok 1 - the headers declare something"
else
	echo "not ok 1 - the headers declare something"
fi
same declared mapped "the map names each function of the headers"
if [ -e lib/.libs/libnumatally.so ]; then
	same mapped shared "the shared library exports just these"
else
	n=3
	echo "ok 3 - the shared library # SKIP not built"
fi
if [ -e lib/.libs/libnumatally.a ]; then
	same mapped static "no private function is named tally_"
else
	echo "ok 4 - the static library # SKIP not built"
fi
