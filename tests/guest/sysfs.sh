# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Sourced by tests that compare what numatally says with sysfs. They need jq.

sysfs=/sys/devices/system/node
count=0

# report NAME COMMAND...
report()
{
	count=$((count + 1))
	name=$1
	shift
	if "$@"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
	fi
}

# The list 0-1,4 as 0,1,4.
expand()
{
	[ -z "$1" ] || echo "$1" | tr , '\n' | while IFS=- read -r first last; do
		seq "$first" "${last:-$first}"
	done | xargs | tr ' ' ,
}

# The nodes as topo --json should have them, from sysfs.
sysfs_nodes()
{
	ids=$(cd $sysfs && ls -d node[0-9]* | sed 's/node//' | sort -n)
	for id in $ids; do
		kib=$(awk '/MemTotal/ { print $4 }' $sysfs/node"$id"/meminfo)
		# shellcheck disable=SC2046 # words
		set -- $(cat $sysfs/node"$id"/distance)
		distances=
		for to in $ids; do
			distances="$distances${distances:+,}\"$to\":$1"
			shift
		done
		cat <<-END
		{"id":$id, "cpus":[$(expand "$(cat $sysfs/node"$id"/cpulist)")],
		 "memory_bytes":$((kib * 1024)), "distances":{$distances}}
		END
	done | jq -cS .
}

topo_nodes()
{
	"$NUMATALLY" topo --json |
		jq -cS '.nodes[] | {id, cpus, memory_bytes, distances}'
}

# Whether topo and sysfs say the same; prints both where they don't.
topo_agrees()
{
	said=$(topo_nodes)
	is=$(sysfs_nodes)
	[ -n "$is" ] && [ "$said" = "$is" ] && return
	echo "$said" | sed 's/^/# topo:  /'
	echo "$is" | sed 's/^/# sysfs: /'
	return 1
}
