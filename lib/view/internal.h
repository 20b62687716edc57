/* SPDX-License-Identifier: MIT */
/* What the files of view/ share: a view. */
#ifndef VIEW_INTERNAL_H
#define VIEW_INTERNAL_H

#include "snapshot/ask.h"
#include "view/file.h"

struct tally_view {
	const struct layout *layout;
	const struct tally_accounts *accounts;
	struct tally_ledger *pinned; /* by a writer's snapshot; else NULL */
	uint64_t owner;		     /* word of the process that pinned it */
	struct asker *asker;	     /* by a reader's; else NULL */
	struct tally_snapshot_info info;
	struct tally_resource *resources; /* that there were when it was opened */
	uint32_t nr_resources;
	struct tally_slice records[]; /* by node index */
};

#endif
