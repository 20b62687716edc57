#!/bin/sh
# SPDX-License-Identifier: MIT
# The Go package, with the library that was built.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/bindings/go_lib.sh"
go_setup
cd "$top/tools/go" || exit 99
[ -z "$(gofmt -l .)" ]
result $? "gofmt has nothing to change"
run go vet .
result $? "go vet has nothing to say"
run go test -count=1 -v .
sed 's/^/# /' "$out"
for test in $(sed -n 's/^func \(Test[A-Za-z]*\)(.*/\1/p' *_test.go); do
	if grep -q "^--- SKIP: $test " "$out"; then
		skip "$test" "see above"
	else
		check "$test" grep -q "^--- PASS: $test " "$out"
	fi
done
plan
