#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally-collectd: what collectd's exec plugin has of it is what numatally show has.
set -u
. "${srcdir:-.}/tests/tool/export_lib.sh"
PATH=$PATH:/usr/sbin:/usr/local/sbin
for needed in collectd python3 setpriv; do
	command -v $needed >/dev/null || skip_all "no $needed"
done
plugins=
for plugins in /usr/lib/collectd /usr/lib/*/collectd /usr/lib64/collectd; do
	[ ! -e "$plugins/exec.so" ] || break
done
[ -e "$plugins/exec.so" ] || skip_all "collectd has no exec plugin"
script=$(cd "${srcdir:-.}/tools/export" && pwd)/numatally-collectd
ledger=$tmp/l.ledger
NUMATALLY_DIR=$tmp
export NUMATALLY_DIR
NUMATALLY=$tool
export NUMATALLY
logs="$logs differ"

# ---- what it prints
long=$(printf '%0180d' 7)
writer "$ledger"
# 9007199254740993 is no double.
tell "$node cpu_ns 9007199254740993 /a b/ü" "$node memory_bytes 4096 $long" \
	"$node faults 3 ${long}8"
printf '%s\n' create 'capacity 0 cores 4' 'quota q/ cores 8' 'reserve q/a 0 cores 4' \
	'commit q/a' 'reserve q/b 0 cores 1' |
	"$tests/support/reserver" "$tmp/full.ledger" >"$tmp/refused"
printed()
{
	COLLECTD_HOSTNAME=host COLLECTD_INTERVAL=0.5 "$script" "$@" --count 1 \
		>"$tmp/out" 2>"$tmp/err"
}
charged()
{
	printed l && grep -q "derive-node$node-faults\" interval=0.5 N:3\$" "$out"
}
check "it prints" await charged
has "^PUTVAL \"host/numatally-l:%2Fa%20b%2F%C3%BC/derive-node$node-cpu_ns\" interval=0.5 N:9007199254740993\$"
result $? "an amount, exactly, of a key that collectd would not take"
has "^PUTVAL \"host/numatally-l/derive-node$node-faults\" interval=0.5 N:3\$"
result $? "what a node has"
[ "$(sed 's,.*/numatally-\(.*\)/.*,\1,; /0~/!d' "$out" | sort -u | wc -l)" -eq 2 ] &&
	! sed 's,.*/numatally-\(.*\)/.*,\1,' "$out" | grep -q '.\{128\}'
result $? "long names are short, and two"
printed full
node0=$(sed -n 's/.*-node\([0-9]*\)-cores_capacity.*/\1/p' "$out")
for line in gauge-node$node0-cores_capacity:4 gauge-node$node0-cores_reserved_peak:4 \
	derive-node$node0-cores_refusals:1 gauge-cores_quota:8 gauge-cores_quota_held:4 \
	derive-cores_quota_refusals:0; do
	has "/${line%:*}\" interval=0.5 N:${line#*:}\$"
	result $? "${line%:*}"
done
printed none
status=$?
[ $status -eq 1 ] && has '^numatally show: ' err && ! [ -s "$out" ]
result $? "without a ledger it fails, and says so"

# ---- collectd, whose exec plugin refuses root
user=$(id -un)
if [ "$(id -u)" -eq 0 ]; then
	user=nobody
	chmod 755 "$tmp" && chmod 644 "$ledger"
	setpriv --reuid=nobody --clear-groups "$script" l --count 1 \
		>"$out" 2>"$err" || user=
fi
cat >"$tmp/collectd.conf" <<END
Hostname "host"
FQDNLookup false
Interval 0.5
BaseDir "$tmp"
PIDFile "$tmp/collectd.pid"
PluginDir "$plugins"
TypesDB "/usr/share/collectd/types.db"
LoadPlugin logfile
LoadPlugin csv
LoadPlugin exec
<Plugin logfile>
  LogLevel info
  File "$tmp/server"
</Plugin>
<Plugin csv>
  DataDir "$tmp/csv"
  StoreRates false
</Plugin>
<Plugin exec>
  Exec "$user" "$script" "l"
</Plugin>
END
# The last value of each file, and each amount of the ledger.
cat >"$tmp/compare.py" <<'END'
import glob, json, subprocess, sys, urllib.parse
tool, ledger, csv = sys.argv[1:]
show = json.loads(subprocess.check_output([tool, "show", "--json", ledger]))
has = {}
for path in sorted(glob.glob(csv + "/host/numatally-*/*")):
    instance, name = path[len(csv + "/host/numatally-"):].split("/")
    name = name.split("-", 1)[1].rsplit("-", 3)[0]
    value = open(path).read().split("\n")[-2].split(",")[1]
    has[urllib.parse.unquote(instance), name] = float(value) if "." in value else int(value)
want = {}
for node in show["nodes"]:
    for resource, amount in node["totals"].items():
        want[ledger, "node%d-%s" % (node["id"], resource)] = amount
for account in show["accounts"]:
    for node, amounts in account["nodes"].items():
        for resource, amount in amounts.items():
            want[ledger + ":" + account["key"], "node%s-%s" % (node, resource)] = amount
    assert account["nodes"]
wrong = [(k, v, has.get(k)) for k, v in want.items() if len(k[0]) < 127 and has.get(k) != v]
print(wrong, len(has), len(want))
sys.exit(bool(wrong) or len(has) != len(want))
END
compared()
{
	python3 "$tmp/compare.py" "$tool" l "$tmp/csv" >"$tmp/differ" 2>&1
}
running()
{
	pgrep -f "$script l" >/dev/null
}
not_running()
{
	! running
}
if [ -n "$user" ]; then
	collectd -f -C "$tmp/collectd.conf" >"$tmp/log" 2>&1 &
	collectd=$!
	children="$children $collectd"
	check "collectd's files have each amount" await compared
	tell "$node faults 40 /a b/ü"
	check "and follow the ledger" await compared
	check "one program runs all the time" running
	kill $collectd
	wait $collectd
	check "it ends with collectd" await not_running
else
	skip "collectd" "nobody can't run what was built"
fi
exec 9>&-
wait $writer
plan
