# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# The tests of numatally export read this file first: tool_lib.sh, and
#
#   writer FILE                  a ledger, which charges to it go to, is made
#   tell LINE…                   charges, as charger takes them
#   value FILE SERIES            the value of a series in a file of metrics
#   curl_local ARGUMENT…         curl, of this machine
#   query EXPRESSION             its values, of the Prometheus at $port
#   answers EXPRESSION VALUE     whether it has that one
#   serve ADDRESS LEDGER…        numatally export --listen, until $url is known
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

serve()
{
	: >"$tmp/url"
	"$tool" export --listen "$@" >"$tmp/url" 2>"$tmp/server" &
	exporter=$!
	children="$children $exporter"
	await test -s "$tmp/url"
	url=$(cat "$tmp/url")
}
