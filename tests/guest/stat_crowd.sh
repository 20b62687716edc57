#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally stat on 64 nodes. Its cost beside that of numastat is printed, not
# judged: it is CPU time under emulation.
. "${srcdir:-.}/tests/guest/sysfs.sh"
[ "$NUMATALLY_GUEST" = crowd ] || skip_all "no crowd of nodes"
export COLUMNS=80

table()
{
	"$NUMATALLY" stat --by node >"$tmp/table" &&
		[ "$(grep -c '^ *[0-9]*  .*iB' "$tmp/table")" -eq 64 ] &&
		! grep -q '.\{81\}' "$tmp/table"
}
check "64 nodes in 80 columns" table
head -n 8 "$tmp/table" | sed 's/^/# /'

# A constant figure of an unused node.
figures()
{
	file=$sysfs/node63/meminfo
	bytes=$(sed -n 's/.*MemTotal: *\([0-9]*\) kB/\1/p' "$file")
	"$NUMATALLY" stat --json >"$tmp/json" &&
		[ "$(grep -o '"id":[0-9]*' "$tmp/json" | wc -l)" -eq 64 ] &&
		grep -q "\"id\":63,.*\"MemTotal\":$((bytes * 1024)),.*\"errors\":{}" \
			"$tmp/json"
}
check "figures of all nodes" figures

again()
{
	"$NUMATALLY" stat -mn --json --interval 0.05 --count 5 >"$tmp/json" &&
		[ "$(wc -l <"$tmp/json")" -eq 5 ] &&
		[ "$(grep -o '"errors":{}' "$tmp/json" | wc -l)" -eq 320 ]
}
check "repeated readings" again

matter()
{
	"$NUMATALLY" stat -n --top 3 >"$tmp/table" &&
		sed 1d "$tmp/table" | grep -q '^numa_hit' &&
		head -n 1 "$tmp/table" | grep -q 'node 0 .*rest  *all$'
}
check "the nodes that matter most" matter

# CPU time of this shell's children, in hundredths of a second
spent()
{
	awk '{ print $16 + $17 }' /proc/$$/stat
}

if command -v numastat >/dev/null; then
	for option in -n -m; do
		a=$(spent)
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			numastat $option >/dev/null 2>&1
		done
		b=$(spent)
		"$NUMATALLY" stat $option --interval 0.01 --count 1 >/dev/null
		c=$(spent)
		"$NUMATALLY" stat $option --interval 0.01 --count 101 >/dev/null
		d=$(spent)
		echo "# numastat $option: $((b - a)) ms, a tick of ours:" \
			"$(((d - c - (c - b)) * 100)) us"
	done
fi
plan
