#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally agent beside many cgroups, some of which are born and gone all the time:
# none is missed, and neither its memory nor its descriptors grow. Prints what the
# agent takes, and what its BPF program takes of others.
#
#   NUMATALLY_LONG      5,000 cgroups, and 100 a second for 10 minutes
#   NUMATALLY_SECONDS   for so long instead
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
logs="log err crowd"
NUMATALLY_DIR=$tmp
export NUMATALLY_DIR
nr=200 seconds=${NUMATALLY_SECONDS:-5} interval=0.5 pairs=1 switches=2000
[ -z "$NUMATALLY_LONG" ] ||
	nr=5000 seconds=${NUMATALLY_SECONDS:-600} interval=5 pairs=11 switches=200000

command -v jq >/dev/null || skip_all "no jq"
command -v python3 >/dev/null || skip_all "no python3"
[ "$(id -u)" -eq 0 ] || skip_all "not root, who makes cgroups"

at=$(awk '{
	for (i = 7; $i != "-"; i++)
		;
	if ($(i + 1) == "cgroup2") {
		print $5
		exit
	}
}' /proc/self/mountinfo)
top=$at/numatally-crowd-$$
[ -n "$at" ] && mkdir "$top" || skip_all "no cgroup of version 2 can be made"

cat >"$tmp/crowd.py" <<'END'
# crowd TOP NR SECONDS: NR cgroups, then 100 a second, each of which runs 1 ms.
import os, sys, time

top, nr, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])

def enter(group):
    with open(group + "/cgroup.procs", "w") as f:
        f.write("0")

def spin(ns):
    end = time.process_time_ns() + ns
    while time.process_time_ns() < end:
        pass

for i in range(nr):
    os.mkdir("%s/%d" % (top, i))
print("made", flush=True)
sys.stdin.readline()
home = "%s/0" % top
begin, born = time.monotonic(), 0
while time.monotonic() < begin + seconds:
    group = "%s/short-%d" % (top, born)
    os.mkdir(group)
    enter(group)
    spin(1000000)
    enter(home)
    os.rmdir(group)
    born += 1
    time.sleep(max(0, begin + born / 100 - time.monotonic()))
print(born, flush=True)
sys.stdin.readline()
END

at_end() {
	[ ! -d "$top" ] || {
		find "$top" -depth -type d -exec rmdir {} + || {
			sleep 1
			find "$top" -depth -type d -exec rmdir {} +
		}
	} 2>/dev/null
}

agent() {
	: >"$tmp/log"
	"$tool" agent --cgroup 2 --interval $interval --keep 1 2>"$tmp/log" &
	agent=$!
	children="$children $agent"
	await has 'is kept$' log
}
ticks() {
	awk '{ print $14 + $15 }' "/proc/$agent/stat"
}
kib() {
	awk '$1 == "RssAnon:" { print $2 }' "/proc/$agent/status"
}
files() {
	ls "/proc/$agent/fd" | wc -l
}
accounts() {
	"$tool" show --json machine | jq '[.accounts[] |
		select(.key | startswith("/'"${top##*/}"'/"))] | length'
}

mkfifo "$tmp/go"
python3 "$tmp/crowd.py" "$top" $nr "$seconds" <"$tmp/go" >"$tmp/crowd" 2>"$tmp/err" &
children=$!
exec 3>"$tmp/go"
check "cgroups are made" await has made crowd
agent
has 'by BPF' log || {
	echo >&3
	echo >&3
	skip_all "$(grep -o 'BPF: .*' "$tmp/log")"
}
has_all() {
	[ "$(accounts)" -ge $nr ]
}
check "each has an account" await has_all

# What the agent has once the first were gone.
echo >&3
sleep "$(awk -v s="$seconds" 'BEGIN { print s / 4 }')"
begin=$(ticks) was_kib=$(kib) was_files=$(files) from=$(date +%s.%N)
sleep "$(awk -v s="$seconds" 'BEGIN { print s * 3 / 4 }')"
await has '^[0-9]' crowd
end=$(ticks) to=$(date +%s.%N)
born=$(tail -n 1 "$tmp/crowd")
awk -v from="$from" -v to="$to" -v ticks=$((end - begin)) -v hz="$(getconf CLK_TCK)" \
	-v nr=$nr -v born="$born" -v s="$seconds" 'BEGIN {
	printf "# beside %d cgroups, and %.0f a second: %.2f %% of a CPU\n",
		nr, born / s, 100 * ticks / hz / (to - from) }'
echo "# memory: $was_kib, then $(kib) KiB; files: $was_files, then $(files)"
check "its descriptors don't grow" test "$(files)" -le "$was_files"
check "its memory does not grow" test "$(kib)" -le $((was_kib + was_kib / 4 + 512))

# Each of them took 1 ms, and its account is gone.
none_short() {
	[ "$(accounts)" -le $nr ]
}
check "accounts of those that are gone are gone" await none_short
total=$("$tool" show --json machine | jq '[.nodes[].totals.cpu_ns] | add')
check "none was missed" test "$total" -ge $((born * 1000000))
echo >&3
kill $agent
wait $agent
check "SIGTERM ends it" test $? -eq 0

# ---- what it takes of others
i=0
while [ $i -lt $pairs ]; do
	tests/support/pong $switches >>"$tmp/without"
	agent
	tests/support/pong $switches >>"$tmp/with"
	kill $agent
	wait $agent
	i=$((i + 1))
done
check "others go on" test "$(wc -l <"$tmp/with")" -eq $pairs
paste "$tmp/with" "$tmp/without" | awk '{ print $1 / $2, $1, $2 }' | sort -n |
	awk '{ r[NR] = $1; a[NR] = $2; b[NR] = $3 }
		END { m = int((NR + 1) / 2)
			printf "# a switch beside the BPF program takes %.3f times as long: %d, else %d ns\n",
				r[m], a[m], b[m] }'
plan
