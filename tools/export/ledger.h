/* SPDX-License-Identifier: MIT */
/*
 * A ledger that is exported: what it had when it was last looked at, and what
 * keeps its counters from going back.
 *
 * Each account has rows, one a node, until it ends. Where all of them would be more
 * series than are allowed, the largest accounts have rows of their own, and the
 * rest is summed. An account that comes to have rows, or loses them, leaves in the
 * rest what was counted there, so that no counter goes back and no count is twice
 * in a rate.
 *
 * Where another ledger takes the place of one, counters go on from what they had:
 * those of nodes, of the rest, and of accounts of the same keys.
 */
#ifndef TOOL_EXPORT_LEDGER_H
#define TOOL_EXPORT_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/followed.h"
#include "export/state.h"

/* The columns of the row that tells of the ledger itself. */
enum {
	LEDGER_UP,
	LEDGER_ACCOUNTS,
	LEDGER_REST,	 /* accounts without rows of their own */
	LEDGER_LEFT_OUT, /* resources */
	LEDGER_CREATED_NS,
	LEDGER_IN_DOUBT,
	LEDGER_SNAPSHOT,
	LEDGER_AGE_NS, /* of the snapshot */
	LEDGER_COLUMNS,
};

struct export_ledger {
	char *raw;   /* its label */
	char *label; /* the same, escaped */
	char *name;  /* what it is found by */
	bool listed; /* for its user */
	/* For its user: how many series it could be, and may be */
	size_t most, share;
	struct followed at;
	uint8_t instance[16]; /* that state is of */
	int64_t start_ns;     /* since when its counters count, since 1970 */
	bool up;	      /* state is what it had at the last look */
	int err;	      /* why not; 0 where it is */
	int told;	      /* the one that its user told */
	struct export_state *state; /* NULL: it could never be read */
	struct export_table ledger, writers, info, error;
};

/* Begin with a ledger that was not looked at. @label is not escaped. NULL: no
 * memory. */
struct export_ledger *export_ledger_new(const char *label, const char *name);
void export_ledger_free(struct export_ledger *ledger);

/* Take a snapshot of a ledger that is open, or where none is to be had a live view,
 * and read it; @err is followed_open()'s result. A failure, also that one, is a
 * part of what is exported; -ENOMEM: it can't be told. */
int export_ledger_look(struct export_ledger *ledger, int err,
		       struct export_bounds bounds);

#endif
