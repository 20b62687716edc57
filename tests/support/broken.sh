# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Builds of the library that are broken on purpose, which tests must notice. A
# test of them reads this file after tap.sh, and calls
#
#   broken_builds "FILE…" <<LIST      the whole test
#
# FILE: a file of lib/, without its suffix, whose accesses to a ledger become
# steps (support/step.h). LIST: a line for each build,
#
#   NAME | TEST… | FILE | SED
#
# with the unit tests that must fail (limit/test_race), the file of lib/ that is
# edited, without .c, and sed's commands. In the build without commands they must
# pass. An edited header reaches the files with steps alone.
#
# With NUMATALLY_BASE, a commit, a build is tried only if the change since then
# touches what it edits, the files with steps, or its tests.

# For what tests leave when they fail. Other users may enter it.
NUMATALLY_TEST_DIR=$(mktemp -d /dev/shm/numatally-test.XXXXXX 2>/dev/null) ||
	NUMATALLY_TEST_DIR=$tmp
export NUMATALLY_TEST_DIR
chmod 711 "$NUMATALLY_TEST_DIR"
at_end()
{
	rm -rf "$NUMATALLY_TEST_DIR"
}

# gcc and clang have no flag for calls at each access but this one.
broken_flags="-std=gnu11 -g -O1 -DNDEBUG -w -fsanitize=thread -U__SANITIZE_THREAD__"

# A directory for each build: ccache does not see that a header is new in one that
# it knows.
broken_nr=0

# SOURCE OBJECT
broken_compile()
{
	${CC:-cc} $broken_flags -I"$tmp/edited$broken_nr" -I. -I"${srcdir:-.}/include" \
		-I"${srcdir:-.}/lib" -I"${srcdir:-.}/lib/${2%/*}" \
		-c -o "$tmp/$2.o" "$1"
}

# The objects of a build: $objects.
# SED FILE STEPPED…
broken_edit()
{
	sed=$1
	file=$2
	shift 2
	from=${srcdir:-.}/lib/$file
	[ "$file" != "${file%.h}" ] || from=$from.c
	to=$tmp/edited$broken_nr/$file
	objects=
	mkdir -p "${to%/*}" "$tmp/${file%/*}"
	if ! sed "$sed" "$from" >"$to" || cmp -s "$to" "$from"; then
		echo "nothing is edited in $file"
		return 1
	fi
	[ "$from" = "${from%.c}" ] || {
		mv "$to" "$to.c"
		broken_compile "$to.c" "$file-edited" || return
		objects=$file-edited
	}
	for stepped in "$@"; do
		if [ "$from" = "${from%.c}" ]; then
			broken_compile "${srcdir:-.}/lib/$stepped.c" \
				"$stepped-edited" || return
			objects="$objects $stepped-edited"
		elif [ "$stepped" != "$file" ]; then
			objects="$objects $stepped"
		fi
	done
}

# All other files are taken from the library that is built already.
# TEST
broken_link()
{
	linked=
	for object in $objects; do
		linked="$linked $tmp/$object.o"
	done
	${CC:-cc} -g -o "$tmp/${1##*/}" "tests/$1.o" $linked \
		tests/support/.libs/libstep.a \
		tests/support/.libs/libsupport.a lib/.libs/libnumatally.a \
		$broken_libs -pthread
}

# Whether it fails as a test does, and does not end before its checks. After the first
# that fails it is ended, with what it started, which may hang: timeout leads their
# group. If it hangs before, each test's time-out catches that, too; and it may crash, if
# only in threads that a failed check left running.
# TEST
broken_fails()
{
	[ -p "$tmp/said" ] || mkfifo "$tmp/said"
	NUMATALLY_SHORT=1 NUMATALLY_BROKEN=1 \
		timeout -k 1 150 "$tmp/${1##*/}" >"$tmp/said" 2>&1 &
	broken_test=$!
	timeout 160 sed -u '/FAILED/q' <"$tmp/said" >"$tmp/log"
	! grep -q FAILED "$tmp/log" || kill -s KILL -- "-$broken_test" 2>/dev/null
	wait $broken_test 2>/dev/null
	case $? in
	124) echo "FAILED: it hangs" ;;
	134 | 135 | 136 | 139) echo "FAILED: it crashes" ;;
	esac >>"$tmp/log"
	kill -s KILL -- "-$broken_test" 2>/dev/null
	grep -q FAILED "$tmp/log"
}

# NAME SED TEST
broken_result()
{
	if ! broken_link "$3" >"$tmp/log" 2>&1; then
		result 1 "$1: $3 is linked"
		return
	fi
	if [ -n "$2" ]; then
		broken_fails "$3"
		result $? "$1: caught by $3"
	else
		NUMATALLY_SHORT=1 "$tmp/${3##*/}" >"$tmp/log" 2>&1
		result $? "$3 passes"
	fi
}

# STEPPED TESTS FILE
broken_is_touched()
{
	[ -n "$broken_touched" ] || return 0
	for source in $1 $3; do
		case $broken_touched in
		*" lib/${source%.h}.c "*) return 0 ;;
		esac
	done
	for test in $2; do
		case $broken_touched in
		*" tests/$test.c "*) return 0 ;;
		esac
	done
	return 1
}

broken_builds()
{
	broken_touched=
	if [ -n "${NUMATALLY_BASE-}" ] && cd "${srcdir:-.}"; then
		case $(git -c safe.directory='*' diff --name-only \
			"$NUMATALLY_BASE" -- 'tests/*/broken*.sh' 2>&1) in
		'') broken_touched=" $(tests/touched "$NUMATALLY_BASE" |
			tr '\n' ' ')" ;;
		esac
		cd "$OLDPWD" || exit
	fi
	broken_left=0
	compiler=${CC:-cc}
	if ! command -v "${compiler%% *}" >/dev/null ||
		! broken_libs=$(${PKG_CONFIG:-pkg-config} --libs cmocka 2>/dev/null) ||
		[ ! -f lib/.libs/libnumatally.a ] || [ -n "${TSAN_OPTIONS-}" ] ||
		[ -n "${ASAN_OPTIONS-}" ]; then
		skip_all "no compiler, cmocka or static library, or a sanitizer"
	fi
	dependency_libs=
	. ./lib/libnumatally.la
	broken_libs="$dependency_libs $broken_libs"
	for stepped in $1; do
		mkdir -p "$tmp/${stepped%/*}"
		broken_compile "${srcdir:-.}/lib/$stepped.c" "$stepped" ||
			skip_all "the compiler makes no steps"
	done
	cat >"$tmp/list"
	while IFS='|' read -r name tests file sed <&3; do
		broken_nr=$((broken_nr + 1))
		if ! broken_is_touched "$1" "$tests" "$file"; then
			broken_left=$((broken_left + 1))
			continue
		fi
		objects=$1
		if [ -n "$sed" ] &&
			! broken_edit "$sed" "$file" $1 >"$tmp/log" 2>&1; then
			result 1 "$name: is built"
			continue
		fi
		for test in $tests; do
			broken_result "$name" "$sed" "$test"
		done
	done 3<"$tmp/list"
	[ $broken_left -eq 0 ] ||
		skip "$broken_left builds" "what they break is as it was"
	plan
}
