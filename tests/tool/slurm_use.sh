#!/bin/sh
# SPDX-License-Identifier: MIT
# Slurm's plugin counts what jobs use, while they run, and leaves a record of each.
set -u
. "${srcdir:-.}/tests/tool/slurm_lib.sh"
start_slurm
logs="$logs used record json"

# A child with 64 MiB, and CPU time; its parent tells that of both, and has little
# left to do.
cat >"$tmp/work.py" <<'END'
import os, resource, sys, time
if os.fork() == 0:
	memory = bytearray(1 << 26)
	end = time.process_time() + 0.3
	while time.process_time() < end:
		pass
	while os.path.isdir(sys.argv[1]) and not os.path.exists(sys.argv[1] + "/go"):
		time.sleep(0.05)
	os._exit(0)
os.wait()
used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(int(sum(u.ru_utime + u.ru_stime for u in used) * 1e9))
END
work="python3 $tmp/work.py $tmp"

# FILTER is true of the job's accounts, and of its amounts on node 0 as $has
job_is()
{
	ledger_is "(.accounts[] | select(.key == \"$job\") | .nodes[\"0\"]) as \$has | $1"
}
# FILTER is true of the only record of the job
record_is()
{
	jq -es "map(select(.job == $job)) | length == 1 and (.[0] | $1)" "$record" >/dev/null
}
is_sampled()
{
	grep -q 'error: numatally: CPU time is sampled' "$tmp/slurmd.log"
}

# counts NAME COLUMN ESTIMATES: a job of one task, and one of two steps
counts()
{
	with_slurm srun -n1 -c2 --mem=300 $work >"$tmp/used" &
	srun=$!
	await ledger_is '.accounts | length == 2'
	job=$("$tool" show --all --json "$ledger" |
		jq -r '.accounts[].key | select(contains(".") | not)')
	check "$1: CPU time and memory of a job while it runs" await job_is \
		"\$has.$2 >= 3e8 and \$has.cpu_ns + \$has.cpu_sampled_ns == \$has.$2 and
		\$has.anonymous_bytes >= 67108864 and
		\$has.memory_peak_bytes >= \$has.anonymous_bytes"
	go
	wait $srun
	used=$(cat "$tmp/used")
	# What the task takes before it executes, and after it has printed
	check "$1: the record has the task's CPU time" record_is "
		.nodes[0].cpu_ns >= $used and .nodes[0].cpu_ns < 1.02 * $used + 1e8"
	check "$1: and what else the site asks for" record_is ".user == \"root\" and
		.uid == 0 and .host != null and .hosts == .host and .ended_ns > 1e18 and
		.estimates == $3 and (.nodes | length) == 1 and (.nodes[0] |
			.id == 0 and .cores == 2 and .memory_bytes == 314572800 and
			.memory_peak_bytes >= 67108864 and
			.memory_peak_bytes < 2 * 67108864)"
	with_slurm sbatch -o "$tmp/used" -n2 --mem=400 --wrap "
		srun --exact -n1 --mem=100 $work & srun --exact -n1 --mem=100 $work & wait" \
		>"$tmp/submitted"
	job=$(tr -dc 0-9 <"$tmp/submitted")
	check "$1: two steps of a job add up" await job_is \
		"\$has.$2 >= 6e8 and \$has.anonymous_bytes >= 2 * 67108864"
	go
	check "$1: also in its record" record_is \
		"([.nodes[].cpu_ns] | add) >= $(awk '{ s += $1 } END { printf "%.0f", s }' "$tmp/used") and
		.nodes[0].memory_peak_bytes >= 2 * 67108864"
}

if is_sampled; then
	skip "the kernel counts" "it refuses perf events"
else
	counts counted cpu_ns '["memory_peak_bytes"]'
fi
kill -TERM "$slurmd"
wait "$slurmd"
start_slurmd "$tests/support/refuse" perf_event_open --
check "the log says that the kernel refuses perf events" await is_sampled
await node_is_up
counts sampled cpu_sampled_ns '["cpu_ns","memory_peak_bytes"]'
[ "$(grep -c 'numatally: CPU time' "$tmp/slurmd.log")" -eq 1 ]
result $? "it says so once"

# ---- what can't be
rm "$record"
mkdir "$record"
with_slurm srun -n1 --mem=100 echo runs >"$out" 2>"$err"
has '^runs$'
result $? "without a file for records jobs run"
is_told()
{
	grep -q 'error: numatally: job .*/record: Is a directory' "$tmp/slurmd.log"
}
check "and the log says why there is none" await is_told
check "nothing is held in the end" await no_job
plan
