# SPDX-License-Identifier: MIT
# Turns what a guest says of its tests into TAP without numbers.
#
#   T NAME AS    a test begins
#   | LINE       a line of its output, which is TAP
#   ! LINE       a line of its diagnostics
#   X STATUS BEGAN ENDED  it ended, with when, in seconds

function verdict(ok, what, note) {
	printf "%s - %s: %s%s%s%s\n", ok ? "ok" : "not ok", machine, name,
		who == "root" ? "" : " as " who, what == "" ? "" : ": " what,
		note == "" ? "" : " # " note
}

# What the test itself did not report as failed.
function close_test(status,    why) {
	if (status == 137)
		why = "was killed"
	else if (bailed)
		why = "bailed out: " bailed
	else if (!has_plan)
		why = "printed no plan"
	else if (seen != planned)
		why = "planned " planned " but ran " seen
	else if (status != 0 && !failed)
		why = "exits with " status
	if (why != "")
		verdict(0, why)
	if (why != "" || failed)
		printf "%s", notes
	in_test = 0
}

/^T / {
	name = $2
	who = $3
	in_test = 1
	has_plan = planned = seen = failed = 0
	bailed = ""
	notes = ""
	next
}

/^X / {
	close_test($2)
	if ($4 - $3 >= 2)
		printf "# %s: %s as %s took %.1f s\n", machine, name, who,
			$4 - $3
	next
}

!in_test {
	next
}

{
	tag = substr($0, 1, 1)
	line = substr($0, 3)
	notes = notes "#   " line "\n"
}

tag == "!" {
	next
}

line ~ /^1\.\.[0-9]+/ {
	has_plan = 1
	planned = substr(line, 4) + 0
	if (planned == 0)
		verdict(1, "", "SKIP " substr(line, index(line, "SKIP") + 5))
	next
}

line ~ /^Bail out!/ {
	bailed = substr(line, 11)
	sub(/^ */, "", bailed)
	if (bailed == "")
		bailed = "for no reason"
	next
}

line ~ /^(not )?ok( |$)/ {
	seen++
	good = line !~ /^not/
	what = line
	sub(/^(not )?ok *[0-9]* *-? */, "", what)
	note = ""
	if (match(what, /# *(SKIP|TODO).*/)) {
		note = substr(what, RSTART + 1)
		sub(/^ */, "", note)
		what = substr(what, 1, RSTART - 1)
		sub(/ *$/, "", what)
		good = 1	# cmocka says "not ok" of what it skips
	}
	if (!good)
		failed = 1
	verdict(good, what, note)
}

END {
	if (in_test) {
		verdict(0, "never ended")
		printf "%s", notes
	}
}
