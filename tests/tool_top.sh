#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally top: as plain text, and on terminals of tmux, where keys are typed
# and what is then on the screen is looked at.
set -u
tool=${NUMATALLY:-./tools/numatally}
# Not libtool's script, which needs more around it than the program does.
if [ -x "${tool%/*}/.libs/${tool##*/}-verbs" ]; then
	tool=${tool%/*}/.libs/${tool##*/}-verbs
	LD_LIBRARY_PATH=$PWD/lib/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	export LD_LIBRARY_PATH
fi
case $tool in
/*) ;;
*) tool=$PWD/$tool ;;
esac
terminal=$PWD/tests/terminal
tmp=$(TMPDIR=$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) mktemp -d) ||
	exit 99
tmux=
trap '[ -z "$tmux" ] || $tmux kill-server 2>/dev/null; rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
unset COLUMNS LINES NO_COLOR TMUX
export LC_ALL=C.UTF-8
out=$tmp/out
err=$tmp/err
: >"$out"
: >"$err"
n=0

# result STATUS NAME
result()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$out" "$err"
	fi
}

skip()
{
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# top ARGUMENT...: once, as plain text
top()
{
	"$tool" top --batch --count 1 "$@" >"$out" 2>"$err" </dev/null
}

has()
{
	grep -q -e "$1" "$out"
}

# ---- a machine made up ------------------------------------------------------

# put FILE TEXT
put()
{
	mkdir -p "$tmp/m/$(dirname "$1")"
	printf '%s\n' "$2" >"$tmp/m/$1"
}

# process PID NAME UID CPU NUMA_MAPS
process()
{
	put "proc/$1/stat" "$1 ($2) S 1 $1 $1 0 -1 0 0 0 0 0 300 200 0 0 20 0 1 0 $1 20480000 5000 0 0 0 0 0 0 0 0 0 0 0 0 0 0 $4 0 0"
	put "proc/$1/status" "Name:	$2
Uid:	$3	$3	$3	$3
VmSize:	      20000 kB
RssAnon:	      10000 kB
RssFile:	          0 kB
RssShmem:	          0 kB
VmSwap:	       8 kB
Threads:	1"
	put "proc/$1/numa_maps" "$5"
	put "proc/$1/maps" '00400000-00402000 r--p 00000000 00:00 0'
	put "proc/$1/cgroup" "0::/jobs/job$1"
	mkdir -p "$tmp/m/proc/$1/task/$1"
	cp "$tmp/m/proc/$1/stat" "$tmp/m/proc/$1/status" "$tmp/m/proc/$1/task/$1"
}

# node NUMBER CPUS TOTAL FREE
node()
{
	put "sys/devices/system/node/node$1/cpulist" "$2"
	put "sys/devices/system/node/node$1/meminfo" "Node $1 MemTotal: $3 kB
Node $1 MemFree: $4 kB"
	put "sys/devices/system/node/node$1/numastat" "numa_hit 9
numa_miss 8
other_node 7"
}

put sys/devices/system/cpu/online 0-1
put sys/devices/system/node/online 0,4,7
node 0 0 1048576 262144
node 4 1 2097152 2097152
node 7 '' 0 0
put proc/meminfo 'MemTotal: 3145728 kB'
process 11 first 0 0 '00400000 default anon=4096 dirty=4096 N0=1024 N4=3072 kernelpagesize_kB=4'
process 22 'e\s(c)' 4242 1 '00400000 default file=/bin/x mapped=2560 N4=2560 kernelpagesize_kB=4'
process 33 "$(printf '\033[2J\nx')" 0 0 '00400000 default anon=1 N0=1 kernelpagesize_kB=4'

top --root "$tmp/m"
result $? "a captured machine"
has '^numatally top  3 nodes, 3 processes  *captured$'
result $? "its title"
has '^ *0 [█#].* 75%  *768M/1.0G'
result $? "a node's memory"
has '^ *4 [░.].*  0%  *0/2.0G'
result $? "a node that is not used"
has '^ *7 none .* 0/0 .*none'
result $? "a node without CPUs and memory"
has '^ *11 0  *-    16M .*12M .*4.0M.* first$' ||
	has '^ *11 0  *-    16M .*4.0M    12M.* first$'
result $? "a process, by node"
has '^ *22 4242 .* 10M .*e\\\\s(c)$'
result $? "a name with a backslash"
has '^ *33 .*\\x1b\[2J\\x0ax$'
result $? "a name that a terminal would obey"
awk '/^ *[123][123] / { print $1 }' "$out" | tr '\n' ' ' | grep -q '^11 22 33'
result $? "the most memory is first"
top --root "$tmp/m" --sort pid --nodes 4-7,9 && has '^ *all .*/2.0G' &&
	! has '^ *0 .*1.0G' && has '^numatally top  2 nodes' && has ' n4 '
result $? "some nodes"
top --root "$tmp/m" --sort 0 && grep -A 1 '^ *pid' "$out" | grep -q ' first$'
result $? "sorted by a node"
top --root "$tmp/m" --by user && has '^ *2 .* 16M .* 0$' &&
	has '^ *1 .* 10M .* 4242$'
result $? "by user"
top --root "$tmp/m" --by cgroup && has ' /jobs/job11$' && has ' /jobs/job22$'
result $? "by cgroup, of processes"
v2=sys/fs/cgroup
put $v2/cgroup.controllers 'cpu memory'
put $v2/jobs/memory.numa_stat 'anon N0=5242880 N4=14680064
file N0=0 N4=20971520
shmem N0=0 N4=1048576
anon_thp N0=2097152 N4=0
workingset_refault_anon N0=1 N4=2'
put $v2/jobs/job11/memory.numa_stat 'anon N0=4194304 N4=12582912
file N0=0 N4=0'
mkdir "$tmp/m/$v2/jobs/none"
COLUMNS=100 top --root "$tmp/m" --by cgroup &&
	has '^ *3 *-  *39M  *~46%  *17M  *19M  *1.0M  *2.0M  *5.0M  *34M  *0 /jobs$'
result $? "a cgroup, and what is below it"
has '^ *1 *-  *16M  *~75%  *16M  *0  *-  *-  *4.0M  *12M  *0 /jobs/job11$'
result $? "a cgroup that has no figures of some kinds"
has '^ *0 *-  *-  *-  *-  *-  *-  *-  *-  *-  *- /jobs/none$' &&
	! has 'not readable'
result $? "a cgroup without figures"
rm -r "$tmp/m/$v2"
COLUMNS=40 LINES=10 top --root "$tmp/m" && [ "$(wc -l <"$out")" -eq 10 ] &&
	! grep -q '.\{41\}' "$out"
result $? "a size that is asked for"
(
	LC_ALL=C
	export LC_ALL
	top --root "$tmp/m"
) && ! grep -q "[^ -~]" "$out" && has '##'
result $? "without UTF-8"
"$tool" top --root "$tmp/m" --interval 0.1 --count 3 </dev/null >"$out" 2>"$err" &&
	[ "$(grep -c '^numatally top' "$out")" -eq 3 ] &&
	has '^ *11 0  *0 '
result $? "again and again, with no terminal"
for wrong in '--interval 0' '--interval x' '--count 0' '--by node' \
	'--sort where' '--sort user --by user' '--nodes 3-1' '--nodes 1,' \
	'--nodes x' '--wrong' 'operand'; do
	top $wrong
	[ $? -eq 2 ] && [ -s "$err" ] && [ ! -s "$out" ]
	result $? "what is wrong: $wrong"
done
top --root "$tmp/nowhere"
[ $? -eq 1 ] && grep -q 'nowhere: No such file' "$err"
result $? "no such tree"
top --help && has '^Usage: numatally top'
result $? "help"
chmod 0 "$tmp/m/sys/devices/system/node/node4/meminfo" 2>/dev/null
rm "$tmp/m/sys/devices/system/node/node4/meminfo"
mkdir "$tmp/m/sys/devices/system/node/node4/meminfo"
top --root "$tmp/m"
[ $? -eq 1 ] && has '^ *4 [A-Z]' && has '75%  *768M/1.0G' && has ' first$'
result $? "a node that can't be read is an error of its own"
rmdir "$tmp/m/sys/devices/system/node/node4/meminfo"
node 4 1 2097152 2097152
rm "$tmp/m/proc/22/numa_maps"
mkdir "$tmp/m/proc/22/numa_maps"
top --root "$tmp/m"
[ $? -eq 1 ] && has '1 not readable' && has '^ *22 .* 9.8M ' && has ' first$'
result $? "a process that can't be read is, too"
rmdir "$tmp/m/proc/22/numa_maps"
process 22 '漢字' 4242 1 '00400000 default file=/bin/x mapped=2560 N4=2560 kernelpagesize_kB=4'

# ---- what changes -----------------------------------------------------------

put proc/stat 'cpu  100 0 0 100 0 0 0 0 0 0
cpu0 50 0 0 50 0 0 0 0 0 0
cpu1 50 0 0 50 0 0 0 0 0 0'
: >"$out"
"$tool" top --batch --count 2 --interval 0.5 --root "$tmp/m" >"$out" 2>"$err" \
	</dev/null &
tries=0
until has '^rows' || [ $tries -ge 200 ]; do
	tries=$((tries + 1))
	sleep 0.02
done
has '^ *0 .*75% .* -  *-  *-$'
result $? "no rates in the first screen"
put proc/stat 'cpu  130 0 0 120 0 0 0 0 0 0
cpu0 80 0 0 60 0 0 0 0 0 0
cpu1 50 0 0 60 0 0 0 0 0 0'
put sys/devices/system/node/node0/numastat 'numa_hit 9
numa_miss 1008
other_node 3'
sed 's/ 300 200 / 325 200 /' "$tmp/m/proc/11/stat" >"$tmp/stat"
cp "$tmp/stat" "$tmp/m/proc/11/stat"
wait $!
result $? "two screens"
sed -n '/^rows/,$p' "$out" | grep -v '^rows.*memory$' | sed 1d >"$tmp/second"
grep -q '^ *0 .*75% .* 75%  *[0-9.]*  *reset$' "$tmp/second"
result $? "the CPUs of a node, and a counter that went backwards"
awk '$1 == 0 && $(NF - 1) > 200 { found = 1 } END { exit !found }' "$tmp/second"
result $? "a rate"
grep -q '^ *4 .* 0%$\|^ *4 .*  0%  *0  *0$' "$tmp/second"
result $? "a node that rests"
awk '$1 == 11 && $3 > 10 && $3 < 60 { found = 1 } END { exit !found }' "$tmp/second"
result $? "the CPU time of a process"

# A node comes, and one goes.
: >"$out"
"$tool" top --batch --count 3 --interval 0.5 --root "$tmp/m" >"$out" 2>"$err" \
	</dev/null &
tries=0
until has '^rows' || [ $tries -ge 200 ]; do
	tries=$((tries + 1))
	sleep 0.02
done
put sys/devices/system/node/online 0,7,9
mv "$tmp/m/sys/devices/system/node/node4" "$tmp/node4"
node 9 '' 524288 131072
wait $!
tail -n +25 "$out" >"$tmp/last"
grep -q '^ *9 .*75%  *384M/512M ' "$tmp/last" &&
	! grep -q '^ *4 ' "$tmp/last" &&
	grep -q '^ *11 .* 16M .* 4.0M  *0  *0 first$' "$tmp/last"
result $? "a node that comes, and one that goes"
rm -r "$tmp/m/sys/devices/system/node/node9"
mv "$tmp/node4" "$tmp/m/sys/devices/system/node/node4"
put sys/devices/system/node/online 0,4,7

# ---- this machine -----------------------------------------------------------

"$tool" top --batch >"$out" 2>"$err" --count 2 --interval 0.2 </dev/null
[ $? -le 1 ] && has '^numatally top' && has ' numatally[-verbs]*$'
result $? "this machine"

# A process whose memory is on the last node that has some.
nodes=$(awk '$3 == "MemTotal:" && $4 > 200000 { print $2 }' \
	/sys/devices/system/node/node*/meminfo 2>/dev/null | sort -n)
last=$(echo "$nodes" | tail -n 1)
if [ "$(echo "$nodes" | wc -l)" -lt 2 ] || ! command -v numactl >/dev/null; then
	skip "memory on a node" "there are no two nodes with memory, or no numactl"
else
	numactl --membind="$last" dd if=/dev/zero of=/dev/null bs=64M \
		count=1000000 2>/dev/null &
	dd=$!
	sleep 1
	COLUMNS=150 "$tool" top --batch --count 2 --interval 1 --sort "$last" \
		>"$out" 2>"$err" </dev/null
	kill $dd
	awk -v node="n$last" -v pid=$dd '
	$1 == "pid" { for (i = 1; i <= NF; i++) if ($i == node) column = i }
	$1 == pid && $column ~ /^~*6[0-9]M$/ && $3 > 0 { found = 1 }
	END { exit !found }' "$out"
	result $? "memory on a node, and CPU time"
fi

# ---- terminals --------------------------------------------------------------

if ! command -v tmux >/dev/null; then
	skip "on terminals" "there is no tmux"
	echo "1..$n"
	exit 0
fi
tmux="tmux -u -S $tmp/tmux -f /dev/null"
TERM=xterm $tmux new-session -d -x 80 -y 24 \
	"env PS1='ready> ' ENV= sh" >"$out" 2>"$err" || {
	skip "on terminals" "tmux does not start"
	echo "1..$n"
	exit 0
}
$tmux set-option -g status off >/dev/null 2>&1
$tmux set-option -g window-size manual >/dev/null 2>&1
$tmux resize-window -x 80 -y 24 >/dev/null 2>&1

screen()
{
	$tmux capture-pane -p >"$out" 2>"$err"
}

# await PATTERN...: until all are on the screen, and none that has a ! before
# it, or long has passed
await()
{
	tries=0
	until screen && shows "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return 1
		sleep 0.05
	done
}

shows()
{
	for pattern; do
		case $pattern in
		!*) ! has "${pattern#!}" || return 1 ;;
		*) has "$pattern" || return 1 ;;
		esac
	done
}

# keys KEY...
keys()
{
	$tmux send-keys "$@"
}

# start ARGUMENT...: from the shell that is there
start()
{
	keys "$tool top $*" Enter
}

is_sh()
{
	[ "$($tmux display-message -p '#{pane_current_command}')" = sh ]
}

leave()
{
	keys q
	tries=0
	until is_sh || [ $tries -ge 200 ]; do
		tries=$((tries + 1))
		sleep 0.05
	done
}

# quits TEXT: types q, and looks that the shell has its screen and its turn
quits()
{
	leave
	await "^$1" '!^numatally top' && keys "echo still''here" Enter &&
		await '^stillhere'
}

keys "clear; stty -g >$tmp/stty; echo be''fore" Enter
await '^before'
start --root "$tmp/m"
await '^numatally top  3 nodes, 3 processes' '^>  *11 .* first$' '^h: help'
result $? "on a terminal"
keys Down
await '^>  *22 .* 漢字$'
result $? "down; wide characters"
keys End
await '^>  *33 '
result $? "end"
keys /
keys fir
await '^/fir_$' '^>  *11 ' '!^ *22 '
result $? "a filter is at work while it is typed"
keys Enter
await 'filter /fir$'
result $? "a filter stays"
keys Escape
await '^ *22 '
result $? "escape takes it off"
keys Right
await 'by remote$' && keys Left Left && await 'by cpu$'
result $? "left and right"
keys 4
await 'by memory of node 4$' '^>  *11 '
result $? "a digit"
keys v v v
await 'by shared memory of node 4$' && keys v v v && await 'by memory of node 4'
result $? "what columns of nodes are about"
keys Enter
await '^ process 11: first$' '^ *4  *12M  *75%  *12M'
result $? "a process by itself"
keys Escape
await '^ *22 '
keys u
await '^ *procs .*user$' ' 4242$' && keys Tab && await ' command$' &&
	keys g && await ' cgroup$' ' /jobs/job11$' && keys p
result $? "users, processes, cgroups"
await ' command$'
keys Space
await 'PAUSED' && keys Space && await '^numatally top' '!PAUSED'
result $? "a pause"
keys -- -
await 'every 2 s' && keys d && keys 0.5 Enter && await 'every 0.5 s'
result $? "how often"
keys h
await '^numatally top: keys' && keys h && await '^h: help'
result $? "help on the screen"
keys r
await 'reversed$' && keys M && await 'by memory$'
result $? "the other way round"
for size in 1x1 2x2 3x50 20x5 5x20 300x100 200x50 80x24; do
	$tmux resize-window -x ${size%x*} -y ${size#*x} 2>>"$err"
	sleep 0.1
done
await '^numatally top  3 nodes' '^h: help' '^>  *11 '
result $? "sizes while it runs"
keys C-z
await 'ready> *$' '!^numatally top'
result $? "Ctrl-Z gives the terminal back"
keys fg Enter
await '^numatally top  3 nodes' '^h: help'
result $? "fg goes on"
quits before
result $? "q restores the screen"
keys "stty -g | cmp - $tmp/stty && echo sa''me" Enter
await '^same'
result $? "q restores the terminal"

for signal in TERM HUP INT QUIT; do
	keys "clear; ulimit -c 0; echo be''fore" Enter
	await '^before'
	start --root "$tmp/m" "& echo \$! >$tmp/pid; fg >/dev/null; echo en''ded=\$?"
	await '^numatally top  3 nodes'
	kill -$signal "$(cat "$tmp/pid")"
	case $signal in
	TERM) status=143 ;;
	HUP) status=129 ;;
	INT) status=0 ;;
	QUIT) status=131 ;;
	esac
	await "^ended=$status" '^before' '!^numatally top' &&
		keys "stty -g | cmp - $tmp/stty && echo sa''me" Enter &&
		await '^same'
	result $? "SIG$signal restores the terminal"
done
keys "clear" Enter
start --root "$tmp/m"
await '^numatally top  3 nodes'
keys C-c
await 'ready> *$' '!^numatally top'
result $? "Ctrl-C quits"
keys "clear" Enter
start --root "$tmp/m" --interval 0.1 --count 3 "; echo en''ded=\$?"
await '^ended=0'
result $? "a number of times"
keys "clear; TERM=nonsense $tool top --root $tmp/m; echo en''ded=\$?" Enter
await '^ended=1' "TERM 'nonsense' is no terminal"
result $? "a terminal that nobody knows"
keys "clear; stty cols 1 rows 1; $tool top --root $tmp/m --count 1; stty cols 80 rows 24; echo en''ded=\$?" Enter
await '^ended=0'
result $? "a terminal of one character"
# coloured: whether the screen has any colour
coloured()
{
	$tmux capture-pane -e -p >"$out" && grep -q '\[[0-9;]*3[0-7][;m]' "$out"
}

keys "clear" Enter
start --root "$tmp/m"
await '^numatally top  3 nodes' '^h: help' && coloured
result $? "colours"
quits ready
for plain in NO_COLOR=1 TERM=vt100; do
	keys "clear; $plain $tool top --root $tmp/m" Enter
	await '^numatally top  3 nodes' '^h: help' && ! coloured
	result $? "no colours with $plain"
	leave
done

keys "clear" Enter
start
await '^numatally top .*[0-9] processes' '^h: help' &&
	keys /numatally && await '^/numatally_$' ' numatally[-verbs]*$' &&
	keys Enter
result $? "this machine on a terminal"
quits ready
result $? "this machine: q"

# Nobody is left at the terminal, and the signal that would say so is ignored.
hang_up()
{
	"$terminal" sh -c "trap '' HUP; $tool top --root $tmp/m
		echo \$? >$tmp/status" >"$out" 2>"$err" <<-'END'
		await captured
		hang up
	END
	tries=0
	until [ -s "$tmp/status" ] || [ $tries -ge 200 ]; do
		tries=$((tries + 1))
		sleep 0.05
	done
	[ "$(cat "$tmp/status")" -eq 0 ]
}

if "$terminal" true </dev/null 2>/dev/null; then
	hang_up
	result $? "the terminal hangs up"
fi

# ---- 64 nodes ---------------------------------------------------------------

dump=${NUMATALLY_DATA:-$srcdir/../shared/data}/sysfs-dumps/256ia64-64n2s2c.tar.bz2
if ! [ -r "$dump" ]; then
	skip "64 nodes" "there are no captured machines"
	echo "1..$n"
	exit 0
fi
mkdir "$tmp/64" && tar xjf "$dump" -C "$tmp/64"
big=$(dirname "$(dirname "$(find "$tmp/64" -path '*/sys/devices' -prune -print)")")
cp -r "$tmp/m/proc/11" "$tmp/m/proc/22" "$big/proc/"

# all_nodes PER_LINE: whether each of 64 is there
all_nodes()
{
	sed 's/[^ -~]/#/g' "$out" | awk -v per="$1" '
	/^nd mem/ { cells = 1; width = index(substr($0, 2), "nd mem"); next }
	/^ *pid / { cells = 0 }
	cells { for (i = 0; i < per; i++) {
			id = substr($0, i * width + 1, 2)
			if (id ~ /[0-9]/) seen[id + 0]++
		} }
	END { for (i = 0; i < 64; i++)
			if (seen[i] != 1) { print "node " i > "/dev/stderr"; bad = 1 }
		exit bad }' 2>"$err"
}

keys "clear" Enter
start --root "$big"
await '^numatally top  64 nodes' '^h: help' '^> *11 .* first$' && all_nodes 6
result $? "64 nodes at 80x24"
keys 6 3 Enter
await 'of node 63$' '^  63 ' && all_nodes 6
result $? "one of 64"
$tmux resize-window -x 200 -y 50
await '^ *pid .* swap .* n63 ' '^h: help' && all_nodes 3
result $? "64 nodes at 200x50"
$tmux resize-window -x 40 -y 12
await '^numatally top  nodes 0-' && keys ']' &&
	await '^numatally top  nodes ' '!nodes 0-'
result $? "64 nodes where there is no room for them"
$tmux resize-window -x 80 -y 24
quits ready
result $? "64 nodes: q"
echo "1..$n"
