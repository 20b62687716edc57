#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally ls, show and check, on ledgers with live and killed writers, cut
# short, forged, and on files that are no ledger.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"

# total FILE: over nodes, of each document in it
total()
{
	while read -r document; do
		echo "$document" | grep -o '"totals":{"adds":-*[0-9]*' |
			awk -F : '{ sum += $3 } END { printf "%.0f\n", sum }'
	done <"$1"
}

# of KEY: the account's adds on all nodes, as shown by the last run in JSON
of()
{
	sed 's/{"key"/\
&/g' "$out" | grep "^{\"key\":\"$1\"" | grep -o '"adds":-*[0-9]*' |
		awk -F : '{ sum += $2 } END { printf "%.0f\n", sum }'
}

# ends PID: waits for it, and returns its exit status
ends()
{
	await sh -c "! kill -0 $1" || kill "$1"
	wait "$1"
}

# set_byte FILE OFFSET OCTAL
set_byte()
{
	printf "\\$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# byte_at FILE OFFSET: in octal
byte_at()
{
	dd if="$1" bs=1 skip="$2" count=1 2>/dev/null | od -An -to1 | tr -d ' '
}

export NUMATALLY_DIR="$tmp/ledgers"

# ---- usage
for verb in show check; do
	fails 2 "$verb: no ledger" "$tool" $verb
	fails 2 "$verb: two ledgers" "$tool" $verb a b
	fails 1 "$verb: no such ledger" "$tool" $verb nobody
	grep -q "^numatally $verb: nobody: no such ledger" "$err"
	result $? "$verb: an error message"
	fails 1 "$verb: no such path" "$tool" $verb "$tmp/nobody"
	fails 1 "$verb: no name for a ledger" "$tool" $verb .hidden
done
fails 2 "ls: an argument" "$tool" ls x
fails 2 "show: no number" "$tool" show x --top 1x
fails 2 "show: no interval" "$tool" show x --interval 0
fails 2 "show: not an interval" "$tool" show x --interval nan
fails 2 "show: a count without an interval" "$tool" show x --count 1
fails 2 "show: a count of none" "$tool" show x --interval 1 --count 0

# ---- no ledgers
run "$tool" ls && has '^no ledgers$'
result $? "ls: no ledgers"
run "$tool" ls --json && has '^{"version":1,"ledgers":\[\]}$'
result $? "ls: no ledgers, in JSON"

# ---- two processes write, a third reads
adds=4000000
run "$tests/support/adder" -c -n 1 -k first pair
result $? "a ledger is made"
for key in one two; do
	"$tests/support/adder" -t 2 -n $adds -k $key pair >/dev/null 2>&1 &
	eval "$key=$!"
	children="$children $!"
done
failed=0
while kill -0 "$one" 2>/dev/null || kill -0 "$two" 2>/dev/null; do
	"$tool" show pair --json >>"$tmp/seen" 2>"$err" || failed=1
done
wait "$one" && wait "$two"
result $? "two processes add"
children=
run "$tool" show pair --json
result $? "show: the final total"
cat "$out" >>"$tmp/seen"
result $failed "show: works while processes write"
total "$tmp/seen" >"$out"
awk -v final=$((2 * adds + 1)) '
	$1 < 1 || $1 > final || $1 < last { bad = 1 }
	{ last = $1 }
	END { exit bad || last != final }' "$out"
result $? "show: totals never shrink, and the last is exact"
run "$tool" show pair --json
test "$(of one) $(of two) $(of first)" = "$adds $adds 1"
result $? "show: the accounts"
run "$tool" show pair
has '^one ' && has '^two ' && has '^first ' && has "  *$((2 * adds + 1))\$"
result $? "show: a table"

# ---- a reader's mapping
: >"$out"
"$tool" show pair --interval 0.05 >>"$out" 2>"$err" &
pid=$!
children=$pid
await test -s "$out"
grep -F pair.ledger "/proc/$pid/maps" >"$tmp/maps"
grep -q ' r--s ' "$tmp/maps" && ! grep -v ' r--s ' "$tmp/maps"
result $? "show: the mapping is read-only"
rm "$tmp/ledgers/pair.ledger"
ends $pid
test $? -eq 0 && grep -q 'was removed' "$err"
result $? "show: ends when the ledger is removed"
children=

# ---- a machine of three nodes
sys=$m/sys/devices/system
mkdir -p "$m/proc" "$sys/cpu/cpu0" "$sys/cpu/cpu1"
echo 'MemTotal: 3072 kB' >"$m/proc/meminfo"
echo 0-1 >"$sys/cpu/online"
echo 0-3 >"$sys/cpu/possible"
mkdir -p "$sys/node"
echo 0,5,9 >"$sys/node/online"
for node in 0:0 5:1 9:; do
	mkdir "$sys/node/node${node%:*}"
	echo "${node#*:}" >"$sys/node/node${node%:*}/cpulist"
	echo "Node ${node%:*} MemTotal: 1024 kB" \
		>"$sys/node/node${node%:*}/meminfo"
done

mkfifo "$tmp/fifo"
"$tests/support/charger" -r "$m" three cpu_ns:ns:counter memory:bytes:gauge \
	faults::counter power:watts:gauge unused::gauge \
	<"$tmp/fifo" >"$tmp/ready" 2>"$err" &
pid=$!
children=$pid
exec 9>"$tmp/fifo"
{
	echo '0 cpu_ns 1500000000 job/b'
	echo '9 memory 1610612736 job/b'
	echo '5 faults 9007199254740993 job/a'
	echo '5 power 70 job/a'
	printf '0 faults 3 e\033[31mvil\\\302\233\377\n'
} >&9
await test -s "$tmp/ready" &&
	await sh -c "'$tool' show three 2>/dev/null | grep -q vil"
result $? "a ledger with three nodes"

run env LC_ALL=C "$tool" show three
result $? "show: three nodes"
tr -d '\n' <"$out" | LC_ALL=C grep -q '[^ -~]'
test $? -eq 1 && grep -qF 'e\x1b[31mvil\\\xc2\x9b\xff' "$out"
result $? "show: a key's bytes are escaped"
has '^three: 3 accounts, 1 writer$'
result $? "show: a title"
has '^job/b  .* 0  *1\.50 s  *0 ' && has '^  *9  *0  *1\.5 GiB ' &&
	has '^  *all  *1\.50 s  *1\.5 GiB '
result $? "show: an account, node by node"
has '(watts)' && has '^0 everywhere: unused$'
result $? "show: units, and resources without amounts"
test "$(awk 'length > 80' "$out" | wc -l)" -eq 0
result $? "show: fits 80 columns"

run "$tool" show three --json
{
	has '^{"version":1,"ledger":"three",' &&
		has '"resources":\[{"name":"cpu_ns","unit":"ns","kind":"counter"},{"name":"memory","unit":"bytes","kind":"gauge"},' &&
		has '"nodes":\[{"id":0,"totals":{"cpu_ns":1500000000,"memory":0,' &&
		has '{"id":9,"totals":{"cpu_ns":0,"memory":1610612736,"faults":0,"power":0,"unused":0},"capacity":{}}\]' &&
		has '{"key":"job/a","phase":"ready","nodes":{"5":{"cpu_ns":0,"memory":0,"faults":9007199254740993,"power":70,"unused":0}}}' &&
		has '"writers":{"alive":1,"dead":0,"unknown":0}'
}
result $? "show: JSON, exact"
has '"key_hex":"651b5b33316d76696c5cc29bff"'
result $? "show: a key that is not UTF-8"
printf '\357\277\275' >"$tmp/replacement"
grep -qF -f "$tmp/replacement" "$out" &&
	! grep -q "$(printf '\033')" "$out"
result $? "show: is UTF-8 in JSON"
if command -v jq >/dev/null; then
	run jq -e '.accounts | length == 3' "$out"
	result $? "show: jq reads the JSON"
else
	skip "show: jq reads the JSON" "no jq"
fi
{
	echo 'declare job/c'
	echo 'end job/a'
} >&9
await sh -c "'$tool' show three --json | grep -q terminating" &&
	run "$tool" show three --json &&
	has '{"key":"job/c","phase":"pending","nodes":{}}' &&
	has '{"key":"job/a","phase":"terminating","nodes":{"5":'
result $? "show: phases"
echo 'drop job/a' >&9
echo 'end job/c' >&9
echo 'drop job/c' >&9
await sh -c "! '$tool' show three --json | grep -q job/c" &&
	run "$tool" show three --json && ! has '"key":"job/a"' &&
	has '"totals":{"cpu_ns":0,"memory":0,"faults":9007199254740993,"power":0,'
result $? "show: gone accounts count in the totals, except for gauges"
echo '5 power -8 job/b' >&9
await sh -c "'$tool' show three --json | grep -q power.:-8"
run "$tool" show three --json &&
	has '"key":"job/b".*"5":{"cpu_ns":0,"memory":0,"faults":0,"power":-8,'
result $? "show: an amount below 0, in JSON"
# Of all, and of the account.
run "$tool" show three && [ "$(grep -c '^  *5  .* -8$' "$out")" -eq 2 ]
result $? "show: an amount below 0"
echo '5 power 8 job/b' >&9
await sh -c "! '$tool' show three --json | grep -q '\"power\":-8'"
echo '5 faults 70 job/a' >&9
await sh -c "'$tool' show three --json | grep -q job/a"
run "$tool" show three --sort memory --top 1 &&
	has '^job/b' && ! has '^job/a' && has '^2 more accounts'
result $? "show: the account with most of a resource"
run "$tool" show three --top 0 --json && has '"accounts":\[\]}$'
result $? "show: no account"
fails 1 "show: sorted by an unknown resource" "$tool" show three --sort nothing
has "called 'nothing'; there are account, cpu, memory, faults, power" err
result $? "show: which headings there are"
for heading in cpu_ns cpu account; do
	run "$tool" show three --sort $heading
	result $? "show: sorted by $heading"
done
run "$tool" show three --interval 0.05 --count 3 &&
	test "$(grep -c '^three: ' "$out")" -eq 3 &&
	test "$(grep -c 'counters over' "$out")" -eq 2
result $? "show: repeatedly"
: >"$out"
"$tool" show three --interval 0.05 >>"$out" 2>"$err" &
shower=$!
children="$pid $shower"
await test -s "$out" && echo '5 faults 1000000000 job/a' >&9 &&
	await grep -q '^job/a  *5  *0  *0  *[1-9][0-9]*/s' "$out"
result $? "show: rates"
kill $shower
wait $shower 2>/dev/null
children=$pid
run "$tool" show three --interval 0.05 --count 2 --json &&
	test "$(grep -c '^{.*}$' "$out")" -eq 2
result $? "show: a document each time"

run "$tool" ls && has '^three  .*  3  *1  .* live$'
result $? "ls: a ledger that is written to"
run "$tool" ls --json && has '"name":"three"' && has '"state":"live"' &&
	has '"accounts":3,"writers":{"alive":1,'
result $? "ls: in JSON"
run "$tool" check three
test $? -eq 1 && has 'unplaced' && has '^node 5: '
result $? "check: nodes that this machine lacks"
# libtool's wrapper has replaced itself by the program.
kill -9 $pid
wait $pid 2>/dev/null
children=
exec 9>&-
run "$tool" ls && has '^three  .*  3  *0  .* no writer, 1 died$'
result $? "ls: its writer was killed"
run "$tool" show three && has '^three: 3 accounts, no writer, 1 died$'
result $? "show: its writer was killed"

# ---- one that was removed, and whose file a bind mount keeps
run "$tests/support/adder" -c -n 1000 gone
: >"$NUMATALLY_DIR/bound.ledger"
apart='unshare -m'
$apart true 2>/dev/null || apart='unshare -rm'
bind='cd "$NUMATALLY_DIR" && mount --bind gone.ledger bound.ledger'
if $apart sh -c "$bind" 2>"$err"; then
	run $apart sh -c "$bind"' && rm gone.ledger && "$1" ls &&
		"$1" show bound --interval 0.001 --count 10000' sh "$tool"
	has '^bound  .* removed$' && has '^bound: .* removed$' &&
		grep -q 'was removed' "$err"
	result $? "show: it was removed, though a mount keeps the file"
else
	skip "show: a mount keeps the file" "the kernel refuses the mount"
fi
rm -f "$NUMATALLY_DIR/gone.ledger" "$NUMATALLY_DIR/bound.ledger"

# ---- placement
run "$tests/support/adder" -c -n 1000 here
run "$tool" check here --json --verbose
status=$?
if has '"misplaced":0,"unplaced":0,"problems":'; then
	test $status -eq 0 && has '"problems":\[\]' && ! has '"pages":0'
	result $? "check: every page is on its node"
	run "$tool" check here &&
		has '^all pages are on their nodes; no problems$'
	result $? "check: a table"
else
	test $status -eq 1 && has '"why":"'
	result $? "check: reports why pages are not placed"
	skip "check: a table" "this machine does not place every page"
fi
for way in mbind move_pages; do
	name="check: with $way refused"
	if ! [ -x "$tests/support/refuse" ] ||
		! "$tests/support/refuse" $way -- true 2>/dev/null; then
		skip "$name" "system calls can't be refused here"
		skip "$name, in JSON" "system calls can't be refused here"
		continue
	fi
	if [ $way = mbind ]; then
		run "$tests/support/refuse" mbind -- "$tests/support/adder" -c -n 1000 apart
		run "$tool" check apart
	else
		run "$tests/support/refuse" move_pages -- "$tool" check here
	fi
	test $? -eq 1 && has '^node [0-9]*: unplaced: .*permitted'
	result $? "$name"
	if [ $way = mbind ]; then
		run "$tool" check apart --json
	else
		run "$tests/support/refuse" move_pages -- "$tool" check here --json
	fi
	test $? -eq 1 && has '"placed":0,"misplaced":0,"unplaced":[1-9]'
	result $? "$name, in JSON"
done
if [ -x "$tests/support/refuse" ] && "$tests/support/refuse" mbind -- true 2>/dev/null; then
	run "$tool" show apart && has 'adder  .*1000$'
	result $? "show: an unplaced ledger adds up"
else
	skip "show: an unplaced ledger adds up" \
		"system calls can't be refused here"
fi

# ---- files that are no ledger
ledgers=$tmp/ledgers
: >"$ledgers/empty.ledger"
echo 'a line of text' >"$ledgers/text.ledger"
mkdir "$ledgers/directory.ledger"
mkfifo "$ledgers/fifo.ledger"
ln -s here.ledger "$ledgers/link.ledger"
dd if="$ledgers/here.ledger" of="$ledgers/short.ledger" bs=4096 count=1 2>/dev/null
for bad in empty text directory fifo link short; do
	for verb in show check; do
		fails 1 "$verb: $bad" "$tool" $verb $bad
	done
done
grep -q 'short.ledger: not a ledger, or damaged$' "$err"
result $? "check: an error message"
if [ "$(id -u)" -ne 0 ]; then
	: >"$ledgers/secret.ledger"
	chmod 0 "$ledgers/secret.ledger"
	fails 1 "show: not permitted" "$tool" show secret
fi
run "$tool" ls
test $? -eq 1 && has '^empty .* not a ledger, or damaged$' &&
	has '^link .* a symbolic link' && has '^here ' && has '^three '
result $? "ls: a file that is no ledger has its row"
run "$tool" ls --json
test $? -eq 1 && has '"state":"damaged","error":"not a ledger, or damaged"' &&
	has '"name":"here"'
result $? "ls: files that are no ledger, in JSON"
rm -rf "$ledgers"/empty.* "$ledgers"/text.* "$ledgers"/directory.* "$ledgers"/fifo.* \
	"$ledgers"/link.* "$ledgers"/short.* "$ledgers"/secret.*

if [ -c /dev/full ]; then
	for args in show 'show --json' 'check --json'; do
		# shellcheck disable=SC2086
		"$tool" $args here >/dev/full 2>"$err"
		[ $? -eq 1 ] && [ "$(cat "$err")" = \
			"numatally ${args%% *}: standard output: No space left on device" ]
		result $? "$args: a full disk"
	done
else
	skip "a full disk" "no /dev/full"
fi

# ---- a name that is not UTF-8
odd=$(printf 'o\377d')
ln "$ledgers/here.ledger" "$ledgers/$odd.ledger"
hex=$(printf %s "$ledgers" | od -An -v -tx1 | tr -d ' \n')
for verb in show check; do
	run "$tool" $verb --json "$odd"
	has "\"ledger_hex\":\"6fff64\"" &&
		has "\"path_hex\":\"${hex}2f6fff642e6c6564676572\""
	result $? "$verb: the bytes of a name and a path that are not UTF-8, in JSON"
done
rm "$ledgers/$odd.ledger"

# ---- damage: another version, then any byte
version=$(byte_at "$ledgers/here.ledger" 8)
set_byte "$ledgers/here.ledger" 8 177
fails 1 "show: another version" "$tool" show here
grep -q 'another format version' "$err"
result $? "show: an error message"
set_byte "$ledgers/here.ledger" 8 "$version"
run "$tool" show here
result $? "show: the version restored"
# In the header, in the tables, and at growing distances behind them.
bytes=$(wc -c <"$ledgers/here.ledger")
offset=9
bad=
while [ "$offset" -lt "$bytes" ] && [ "$offset" -lt 600000 ]; do
	was=$(byte_at "$ledgers/here.ledger" $offset)
	set_byte "$ledgers/here.ledger" $offset 377
	for verb in show check; do
		run timeout 100 "$tool" $verb here
		status=$?
		[ $status -le 1 ] || bad="$bad $verb@$offset=$status"
		[ $status -ne 1 ] || [ -s "$err" ] || [ $verb = check ] ||
			bad="$bad $verb@$offset"
	done
	set_byte "$ledgers/here.ledger" $offset "$was"
	offset=$((offset + offset / 3))
done
echo "$bad" >"$out"
test -z "$bad"
result $? "a damaged byte is an error at most"

# A key that another byte makes unreadable.
"$tool" check here --json --verbose >"$out" 2>&1
region=$(grep -abo 'adder' "$ledgers/here.ledger" 2>/dev/null | head -n 1 |
	cut -d : -f 1)
if [ -n "$region" ]; then
	set_byte "$ledgers/here.ledger" "$region" 172 # a z
	run "$tool" check here
	test $? -eq 1 && has "^problem: row 0: its key can't be read"
	result $? "check: a key that is damaged"
	set_byte "$ledgers/here.ledger" "$region" 141
else
	skip "check: a key that is damaged" "this grep has no offsets"
fi

# ---- cut short while it is read
: >"$out"
"$tool" show here --interval 0.05 >>"$out" 2>"$err" &
pid=$!
children=$pid
await test -s "$out"
: >"$ledgers/here.ledger"
ends $pid
test $? -eq 1 && grep -q 'damaged$' "$err"
result $? "show: cut short while it is read"
children=

# ---- where ledgers are
unset NUMATALLY_DIR
mine=/dev/shm/numatally
[ "$(id -u)" -eq 0 ] || mine=$mine-$(id -u)
name=tool-show-$$
if [ -w /dev/shm ] && run "$tests/support/adder" -c -n 5 $name; then
	run "$tool" ls
	has "^$name  .* no writer\$"
	result $? "ls: our own directory"
	run "$tool" show $name
	result $? "show: from our own directory"
	rm -f $mine/$name.ledger
	rmdir $mine 2>/dev/null
else
	skip "ls: our own directory" "nothing can be written to /dev/shm"
	skip "show: from our own directory" "nothing can be written to /dev/shm"
fi
if [ -w /dev/shm ] && [ "$(id -u)" -eq 0 ] &&
	chown 60001 "$tmp/out" 2>/dev/null; then
	others=
	for uid in $((1000000 + $$)) $((6000000 + $$)); do
		other=/dev/shm/numatally-$uid
		others="$others $other"
		mkdir $other
		"$tests/support/adder" -c -n 7 $other/$name.ledger >/dev/null
		chown -R $uid $other
		if [ "$others" = " $other" ]; then
			run "$tool" show $name
			result $? "show: from another user's directory"
		fi
	done
	fails 1 "show: from one of several users' directories" \
		"$tool" show $name
	grep -q 'several users' "$err"
	result $? "show: an error message"
	run "$tool" ls
	test "$(grep -c "^$name " "$out")" -eq 2
	result $? "ls: other users' directories"
	chown 0 $other
	run "$tool" ls
	test $? -eq 1 && grep -q "$other: ignored" "$err" &&
		test "$(grep -c "^$name " "$out")" -eq 1
	result $? "ls: a directory that is not its user's own"
	rm -rf $others
else
	skip "other users' directories" "not root, or no /dev/shm"
fi

plan
