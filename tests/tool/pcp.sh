#!/bin/sh
# SPDX-License-Identifier: MIT
# pmdanumatally: what pminfo and pmval have through pmcd is what numatally show has, also
# where the ledger's writer is killed; a ledger that is missing or cut short is an error
# of its metrics.
set -u
. "${srcdir:-.}/tests/tool/export_lib.sh"
agent=${tool%/*}/pmdanumatally
[ -x "$agent" ] || skip_all "built without libpcp_pmda"
command -v python3 >/dev/null || skip_all "no python3"
root=$("${srcdir:-.}/tests/support/pcp" 2>/dev/null) || skip_all "no pmcd"
logs="want has pmcd.log agent.log err"
ledger=$tmp/l.ledger
pmns=$(cd "${srcdir:-.}/tools/pcp" && pwd)/root_numatally

# Nothing outside of $tmp is written.
. /etc/pcp.conf
bin=${root%/}$PCP_BIN_DIR
if [ "$root" != / ]; then
	LD_LIBRARY_PATH=$root$PCP_LIB_DIR${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	export LD_LIBRARY_PATH
fi
PCP_BINADM_DIR=${root%/}$PCP_BINADM_DIR
PCP_RUN_DIR=$tmp PCP_TMP_DIR=$tmp PCP_LOG_DIR=$tmp
export PCP_BINADM_DIR PCP_RUN_DIR PCP_TMP_DIR PCP_LOG_DIR

cat >"$tmp/pmcd.conf" <<END
numatally 510 pipe binary $agent -d 510 -l $tmp/agent.log $ledger
END
start()
{
	port=$(python3 -c 'import socket; s = socket.socket()
s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	"$PCP_BINADM_DIR/pmcd" -f -U "$(id -un)" -i 127.0.0.1 -p "$port" \
		-s "$tmp/socket" -c "$tmp/pmcd.conf" -n "$pmns" \
		-l "$tmp/pmcd.log" >"$tmp/log" 2>&1 &
	pmcd=$!
	children="$children $pmcd"
	await info numatally.ledger.accounts
}
info()
{
	"$bin/pminfo" -h "unix:$tmp/socket" -f "$@" >"$out" 2>"$err"
}

# metric, instance, value: of pminfo, and of numatally show
amounts()
{
	info numatally &&
		awk -F '"' '/^numatally/ { metric = $0 }
			/ inst / { sub(".*value ", "", $3); print metric, $2, $3 }' \
			"$out" | sort >"$tmp/has"
}
cat >"$tmp/want.jq" <<'END'
def put(what; instance):
	to_entries[] | "numatally.\(what).\(.key) \(instance) \(.value)";
(.nodes[] | "node\(.id)" as $node | (.totals | put("node"; $node)),
	(.capacity | put("capacity"; $node))),
(.accounts[] | (.key | gsub("%"; "%25") | gsub(" "; "%20")) as $key |
	.nodes | to_entries[] | "\($key)::node\(.key)" as $at |
	.value | put("account"; $at))
END
equal()
{
	"$tool" show --json "$ledger" 2>"$err" >"$tmp/shown" &&
		jq -r -f "$tmp/want.jq" "$tmp/shown" | sort >"$tmp/want" &&
		[ -s "$tmp/want" ] && amounts && cmp -s "$tmp/want" "$tmp/has"
}
# Each metric has the error.
errors_are()
{
	info numatally && [ "$(grep -c '^numatally' "$out")" -gt 1 ] &&
		[ "$(grep -c '^numatally' "$out")" -eq "$(grep -c "^Error: $1\$" "$out")" ]
}
snapshot_is()
{
	info numatally.ledger.snapshot && grep -q " value $1\$" "$out"
}
same_agent()
{
	kill -0 $pmcd && [ "$(pgrep -P $pmcd)" = "$agents" ]
}

start || start
result $? "pmcd runs it, without a ledger"
agents=$(pgrep -P $pmcd)
check "each metric has an error" errors_are 'No such file or directory'

writer "$ledger"
tell "$node cpu_ns 1500000000 a/b" "$node faults 7 a/b" "$node memory_bytes 4096 50 % c"
charged()
{
	equal && grep -q "^numatally.account.memory_bytes 50%20%25%20c::node$node 4096\$" \
		"$tmp/has"
}
check "a ledger that is made later: all amounts are those of show" await charged
check "its writer serves no snapshots" snapshot_is 0
info -d numatally.node.cpu_ns && has 'Semantics: counter  *Units: nanosec$'
result $? "a counter of nanoseconds"
info -d numatally.node.memory_bytes && has 'Semantics: instant  *Units: byte$'
result $? "a gauge of bytes"
# 2^53 + 1 is no double.
tell "$node faults 9007199254740986 a/b"
exact()
{
	"$bin/pmval" -h "unix:$tmp/socket" -r -s 1 numatally.node.faults >"$out" 2>"$err" &&
		grep -q '^ *9007199254740993 *' "$out"
}
check "pmval has an amount exactly" await exact

kill -9 $writer
wait $writer 2>/dev/null
exec 9>&-
info numatally.account.faults && has ' value 9007199254740993$'
result $? "the writer is killed: what it counted is there"
truncate -s 4096 "$ledger"
check "a ledger that is cut short is an error of each metric" errors_are 'Bad message'
check "pmcd and the agent go on" same_agent

rm "$ledger"
printf '%s\n' create 'capacity 0 cores 4' 'reserve q/a 0 cores 3' 'commit q/a' |
	"$tests/support/reserver" "$ledger" >"$tmp/refused"
check "another ledger in its place has its own metrics" equal
grep -q '^numatally.capacity.cores node[0-9]* 4$' "$tmp/has"
result $? "and capacities"
check "all of one moment" snapshot_is 1
info numatally.node.faults && has '^No value'
result $? "those of the other one have no values"
rm "$ledger"
"$tool" run --ledger "$ledger" -- sleep 1000 >"$tmp/log" 2>&1 &
served=$!
children="$children $served"
check "of one moment, too, where a process that writes serves" await snapshot_is 1
kill $served
wait $served
check "the agent is still the same" same_agent
kill $pmcd
wait $pmcd
gone()
{
	! kill -0 "$agents"
}
check "it ends with pmcd" await gone
plan
