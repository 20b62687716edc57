#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks watches on purpose, as tests/support/broken.sh does.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "limit/cells limit/transaction watch/wait" <<'EOF_LIST'
whole|watch/test_watch watch/test_watch_fd watch/test_race watch/test_watch_steps watch/test_model||
no bit is set|watch/test_watch|watch/wait|s/if (told)/if (0)/
a bit is set after it looked|watch/test_watch_steps|watch/wait|s/err = ask(w);/;/;s/err = check(w);/err = told ? ask(w) : 0;/
made is read after it looked|watch/test_watch_steps|watch/wait|s/err = sleep_well(w, told, made,/made = __atomic_load_n(word, __ATOMIC_ACQUIRE); &/
each change wakes it|watch/test_watch|watch/wait|s/woken = told \&\& err;/woken = 0;/
what is taken is not told|watch/test_watch|limit/cells|s/room_made(c->ledger, ROOM_WATCHED);//
a capacity is not told|watch/test_watch|limit/quota|/^int tally_limit_set_capacity/,/^}/s/room_made(.*;//
a quota is not told|watch/test_watch|limit/quota|/^int limit_quota_set(/,/^}/s/room_made(.*;//
one wakes the first alone|watch/test_race|limit/transaction|s/futex_wake_bits(\(.*\), awaited);/syscall(SYS_futex, \1, FUTEX_WAKE_BITSET, 1, NULL, NULL, awaited);/
it stays armed|watch/test_watch watch/test_model|watch/wait|s/if (w->fired \&\& counts(w, within))/if (0)/
it is never armed again|watch/test_watch watch/test_model|watch/wait|s/if (w->fired \&\& counts(w, within))/if (w->fired)/
no hysteresis|watch/test_watch watch/test_model|watch/wait|s/watch_is_within(/watch_is_crossed(/
it does not look while it sleeps|watch/test_watch|watch/wait|s/: w->look_ns,/: INT64_MAX \/ 2,/
nothing is reaped|watch/test_watch|watch/wait|s/err = limit_reap_all(l, false);/err = 0;/
a thread that is to end sleeps|watch/test_watch_fd|watch/descriptor|s/__atomic_fetch_add(made, 1, __ATOMIC_RELEASE);//
a mark is crossed at itself|watch/test_watch watch/test_model|watch/amount|s/amount < t->mark$/amount <= t->mark/
the farthest node counts|watch/test_model|watch/amount|s/== nearest)/!= nearest)/
EOF_LIST
