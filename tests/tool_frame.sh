#!/bin/sh
# SPDX-License-Identifier: MIT
# What every verb gets from the tool's frame: help, usage errors, exit codes.
tool=${NUMATALLY:-./tools/numatally}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
count=0

# try NAME STATUS COMMAND...: stdout and stderr are then in $dir
try() {
	tried=$1 name=$1 expected=$2
	shift 2
	"$@" >"$dir/out" 2>"$dir/err"
	status=$?
	report test "$status" -eq "$expected"
}

report() {
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' "$dir/out" "$dir/err"
	fi
}

# also WHAT COMMAND...: one more check of what the last try left
also() {
	name="$tried: $1"
	shift
	report "$@"
}

try "--help" 0 "$tool" --help
also "on stdout only" test -s "$dir/out" -a ! -s "$dir/err"
also "lists a verb" grep -q '^  [a-z][a-z]*  ' "$dir/out"
verbs=$(sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' "$dir/out")
try "--version" 0 "$tool" --version
also "names itself" grep -q '^numatally [0-9]' "$dir/out"

for bad in "" --no-such-option no-such-verb; do
	try "usage error '$bad'" 2 "$tool" $bad
	also "on stderr only" test ! -s "$dir/out" -a -s "$dir/err"
	also "says usage" grep -q '^Usage: numatally' "$dir/err"
done
for verb in $verbs; do
	try "$verb --help" 0 "$tool" "$verb" --help
	also "on stdout only" test -s "$dir/out" -a ! -s "$dir/err"
	also "begins with usage" sh -c \
		"head -n 1 '$dir/out' | grep -q '^Usage: numatally $verb'"
	try "$verb --no-such-option" 2 "$tool" "$verb" --no-such-option
	also "on stderr only" test ! -s "$dir/out" -a -s "$dir/err"
	also "says whose" grep -q "^numatally $verb: .*no-such-option" \
		"$dir/err"
	also "says usage" grep -q "^Usage: numatally $verb" "$dir/err"
done

try "a closed stdout" 1 sh -c "\"$tool\" --help >&-"
also "is said" grep -q 'standard output' "$dir/err"
if [ -c /dev/full ]; then
	try "a full stdout" 1 sh -c "\"$tool\" --help >/dev/full"
	also "is said" grep -q 'standard output' "$dir/err"
else
	count=$((count + 1))
	echo "ok $count # SKIP no /dev/full"
fi
echo "1..$count"
