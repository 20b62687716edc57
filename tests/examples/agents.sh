#!/bin/sh
# SPDX-License-Identifier: MIT
# The agents in C, Python and Go print what a worker has counted; each fits a page.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/bindings/go_lib.sh"
examples=$(cd "${srcdir:-.}" && pwd)/tests/examples
build=$PWD
LD_LIBRARY_PATH=$build/lib/.libs
export LD_LIBRARY_PATH
ledgers=$(mktemp -d /dev/shm/numatally-test.XXXXXX) || ledgers=$tmp
at_end()
{
	rm -rf "$ledgers"
}

compile()
{
	run ${CC:-cc} ${CFLAGS-} -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra \
		-Werror -I"${srcdir:-.}/include" -o "$tmp/$1" "$examples/$1.c" \
		lib/.libs/libnumatally.so ${LDFLAGS-}
}

# says NAME COMMAND…: a result: the agent prints it all, twice.
says()
{
	name=$1
	shift
	run "$@" "$ledgers/ledger" 2
	check "the agent in $name ends well" [ $? -eq 0 ]
	sed 's/node [0-9]*/node N/' "$out" | sort >"$tmp/log"
	sort "$tmp/want" "$tmp/want" | cmp -s - "$tmp/log"
	result $? "the agent in $name prints what it should"
	run "$@" "$ledgers/none" 1
	check "without a ledger it fails" [ $? -eq 1 ]
	check "... and says so" grep -q "^agent: .*no such ledger\|^agent: .*No such" \
		"$err"
}

cat >"$tmp/want" <<'END'
batch/job-1: node N: 1048576 memory
batch/job-1: node N: 3 requests
END

compile worker
result $? "the worker compiles"
compile agent
result $? "the agent in C compiles"
for name in agent.c agent.py worker.c; do
	[ "$(wc -l <"$examples/$name")" -lt 60 ]
	result $? "$name has less than 60 lines"
done

mkfifo "$tmp/input"
"$tmp/worker" "$ledgers/ledger" <"$tmp/input" >"$tmp/ready" &
worker=$!
children=$worker
exec 3>"$tmp/input"
while kill -0 $worker 2>/dev/null && [ ! -s "$tmp/ready" ]; do
	sleep 0.1
done

says C "$tmp/agent"
case "${CFLAGS-}" in
*-fsanitize*) python= ;;
*) python=$(command -v python3) ;;
esac
if [ -n "$python" ]; then
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$examples/../../tools/python
	NUMATALLY_LIBRARY=$build/lib/.libs/libnumatally.so
	export PYTHONDONTWRITEBYTECODE PYTHONPATH NUMATALLY_LIBRARY
	says Python "$python" "$examples/agent.py"
else
	skip "the agent in Python" "no python3, or a sanitizer"
fi
why=$(go_setup)
if [ -z "$why" ]; then
	go_setup
	cp "$examples/agent.go" "$tmp"
	cat >"$tmp/go.mod" <<-END
		module agent

		go 1.19

		require numatally v0.0.0

		replace numatally => $top/tools/go
	END
	(cd "$tmp" && run go build -o agent-go agent.go)
	result $? "the agent in Go compiles"
	says Go "$tmp/agent-go"
else
	skip "the agent in Go" "${why#*SKIP }"
fi
exec 3>&-
wait $worker
result $? "the worker ends well"
children=
plan
