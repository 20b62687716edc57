/* SPDX-License-Identifier: MIT */
/* The amounts of a ledger when it was last looked at, as rows. */
#ifndef TOOL_EXPORT_STATE_H
#define TOOL_EXPORT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/reader.h>

#include "export/table.h"

/* How much is exported of a ledger. */
struct export_bounds {
	size_t series; /* at most, of accounts and of nodes; SIZE_MAX: any */
	size_t top;    /* accounts with rows of their own at most */
	size_t nr_accounts; /* that there are */
};

/* The columns of each resource in the rows of nodes and of quotas. Those of
 * accounts and of the rest have one. */
enum { NODE_AMOUNT, NODE_CAPACITY, NODE_PEAK, NODE_REFUSALS, NODE_COLUMNS };
enum { QUOTA_LIMIT, QUOTA_HELD, QUOTA_REFUSALS, QUOTA_COLUMNS };

struct export_resource {
	char name[32], unit[16];
	enum tally_kind kind;
};

struct export_node {
	int number;
	int id;	       /* on its machine */
	char *machine; /* escaped; NULL: there is one machine */
};

/* What the tables are made for. */
struct export_shape {
	struct export_resource *resources;
	unsigned int nr_resources; /* that are exported: the first ones */
	unsigned int nr_left_out;
	struct export_node *nodes;
	unsigned int nr_nodes, nr_local;
	unsigned int nr_listed; /* the first ones, which have rows */
	size_t most_quotas;
};

/* Fill it in for a view: 0 or -ENOMEM. */
int export_shape_init(const struct tally_view *view,
		      const struct export_bounds *bounds,
		      struct export_shape *shape);
void export_shape_free(struct export_shape *shape);
bool export_shape_fits(const struct export_shape *shape,
		       const struct tally_view *view);

/* The index of a node by its number; nr_nodes: there is none. */
unsigned int export_shape_node(const struct export_shape *shape, int number);

/* The row of a node among nodes and rests: its own, or that of all others. */
static inline unsigned int export_listed(const struct export_shape *shape,
					 unsigned int node)
{
	return node < shape->nr_listed ? node : shape->nr_listed;
}

/* The labels of a node, or only @before if it is nr_nodes; @before is labels of
 * its own, or empty. From malloc(). */
char *export_shape_labels(const struct export_shape *shape, unsigned int node,
			  const char *before);

struct export_account {
	struct tally_account account;
	bool own;   /* it has rows of its own */
	bool next;  /* it has from the next look on */
	bool fresh; /* it had none, nor was it in the rest, at the last look */
	bool moved; /* it was in the rest */
	bool taken; /* another one goes on from what it had */
	unsigned int nr_nodes; /* on which it has something */
	double rank;
	char *key, *label;	   /* escaped; of own ones */
	struct export_table table; /* by node */
};

/* What a row of the rest is made of. Each array is [resource]. */
struct export_sums {
	int64_t *own;	 /* what accounts with rows have */
	int64_t *others; /* what those without have */
	int64_t *moved;	 /* what a counter has more, or less, for accounts that
			    have come to have rows, or lost them */
};

struct export_state {
	struct export_shape shape;
	struct export_table nodes;  /* listed ones, and one of all others */
	struct export_table rest;   /* the same */
	struct export_table quotas; /* of own accounts */
	struct export_table fresh_quotas;
	struct export_table own;  /* the rows of own accounts, which own them */
	struct export_sums *sums; /* [row of rest] */
	struct export_account *accounts; /* by row */
	size_t nr, room;
	struct export_account *was; /* those of the last look, while it is read */
	size_t nr_was, room_was;
	struct export_account *gone; /* had rows, and ended: oldest first */
	size_t nr_gone, room_gone;
	size_t most_own; /* accounts that had rows at once */
	bool looked;
	int64_t *amounts; /* room for those of a node */
	struct tally_entry *entries;
	size_t room_entries;
};

/* Make a state for a view. 0 or -ENOMEM */
int export_state_new(const struct tally_view *view,
		     const struct export_bounds *bounds,
		     struct export_state **state);
void export_state_free(struct export_state *state);

/* Read a view: all of it, or after a failure nothing. -ESTALE: the snapshot was
 * given up. Others as tally_view_read(). */
int export_state_read(struct export_state *state, const struct tally_view *view,
		      const struct export_bounds *bounds);

/*
 * Have the counters of @state, which was read once, go on from those of @before.
 * @same: both are of one ledger, of which resources were declared since; else it
 * began anew. 0 or -ENOMEM
 */
int export_state_carry(struct export_state *state,
		       const struct export_state *before, bool same);

/* ---- what its files share --------------------------------------------------- */

int export_nodes_read(struct export_state *s, const struct tally_view *view);
int export_quotas_read(struct export_state *s, const struct tally_view *view);

/* Read the accounts into what is fresh. was[] has then, of those that had rows, the
 * ones that have ended. With @all a new account has rows at once. */
int export_accounts_read(struct export_state *s, const struct tally_view *view,
			 bool all);
void export_account_free(struct export_account *account);

/* The order of accounts[], as qsort() wants it. */
int export_account_by_row(const void *a, const void *b);

/* Whether all accounts may have rows. */
bool export_choose_all(const struct export_state *s,
		       const struct export_bounds *bounds);

/* Decide which accounts have rows from the next look on, and set *@changed if
 * these are others than now. 0 or -ENOMEM */
int export_choose(struct export_state *s, const struct export_bounds *bounds,
		  bool *changed);

/* List the rows of accounts, and see which rows are shown. 0 or -ENOMEM */
int export_state_list(struct export_state *s);

/* Have new accounts go on from those of the same keys that have ended. 0 or -ENOMEM.
 * export_carry_keep() after it remembers the others that have ended. */
int export_carry_ended(struct export_state *s);
void export_carry_keep(struct export_state *s);

/* Free an account's rows. Where it has them again, its counters go on from what
 * they went on from before. */
void export_carry_drop(struct export_state *s, struct export_account *a);

/* The row of an account on a node, with its index; made where there is none. NULL:
 * no memory. *@at is where to begin to look. */
struct export_row *export_account_row(const struct export_shape *shape,
				      struct export_account *account,
				      unsigned int node, size_t *at);

#endif
