#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks reservations on purpose, in builds of the library: the tests must fail.
# In a build that only yields the CPU in the middle of changes they pass.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "account/end account/lifecycle limit/lock limit/reserve limit/take limit/transaction" <<'EOF_LIST'
whole|limit/test_history limit/test_race limit/test_end_steps limit/test_exchange||
checked before it is counted|limit/test_history|limit/cells|s/: limit_cells_check(c, node, resource, true, true, row);/: 0;/;s/int err = limit_cells_adopt(c, /int err = amount ? limit_cells_check(c, node, resource, true, true, row) : 0; if (!err) err = limit_cells_adopt(c, /
a refused request is not undone|limit/test_history|limit/request|/^static int ask_all/,/^}/s/limit_undo(/limit_keep(/
no look at quotas|limit/test_history|limit/cells|s/if (is_over(&quota/if (0 \&\& is_over(\&quota/
refused when it would just fit|limit/test_history|limit/cells|s/limit_get(held) > limit_value/limit_get(held) >= limit_value/
not known above|limit/test_history|limit/cells|s/err = check_above/&/;s/c->rows\[c->nr_rows++\] = above.row;//
an old token is as good|limit/test_history|limit/reservation|s/limit_get(&h->generation) != token.generation ||//
committed, and still in the list|limit/test_history|limit/reservation|/^void limit_reservation_commit/,/^}/s/limit_uncommitted_remove(l->layout, row);//
a reader does not look again|limit/test_history|file/reserved|/^bool reserved_again/,/^}/s/return __atomic/return 0 \&\& __atomic/;s/if (!(read->sequence & 1))/if (1)/
what is idle is not free|limit/test_history|limit/reap|s/int words = limit_credit_draw_back(l, &resource);/int words = 0;/
what is idle is drawn back, and stays|limit/test_history|limit/credit|/^static int close_word/,/^}/s/if (clear(l, lane, word, old, shut))/if (1)/
a change is not checked|limit/test_history|limit/change|s/err = check(r, &cells);/err = 0;/
a move within a quota is refused|limit/test_history|limit/change|s/limit_request_sum(r, d->resource, NULL) > 0/true/
a set of limits is kept in parts|limit/test_exchange|limit/exchange|s/(uint64_t)c->capacity + 1);/& limit_keep(l->layout);/
a part is given back twice|limit/test_history limit/test_race|limit/reservation|/^int limit_give_back/,/^}/s/-amount)/-2 * amount)/
no second look at the account's phase|limit/test_end_steps|limit/reserve|s/limit_look_again(l, r->account)/0/
no second look in a take|limit/test_end_steps|limit/take|/^static int draw/,/^}/s/err = limit_look_again.*//
EOF_LIST
