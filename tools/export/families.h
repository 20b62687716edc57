/* SPDX-License-Identifier: MIT */
/* The metrics of a set of ledgers, by name: all values of a name together. */
#ifndef TOOL_EXPORT_FAMILIES_H
#define TOOL_EXPORT_FAMILIES_H

#include "export/set.h"

enum export_type { EXPORT_COUNTER, EXPORT_GAUGE, EXPORT_INFO };

/* A column of a ledger's table, as a part of a metric. */
struct export_part {
	char name[96]; /* without _total and _info */
	char help[128];
	const char *unit;    /* that the name ends with: "seconds"; "": none */
	unsigned int digits; /* of a value, behind the point */
	enum export_type type;
	const struct export_ledger *ledger; /* NULL: of the exporter */
	const struct export_table *table;
	unsigned int column;
	/* A resource's name as it is in the ledger, and its unit: of a
	 * protocol that has units beside names. NULL: of no resource */
	const struct export_resource *resource;
	size_t order;
};

struct export_families {
	struct export_part *parts; /* by name */
	size_t nr, room;
	struct export_table exporter; /* what it says of itself */
};

/* List what the set's last look read. A resource whose metric has a name that
 * another one of the ledger has, or of another kind in a ledger before, is left
 * out: its ledger tells how many these are. -ENOMEM */
int export_families_make(struct export_families *f,
			 const struct export_set *set);
void export_families_free(struct export_families *f);

/* Whether a row has a value of the part. */
static inline bool export_is_shown(const struct export_part *part,
				   const struct export_row *row)
{
	return row->shown && row->values[part->column] != EXPORT_ABSENT;
}

/* Whether any row has. */
bool export_has_rows(const struct export_part *part);

#endif
