# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# The tests that compare numatally stat with Debian's numastat read this file: how
# both are run, and the known differences of their output.

# Runs a program on all combinations read; diagnostics are not compared.
runs='
while read -r width args; do
	echo "== $width${args:+ $args}"
	if [ "$width" = - ]; then
		"$program" $args 2>/dev/null
	else
		NUMASTAT_WIDTH=$width "$program" $args 2>/dev/null
	fi
	echo "== exit $?"
done'

# ---- differences --------------------------------------------------------------

# Rows that numastat does not know: it prints an error, and leaves them out.
unknown()
{
	sed -n 's/^Token \(.*\) not in hash table\.$/\1/p' "$1" | sort -u
}

# Counters are events. numastat reads them times 256, so that it prints the same
# numbers, except for decimal places without -c.
theirs_as_ours()
{
	awk '
	/^Token .* not in hash table\.$/ { next }
	/^== / { events = 0 }
	/^Per-node / { events = 0 }
	$0 == "Per-node numastat info (in MBs):" {
		print "Per-node numastat info (in events):"
		events = 1
		next
	}
	events {
		line = ""
		while (match($0, / *[0-9]+\.00/)) {
			line = line substr($0, 1, RSTART - 1) "   " \
				substr($0, RSTART, RLENGTH - 3)
			$0 = substr($0, RSTART + RLENGTH)
		}
		$0 = line $0
	}
	{ print }' "$1"
}

# ours_as_theirs UNKNOWN FILE
ours_as_theirs()
{
	awk '
	FILENAME == ARGV[1] { unknown[$1] = 1; next }
	/^== / { memory = 0 }
	/^Per-node / { memory = 0 }
	/^Per-node system memory usage/ { memory = 1 }
	memory && ($1 in unknown) { next }
	{ print }' "$1" "$2"
}
