#!/bin/sh
# SPDX-License-Identifier: MIT
# A build in which slices are shown to readers without the barrier is caught,
# by ThreadSanitizer, in each way of showing them; the real one is not.
set -u
top=${srcdir:-.}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
urcu=$(${PKG_CONFIG:-pkg-config} --cflags --libs liburcu-bp 2>/dev/null)
fixed=
setarch -R true 2>/dev/null && fixed='setarch -R'

# NAME FLAGS…
build()
{
	out=$tmp/$1
	shift
	${CC:-cc} -std=gnu11 -g -O1 -fsanitize=thread "$@" -I. \
		-I"$top/include" -I"$top/lib" -o "$out" \
		"$top/tests/slice_barrier.c" "$top/lib/slice.c" \
		"$top/lib/slice_check.c" "$top/lib/slice_ref.c" \
		$urcu -pthread >"$tmp/log" 2>&1
}

run()
{
	TSAN_OPTIONS=exitcode=66 $fixed "$tmp/$1" "$2" >"$tmp/log" 2>&1
}

compiler=${CC:-cc}
if ! command -v "${compiler%% *}" >/dev/null || [ -z "$urcu" ]; then
	echo "1..0 # SKIP no compiler"
	exit 0
fi
printf 'int main(void) { return 0; }\n' >"$tmp/none.c"
if ! ${CC:-cc} -fsanitize=thread -o "$tmp/none" "$tmp/none.c" 2>/dev/null ||
	! run none ''; then
	echo "1..0 # SKIP ThreadSanitizer does not work here"
	exit 0
fi

echo 1..8
n=0
for kind in real broken; do
	flags=
	[ $kind = real ] || flags=-DTALLY_SLICE_PUBLISH=__ATOMIC_RELAXED
	n=$((n + 1))
	if build $kind $flags; then
		echo "ok $n - the $kind one builds"
	else
		sed 's/^/# /' "$tmp/log"
		echo "not ok $n - the $kind one builds"
	fi
	for way in push grow publish; do
		n=$((n + 1))
		run $kind $way
		rc=$?
		if [ $kind = real ]; then
			name="$way passes"
			expected=0
		else
			name="$way without the barrier is caught"
			expected=66
			grep -q 'data race' "$tmp/log" || rc="$rc, no race"
		fi
		if [ "$rc" = $expected ]; then
			echo "ok $n - $name"
		else
			sed 's/^/# /' "$tmp/log"
			echo "not ok $n - $name"
		fi
	done
done
