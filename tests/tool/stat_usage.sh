#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally stat by process, cgroup and user: on a made-up machine, and on this
# one.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
COLUMNS=80
export COLUMNS

stat()
{
	run "$tool" stat "$@"
}

# says TEXT…: stdout has each TEXT
says()
{
	for text; do
		grep -qF -e "$text" "$out" || {
			echo "# without: $text"
			return 1
		}
	done
}

# same: stdout is the same as stdin
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

# machine [NODE…]: nodes 1 and 12, or others, with a CPU on each
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
	# A kernel thread
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
local: on nodes where one of its threads ran last
END
result $? "processes"

# Of a process whose files are damaged, what is known is its name.
process 13 33 /c damaged 1
put proc/13/status 'Name:	damaged
VmSize:	garbage'
stat --by process --root "$m"
[ $? -eq 1 ] && has '^ *13 .* damaged$' && has '13' err
result $? "a process with an error is a row, too"
rm -rf "$m/proc/13"

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
local: on nodes where one of its threads ran last
END
result $? "a PID and a pattern, kind by kind"

stat --by process --nodes 12 --top 1 --root "$m" && same <<'END'
PID  user  threads  node 12   sum  private  shared  swap  local  command
 12  0           1     4.0M  4.0M     4.0M       0   12K  ~100%  huge

1 more
local: on nodes where one of its threads ran last
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
local: on nodes where one of its threads ran last
END
result $? "users, and a library once"

# ---- cgroups ----------------------------------------------------------------

stat --by cgroup -z --root "$m" && same <<'END' &&
procs  threads  node 1  node 12    all  private  shared  swap  local  cgroup
    4        4   ~992K     4.4M  ~5.4M    ~5.3M    ~32K   33K   ~89%  /
    1        1       0     4.0M   4.0M     4.0M       0   12K  ~100%  /c
    2        2   ~992K     400K  ~1.4M    ~1.3M    ~32K   21K   ~58%  /a
    1        1    192K        0   192K    ~160K    ~32K   11K    ~0%  /a/b

all is the sum of processes, with those of cgroups below
~ pages were sampled, or may be shared: 5.4 MiB to 5.4 MiB in all
local: on nodes where one of its threads ran last
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
procs  node 1  node 12    all  anon  file  shared  kernel  swap  local  cgroup
    4   ~992K     4.4M  ~5.4M  1.3M  ~32K       0       -   33K   ~89%  /
    1       0     4.0M   4.0M     0     0       0       -   12K  ~100%  /c
    2    1.5M     464K   2.0M  1.4M  384K    128K     80K   21K   ~58%  /a
    1    160K        0   160K  160K     0       -       -   11K    ~0%  /a/b
    0       0        0      0     0     -       -       -     -      -  /d

memory, anon, file and so on are the kernel's account, with cgroups below; the rest is the sum of processes, with those of cgroups below
a cgroup without memory.numa_stat has what processes have mapped
~ pages were sampled, or may be shared: 5.4 MiB to 5.4 MiB in all
local: on nodes where one of its threads ran last
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
stat --by cgroup --top 3 --root "$m" &&
	says '    2        2    400K     800K   1.2M  960K  240K   21K   ~58%  /a' \
	"are the kernel's account, with cgroups below"
result $? "cgroups of version 1, with the cgroups in them"
stat --by cgroup --json --root "$m" && says '"cgroup_version":1' \
	'"page_bytes":4096' '"account_pages":{"total":1,"anon":1,"hierarchical'
result $? "the same as JSON, in pages"
put $group/memory/a/memory.numa_stat 'total=300 N1=100 N12=200
file=60 N1=50 N12=10
anon=240 N1=50 N12=190'
stat --by cgroup --top 3 --root "$m" &&
	says '    2        2    400K     800K   1.2M  960K  240K   21K   ~58%  /a' \
	"are the kernel's account of the cgroup alone"
result $? "the same before Linux 3.1"
rm "$m/$group/memory/a/memory.numa_stat"
mkdir "$m/$group/memory/a/b"
put $group/memory/a/memory.usage_in_bytes 4096
stat --by cgroup --root "$m" && says ' 4.0M       0   12K  ~100%  /c' \
	'no cgroup has memory.numa_stat: all is the sum of processes, with those' &&
	! grep -q "kernel's account" "$out"
result $? "a controller without an account of any cgroup"
printf 'total=3 N1=' >"$m/$group/memory/a/memory.numa_stat"
stat --by cgroup --root "$m"
[ $? -eq 1 ] && grep -q 'cgroup /a: malformed' "$err" &&
	says '/c'
result $? "an account that makes no sense is an error of its row"

# ---- what nobody knows --------------------------------------------------------

# Linux before 4.5, without numa_maps: the sum over kinds, of no node.
old()
{
	process "$1" 33 /a old 9
	put "proc/$1/status" "Name:	old
Uid:	7	33	8	9
VmSize:	    900 kB
VmRSS:	    400 kB"
}

machine
old 20
stat --by process --root "$m" && same <<'END'
PID  user  node 1  node 12  no node   all  private  shared  local  command
 20  33         -        -     400K  400K   0-400K  0-400K      -  old

1M-9M: not known, from so much to so much
END
result $? "a process without kinds and nodes"
COLUMNS=100 stat -v --by process --root "$m" && same <<'END'
PID  user  threads  node 1  node 12  no node     all  private  shared  swap  local  command
 20  33          1       -        -     400K    400K   0-400K  0-400K     -      -  old
                         -        -   0-400K  0-400K                                  anonymous
                         -        -   0-400K  0-400K                                  file
                         -        -   0-400K  0-400K                                  shared
                         -        -        0       0                                  huge
                         -        -   0-400K  0-400K                                  (private)
                         -        -   0-400K  0-400K                                  (shared with others)
                         0        0        1       1                                  (threads that ran there last)

1M-9M: not known, from so much to so much
END
result $? "kinds add up: those of no node, too"
stat --by process --json --root "$m" && says \
	'"memory_bytes":{"anonymous":null,"file":null,"shared":null,"huge":0}' \
	'"memory_upper_bytes":{"anonymous":409600,' '"swap_bytes":null' \
	'"local_bytes":null,"local_lower_bytes":0,"local_upper_bytes":409600' \
	'{"id":1,"memory_bytes":null,"private_bytes":null,' \
	'"memory_total_bytes":409600,"private_total_bytes":null,'
result $? "the same as JSON: null"
stat --by process --csv --root "$m" &&
	says ',,local_memory,bytes,,0,409600,' && ! grep -q ',12,anonymous' "$out"
result $? "the same as CSV: no value"
stat --by process --long --root "$m" && says '20 old  local memory  0 B to 400.0 KiB'
result $? "the same, a line for each"

# Threads whose CPU is on no known node.
machine
process 10 33 /a postgres 77 "1000 default anon=300 N1=200 N12=100 kernelpagesize_kB=4"
stat --by process --root "$m" &&
	says ' 10  33      800K     400K  1.2M     1.2M       0   10K      -  postgres'
result $? "local memory, if no thread's node is known"

# Accounts in pages, of which no file tells the size; and one that does.
rm -rf "$m"
put $node/node1/cpulist 0
put $cpu/online 0
mkdir -p "$m/proc/self"
# A kernel thread.
put proc/2/stat '2 (two) S 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 10 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0'
put proc/2/status 'Uid:	0	0	0	0'
put $group/memory/a/memory.numa_stat 'total=3 N1=3
hierarchical_total=3 N1=3
hierarchical_anon=3 N1=3'
stat --by cgroup --root "$m" && says '    0        0       -    -     -     -     -      -  /a' \
	'an account in pages, whose size no file tells, is not known in bytes'
result $? "an account in pages of unknown size"
stat --by cgroup --json --root "$m" && says '"page_bytes":null' \
	'"account_pages":{"total":3,' '"account_total_bytes":null'
result $? "the same as JSON: null"
put proc/meminfo 'MemFree: 64000 kB'
put proc/vmstat 'nr_free_pages 1000'
stat --by cgroup --root "$m" && says '    0        0    192K  192K  192K     -     -      -  /a' &&
	! grep -q 'whose size' "$out"
result $? "an account in pages of 64 KiB"

machine 3
old 20
stat --by process --root "$m" && says ' 20  33          1    400K  400K   0-400K  0-400K'
result $? "without numa_maps, all is on the only node"

# ---- nodes that are asked for ---------------------------------------------------

machine
processes
stat --by process --nodes 1 --root "$m" && same <<'END'
PID  user  threads  node 1    sum  private  shared  swap  local  command
 10  33          1    832K   832K    ~800K    ~32K   10K   ~68%  postgres
 11  33          1    192K   192K    ~160K    ~32K   11K    ~0%  odd name
                 4   ~992K  ~992K    ~960K    ~32K   33K   ~89%  (all)

~ pages were sampled, or may be shared: 992.0 KiB to 1.0 MiB in all on these nodes
local: on nodes where one of its threads ran last
END
result $? "bounds are those of the nodes that are shown"
for by in process user cgroup; do
	stat --by $by --nodes 1,77 --root "$m"
	[ $? -eq 1 ] && says 'node 1' &&
		grep -qx 'numatally stat: no node 77' "$err"
	result $? "a node that does not exist, by $by"
	stat --by $by --nodes 1,75-77 --root "$m"
	[ $? -eq 1 ] && says 'node 1' &&
		grep -qx 'numatally stat: no nodes 75-77' "$err"
	result $? "a range of nodes that do not exist, by $by"
done

# ---- formats ----------------------------------------------------------------

machine
processes
stat --by process --json --root "$m" && [ "$(wc -l <"$out")" -eq 1 ] &&
	says '"pid":10,"start_ticks":10,"ppid":1,"uid":33,"user":"33"' \
	'"command":"postgres","cgroup":"/a","state":"S","sampled":false' \
	'"threads":1,"cpu_ns":420000000,"swap_bytes":10240,"local_bytes":851968' \
	'{"id":12,"memory_bytes":{"anonymous":409600,"file":0,"shared":0,"huge":0}' \
	'"private_bytes":{"anonymous":819200,"file":null,' \
	'"private_upper_bytes":{"anonymous":819200,"file":32768,' \
	'"error":null' '"left_out":0' '"interval_ns":null' &&
	! grep -q kthreadd "$out"
result $? "JSON"

stat --by process --csv --root "$m" 10 && says \
	',process,10,10,postgres,1,memory,bytes,851968,,,' \
	',process,10,10,postgres,1,anonymous,bytes,819200,,,' \
	',process,10,10,postgres,1,private_file,bytes,,0,32768,' \
	',process,10,10,postgres,1,threads_cpu_time,ns,420000000,,,' \
	',process,10,10,postgres,12,threads,threads,0,,,' \
	',process,10,10,postgres,,swap,bytes,10240,,,' &&
	head -n 1 "$out" | grep -q '^time,by,id,.*,delta$' &&
	! grep -q "$(printf '\r')" "$out"
result $? "CSV"
awk -F, '{ exit NF != 12 }' "$out"
result $? "CSV: the same number of fields in each line"

stat --long --root "$m" 10 && same <<'END'
10 postgres  node 1  memory  832.0 KiB
10 postgres  node 1  anonymous  800.0 KiB
10 postgres  node 1  file  32.0 KiB
10 postgres  node 1  private anonymous  800.0 KiB
10 postgres  node 1  private file  0 B to 32.0 KiB
10 postgres  node 1  shared file  0 B to 32.0 KiB
10 postgres  node 1  private memory  ~800.0 KiB  (800.0 KiB to 832.0 KiB)
10 postgres  node 1  shared memory  ~32.0 KiB  (0 B to 32.0 KiB)
10 postgres  node 1  threads  1
10 postgres  node 1  threads' cpu time  420 ms
10 postgres  node 12  memory  400.0 KiB
10 postgres  node 12  anonymous  400.0 KiB
10 postgres  node 12  private anonymous  400.0 KiB
10 postgres  node 12  private memory  400.0 KiB
10 postgres  swap  10.0 KiB
10 postgres  local memory  832.0 KiB
10 postgres  remote memory  400.0 KiB
10 postgres  cpu time  420 ms
10 postgres  threads  1
END
result $? "a line for each figure"

process 13 0 / "$(printf 'n\nl,"\033[31m')" 0 '1000 default anon=1 N1=1'
stat --by process --root "$m" && says 'n\x0al,"\x1b[31m' &&
	stat --by process --csv --root "$m" 13 && says '"n�l,""�[31m"' &&
	! grep -q "$(printf '\033')" "$out" &&
	stat --by process --json --root "$m" 13 && says '"command":"n\nl,\"\u001B[31m"'
result $? "a name with control characters"

# ---- errors -----------------------------------------------------------------

machine
processes
rm "$m/proc/10/numa_maps"
mkdir "$m/proc/10/numa_maps"
stat --by process --root "$m"
[ $? -eq 1 ] && says '10  33         -        -     480K' '11  33' 'no node' &&
	grep -q '^numatally stat: process 10: Is a directory$' "$err"
result $? "an unreadable process is an error of its row"

stat --by process --root "$m" 11 99 4000000000
[ $? -eq 1 ] && says '11  33' ' 99  ?' &&
	grep -q 'process 99: No such process' "$err" &&
	grep -q "process '4000000000': No such process" "$err"
result $? "a process that does not exist, and a number too large"

stat --by process --root "$m" nobody-at-all
[ $? -eq 1 ] && grep -q "no process has 'nobody-at-all' in its" "$err" &&
	[ -s "$out" ]
result $? "a pattern without a match"

for by in process user cgroup; do
	stat --by $by --nodes 1,77 --root "$m" 11
	[ $? -eq 1 ] && says 'node 1' && grep -q 'no node 77$' "$err" &&
		! grep -q 'no node 1$' "$err"
	result $? "a node that does not exist, by $by"
	stat --by $by -s77 --root "$m" 11
	[ $? -eq 1 ] && says 'node 12' && grep -q 'no node 77' "$err"
	result $? "sorted by one that does not exist, by $by"
done

for by in process user cgroup; do
	stat --by $by --root "$m" no-such-1 /bin/ no-such-2
	[ $? -eq 1 ] && [ "$(wc -l <"$out")" -gt 3 ] &&
		[ "$(grep -c "no process has 'no-such-[12]'" "$err")" -eq 2 ] &&
		! grep -q "no process has '/bin" "$err"
	result $? "patterns without a match beside one with it, by $by"
done

stat --by process --root "$tmp/none"
[ $? -eq 1 ] && [ ! -s "$out" ] && grep -q 'No such file' "$err"
result $? "a root that does not exist"

# ---- repeatedly -------------------------------------------------------------

# change INTERVAL
change()
{
	machine
	processes
	"$tool" stat --by process --interval "$1" --count 2 --root "$m" 10 11 \
		>"$out" 2>"$err" &
	pid=$!
	until [ "$(wc -l <"$out")" -ge 5 ]; do
		sleep 0.05
	done
	process 10 33 /a postgres 0 '1000 default anon=400 N1=300 N12=100 kernelpagesize_kB=4'
	sed -i 's/ 30 12 / 50 12 /; s/ 99 / 98 /' "$m/proc/10/stat"
	rm -rf "$m/proc/11"
	wait $pid
	[ $? -eq 1 ] && says '  +368K  0.' 'after ' && ! grep -qw new "$out" &&
		grep -q 'process 11: No such process' "$err"
}

# On a slow machine the budget allows the second reading only later.
change 0.4 || change 3 || change 20
result $? "memory that changed, and a process that ended"

"$tool" stat --by user --json --interval 0.05 --count 3 --root "$m" \
	>"$out" 2>"$err" && [ "$(wc -l <"$out")" -eq 3 ] &&
	[ "$(grep -c '"delta_bytes":0' "$out")" -eq 2 ] &&
	[ "$(grep -c '"interval_ns":[0-9]' "$out")" -eq 2 ]
result $? "JSON, repeatedly"

# ---- many nodes -------------------------------------------------------------

machine $(seq 0 63)
maps=$(for i in $(seq 0 63); do printf ' N%d=%d' "$i" $((256 * (1 + i % 9))); done)
process 10 33 /a wide 0 "1000 default anon=1$maps kernelpagesize_kB=4"
process 11 33 /a narrow 5 '1000 default anon=1 N5=70000 kernelpagesize_kB=4'
stat --by process --root "$m" && [ "$(awk '{ if (length($0) > w) w = length($0) }
	END { print w }' "$out")" -le 80 ] && says 'node 5' others ' 283M  316M ' 273M && ! grep -q local "$out"
result $? "64 nodes, on 80 columns"
COLUMNS=200
stat --by process --root "$m" && [ "$(awk '{ if (length($0) > w) w = length($0) }
	END { print w }' "$out")" -le 200 ] &&
	[ "$(head -n 1 "$out" | grep -o 'node [0-9]*' | wc -l)" -gt 10 ]
result $? "64 nodes, on 200 columns"
unset COLUMNS
stat --by process --root "$m" &&
	[ "$(head -n 1 "$out" | grep -o 'node [0-9]*' | wc -l)" -eq 64 ] &&
	says threads local && ! grep -q others "$out"
result $? "64 nodes, in a pipe: all columns"

# ---- this machine -----------------------------------------------------------

sleep 1000 &
pid=$!
children=$pid
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

plan
