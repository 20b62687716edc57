#!/bin/sh
# SPDX-License-Identifier: MIT
# The protocols of lib/epoch.c, lib/mark.c, lib/fold.c, lib/account*.c,
# lib/limit_lock.c and ledger_touch(), searched through whole by spin: no
# violation in what the library does, and one in each variant that must fail.
set -u
models=${srcdir:-.}/tests/models
case $models in
/*) ;;
*) models=$PWD/$models ;;
esac
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# MODEL FLAGS… per line; those behind "fails" must.
list()
{
	cat <<'EOF'
holds epoch -DWEAK
holds epoch -DWEAK -DFENCED
holds epoch -DWEAK -DSEQUENCES
holds epoch -DWEAK -DENDS
holds epoch -DWEAK -DENDS -DSEQUENCES
fails epoch -DNO_BARRIER
fails epoch -DFENCED -DNO_FENCE
fails epoch -DSEQUENCES -DNO_RESTART
fails epoch -DENDS -DUNCHECKED
fails epoch -DENDS -DGENERATION_EARLY
fails epoch -DENDS -DSEQUENCES -DNO_RESTART
fails epoch -DMARK_LATE
fails epoch -DTHREADS_EARLY
fails epoch -DLEAVE_EARLY
fails epoch -DNO_WAIT
fails epoch -DNO_DEADLINE
fails epoch -DNO_DOUBT
fails epoch -DPIN_AFTER
holds fold -DWEAK
fails fold -DZERO_FIRST
fails fold -DIN_PLACE
fails fold -DSTATE_UNREAD
fails fold -DFOLDED_EARLY
fails fold -DWEAK -DNO_FENCE
fails fold -DOVERTAKEN
fails fold -DNO_AGAIN
fails fold -DSTEAL_LIVE
holds limit -DWEAK
fails limit -DVALUE_FIRST
fails limit -DCOUNT_FIRST
fails limit -DCOUNT_LATE
fails limit -DODD_LATE
fails limit -DWEAK -DNO_FENCE
fails limit -DEVEN_FIRST
fails limit -DKEEP_LATE
fails limit -DUNDO_FORWARD
fails limit -DUNDO_COUNT_FIRST
fails limit -DNO_UNDO
fails limit -DNO_AGAIN
holds touch -DWEAK
fails touch -DWEAK -DRELAXED
fails touch -DLEN_FIRST
fails touch -DOWN_PAGE
fails touch -DGROW_STORE
fails touch -DTOUCHED_EARLY
fails touch -DTOUCH_STORE
holds cool -DWEAK
fails cool -DCOOL=1
fails cool -DCOOL=2
fails cool -DFIRST
fails cool -DNO_BARRIER
fails cool -DNO_WAIT
fails cool -DENDED_EARLY
fails cool -DNO_FENCE
fails cool -DUNSEEN
holds reuse
holds reuse -DOTHER
holds reuse -DOLD
fails reuse -DNO_COUNT
fails reuse -DCOUNT_LATE
fails reuse -DOTHER -DCOUNT_ONCE
fails reuse -DNO_AGAIN
fails reuse -DROW_ALONE
fails reuse -DONE_LOOK
fails reuse -DCLAIMED_TOO
fails reuse -DOLD -DODD_FIRST
EOF
}

# HOLDS|FAILS MODEL FLAGS…: 0 where spin finds what is expected.
search()
{
	expected=$1
	model=$2
	shift 2
	# What is searched through whole is worth a better compilation.
	level=-O0
	[ "$expected" = fails ] || level=-O1
	spin -a "$@" "$models/$model.pml" &&
		${CC:-cc} $level -w -DSAFETY -DCOLLAPSE -DMEMLIM=900 \
			-o pan pan.c &&
		./pan -m10000 -w22 >out || return
	grep -E 'errors:|states, stored|violated|invalid end|max search' out
	if grep -q 'Search not completed' out && [ "$expected" = holds ] ||
		grep -q 'search depth too small' out; then
		return 1
	fi
	case $expected in
	holds) grep -q 'errors: 0$' out ;;
	fails) grep -qE '^pan:[0-9]*: (assertion violated|invalid end)' out ;;
	esac
}

for command in spin "${CC:-cc}"; do
	if ! command -v ${command%% *} >/dev/null; then
		echo "1..0 # SKIP there is no ${command%% *}"
		exit 0
	fi
done

cd "$tmp" || exit 99
echo 1..$(list | wc -l)
n=0
failed=0
list >list
while read -r expected model flags; do
	n=$((n + 1))
	name="$model${flags:+ $flags} $expected"
	if search $expected $model $flags >log 2>&1 </dev/null; then
		echo "ok $n - $name"
	else
		failed=1
		sed 's/^/# /' log
		echo "not ok $n - $name"
	fi
done <list
exit $failed
