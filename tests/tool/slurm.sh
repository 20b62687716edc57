#!/bin/sh
# SPDX-License-Identifier: MIT
# Slurm's plugin, in real daemons: what the ledger holds is what Slurm gave.
set -u
. "${srcdir:-.}/tests/tool/slurm_lib.sh"
equal=${srcdir:-.}/tests/tool/slurm_equal.py
start_slurm

# ---- jobs and steps
check "the ledger is there before the first job" is_empty
with_slurm srun -n1 -c2 --mem=300 "$tool" show --all --json "$ledger" >"$tmp/json"
jq -es '.[0].accounts | map({(.key): .nodes | map_values({cores, memory_bytes})}) | add == {
	"1": {"0": {cores: 2, memory_bytes: 314572800}},
	"1.0": {"0": {cores: 2, memory_bytes: 314572800}}}' "$tmp/json" >/dev/null
result $? "a job of one step, and its step"
check "nothing is held after it" await no_job
with_slurm srun -n1 --mem=100 sh -c 'exit 7'
[ $? -eq 7 ]
result $? "a command's exit status"

with_slurm sbatch -o /dev/null -n8 --mem=800 --wrap "
	for i in 1 2 3 4; do srun --exact -n2 --mem=100 $until_go & done
	wait" >"$tmp/submitted"
check "four steps at once are drawn from their job" await ledger_is '
	.accounts as $all | ($all | map(select(.key | contains("."))) | length) == 4 and
	([$all[] | select(.key | contains(".")) | .nodes[].cores] | add) == 8 and
	([$all[] | select(.key | contains(".") | not) | .nodes[].cores] | add) == 8 and
	([.nodes[].held.cores] | add) == 8'
with_slurm srun --jobid="$(tr -dc 0-9 <"$tmp/submitted")" --overlap -n1 true
result $? "a step that shares their cores runs, without a part of its own"
check "nothing is held after they went" go

with_slurm sbatch -o /dev/null -n1 --wrap "$until_go" >/dev/null
check "a job that names no memory has that of all nodes" await ledger_is '
	[.nodes[].held.memory_bytes] == [range(4) | 1073741824]'
check "and gives it back" go

# ---- many
nr_jobs=30
[ -z "${NUMATALLY_LONG-}" ] || nr_jobs=200
i=0
while [ $i -lt $nr_jobs ]; do
	i=$((i + 1))
	tasks=$((i * 7 % 5 + 1)) at_once=1
	[ $((i % 10)) -ne 0 ] || tasks=8 at_once=8
	with_slurm sbatch -o /dev/null -n$tasks --mem=$((i * 13 % 7 * 20 + 80)) --wrap "
		for n in \$(seq $at_once); do
			srun --exact -n1 --mem=10 sleep 0.$((i % 3 * at_once)) &
		done
		wait
		sleep 0.$((i % 4))" >/dev/null
done
bad=0
: >"$tmp/compared"
look()
{
	with_slurm scontrol show job -d >"$tmp/before" &&
		"$tool" show --all --json "$ledger" >"$tmp/json" &&
		with_slurm scontrol show job -d >"$tmp/after" || return 0
	python3 "$equal" "$tmp/before" "$tmp/json" "$tmp/after" >>"$tmp/compared"
}
until no_job; do
	# The first look may find the account of a job that is just about to reserve.
	look || look || bad=1
done
logs="$logs compared"
[ $bad -eq 0 ] && grep -q '^# [1-9][0-9]* jobs' "$tmp/compared"
result $? "at each look the ledger holds what Slurm gave"

# ---- refusals
with_slurm srun -n1 --mem=1500 true >"$out" 2>"$err"
has 'numatally: node 0 lacks memory_bytes: 1572864000 asked, 1073741824 free' err
result $? "the user is told what a node lacks"
check "a refused job holds nothing" await no_job
check "and the machine takes jobs" await node_is_idle

# ---- processes that die
with_slurm sbatch -o /dev/null -n4 --mem=400 --wrap "srun -n2 --mem=100 --exact $until_go" \
	>"$tmp/submitted"
check "a job with a step" await ledger_is '.accounts | length == 2'
kill -KILL $(steps_of "$(tr -dc 0-9 <"$tmp/submitted").0")
with_slurm scancel "$(tr -dc 0-9 <"$tmp/submitted")"
check "nothing is held after kill -9 of a step and the end of its job" await no_job
with_slurm sbatch -o /dev/null -n4 --mem=400 --wrap "$until_go" >/dev/null
await ledger_is '.accounts | length == 1'
kill -KILL "$slurmd"
start_slurmd
check "a job outlives slurmd" ledger_is '[.nodes[].held.cores] | add == 4'
await node_is_up
check "and holds nothing in the end" go

# ---- no ledger
no_job_is_left()
{
	[ -z "$(with_slurm squeue -h)" ]
}
nr_errors_is()
{
	[ "$(grep -c 'error: numatally: .* not a ledger' "$tmp/slurmd.log")" -eq "$1" ]
}
rm -f "$ledger"
mkdir "$ledger"
with_slurm srun -n1 --mem=100 echo runs >"$out" 2>"$err"
has '^runs$'
result $? "without a ledger jobs run"
await no_job_is_left
check "and the log says once why they are not accounted" await nr_errors_is 1
plan
