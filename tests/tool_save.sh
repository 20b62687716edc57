#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally save: what is saved is shown as it was, from any file system.
set -u
tool=${NUMATALLY:-./tools/numatally}
tests=${top_builddir:-.}/tests
tmp=$(TMPDIR=$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) mktemp -d) ||
	exit 99
disk=$(mktemp -d ./save.XXXXXX) || exit 99
trap 'rm -rf "$tmp" "$disk"' EXIT
ledger=$tmp/l.ledger
n=0

# says NAME COMMAND...
says()
{
	n=$((n + 1))
	name=$1
	shift
	if "$@"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		for f in "$tmp"/err "$tmp"/before "$tmp"/after; do
			sed 's/^/# /' "$f" 2>/dev/null
		done
	fi
}

# What show says, without when and of what.
shown()
{
	"$tool" show --json "$1" | jq -S '
		del(.ledger, .path, .state, .writers, .monotonic_ns) |
		.accounts |= sort_by(.key)'
}

# holds FILTER: of what was shown last
holds()
{
	jq -e "$1" "$tmp/after" >/dev/null
}

"$tests/reserver" "$ledger" >/dev/null <<'EOF'
create
capacity 0 cores 64
capacity 0 memory_bytes 1073741824
quota batch/ cores 40
reserve batch/a 0 cores 30
commit batch/a
reserve batch/b 0 cores 20
adopt pod 0 memory_bytes 2147483648
reserve late 0 cores 2
EOF
shown "$ledger" >"$tmp/before"
"$tool" save --live "$ledger" "$disk/saved" 2>"$tmp/err"
says "is saved" test $? -eq 0 -a ! -s "$tmp/err"
shown "$disk/saved" >"$tmp/after"
says "and shown as it was" cmp -s "$tmp/before" "$tmp/after"
"$tool" check "$disk/saved" >"$tmp/after" 2>"$tmp/err"
says "nothing in it is wrong" sh -c "! grep problem: '$tmp/after'"
says "nothing is left beside it" test "$(ls "$disk")" = saved
# By a writer: what the dead had reserved is given back before.
"$tool" save "$ledger" "$disk/saved" 2>"$tmp/err"
says "a snapshot takes its place" test $? -eq 0 -a ! -s "$tmp/err"
shown "$ledger" >"$tmp/before"
shown "$disk/saved" >"$tmp/after"
says "and is shown as it was, too" cmp -s "$tmp/before" "$tmp/after"
says "30 cores are held, of 32 at the most" holds '
	.nodes[0].held.cores == 30 and .nodes[0].peak.cores == 32'

"$tests/adder" -c -t 2 -n 10000 "$tmp/c.ledger" >"$tmp/err" 2>&1
shown "$tmp/c.ledger" >"$tmp/before"
"$tool" save "$tmp/c.ledger" "$disk/counts" 2>"$tmp/err"
shown "$disk/counts" >"$tmp/after"
says "counters are, too" cmp -s "$tmp/before" "$tmp/after"
says "and are there" holds '[.nodes[].totals.adds] | add == 10000'

"$tool" save "$ledger" "$disk/no/such/place" 2>"$tmp/err"
says "a file that can't be made" test $? -eq 1 -a -s "$tmp/err"
"$tool" save "$tmp/absent.ledger" "$disk/x" 2>"$tmp/err"
says "no such ledger" test $? -eq 1 -a -s "$tmp/err"
"$tool" save "$ledger" 2>"$tmp/err"
says "usage" test $? -eq 2 -a -s "$tmp/err"
echo "1..$n"
