#!/bin/sh
# SPDX-License-Identifier: MIT
# An installed copy is used by a small program, through pkg-config, with the
# shared and with the static library.
set -u
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
pc="${PKG_CONFIG:-pkg-config} --define-variable=libdir=$tmp/lib"
pc="$pc --define-variable=includedir=$tmp/include"
export PKG_CONFIG_PATH="$tmp/lib/pkgconfig${PKG_CONFIG_PATH+:}${PKG_CONFIG_PATH-}"

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

cat >"$tmp/use.c" <<'EOF'
#include <numatally/slice.h>

int main(void)
{
	struct tally_slice s = { .base = 0, .len = 0, .cap = 1 };

	if (tally_slice_grow(&s, 1) != 0 || tally_slice_len(&s) != 1)
		return 1;
	return tally_slice_grow(&s, 2) == -ENOSPC ? 0 : 1;
}
EOF

echo 1..6
n=0
MAKEFLAGS='' ${MAKE:-make} install DESTDIR= prefix="$tmp" exec_prefix="$tmp" \
	bindir="$tmp/bin" libdir="$tmp/lib" includedir="$tmp/include" \
	datarootdir="$tmp/share" >"$tmp/log" 2>&1
result $? "make install"

ls "$tmp/include/numatally" >"$tmp/log" 2>&1 &&
	(cd "${srcdir:-.}/include/numatally" && ls) |
	diff "$tmp/log" - >"$tmp/diff"
rc=$?
mv "$tmp/diff" "$tmp/log"
result $rc "every public header is installed"

$pc --modversion numatally >"$tmp/log" 2>&1
result $? "numatally.pc is found"

${CC:-cc} ${CFLAGS-} -o "$tmp/shared" "$tmp/use.c" \
	$($pc --cflags --libs numatally) ${LDFLAGS-} >"$tmp/log" 2>&1 &&
	LD_LIBRARY_PATH="$tmp/lib" "$tmp/shared" >>"$tmp/log" 2>&1
result $? "a program with the shared library"

# What the library needs stays shared: not all of it comes with an archive.
${CC:-cc} ${CFLAGS-} -o "$tmp/static" "$tmp/use.c" \
	$($pc --cflags numatally) "$tmp/lib/libnumatally.a" \
	$($pc --libs $($pc --print-requires numatally) \
		$($pc --print-requires-private numatally)) \
	${LDFLAGS-} -pthread >"$tmp/log" 2>&1 && "$tmp/static" >>"$tmp/log" 2>&1
result $? "a program with the static library"

MAKEFLAGS='' ${MAKE:-make} uninstall DESTDIR= prefix="$tmp" \
	exec_prefix="$tmp" bindir="$tmp/bin" libdir="$tmp/lib" \
	includedir="$tmp/include" datarootdir="$tmp/share" >"$tmp/log" 2>&1 &&
	find "$tmp/bin" "$tmp/lib" "$tmp/include" "$tmp/share" ! -type d \
		>"$tmp/log" 2>/dev/null
[ ! -s "$tmp/log" ]
result $? "make uninstall leaves nothing"
