#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks flat reads, and sets of gauges, on purpose: the tests must fail.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "add/post file/robust file/turn view/block view/bucket view/read view/amounts view/set view/view" <<'EOF_LIST'
whole|view/test_read_steps view/test_set view/test_set_steps||
a row is another account's when it is summed|view/test_read_steps|view/read|/the row may have been reclaimed meanwhile/,/return 0/s/if (!view_has(r->view, account))/if (0)/
it does not look again|view/test_read_steps|view/block|s/return part_stands(p, \&f) ? 0 : -EAGAIN;/return 0;/
sums of a try that did not stand stay|view/test_read_steps|view/block|/^static int sum_once/,/^}/s/^	memset(sums.*$//
folded cells are left out|view/test_read_steps|view/block|s/^	add_folded(p, \&f, sums);//
sets take no turns|view/test_set_steps|view/set|s/if (!err \&\& !turn_try(.*))/if (0)/
the lock is left before the add|view/test_set_steps|view/set|/^static int set(/,/^}/s/^	return tally_ledger_charge/	robust_leave(l->layout, \&layout_control(l->layout)->gauges_lock);\n&/
a set adds what it is to set|view/test_set|view/set|s/ - (uint64_t)\*had//
a raise lowers|view/test_set|view/set|s/change == RAISE/0/
EOF_LIST
