# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# The tests of numatally export read this file first: tool_lib.sh, and
#
#   writer FILE                  a ledger, which charges to it go to, is made
#   tell LINE…                   charges, as charger takes them
#   value FILE SERIES            the value of a series in a file of metrics
#   curl_local ARGUMENT…         curl, of this machine
#   serve ADDRESS LEDGER…        numatally export --listen, until $url is known
#   start_prometheus JOB INTERVAL URL…
#                                one that scrapes them; its PID is $prometheus
#   query EXPRESSION             its values
#   answers EXPRESSION VALUE     whether it has that one
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
logs="out err log text server"
# A node of this machine.
node=$("$tool" topo --json | jq '[.nodes[] | select(.memory_bytes > 0)][0].id')

writer()
{
	mkfifo "$tmp/commands"
	"$tests/support/charger" "$1" cpu_ns:ns:counter faults::counter \
		numa_miss::counter memory_bytes:bytes:gauge <"$tmp/commands" >"$tmp/log" &
	writer=$!
	children="$children $writer"
	exec 9>"$tmp/commands"
	rm "$tmp/commands"
	await test -e "$1"
}

tell()
{
	printf '%s\n' "$@" >&9
}

value()
{
	awk -v series="$2" 'index($0, series " ") == 1 { print substr($0,
		length(series) + 2) }' "$tmp/$1"
}

curl_local()
{
	curl -q -s --noproxy '*' --max-time 30 "$@"
}

serve()
{
	: >"$tmp/url"
	"$tool" export --listen "$@" >"$tmp/url" 2>"$tmp/server" &
	exporter=$!
	children="$children $exporter"
	await test -s "$tmp/url"
	url=$(cat "$tmp/url")
}

start_prometheus()
{
	job=$1
	interval=$2
	shift 2
	port=$(python3 -c 'import socket; s = socket.socket()
s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	{
		cat <<END
global: {scrape_interval: $interval, scrape_timeout: $interval, evaluation_interval: $interval}
rule_files: ['$(cd "${srcdir:-.}/tools/export" && pwd)/numatally.rules.yml']
scrape_configs:
- job_name: $job
  static_configs:
  - targets:
END
		printf '%s\n' "$@" | sed 's,http://\(.*\)/metrics,    - "\1",'
	} >"$tmp/prometheus.yml"
	prometheus --config.file="$tmp/prometheus.yml" --log.level=warn \
		--storage.tsdb.path="$tmp/data" \
		--web.listen-address=127.0.0.1:"$port" >"$tmp/server" 2>&1 &
	prometheus=$!
	children="$children $prometheus"
	await answers 'sum(up)' $#
}

query()
{
	curl_local -G "http://127.0.0.1:$port/api/v1/query" \
		--data-urlencode "query=$1" >"$tmp/out" 2>/dev/null &&
		jq -r '.data.result[].value[1]' "$tmp/out"
}

answers()
{
	test "$(query "$1")" = "$2"
}
