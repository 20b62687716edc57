#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally show, check and save, on a ledger over many machines.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
ledger=$tmp/cluster

# json FILTER: whether FILTER is true of the document
json()
{
	jq -e "$1" "$tmp/json" >/dev/null
}

run "$tests/support/clusterer" "$ledger" 200
result $? "a ledger of 200 machines is made"

run "$tool" show --top 3 "$ledger"
has 'm1/1 *1$' && has 'm3/1 *1$' && ! has '  m4/1' && ! has ' m1/0 ' &&
	has ' all *199$'
result $? "show: the first nodes that have something, and the sum of all"
has '^196 more nodes with something' && has '^  *196 more$' &&
	has '^196 more accounts'
result $? "show: how many it leaves out"
has '^job-1  *m1/1 *1$' && has '^cores  *m1/1  *1  *4  *1  *0$'
result $? "show: accounts and limits on nodes of other machines"
run "$tool" show --all "$ledger"
has ' m199/1 *1$' && ! has ' more '
result $? "show: all"

"$tool" show --json "$ledger" >"$tmp/json"
check "show: JSON" json '
	(.nodes | map(select(.machine == "m7"))) as $m7 |
	($m7 | map(.id)) == [0, 1] and
	$m7[1].totals == {cores: 1} and $m7[1].capacity == {cores: 4} and
	(.accounts | map(select(.key == "job-7"))[0].nodes) ==
		{"m7/1": {cores: 1}} and
	.nodes[0].machine == "here"'

run "$tool" check "$ledger"
! has 'problem:'
result $? "check: no problem; the pages of this machine's nodes"
run "$tool" save "$ledger" "$tmp/saved" && run "$tool" show --top 1 "$tmp/saved"
has '^job-1  *m1/1 *1$' && has ' all *199$'
result $? "save: reservations on every machine"
plan
