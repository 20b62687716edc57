#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks the declaration of resources on purpose: see support/broken.sh.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "file/column open/declare" <<'EOF_LIST'
whole|open/test_declare open/test_declare_steps||
counted before it is described|open/test_declare_steps|file/column|s/^	memcpy(&spare->resource, resource,/__atomic_store_n(\&layout_limits(l)->nr_declared, column + 1 - l->plan->resources.count, __ATOMIC_RELEASE); &/
a description is not checked|open/test_declare|file/column|s/got.check != check_of(&got.resource)/0/
what a dead one left stays|open/test_declare_steps|open/declare|s/limit_set(l, &layout_capacity(l, n, column)->limit, 0);//
capacities come later|open/test_declare_steps|open/declare|s/^	set_capacities(l, .*);/	column_declare(l, resource); &/;s/^	column_declare(l, resource);$//
declared without a look|open/test_declare open/test_declare_steps|open/declare|s/^	if (column != -ENOENT)/	if (column == -EEXIST)/
EOF_LIST
