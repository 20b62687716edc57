#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks the declaration of resources on purpose: see support/broken.sh.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "file/column limit/transaction open/declare" <<'EOF_LIST'
whole|open/test_declare open/test_declare_quotas open/test_declare_steps||
counted before it is described|open/test_declare_steps|open/declare|s/^	column_describe(l->layout, .*$//;s/^	column_declare(l->layout);$/&	column_describe(l->layout, (uint32_t)column, \&d->resource);/
a description is not checked|open/test_declare|file/column|s/got.check != check_of(&got.resource)/0/
what a dead one left stays|open/test_declare_steps|open/declare|s/limit_set(l, &layout_capacity(l, n, column)->limit, 0);//
capacities come later|open/test_declare_steps|open/declare|s/^	set_capacities(l->layout, .*$//;s/^	column_declare(l->layout);$/&	set_capacities(l->layout, (uint32_t)column, d);/
quotas come later|open/test_declare_steps|open/declare|s/^	int err = limit_quotas_set(.*$/	int err = column == UINT32_MAX;/;s/^	column_declare(l->layout);$/&	err = limit_quotas_set(l, d->quotas, d->nr_quotas, (unsigned int *)\&column); limit_keep(l->layout);/
what a dead one decided on is left|open/test_declare_steps|limit/transaction|s/^	column_declare(l->layout);$//
quotas that are refused stay|open/test_declare_quotas|open/declare|s/^		limit_undo(l->layout);$/		limit_keep(l->layout);/
declared without a look|open/test_declare open/test_declare_steps|open/declare|s/^	if (column != -ENOENT)/	if (column == -EEXIST)/
EOF_LIST
