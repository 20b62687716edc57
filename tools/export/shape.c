// SPDX-License-Identifier: MIT
/* The resources and nodes that a ledger is exported with. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/state.h"

static void copy_resource(const struct tally_resource *from,
			  struct export_resource *to)
{
	snprintf(to->name, sizeof(to->name), "%s", from->name);
	snprintf(to->unit, sizeof(to->unit), "%s", from->unit);
	to->kind = from->kind;
}

static int copy_nodes(const struct tally_view *view, struct export_shape *shape)
{
	bool several = shape->nr_local != shape->nr_nodes;

	for (unsigned int n = 0; n < shape->nr_nodes; n++) {
		struct export_node *node = &shape->nodes[n];
		const char *machine = tally_view_machine(view, n, &node->id);

		node->number = tally_view_node(view, n);
		if (!several || !machine)
			continue;
		node->machine = export_escape(machine);
		if (!node->machine)
			return -ENOMEM;
	}
	return 0;
}

/* A quarter of the series is for what nodes have, and for the rest on them; an eighth
 * for quotas. */
static void bound(struct export_shape *shape, size_t series)
{
	size_t rows;

	if (shape->nr_resources > series / (NODE_COLUMNS + 1) / 4) {
		unsigned int nr =
			(unsigned int)(series / (NODE_COLUMNS + 1) / 4);

		shape->nr_left_out = shape->nr_resources - nr;
		shape->nr_resources = nr;
	}
	shape->most_quotas = series / 8 / QUOTA_COLUMNS;
	if (!shape->nr_resources)
		return;
	rows = series / 4 / (NODE_COLUMNS + 1) / shape->nr_resources;
	shape->nr_listed = rows < shape->nr_nodes ? (unsigned int)rows
						  : shape->nr_nodes;
}

int export_shape_init(const struct tally_view *view,
		      const struct export_bounds *bounds,
		      struct export_shape *shape)
{
	struct export_shape s = {
		.nr_resources = tally_view_nr_resources(view),
		.nr_nodes = tally_view_nr_nodes(view),
		.nr_local = tally_view_nr_local(view),
	};
	int err = -ENOMEM;

	s.resources = calloc(s.nr_resources, sizeof(*s.resources));
	s.nodes = calloc(s.nr_nodes, sizeof(*s.nodes));
	if (s.resources && s.nodes)
		err = copy_nodes(view, &s);
	if (err) {
		export_shape_free(&s);
		return err;
	}
	for (unsigned int i = 0; i < s.nr_resources; i++)
		copy_resource(tally_view_resource(view, i), &s.resources[i]);
	bound(&s, bounds->series);
	*shape = s;
	return 0;
}

void export_shape_free(struct export_shape *shape)
{
	for (unsigned int n = 0; shape->nodes && n < shape->nr_nodes; n++)
		free(shape->nodes[n].machine);
	free(shape->nodes);
	free(shape->resources);
}

bool export_shape_fits(const struct export_shape *shape,
		       const struct tally_view *view)
{
	/* Nothing else of a ledger changes. */
	return tally_view_nr_resources(view) ==
	       shape->nr_resources + shape->nr_left_out;
}

unsigned int export_shape_node(const struct export_shape *shape, int number)
{
	unsigned int low = 0, high = shape->nr_nodes;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (shape->nodes[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < shape->nr_nodes && shape->nodes[low].number == number
		       ? low
		       : shape->nr_nodes;
}

char *export_shape_labels(const struct export_shape *shape, unsigned int node,
			  const char *before)
{
	const struct export_node *n = &shape->nodes[node];
	const char *comma = *before ? "," : "";
	char *labels;
	int bytes;

	if (node == shape->nr_nodes)
		return strdup(before);
	if (n->machine)
		bytes = asprintf(&labels, "%s%smachine=\"%s\",numa_node=\"%d\"",
				 before, comma, n->machine, n->id);
	else
		bytes = asprintf(&labels, "%s%snuma_node=\"%d\"", before, comma,
				 n->id);
	return bytes < 0 ? NULL : labels;
}
