#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks snapshots on purpose: the tests must fail.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "snapshot/ask snapshot/epoch snapshot/fold snapshot/in_doubt snapshot/pin view/amounts view/row view/sum view/view" <<'EOF_LIST'
whole|snapshot/test_steps snapshot/test_marks||
cells are zeroed before the state tells|snapshot/test_steps|snapshot/fold|/^static int fold_bucket/,/^}/s/^		fill_copy(f/		zero_lanes(f, bucket);\n&/
the valid copy is filled|snapshot/test_steps|snapshot/fold|/^static int fold_bucket/,/^}/s/copy_at(f, !(state \& 1), bucket), reclaimable/copy_at(f, state \& 1, bucket), reclaimable/
a bucket is unmarked before it was zeroed|snapshot/test_steps|snapshot/fold|s/^	zero_lanes(f, bucket);/	unmark(f, bucket);\n&/
marks of an older epoch pass adds|snapshot/test_marks|ledger/touch|/^static void forget/,/^}/s/if (__atomic_load_n(&touched\[i\]/if (0 \&\& __atomic_load_n(\&touched[i]/
a bucket stays unmarked|snapshot/test_steps|ledger/touch|/^bool ledger_mark/,/^}/s/layout_grow(header, cells, LAYOUT_BUCKET_ROWS, LAYOUT_BUCKET_ROWS)/0/
a bucket is folded twice|snapshot/test_steps|snapshot/fold|s/if (state >> 1 != f->epoch) {/if (1) {/
the other bank is folded|snapshot/test_steps|snapshot/fold|s/\.bank = (uint32_t)(epoch - 1) & 1/.bank = (uint32_t)epoch \& 1/
folded before it was zeroed|snapshot/test_steps|snapshot/epoch|/^static int finish_fold/,/^}/s/^		err = fold(l->layout, epoch);/		control->folded = epoch, err = fold(l->layout, epoch);/
the epoch moves while it is pinned|snapshot/test_steps|snapshot/pin|/^int pin_try_close/,/^}/s/writer_pins(layout)/0/
the bank moves before the epoch|snapshot/test_steps|snapshot/epoch|/^static int move_on/,/^}/s/^	__atomic_store_n(&control->epoch/	ledger_set_epoch_word(l, layout_epoch_word(epoch + 1));\n&/
a live view does not look again|snapshot/test_steps|view/bucket.h|/^PART_INLINE bool part_stands/,/^}/s/if (p->s->frozen)/if (1)/
the older bank is left out|snapshot/test_steps|view/bucket.h|s/f->banks = 3;//
a row is another account's when it is summed|snapshot/test_steps|view/amounts|/the row may have been reclaimed meanwhile/,/return directory/s/if (!has(view, account))/if (0)/
EOF_LIST
