#!/bin/sh
# SPDX-License-Identifier: MIT
# What a user of Slurm says by --numatally=: it decides where a job is, and what is
# refused is told to the user.
set -u
. "${srcdir:-.}/tests/tool/slurm_lib.sh"
start_slurm
# A node has CPU 0, and another CPU 1: so a task that is bound is seen on any machine.
put sys/devices/system/node/node0/cpulist 0,4-6
put sys/devices/system/node/node1/cpulist 1-3,7
rm "$ledger"
with_slurm srun -n1 --mem=10 true
await no_job
logs="$logs json"

# has_nodes FILTER: of the ledger's only accounts, by key, what each has by node
has_nodes()
{
	ledger_is "[.accounts[] | {(.key): .nodes | map_values(select(.cores > 0) |
		{cores, memory_bytes})}] | add | $1"
}
cpus="python3 -c 'import os; print(*sorted(os.sched_getaffinity(0)))'"
# A job that runs with OPTION… has what FILTER says, and nothing in the end.
runs_with()
{
	filter=$1
	shift
	with_slurm sbatch -o "$tmp/cpus" "$@" --wrap "$cpus; $until_go" >/dev/null &&
		await has_nodes "$filter"
	ran=$?
	go && return $ran
}
# refused COMMAND…: the user is told, and nothing is held
refused()
{
	with_slurm "$@" >"$out" 2>"$err"
	await no_job
}

# ---- words
for program in "srun -n1 true" "sbatch -n1 --wrap true" "salloc -n1 true"; do
	# shellcheck disable=SC2086
	set -- ${program%% *} --numatally=single ${program#* }
	with_slurm "$@" >"$out" 2>"$err"
	[ $? -ne 0 ] && has "numatally: invalid argument 'single' of --numatally: it takes" err
	result $? "${program%% *} says what is allowed"
done
check "no job was submitted" await no_job
with_slurm srun --help >"$out"
has '--numatally=POLICY,nodes=LIST'
result $? "srun --help tells of the option"

# ---- nodes
check "a batch job has cores and memory on the nodes that it names" runs_with \
	'(.[] == {"0": {cores: 1, memory_bytes: 104857600}})' -n2 --mem=100 \
	--distribution=cyclic --numatally=nodes=0-1
expected=0
for cpu in 4 5 6; do
	[ $cpu -ge "$(getconf _NPROCESSORS_CONF)" ] || expected="$expected $cpu"
done
if [ "$(nproc)" -ne "$(getconf _NPROCESSORS_CONF)" ] || [ "$(nproc)" -eq 1 ]; then
	skip "its tasks are bound to the node's CPUs" "this machine's are limited"
else
	has "^$expected\$" cpus
	result $? "its tasks are bound to the node's CPUs"
fi
refused srun -n1 --mem=100 --numatally=nodes=3 true
has 'numatally: --numatally=nodes refuses what Slurm gave: cores: 1 on node 0; memory_bytes: 104857600' err
result $? "nodes of which Slurm gave no cores are refused"
check "a job without an option has all again" runs_with \
	'.[] | length == 2' -n2 --mem=100 --distribution=cyclic

# ---- policies
refused srun -n8 --mem=100 --numatally=single-numa-node true
has 'numatally: --numatally=single-numa-node refuses what Slurm gave: cores: 4 on node 0, 4 on node 2;' err
result $? "what is on two nodes is refused by single-numa-node"
check "restricted grants what needs two nodes" runs_with \
	'.[] | map(.cores) | add == 8' -n8 --mem=100 --numatally=restricted
check "best-effort grants what needs no two nodes" runs_with \
	'.[] | map(.cores) | add == 2' -n2 --mem=100 --numatally=best-effort
refused srun -n2 --mem=100 --numatally=restricted true
has 'numatally: --numatally=restricted refuses' err
result $? "restricted refuses that"
check "single-numa-node grants what is on one" runs_with \
	'.[] == {"0": {cores: 1, memory_bytes: 104857600}}' -n1 --mem=100 \
	--numatally=single-numa-node

# ---- steps
with_slurm sbatch -o "$tmp/steps" -n8 --mem=800 --wrap "
	srun --exact -n1 --mem=100 --numatally=nodes=0 $until_go &
	srun -n8 --overlap --numatally=single-numa-node true 2>&1; wait" >/dev/null
check "a step has a wish of its own" await has_nodes \
	'(to_entries | map(select(.key | contains(".")))) as $steps |
	($steps | length) == 1 and $steps[0].value ==
		{"0": {cores: 1, memory_bytes: 104857600}}'
check "and nothing is held in the end" go
has 'numatally: --numatally=single-numa-node refuses what Slurm gave: cores: 4' steps
result $? "a step is refused, its job is not"
plan
