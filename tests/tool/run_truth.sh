#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally run of commands whose memory and CPU time are known: the truth is
# within all bounds that it prints, each time; and where processes live for more
# than 0.1 s, the bounds are less than a factor of 2 apart.
# NUMATALLY_RUNS: how often each command is run.
. "${srcdir:-.}/tests/tool/run_lib.sh"
runs=${NUMATALLY_RUNS:-1}
[ -z "$NUMATALLY_LONG" ] || runs=${NUMATALLY_RUNS:-100}
eat=$PWD/tests/support/eat
spin=$PWD/tests/support/spin
mib=1048576
# A machine without room gets a part; a sanitizer has memory of its own.
part=1
available=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
[ "$available" -ge 2000 ] || part=16
[ -z "$ASAN_OPTIONS$TSAN_OPTIONS" ] || skip_all "a sanitizer has memory, too"

# at_once NAME: the member of memory_at_once; nothing if it is null
at_once() {
	grep -o '"memory_at_once":{[^}]*}' "$tmp/json" |
		grep -o "\"$1\":[0-9]*" | cut -d : -f 2
}

# peak NAME: the sum over nodes of an object's anonymous and shared
peak() {
	grep -o "\"$1\":{\"anonymous\":[0-9]*,\"file\":[0-9a-z]*,\"shared\":[0-9]*" \
		"$tmp/json" | sed 's/.*anonymous":\([0-9]*\).*shared":/\1 + /' |
		awk '{ sum += $1 + $3 } END { printf "%.0f\n", sum }'
}

# truth NAME MIB MORE NARROW COMMAND...: runs it; at once it has MIB at least, and
# MORE MiB beyond that at most. NARROW: the bounds are near each other, if this
# machine lets the tool run as it should: in one of ten runs.
truth() {
	what=$1 least=$(($2 / part * mib)) narrow=$4
	# An emulated machine is too slow to be looked at often.
	[ -z "$NUMATALLY_GUEST" ] || narrow=
	most=$((least + $3 * mib))
	shift 4
	nr=0 within=0 near=0
	while [ $nr -lt "$runs" ] || { [ $near -eq 0 ] && [ $nr -lt 10 ]; }; do
		"$tool" run --json -o "$tmp/json" "$@" 2>"$err"
		nr=$((nr + 1))
		lower=$(at_once lower_bytes)
		upper=$(at_once upper_bytes)
		if [ "${lower:-0}" -gt $most ] ||
			[ "${upper:-$most}" -lt "$least" ] ||
			[ "$(peak memory_peak_lower_bytes)" -gt $most ]; then
			echo "# $what: $least to $most, but ${lower:-none} to" \
				"${upper:-none}: $(cat "$tmp/json")"
			continue
		fi
		within=$((within + 1))
		if [ -z "$narrow" ] || { [ -n "$upper" ] &&
			[ "$upper" -lt $((2 * ${lower:-0})) ]; }; then
			near=$((near + 1))
		fi
	done
	check "$what: the truth is within the bounds" test $within -eq $nr
	check "$what: the bounds are near each other" test $near -gt 0
	echo "# $what: within $within, near $near of $nr; last $((${lower:-0} / mib)) to $((${upper:-0} / mib)) MiB"
}

m() {
	echo $(($1 / part))
}

truth "600 MiB at once" 600 4 narrow "$eat" hold "$(m 600)" 0
truth "a spike" 500 4 narrow "$eat" spike "$(m 500)" 200
truth "at the end" 300 4 narrow "$eat" late "$(m 300)" 300
truth "forks that look" 192 16 narrow "$eat" fork "$(m 192)" 300
truth "forks that write" 288 16 narrow "$eat" copy "$(m 96)" 300
truth "shared memory" 96 16 narrow "$eat" shared "$(m 96)" 300
truth "shared memory, later" 96 16 narrow "$eat" serve "$(m 96)" 300
truth "a child of vfork(2)" 96 8 narrow "$eat" vfork "$(m 96)" 300
truth "without its first thread" 96 8 narrow "$eat" leader "$(m 96)" 300
"$tool" run --json -o "$tmp/json" true
if has '"events":"sample"' json; then
	skip "a child that nobody waits for" "only perf events tell of it"
else
	truth "a child that nobody waits for" 96 8 '' "$eat" nowait "$(m 96)" 200
fi
MEET=$tmp/meet
export MEET
mkfifo "$MEET"
truth "a pipeline" 192 12 narrow \
	sh -c "$eat give $(m 96) 500 | $eat take $(m 96) 500"
truth "one after the other" 144 8 narrow \
	sh -c "$eat hold $(m 144) 300; $eat hold $(m 48) 300; true"
truth "two at once" 192 12 narrow \
	sh -c "$eat give $(m 112) 500 & $eat take $(m 80) 500; wait"
truth "an execve(2)" 208 8 narrow "$eat" exec "$(m 208)" 300
# A process that is gone before it is looked at has at most what any had: what
# many of them had together is not known nearer.
truth "short ones" 1 24 '' \
	sh -c 'i=0; while [ $i -lt 100 ]; do true | cat; i=$((i+1)); done'
truth "short ones beside a long one" 96 24 '' \
	sh -c "$eat hold $(m 96) 500 &
		i=0; while [ \$i -lt 100 ]; do true | cat; i=\$((i+1)); done; wait"
cp "$eat" "$tmp/eat"
chmod 755 "$tmp" "$tmp/eat"
if [ "$(id -u)" -eq 0 ] && chown 1 "$tmp/eat"; then
	chmod 4755 "$tmp/eat"
else
	chmod 111 "$tmp/eat"
fi
truth "a setuid program" 96 8 narrow \
	sh -c "$tmp/eat hold $(m 96) 300; true"

# A command that is hardly seen: what was there at once is no less than any of its
# parts.
parts() {
	jq -e '.memory_at_once as $all | [.nodes[] | [.memory_peak_bytes,
		.memory_peak_lower_bytes] | map(map(. // 0) | max)] |
		transpose | map(max) |
		.[0] <= ($all.bytes // 0) and .[1] <= ($all.lower_bytes // 0)' \
		"$tmp/json" >"$out"
}
if command -v jq >/dev/null; then
	nr=0 good=0
	while [ $nr -lt $((runs + 49)) ]; do
		"$tool" run --json -o "$tmp/json" true 2>"$err"
		nr=$((nr + 1))
		if parts; then
			good=$((good + 1))
		else
			echo "# at once: $(cat "$tmp/json")"
		fi
	done
	check "what was there at once is no less than its parts" \
		test $good -eq $nr
else
	skip "what was there at once is no less than its parts" "no jq"
fi

# ---- CPU time
# What the command took before its execve(2) is in rusage alone.
slack=5000000
[ -z "$NUMATALLY_GUEST" ] || slack=100000000
# used NAME MS COMMAND...: it uses MS of CPU time at least; all of it is some
# node's, or lost to a setuid program
used() {
	what=$1 least=$(($2 * 1000000 - slack)) nr=0 good=0
	shift 2
	while [ $nr -lt "$runs" ]; do
		"$tool" run --json -o "$tmp/json" "$@" 2>"$err"
		nr=$((nr + 1))
		if [ "$(sum cpu_ns)" -ge $least ] && awk -v a="$(sum cpu_ns)" \
			-v b="$(rusage_ns)" -v slack=$slack 'BEGIN { exit a < 0.99 * b - slack }'; then
			good=$((good + 1))
		else
			echo "# $what: $(cat "$tmp/json")"
		fi
	done
	check "$what: all CPU time" test $good -eq $nr
}

used "one thread" 200 "$spin" 200
used "two at once" 400 sh -c "$spin 200 & $spin 200; wait"
used "forks" 1 sh -c 'i=0; while [ $i -lt 100 ]; do true | cat; i=$((i+1)); done'

# ---- where nothing is known
"$tool" run --json -o "$tmp/json" "$tmp/none" 2>"$err"
check "no command: null" has \
	'"memory_peak_bytes":{"anonymous":null,"file":null,"shared":null,"huge":null}' json
check "no command: none at once" has '"memory_at_once":{"bytes":null,' json
plan
