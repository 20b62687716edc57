#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks the lock, leases and lists of uncommitted reservations on purpose, as
# broken.sh does.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "account/end account/lifecycle limit/lock limit/reserve limit/take limit/transaction" <<'EOF_LIST'
whole|limit/test_turn limit/test_uncommitted||
no lock|limit/test_history limit/test_race|limit/lock|s/turn_try(l, &limits->lock, &limits->turn) ? 0 : take(l, wait)/0/
nobody asks for a turn|limit/test_turn|file/turn|s/if (!turn \&\& now/if (0 \&\& now/
nobody's turn ends but by taking it|limit/test_turn|file/turn|s/now - w->seen_ns > TURN_NS/0/
a turn does not end when it is taken|limit/test_turn|file/turn|s/swap(turn, w.name, 0);/;/
who comes first heeds no turn|limit/test_turn|limit/lock|s/turn_try(l, &limits->lock, &limits->turn)/robust_try(l, \&limits->lock)/
a waiter heeds no turn|limit/test_turn|file/turn|s/(!turn || turn == w->name) \&\& robust_try/robust_try/
a dead process's lock is not taken|limit/test_turn|file/turn|s/if (take_over(w))/if (0)/
a lease's place is taken by one that ends later|limit/test_uncommitted|limit/lease|/^void limit_lease_remove/,/^}/s/settle(l, last, at, /place(l, at, /
what moves in the heap is not found again|limit/test_uncommitted|limit/lease|/^static void place/,/^}/s/limit_set(l, &layout_reservation.*/;/
a lease that ended is not|limit/test_uncommitted|limit/reap|s/nr = reap_leases(l);/nr = 0;/
a renewed lease stays where it was|limit/test_uncommitted|limit/reservation|s/limit_uncommitted_renew(l->layout, row);//
the list of a dead writer is not looked at|limit/test_uncommitted|limit/reap|s/err = reap_slot(l, i);/err = 0;/
nobody looks twice|limit/test_uncommitted|limit/reap|s/before > l->answer_ns - SHARED_STEP_NS/before/
what the last owner of a slot left stays|limit/test_uncommitted|limit/reserve|s/err = limit_reap_predecessor(l);/err = 0;/
EOF_LIST
