#!/bin/sh
# SPDX-License-Identifier: MIT
# Slurm's plugin on real nodes: a job that is bound to a node has its cores and its
# memory there, and what it uses is counted there.
set -u
. "${srcdir:-.}/tests/tool/slurm_lib.sh"
logs="$logs used"
nr=$(grep -c '^processor' /proc/cpuinfo)
real_machine="CPUs=$nr Boards=1 SocketsPerBoard=$nr CoresPerSocket=1 ThreadsPerCore=1 RealMemory=512"
# Slurm resolves no name, nor number, where all addresses are the loopback's. Its
# plugin for cgroups of version 2 wants systemd.
ip address add 10.0.0.1/8 dev lo
echo "127.0.0.1 localhost $(uname -n)" >/etc/hosts
echo CgroupPlugin=cgroup/v1 >"$tmp/cgroup.conf"
start_slurm

cat >"$tmp/work" <<END
#!/bin/sh
taskset -p \$\$
i=0
while [ \$i -lt 50000 ]; do i=\$((i + 1)); done
$PWD/tests/support/eat hold 24 1000000 &
while [ ! -e $tmp/go ]; do sleep 0.1; done
kill \$!
END
chmod 755 "$tmp/work"
with_slurm sbatch -o "$tmp/used" -n"$nr" --mem=100 --numatally=nodes=2 "$tmp/work" \
	>"$out" 2>"$err"
check "a job is submitted" has Submitted

# on_2 FILTER: of the job's amounts, by node
on_2()
{
	ledger_is ".accounts[] | .nodes | map_values(select($1)) | keys == [\"2\"]"
}
check "its cores are on node 2 alone" await on_2 '.cores > 0'
check "and its memory" await on_2 '.memory_bytes > 0'
check "memory is counted on node 2 alone" await on_2 \
	'.anonymous_bytes >= 25165824'
check "and CPU time" await on_2 '.cpu_ns + .cpu_sampled_ns >= 5e7'
check "its CPUs are node 2's" grep -q "mask: 30\$" "$tmp/used"
go
record_is()
{
	jq -es 'length == 1 and (.[0].nodes | map(select(.cpu_ns >= 5e7)) |
		length == 1 and .[0].id == 2 and
		.[0].memory_peak_bytes >= 25165824)' "$record" >/dev/null
}
check "so its record says" record_is
check "nothing is held in the end" await no_job
plan
