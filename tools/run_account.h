/* SPDX-License-Identifier: MIT */
/* What is counted of the command while it runs, and into which ledger. */
#ifndef RUN_ACCOUNT_H
#define RUN_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/kernel.h>
#include <numatally/topo.h>

#include "run_cgroup.h"
#include "run_ledger.h"
#include "run_notes.h"

struct run_child;

struct run_options {
	bool json;
	bool keep;	     /* the ledger */
	bool wait;	     /* for every descendant */
	const char *file;    /* for the report; NULL: stderr */
	const char *ledger;  /* its name; NULL: none */
	int way;	     /* enum tally_events_way; -1: the best one */
	int64_t interval_ns; /* of charging the ledger */
};

struct run_account {
	struct run_notes notes;
	struct tally_topo *topo;
	struct tally_tree *tree;     /* NULL: procfs doesn't say */
	struct tally_events *events; /* NULL: nothing is counted */
	struct tally_mem *mem;	     /* NULL: no memory is */
	enum tally_events_way way;
	unsigned int estimates; /* a bit for each enum tally_event */
	struct run_cgroup cgroup;
	struct run_ledger ledger;
	struct tally_event_counts *counts; /* by node; the last: of none */
	struct run_amounts *amounts;	   /* by node: now */
	int64_t interval_ns, step_ns;	   /* the longest, the present */
	int64_t read_due_ns, mem_due_ns;
	unsigned int nr_left; /* descendants that outlived the command */
};

/* Gets ready to count what the child does from its execve(2) on. 0, or -errno
 * where nothing can be. */
int run_account_open(struct run_account *account,
		     const struct run_options *options, struct run_child *child,
		     const char *command);

/* Just before the child may go on. */
void run_account_start(struct run_account *account);

/* Reads what is due, and charges it. Returns when to call it next. */
int64_t run_account_tick(struct run_account *account);

/* Reads all a last time. */
void run_account_finish(struct run_account *account,
			const struct run_child *child);

void run_account_close(struct run_account *account, bool keep);

#endif
