#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally export --otlp: what a collector gets.
set -u
. "${srcdir:-.}/tests/tool/export_lib.sh"
"$tool" export --help | grep -q -e --otlp || skip_all "built without libcurl"
command -v python3 >/dev/null || skip_all "no python3"
ledger=$tmp/l.ledger
no_proxy='*'
export no_proxy

# It keeps each body that it can decode in $tmp/got; at /refuse it refuses them.
cat >"$tmp/collector.py" <<'END'
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        ok = self.path == "/v1/metrics" and \
            self.headers["Content-Type"] == "application/json"
        if ok:
            json.loads(body)
            with open(sys.argv[1] + ".new", "wb") as f:
                f.write(body)
            os.rename(sys.argv[1] + ".new", sys.argv[1])
        self.send_response(200 if ok else 400)
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
END
python3 "$tmp/collector.py" "$tmp/got" >"$tmp/port" 2>"$tmp/server" &
collector=$!
children=$collector
await test -s "$tmp/port"
url=http://127.0.0.1:$(cat "$tmp/port")/v1/metrics

points='.resourceMetrics[0].scopeMetrics[0].metrics[]'
points="def point(\$name; \$key; \$value): $points | select(.name == \$name) |
	(.sum // .gauge).dataPoints[] | select(any(.attributes[];
	.key == \$key and .value.stringValue == \$value));"
got()
{
	jq -e "$points $1" "$tmp/got" >/dev/null
}
writer "$ledger"
# 2^53 + 1, which no double has.
tell "$node cpu_ns 9007199254740993 e" "$node faults 7 f"
check "a count" await sh -c "'$tool' export --otlp '$url' '$ledger' 2>'$err' &&
	grep -q 9007199254740993 '$tmp/got'"
check "each of 64 bits" got \
	'point("numatally_account_cpu"; "account"; "e").asInt == "9007199254740993"'
check "of a node" got \
	'point("numatally_node_cpu"; "numa_node"; "'"$node"'").asInt == "9007199254740993"'
check "its labels" got 'point("numatally_account_cpu"; "account"; "e") |
	any(.attributes[]; .key == "ledger" and
		(.value.stringValue | endswith("/l.ledger")))'
check "a counter: cumulative, monotonic, in its unit" got \
	'.resourceMetrics[0].scopeMetrics[0].metrics[] |
	select(.name == "numatally_account_cpu") | .unit == "ns" and
	.sum.isMonotonic and .sum.aggregationTemporality == 2'
check "since when it counts, and until when" got \
	'point("numatally_account_cpu"; "account"; "e") |
	(.startTimeUnixNano | type == "string" and tonumber > 1.7e18) and
	(.timeUnixNano | tonumber) >= (.startTimeUnixNano | tonumber)'
check "a gauge" got '.resourceMetrics[0].scopeMetrics[0].metrics[] |
	select(.name == "numatally_ledger_up") | .gauge.dataPoints[0].asInt == "1"'
check "whose they are" got '.resourceMetrics[0].resource.attributes |
	any(.key == "service.name" and .value.stringValue == "numatally") and
	any(.key == "host.name" and .value.stringValue != "")'

fails 1 "a collector that refuses" "$tool" export --otlp "${url%/v1*}/refuse" "$ledger"
has 'HTTP status 400' err
result $? "it says so"
kill $collector
wait $collector 2>/dev/null
fails 1 "no collector" "$tool" export --otlp "$url" "$ledger"
fails 1 "no protocol but HTTP" "$tool" export --otlp "file://$tmp/got" "$ledger"
exec 9>&-
wait $writer
children=
plan
