/* SPDX-License-Identifier: MIT */
/*
 * What the PMDA has of a ledger: names and instances, and the amounts of the last
 * look. Instances, and their numbers, are in libpcp_pmda's caches; a resource has the
 * same number as long as the PMDA runs, also where the ledger is made anew.
 */
#ifndef TOOL_PCP_VALUES_H
#define TOOL_PCP_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/view.h>

#define PCP_MOST_ITEMS 1024 /* that a PMID has room for */

struct pcp_item {
	char name[32], unit[16];
	enum tally_kind kind;
	int column; /* -1: the ledger does not have it now */
};

struct pcp_values {
	unsigned int nodes, accounts; /* instance domains */
	struct pcp_item items[PCP_MOST_ITEMS];
	unsigned int nr_items;
	bool changed; /* what items there are, or what they are */
	unsigned int nr_columns;
	int64_t *cells; /* of all rows, [column]; of a node, then its limits */
	size_t nr_cells, room_cells;
	struct tally_entry *entries; /* room for those of a call */
	size_t room_entries;
	char *name; /* room for that of an instance */
	size_t name_bytes, room_name;
};

/* Read a view: 0 or -errno. After a failure no instance is active. */
int pcp_values_read(struct pcp_values *v, const struct tally_view *view);

/* Have no active instance. */
void pcp_values_clear(struct pcp_values *v);

/* Get an amount, or a node's limit, of an item, by the number of an instance: 1; 0:
 * there is none; or PM_ERR_INST. */
int pcp_values_get(const struct pcp_values *v, unsigned int domain,
		   int instance, unsigned int item, bool limit,
		   int64_t *amount);

#endif
