/* SPDX-License-Identifier: MIT */
#ifndef VIEW_FILE_H
#define VIEW_FILE_H

#include <numatally/view.h>

struct layout;

/* Open a live view of a mapped file, which must outlive the view. */
int view_over(const struct layout *layout,
	      const struct tally_accounts *accounts, struct tally_view **view);

const struct layout *view_layout(const struct tally_view *view);

/* Like tally_view_totals(), for the node of this index, without reservations;
 * sums as sum() takes them. */
int view_added(const struct tally_view *view, uint32_t index, uint64_t *sums);

#endif
