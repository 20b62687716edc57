/* SPDX-License-Identifier: MIT */
/* Compares a ledger with what a model says of it (support/model.h). */
#ifndef TEST_SUPPORT_SAME_H
#define TEST_SUPPORT_SAME_H

#include <numatally/view.h>

#include "support/test.h"
#include "support/model.h"

/* The numbers of the model's nodes, and of the call under test, for messages. */
extern int same_nodes[MODEL_NODES];
extern int same_op;

#define SAME(is, should)                                                  \
	do {                                                              \
		int64_t is_ = (int64_t)(is), should_ = (int64_t)(should); \
                                                                          \
		if (is_ != should_)                                       \
			fail_msg("op %d: " #is " is %" PRId64             \
				 ", not %" PRId64,                        \
				 same_op, is_, should_);                  \
	} while (0)

/* Accounts, amounts and limits are those of the model. */
void same_all(const struct tally_accounts *accounts,
	      const struct tally_view *view, const struct model *m);

/* A snapshot has the accounts and amounts that the model had. */
void same_snapshot(const struct tally_view *snapshot, const struct model *then,
		   const struct tally_account *handles);

/* What a reader of the file finds is that of the model, and so is what it saves.
 * nr_others: accounts that the model does not have. */
void same_saved(const char *path, const char *copy_path, const struct model *m,
		int nr_others);

#endif
