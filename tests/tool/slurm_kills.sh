#!/bin/sh
# SPDX-License-Identifier: MIT
# Processes of Slurm are killed at random: nothing stays held after the epilogs, no
# capacity is passed, and Slurm takes jobs.
set -u
. "${srcdir:-.}/tests/tool/slurm_lib.sh"
start_slurm

nr_rounds=3
seconds=0
[ -z "${NUMATALLY_LONG-}" ] || seconds=600
until=$(($(date +%s) + seconds))
bad=
logs="$logs problems slurmctld.log"

# A number from 0 to $1 - 1, by the kind of the round alone
any()
{
	echo "$1 $round $2" | awk '{ srand($2 * 31 + $3); print int(rand() * $1) }'
}

# The PIDs of what step daemons, or tasks, there are
daemons()
{
	pgrep -f '^slurmstepd: \[[0-9]*\.'
}
tasks()
{
	pgrep -f "^sleep 3\.$$"
}

one_of()
{
	"$1" | awk -v n="$(any 100 7)" '{ p[NR] = $1 } END { if (NR) print p[n % NR + 1] }'
}

submit()
{
	for i in 1 2 3; do
		with_slurm sbatch -o /dev/null --no-requeue -n$(($(any 3 "$i") + 2)) --mem=200 \
			--wrap "srun --exact -n1 --mem=50 sleep 3.$$ & srun --exact -n1 --mem=50 sleep 3.$$; wait" \
			>/dev/null
	done
}

# Only after this may a slurmctld be asked again.
answers()
{
	with_slurm scontrol ping >/dev/null
}

kill_something()
{
	case $1 in
	0) victim=$(one_of daemons) ;;
	1) victim=$(one_of tasks) ;;
	2) victim=$slurmd ;;
	3) victim=$slurmctld ;;
	esac
	[ -z "$victim" ] || kill -KILL "$victim"
	case $1 in
	2) start_slurmd ;;
	3) start_slurmctld ;;
	esac
	await answers
	await node_is_up
}

within_capacities()
{
	ledger_is '[.nodes[] | .held.cores <= .capacity.cores and
		.held.memory_bytes <= .capacity.memory_bytes] | all' &&
		"$tool" check --json "$ledger" |
			jq -e '.problems == []' >"$tmp/problems"
}

end_jobs()
{
	with_slurm scancel -u "$(id -un)"
	no_job
}

round=0
while [ $round -lt $nr_rounds ] || [ "$(date +%s)" -lt $until ]; do
	round=$((round + 1))
	submit
	await ledger_is '.accounts | length > 1'
	for i in 1 2; do
		kill_something "$((round % 2 * 2 + $(any 2 "$i")))"
		within_capacities || bad="$bad $round"
	done
	await end_jobs || bad="$bad $round: held"
done
[ -z "$bad" ]
result $? "nothing stays held"
echo "# $round rounds${bad:+; bad: $bad}"
await node_is_idle
with_slurm srun -n1 --mem=100 sh -c 'exit 5' 2>/dev/null
[ $? -eq 5 ]
result $? "Slurm takes jobs, and exit statuses are told"
check "nothing is held in the end" await no_job
plan
