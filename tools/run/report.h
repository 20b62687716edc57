/* SPDX-License-Identifier: MIT */
/* The report of `run`. */
#ifndef TOOL_RUN_REPORT_H
#define TOOL_RUN_REPORT_H

#include <stdio.h>

#include "run/account.h"
#include "run/child.h"

/* Print a table for people. 0 or -errno */
int run_report_table(FILE *f, const struct run_account *account,
		     const struct run_child *child);

/* Print a JSON document. @ledger is the ledger's name, or NULL. 0 or -errno */
int run_report_json(FILE *f, const struct run_account *account,
		    const struct run_child *child, const char *ledger);

#endif
