#!/bin/sh
# SPDX-License-Identifier: MIT
# The agent's unit is one that systemd takes, and the capabilities that it leaves are
# all that BPF needs.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
unit=tools/agent/numatally-agent.service
logs="log err"

if command -v systemd-analyze >/dev/null; then
	mkdir "$tmp/unit"
	sed "s,^ExecStart=/.*/numatally ,ExecStart=$(command -v true) ," \
		"$unit" >"$tmp/unit/numatally-agent.service"
	SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no \
		"$tmp/unit/numatally-agent.service" >"$tmp/log" 2>&1 &&
		! grep numatally "$tmp/log" >/dev/null
	result $? "systemd takes the unit"
else
	skip "systemd takes the unit" "no systemd-analyze"
fi

# Another user, with the unit's capabilities.
capabilities=-all,$(sed -n 's/^AmbientCapabilities=//p' "$unit" |
	tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
service="setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs
	--bounding-set=$capabilities --inh-caps=$capabilities
	--ambient-caps=$capabilities"
program=${tool%/*}/numatally-agent
# started USER COMMAND…: what its agent says once its ledger is kept
started() {
	mkdir "$tmp/$1" && chown "$1" "$tmp/$1" || return
	NUMATALLY_DIR=$tmp/$1
	export NUMATALLY_DIR
	shift
	: >"$tmp/log"
	"$@" "$program" agent 2>"$tmp/log" &
	agent=$!
	children="$children $agent"
	await has 'is kept$' log
	kill $agent
	wait $agent
}
chmod 711 "$tmp"
if [ "$(id -u)" -ne 0 ] ||
	! $service "$program" agent --help >/dev/null 2>&1; then
	skip "two capabilities suffice" \
		"not root, or another user can't run $program"
elif started 0 env && ! has 'by BPF' log; then
	skip "two capabilities suffice" "root can't use BPF here, either"
else
	started 65534 $service && has 'by BPF' log
	result $? "two capabilities suffice"
fi
plan
