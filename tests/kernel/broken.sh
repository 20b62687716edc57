#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks what is read of the kernel on purpose: the tests must fail.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "kernel/process/sum" <<'EOF_LIST'
whole|kernel/test_process kernel/test_process_sums||
sums saturate to the wrong end|kernel/test_process_sums|base/saturate.h|s/INT64_MAX/INT64_MIN/
the first parenthesis ends a name|kernel/test_process|kernel/proc/stat|s/memrchr(at/memchr(at/
a kB has 1,000 bytes|kernel/test_node|kernel/node/figure|s/__builtin_mul_overflow(token->value, 1024/__builtin_mul_overflow(token->value, 1000/
EOF_LIST
