/* SPDX-License-Identifier: MIT */
/* held: what an account has reserved, node by node. */
#ifndef VIEW_HELD_H
#define VIEW_HELD_H

#include <stddef.h>
#include <stdint.h>

#include "file/file.h"

struct held_amount {
	uint32_t node; /* index */
	uint32_t resource;
	int64_t amount; /* not 0 */
};

/* Those of the nodes and resources of these ranges, in this order. */
struct held {
	uint32_t first_node, end_node;
	uint32_t first_resource, end_resource;
	struct held_amount *amounts; /* to be freed */
	size_t nr;
	size_t room;
};

/*
 * Read what the row's account has reserved, whole or not at all.
 *
 * -EAGAIN	as reserved_begin()
 * -ERANGE	more than max amounts
 * -ENOMEM	no memory
 */
int held_read(const struct layout *layout, uint32_t row, size_t max,
	      struct held *held);

#endif
