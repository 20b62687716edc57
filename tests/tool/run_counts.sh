#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally run: what it reports, and that it counts all CPU time, whichever way.
. "${srcdir:-.}/tests/tool/run_lib.sh"
refuse=./tests/support/refuse

# ---- JSON
"$tool" run --json -o "$tmp/json" sh -c "$busy; exit 3" 2>"$err"
check "JSON: the exit status" test $? -eq 3
for part in '^{"version":1,' '"exit_status":3,' '"wall_ns":[1-9]' \
	'"ledger":"run-[0-9]*"' '"nodes":\[{"id":[0-9]' '"cpu_ns":[1-9]' \
	'"page_faults":[1-9]' '"context_switches":[0-9]' '"migrations":[0-9]' \
	'"memory_peak_bytes":{"anonymous":[0-9]*,"file":[0-9]*,"shared":[0-9]*,"huge":[0-9]*}' \
	'"estimates":\["' '"problems":\['; do
	check "JSON has $part" has "$part" json
done
nodes=$(ls -d /sys/devices/system/node/node[0-9]* 2>/dev/null | wc -l)
[ "$nodes" -gt 0 ] || nodes=1
check "JSON has every node" test "$(member id | wc -l)" -eq "$nodes"
check "the ledger is removed" test -z "$(ls "$NUMATALLY_DIR")"

# The time after a task's last event is not counted: a short time, except in a
# virtual machine on a busy host.
percent=1
ms=5
[ -z "$NUMATALLY_GUEST" ] || percent=10 ms=200

# The time that interrupts and a virtual machine's host took from the CPUs, in ns.
# A CPU counts it at its next tick, which an idle CPU does not have.
taken() {
	for cpu in $(sed -n 's/^cpu\([0-9][0-9]*\) .*/\1/p' /proc/stat); do
		taskset -c "$cpu" tests/support/spin 20 2>/dev/null &
	done
	wait
	awk '$1 == "cpu" {
		printf "%.0f\n", ($7 + $8 + $9) * 1e7 }' /proc/stat
}

# near NAME CPU RUSAGE TAKEN: CPU is RUSAGE, except for that. Events also count
# what was TAKEN meanwhile, rusage does not.
near() {
	check "$1 ($2, $3, $4)" awk -v a="$2" -v b="$3" -v taken="$4" \
		-v p=$percent -v ms=$ms 'BEGIN {
		off = b * p / 100 + ms * 1e6
		exit a <= b + off + taken && a >= b - off ? 0 : 1 }'
}

# ---- what is counted
four='for i in 1 2 3 4; do ('$busy') & done; wait'
for way in bpf inherit cgroup sample; do
	before=$(taken)
	"$tool" run --json --events=$way -o "$tmp/json" sh -c "$four" &
	run=$!
	wait $run
	taken=$(($(taken) - before))
	rusage=$(($(sum user_ns) + $(sum system_ns)))
	near "$way: the nodes' sum is rusage's" "$(sum cpu_ns)" $rusage $taken
	cp "$tmp/json" "$tmp/json.$way"
	check "$way: no cgroup is left" \
		test -z "$(find /sys/fs/cgroup -name "numatally-run-$run")"
done
# spread NAME COMMAND: what switches or forks much; events lack a part of each
# switch and exit
spread() {
	before=$(taken)
	(cd "$tmp" && exec "$tool" run --json --events=inherit -o "$tmp/json" \
		sh -c "$2")
	taken=$(($(taken) - before))
	rusage=$(($(sum user_ns) + $(sum system_ns)))
	near "$1: the nodes' sum is rusage's" "$(sum cpu_ns)" $rusage $taken
	check "$1: no time is unattributed" test "$(of_none cpu_ns)" -eq 0
	check "$1: no guess at a setuid program" \
		test "$(grep -c setuid "$tmp/json")" -eq 0
}

# An emulated machine takes long to fork.
pipes=200
[ -z "$NUMATALLY_GUEST" ] || pipes=100
spread pipes "i=0; while [ \$i -lt $pipes ]; do true | cat; i=\$((i+1)); done"
spread talk '(j=0; while [ $j -lt 3000 ]; do echo; j=$((j+1)); done) |
	(while read -r x; do echo; done) | while read -r x; do :; done'
check "sampled counts are estimates" has \
	'"estimates":\["cpu_ns","page_faults","context_switches","migrations"' \
	json.sample

if [ -x $refuse ] && $refuse bpf perf_event_open -- true; then
	$refuse bpf perf_event_open -- \
		"$tool" run --json -o "$tmp/json" sh -c "$four"
	check "perf refused: the command runs" test $? -eq 0
	check "perf refused: sampled" has '"events":"sample"' json
	check "perf refused: estimates" has '"estimates":\["cpu_ns"' json
	check "perf refused: an error message" has 'perf_event_paranoid' json
	rusage=$(($(sum user_ns) + $(sum system_ns)))
	near "perf refused: the sum is rusage's" "$(sum cpu_ns)" $rusage 0
	$refuse bpf perf_event_open -- "$tool" run sh -c "$busy" 2>"$err"
	check "perf refused: the table marks estimates" has '^node.*~' err
else
	skip "perf refused" "no seccomp"
fi

plan
