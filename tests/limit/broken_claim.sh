#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks claims of accounts on purpose, as broken.sh does.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "limit/reserve" <<'EOF_LIST'
whole|limit/test_claim limit/test_claim_race||
two have it|limit/test_claim limit/test_claim_race|limit/reserve|s/: why_not(r)/: 0/
one that lives is taken for dead|limit/test_claim limit/test_claim_race|limit/reap|/^int limit_reap_row/,/^}/s/ || !writer_is_gone(l->layout, owner)//
what is committed is busy|limit/test_claim|limit/reserve|s/? -EBUSY/? -EEXIST/;s/: -EEXIST/: -EBUSY/
its lease is dropped|limit/test_claim|limit/reserve|s/\.lease_ns = lease_ns/.lease_ns = 0/
EOF_LIST
