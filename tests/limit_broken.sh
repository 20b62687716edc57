#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds of the library in which reservations are broken on purpose are caught
# by the tests of them; one that only lets go of the CPU in the middle of things
# is not.
set -u
top=${srcdir:-.}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
pkg=${PKG_CONFIG:-pkg-config}

# NAME | TESTS that must fail | FILE of lib | sed's commands
list()
{
	cat <<'EOF'
whole||limit_lock|
no lock|history race|limit_lock|s/if (!(wait ? lock_soon/if (0 \&\& !(wait ? lock_soon/
checked before it is counted|history race|limit_cells|s/err || !amount ? err : check(.*);/err;/;s/int err = limit_cells_adopt(c, /int err = amount ? check(c, node, resource, row) : 0; if (!err) err = limit_cells_adopt(c, /
a refused request is not undone|history race|limit|/^static int ask_all/,/^}/s/limit_undo(/limit_keep(/
no look at quotas|history race|limit_cells|s/if (is_over(&quota/if (0 \&\& is_over(\&quota/
refused when it would just fit|history|limit_cells|s/limit_get(held) > limit_value/limit_get(held) >= limit_value/
not known above|history race|limit_cells|s/err = check_above/&/;s/c->rows\[c->nr_rows++\] = above.row;//
an old token is as good|history|limit_hold|s/(uint32_t)limit_get(&h->generation) != token.generation ||//
committed, and still in the list|history race|limit_hold|/^void limit_hold_commit/,/^}/s/unlink_hold(l->layout, row);//
a reader does not look again|history|held|/^bool held_again/,/^}/s/return __atomic/return 0 \&\& __atomic/;s/if (!(read->sequence & 1))/if (1)/
what is idle is not free|history|limit_hold|s/int words = limit_credit_draw_back(l, &resource);/int words = 0;/
what is idle is drawn back, and stays|history|limit_credit|/^static int close_word/,/^}/s/if (clear(l, lane, word, old, shut))/if (1)/
a part is given back twice|history race|limit|/^static int release_part/,/^}/s/-holds\[i\].amount/-2 * holds[i].amount/
EOF
}

# Lets go of the CPU now and then, wherever a word is changed.
step='#include <sched.h>
#include <stdlib.h>
static void step(void)
{
	static __thread unsigned int seed;

	if (!seed)
		seed = (unsigned int)(unsigned long)\&seed >> 6;
	if (rand_r(\&seed) % 16 == 0)
		sched_yield();
}'

# DIRECTORY FILE SED…
edit()
{
	to=$1/$2.c
	from=$top/lib/$2.c
	[ ! -f "$to" ] || from=$to
	sed "$3" "$from" >"$to.new" || return
	if [ -n "$3" ] && cmp -s "$to.new" "$from"; then
		echo "nothing is edited in $2.c"
		return 1
	fi
	mv "$to.new" "$to"
}

# The library's other files are those that are built already.
build()
{
	dir=$tmp/$1
	mkdir "$dir" || return
	edit "$dir" limit_lock "/^void limit_set/i\\
$(printf '%s\n' "$step" | sed 's/$/\\/')

/assert(nr < LAYOUT_NR_UNDO);/s/^/	step();/" || return
	edit "$dir" "$2" "$3" || return
	for test in history race; do
		more=
		[ $test = race ] || more=$top/tests/history.c
		${CC:-cc} -std=gnu11 -g -O1 -DNDEBUG -w -I. -I"$top/include" \
			-I"$top/lib" -I"$top/tests" -o "$dir/$test" \
			"$top/tests/test_limit_$test.c" $more \
			"$top/tests/limits.c" \
			"$top/tests/machine.c" "$dir"/*.c \
			lib/.libs/libnumatally.a $libs -pthread || return
	done
}

# As a test does: neither hangs, nor ends before it has looked.
fails()
{
	NUMATALLY_SHORT=1 timeout 100 "$1" >"$tmp/log" 2>&1
	rc=$?
	[ $rc -ne 0 ] && [ $rc -ne 124 ] && grep -q FAILED "$tmp/log"
}

# result STATUS NAME
result()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		tail -n 20 "$tmp/log" | sed 's/^/# /'
		echo "not ok $n - $2"
	fi
}

compiler=${CC:-cc}
if ! command -v "${compiler%% *}" >/dev/null ||
	! cmocka=$($pkg --libs cmocka 2>/dev/null) ||
	[ ! -f lib/.libs/libnumatally.a ] || [ -n "${TSAN_OPTIONS-}" ] ||
	[ -n "${ASAN_OPTIONS-}" ]; then
	echo "1..0 # SKIP no compiler, cmocka or static library, or a sanitizer"
	exit 0
fi
dependency_libs=
. ./lib/libnumatally.la
libs="$dependency_libs $cmocka"

list >"$tmp/list"
n=0
v=0
while IFS='|' read -r name tests file edits <&3; do
	v=$((v + 1))
	if ! build $v "$file" "$edits" >"$tmp/log" 2>&1; then
		result 1 "$name: builds"
		continue
	fi
	for test in ${tests:-history race}; do
		fails "$tmp/$v/$test"
		failed=$?
		if [ -z "$tests" ]; then
			result $rc "$test passes"
		else
			result $failed "$name: caught by $test"
		fi
	done
	rm -rf "${tmp:?}/$v"
done 3<"$tmp/list"
echo 1..$n
