#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally top: as plain text, and on terminals of tmux, where the test types
# keys and reads the screen.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
terminal=$PWD/tests/support/terminal
tmux=
at_end() {
	[ -z "$tmux" ] || $tmux kill-server 2>/dev/null
}
unset COLUMNS LINES NO_COLOR TMUX
export LC_ALL=C.UTF-8
: >"$out"
: >"$err"

# top ARGUMENT...: once, as plain text
top()
{
	"$tool" top --batch --count 1 "$@" >"$out" 2>"$err" </dev/null
}

# ---- a made-up machine ------------------------------------------------------

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
	mkdir -p "$m/proc/$1/task/$1"
	cp "$m/proc/$1/stat" "$m/proc/$1/status" "$m/proc/$1/task/$1"
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

top --root "$m"
result $? "a captured machine"
has '^numatally top  3 nodes, 3 processes  *captured$'
result $? "its title"
has '^ *0 [█#].* 75%  *768M/1.0G'
result $? "a node's memory"
has '^ *4 [░.].*  0%  *0/2.0G'
result $? "an unused node"
has '^ *7 none .* 0/0 .*none'
result $? "a node without CPUs and memory"
has '^ *11 0  *-    16M .*12M .*4.0M.* first$' ||
	has '^ *11 0  *-    16M .*4.0M    12M.* first$'
result $? "a process, by node"
has '^ *22 4242 .* 10M .*e\\\\s(c)$'
result $? "a name with a backslash"
has '^ *33 .*\\x1b\[2J\\x0ax$'
result $? "a name with control characters"
awk '/^ *[123][123] / { print $1 }' "$out" | tr '\n' ' ' | grep -q '^11 22 33'
result $? "the most memory comes first"
top --root "$m" --sort pid --nodes 4,7 && has '^ *all .*/2.0G' &&
	! has '^ *0 .*1.0G' && has '^numatally top  2 nodes' && has ' n4 '
result $? "some nodes"
top --root "$m" --nodes 9,4-7,10-12
[ $? -eq 1 ] && has '^numatally top  2 nodes' &&
	echo 'numatally top: no nodes 9, 5-6, 10-12' | cmp -s - "$err"
result $? "nodes that do not exist: a failure, and the others"
top --root "$m" --sort 5
[ $? -eq 1 ] && has '^ *11 .* first$' && has 'by memory$' && ! has 'of node 5' &&
	echo 'numatally top: no node 5: sorted by memory' | cmp -s - "$err"
result $? "sorted by a node that does not exist"
top --root "$m" --sort 0 --nodes 4 && [ ! -s "$err" ]
result $? "sorted by a node that is not shown"
top --root "$m" --sort 0 && grep -A 1 '^ *pid' "$out" | grep -q ' first$'
result $? "sorted by a node"
top --root "$m" --by user && has '^ *2 .* 16M .* 0$' &&
	has '^ *1 .* 10M .* 4242$'
result $? "by user"
top --root "$m" --by cgroup && has ' /jobs/job11$' && has ' /jobs/job22$'
has '^ *2 .* 26M .*/jobs$' || has ' /jobs$'
result $? "by cgroup, of processes, with those of cgroups below"
process 44 old 0 1 ''
rm "$m/proc/44/numa_maps"
printf 'Name:\told\nUid:\t0\t0\t0\t0\nVmSize:\t99 kB\nVmRSS:\t40960 kB\n' \
	>"$m/proc/44/status"
COLUMNS=130 top --root "$m" && has '^ *44 0  *-  *40M  *-  *-  *-  *-  *0  *- .* old$'
result $? "- where nobody knows"
rm -r "$m/proc/44"
v2=sys/fs/cgroup
put $v2/cgroup.controllers 'cpu memory'
put $v2/jobs/memory.numa_stat 'anon N0=5242880 N4=14680064
file N0=0 N4=20971520
shmem N0=0 N4=1048576
anon_thp N0=2097152 N4=0
workingset_refault_anon N0=1 N4=2'
put $v2/jobs/job11/memory.numa_stat 'anon N0=4194304 N4=12582912
file N0=0 N4=0'
mkdir "$m/$v2/jobs/none"
COLUMNS=100 top --root "$m" --by cgroup &&
	has '^ *3 *-  *39M  *~46%  *17M  *19M  *1.0M  *2.0M  *5.0M  *34M  *0 /jobs$'
result $? "a cgroup, and what is below it"
has '^ *1 *-  *16M  *~75%  *16M  *0  *-  *-  *4.0M  *12M  *0 /jobs/job11$'
result $? "a cgroup that has no figures of some kinds"
has '^ *0 *-  *-  *-  *-  *-  *-  *-  *-  *-  *- /jobs/none$' &&
	! has 'not readable'
result $? "a cgroup without figures"
rm -r "$m/$v2"
path=/a/path/that/has/so/many/letters/that/no/terminal/can/show/it
process 44 wide 0 0 '00400000 default anon=1 N0=1 kernelpagesize_kB=4'
put proc/44/cgroup "0::$path"
top --root "$m" --by cgroup && has " $path\$"
result $? "in a pipe, a name is whole"
rm -r "$m/proc/44"
put proc/loadavg '0.50 1.25 2.00 1/99 1234'
put proc/meminfo 'MemTotal: 3145728 kB
SwapTotal: 2097152 kB
SwapFree: 1048576 kB'
top --root "$m" && has '  load 0.50 1.25 2.00  swap 1.0G/2.0G  captured$'
result $? "load and swap in the header"
COLUMNS=66 top --root "$m" && has '  load 0.50 1.25 2.00  captured$'
result $? "load alone, where there is less room"
COLUMNS=50 top --root "$m" && has 'processes  *captured$'
result $? "neither, where there is none"
put proc/11/cmdline 'prog'
printf 'prog\0--some\0argument\0' >"$m/proc/11/cmdline"
mkfifo "$m/proc/22/cmdline"
top --root "$m" -c && has '^ *11 .* prog --some argument$' &&
	has '^ *pid .* command line$' && has '^ *22 .* e\\\\s(c)$'
result $? "command lines; a name where there is none"
top --root "$m" --tree && has '^ *22 '
result $? "a tree"
top --root "$m" --by thread && has '^numatally top  3 nodes, 3 threads' &&
	has '^ *tid user .* thread$' && has '^ *11 0 .* first$'
result $? "threads"
"$tool" top --root "$m" --by thread --interval 0.1 --count 2 </dev/null \
	>"$out" 2>"$err" && has '^ *11 0  *0 '
result $? "threads: CPU time"
if command -v jq >/dev/null; then
	json()
	{
		jq -e "$@" "$out" >/dev/null
	}
	run "$tool" top --json --count 1 --root "$m" && json '
		.version == 1 and .realtime_ns == null and .interval_ns == null
		and .load_average == [0.5, 1.25, 2]
		and .swap_bytes == 2147483648 and .swap_used_bytes == 1073741824
		and .nodes[0].id == 0 and .nodes[0].memory_bytes == 1073741824
		and .nodes[2].cpus == 0 and .nodes[0].error == null
		and .processes[0].pid == 11
		and .processes[0].command_line == "prog --some argument"
		and .processes[1].command_line == null
		and .processes[0].cpu_ppm == null
		and .processes[0].memory_total_bytes == 16777216
		and (.processes[0].nodes | map(.id) == [0, 4])
		and .error == null'
	result $? "JSON"
	for by in cgroup user thread; do
		run "$tool" top -j --count 1 --root "$m" --by $by &&
			json ".${by}s | length > 0"
		result $? "JSON by $by"
	done
	run "$tool" top --json --batch --count 2 --interval 0.1 --root "$m" &&
		[ "$(wc -l <"$out")" -eq 2 ] && [ "$(jq -s 'last |
			.processes[0].cpu_ppm == 0 and .interval_ns > 0' \
			"$out")" = true ]
	result $? "JSON, repeatedly"
	"$tool" top --json --count 1 >"$out" 2>"$err"
	json '.realtime_ns / 1e9 - now | fabs < 86400'
	result $? "JSON: the time of day"
	rm "$m/proc/11/numa_maps"
	mkdir "$m/proc/11/numa_maps"
	run "$tool" top --json --count 1 --root "$m"
	[ $? -eq 1 ] && json '.processes[] | select(.pid == 11) |
		.error == "Is a directory" and
		(.nodes | all(.memory_total_bytes == null))'
	result $? "JSON: what is not known is null"
	rmdir "$m/proc/11/numa_maps"
	process 11 first 0 0 '00400000 default anon=4096 dirty=4096 N0=1024 N4=3072 kernelpagesize_kB=4'
else
	skip "JSON" "no jq"
fi
rm "$m/proc/11/cmdline" "$m/proc/22/cmdline" "$m/proc/loadavg"
put proc/meminfo 'MemTotal: 3145728 kB'
COLUMNS=40 LINES=10 top --root "$m" && [ "$(wc -l <"$out")" -eq 10 ] &&
	! grep -q '.\{41\}' "$out"
result $? "a size that is asked for"
(
	LC_ALL=C
	export LC_ALL
	top --root "$m"
) && ! grep -q "[^ -~]" "$out" && has '##'
result $? "without UTF-8"
"$tool" top --root "$m" --interval 0.1 --count 3 </dev/null >"$out" 2>"$err" &&
	[ "$(grep -c '^numatally top' "$out")" -eq 3 ] &&
	has '^ *11 0  *0 '
result $? "repeatedly, without a terminal"
for wrong in '--interval 0' '--interval x' '--count 0' '--by node' \
	'--sort where' '--sort user --by user' '--tree --by user' \
	'--sort memory --by thread' '--nodes 3-1' '--nodes 1,' \
	'--nodes x' '--wrong' 'operand'; do
	top $wrong
	[ $? -eq 2 ] && [ -s "$err" ] && [ ! -s "$out" ]
	result $? "usage error: $wrong"
done
top --root "$tmp/nowhere"
[ $? -eq 1 ] && grep -q 'nowhere: No such file' "$err"
result $? "no such tree"
top --help && has '^Usage: numatally top'
result $? "help"
chmod 0 "$m/sys/devices/system/node/node4/meminfo" 2>/dev/null
rm "$m/sys/devices/system/node/node4/meminfo"
mkdir "$m/sys/devices/system/node/node4/meminfo"
top --root "$m"
[ $? -eq 1 ] && has '^ *4 [A-Z]' && has '75%  *768M/1.0G' && has ' first$'
result $? "an unreadable node is an error of its row"
rmdir "$m/sys/devices/system/node/node4/meminfo"
node 4 1 2097152 2097152
rm "$m/proc/22/numa_maps"
mkdir "$m/proc/22/numa_maps"
top --root "$m"
[ $? -eq 1 ] && has '1 not readable' && has '^ *22 .* 9.8M ' && has ' first$'
result $? "an unreadable process is an error of its row"
rmdir "$m/proc/22/numa_maps"
process 22 '漢字' 4242 1 '00400000 default file=/bin/x mapped=2560 N4=2560 kernelpagesize_kB=4'

# ---- changes ----------------------------------------------------------------

# screens COUNT INTERVAL: begins to draw them, and waits for the first one
screens()
{
	: >"$out"
	"$tool" top --batch --count "$1" --interval "$2" --root "$m" \
		>"$out" 2>"$err" </dev/null &
	await has '^rows'
}

sed 's/ 300 200 / 325 200 /' "$m/proc/11/stat" >"$tmp/stat"
rates()
{
	put proc/stat 'cpu  100 0 0 100 0 0 0 0 0 0
cpu0 50 0 0 50 0 0 0 0 0 0
cpu1 50 0 0 50 0 0 0 0 0 0'
	node 0 0 1048576 262144
	cp "$m/proc/11/task/11/stat" "$m/proc/11/stat"
	screens 2 $interval
	cp "$out" "$tmp/first"
	put proc/stat 'cpu  130 0 0 120 0 0 0 0 0 0
cpu0 80 0 0 60 0 0 0 0 0 0
cpu1 50 0 0 60 0 0 0 0 0 0'
	put sys/devices/system/node/node0/numastat 'numa_hit 9
numa_miss 1008
other_node 3'
	cp "$tmp/stat" "$m/proc/11/stat"
	wait $!
	status=$?
	sed -n '/^rows/,$p' "$out" | grep -v '^rows.*memory$' | sed 1d >"$tmp/second"
	[ $status -eq 0 ] && reset && rate
}

reset()
{
	grep -q '^ *0 .*75% .* 75%  *[0-9.]*  *reset$' "$tmp/second"
}

# In the same time the process ran for 25 ticks, and 1000 events came: the
# events of each second are 40 times the hundredths of a CPU. The two were not
# read at quite the same time.
rate()
{
	awk '$1 == 0 { events = $(NF - 1) } $1 == 11 { cpu = $3 }
		END { exit !(cpu > 0 && cpu <= 50.1 &&
			events > 30 * cpu && events < 50 * cpu) }' "$tmp/second"
}

in_time rates
grep -q '^ *0 .*75% .* -  *-  *-$' "$tmp/first"
result $? "no rates in the first screen"
[ $status -eq 0 ]
result $? "two screens"
reset
result $? "the CPUs of a node, and a counter that went backwards"
rate
result $? "the rate of an event, and the CPU time of a process"
grep -q '^ *4 .* 0%$\|^ *4 .*  0%  *0  *0$' "$tmp/second"
result $? "an idle node"

# A node comes, and one goes.
nodes_change()
{
	screens 3 $interval
	put sys/devices/system/node/online 0,7,9
	mv "$m/sys/devices/system/node/node4" "$tmp/node4"
	node 9 '' 524288 131072
	wait $!
	tail -n +25 "$out" >"$tmp/last"
	rm -r "$m/sys/devices/system/node/node9"
	mv "$tmp/node4" "$m/sys/devices/system/node/node4"
	put sys/devices/system/node/online 0,4,7
	grep -q '^ *9 .*75%  *384M/512M ' "$tmp/last" &&
		! grep -q '^ *4 ' "$tmp/last" &&
		grep -q '^ *11 .* 16M .* 4.0M  *0  *0 first$' "$tmp/last"
}

in_time nodes_change
result $? "a node that comes, and one that goes"

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
	on_last()
	{
		COLUMNS=150 "$tool" top --batch --count 2 --interval $interval \
			--sort "$last" >"$out" 2>"$err" </dev/null
		awk -v node="n$last" -v pid=$dd '
		$1 == "pid" { for (i = 1; i <= NF; i++) if ($i == node) column = i }
		$1 == pid && $column ~ /^~*6[0-9]M$/ && $3 > 0 { found = 1 }
		END { exit !found }' "$out"
	}
	in_time on_last
	result $? "memory on a node, and CPU time"
	kill $dd
fi

# ---- terminals --------------------------------------------------------------

dumb()
{
	"$terminal" env TERM=dumb "$tool" top --root "$m" >"$out" 2>"$err" <<-'END'
		await TERM 'dumb' can't move the cursor; --batch needs no terminal
		exit 1
	END
}
if ! "$terminal" true </dev/null 2>"$err"; then
	skip "a terminal without a cursor" "$(cat "$err")"
elif ! ls -d /lib/terminfo/d/dumb /usr/share/terminfo/d/dumb 2>/dev/null |
	grep -q .; then
	skip "a terminal without a cursor" "no description of one"
else
	dumb
	result $? "a terminal without a cursor says so"
fi
# Keys that never pause: a signal comes between them.
cat >"$tmp/flood.py" <<'END'
import os, pty, select, signal, sys, time
pid, fd = pty.fork()
if not pid:
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[1], sys.argv[1:])
os.set_blocking(fd, False)
begin, shown, ended = time.monotonic(), 0, 0
while not ended and time.monotonic() < begin + 60:
    can_read, can_write, _ = select.select([fd], [fd] if shown else [], [], 0.01)
    try:
        if can_read and os.read(fd, 65536) and not shown:
            shown = time.monotonic()
        if can_write:
            os.write(fd, b"jk" * 500)
    except OSError:
        pass
    if shown and time.monotonic() > shown + 0.5:
        os.kill(pid, signal.SIGTERM)
    ended, status = os.waitpid(pid, os.WNOHANG)
if not ended:
    os.kill(pid, signal.SIGKILL)
sys.exit(not ended or os.waitstatus_to_exitcode(status) != -signal.SIGTERM)
END
if command -v python3 >/dev/null; then
	check "a signal ends it beside keys that never pause" \
		python3 "$tmp/flood.py" "$tool" top --root "$m"
else
	skip "a signal ends it beside keys that never pause" "no python3"
fi
if ! command -v tmux >/dev/null; then
	skip "on terminals" "there is no tmux"
	plan
	exit 0
fi
tmux="tmux -u -S $tmp/tmux -f /dev/null"
TERM=xterm $tmux new-session -d -x 80 -y 24 \
	"env PS1='ready> ' ENV= sh" >"$out" 2>"$err" || {
	skip "on terminals" "tmux does not start"
	plan
	exit 0
}
$tmux set-option -g status off >/dev/null 2>&1
$tmux set-option -g window-size manual >/dev/null 2>&1
$tmux resize-window -x 80 -y 24 >/dev/null 2>&1

screen()
{
	$tmux capture-pane -p >"$out" 2>"$err"
}

# sees PATTERN...: until all are on the screen, and none that has a ! before
# it, or long has passed
sees()
{
	await shows "$@"
}

shows()
{
	screen || return
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
	await is_sh
}

# quits TEXT: types q, and looks that the shell has its screen and its turn
quits()
{
	leave
	sees "^$1" '!^numatally top' && keys "echo still''here" Enter &&
		sees '^stillhere'
}

keys "clear; stty -g >$tmp/stty; echo be''fore" Enter
sees '^before'
start --root "$m"
sees '^numatally top  3 nodes, 3 processes' '^>  *11 .* first$' '^h: help'
result $? "on a terminal"
keys Down
sees '^>  *22 .* 漢字$'
result $? "down; wide characters"
keys End
sees '^>  *33 '
result $? "end"
keys /
keys fir
sees '^/fir_$' '^>  *11 ' '!^ *22 '
result $? "a filter works while it is typed"
keys Enter
sees 'filter /fir$'
result $? "a filter stays"
keys Escape
sees '^ *22 '
result $? "escape takes it off"
keys Right
sees 'by remote$' && keys Left Left && sees 'by cpu$'
result $? "left and right"
keys 4
sees 'by memory of node 4$' '^>  *11 '
result $? "a digit"
keys v v v
sees 'by shared memory of node 4$' && keys v v v && sees 'by memory of node 4'
result $? "kinds of memory in the columns of nodes"
keys Enter
sees '^ process 11: first$' '^ *4  *12M  *75%  *12M' '^Esc: back  h: help'
result $? "a process by itself"
keys Escape
sees '^ *22 '
keys u
sees '^ *procs .*user$' ' 4242$' && keys Tab && sees ' command$' &&
	keys g && sees ' cgroup$' ' /jobs/job11$' && keys p
result $? "users, processes, cgroups"
sees ' command$'
keys H
sees '^ *tid .* thread$' ' first$' && keys H && sees ' command$'
result $? "threads on the screen"
keys c
sees ' command line$' && keys c && sees ' command$' && keys t &&
	sees '^> *11 ' && keys t
result $? "command lines, and a tree"
keys Space
sees 'PAUSED' && keys Space && sees '^numatally top' '!PAUSED'
result $? "a pause"
keys -- -
sees 'every 2 s' && keys d && keys 0.5 Enter && sees 'every 0.5 s'
result $? "how often"
keys h
sees '^numatally top: keys' && keys h && sees '^h: help'
result $? "help on the screen"
keys r
sees 'reversed$' && keys M && sees 'by memory$'
result $? "reversed"
for size in 1x1 2x2 3x50 20x5 5x20 300x100 200x50 80x24; do
	$tmux resize-window -x ${size%x*} -y ${size#*x} 2>>"$err"
	sleep 0.1
done
sees '^numatally top  3 nodes' '^h: help' '^>  *11 '
result $? "resizing"
keys C-z
sees 'ready> *$' '!^numatally top'
result $? "Ctrl-Z gives the terminal back"
keys fg Enter
sees '^numatally top  3 nodes' '^h: help'
result $? "fg continues"
quits before
result $? "q restores the screen"
keys "stty -g | cmp - $tmp/stty && echo sa''me" Enter
sees '^same'
result $? "q restores the terminal"

for signal in TERM HUP INT QUIT; do
	keys "clear; ulimit -c 0; echo be''fore" Enter
	sees '^before'
	start --root "$m" "& echo \$! >$tmp/pid; fg >/dev/null; echo en''ded=\$?"
	sees '^numatally top  3 nodes'
	kill -$signal "$(cat "$tmp/pid")"
	case $signal in
	TERM) status=143 ;;
	HUP) status=129 ;;
	INT) status=0 ;;
	QUIT) status=131 ;;
	esac
	sees "^ended=$status" '^before' '!^numatally top' &&
		keys "stty -g | cmp - $tmp/stty && echo sa''me" Enter &&
		sees '^same'
	result $? "SIG$signal restores the terminal"
done
keys "clear" Enter
start --root "$m"
sees '^numatally top  3 nodes'
keys C-c
sees 'ready> *$' '!^numatally top'
result $? "Ctrl-C quits"
keys "clear" Enter
start --root "$m" --interval 0.1 --count 3 "; echo en''ded=\$?"
sees '^ended=0'
result $? "--count"
keys "clear; TERM=nonsense $tool top --root $m; echo en''ded=\$?" Enter
sees '^ended=1' "TERM 'nonsense' is unknown"
result $? "an unknown terminal"
keys "clear; stty cols 1 rows 1; $tool top --root $m --count 1; stty cols 80 rows 24; echo en''ded=\$?" Enter
sees '^ended=0'
result $? "a terminal of one character"
# coloured: whether the screen has any colour
coloured()
{
	$tmux capture-pane -e -p >"$out" && grep -q '\[[0-9;]*3[0-7][;m]' "$out"
}

keys "clear" Enter
start --root "$m"
sees '^numatally top  3 nodes' '^h: help' && coloured
result $? "colours"
quits ready
for plain in NO_COLOR=1 TERM=vt100; do
	keys "clear; $plain $tool top --root $m" Enter
	sees '^numatally top  3 nodes' '^h: help' && ! coloured
	result $? "no colours with $plain"
	leave
done

keys "clear" Enter
start
sees '^numatally top .*[0-9] processes' '^h: help' &&
	keys /numatally && sees '^/numatally_$' ' numatally[-verbs]*$' &&
	keys Enter
result $? "this machine on a terminal"
quits ready
result $? "this machine: q"

# Nobody is left at the terminal, and the signal that would say so is ignored.
hang_up()
{
	"$terminal" sh -c "trap '' HUP; $tool top --root $m
		echo \$? >$tmp/status" >"$out" 2>"$err" <<-'END'
		await captured
		hang up
	END
	await test -s "$tmp/status"
	[ "$(cat "$tmp/status")" -eq 0 ]
}

if "$terminal" true </dev/null 2>"$err"; then
	hang_up
	result $? "the terminal hangs up"
else
	skip "the terminal hangs up" "$(cat "$err")"
fi

# ---- 64 nodes ---------------------------------------------------------------

dump=${NUMATALLY_DATA:-$srcdir/../shared/data}/sysfs-dumps/256ia64-64n2s2c.tar.bz2
if ! [ -r "$dump" ]; then
	skip "64 nodes" "there are no captured machines"
	plan
	exit 0
fi
mkdir "$tmp/64" && tar xjf "$dump" -C "$tmp/64"
big=$(dirname "$(dirname "$(find "$tmp/64" -path '*/sys/devices' -prune -print)")")
cp -r "$m/proc/11" "$m/proc/22" "$big/proc/"

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
sees '^numatally top  64 nodes' '^h: help' '^> *11 .* first$' && all_nodes 6
result $? "64 nodes at 80x24"
keys 6 3 Enter
sees 'of node 63$' '^  63 ' && all_nodes 6
result $? "one of 64"
$tmux resize-window -x 200 -y 50
sees '^ *pid .* swap .* n63 ' '^h: help' && all_nodes 3
result $? "64 nodes at 200x50"
$tmux resize-window -x 40 -y 12
sees '^numatally top  nodes 0-' && keys ']' &&
	sees '^numatally top  nodes ' '!nodes 0-'
result $? "64 nodes on a small screen"
$tmux resize-window -x 80 -y 24
quits ready
result $? "64 nodes: q"
plan
