#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks holdings and rosters on purpose, as broken.sh does.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "limit/holding limit/reserve limit/roster" <<'EOF_LIST'
whole|limit/test_roster limit/test_roster_steps||
a reader does not look again|limit/test_roster|limit/view|/^int tally_limit_roster_check/,/^}/s/: -EAGAIN/: 0/
a copy is begun when it is edited|limit/test_roster_steps|limit/roster|s/put(&r->copy_begun\[number % LAYOUT_NR_COPIES\], number);//;s/put(has, number);/& put(\&r->copy_begun[number % LAYOUT_NR_COPIES], number);/
the current copy is edited|limit/test_roster|limit/roster|s/uint64_t number = limit_get(&r->begun) + 1;/uint64_t number = limit_get(\&r->begun) + LAYOUT_NR_COPIES;/;s/number++;//
a copy lacks an edit|limit/test_roster limit/test_roster_steps|limit/roster|/^static bool catch_up/,/^}/s/unsigned int left = nr;/unsigned int left = nr ? nr - 1 : 0;/
the account that moves is not told|limit/test_roster|limit/roster|s/limit_set(l, &h->entry, entry + 1);/(void)entry;/
a long list begins without the short one|limit/test_roster|limit/roster|s/if (!stays || !catch_up/if (!catch_up/
an undone edit stays in its copy|limit/test_roster_steps|limit/roster|s/put(has, UINT64_MAX);//
an undone edit is a number again|limit/test_roster_steps|limit/roster|s/limit_get(&r->begun) + 1;/current + 1;/
current before the copy has it|limit/test_roster_steps|limit/roster|s/^	uint64_t \*entries = entries_of(l, node, number, in_lists);/& limit_set(l, \&r->current, number);/
the entry is not undone|limit/test_roster_steps|limit/roster|s/limit_set(l, &h->entry, len + 1);/put(\&h->entry, len + 1);/
a place is free twice|limit/test_roster|limit/holding|s/limit_set(l, link, limit_get(&h->next));//
what is refused is entered|limit/test_roster_steps|limit/reserve|s/err = take_demands(r, &cells);/{ err = take_demands(r, \&cells); limit_holding_finish(l, r->account.row); }/
EOF_LIST
