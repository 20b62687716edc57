# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# A Slurm of a test's own, on the loopback: 16 CPUs on 4 nodes of 1 GiB, whatever
# the machine has; or, with real_machine=CONFIGURATION, of this machine, which slurm.conf
# is told so. A test reads this file first:
#
#   start_slurm                  or skips the test; $plugin is spank_numatally's
#   with_slurm COMMAND…          runs a command of Slurm's, for a minute at most
#   start_slurmd [COMMAND…]      starts it again, by COMMAND; its PID is $slurmd
#   start_slurmctld              the same; $slurmctld
#   ledger_is FILTER             FILTER is true of the ledger, as show prints it
#   is_empty                     the ledger holds nothing
#   no_job                       and Slurm knows no job
#   go                           ends the jobs of $until_go, a command
#   steps_of JOB                 PIDs of this Slurm's slurmstepd, of JOB.STEP, of all of
#                                JOB., or of any ('')
#
# A test's before_slurmctld is called once munged runs, and may add to slurm.conf.
# The ledger is $ledger, the records of jobs that ended are in $record; the daemons
# write to $tmp/slurmd.log and others.
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
ledger=$tmp/slurm.ledger
record=$tmp/record
logs="out err slurmd.log"
# Where the plugin is as if installed: from $tmp no library may be loaded.
installed=

made_up="CPUs=16 Boards=1 SocketsPerBoard=2 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=4096"

# CPUs 0 to 3 on node 0 and so on, two nodes in a package; no memory files but
# what a topology asks for.
make_machine()
{
	put sys/devices/system/cpu/online 0-15
	put sys/devices/system/cpu/possible 0-15
	put sys/devices/system/node/online 0-3
	put proc/meminfo "MemTotal: 4194304 kB"
	for node in 0 1 2 3; do
		first=$((node * 4))
		put sys/devices/system/node/node$node/cpulist $first-$((first + 3))
		put sys/devices/system/node/node$node/meminfo \
			"Node $node MemTotal: 1048576 kB"
		for cpu in 0 1 2 3; do
			cpu=$((first + cpu))
			put sys/devices/system/cpu/cpu$cpu/topology/thread_siblings_list $cpu
			put sys/devices/system/cpu/cpu$cpu/topology/core_siblings_list \
				$((node / 2 * 8))-$((node / 2 * 8 + 7))
		done
	done
}

write_configuration()
{
	cat >"$tmp/slurm.conf" <<END
ClusterName=numatally
SlurmctldHost=$(uname -n | cut -d. -f1)(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$tmp/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$1
SlurmdPort=$2
StateSaveLocation=$tmp/state
SlurmdSpoolDir=$tmp/spool
SlurmctldPidFile=$tmp/slurmctld.pid
SlurmdPidFile=$tmp/slurmd.pid
SlurmctldLogFile=$tmp/slurmctld.log
SlurmdLogFile=$tmp/slurmd.log
SlurmdDebug=verbose
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/${gather:-none}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=2
SchedulerParameters=sched_min_interval=100000,bf_interval=1
SlurmdParameters=config_overrides
PlugStackConfig=$tmp/plugstack.conf
NodeName=$(uname -n | cut -d. -f1) NodeAddr=127.0.0.1 ${real_machine:-$made_up} State=UNKNOWN
PartitionName=p Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
	root="root=$m "
	[ -z "${real_machine-}" ] || root=
	echo "required $plugin ${root}ledger=$ledger record=$record" \
		>"$tmp/plugstack.conf"
}

# Two ports that nothing has.
free_ports()
{
	port=$((10000 + $$ * 4 % 20000))
	for _ in slurmctld slurmd; do
		while cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
			grep -q "^ *[0-9]*: [0-9A-F]*:$(printf %04X $port) "; do
			port=$((port + 1))
		done
		echo $port
		port=$((port + 1))
	done
}

with_slurm()
{
	SLURM_CONF=$tmp/slurm.conf timeout -k 5 60 "$@" </dev/null
}

start_slurmd()
{
	SLURM_CONF=$tmp/slurm.conf "$@" slurmd -D -f "$tmp/slurm.conf" \
		>"$tmp/slurmd.out" 2>&1 </dev/null &
	slurmd=$!
	children="$children $slurmd"
}

# Steps that can't tell slurmctld of their end would wait for it.
at_end()
{
	kill -KILL $children 2>/dev/null
	[ -z "$installed" ] || rm -rf "$installed"
}

before_slurmctld()
{
	:
}

start_slurmctld()
{
	SLURM_CONF=$tmp/slurm.conf slurmctld -D ${1-} -f "$tmp/slurm.conf" \
		>"$tmp/slurmctld.out" 2>&1 </dev/null &
	slurmctld=$!
	children="$children $slurmctld"
}

ledger_is()
{
	"$tool" show --all --json "$ledger" >"$tmp/json" 2>/dev/null &&
		jq -e "$1" "$tmp/json" >/dev/null
}

is_empty()
{
	ledger_is '.accounts == [] and ([.nodes[].held[]] | add) == 0'
}

no_job()
{
	[ -z "$(with_slurm squeue -h || echo unknown)" ] && is_empty
}

# Until $tmp/go is there, or the test is ended
until_go="sh -c 'while [ -d $tmp ] && [ ! -e $tmp/go ]; do sleep 0.1; done'"
go()
{
	: >"$tmp/go"
	await no_job
	went=$?
	rm -f "$tmp/go"
	return $went
}

node_is_idle()
{
	[ "$(with_slurm sinfo -h -o %t)" = idle ]
}

# Another test's Slurm may run beside this one, with jobs of the same numbers.
steps_of()
{
	for pid in $(pgrep -f "^slurmstepd: \[$1"); do
		! tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" |
			grep -qx "SLURM_CONF=$tmp/slurm.conf" || echo "$pid"
	done
}

node_is_up()
{
	case $(with_slurm sinfo -h -o %t) in
	idle | mix | alloc) ;;
	*) return 1 ;;
	esac
}

start_slurm()
{
	[ "$(id -u)" -eq 0 ] || skip_all "slurmctld and slurmd need root"
	[ -e tools/slurm/.libs/spank_numatally.so ] ||
		skip_all "built without Slurm's headers"
	needed=python3
	[ -z "${real_machine-}" ] || needed=
	for program in munged slurmctld slurmd srun jq $needed; do
		command -v $program >/dev/null || skip_all "no $program"
	done
	installed=$(mktemp -d "${TMPDIR:-/tmp}/numatally-test.XXXXXX") || exit 99
	plugin=$installed/spank_numatally.so
	cp tools/slurm/.libs/spank_numatally.so \
		tools/slurm/.libs/slurm_node.so "$installed"
	[ -n "${real_machine-}" ] || make_machine
	# munged wants its directories closed to others.
	mkdir -p "$tmp/munge" "$tmp/state" "$tmp/spool"
	chmod 755 "$tmp"
	dd if=/dev/urandom of="$tmp/key" bs=1 count=1024 2>/dev/null
	chmod 400 "$tmp/key"
	munged --foreground --force --key-file="$tmp/key" \
		--socket="$tmp/munge/socket" --pid-file="$tmp/munge/pid" \
		--log-file="$tmp/munge/log" --seed-file="$tmp/munge/seed" \
		>"$tmp/munged.out" 2>&1 </dev/null &
	children="$children $!"
	await test -S "$tmp/munge/socket" || skip_all "munged does not start"
	write_configuration $(free_ports)
	before_slurmctld
	start_slurmctld -c
	start_slurmd
	await node_is_idle || {
		tail -n 3 "$tmp"/*.log | sed 's/^/# /'
		skip_all "slurmctld finds no slurmd"
	}
}
