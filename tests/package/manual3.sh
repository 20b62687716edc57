#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual pages of section 3 and the library are in step: each function is
# on one page, prototypes and structures are those of the headers, and each
# example does what its page says.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
top=$(cd "${srcdir:-.}" && pwd)
man=$top/lib/man
library=$PWD/lib/.libs
pages=$(cd "$man" && ls tally_*.3)
log=$tmp/log
NUMATALLY_DIR=$(mktemp -d /dev/shm/numatally-test.XXXXXX) || exit 99
export NUMATALLY_DIR
at_end()
{
	rm -rf "$NUMATALLY_DIR"
}

# none NAME: a result: nothing is in the log.
none()
{
	[ ! -s "$log" ]
	result $? "$1"
}

# flat: C without comments, preprocessor lines, marks and optional spaces.
flat()
{
	sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' -e '/^#/d' | tr '\n\t' '  ' |
		sed -e 's|/\*[^*]*\*\**\([^/*][^*]*\*\**\)*/| |g' \
			-e 's/TALLY_\(API\|NODISCARD\|INLINE\|BEGIN\|END\)\>/ /g' \
			-e 's/\<\(static inline\|inline\|extern\)\>/ /g' \
			-e 's/__attribute__((always_inline))/ /g' -e 's/  */ /g' \
			-e 's/ *\([][*(),;{}=]\) */\1/g' -e 's/^ //'
}

# headers PAGE: what the headers declare that the page includes.
headers()
{
	sed -n 's|^\.In \(numatally/.*\)|'"$top"'/include/\1|p' "$man/$1" |
		xargs cat | flat
}

# literal PAGE SECTION NR: the text of a section's literal block.
literal()
{
	awk -v section="$2" -v nr="$3" '
		/^\.Sh / { inside = ($0 == ".Sh " section) }
		/^\.Bd -literal/ { block += inside; shown = inside; next }
		/^\.Ed/ { shown = 0 }
		shown && block == nr
	' "$man/$1" | sed 's/\\&//g; s/\\-/-/g; s/\\e/\\/g'
}

# What the inline functions read is for them alone.
variables='tally_slice_checks\|tally_rseq_offset\|tally_thread_cache_offset'
(cd "$man" && awk -f prototypes.awk $pages) >"$tmp/declared"
cut -d ' ' -f 2 "$tmp/declared" | sort >"$tmp/documented"
sed -n '/^global:/,/^local:/s/^[[:space:]]*\(tally_[a-z0-9_]*\);$/\1/p' \
	"$top/lib/numatally.map" | grep -vx "$variables" | sort >"$tmp/exported"
{
	comm -13 "$tmp/documented" "$tmp/exported" | sed 's/$/: on no page/'
	uniq -d "$tmp/documented" | sed 's/$/: on two pages/'
} >"$log"
none "each function is on one page"

for page in $pages; do
	headers "$page" | tr ';{}' '\n\n\n' >"$tmp/header"
	grep "^${page%.3} " "$tmp/declared" | cut -d ' ' -f 3- |
		while IFS= read -r line; do
			echo "$line" | flat | sed 's/ $//' >"$tmp/prototype"
			grep -qFxf "$tmp/prototype" "$tmp/header" ||
				echo "$page: $line"
		done
done >"$log"
none "each prototype is that of a header that its page includes"

for page in $pages; do
	grep "^${page%.3} " "$tmp/declared" | cut -d ' ' -f 2 \
		>"$tmp/synopsis"
	sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z0-9_]*\).*/\1/p' "$man/$page" |
		diff - "$tmp/synopsis" | sed -n "s/^[<>]/$page:/p"
done >"$log"
none "each page names its functions"

for page in $pages; do
	headers "$page" >"$tmp/header"
	i=0
	while i=$((i + 1)) && literal "$page" DESCRIPTION $i >"$tmp/block" &&
		[ -s "$tmp/block" ]; do
		grep -q '^\(struct\|enum\) [a-z_]* {' "$tmp/block" || continue
		flat <"$tmp/block" | sed 's/}\([a-z]\)/}\n\1/g' |
			sed 's/;\(\(struct\|enum\) [a-z_]*{\)/;\n\1/g' \
				>"$tmp/types"
		echo >>"$tmp/types"
		while IFS= read -r type; do
			grep -qF -e "$type" "$tmp/header" || echo "$page: $type"
		done <"$tmp/types"
	done
done >"$log"
none "each structure is that of a header that its page includes"

for page in $pages; do
	grep -qx "\.Xr ${page%.3} 3.*\|\.It Xr ${page%.3} 3" "$man/numatally.3" ||
		echo "numatally.3: no ${page%.3}"
done >"$log"
for page in numatally.3 $pages; do
	grep -o '^\.\(It \)\?Xr tally_[a-z_]* 3' "$man/$page" |
		sed 's/.*Xr //; s/ 3//' | while read -r name; do
			[ -e "$man/$name.3" ] || echo "$page: no page $name"
		done
done >>"$log"
none "numatally(3) lists each page, and pages name pages that exist"

# masked: numbers as N, and lines that are then alike once.
masked()
{
	sed 's/  */ /g; s/[0-9][0-9]*/N/g' | uniq
}

# example PAGE: builds and runs it, and compares what it prints.
example()
{
	name=${1%.3}
	literal "$1" EXAMPLES 1 >"$tmp/$name.c"
	literal "$1" EXAMPLES 2 | masked >"$tmp/expected"
	[ -s "$tmp/$name.c" ] && [ -s "$tmp/expected" ] || {
		echo "no program, or nothing that it prints"
		return 1
	}
	libs=$library/libnumatally.so
	case $name in
	*_ref) libs="$libs $(${PKG_CONFIG:-pkg-config} --libs liburcu-bp)" ;;
	esac
	${CC:-cc} ${CFLAGS-} -std=gnu11 -Wall -Wextra -Werror -pthread \
		-I"$top/include" -o "$tmp/$name" "$tmp/$name.c" $libs \
		${LDFLAGS-} || return 1
	(cd "$tmp" && LD_LIBRARY_PATH=$library "./$name" >out) || return 1
	masked <"$tmp/out" | diff "$tmp/expected" -
}

for page in numatally.3 $pages; do
	example "$page" >"$log" 2>&1
	rc=$?
	if [ "$page" = tally_kernel_groups.3 ] &&
		grep -qi '^tally_kernel_groups: no such file' "$log"; then
		skip "the example of $page" "no memory controller"
	else
		result $rc "the example of $page"
	fi
done
plan
