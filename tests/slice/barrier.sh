#!/bin/sh
# SPDX-License-Identifier: MIT
# ThreadSanitizer finds a race in a build that publishes slices without the
# barrier, in each way of publishing, and none in the real build.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
top=${srcdir:-.}
urcu=$(${PKG_CONFIG:-pkg-config} --cflags --libs liburcu-bp 2>/dev/null)
fixed=
setarch -R true 2>/dev/null && fixed='setarch -R'

# NAME FLAGS…
build()
{
	program=$tmp/$1
	shift
	${CC:-cc} -std=gnu11 -g -O1 -fsanitize=thread "$@" -I. \
		-I"$top/include" -I"$top/lib" -o "$program" \
		"$top/tests/slice/barrier.c" "$top/lib/slice/slice.c" \
		"$top/lib/slice/check.c" "$top/lib/slice/ref.c" \
		"$top/lib/slice/registry.c" \
		$urcu -pthread >"$tmp/log" 2>&1
}

race()
{
	TSAN_OPTIONS=exitcode=66 $fixed "$tmp/$1" "$2" >"$tmp/log" 2>&1
}

compiler=${CC:-cc}
if ! command -v "${compiler%% *}" >/dev/null || [ -z "$urcu" ]; then
	skip_all "no compiler"
fi
printf 'int main(void) { return 0; }\n' >"$tmp/none.c"
if ! ${CC:-cc} -fsanitize=thread -o "$tmp/none" "$tmp/none.c" 2>/dev/null ||
	! race none ''; then
	skip_all "ThreadSanitizer does not work here"
fi

plan 8
for kind in real broken; do
	flags=
	[ $kind = real ] || flags=-DTALLY_SLICE_PUBLISH=__ATOMIC_RELAXED
	check "the $kind one builds" build $kind $flags
	for way in push grow publish; do
		race $kind $way
		rc=$?
		if [ $kind = real ]; then
			name="$way passes"
			expected=0
		else
			name="$way without the barrier is caught"
			expected=66
			grep -q 'data race' "$tmp/log" || rc="$rc, no race"
		fi
		check "$name" [ "$rc" = $expected ]
	done
done
