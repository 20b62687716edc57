#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally stat by process, cgroup and user: on a small machine made up here,
# and on this one.
set -u
tool=${NUMATALLY:-./tools/numatally}
tmp=$(TMPDIR=$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) mktemp -d) ||
	exit 99
trap 'rm -rf "$tmp"' EXIT
out=$tmp/out
err=$tmp/err
m=$tmp/m
n=0
unset COLUMNS

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

# put FILE TEXT: in the made-up machine
put()
{
	mkdir -p "$m/$(dirname "$1")"
	echo "$2" >"$m/$1"
}

stat()
{
	"$tool" stat "$@" >"$out" 2>"$err"
}

# says TEXT…: stdout has these
says()
{
	for text; do
		grep -qF -e "$text" "$out" || {
			echo "# without: $text"
			return 1
		}
	done
}

# same: stdout is what stdin has
same()
{
	cat >"$tmp/expected"
	cmp -s "$out" "$tmp/expected" || {
		diff "$tmp/expected" "$out" | sed 's/^/# /'
		return 1
	}
}

cpu=sys/devices/system/cpu
node=sys/devices/system/node

# process PID UID CGROUP NAME CPU [NUMA_MAPS]: with one thread, that ran on CPU
process()
{
	put "proc/$1/stat" "$1 ($4) S 1 0 0 0 0 0 0 0 0 0 30 12 0 0 0 0 1 0 $1 \
0 99 0 0 0 0 0 0 0 0 0 0 0 0 0 0 $5 0"
	put "proc/$1/status" "Name:	$4
Uid:	7	$2	8	9
VmSize:	    100 kB
RssAnon:	    400 kB
RssFile:	     80 kB
RssShmem:	      0 kB
VmSwap:	    $1 kB"
	put "proc/$1/cgroup" "3:cpu,memory:$3"
	put "proc/$1/cmdline" "/bin/$4 --of $2"
	put "proc/$1/maps" "10000-20000 r-xp 00000000 08:01 77 /lib/x"
	[ -z "${6-}" ] || put "proc/$1/numa_maps" "$6"
}

lib='10000 default file=/lib/x mapped=8 mapmax=2 N1=8 kernelpagesize_kB=4'

# machine [NODE…]: of nodes 1 and 12, or others; a CPU on each
machine()
{
	nodes=${*:-1 12}
	rm -rf "$m"
	c=0
	for i in $nodes; do
		put "$node/node$i/cpulist" $c
		put "$node/node$i/meminfo" "Node $i MemTotal: 1048576 kB"
		mkdir -p "$m/$cpu/cpu$c/topology"
		put "$cpu/cpu$c/topology/core_cpus" "$(printf %x $((1 << c)))"
		put "$cpu/cpu$c/topology/package_cpus" ffffff
		c=$((c + 1))
	done
	put $node/online "$(echo $nodes | tr ' ' ,)"
	put $cpu/online 0-$((c - 1))
	put $cpu/possible 0-$((c - 1))
	mkdir -p "$m/proc/self"
}

processes()
{
	process 10 33 /a postgres 0 "1000 default anon=300 N1=200 N12=100 \
kernelpagesize_kB=4
$lib"
	process 11 33 /a/b 'odd name' 1 "1000 default anon=40 N1=40 \
kernelpagesize_kB=4
$lib"
	process 12 0 /c huge 1 "1000 default file=/h huge anon=2 N12=2 \
kernelpagesize_kB=2048"
	# One of the kernel's
	put proc/2/stat '2 (kthreadd) S 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 5 0 0'
	put proc/2/status 'Name:	kthreadd
Uid:	0	0	0	0'
	put proc/2/cgroup '0::/'
}

# ---- processes --------------------------------------------------------------

machine
processes
stat --by process --root "$m" && same <<'END'
PID  user  node 1  node 12    all  private  shared  swap  local  command
 12  0          0     4.0M   4.0M     4.0M       0   12K  ~100%  huge
 10  33      832K     400K   1.2M    ~1.2M    ~32K   10K   ~68%  postgres
 11  33      192K        0   192K    ~160K    ~32K   11K    ~0%  odd name
            ~992K     4.4M  ~5.4M    ~5.3M    ~32K   33K   ~89%  (all)

~ pages were sampled, or may be shared: 5.4 MiB to 5.4 MiB in all
local: of nodes where a thread of it ran last
END
result $? "processes"

stat -vz --by process --root "$m" 11 postgres && same <<'END'
PID  user  node 1  node 12    all  private  shared  swap  local  command
 10  33      832K     400K   1.2M    ~1.2M    ~32K   10K   ~68%  postgres
             800K     400K   1.2M                                  anonymous
              32K        0    32K                                  file
            ~800K     400K  ~1.2M                                  (private)
             ~32K        0   ~32K                                  (shared with others)
                1        0      1                                  (threads that ran there last)
 11  33      192K        0   192K    ~160K    ~32K   11K    ~0%  odd name
             160K        0   160K                                  anonymous
              32K        0    32K                                  file
            ~160K        0  ~160K                                  (private)
             ~32K        0   ~32K                                  (shared with others)
                0        1      1                                  (threads that ran there last)
            ~992K     400K  ~1.4M    ~1.3M    ~32K   21K   ~58%  (all)

~ pages were sampled, or may be shared: 1.4 MiB to 1.4 MiB in all
local: of nodes where a thread of it ran last
END
result $? "a PID and a pattern, kind by kind"

stat --by process --nodes 12 --top 1 --root "$m" && same <<'END'
PID  user  threads  node 12   sum  private  shared  swap  local  command
 12  0           1     4.0M  4.0M     4.0M       0   12K  ~100%  huge

1 more
local: of nodes where a thread of it ran last
END
result $? "one node, and the first row"

stat --by process -s1 --top 1 --root "$m" && says '10  33'
result $? "sorted by a node"

stat --by user --root "$m" && same <<'END'
procs  threads  node 1  node 12    all  private  shared  swap  local  user
    2        2       0     4.0M   4.0M     4.0M       0   12K  ~100%  0
    2        2   ~992K     400K  ~1.4M    ~1.3M    ~32K   21K   ~58%  33
    4        4   ~992K     4.4M  ~5.4M    ~5.3M    ~32K   33K   ~89%  (all)

~ pages were sampled, or may be shared: 5.4 MiB to 5.4 MiB in all
local: of nodes where a thread of it ran last
END
result $? "users, and a library once"

# ---- cgroups ----------------------------------------------------------------

stat --by cgroup -z --root "$m" && same <<'END' &&
procs  threads  node 1  node 12    all  private  shared  swap  local  cgroup
    1        1       0     4.0M   4.0M     4.0M       0   12K  ~100%  /c
    1        1    832K     400K   1.2M    ~1.2M    ~32K   10K   ~68%  /a
    1        1    192K        0   192K    ~160K    ~32K   11K    ~0%  /a/b
    4        4   ~992K     4.4M  ~5.4M    ~5.3M    ~32K   33K   ~89%  (all)

~ pages were sampled, or may be shared: 5.4 MiB to 5.4 MiB in all
local: of nodes where a thread of it ran last
END
	grep -q 'no memory controller' "$err"
result $? "cgroups without their controller"

group=sys/fs/cgroup
put proc/self/mountinfo '30 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw'
put $group/a/memory.numa_stat 'anon N1=1048576 N12=409600
file N1=524288 N12=0
shmem N1=131072 N12=0
kernel_stack N1=16384 N12=16384
slab_reclaimable N1=0 N12=49152
workingset_refault_anon N1=5 N12=7'
put $group/a/b/memory.numa_stat 'anon N1=163840 N12=0
file N1=0 N12=0'
put $group/d/memory.numa_stat 'anon N1=0 N12=0'
stat --by cgroup --root "$m" && same <<'END' && [ ! -s "$err" ]
procs  node 1  node 12   all  anon  file  shared  kernel  swap  local  cgroup
    1       0     4.0M  4.0M     -     -       -       -   12K  ~100%  /c
    1    1.5M     464K  2.0M  1.4M  384K    128K     80K   10K   ~68%  /a
    1    160K        0  160K  160K     0       -       -   11K    ~0%  /a/b
    1       0        0     0     -     -       -       -     0      -  /
    0       0        0     0     0     -       -       -     -      -  /d

anon, file and so on are the kernel's account, of a cgroup with those in it; the rest is of its processes
local: of nodes where a thread of it ran last
END
result $? "cgroups of version 2, and one that is gone from the tree"

stat --by cgroup --json --root "$m" && says '"version":1' '"cgroup_version":2' \
	'"cgroup":"/a"' '"account_bytes":{"anon":1048576,"file":524288,' \
	'"account_events":{"workingset_refault_anon":5}' \
	'"account_total_bytes":1589248' '"processes":1' \
	'"estimates":["private_bytes",' && ! grep -q page_bytes "$out"
result $? "the same as JSON"

put proc/self/mountinfo '30 23 0:27 / /sys/fs/cgroup/memory rw - cgroup none rw,memory'
put $group/memory/a/memory.numa_stat 'total=3 N1=1 N12=2
anon=3 N1=1 N12=2
hierarchical_total=300 N1=100 N12=200
hierarchical_file=60 N1=50 N12=10
hierarchical_anon=240 N1=50 N12=190'
stat --by cgroup --top 2 --root "$m" &&
	says '    1        1    400K     800K  1.2M  960K  240K   10K   ~68%  /a'
result $? "cgroups of version 1, with those in them"
stat --by cgroup --json --root "$m" && says '"cgroup_version":1' \
	'"page_bytes":4096' '"account_pages":{"total":1,"anon":1,"hierarchical'
result $? "the same as JSON, in pages"
printf 'total=3 N1=' >"$m/$group/memory/a/memory.numa_stat"
stat --by cgroup --root "$m"
[ $? -eq 1 ] && grep -q 'cgroup /a: not as the kernel writes it' "$err" &&
	says '/c'
result $? "an account that makes no sense is an error of its row"

# ---- formats ----------------------------------------------------------------

machine
processes
stat --by process --json --root "$m" && [ "$(wc -l <"$out")" -eq 1 ] &&
	says '"pid":10,"start_ticks":10,"ppid":1,"uid":33,"user":"33"' \
	'"command":"postgres","cgroup":"/a","state":"S","sampled":false' \
	'"threads":1,"cpu_ns":420000000,"swap_bytes":10240,"local_bytes":851968' \
	'{"id":12,"memory_bytes":{"anonymous":409600,"file":0,"shared":0,"huge":0}' \
	'"private_bytes":{"anonymous":819200,"file":0,' \
	'"private_upper_bytes":{"anonymous":819200,"file":32768,' \
	'"error":null' '"left_out":0' '"interval_ns":null' &&
	! grep -q kthreadd "$out"
result $? "JSON"

stat --by process --csv --root "$m" 10 && says \
	',process,10,10,postgres,1,memory,bytes,851968,,,' \
	',process,10,10,postgres,1,anonymous,bytes,819200,,,' \
	',process,10,10,postgres,1,private file,bytes,0,0,32768,' \
	',process,10,10,postgres,12,threads,threads,0,,,' \
	',process,10,10,postgres,,swap,bytes,10240,,,' &&
	head -n 1 "$out" | grep -q '^time_ns,by,id,.*,delta.$' &&
	! grep -qv "$(printf '\r')\$" "$out"
result $? "CSV"
awk -F, '{ exit NF != 12 }' "$out"
result $? "CSV has as many fields in each line"

stat --long --root "$m" 10 && same <<'END'
10 postgres  node 1  memory  832.0 KiB
10 postgres  node 1  anonymous  800.0 KiB
10 postgres  node 1  file  32.0 KiB
10 postgres  node 1  private anonymous  800.0 KiB
10 postgres  node 1  private file  ~0 B  (0 B to 32.0 KiB)
10 postgres  node 1  shared file  ~32.0 KiB  (0 B to 32.0 KiB)
10 postgres  node 1  private memory  ~800.0 KiB  (800.0 KiB to 832.0 KiB)
10 postgres  node 1  shared memory  ~32.0 KiB  (0 B to 32.0 KiB)
10 postgres  node 1  threads  1
10 postgres  node 1  threads' CPU time  420 ms
10 postgres  node 12  memory  400.0 KiB
10 postgres  node 12  anonymous  400.0 KiB
10 postgres  node 12  private anonymous  400.0 KiB
10 postgres  node 12  private memory  400.0 KiB
10 postgres  swap  10.0 KiB
10 postgres  local memory  832.0 KiB
10 postgres  remote memory  400.0 KiB
10 postgres  CPU time  420 ms
10 postgres  threads  1
END
result $? "a line for each figure"

process 13 0 / "$(printf 'n\nl,"\033[31m')" 0 '1000 default anon=1 N1=1'
stat --by process --root "$m" && says 'n\x0al,"\x1b[31m' &&
	stat --by process --csv --root "$m" 13 && says '"n' 'l,""' &&
	stat --by process --json --root "$m" 13 && says '"command":"n\nl,\"\u001B[31m"'
result $? "a name with anything in it"

# ---- what can't be had ------------------------------------------------------

machine
processes
rm "$m/proc/10/numa_maps"
mkdir "$m/proc/10/numa_maps"
stat --by process --root "$m"
[ $? -eq 1 ] && says '10  33         -        -     480K' '11  33' 'no node' &&
	grep -q '^numatally stat: process 10: Is a directory$' "$err"
result $? "a process that refuses is an error of its row"

stat --by process --root "$m" 11 99 4000000000
[ $? -eq 1 ] && says '11  33' ' 99  ?' &&
	grep -q 'process 99: No such process' "$err" &&
	grep -q '4000000000: no process has this number' "$err"
result $? "who isn't there, and who can't be"

stat --by process --root "$m" nobody-at-all
[ $? -eq 1 ] && grep -q 'no process has this' "$err" && [ -s "$out" ]
result $? "a pattern that matches nobody"

stat --by process --root "$tmp/none"
[ $? -eq 1 ] && [ ! -s "$out" ] && grep -q 'No such file' "$err"
result $? "a root that isn't there"

# ---- again and again --------------------------------------------------------

# change INTERVAL
change()
{
	machine
	processes
	"$tool" stat --by process --interval "$1" --count 2 --root "$m" 10 11 \
		>"$out" 2>"$err" &
	pid=$!
	for i in 1 2 3 4 5 6 7 8 9 10; do
		[ "$(wc -l <"$out")" -ge 5 ] && break
		sleep 0.05
	done
	process 10 33 /a postgres 0 '1000 default anon=400 N1=300 N12=100 kernelpagesize_kB=4'
	sed -i 's/ 30 12 / 50 12 /; s/ 99 / 98 /' "$m/proc/10/stat"
	rm -rf "$m/proc/11"
	wait $pid
	[ $? -eq 1 ] && says '  +368K  0.' 'after ' &&
		grep -q 'process 11: No such process' "$err"
}

# On a slow machine the budget lets memory be read anew only later.
change 0.4 || change 3 || change 20
result $? "what changed, and who went"

"$tool" stat --by user --json --interval 0.05 --count 3 --root "$m" \
	>"$out" 2>"$err" && [ "$(wc -l <"$out")" -eq 3 ] &&
	[ "$(grep -c '"delta_bytes":0' "$out")" -eq 2 ] &&
	[ "$(grep -c '"interval_ns":[0-9]' "$out")" -eq 2 ]
result $? "JSON again and again"

# ---- many nodes -------------------------------------------------------------

machine $(seq 0 63)
maps=$(for i in $(seq 0 63); do printf ' N%d=%d' "$i" $((256 * (1 + i % 9))); done)
process 10 33 /a wide 0 "1000 default anon=1$maps kernelpagesize_kB=4"
process 11 33 /a narrow 5 '1000 default anon=1 N5=70000 kernelpagesize_kB=4'
COLUMNS=80
export COLUMNS
stat --by process --root "$m" && [ "$(awk '{ if (length($0) > w) w = length($0) }
	END { print w }' "$out")" -le 80 ] && says 'node 5' others ' 283M  316M ' 273M && ! grep -q local "$out"
result $? "64 nodes, on 80 columns"
COLUMNS=200
stat --by process --root "$m" && [ "$(awk '{ if (length($0) > w) w = length($0) }
	END { print w }' "$out")" -le 200 ] &&
	[ "$(head -n 1 "$out" | grep -o 'node [0-9]*' | wc -l)" -gt 10 ]
result $? "and on 200"
unset COLUMNS

# ---- this machine -----------------------------------------------------------

sleep 30 &
pid=$!
for by in process user cgroup; do
	for format in "" --json --csv --long -v; do
		stat --by $by $format
		[ $? -le 1 ] && [ -s "$out" ]
		result $? "this machine by $by${format:+, $format}"
	done
done
stat --json $pid
rc=$?
says "\"pid\":$pid," '"command":"sleep"' && [ $rc -le 1 ]
result $? "a process of this machine"
kill $pid

echo "1..$n"
