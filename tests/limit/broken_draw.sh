#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks parents and children on purpose, as broken.sh does.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "limit/cells limit/family limit/reservation limit/reserve" <<'EOF_LIST'
whole|limit/test_draw limit/test_draw_end limit/test_history limit/test_draw_race limit/test_check_family||
no look at what the parent has|limit/test_draw limit/test_history limit/test_draw_race|limit/cells|s/of_node \&\& is_over_parent(c, node, resource)/0/
refused when it would just fit|limit/test_draw limit/test_history|limit/cells|/^static bool is_over_parent/,/^}/s/limit_get(drawn) >/limit_get(drawn) >=/
the node counts it once more|limit/test_draw limit/test_history|limit/reserve|/^static int find_cells/,/^}/s/limit_cells_drawn(.*/limit_cells_of(r->ledger, r->account, cells);/
it is given back to the node|limit/test_draw limit/test_history|limit/reservation|/^int limit_reservation_cells/,/^}/s/if (!parent)/if (1)/
a parent gives away what its children have|limit/test_draw limit/test_history limit/test_draw_race|limit/family|/^int limit_family_check/,/^}/s/return -EBUSY;/return 0;/
a change does not look at children|limit/test_draw limit/test_history|limit/change|s/err = limit_family_check(.*/;/
a release does not look at children|limit/test_draw limit/test_history|limit/reserve|s/err = limit_family_check(.*/;/
children outlive their parent|limit/test_draw limit/test_draw_end limit/test_history|limit/reservation|s/return f \&\& limit_get(&f->children);/return false;/
children of children outlive it|limit/test_draw limit/test_history|limit/family|/^int limit_family_lowest/,/^}/s/at = reserved_link(l, below);/if (at != row + 1) return 0; &/
a child stays in the list|limit/test_draw limit/test_history|limit/family|s/limit_set(l, first, next);//
the last one in a list is not told|limit/test_draw|limit/family|/^void limit_family_leave/,/^}/s/if (next)/if (0)/
an ended parent is as good|limit/test_draw limit/test_history|limit/reserve|/^static int find_parent/,/^}/s/err = limit_reservation_find(l, \*r->from, &unused);/err = 0; (void)unused;/
what is asked stays|limit/test_draw|limit/request|/^static int ask_whether/,/^}/s/limit_undo(/limit_keep(/
a parent's lease is not looked at|limit/test_draw_end|limit/reservation|/^bool limit_reservation_has_lapsed/,/^}/s/at = reserved_parent(l, at - 1);/at = 0;/
a first quota counts children|limit/test_draw|limit/quota|s/ ||$/ || 0 \&\&/
a reader takes all for what is left|limit/test_draw limit/test_history|file/reserved|/^int64_t reserved_left/,/^}/s/drawn ? get(&drawn->amounts\[resource\]) : 0/0/
any number may stand above|limit/test_draw|limit/reserve|s/err = -ELOOP;/;/
EOF_LIST
