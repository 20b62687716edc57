#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally run on a terminal, under a shell with job control: keys reach the
# command, both stop and continue together, and the shell always gets control.
. "${srcdir:-.}/tests/tool/run_lib.sh"

./tests/support/terminal true </dev/null 2>"$err"
[ $? -ne 77 ] || skip_all "$(cat "$err")"
cat >"$tmp/is_foreground" <<'END'
set -- $(sed 's/.*) //' /proc/$$/stat)
[ "$3" = "$6" ] && echo fore""ground || echo back""ground
END
# Words are typed in two parts, so that their echo is not taken for the answer.
run="$tool run -o $tmp/table"
export run tmp

# A key that sends a signal discards what was typed before: so each is followed
# by awaiting the shell's reaction.

# session NAME: plays stdin on a shell's terminal
session() {
	: >"$tmp/table"
	ENV='' PS1="next> " HISTFILE=/dev/null ./tests/support/terminal sh -i \
		>"$out" 2>"$err"
	check "$1" test $? -eq 0
}

session "the command is in the foreground, and reads the terminal" <<-'END'
	type $run sh -c '. $tmp/is_foreground; read x; echo ha""s=$x'\n
	await foreground
	type one\n
	await has=one
	type echo stat""us=$?\n
	await status=0
	type exit 0\n
	exit 0
END
check "the table is printed" has '^node ' table

session "Ctrl-C reaches the command" <<-'END'
	type $run sh -c 'echo read""y; while :; do sleep 0.1; done'\n
	await ready
	type ^C
	await next>
	type echo stat""us=$?\n
	await status=130
	type exit 0\n
	exit 0
END
check "Ctrl-C: the table is printed" has '^node ' table

session "Ctrl-C is left to a command that takes it" <<-'END'
	type $run sh -c 'trap "c=1" INT; echo read""y; until [ "$c" ]; do sleep 0.1; done; exit 5'\n
	await ready
	type ^C
	await next>
	type echo stat""us=$?\n
	await status=5
	type exit 0\n
	exit 0
END

# What it leaves says when the tool has waited for the command.
cat >"$tmp/leave" <<'END'
(
	while kill -0 $$; do
		sleep 0.05
	done
	echo read""y
	until [ -e "$tmp/go" ]; do
		sleep 0.1
	done
) 2>/dev/null &
exit 7
END
session "--wait: Ctrl-Z stops the waiting, and fg continues it" <<-'END'
	type $run --wait sh $tmp/leave\n
	await ready
	type ^Z
	await Stopped
	await next>
	type >$tmp/go\n
	await next>
	type fg\n
	await next>
	type echo stat""us=$?\n
	await status=7
	type exit 0\n
	exit 0
END
rm -f "$tmp/go"
session "--wait: Ctrl-C ends the waiting" <<-'END'
	type $run --wait sh $tmp/leave\n
	await ready
	type ^C
	await next>
	type echo stat""us=$?\n
	await status=130
	type exit 0\n
	exit 0
END
check "--wait: Ctrl-C: the table is printed" has '^node ' table
: >"$tmp/go"

session "Ctrl-\\ reaches the command" <<-'END'
	type ulimit -c 0\n
	type $run sh -c 'echo read""y; while :; do sleep 0.1; done'\n
	await ready
	type ^\
	await next>
	type echo stat""us=$?\n
	await status=131
	type exit 0\n
	exit 0
END

session "Ctrl-Z stops both, and fg continues both" <<-'END'
	type $run sh -c 'echo $PPID $$ >$tmp/pids; echo read""y; read x; echo ha""s=$x; . $tmp/is_foreground; exit 6'\n
	await ready
	type ^Z
	await Stopped
	await next>
	type echo stat""us=$?\n
	await status=147
	type for p in $(cat $tmp/pids); do set -- $(sed 's/.*) //' /proc/$p/stat); echo sta""te=$1; done\n
	await state=T
	await state=T
	type fg\n
	type four\n
	await has=four
	await foreground
	type echo stat""us=$?\n
	await status=6
	type exit 0\n
	exit 0
END
check "Ctrl-Z: the table is printed" has '^node ' table

session "Ctrl-Z again and again" <<-'END'
	type $run sh -c 'while read x; do echo ha""s=$x; [ $x != end ] || exit 6; done'\n
	type one\n
	await has=one
	type ^Z
	await Stopped
	await next>
	type fg\n
	type two\n
	await has=two
	type ^Z
	await Stopped
	await next>
	type fg\n
	type three\n
	await has=three
	type ^Z
	await Stopped
	await next>
	type fg\n
	type end\n
	await has=end
	type echo stat""us=$?\n
	await status=6
	type exit 0\n
	exit 0
END

session "a command that stops itself gives the shell control" <<-'END'
	type $run sh -c 'echo read""y; kill -STOP $$; echo goes o""n; exit 4'\n
	await ready
	type echo stat""us=$?\n
	await status=147
	type fg\n
	await goes on
	type echo stat""us=$?\n
	await status=4
	type exit 0\n
	exit 0
END

session "bg continues both" <<-'END'
	type $run sh -c 'echo read""y; while ! [ -e $tmp/go ]; do sleep 0.1; done; . $tmp/is_foreground; exit 4'\n
	await ready
	type ^Z
	await Stopped
	await next>
	type echo stat""us=$?\n
	await status=147
	type bg\n
	type >$tmp/go\n
	await background
	type wait %1; echo stat""us=$?\n
	await status=4
	type exit 0\n
	exit 0
END

session "in the background, it stops where it reads the terminal" <<-'END'
	type $run sh -c 'read x; echo ha""s=$x; exit 3' &\n
	type until jobs >$tmp/jobs; grep -q Stop $tmp/jobs; do sleep 0.1; done; echo wait""s\n
	await waits
	type fg\n
	type six\n
	await has=six
	type echo stat""us=$?\n
	await status=3
	type exit 0\n
	exit 0
END

: >"$tmp/table"
./tests/support/terminal "$tool" run -o "$tmp/table" \
	sh -c 'echo ready; while :; do sleep 0.1; done' 2>"$err" <<-'END'
	await ready
	type ^Z
	type ^C
	exit 130
END
check "without a shell, Ctrl-Z does nothing, and Ctrl-C ends it" test $? -eq 0

: >"$tmp/table"
./tests/support/terminal "$tool" run -o "$tmp/table" \
	sh -c "echo \$\$ >$tmp/pid; echo ready; while :; do sleep 0.1; done" \
	2>"$err" <<-'END'
	await ready
	hang up
	exit 129
END
check "the terminal hangs up: the command ends" test $? -eq 0
check "the terminal hangs up: the table is printed" has '^node ' table

session "the terminal of a shell hangs up" <<-'END'
	type $run sh -c 'echo read""y; while :; do sleep 0.1; done'\n
	await ready
	hang up
END
check "hung up: the command ends, and the table is printed" \
	await has '^wall ' table

./tests/support/terminal "$tool" run true 2>"$err" <<-'END'
	await node 0
	await wall
	exit 0
END
check "the table is on the terminal" test $? -eq 0
plan
