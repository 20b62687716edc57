#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks the directory of accounts on purpose: the tests must fail.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "account/declare account/directory account/each account/end account/lifecycle account/lock account/reclaim account/rows account/search file/robust snapshot/epoch snapshot/fold" <<'EOF_LIST'
whole|account/test_steps||
the epoch moves without the accounts' lock|account/test_steps|snapshot/epoch|/^static int move_on/,/^}/{s/err = directory_lock(l->accounts, wait_left(w));/err = 0;/;s/directory_unlock(l->accounts);//;}
a row is ready before it is linked|account/test_steps|account/declare|s/^	fill(a, row, key);/&\n	added->account.row = row, added->account.generation = generation_of(a, row), added->lifecycle = lifecycle_of(record_at(a, row)), search_make_ready(a, added);/
a chain is not searched again|account/test_steps|account/declare|/^static bool link_row/,/^}/s/return __atomic/head = *head_of(a, hash);\n	&/
an account of the same epoch is gone|account/test_steps|account/directory|s/age(l, row, epoch) <= 0/age(l, row, epoch) < 0/
the epoch is noted after the bit|account/test_steps|account/end|/^static void follow_gone/,/^}/{s/^		&r->ended,/		\&(uint32_t){0},/;s/^	__atomic_fetch_add(&directory_at(a->layout)->nr_gone, 1,/	__atomic_store_n(\&r->ended, (uint32_t)layout_control(a->layout)->epoch, __ATOMIC_RELAXED);\n&/;}
a freed row stays its owner's|account/test_steps|account/reclaim|/^static void free_row/,/^}/s/end_prune(a, row_link(a, &r->owner) - 1);//
a freed row is linked further|account/test_steps|account/reclaim|/^static void free_row/,/^}/s/^	unlink_row(a, row);//
a dead claimer's row is lost|account/test_steps|account/rows|/^bool rows_claimer_is_dead/,/^}/s/if (slot == UINT32_MAX)/if (1)/
the owner is stored first|account/test_steps|account/lifecycle|/^static int set_owner/,/^}/{s/^	__atomic_store_n(&r->sibling/	__atomic_store_n(\&r->owner, owner + 1, __ATOMIC_RELEASE);\n&/;}
a chain's change is not counted|account/test_steps|account/reclaim|/^static void unlink_row/,/^}/s/^	count_change(a.*//
EOF_LIST
