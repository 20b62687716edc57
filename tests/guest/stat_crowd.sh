#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally stat where there are 64 nodes. What it costs beside numastat is said,
# not judged: it is CPU time under emulation.
[ "$NUMATALLY_GUEST" = crowd ] || { echo "1..0 # SKIP no crowd of nodes"; exit 0; }
. "$srcdir/tests/guest/sysfs.sh"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
export COLUMNS=80

table()
{
	"$NUMATALLY" stat --by node >"$dir/table" &&
		[ "$(grep -c '^ *[0-9]*  .*iB' "$dir/table")" -eq 64 ] &&
		! grep -q '.\{81\}' "$dir/table"
}
report "64 nodes in 80 columns" table
head -n 8 "$dir/table" | sed 's/^/# /'

# Of what doesn't move, on a node that nobody uses.
figures()
{
	file=$sysfs/node63/meminfo
	bytes=$(sed -n 's/.*MemTotal: *\([0-9]*\) kB/\1/p' "$file")
	"$NUMATALLY" stat --json >"$dir/json" &&
		[ "$(grep -o '"id":[0-9]*' "$dir/json" | wc -l)" -eq 64 ] &&
		grep -q "\"id\":63,.*\"MemTotal\":$((bytes * 1024)),.*\"errors\":{}" \
			"$dir/json"
}
report "all of their figures" figures

again()
{
	"$NUMATALLY" stat -mn --json --interval 0.05 --count 5 >"$dir/json" &&
		[ "$(wc -l <"$dir/json")" -eq 5 ] &&
		[ "$(grep -o '"errors":{}' "$dir/json" | wc -l)" -eq 320 ]
}
report "again and again" again

matter()
{
	"$NUMATALLY" stat -n --top 3 >"$dir/table" &&
		sed 1d "$dir/table" | grep -q '^numa_hit' &&
		head -n 1 "$dir/table" | grep -q 'node 0 .*rest  *all$'
}
report "those that matter most" matter

# In hundredths of a second: of children that we waited for.
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
echo "1..$count"
