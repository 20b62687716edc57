#!/bin/bash
# SPDX-License-Identifier: MIT
# bash completes what numatally has: each verb and option, words, ledgers, commands.
set -u
. "${srcdir:-.}/tests/tool/tool_lib.sh"
top=$(cd "${srcdir:-.}" && pwd)
export NUMATALLY_DIR=$tmp/ledgers

[ -n "${BASH_VERSION-}" ] || skip_all "no bash"
. "$top/tools/completion/numatally"

# completed WORD…: what bash offers for the last of the words, sorted, on a line.
completed()
{
	COMP_WORDS=(numatally "$@")
	COMP_CWORD=$#
	_numatally "$tool" "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
	printf '%s\n' "${COMPREPLY[@]+"${COMPREPLY[@]}"}" | sort -u | tr '\n' ' ' |
		sed 's/ $//' >"$tmp/log"
}
# offers WORDS NAME WORD…: a result: just these, sorted.
offers()
{
	local want=$1 name=$2

	shift 2
	completed "$@"
	check "$name" test "$(cat "$tmp/log")" = "$want"
}

"$tool" completion >"$tmp/out" && cmp "$tmp/out" "$top/tools/completion/numatally" &&
	"$tool" completion bash | cmp - "$tmp/out"
result $? "the verb prints the file"
fails 2 "no such shell" "$tool" completion zsh
fails 2 "two shells" "$tool" completion bash bash
complete -p numatally 2>/dev/null | grep -qx 'complete -F _numatally numatally'
result $? "bash calls it for numatally"

verbs=$("$tool" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' | sort | tr '\n' ' ')
verbs=${verbs% }
offers "$verbs" "each verb, after help" help ""
offers "$(printf '%s\n' --help --version help $verbs | sort | tr '\n' ' ' |
	sed 's/ $//')" "each verb" ""
offers "save show stat" "verbs that begin with s" s
offers "" "nothing after help VERB" help stat ""

# What is at the beginning of the help's lines, by another way; and no other program
# has the option.
for verb in $verbs; do
	want=$("$tool" "$verb" --help | sed -n 's/^  *\(-.*\)/\1/p' |
		awk '{ sub(/  .*/, ""); n = split($0, w, "[ ,[]+")
			for (i = 1; i <= n; i++)
				if (w[i] ~ /^-/) print w[i] }' | sort -u | tr '\n' ' ')
	offers "${want% }" "each option of $verb" "$verb" -
	for option in $want; do
		"$tool" "$verb" "$option" --help --help </dev/null 2>&1
	done | grep 'option.*\(unrecognized\|invalid\)' >"$tmp/log" ||
		[ ! -s "$tmp/log" ]
	result $? "$verb takes each of these"
done

# A word that an option takes, where it takes words.
offers "process" "a word" stat --by p
offers "cgroup node process user" "each word" stat --by ""
offers "cgroup node process user" "each word, after =" stat --by =
offers "process" "a word, after =" stat --by = p
offers "auto bpf cgroup inherit sample" "words of a verb that runs commands" run --events ""
offers "" "a number can't be completed" top --count ""

mkdir "$tmp/files" "$tmp/files/dir" "$NUMATALLY_DIR"
: >"$tmp/files/file"
cd "$tmp/files" || exit 99
case $tool in /*) ;; *) tool=$OLDPWD/$tool ;; esac
offers "dir file" "directories, and archives" stat --root ""
offers "dir file" "so it does to capture" capture --root ""
offers "dir file" "what a verb makes" capture ""
offers "dir file" "files" run -o ""
offers "dir file" "a trace's" replay ""

# A ledger's name is text, whoever gave it.
for name in one two 'a b$(touch ran)`touch ran`'; do
	"$tool" run --keep --ledger "$name" true 2>"$tmp/err"
done
offers 'a b$(touch ran)`touch ran` dir file one two' "ledgers and files" show ""
offers "one" "a ledger" rm --force two o
offers "two" "a ledger that an option takes" agent --ledger t
[ ! -e ran ]
result $? "a ledger's name is not executed"
offers "" "no ledgers" ls ""

mkdir "$tmp/bin"
printf '#!/bin/sh\n' >"$tmp/bin/numatally-test-command"
chmod +x "$tmp/bin/numatally-test-command"
PATH=$tmp/bin:$PATH
for line in "run" "run --" "run -k --ledger name" "watch one --"; do
	offers numatally-test-command "a command: $line" $line numatally-test-co
done
offers "dir file" "a command's files" run -k -- cat ""
offers "dir" "a command's files: its options are its own" run cat --ledger d
offers "" "nothing of an unknown verb" nothing ""
cd "$OLDPWD" || exit 99
plan
