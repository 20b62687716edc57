/* SPDX-License-Identifier: MIT */
/* The agent's ledger, and its columns. */
#ifndef AGENT_BOOK_H
#define AGENT_BOOK_H

#include <limits.h>
#include <stdint.h>

#include <numatally/ledger.h>

/* An account of a cgroup that is gone is kept by this pin for a while. */
#define BOOK_PIN 0

struct book_column {
	char name[32];
	char unit[8];
	enum tally_kind kind;
	int number; /* in the ledger; -1: not declared yet */
};

struct book {
	char path[PATH_MAX];
	struct tally_ledger *ledger;
	struct tally_accounts *accounts;
	int *nodes; /* of this machine, as the ledger has them */
	unsigned int nr_nodes;
	struct book_column *columns;
	size_t nr_columns;
	size_t room;
};

/* Return the index of a column, which is new or was asked for before, or
 * -ENOMEM. New ones are declared when the book is opened, or by book_declare(). */
int book_column(struct book *b, const char *name, const char *unit,
		enum tally_kind kind);

/* Open or create the ledger. A failure is printed. */
int book_open(struct book *b, const char *name, const struct tally_topo *topo);
int book_declare(struct book *b);
void book_close(struct book *b);

/* The index of a node, or -ENOENT. */
int book_node(const struct book *b, int node);

/* The amounts of an account on a node, by column: amounts[nr_columns]. */
int book_amounts(const struct book *b, struct tally_account account,
		 unsigned int node, int64_t *amounts);

/* Open an account that is ready: with a new one, where that of an earlier cgroup
 * was still kept. */
int book_account(struct book *b, const char *key,
		 struct tally_account *account);
/* End one; its last amounts can be read until it is left. */
int book_end(struct book *b, struct tally_account account);
int book_leave(struct book *b, struct tally_account account);

#endif
