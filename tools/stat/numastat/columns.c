// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "stat/numastat/internal.h"

void numastat_heads(struct stat_table *t, const int *ids, unsigned int nr)
{
	char head[32];

	for (unsigned int i = 0; i < nr; i++) {
		snprintf(head, sizeof(head), t->bare ? "node%d" : "Node %d",
			 ids[i]);
		stat_table_head(t, i, head);
	}
	if (!t->bare)
		stat_table_head(t, nr, "Total");
}

unsigned int numastat_column(const struct stat_options *o, const int *ids,
			     unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (ids[i] == o->sort_node)
			return i;
	return nr;
}

int *numastat_ids(const struct numastat *c, unsigned int *nr)
{
	int *ids;

	*nr = tally_kernel_nodes_nr(c->nodes);
	ids = calloc((size_t)*nr + 1, sizeof(*ids));
	if (!ids)
		err(EXIT_FAILURE, NULL);
	for (unsigned int i = 0; i < *nr; i++)
		ids[i] = tally_kernel_nodes_row(c->nodes, i)->node;
	return ids;
}
