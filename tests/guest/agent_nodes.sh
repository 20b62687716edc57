#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally agent on real nodes, with cgroups of version 2: what a cgroup used is on
# the node that it was bound to, and what it counts is what the kernel does.
tool=${NUMATALLY:-numatally}
. "${srcdir:-.}/tests/support/tap.sh"
logs=log
NUMATALLY_DIR=$tmp
export NUMATALLY_DIR
groups=/sys/fs/cgroup
name=agent-test

await() {
	tries=0
	until "$@" 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 1000 ] || return 1
		sleep 0.1
	done
}
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

(
	echo 0 >"$groups/$name/cgroup.procs"
	exec numactl --cpunodebind=0 --membind=1 tests/support/eat hold 16 1000000
) &
children="$children $!"
check "memory is on the node that it was bound to" await has_memory
check "and is memory.numa_stat's" await same
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
plan
