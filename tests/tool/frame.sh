#!/bin/sh
# SPDX-License-Identifier: MIT
# What every verb gets from the tool's frame: help, usage errors, exit codes.
. "${srcdir:-.}/tests/tool/tool_lib.sh"

# try NAME STATUS COMMAND...: its output is then in $out and $err
try() {
	tried=$1 expected=$2
	shift 2
	run "$@"
	status=$?
	check "$tried" test "$status" -eq "$expected"
}

# also WHAT COMMAND...: one more check of the last try
also() {
	also=$1
	shift
	check "$tried: $also" "$@"
}

# one_line PROGRAM: stderr has the error, and where to find help
one_line() {
	[ "$(wc -l <"$err")" -eq 2 ] &&
		head -n 1 "$err" | grep -q "^$1: ." &&
		[ "$(tail -n 1 "$err")" = \
			"Try '$1 --help' for more information." ]
}

try "--help" 0 "$tool" --help
also "on stdout only" test -s "$out" -a ! -s "$err"
also "lists a verb" grep -q '^  [a-z][a-z]*  ' "$out"
verbs=$(sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' "$out")
try "--version" 0 "$tool" --version
also "names itself" grep -q '^numatally [0-9]' "$out"

cp "$out" "$tmp/version"
try "-h" 0 "$tool" -h
also "as --help" grep -q '^  [a-z][a-z]*  ' "$out"
try "help" 0 "$tool" help
also "as --help" grep -q '^  [a-z][a-z]*  ' "$out"
try "help no-such-verb" 2 "$tool" help no-such-verb
also "on stderr only" test ! -s "$out" -a -s "$err"
try "help with more than a verb" 2 "$tool" help ls show
also "names it" grep -q "invalid argument 'show'" "$err"
try "no verb" 2 "$tool"
also "on stderr only" test ! -s "$out" -a -s "$err"
prints_verbs() {
	for verb in $verbs; do
		grep -q "^  $verb  *[a-z]" "$err" || return 1
	done
}
also "prints the verbs" prints_verbs

for bad in --no-such-option no-such-verb; do
	try "usage error '$bad'" 2 "$tool" $bad
	also "on stderr only" test ! -s "$out" -a -s "$err"
	also "one line, and where to look" one_line numatally
done
missing=
for verb in $verbs; do
	grep -q " $verb\\( \\|\$\\)" "$err" ||
		missing="$missing $verb"
done
check "an unknown verb: the list of verbs" test -z "$missing"
for verb in $verbs; do
	try "$verb --help" 0 "$tool" "$verb" --help
	also "on stdout only" test -s "$out" -a ! -s "$err"
	also "begins with usage" sh -c \
		"head -n 1 '$out' | grep -q '^Usage: numatally $verb'"
	cp "$out" "$tmp/help"
	for same in "$verb -h" "help $verb"; do
		try "$same" 0 "$tool" $same
		also "as --help" cmp -s "$out" "$tmp/help"
	done
	try "$verb --version" 0 "$tool" "$verb" --version
	also "as without a verb" cmp -s "$out" "$tmp/version"
	check "$verb: --json is -j, --interval is -i" test -z \
		"$(grep -e '^  *--json' -e '^  *--interval' "$tmp/help")"
	try "$verb --no-such-option" 2 "$tool" "$verb" --no-such-option
	also "on stderr only" test ! -s "$out" -a -s "$err"
	also "names the option" grep -q "^numatally $verb: .*no-such-option" \
		"$err"
	also "one line, and where to look" one_line "numatally $verb"
done

try "a closed stdout" 1 sh -c "\"$tool\" --help >&-"
also "an error message" grep -q 'standard output' "$err"
if [ -c /dev/full ]; then
	for args in --help 'stat' 'stat --json' 'stat --csv' 'stat --long' \
		'stat -i 0.01' 'top --batch' 'top --json' 'topo' 'topo --json' \
		'ls --json' 'export --textfile -'; do
		[ "${args%% *}" != export ] ||
			[ -x "${tool%/*}/numatally-export" ] || continue
		try "$args: a full stdout" 1 \
			sh -c "\"$tool\" $args >/dev/full"
		also "the reason" grep -q \
			'^numatally.*: standard output: No space left on device$' \
			"$err"
	done
else
	skip "a full stdout" "no /dev/full"
fi
plan
