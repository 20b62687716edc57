#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks waiting for room on purpose: the tests must fail.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "limit/cells limit/transaction limit/wait" <<'EOF_LIST'
whole|limit/test_wait limit/test_wait_race limit/test_wait_steps||
no bit is set|limit/test_wait|limit/wait|s/if (awaited)/if (0)/
a bit is set after it was asked|limit/test_wait_steps|limit/wait|s/if (bits != awaited) {/if (0) {/;s/err = sleep_at(.*/__atomic_fetch_or(\&limits->awaited, bits, __ATOMIC_RELAXED); &/
made is read after it was asked|limit/test_wait_steps|limit/wait|s/bits = bits_of(.*/& made = __atomic_load_n(\&limits->made, __ATOMIC_ACQUIRE);/
nobody is woken|limit/test_wait|limit/transaction|s/if (awaited)/if (0)/
a quota that ends is not told|limit/test_wait|limit/transaction|s/if (bits)/if (0)/
made stays|limit/test_wait|limit/room.h|s/__atomic_fetch_add(&limits->made, 1,/__atomic_fetch_add(\&limits->made, 0,/
what is given back is not told|limit/test_wait|limit/cells|s/if (amount < 0)/if (0)/
a node that has more is not told|limit/test_wait|limit/quota|/^int tally_limit_set_capacity/,/^}/s/room_made(.*;//
a node that has more wakes all|limit/test_wait|limit/quota|s/room_on((uint32_t)index)/ROOM_ANYWHERE/
a set of limits wakes all|limit/test_wait|limit/exchange|s/room_on((uint32_t)index)/ROOM_ANYWHERE/
a quota that is raised is not told|limit/test_wait|limit/quota|/^int limit_quota_set(/,/^}/s/room_made(.*;//
a set of limits is not told|limit/test_wait|limit/exchange|s/room_made(.*;//
a parent that grows is not told|limit/test_wait|limit/change|s/room_made(.*;/;/
EOF_LIST
