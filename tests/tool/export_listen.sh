#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally export --listen: what clients get, also beside those that stall or send
# garbage.
set -u
. "${srcdir:-.}/tests/tool/export_lib.sh"
"$tool" export --help | grep -q -e --listen || skip_all "built without libmicrohttpd"
command -v curl >/dev/null || skip_all "no curl"
command -v python3 >/dev/null || skip_all "no python3"
ledger=$tmp/l.ledger
series='{ledger="'$ledger'",account="a/b",numa_node="'$node'"}'

scrape()
{
	curl_local -D "$tmp/head" -o "$tmp/text" "$@" "$url"
}
has_value()
{
	test "$(value "$@")" = "$3"
}
faults_are()
{
	scrape && has_value text "numatally_account_faults_total$series" "$1"
}
header()
{
	tr -d '\r' <"$tmp/head" | grep -i -q "^$1\$"
}

# ---- usage
fails 2 "not beyond this machine" timeout 60 "$tool" export --listen 0.0.0.0:0 "$ledger"
has 'public' err
result $? "it says what would"
fails 2 "no port" timeout 60 "$tool" export --listen 127.0.0.1 "$ledger"
fails 2 "no name" timeout 60 "$tool" export --listen host:1 "$ledger"
for port in 65536 99999 '' x; do
	fails 2 "port '$port'" timeout 60 "$tool" export --listen \
		"127.0.0.1:$port" "$ledger"
done
fails 2 "two outputs" "$tool" export --listen 127.0.0.1:0 --textfile - "$ledger"

# ---- formats
serve 127.0.0.1:0 "$ledger" "$tmp/bad"
check "the system calls of its threads are limited" is_confined $exporter
printf 'no ledger' >"$tmp/bad"
writer "$ledger"
tell "$node faults 7 a/b" "$node cpu_ns 1500000000 a/b"
check "a ledger that is made later" await faults_are 7
header 'content-type: text/plain; version=0.0.4; charset=utf-8'
result $? "text 0.0.4"
check "a bad ledger is down" has_value text \
	"numatally_ledger_up{ledger=\"$tmp/bad\"}" 0
scrape -H 'Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5' &&
	header 'content-type: application/openmetrics-text.*' &&
	[ "$(tail -n 1 "$tmp/text")" = '# EOF' ]
result $? "OpenMetrics, where a client prefers it"
scrape -H 'Accept: application/openmetrics-text;q=0.1,text/plain' &&
	header 'content-type: text/plain.*'
result $? "text, where a client prefers that"
scrape -H 'Accept-Encoding: gzip' && header 'content-encoding: gzip' &&
	gzip -dc <"$tmp/text" | grep -q '^numatally_ledger_up'
result $? "gzip"
test "$(curl_local -o /dev/null -w '%{http_code}' "${url%/metrics}/none")" = 404
result $? "no such page"
test "$(curl_local -o /dev/null -w '%{http_code}' -d x "$url")" = 405
result $? "nothing is posted"
fails 1 "a port in use" timeout 60 "$tool" export --listen \
	"$(echo "$url" | sed 's,.*//\(.*\)/.*,\1,')" "$ledger"

status_has()
{
	grep -q "^$1" "/proc/$exporter/status"
}
check "no new privileges" status_has 'NoNewPrivs:[[:space:]]*1'
check "no capabilities but to read" status_has \
	'CapPrm:[[:space:]]*000000000000000[04]$'

# ---- bad clients
cat >"$tmp/clients.py" <<'END'
import os, socket, sys, urllib.request
url = sys.argv[1]
host, port = url.split("/")[2].rsplit(":", 1)
def connect(text):
    s = socket.create_connection((host, int(port)), 60)
    try:
        s.sendall(text)
    except OSError:
        pass
    return s
stalled = [connect(b"GET /metrics HTTP/1.1\r\nHost: x\r\n") for _ in range(100)]
# These never read what they ask for.
stalled += [connect(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(100)]
garbage = [connect(t) for t in (b"\0\xff\xfe\r\n\r\n", b"GET\r\n\r\n", os.urandom(4096),
    b"GET /" + b"a" * 60000, b"GET /metrics HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nabc")]
for i in range(5):
    text = urllib.request.urlopen(url, timeout=60).read()
    assert b"numatally_ledger_up" in text
END
check "200 clients that stall, and garbage, beside one that is served" \
	env no_proxy='*' timeout 300 python3 "$tmp/clients.py" "$url"
check "it still serves" faults_are 7
# The shell ignores SIGINT for what it runs in the background.
kill -INT $exporter
sleep 0.2
check "an ignored SIGINT does nothing" faults_are 7
kill $exporter
wait $exporter
status=$?
check "a signal ends it, with status 0" test $status -eq 0
exec 9>&-
wait $writer
plan
