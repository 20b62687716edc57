/* SPDX-License-Identifier: MIT */
/* What `run` says at the end. */
#ifndef RUN_REPORT_H
#define RUN_REPORT_H

#include <stdio.h>

#include "run_account.h"
#include "run_child.h"

/* A table for people. 0 or -errno. */
int run_report_table(FILE *f, const struct run_account *account,
		     const struct run_child *child);

/* A JSON document. ledger is the ledger's name, or NULL. 0 or -errno. */
int run_report_json(FILE *f, const struct run_account *account,
		    const struct run_child *child, const char *ledger);

#endif
