#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks the snapshots of readers on purpose: the tests must fail.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "snapshot/ask snapshot/epoch snapshot/fold snapshot/in_doubt snapshot/pin view/amounts view/row view/sum view/view" <<'EOF_LIST'
whole|snapshot/test_serve snapshot/test_serve_bounds||
readers' locks are not looked at|snapshot/test_serve|snapshot/pin|/^static bool is_pinned_by_readers/,/^}/s/pin_is_locked(layout, epoch, PIN_BYTE)/0/
a reader's pin never grows old|snapshot/test_serve_bounds|snapshot/pin|/^bool pin_is_old/,/^}/s/return age > .*;/return 0;/
a reader does not find its pin lost|snapshot/test_serve_bounds|snapshot/pin|/^bool pin_is_lost/,/^}/s/return true;/return false;/
a reader that finds no writer locks nothing more|snapshot/test_serve|snapshot/ask|/^static int lock_still/,/^}/s/err = pin_lock(.*;/err = 0;/
a writer that comes does not look for readers|snapshot/test_serve|snapshot/epoch|/^static void leave_bank/,/^}/s/if (l->layout->unshared/if (1/
one bank alone is read where no process wrote|snapshot/test_serve|view/amounts|/^static uint64_t frozen_of/,/^}/s/if (!v->asker)/if (1)/
EOF_LIST
