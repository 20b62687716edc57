#!/bin/sh
# SPDX-License-Identifier: MIT
# Slurm's jobs in Prometheus, through numatally export: series of each job and node
# come and go with the job, and add up to what Slurm's accounting says of it.
# NUMATALLY_LONG: ten minutes of jobs, of a minute each.
set -u
. "${srcdir:-.}/tests/tool/slurm_lib.sh"
. "${srcdir:-.}/tests/tool/export_lib.sh"
"$tool" export --help | grep -q -e --listen || skip_all "built without libmicrohttpd"
for needed in curl prometheus python3; do
	command -v $needed >/dev/null || skip_all "no $needed"
done
nr_jobs=6 seconds=3
[ -z "${NUMATALLY_LONG-}" ] || nr_jobs=20 seconds=60

# Slurm's accounting, in a database of the test's own, where these are installed.
PATH=$PATH:/usr/sbin
accounting=yes
for needed in slurmdbd mariadbd mariadb-install-db sacct sacctmgr; do
	command -v $needed >/dev/null || accounting=
done
[ -z "$accounting" ] || gather=linux
logs="$logs told slurmdbd.log"
before_slurmctld()
{
	[ -n "$accounting" ] || return 0
	mkdir "$tmp/database"
	mariadb-install-db --no-defaults --user=root --datadir="$tmp/database" \
		--auth-root-authentication-method=normal --skip-test-db \
		>"$tmp/database.log" 2>&1
	mariadbd --no-defaults --user=root --datadir="$tmp/database" \
		--socket="$tmp/database/socket" --pid-file="$tmp/database/pid" \
		--skip-networking >>"$tmp/database.log" 2>&1 &
	children="$children $!"
	await test -S "$tmp/database/socket"
	# The port behind the daemons', which they have not taken yet.
	# shellcheck disable=SC2046
	set -- $(free_ports)
	cat >"$tmp/slurmdbd.conf" <<END
AuthType=auth/munge
AuthInfo=socket=$tmp/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$(($2 + 1))
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm
LogFile=$tmp/slurmdbd.log
PidFile=$tmp/slurmdbd.pid
END
	chmod 600 "$tmp/slurmdbd.conf"
	MYSQL_UNIX_PORT=$tmp/database/socket SLURM_CONF=$tmp/slurmdbd.conf \
		slurmdbd -D >"$tmp/slurmdbd.out" 2>&1 &
	children="$children $!"
	cat >>"$tmp/slurm.conf" <<END
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePass=$tmp/munge/socket
AccountingStoragePort=$(($2 + 1))
END
	await with_slurm sacctmgr -i add cluster numatally >/dev/null
}
start_slurm
serve 127.0.0.1:0 "$ledger"
check "Prometheus scrapes the ledger" start_prometheus slurm 500ms "$url"

# Two jobs at once; each prints what it used, in s.
cat >"$tmp/burn.py" <<'END'
import resource, sys, time
while time.process_time() < float(sys.argv[1]):
	pass
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime)
END
# What python3 is: it may be a script, which takes CPU time itself.
python=$(python3 -c 'import sys; print(sys.executable)')
i=0
while [ $i -lt $nr_jobs ]; do
	i=$((i + 1))
	with_slurm sbatch -o "$tmp/used.%j" -n1 -c8 --mem=50 \
		--wrap "exec $python $tmp/burn.py $seconds" >/dev/null
done
jobs='numatally_account_cpu_seconds_total{account=~"[0-9]+"}'
check "a job has a series while it runs" await answers "count($jobs > 0) > bool 0" 1
until no_job; do
	sleep 1
done
check "each had one" await answers \
	"count(count by (account) (count_over_time(${jobs}[1d])))" $nr_jobs
check "none has one in the end" await answers "count($jobs)" ''
check "nor does any job count twice" answers "max(resets(${jobs}[1d]))" 0

# The last amounts of a job, which ended before a scrape, are in the rest.
shown=$(query "sum(max_over_time(${jobs}[1d]))")
rest=$(query 'sum(numatally_account_cpu_seconds_total{rest="true"})')
printed=$(cat "$tmp"/used.* | awk '{ s += $1 } END { print s }')
# near WHOLE SLACK: 2 %, and what a job's shell and the ends of processes take
near()
{
	awk -v sum="$(echo "$shown ${rest:-0}" | awk '{ print $1 + $2 }')" -v whole="$1" \
		-v slack="$2" 'BEGIN {
			off = sum > whole ? sum - whole : whole - sum
			exit whole > 0 && off <= whole / 50 + slack ? 0 : 1 }'
}
echo "# $nr_jobs jobs: $shown s of CPU time in their series, ${rest:-0} s in the rest; \
they printed $printed s"
check "the series add up to what the jobs printed" near "$printed" \
	"$(awk -v n=$nr_jobs 'BEGIN { print n * 0.1 }')"
if [ -n "$accounting" ]; then
	told=$(with_slurm sacct -a -n -P -o JobID,TotalCPU |
		sed -n 's/^[0-9]*|//p' | awk -F '[-:]' '{
		s = 0
		for (i = 1; i <= NF; i++)
			s = s * (NF - i == 2 && NF == 4 ? 24 : 60) + $i
		sum += s } END { print sum }')
	echo "# sacct: $told s"
	check "and to what sacct says" near "$told" 0
else
	skip "sacct" "no slurmdbd, or no MariaDB"
fi
plan
