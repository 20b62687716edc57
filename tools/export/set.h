/* SPDX-License-Identifier: MIT */
/* The ledgers that are exported: those that were named, or all of this machine. */
#ifndef TOOL_EXPORT_SET_H
#define TOOL_EXPORT_SET_H

#include "export/ledger.h"

struct export_set {
	struct export_ledger **ledgers;
	size_t nr, room;
	bool all;	   /* look for ledgers each time */
	size_t nr_ignored; /* ledgers of all, beyond as many as are exported */
	struct export_bounds bounds; /* of all together; top: of each */
};

/* Add a ledger by its name or path. 0, -EEXIST or -ENOMEM */
int export_set_add(struct export_set *set, const char *argument);
void export_set_free(struct export_set *set);

/* Look at each ledger. -ENOMEM, or an error of listing them; what is wrong with a
 * ledger is a part of what is exported of it. */
int export_set_look(struct export_set *set);

#endif
