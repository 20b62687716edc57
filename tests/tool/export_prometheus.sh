#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally export --listen, as Prometheus takes it: no count is lost, and each rule,
# and each query of the dashboard, finds data.
set -u
. "${srcdir:-.}/tests/tool/export_lib.sh"
"$tool" export --help | grep -q -e --listen || skip_all "built without libmicrohttpd"
for needed in curl prometheus promtool python3; do
	command -v $needed >/dev/null || skip_all "no $needed"
done
ledger=$tmp/l.ledger
files=$(cd "${srcdir:-.}/tools/export" && pwd)
dashboard=$files/numatally.dashboard.json
logs="$logs without"

promtool check rules "$files/numatally.rules.yml" >"$out" 2>"$err"
result $? "the rules are right"
printf 'no ledger' >"$tmp/bad"
serve 127.0.0.1:0 "$ledger" "$tmp/full" "$tmp/bad"
writer "$ledger"
tell "$node faults 7 a/b" "$node cpu_ns 1500000000 a/b" "$node numa_miss 1 a/b" \
	"$node memory_bytes 4096 a/b"
check "Prometheus starts" start_prometheus numatally 500ms "$url"

# ---- counts
faults="numatally_account_faults_total{account=\"a/b\"}"
check "it has the counts" await answers "$faults" 7
check "and the seconds" await answers \
	'numatally_node_cpu_seconds_total{numa_node="'$node'"}' 1.5
kill -9 $writer
wait $writer 2>/dev/null
exec 9>&-
rm "$ledger"
writer "$ledger"
check "a ledger that is made anew, which has no accounts yet" await answers \
	'numatally_ledger_accounts{ledger="'$ledger'"}' 0
tell "$node faults 100 a/b" "$node cpu_ns 2000000000 a/b"
check "then no count is lost" await answers "$faults" 107
check "and no counter went back" answers "resets(${faults}[10m])" 0
check "nor on the node" answers \
	'resets(numatally_node_faults_total{numa_node="'$node'"}[10m])' 0
check "up" await answers up 1

# ---- rules and the dashboard
# A ledger whose node is full, and refuses, and whose writer is dead.
mkfifo "$tmp/requests"
"$tests/support/reserver" "$tmp/full" <"$tmp/requests" >"$tmp/refused" &
reserver=$!
children="$children $reserver"
exec 8>"$tmp/requests"
cat >&8 <<'END'
create
capacity 0 cores 4
capacity 0 memory_bytes 4096
quota q/ cores 8
reserve q/a 0 cores 4
commit q/a
reserve q/b 0 cores 1
END
refused='numatally_node_cores_refusals_total{ledger="'$tmp/full'"}'
check "a refusal" await answers "$refused" 1
echo 'reserve q/c 0 cores 1' >&8
check "another one" await answers "$refused" 2
kill -9 $reserver
wait $reserver 2>/dev/null
exec 8>&-

# What finds nothing yet stays in $tmp/without, a query a line.
all_found()
{
	: >"$tmp/still"
	while IFS= read -r line; do
		[ -n "$(query "$line")" ] || printf '%s\n' "$line" >>"$tmp/still"
	done <"$tmp/without"
	mv "$tmp/still" "$tmp/without"
	! [ -s "$tmp/without" ]
}
curl_local "http://127.0.0.1:$port/api/v1/rules" | jq -r '.data.groups[].rules[] |
	if .type == "alerting" then "ALERTS{alertname=\"\(.name)\"}" else .name end' \
	>"$tmp/without"
check "there are rules" test -s "$tmp/without"
check "each rule finds data" await all_found
jq -r '.panels[].targets[]?.expr, (.templating.list[] | select(.type == "query").query |
		sub("^label_values\\((?<of>.*), .*\\)$"; "\(.of)")) |
	gsub("\n"; " ") | gsub("\\$__rate_interval"; "5m") |
	gsub("\\$(job|instance|ledger)\\b"; ".*")' "$dashboard" >"$tmp/without"
check "there is a dashboard" test -s "$tmp/without"
check "each of its queries finds data" await all_found

kill $exporter
wait $exporter
check "then it is down" await answers up 0
kill $prometheus
wait $prometheus 2>/dev/null
exec 9>&-
wait $writer
plan
