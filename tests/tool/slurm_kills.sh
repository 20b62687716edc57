#!/bin/sh
# SPDX-License-Identifier: MIT
# Processes of Slurm die, and slurmctld forgets a job: nothing stays held, nothing is
# counted twice, and exit statuses are told. NUMATALLY_LONG: 10 minutes at random.
set -u
. "${srcdir:-.}/tests/tool/slurm_lib.sh"
start_slurm
logs="$logs record problems slurmctld.log"

# ---- a job that slurmctld forgets
stop()
{
	kill -"$1" "$2"
	wait "$2" 2>/dev/null
}
stop TERM $slurmctld
cp -a "$tmp/state" "$tmp/before"
start_slurmctld
await node_is_idle
with_slurm sbatch -o /dev/null -n2 --mem=300 --wrap "$until_go" >"$tmp/submitted"
forgotten=$(tr -dc 0-9 <"$tmp/submitted")
await ledger_is '.accounts | length == 1'
# As if it had been killed before it saved that the job runs
stop KILL $slurmctld
rm -rf "$tmp/state"
mv "$tmp/before" "$tmp/state"
: >"$tmp/go"
start_slurmctld
has_no_step()
{
	[ -z "$(steps_of "$forgotten.")" ]
}
await has_no_step
rm "$tmp/go"
await node_is_idle
# slurmctld numbers jobs as before: a job that runs has the forgotten one's number.
check "no epilog came" ledger_is '[.nodes[].held.cores] | add == 2'
until [ "$(with_slurm srun -n1 --mem=100 sh -c 'echo $SLURM_JOB_ID')" -gt "$forgotten" ]; do
	:
done
check "the next epilog ends what a forgotten job held" await no_job

# ---- at random
rounds=2
until=0
[ -z "${NUMATALLY_LONG-}" ] || until=$(($(date +%s) + 600))
bad=
one_of()
{
	"$@" | awk -v n="$round" '{ p[NR] = $1 } END { if (NR) print p[n % NR + 1] }'
}
submit()
{
	for n in 1 2 3; do
		with_slurm sbatch -o /dev/null --no-requeue -n$n --mem=200 --wrap "
			srun --exact -n1 --mem=50 sleep 2.$$ & srun --exact -n1 --mem=50 sleep 2.$$
			wait" >/dev/null
	done
}
kill_one()
{
	victim=
	case $1 in
	0) victim=$(one_of steps_of '') ;;
	1) victim=$(one_of pgrep -f "^sleep 2\.$$") ;;
	2) stop KILL "$slurmd"; start_slurmd ;;
	3) stop TERM "$slurmctld"; start_slurmctld ;;
	esac
	[ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null
	await node_is_up
}
within_capacities()
{
	ledger_is '[.nodes[] | .held.cores <= .capacity.cores and
		.held.memory_bytes <= .capacity.memory_bytes] | all' &&
		"$tool" check --json "$ledger" | jq -e '.problems == []' >"$tmp/problems"
}
# What slurmd had forked may still have its port when it is killed: the next slurmd
# then ends.
all_is_over()
{
	case $(ps -o stat= -p "$slurmd") in
	'' | Z*) start_slurmd ;;
	esac
	no_job
}
round=0
while [ $round -lt $rounds ] || [ "$(date +%s)" -lt $until ]; do
	round=$((round + 1))
	submit
	await ledger_is '.accounts | length > 1'
	kill_one $((round % 2 * 2))
	kill_one $((round % 2 * 2 + 1))
	within_capacities || bad="$bad $round: limits;"
	with_slurm scancel -u "$(id -un)"
	await all_is_over || bad="$bad $round: held;"
done
[ -z "$bad" ]
result $? "nothing stays held"
echo "# $round rounds${bad:+; bad: $bad}"
jq -es 'group_by(.job) | map(select(length > 1)) == []' "$record" >/dev/null
result $? "each job has one record"
await node_is_idle
with_slurm srun -n1 --mem=100 sh -c 'exit 5' 2>/dev/null
[ $? -eq 5 ]
result $? "Slurm takes jobs, and exit statuses are told"
check "nothing is held in the end" await no_job
plan
