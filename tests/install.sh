#!/bin/sh
# SPDX-License-Identifier: MIT
# An installed copy is used by a small program, through pkg-config, with the
# shared and with the static library; and its tool, under both of its names.
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

# made WHAT [VARIABLE=VALUE]
made()
{
	MAKEFLAGS='' ${MAKE:-make} "$@" DESTDIR= prefix="$tmp" \
		exec_prefix="$tmp" bindir="$tmp/bin" libdir="$tmp/lib" \
		libexecdir="$tmp/libexec" includedir="$tmp/include" \
		datarootdir="$tmp/share" >"$tmp/log" 2>&1
}

echo 1..11
n=0
made install NUMASTAT_LINK=
result $? "make install"

ls -l "$tmp"/bin/* "$tmp"/libexec/*/* >"$tmp/log" 2>&1
[ ! -e "$tmp/bin/numastat" ] && [ ! -e "$tmp/share/man/man1/numastat.1" ]
result $? "nothing is called numastat"

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

LD_LIBRARY_PATH="$tmp/lib" "$tmp/bin/numatally" topo --help >"$tmp/log" 2>&1 &&
	grep -q '^Usage: numatally topo' "$tmp/log"
result $? "the tool finds the program of its verbs"

made install NUMASTAT_LINK=numastat
result $? "make install, with --enable-numastat"

"$tmp/bin/numastat" -V >"$tmp/log" 2>&1 &&
	grep -q "^$tmp/bin/numastat version: " "$tmp/log"
result $? "numastat is there"

[ "$(cat "$tmp/share/man/man1/numastat.1")" = '.so man1/numatally-stat.1' ] &&
	[ -s "$tmp/share/man/man1/numatally-stat.1" ]
result $? "so is its manual page"

made uninstall NUMASTAT_LINK=numastat &&
	find "$tmp/bin" "$tmp/lib" "$tmp/libexec" "$tmp/include" "$tmp/share" \
		! -type d >"$tmp/log" 2>/dev/null
[ ! -s "$tmp/log" ]
result $? "make uninstall leaves nothing"
