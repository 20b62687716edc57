#!/bin/sh
# SPDX-License-Identifier: MIT
# What numatally show prints of limits and reservations.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
logs="said text json"
ledger=$tmp/l.ledger

# json FILTER: whether FILTER is true of the document
json()
{
	jq -e "$1" "$tmp/json" >/dev/null
}

"$tests/support/reserver" "$ledger" >"$tmp/said" <<'EOF'
create
capacity 0 cores 64
capacity 0 memory_bytes 1073741824
quota batch/ cores 40
reserve batch/a 0 cores 30
commit batch/a
reserve batch/b 0 cores 20
adopt pod 0 memory_bytes 2147483648
reserve late 0 cores 2
draw batch/a/step 0 cores 12 batch/a
commit batch/a/step
draw other 0 cores 19 batch/a
EOF
cat >"$tmp/expected" <<'EOF'
reserve batch/b 0 cores 20: Disk quota exceeded
draw other 0 cores 19 batch/a: No space left on device
EOF
check "a quota refuses, and a parent" cmp -s "$tmp/expected" "$tmp/said"
"$tool" show "$ledger" >"$tmp/text"
check "capacity, held, peak" \
	grep -Eq '^cores +[0-9]+ +32  +64 +32 +0$' "$tmp/text"
check "more than the capacity is marked" \
	grep -Eq '^memory_bytes +[0-9]+ +2\.0 GiB! +1\.0 GiB +2\.0 GiB +0$' \
	"$tmp/text"
check "a quota, and what it refused" \
	grep -Eq '^batch/ cores +30  +40 +30 +1$' "$tmp/text"
check "which account's reservation one is drawn from" \
	grep -q "^batch/a/step (of batch/a)" "$tmp/text"
check "an account without one has no line" \
	test "$(grep -c '^pod ' "$tmp/text")" -eq 1
"$tool" show --json "$ledger" >"$tmp/json"
check "the same in JSON" json '
	.nodes[0].capacity == {cores: 64, memory_bytes: 1073741824} and
	.nodes[0].held == {cores: 32, memory_bytes: 2147483648} and
	.nodes[0].totals.cores == 32 and
	(.resources | map(.kind)) == ["reservable", "reservable"] and
	(.accounts | map({(.key): .}) | add | (
		.["batch/"].quota == {cores: 40} and
		.["batch/"].refused == {cores: 1} and
		.["batch/a"].reservation == {state: "committed"} and
		.["batch/a/step"].reservation ==
			{state: "committed", parent: "batch/a"} and
		(.["batch/a/step"].nodes | map(.cores)) == [12] and
		.["batch/b"].reservation == null and
		.late.reservation == {state: "reserved"}))'
# Its process has ended: the next process to open the ledger gives it back.
"$tests/support/reserver" "$ledger" </dev/null >/dev/null
echo 'quota x cores 1' | "$tests/support/reserver" "$ledger" >/dev/null
"$tool" show --json "$ledger" >"$tmp/json"
check "what a dead process had not committed is given back" json '
	.nodes[0].held.cores == 30 and .nodes[0].peak.cores == 32'
plan
