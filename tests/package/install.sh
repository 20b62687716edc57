#!/bin/sh
# SPDX-License-Identifier: MIT
# An installed copy is used by a small program, through pkg-config, with the
# shared and with the static library; and its tool, under both of its names.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
pc="${PKG_CONFIG:-pkg-config} --define-variable=libdir=$tmp/lib"
pc="$pc --define-variable=includedir=$tmp/include"
export PKG_CONFIG_PATH="$tmp/lib/pkgconfig${PKG_CONFIG_PATH+:}${PKG_CONFIG_PATH-}"

cat >"$tmp/use.c" <<'EOF'
#include <numatally.h>

int main(void)
{
	const struct tally_resource resource = { "a", "", TALLY_GAUGE };
	struct tally_slice s = { .base = 0, .len = 0, .cap = 1 };
	struct tally_ledger *ledger = NULL;
	struct tally_topo *topo;
	int err = tally_topo_open(NULL, &topo);

	if (!err)
		err = tally_ledger_create(NULL, topo, &resource, 1, NULL,
					  &ledger);
	if (err)
		return 2;
	tally_ledger_close(ledger);
	tally_topo_close(topo);
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

plan 14
made install NUMASTAT_LINK=
result $? "make install"

ls -l "$tmp"/bin/* "$tmp"/libexec/*/* >"$tmp/log" 2>&1
[ ! -e "$tmp/bin/numastat" ] && [ ! -e "$tmp/share/man/man1/numastat.1" ]
result $? "nothing is called numastat"

(cd "$tmp/include" && ls *.h numatally/*.h) >"$tmp/log" 2>&1 &&
	(cd "${srcdir:-.}/include" && ls *.h numatally/*.h) |
	diff "$tmp/log" - >"$tmp/diff"
rc=$?
mv "$tmp/diff" "$tmp/log"
result $rc "every public header is installed"

# By a page that includes the one of its family, where that has another name.
sed -n '/^global:/,/^local:/s/^[[:space:]]*\(tally_[a-z0-9_]*\);$/\1/p' \
	"${srcdir:-.}/lib/numatally.map" |
	grep -vx 'tally_slice_checks\|tally_rseq_offset\|tally_thread_cache_offset' |
	while read -r name; do
		page=$tmp/share/man/man3/$name.3
		includes=$(sed -n 's/^\.so //p' "$page")
		grep -q "^\.Nm $name\( ,\)\?\$" \
			"${includes:+$tmp/share/man/}${includes:-$page}" ||
			echo "no page for $name"
	done >"$tmp/log" 2>&1
[ ! -s "$tmp/log" ]
result $? "man finds each function"

$pc --modversion numatally >"$tmp/log" 2>&1
result $? "numatally.pc is found"

${CC:-cc} ${CFLAGS-} -o "$tmp/shared" "$tmp/use.c" \
	$($pc --cflags --libs numatally) ${LDFLAGS-} >"$tmp/log" 2>&1 &&
	LD_LIBRARY_PATH="$tmp/lib" "$tmp/shared" >>"$tmp/log" 2>&1
result $? "a program with the shared library"

# As after --disable-shared. The libraries that it needs stay shared: some come
# without an archive.
mkdir "$tmp/shared-ones" && mv "$tmp"/lib/libnumatally.so* "$tmp/shared-ones"
${CC:-cc} ${CFLAGS-} -o "$tmp/static" "$tmp/use.c" \
	$($pc --cflags --libs --static numatally) ${LDFLAGS-} \
	>"$tmp/log" 2>&1 && "$tmp/static" >>"$tmp/log" 2>&1
result $? "a program with the static library"
mv "$tmp"/shared-ones/* "$tmp/lib"

LD_LIBRARY_PATH="$tmp/lib" "$tmp/bin/numatally" topo --help >"$tmp/log" 2>&1 &&
	grep -q '^Usage: numatally topo' "$tmp/log"
result $? "the tool finds the program of its verbs"

made install NUMASTAT_LINK=numastat
result $? "make install, with --enable-numastat"

"$tmp/bin/numastat" -V >"$tmp/log" 2>&1 &&
	grep -q "^$tmp/bin/numastat version: " "$tmp/log"
result $? "numastat is installed"

[ "$(cat "$tmp/share/man/man1/numastat.1")" = '.so man1/numatally-stat.1' ] &&
	[ -s "$tmp/share/man/man1/numatally-stat.1" ]
result $? "numastat has a manual page"

echo mine >"$tmp/mine"
rm "$tmp/bin/numastat" && cp "$tmp/mine" "$tmp/bin/numastat"
made install NUMASTAT_LINK=numastat
[ $? -ne 0 ] && cmp -s "$tmp/mine" "$tmp/bin/numastat" &&
	made uninstall NUMASTAT_LINK=numastat &&
	cmp -s "$tmp/mine" "$tmp/bin/numastat"
result $? "another program of that name is left alone"
rm "$tmp/bin/numastat"
made install NUMASTAT_LINK=numastat && made install NUMASTAT_LINK=numastat
result $? "installed again"

made uninstall NUMASTAT_LINK=numastat &&
	find "$tmp/bin" "$tmp/lib" "$tmp/libexec" "$tmp/include" "$tmp/share" \
		! -type d >"$tmp/log" 2>/dev/null
[ ! -s "$tmp/log" ]
result $? "make uninstall leaves nothing"
