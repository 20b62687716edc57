#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally agent on real nodes, with cgroups of version 2: what a cgroup used is on
# the node that it was bound to, and what it counts is what the kernel does.
. "${srcdir:-.}/tests/tool/tool_lib.sh"
logs=log
NUMATALLY_DIR=$tmp
export NUMATALLY_DIR
groups=/sys/fs/cgroup
name=agent-test

kept() {
	grep -q 'is kept$' "$tmp/log"
}
# amount NODES RESOURCE: of the cgroup; NODES is jq's index, or nothing: all
amount() {
	"$tool" show --json $name | jq --arg key "/$name" --arg r "$2" '
		[.accounts[] | select(.key == $key) | .nodes['"$1"'][$r]] |
		add // 0'
}
# cpu.stat has us, which it cuts off.
counted() {
	us=$(awk '$1 == "usage_usec" { print $2 }' "$groups/$name/cpu.stat")
	awk -v ns="$(amount "" cpu_ns)" -v us="$us" 'BEGIN {
		off = ns / 1000 - us
		exit us > 0 && off * off <= us * us / 10000 ? 0 : 1 }'
}
# stat KIND: of memory.numa_stat, on node 1
stat() {
	sed -n "s/^$1 .*N1=\\([0-9]*\\).*/\\1/p" "$groups/$name/memory.numa_stat"
}
same() {
	[ "$(amount '"1"' anon_bytes)" = "$(stat anon)" ]
}
has_memory() {
	[ "$(amount '"1"' anon_bytes)" -ge 16777216 ]
}

echo "+memory" >"$groups/cgroup.subtree_control"
"$tool" agent --ledger $name --interval 0.5 --keep 1000 2>"$tmp/log" &
agent=$!
children=$agent
check "it starts" await kept
! grep -q 'BPF: Function not implemented' "$tmp/log" ||
	skip_all "built without BPF"
grep -q 'by BPF, of cgroups of version 2' "$tmp/log"
result $? "BPF counts"

mkdir "$groups/$name"
(
	echo 0 >"$groups/$name/cgroup.procs"
	exec numactl --cpunodebind=2 --membind=2 sh -c 'tests/support/spin 500; :'
)
check "CPU time is cpu.stat's" await counted
# A child's own time begins there; its parent came from another node.
[ "$(amount '"2"' cpu_ns)" -ge 500000000 ]
result $? "what it took is on the node that it was bound to"

# Born and gone between two rounds.
mkdir "$groups/$name-short"
kill -STOP $agent
(
	echo 0 >"$groups/$name-short/cgroup.procs"
	exec tests/support/spin 10
)
us=$(awk '$1 == "usage_usec" { print $2 }' "$groups/$name-short/cpu.stat")
check "a cgroup of 10 ms can go" await rmdir "$groups/$name-short"
kill -CONT $agent
short() {
	"$tool" show --json $name | jq -e --arg key "/$name-short" --arg us "$us" '
		[.accounts[] | select(.key == $key) | .nodes[].cpu_ns] | add |
		. >= 10000000 and . >= ($us | tonumber * 990) and
			. <= (($us | tonumber + 1) * 1010)' >/dev/null
}
check "it is not missed" await short

# shellcheck disable=SC2016 # the other shell's
numactl --cpunodebind=0 sh -c 'echo 0 >"$1/cgroup.procs" &&
	exec numactl --membind=1 tests/support/eat hold 16 1000000' \
	sh "$groups/$name" &
children="$children $!"
check "memory is on the node that it was bound to" await has_memory
check "and is memory.numa_stat's" await same
# The cgroup came to be on any node, but hardly ran on that one.
is_remote() {
	near=$(amount '"1"' local_bytes)
	far=$(amount '"1"' remote_bytes)
	[ $((near + far)) -ge 16777216 ] && [ "$far" -ge $((2 * near)) ]
}
check "it is remote, where no thread runs" await is_remote
"$tool" show --json $name | jq -e '.accounts[] | select(.key == "machine") |
	.nodes["3"].node_total_bytes > 0 and .nodes["0"].node_idle_ns > 0' >/dev/null
result $? "the account of the machine's nodes"
kill -KILL $(cat "$groups/$name/cgroup.procs")
check "the cgroup can go" await rmdir "$groups/$name"
ended() {
	"$tool" show --json $name | jq -e --arg key "/$name" '.accounts[] |
		select(.key == $key) | .phase == "terminating"' >/dev/null
}
check "and its account ends" await ended
kill $agent
wait $agent
check "SIGTERM ends it" test $? -eq 0

# ---- without BPF
rm -f "$tmp"/*.ledger
"$tool" agent --ledger $name --interval 0.5 --no-bpf 2>"$tmp/log" &
agent=$!
children="$children $agent"
check "without BPF: it starts" await kept
grep -q 'by perf events of' "$tmp/log"
result $? "without BPF: perf events count"
mkdir "$groups/$name"
spread_of() {
	echo $(($(amount "$1" cpu_ns) + $(amount "$1" cpu_estimate_ns)))
}
spread() {
	us=$(awk '$1 == "usage_usec" { print $2 }' "$groups/$name/cpu.stat")
	awk -v ns="$(spread_of "")" -v us="$us" 'BEGIN {
		off = ns / 1000 - us
		exit us > 0 && off * off <= us * us / 10000 ? 0 : 1 }'
}
counts() {
	[ "$(amount "" cpu_ns)" -gt 0 ]
}
(
	echo 0 >"$groups/$name/cgroup.procs"
	exec numactl --cpunodebind=2 --membind=2 tests/support/spin 1000000
) &
spinner=$!
children="$children $spinner"
check "without BPF: perf events tell its node" await counts
kill -KILL $(cat "$groups/$name/cgroup.procs")
wait $spinner 2>/dev/null
check "without BPF: CPU time is cpu.stat's" await spread
[ $(($(spread_of '"2"') * 10)) -ge $(($(spread_of "") * 8)) ]
result $? "without BPF: most of it is on the node that it was bound to"
await rmdir "$groups/$name"
kill $agent
wait $agent
check "without BPF: SIGTERM ends it" test $? -eq 0
plan
