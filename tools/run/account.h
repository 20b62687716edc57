/* SPDX-License-Identifier: MIT */
/* Counts what the command takes while it runs, and charges it to the ledger. */
#ifndef TOOL_RUN_ACCOUNT_H
#define TOOL_RUN_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/kernel_events.h>
#include <numatally/kernel_memory.h>
#include <numatally/topo.h>

#include "count/counter.h"
#include "run/cgroup.h"
#include "run/ledger.h"
#include "run/memory.h"
#include "run/notes.h"

struct run_child;

/* How events are counted: enum tally_events_way, or by a BPF program. */
#define RUN_BY_BPF (TALLY_EVENTS_SAMPLE + 1)

struct run_options {
	bool json;
	bool keep;	     /* the ledger */
	bool wait;	     /* for all descendants */
	const char *file;    /* for the report; NULL: stderr */
	const char *ledger;  /* its name; NULL: none */
	int way;	     /* RUN_BY_BPF and so on; -1: the best one */
	int64_t interval_ns; /* of charging the ledger */
};

struct run_account {
	struct run_notes notes;
	struct tally_topo *topo;
	struct tally_tree *tree;     /* NULL: procfs can't be read */
	struct tally_events *events; /* NULL: by BPF, or none are counted */
	struct counter *counter;     /* by BPF */
	struct run_memory memory;
	int way;
	unsigned int estimates; /* a bit for each enum tally_event */
	struct run_cgroup cgroup;
	struct run_ledger ledger;
	struct tally_event_counts *counts; /* by node; the last: of no node */
	struct run_amounts *amounts;	   /* by node, now */
	int64_t interval_ns, step_ns;	   /* the longest, the current */
	int64_t read_due_ns;
	unsigned int nr_left; /* descendants that outlived the command */
};

/* Prepare to count what the child does after its execve(2). 0, or -errno where
 * nothing can be counted. */
int run_account_open(struct run_account *account,
		     const struct run_options *options, struct run_child *child,
		     const char *command);

/* Start counting, just before the child may execute. */
void run_account_start(struct run_account *account);

/* Read what is due, and charge it. Returns when to call this next. */
int64_t run_account_tick(struct run_account *account);

/* Read everything a last time. */
void run_account_finish(struct run_account *account,
			const struct run_child *child);

void run_account_close(struct run_account *account, bool keep);

#endif
