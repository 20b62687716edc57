#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally export --textfile: metrics in a file, as promtool and node_exporter take
# them.
set -u
. "${srcdir:-.}/tests/tool/export_lib.sh"
ledger=$tmp/l.ledger
account='{ledger="l",account="a/b",numa_node="'$node'"}'

NUMATALLY_DIR=$tmp
export NUMATALLY_DIR
has_value()
{
	test "$(value "$@" | head -n 1)" = "$3"
}
export_to()
{
	"$tool" export --textfile "$@" 2>"$err"
}

# ---- usage
fails 2 "no output" "$tool" export l
fails 2 "a ledger twice" "$tool" export --textfile - l l
fails 2 "a ledger without a name" "$tool" export --textfile - ''
fails 2 "not a number" "$tool" export --textfile - --top x
fails 2 "not an interval" "$tool" export --textfile - -i 0

# ---- a file, and stdout
writer "$ledger"
tell "$node cpu_ns 1500000000 a/b" "$node faults 7 a/b" "$node memory_bytes 4096 c"
charged()
{
	export_to - l >"$tmp/text" &&
		has_value text "numatally_account_memory_bytes{ledger=\"l\",account=\"c\",numa_node=\"$node\"}" 4096
}
check "stdout" await charged
check "seconds" has_value text "numatally_account_cpu_seconds_total$account" 1.5
check "a count" has_value text "numatally_account_faults_total$account" 7
mkdir "$tmp/texts"
export_to "$tmp/texts/l.prom" l && cp "$tmp/texts/l.prom" "$tmp/file" &&
	[ "$(ls "$tmp/texts")" = l.prom ] &&
	has_value file "numatally_account_faults_total$account" 7
result $? "a file, and nothing beside it"
mkfifo "$tmp/fifo"
fails 1 "a file that is none is not replaced" "$tool" export --textfile "$tmp/fifo" l
check "it is still there" test -p "$tmp/fifo"
{ (
	ulimit -f 0
	exec "$tool" export --textfile "$tmp/texts/m.prom" l 2>&1
) || echo $?; } | cat >"$err"
[ "$(ls "$tmp/texts")" = l.prom ] &&
	printf '%s\n' "numatally export: $tmp/texts/m.prom: File too large" 1 |
	cmp -s - "$err"
result $? "the limit of a file's size is told, and nothing is left"
fails 1 "no such directory" "$tool" export --textfile "$tmp/none/x" l

# ---- ledgers
for to in - "$tmp/texts/none.prom"; do
	run "$tool" export --textfile "$to" nosuch "$tmp/nosuch"
	[ $? -eq 1 ] && printf 'numatally export: %s\n' \
		'nosuch: no such ledger' \
		"$tmp/nosuch: No such file or directory" | cmp -s - "$err"
	result $? "no such ledger: $(basename "$to")"
done
rm "$tmp/texts/none.prom"
export_to - >"$tmp/text"
check "all ledgers: this one" has_value text 'numatally_ledger_up{ledger="l"}' 1
printf 'no ledger' >"$tmp/bad.ledger"
export_to - >"$tmp/text"
status=$?
check "a bad one is a failure" test $status -eq 1
grep -q '^numatally export: .*bad.*: ' "$err"
result $? "stderr says why"
check "it is down" has_value text 'numatally_ledger_up{ledger="bad"}' 0
grep -q '^numatally_ledger_error_info{ledger="bad",error="[^"]*"} 1$' "$tmp/text"
result $? "and says why"
check "others are there" has_value text "numatally_account_faults_total$account" 7
rm "$tmp/bad.ledger"

# ---- again and again
"$tool" export --textfile "$tmp/texts/l.prom" -i 0.05 l 2>"$tmp/server" &
exporter=$!
children="$children $exporter"
tell "$node faults 3 a/b"
now_ten()
{
	cp "$tmp/texts/l.prom" "$tmp/file"
	has_value file "numatally_account_faults_total$account" 10
}
check "an interval: the file follows" await now_ten
# The shell ignores SIGINT for what it runs in the background.
kill -INT $exporter
rm "$tmp/texts/l.prom"
check "an ignored SIGINT does nothing" await test -e "$tmp/texts/l.prom"
kill $exporter
wait $exporter
status=$?
check "a signal ends it, with status 0" test $status -eq 0
check "and leaves the file alone" test "$(ls "$tmp/texts")" = l.prom

# ---- as others read it
export_to - --openmetrics l >"$tmp/text"
[ "$(tail -n 1 "$tmp/text")" = '# EOF' ] &&
	grep -q '^# TYPE numatally_account_cpu_seconds counter$' "$tmp/text" &&
	grep -q '^# UNIT numatally_account_cpu_seconds seconds$' "$tmp/text" &&
	grep -q '^# TYPE numatally_ledger info$' "$tmp/text"
result $? "OpenMetrics"
if command -v promtool >/dev/null; then
	export_to - l | promtool check metrics >"$out" 2>&1
	status=$?
	[ $status -eq 0 ] && [ ! -s "$out" ]
	result $? "promtool has nothing to say"
else
	skip "promtool" "no promtool"
fi

# node_exporter takes a port that is free.
collect()
{
	port=$(python3 -c 'import socket; s = socket.socket()
s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	prometheus-node-exporter --web.listen-address=127.0.0.1:"$port" \
		--collector.disable-defaults --collector.textfile \
		--collector.textfile.directory="$tmp/texts" \
		--web.disable-exporter-metrics >"$tmp/server" 2>&1 &
	collector=$!
	children="$children $collector"
	await collected
}
collected()
{
	curl_local "http://127.0.0.1:$port/metrics" >"$tmp/text" &&
		has_value text node_textfile_scrape_error 0
}
if command -v prometheus-node-exporter >/dev/null && command -v curl >/dev/null; then
	collect || collect
	result $? "node_exporter reads it without an error"
	series=$(printf '%s' "$account" |
		sed 's/{\(ledger="l"\),\(.*\),\(numa_node.*\)}/{\2,\1,\3}/')
	check "and has the values" has_value text \
		"numatally_account_faults_total$series" 10
	kill $collector
	wait $collector 2>/dev/null
else
	skip "node_exporter" "no prometheus-node-exporter, or no curl"
fi
exec 9>&-
wait $writer
children=
plan
