#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally rm: removes what no process uses, and never what is no ledger.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
export NUMATALLY_DIR="$tmp/ledgers"

# made NAME: a ledger that its writer has left
made()
{
	"$tests/support/adder" -c -n 1 -k one "$1" >/dev/null 2>&1
}

fails 2 "no ledger" "$tool" rm
fails 2 "no such option" "$tool" rm --all x
fails 1 "no such name" "$tool" rm nobody
has '^numatally rm: nobody: no such ledger' err
result $? "no such name: an error message"

made one && made two && made three
run "$tool" rm one "$NUMATALLY_DIR/two.ledger" && [ ! -s "$out" ] && [ ! -s "$err" ]
result $? "by name and by path, with their accounts"
check "they are gone, the third is not" test "$(ls "$NUMATALLY_DIR")" = three.ledger
fails 1 "one of two is not there" "$tool" rm one three
check "the other is removed" test -z "$(ls "$NUMATALLY_DIR")"

# ---- in use
"$tool" run --ledger live sh -c ": >'$tmp/ready'; until [ -e '$tmp/end' ]; do sleep 0.02; done" \
	2>"$tmp/report" &
user=$!
children=$user
await test -e "$tmp/ready"
fails 1 "a process has it open for writing" "$tool" rm live
has 'live.ledger: a process has it open for writing: see --force$' err
result $? "in use: an error message"
check "in use: it stays" test -e "$NUMATALLY_DIR/live.ledger"
run "$tool" rm --force live && [ ! -e "$NUMATALLY_DIR/live.ledger" ]
result $? "--force removes it"
: >"$tmp/end"
wait $user
check "in use: its writer goes on" test $? -eq 0

# ---- damaged, or no ledger
made bad
truncate -s 4096 "$NUMATALLY_DIR/bad.ledger"
fails 1 "a damaged one" "$tool" rm bad
check "damaged: it stays" test -e "$NUMATALLY_DIR/bad.ledger"
run "$tool" rm -f bad && [ ! -e "$NUMATALLY_DIR/bad.ledger" ]
result $? "damaged: --force removes it"
echo text >"$tmp/text"
mkdir "$tmp/directory"
made other
ln -s "$NUMATALLY_DIR/other.ledger" "$tmp/link"
for file in text directory link; do
	fails 1 "no ledger: $file" "$tool" rm --force "$tmp/$file"
	check "no ledger: the $file stays" test -e "$tmp/$file"
done
plan
