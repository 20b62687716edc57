#!/bin/sh
# SPDX-License-Identifier: MIT
# A path with a space is refused at once: before packages are installed, and
# before configure looks for anything.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
top=$(cd "${srcdir:-.}" && pwd) || exit 99

# refused NAME DIR COMMAND...: fails with one line about a space, without a call
# of apt-get, and leaves nothing in the directory but configure's log.
refused()
{
	name=$1
	in=$2
	shift 2
	ls -I config.log "$in" >"$tmp/before"
	(cd "$in" && PATH="$tmp/bin:$PATH" "$@") </dev/null >"$out" 2>&1
	rc=$?
	ls -I config.log "$in" >"$tmp/after"
	[ $rc -eq 1 ] && [ "$(wc -l <"$out")" -eq 1 ] &&
		grep -q ' space' "$out" && [ ! -e "$tmp/called" ] &&
		cmp -s "$tmp/before" "$tmp/after"
	result $? "$name"
}

mkdir "$tmp/bin" "$tmp/a dir" "$tmp/a dir/tools" "$tmp/b dir"
for tool in apt-get dpkg-query sudo; do
	printf '#!/bin/sh\n>"%s"\nexit 1\n' "$tmp/called" >"$tmp/bin/$tool"
done
chmod +x "$tmp"/bin/*
cp "$top/tools/quickstart" "$tmp/a dir/tools"

plan 4
refused "quickstart run" "$tmp/a dir" ./tools/quickstart run
refused "quickstart check" "$tmp/b dir" "$tmp/a dir/tools/quickstart" check
refused "configure in such a directory" "$tmp/b dir" "$top/configure" -q
mkdir -p "$tmp/a dir/lib/slice" && cp "$top/lib/slice/slice.c" "$tmp/a dir/lib/slice"
ln -s "$top/configure" "$top/build-aux" "$tmp/a dir"
refused "configure of such a directory" "$tmp/bin" "$tmp/a dir/configure" -q
