#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally save: show prints the same of a saved file, on any file system.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
logs="err before after"
disk=$(mktemp -d "$PWD/save.XXXXXX") || exit 99
at_end() {
	rm -rf "$disk"
}
ledger=$tmp/l.ledger

# What show prints, without the name and the time.
shown()
{
	"$tool" show --json "$1" | jq -S '
		del(.ledger, .path, .state, .writers, .realtime_ns, .monotonic_ns) |
		.accounts |= sort_by(.key)'
}

# holds FILTER: whether FILTER is true of what was shown last
holds()
{
	jq -e "$1" "$tmp/after" >/dev/null
}

"$tests/support/reserver" "$ledger" >/dev/null <<'EOF'
create
capacity 0 cores 64
capacity 0 memory_bytes 1073741824
quota batch/ cores 40
reserve batch/a 0 cores 30
commit batch/a
reserve batch/b 0 cores 20
draw batch/step 0 cores 12 batch/a
commit batch/step
draw task 0 cores 5 batch/step
commit task
adopt pod 0 memory_bytes 2147483648
reserve late 0 cores 2
EOF
shown "$ledger" >"$tmp/before"
"$tool" save --live "$ledger" "$disk/saved" 2>"$tmp/err"
check "a ledger is saved" test $? -eq 0 -a ! -s "$tmp/err"
shown "$disk/saved" >"$tmp/after"
check "show prints the same of it" cmp -s "$tmp/before" "$tmp/after"
"$tool" check "$disk/saved" >"$tmp/after" 2>"$tmp/err"
check "check finds no problem in it" sh -c "! grep problem: '$tmp/after'"
check "no temporary file is left" test "$(ls "$disk")" = saved
# A writer first gives back what dead processes had reserved.
"$tool" save "$ledger" "$disk/saved" 2>"$tmp/err"
check "a snapshot replaces the file" test $? -eq 0 -a ! -s "$tmp/err"
shown "$ledger" >"$tmp/before"
shown "$disk/saved" >"$tmp/after"
check "show prints the same of the snapshot" cmp -s "$tmp/before" "$tmp/after"
check "30 cores are held, of 32 at the most" holds '
	.nodes[0].held.cores == 30 and .nodes[0].peak.cores == 32'

"$tests/support/adder" -c -t 2 -n 10000 "$tmp/c.ledger" >"$tmp/err" 2>&1
shown "$tmp/c.ledger" >"$tmp/before"
"$tool" save "$tmp/c.ledger" "$disk/counts" 2>"$tmp/err"
shown "$disk/counts" >"$tmp/after"
check "show prints the same counters" cmp -s "$tmp/before" "$tmp/after"
check "the counters have the amounts" holds '[.nodes[].totals.adds] | add == 10000'

# flip FILE OFFSET: changes a bit of the byte there, which flips it back, too.
flip()
{
	byte=$(od -An -tu1 -j"$2" -N1 "$1")
	printf "\\$(printf %03o $((byte ^ 16)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
"$tool" show "$disk/saved" >"$tmp/before"
fails 1 "a saved ledger is not repaired" \
	"$tool" check --repair "$disk/saved"
check "since it is only read" has "saved: Read-only file system, or a saved ledger" err
size=$(stat -c %s "$disk/saved")
for at in 8 300 8192 $((size / 2)) $((size - 4096)) $((size - 10)); do
	flip "$disk/saved" $at
	fails 1 "check finds byte $at changed" "$tool" check "$disk/saved"
	check "and names the file, and why" \
		has "saved: not a ledger, or damaged" err
	fails 1 "show prints nothing of it" "$tool" show "$disk/saved"
	check "but the same" test ! -s "$tmp/out" -a \
		"$(grep -c "saved: not a ledger, or damaged" "$tmp/err")" = 1
	flip "$disk/saved" $at
done
truncate -s $((size - 1)) "$disk/saved"
fails 1 "check finds a byte lost" "$tool" check "$disk/saved"
printf a >>"$disk/saved"
fails 1 "and another in its place" "$tool" check "$disk/saved"
printf '\0\0' | dd of="$disk/saved" bs=1 seek=$((size - 1)) 2>/dev/null
fails 1 "and one more" "$tool" check "$disk/saved"
run "$tool" save "$ledger" "$disk/saved"
check "a damaged one is replaced" test $? -eq 0
run "$tool" save "$disk/saved" "$disk/again"
check "a saved one is saved without a snapshot" test $? -eq 0 -a ! -s "$tmp/err"
"$tool" show "$disk/saved" | sed 's|^[^ ]*||' >"$tmp/before"
"$tool" show "$disk/again" | sed 's|^[^ ]*||' >"$tmp/after"
check "and is the same" cmp -s "$tmp/before" "$tmp/after"
check "show says that it was saved" grep -q ', saved' "$tmp/after"
rm "$disk/again"

# What is named may be something else than a file.
shown "$ledger" >"$tmp/before"
same() {
	shown "$1" >"$tmp/after" && cmp -s "$tmp/before" "$tmp/after"
}
was() {
	test "$(stat -c '%F %i' "$1")" = "$2"
}
cd "$disk" || exit 99
case $tool in
/*) ;;
*) tool=$OLDPWD/$tool ;;
esac
"$tool" save "$ledger" - >"$tmp/piped" 2>"$tmp/err"
check "stdout, for -" same "$tmp/piped"
check "which makes no file of that name" test ! -e ./-
"$tool" save "$ledger" - 2>"$tmp/err" | cat >"$tmp/piped"
check "a pipe" same "$tmp/piped"
mkfifo "$tmp/fifo"
kind=$(stat -c '%F %i' "$tmp/fifo")
cat "$tmp/fifo" >"$tmp/piped" &
children=$!
"$tool" save "$ledger" "$tmp/fifo" 2>"$tmp/err"
wait
children=
check "a FIFO is written to" same "$tmp/piped"
check "and stays one" was "$tmp/fifo" "$kind"
fails 1 "nobody reads the FIFO" "$tool" save "$ledger" "$tmp/fifo"
check "a message says that" has "fifo: no process reads it" err
ln -s /dev/null "$tmp/null"
run "$tool" save "$ledger" "$tmp/null"
check "a link to a device stays" test $? -eq 0 -a -L "$tmp/null"
if mknod "$tmp/device" c 1 3 2>/dev/null && : 2>/dev/null >"$tmp/device"; then
	kind=$(stat -c '%F %i' "$tmp/device")
	run "$tool" save "$ledger" "$tmp/device"
	check "a device is written to" test $? -eq 0
	check "and stays one" was "$tmp/device" "$kind"
else
	skip "a device" "none can be made here"
fi
echo precious >"$tmp/target"
ln -s target "$tmp/link"
fails 1 "a link to a file" "$tool" save "$ledger" "$tmp/link"
check "is refused by name" has "link: a symbolic link" err
check "the file stays" grep -qx precious "$tmp/target"
check "and the link" test -L "$tmp/link"
ln -s nothing "$tmp/dangling"
fails 1 "a link to nothing" "$tool" save "$ledger" "$tmp/dangling"
check "nothing is made" test ! -e "$tmp/nothing"
mkdir "$tmp/dir"
fails 1 "a directory" "$tool" save "$ledger" "$tmp/dir"
check "is told to be one" has "dir: neither a file, a pipe nor" err
ln -s /dev/stdout "$tmp/stdout"
"$tool" save "$ledger" "$tmp/stdout" 2>"$tmp/err" | cat >"$tmp/piped"
check "a link to stdout, which is a pipe" same "$tmp/piped"
run "$tool" save "$ledger" "$tmp/target"
check "a file that the user names is replaced" same "$tmp/target"
: >"$tmp/empty"
run "$tool" save "$ledger" "$tmp/empty"
check "an empty file, too" same "$tmp/empty"
fails 1 "the ledger itself" "$tool" save "$ledger" "$ledger"
check "is in use" has "l.ledger: a ledger that is in use" err
ln "$ledger" "$tmp/hard"
fails 1 "under another name" "$tool" save "$ledger" "$tmp/hard"
check "it stays" same "$ledger"
"$tool" run --ledger "$tmp/live.ledger" -- sleep 1000 2>/dev/null &
children=$!
await test -s "$tmp/live.ledger"
fails 1 "a ledger that a process writes to" \
	"$tool" save "$ledger" "$tmp/live.ledger"
snapshot()
{
	"$tool" show --json "$tmp/live.ledger" | jq -e .snapshot >/dev/null
}
check "show has a snapshot of a ledger whose writer serves" await snapshot
chmod a+rx "$tmp"
chmod a+r "$tmp/live.ledger"
mkdir "$tmp/open"
chmod a+rwx "$tmp/open"
# As a user that may not write to it; libtool's script needs the build tree.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null &&
	setpriv --reuid 65534 --clear-groups "$tool" --version >/dev/null 2>&1; then
	run setpriv --reuid 65534 --clear-groups \
		"$tool" save "$tmp/live.ledger" "$tmp/open/saved"
	check "save has one without write permission" \
		test $? -eq 0 -a ! -s "$err" -a -s "$tmp/open/saved"
else
	skip "save has one without write permission" "no other user can run it"
fi
kill $children
wait
children=
check "nothing is left beside any of them" \
	test -z "$(ls -a "$tmp" | grep -e '\.tmp' -e '\.new')"
fails 1 "a file that can't be made" "$tool" save "$ledger" "$disk/no/such/place"
fails 1 "no such ledger" "$tool" save "$tmp/absent.ledger" "$disk/x"
fails 2 "usage" "$tool" save "$ledger"
plan
