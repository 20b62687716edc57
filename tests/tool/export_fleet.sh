#!/bin/sh
# SPDX-License-Identifier: MIT
# A fleet: Prometheus scrapes several machines of 8 nodes and 200 accounts each second;
# its sum over all of them is that of the ledgers. How long scrapes take, and what
# they cost an exporter, is printed. NUMATALLY_LONG: 20 machines.
set -u
. "${srcdir:-.}/tests/tool/export_lib.sh"
"$tool" export --help | grep -q -e --listen || skip_all "built without libmicrohttpd"
for needed in curl jq prometheus python3; do
	command -v $needed >/dev/null || skip_all "no $needed"
done
machines=3 rounds=2 accounts=200
[ -z "${NUMATALLY_LONG:-}" ] || machines=20 rounds=30

# Eight nodes, the CPUs of this machine on the first.
put sys/devices/system/node/online 0-7
put sys/devices/system/cpu/online "$(cat /sys/devices/system/cpu/online)"
put sys/devices/system/cpu/possible "$(cat /sys/devices/system/cpu/possible)"
mkdir -p "$m/sys/devices/system/cpu/cpu0"
for n in 0 1 2 3 4 5 6 7; do
	put sys/devices/system/node/node$n/cpulist ''
	put sys/devices/system/node/node$n/meminfo "Node $n MemTotal: 1000 kB"
done
put sys/devices/system/node/node0/cpulist "$(cat /sys/devices/system/cpu/online)"

# machine I: a ledger, its writer behind $tmp/I/commands, and an exporter.
exporters=
machine()
{
	mkdir "$tmp/$1"
	mkfifo "$tmp/$1/commands"
	"$tests/support/charger" -r "$m" "$tmp/$1/fleet.ledger" cpu_ns:ns:counter \
		faults::counter <"$tmp/$1/commands" >"$tmp/$1/log" 2>&1 &
	children="$children $!"
	# It ends when no process has this one open any more.
	sleep 1000 >"$tmp/$1/commands" &
	children="$children $!"
	await test -e "$tmp/$1/fleet.ledger"
	NUMATALLY_DIR=$tmp/$1 "$tool" export --listen 127.0.0.1:0 fleet \
		>"$tmp/$1/url" 2>"$tmp/$1/err" &
	exporters="$exporters $!"
	children="$children $!"
	await test -s "$tmp/$1/url"
}
i=0
while [ $i -lt $machines ]; do
	i=$((i + 1))
	machine $i
done

# charge ROUND: each account on each node of each machine another amount.
charge()
{
	i=0
	while [ $i -lt $machines ]; do
		i=$((i + 1))
		awk -v i=$i -v round="$1" -v accounts=$accounts 'BEGIN {
			for (a = 1; a <= accounts; a++)
				for (n = 0; n < 8; n++) {
					print n, "faults", i * 1000 + a * 8 + n + round, "job-" a
					print n, "cpu_ns", (a + n) * 1000000, "job-" a
				}
		}' >"$tmp/$i/commands"
	done
}
# What the ledgers have of it, by what was charged in so many rounds.
charged()
{
	awk -v machines=$machines -v rounds="$1" -v accounts=$accounts 'BEGIN {
		for (i = 1; i <= machines; i++)
			for (a = 1; a <= accounts; a++)
				for (n = 0; n < 8; n++)
					sum += i * 1000 + a * 8 + n + (rounds + 1) / 2
		printf "%.0f\n", rounds * sum
	}'
}
charge 1

# shellcheck disable=SC2046
check "each machine is up" start_prometheus fleet 1s $(cat "$tmp"/[0-9]*/url)

fleet='sum by (job, ledger) (sum by (job, ledger, instance)'
check "the fleet's sum is that of the ledgers" await answers \
	"$fleet (numatally_node_faults_total{ledger=\"fleet\"}))" "$(charged 1)"
round=1
while [ $round -lt $rounds ]; do
	round=$((round + 1))
	charge $round
	[ $rounds -lt 10 ] || sleep 1
done
check "and so it is after $rounds rounds" await answers \
	"$fleet (numatally_node_faults_total))" "$(charged $rounds)"
check "of accounts, too" await answers \
	"$fleet (numatally_account_faults_total))" "$(charged $rounds)"
check "each has its series" await answers \
	'count(numatally_account_faults_total)' $((machines * accounts * 8))
check "no counter went back" answers \
	'sum(resets(numatally_account_faults_total[10m]))' 0
in_rules()
{
	[ "$(query 'job:numatally_cpu:rate1m > 0' | wc -l)" -eq 1 ] &&
		answers 'abs(job:numatally_cpu:rate1m - sum by (job, ledger) (instance:numatally_cpu:rate1m)) < bool 1e-6' 1
}
check "the rules roll machines up to the fleet" await in_rules

echo "# scrapes: P99 $(query 'max(quantile_over_time(0.99, scrape_duration_seconds[10m]))') s of \
$machines machines, $(query 'max(scrape_samples_scraped)') values each"
for exporter in $exporters; do
	awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hz }' "/proc/$exporter/stat"
done | awk -v scrapes="$(query 'max(count_over_time(up[10m]))')" '{ s += $1; n++ }
	END { printf "# an exporter: %.3f s of CPU in %d scrapes\n", s / n, scrapes }'
plan
