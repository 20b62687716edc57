/* SPDX-License-Identifier: MIT */
/* What numatally show saw of a ledger at one moment. */
#ifndef SHOW_H
#define SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "output.h"

struct show_account {
	struct tally_account account;
	int phase; /* enum tally_phase */
	char *key;
	int64_t rank; /* its amount of the resource that it is sorted by */
};

/* An account's amounts on a node where some are not 0. */
struct show_row {
	size_t index; /* of the account */
	int node;
	size_t amounts; /* index of the first in look.amounts */
};

struct show_look {
	int64_t time_ns; /* CLOCK_MONOTONIC */
	int64_t *totals; /* [node index][resource] */
	size_t nr_exist; /* of accounts */
	size_t nr;	 /* of these, those asked for */
	struct show_account *accounts;
	struct show_row *rows; /* by account, then by node */
	size_t nr_rows;
	int64_t *amounts;
};

/* What to look at. */
struct show_choice {
	size_t most; /* accounts at most */
	int sort;    /* by this resource, the largest first; -1: by key */
	bool rows;   /* fill rows and amounts in */
};

/* 0, -EBADMSG or -ENOMEM; on failure there is nothing to free. */
int show_look(const struct tally_view *view, const struct show_choice *choice,
	      struct show_look *look);
void show_look_free(struct show_look *look);

const char *show_phase(int phase);

/* Writes the look as text; with before, another look at the same ledger, the
 * counters as rates since then. -ENOMEM */
int show_text(const struct tally_view *view, const struct show_look *look,
	      const struct show_look *before);

/* An amount as people read it: with its unit where that is bytes or ns. */
void show_amount(const struct tally_resource *resource, int64_t amount,
		 char text[OUTPUT_NUMBER]);

/* Writes limits, and what is held against them, where there is any. */
int show_limits(const struct tally_view *view, const struct show_look *look);

/* Adds the same to what is said of a node or an account. 0 or -errno */
int show_json_node_limits(const struct tally_view *view, int node,
			  json_t *object);
int show_json_account_limits(const struct tally_view *view,
			     struct tally_account account, json_t *object);

#endif
