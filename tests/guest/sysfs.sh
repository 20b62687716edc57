# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# The tests that compare numatally with sysfs read this file first.
. "${srcdir:-.}/tests/support/tap.sh"
sysfs=/sys/devices/system/node

# The nodes as topo --json should have them, from sysfs, one a line.
sysfs_nodes()
(
	cd $sysfs || exit
	ids=$(ls -d node[0-9]* | sed 's/node//' | sort -n)
	set --
	for id in $ids; do
		set -- "$@" node"$id"/cpulist node"$id"/meminfo \
			node"$id"/distance
	done
	awk -v ids="$(echo $ids)" '
	function expand(list,    nr, parts, i, ends, cpu, all) {
		nr = split(list, parts, ",")
		for (i = 1; i <= nr; i++) {
			if (split(parts[i], ends, "-") == 1)
				ends[2] = ends[1]
			for (cpu = ends[1] + 0; cpu <= ends[2] + 0; cpu++)
				all = all (all == "" ? "" : ",") cpu
		}
		return all
	}
	BEGIN { split(ids, id, " ") }
	FILENAME ~ /cpulist$/ { cpus = expand($0) }
	/MemTotal:/ { bytes = $4 * 1024 }
	FILENAME ~ /distance$/ {
		printf "{\"id\":%d,\"cpus\":[%s],\"memory_bytes\":%.0f,", \
			id[++nr_nodes], cpus, bytes
		for (i = 1; i <= NF; i++)
			printf "%s\"%d\":%d", i == 1 ? "\"distances\":{" : ",", \
				id[i], $i
		print "}"
	}' "$@"
)

# The same from topo. jq would take longer under emulation than topo.
topo_nodes()
{
	"$NUMATALLY" topo --json | grep -o '{"id":[^}]*}'
}

# Whether topo and sysfs agree; prints both if not.
topo_agrees()
{
	said=$(topo_nodes)
	is=$(sysfs_nodes)
	[ -n "$is" ] && [ "$said" = "$is" ] && return
	echo "$said" | sed 's/^/# topo:  /'
	echo "$is" | sed 's/^/# sysfs: /'
	return 1
}
