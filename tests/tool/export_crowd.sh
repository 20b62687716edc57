#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally export --listen with 1,000 connections at once, some of which stall or send
# garbage: the others are served, and descriptors and texts are bounded.
set -u
. "${srcdir:-.}/tests/tool/export_lib.sh"
"$tool" export --help | grep -q -e --listen || skip_all "built without libmicrohttpd"
command -v python3 >/dev/null || skip_all "no python3"
ulimit -n 4096 2>/dev/null || [ "$(ulimit -n)" -ge 1200 ] ||
	skip_all "1,000 descriptors are more than are allowed"
ledger=$tmp/l.ledger
serve 127.0.0.1:0 "$ledger"
writer "$ledger"
i=0
while [ $i -lt 200 ]; do
	i=$((i + 1))
	echo "$node faults $i account-$i"
done >&9
last='numatally_account_faults_total{ledger="'$ledger'",account="account-200",numa_node="'$node'"}'
has_last()
{
	curl_local "$url" >"$tmp/text" && [ "$(value text "$last")" = 200 ]
}
check "it serves" await has_last

# Prints what the exporter has open, and its memory, while they are connected.
cat >"$tmp/crowd.py" <<'END'
import os, socket, sys, urllib.request
url, pid, wanted = sys.argv[1], sys.argv[2], sys.argv[3]
host, port = url.split("/")[2].rsplit(":", 1)
get = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
def connect(text):
    s = socket.create_connection((host, int(port)), 60)
    try:
        s.sendall(text)
    except OSError:
        pass
    return s
def files():
    return len(os.listdir(f"/proc/{pid}/fd"))
def kib(what):
    with open(f"/proc/{pid}/status") as f:
        return next(l.split()[1] for l in f if l.startswith(what))
garbage = [b"\0\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"\r\n" * 500, os.urandom(2000),
    b"GET /" + b"a" * 60000, get + b"X: " + b"y" * 40000,
    get + b"Content-Length: -5\r\n\r\n", get + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nabc"]
before = files()
crowd = []
for i in range(100):
    crowd += [connect(b"") for _ in range(2)]            # say nothing
    crowd += [connect(get) for _ in range(3)]            # stall in the head
    crowd += [connect(get + b"\r\n") for _ in range(3)]  # never read the answer
    crowd += [connect(garbage[(2 * i + k) % len(garbage)]) for k in range(2)]
    if i % 20 == 19:
        text = urllib.request.urlopen(url, timeout=60).read().decode()
        assert wanted in text.splitlines(), "not served beside %d" % len(crowd)
most = files()
print(f"# {len(crowd)} connections: {most} descriptors, {kib('VmRSS')} KiB")
# 800 of them stall, each for ten seconds at most.
assert before + 300 < most <= before + 1024, most
# A client that is refused is told so, or its connection ends.
s = connect(b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n")
assert s.recv(100).startswith(b"HTTP/1.1 405"), "no error"
s.close()
for s in crowd:
    s.close()
for _ in range(1000):
    if files() <= before:
        break
    urllib.request.urlopen(url, timeout=60).read()
assert files() <= before, "descriptors are left"
END
env no_proxy='*' timeout 300 python3 "$tmp/crowd.py" "$url" $exporter "$last 200" \
	>"$out" 2>"$err"
result $? "1,000 connections that stall or send garbage, beside some that are served"
cat "$out"
check "it still serves" has_last
kill $exporter
wait $exporter
result $? "a signal ends it, with status 0"
exec 9>&-
wait $writer
plan
