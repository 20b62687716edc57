/* SPDX-License-Identifier: MIT */
/* What the files of numatally show share. */
#ifndef TOOL_SHOW_INTERNAL_H
#define TOOL_SHOW_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "common/output.h"

/* The ledger. */
struct show_source {
	const char *argument;
	char path[PATH_MAX];
	struct tally_reader *reader;
	struct tally_view *view;
};

struct show_account {
	struct tally_account account;
	int phase; /* enum tally_phase */
	char *key;
	char *parent; /* key of the account whose reservation its is drawn from;
			 NULL: of none */
	int64_t rank; /* its amount of the resource that it is sorted by */
};

/* An account's amounts on a node where one is not 0. */
struct show_row {
	size_t index;	   /* of the account */
	unsigned int node; /* its index */
	size_t amounts;	   /* index of the first in look.amounts */
};

/* The ledger at one moment. */
struct show_look {
	int64_t time_ns;   /* CLOCK_MONOTONIC */
	size_t most_nodes; /* to be printed */
	int64_t *totals;   /* [node index][resource] */
	size_t nr_exist;   /* of accounts */
	size_t nr, room;   /* of these, those chosen */
	struct show_account *accounts;
	struct show_row *rows; /* by account, then by node */
	size_t nr_rows, room_rows;
	int64_t *amounts;
	size_t room_amounts;
};

/* What to look at. */
struct show_choice {
	size_t most; /* accounts at most, and nodes of other machines */
	int sort;    /* by this resource, the largest first; -1: by key */
	bool rows;   /* fill rows and amounts in */
};

/* Read the ledger. 0, -EBADMSG or -ENOMEM; after a failure there is nothing to
 * free. */
int show_look(const struct tally_view *view, const struct show_choice *choice,
	      struct show_look *look);
void show_look_free(struct show_look *look);

const char *show_phase(int phase);

/* Set nodes to the indexes of the nodes on which the account can have anything,
 * ascending, and return how many; or -errno. There is room for all nodes
 * twice. */
int show_nodes(const struct tally_view *view, struct tally_account account,
	       unsigned int *nodes);

/* Return the node's name for people, from malloc(): its number, behind the name
 * of its machine and a '/' if the ledger has several. NULL: no memory. */
char *show_node(const struct tally_view *view, unsigned int index);

/* Whether all nodes are of this machine: then all are printed. */
static inline bool show_one_machine(const struct tally_view *view)
{
	return tally_view_nr_nodes(view) == tally_view_nr_local(view);
}

/* Print the look as text; with @before, an earlier look at the same ledger, its
 * counters as rates since then. -ENOMEM */
int show_text(const struct tally_view *view, const struct show_look *look,
	      const struct show_look *before);

/* The account's key, escaped, with its phase unless that is ready, and
 * its reservation's parent; from malloc().
 * NULL: no memory. */
char *show_label(const struct show_account *account);

/* An amount for people: with its unit where that is bytes or ns. */
void show_amount(const struct tally_resource *resource, int64_t amount,
		 char text[OUTPUT_NUMBER]);

/* The same per second. */
void show_rate(const struct tally_resource *resource, double rate,
	       char text[OUTPUT_NUMBER]);

bool show_is_unit(const struct tally_resource *resource, const char *unit);

/* Print the limits and what is held under them. 0 or -errno */
int show_limits(const struct tally_view *view, const struct show_look *look);

/* Whether there is a limit, or anything was reserved or refused. */
static inline bool show_matters(const struct tally_limit *limit)
{
	return limit->limit != TALLY_LIMIT_NONE || limit->held || limit->peak ||
	       limit->nr_refused;
}

/* Print the look as a line of JSON. 0, -EPIPE if stdout failed, or -errno of
 * reading the ledger */
int show_json(const struct show_source *source, const struct show_look *look);

#endif
