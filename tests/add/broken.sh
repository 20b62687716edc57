#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks adds on purpose: the tests must fail.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "add/add add/inflight add/post" <<'EOF_LIST'
whole|add/test_steps add/test_thread_cache add/test_left||
the bank is read before the word is set|add/test_steps|add/post|/^POST_INLINE void enter/,/^}/{/t->epoch_word = /d;s/^.inflight_enter(l, /	t->epoch_word = ledger_epoch_word(l);\n&/;}
the word is cleared before the adds|add/test_steps|add/post|s/^.*add_atomically(&t, entries, planes, nr);/			inflight_leave(\&t.inflight), add_atomically(\&t, entries, planes, nr);/
the cache's bank is of an older epoch|add/test_steps|add/add|/^static int make_ready/,/^}/s/\.epoch_word = epoch_word/.epoch_word = ledger_epoch_word(l)/
the first entry's generation alone is compared|add/test_steps|add/post|s/post_is_stale(t->ledger, entries\[i\].account)/post_is_stale(t->ledger, entries[0].account)/
the first entry's bucket alone is touched|add/test_steps|add/post|/^POST_INLINE int look/,/^}/s/planes\[i\],/planes[0],/;/^POST_INLINE int look/,/^}/s/entries\[i\]\.account\.row/entries[0].account.row/
generations are compared before the word is set|add/test_steps|add/post|/^POST_INLINE int look/,/^}/s/if (post_is_stale(.*/if (0)/;s/^.*enter(&t, entries\[0\].account.row);/		for (at = 0; at < nr; at++)\n			if (post_is_stale(l, entries[at].account))\n				return -ESTALE;\n&/
other rows are not named|add/test_steps|add/post|/^POST_INLINE void add_atomically/,/^}/s/inflight_row(&t->inflight/(void)(entries/
a child of fork keeps the thread's cache|add/test_thread_cache|add/inflight|/^void inflight_forked/,/^}/s/thread_cache.key = 0;//
an add in a handler means that the other was left|add/test_left|add/inflight|/^static bool is_left/,/^}/s/return frame + LEAST_SIGNAL_FRAME >= outer/return true || frame >= outer/
a handler's stack is not told from the thread's|add/test_left|add/inflight|/^static bool is_left/,/^}/s/if (was != is)/if (0)/
adds in flight are not waited for|add/test_steps|snapshot/epoch|/^static int grace/,/^}/s/err = wait_for_inflight(/err = 0 \&\& wait_for_inflight(/
a handler's rows stay named|add/test_steps|add/inflight|s/m->at->more\[i\] = m->older.more\[i\];/(void)i;/
EOF_LIST
