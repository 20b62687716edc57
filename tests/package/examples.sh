#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples of the manual pages of section 1 print what the pages show. What
# differs from run to run (times, sizes, counts) is masked, and rows that differ
# by the number of nodes are taken as one.
set -u
in_memory=yes
. "${srcdir:-.}/tests/support/tap.sh"
logs="expected printed"
top=$(cd "${srcdir:-.}" && pwd)
tests=$(cd "${top_builddir:-.}" && pwd)/tests
export LC_ALL=C NUMATALLY_DIR="$tmp/here"
mkdir "$tmp/here"
cd "$tmp/here" || exit 99

numatally()
{
	"$NUMATALLY" "$@"
}

# ---- what the examples are about: a machine of two nodes, and a ledger of it
put()
{
	mkdir -p "machine/$(dirname "$1")"
	echo "$2" >"machine/$1"
}

put proc/empty ''
system=sys/devices/system
put $system/cpu/online 0-31
put $system/cpu/possible 0-31
put $system/node/online 0-1
put $system/node/node0/cpulist 0-7,16-23
put $system/node/node0/meminfo 'Node 0 MemTotal: 67108864 kB'
put $system/node/node0/distance '10 21'
put $system/node/node1/cpulist 8-15,24-31
put $system/node/node1/meminfo 'Node 1 MemTotal: 67108864 kB'
put $system/node/node1/distance '21 10'

# Job 43 is refused.
make_batch()
{
	rm -f batch.ledger
	"$tests/support/reserver" -r "$tmp/here/machine" batch.ledger <<-'END'
	create
	capacity 0 cores 32
	capacity 1 cores 32
	capacity 0 memory_bytes 68719476736
	capacity 1 memory_bytes 68719476736
	quota batch/ cores 40
	reserve batch/job-41 0 cores 24
	commit batch/job-41
	reserve batch/job-42 1 cores 12
	commit batch/job-42
	reserve batch/job-43 1 cores 8
	reserve web/frontend 0 memory_bytes 8589934592
	commit web/frontend
	END
}

# On this machine's own nodes, as many as there are.
make_own_batch()
{
	rm -f batch.ledger
	"$tests/support/reserver" batch.ledger <<-'END'
	create
	capacity 0 cores 32
	quota batch/ cores 40
	quota web/ cores 40
	quota web/frontend cores 40
	reserve batch/job-41 0 cores 24
	commit batch/job-41
	reserve batch/job-42 0 cores 8
	commit batch/job-42
	END
}

# ---- the examples of a page
# Each command of the page $1 to $tmp/N.command, and what follows it there to
# $tmp/N.output.
cut_page()
{
	rm -f "$tmp"/*.command "$tmp"/*.output
	awk '/^\.Bd/ { on = 1; next } /^\.Ed/ { on = 0 } on' "$1" |
		sed "s/\\\\-/-/g; s/\\\\(aq/'/g; s/\\\\(ti/~/g; s/\\\\&//g
			s/\\\\e/\\\\/g" |
		awk -v dir="$tmp/" '/^\$ / {
			name = dir sprintf("%02d", ++n)
			print substr($0, 3) >(name ".command")
			printf "" >(name ".output")
			next
		}
		name { print >(name ".output") }'
}

masked()
{
	sed -E "s/[0-9]+[hm] [0-9]+[ms]/1 s/g
		s/[~#]//g
		s/[0-9][0-9.]* (ns|us|ms|s|B|KiB|MiB|GiB)([^a-zA-Z]|\$)/N\\2/g
		s/[0-9][0-9.]*/N/g
		s/(^| )$(id -un)( |\$)/\\1root\\2/
		s/ +/ /g
		s/ \$//
		/^ ?(all|no node|counted by) /d" | uniq
}

# Whether the lines of $tmp/expected are in $tmp/printed, in this order.
in_order()
{
	awk -v expected="$tmp/expected" '
		BEGIN { while ((getline line <expected) > 0) lines[++nr] = line }
		i < nr && $0 == lines[i + 1] { i++ }
		END { exit i != nr }' "$tmp/printed"
}

# try COMMAND OUTPUT: runs the command of a page, which shows that output
try()
{
	command=$(cat "$1")
	case $command in
	'cat '*)
		cp "$2" "${command#cat }"
		return
		;;
	*jq*)
		command -v jq >/dev/null || {
			skip "$page: $command" "there is no jq"
			return
		}
		;;
	esac
	(eval "$command") >"$tmp/whole" 2>&1
	status=$?
	if [ "$page" = check ] && grep -q 'unplaced: ' "$tmp/whole"; then
		skip "$page: $command" "pages can't be placed here"
		return
	fi
	case $page in
	topo | show | save)
		cp "$2" "$tmp/expected"
		cp "$tmp/whole" "$tmp/printed"
		[ $status -eq 0 ] && {
			cmp -s "$tmp/expected" "$tmp/printed" ||
				[ ! -s "$tmp/expected" ]
		}
		;;
	*)
		masked <"$2" >"$tmp/expected"
		masked <"$tmp/whole" >"$tmp/printed"
		[ $status -eq 0 ] && in_order
		;;
	esac
	result $? "$page: $command"
}

for page in run topo ls show check save replay rm; do
	case $page in
	rm) rm -f batch.ledger ;;
	check) make_own_batch ;;
	*) make_batch ;;
	esac >/dev/null
	cut_page "$top/tools/$page/numatally-$page.1"
	for example in "$tmp"/*.command; do
		try "$example" "${example%.command}.output"
	done
done
plan
