#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks queues on purpose, as tests/support/broken.sh does.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "queue/block queue/queue" <<'EOF_LIST'
whole|queue/test_queue queue/test_model queue/test_snapshot||
a snapshot's block is written to|queue/test_model queue/test_snapshot|queue/block|s/born <= q->newest/born < q->newest/
a block is free while a snapshot needs it|queue/test_model|queue/block|s/s->epoch >= b->born ? s : NULL/NULL/
a block goes to a snapshot that lacks it|queue/test_model|queue/block|s/s->epoch >= b->born ? s : NULL/s/
a closed snapshot's blocks are lost|queue/test_model queue/test_snapshot|queue/block|s/append(q, &q->left, &s->needed);//
a closed snapshot's blocks are free|queue/test_model|queue/block|s/append(q, &q->left, &s->needed);/while (s->needed.first != NO_BLOCK) { put(q, \&q->free, take(q, \&s->needed)); q->nr_free++; }/
equals leave in any order|queue/test_queue queue/test_model|queue/heap|s/return a->generation < b->generation;/return a->slot < b->slot;/
an entry moves, and its slot is not told|queue/test_queue queue/test_model|queue/heap|s/h->slots\[entry->slot\].place = .*;//
the entry that fills the gap goes down alone|queue/test_model|queue/heap|/^static void fit/,/^}/s/i > 0 \&\&/0 \&\&/
the item that moves is not told|queue/test_model|queue/queue|s/slot_at(q, moved->handle.slot)->item = (uint32_t)i;//
a handle outlives its item|queue/test_queue|queue/queue|s/slot->generation == handle.generation ? slot : NULL/slot/
time goes back|queue/test_queue|queue/queue|s/q->now = later(q->now, now);/q->now = now;/
those that waited come by when they were pushed|queue/test_queue queue/test_model|queue/queue|s/later(item->since, item->not_before)/item->since/
EOF_LIST
