/* SPDX-License-Identifier: MIT */
#ifndef VIEW_FILE_H
#define VIEW_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/view.h>

#include "view/sum.h"

struct asker;
struct layout;

/* Open a live view of a mapped file, which must outlive the view. */
int view_over(const struct layout *layout,
	      const struct tally_accounts *accounts, struct tally_view **view);

/* The same of a reader's snapshot; the asker must outlive the view. Errors as
 * tally_reader_snapshot(). */
int view_asked(struct asker *asker, const struct tally_accounts *accounts,
	       unsigned int flags, int64_t timeout_ns,
	       struct tally_view **view);

const struct layout *view_layout(const struct tally_view *view);

/* Like tally_view_next(), over the accounts whose keys begin with @prefix; NULL:
 * over all. *cursor is behind the account's row then. */
int view_next(const struct tally_view *view, const char *prefix,
	      uint64_t *cursor, struct tally_account *account, char *key,
	      size_t bytes);

/* Whether the account exists or, in a snapshot, existed. */
bool view_has(const struct tally_view *view, struct tally_account account);

/* Nodes, by index. */
struct view_range {
	uint32_t first, end;
};

/* Prepare a sum over the cells of this view, for those of the nodes that have
 * planes. */
struct sum view_sum(const struct tally_view *view, struct view_range nodes);

/* After a sum of these cells, which returned @err: return what the caller is to
 * return, or 1 if it is to sum up again. */
int view_stands(const struct tally_view *view, struct sum *sum, int err);

/* Return -ESTALE if it is a reader's snapshot that was given up; else 0. */
int view_kept(const struct tally_view *view);

/* What was added on the node of this index, in all and by now, also in a
 * snapshot; sums as sum() takes them. */
int view_added(const struct tally_view *view, uint32_t index, uint64_t *sums);

#endif
