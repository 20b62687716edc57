/* SPDX-License-Identifier: MIT */
#ifndef VIEW_INTERNAL_H
#define VIEW_INTERNAL_H

#include <numatally/view.h>

struct layout;

/* A live view of a mapped file, which must outlive it. */
int view_over(const struct layout *layout,
	      const struct tally_accounts *accounts, struct tally_view **view);

const struct layout *view_layout(const struct tally_view *view);

#endif
