// SPDX-License-Identifier: MIT
/* The nodes of a ledger, and those of an account. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/text.h"
#include "show/internal.h"

char *show_node(const struct tally_view *view, unsigned int index)
{
	bool several = !show_one_machine(view);
	int id;
	const char *machine = tally_view_machine(view, index, &id);
	char *escaped = several && machine ? text_escape(machine) : NULL;
	char *name = NULL;
	int n = -1;

	if (!several || !machine)
		n = asprintf(&name, "%d", id);
	else if (escaped)
		n = asprintf(&name, "%s/%d", escaped, id);
	free(escaped);
	return n < 0 ? NULL : name;
}

/* Numbers ascend with indexes. */
static unsigned int index_of(const struct tally_view *view, int node)
{
	unsigned int low = 0, high = tally_view_nr_nodes(view);

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (tally_view_node(view, middle) < node)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int compare(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return (x > y) - (x < y);
}

int show_nodes(const struct tally_view *view, struct tally_account account,
	       unsigned int *nodes)
{
	unsigned int nr_nodes = tally_view_nr_nodes(view);
	unsigned int nr_local = tally_view_nr_local(view), nr = nr_local;
	int *others, got;

	for (unsigned int n = 0; n < nr_local; n++)
		nodes[n] = n;
	if (show_one_machine(view))
		return (int)nr;
	others = calloc(nr_nodes, sizeof(*others));
	if (!others)
		return -ENOMEM;
	got = tally_limit_holdings(view, account, others, nr_nodes);
	if (got > (int)nr_nodes) /* a list that has a node twice */
		got = -EBADMSG;
	for (int i = 0; i < got; i++) {
		unsigned int index = index_of(view, others[i]);

		if (index >= nr_local)
			nodes[nr++] = index;
	}
	free(others);
	if (got < 0)
		return got;
	qsort(nodes, nr, sizeof(*nodes), compare);
	return (int)nr;
}
