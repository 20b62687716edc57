// SPDX-License-Identifier: MIT
/* A look as JSON, on one line. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "stat_nodes.h"

/* Of a column's figures: "meminfo_bytes", "vmstat_huge_pages", … */
static void member_name(const struct nodes_column *c, char name[48])
{
	snprintf(name, 48, "%s_%s%s", nodes_group(c->group),
		 c->distinct ? "huge_" : "", nodes_unit(c->unit));
}

static json_t *member(json_t *object, const char *name, json_t *(*create)(void))
{
	json_t *is = json_object_get(object, name);

	if (is)
		return is;
	/* The object has it then, or it is NULL. */
	is = create();
	return json_object_set_new(object, name, is) < 0 ? NULL : is;
}

/* A column's place in an object of groups, which is made where it isn't there;
 * NULL: no memory. */
static json_t *group_of(json_t *object, const struct nodes_column *c,
			json_t *(*create)(void))
{
	char name[48];

	member_name(c, name);
	return member(object, name, create);
}

static json_t *known(int64_t value)
{
	return value == TALLY_UNKNOWN ? json_null() : json_integer(value);
}

/* ---- huge pages ------------------------------------------------------------ */

/* The object of this size in the node's array. */
static json_t *huge_of(json_t *node, int64_t page_bytes)
{
	json_t *array = member(node, "hugepages", json_array), *size;
	size_t nr = json_array_size(array);

	if (!array)
		return NULL;
	if (nr) {
		size = json_array_get(array, nr - 1);
		if (json_integer_value(json_object_get(size, "page_bytes")) ==
		    page_bytes)
			return size;
	}
	size = json_pack("{s:I}", "page_bytes", (json_int_t)page_bytes);
	return json_array_append_new(array, size) < 0 ? NULL : size;
}

/* "hugepages-2048kB free" */
static int add_huge(json_t *node, const struct nodes_column *c, int64_t value)
{
	const char *what = strchr(c->name, ' ');
	char name[96];

	snprintf(name, sizeof(name), "%s_pages", what ? what + 1 : c->name);
	return json_object_set_new(huge_of(node, c->page_bytes), name,
				   known(value));
}

/* ---- a node ---------------------------------------------------------------- */

static int add_topology(const struct nodes_stat *s, json_t *node,
			const struct tally_node *known_node)
{
	json_t *cpus = json_array(), *distances = json_object();
	unsigned int nr = s->topo ? tally_topo_nr_nodes(s->topo) : 0;
	char key[16];
	int err = 0;

	for (unsigned int i = 0; known_node && i < known_node->nr_cpus; i++)
		err |= json_array_append_new(cpus,
					     json_integer(known_node->cpus[i]));
	for (unsigned int i = 0; known_node && known_node->distances && i < nr;
	     i++) {
		snprintf(key, sizeof(key), "%d",
			 tally_topo_node(s->topo, i)->id);
		err |= json_object_set_new(
			distances, key, json_integer(known_node->distances[i]));
	}
	err |= json_object_set_new(node, "cpus", cpus);
	err |= json_object_set_new(node, "distances", distances);
	err |= json_object_set_new(node, "tier",
				   known_node && known_node->tier >= 0
					   ? json_integer(known_node->tier)
					   : json_null());
	err |= json_object_set_new(node, "memory_kind",
				   known_node && known_node->memory
					   ? json_string(known_node->memory)
					   : json_null());
	return err;
}

static int add_change(const struct nodes_stat *s, const struct nodes_row *row,
		      const struct nodes_column *c, json_t *deltas,
		      json_t *rates, json_t *resets)
{
	enum nodes_change change;
	int64_t delta = 0;
	int err = 0;

	change = nodes_change(s, row, c, &delta);
	if (change == NODES_UNCHANGED)
		return 0;
	if (change == NODES_RESET)
		err |= json_array_append_new(group_of(resets, c, json_array),
					     json_string(c->name));
	err |= json_object_set_new(group_of(deltas, c, json_object), c->name,
				   change == NODES_CHANGED ? json_integer(delta)
							   : json_null());
	if (c->counter && s->seconds > 0)
		err |= json_object_set_new(
			group_of(rates, c, json_object), c->name,
			change == NODES_CHANGED
				? json_real((double)delta / s->seconds)
				: json_null());
	return err;
}

static int add_figures(const struct nodes_stat *s, const struct nodes_row *row,
		       json_t *node)
{
	int err = 0;

	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];
		int64_t value = nodes_value(s, row, c);

		if (c->group == NODES_TOPOLOGY || (s->o->skip_zeros && !value))
			continue;
		if (c->group == TALLY_SOURCE_HUGEPAGES)
			err |= add_huge(node, c, value);
		else
			err |= json_object_set_new(
				group_of(node, c, json_object), c->name,
				known(value));
	}
	return err;
}

static int add_changes(const struct nodes_stat *s, const struct nodes_row *row,
		       json_t *node)
{
	json_t *deltas = json_object(), *rates = json_object();
	json_t *resets = json_object();
	int err = 0;

	for (unsigned int i = 0; i < s->nr_columns; i++)
		if (s->columns[i].group != NODES_TOPOLOGY)
			err |= add_change(s, row, &s->columns[i], deltas, rates,
					  resets);
	err |= json_object_set_new(node, "deltas", deltas);
	err |= json_object_set_new(node, "per_second", rates);
	err |= json_object_set_new(node, "resets", resets);
	return err;
}

static int add_errors(const struct nodes_row *row, json_t *node)
{
	json_t *errors = json_object();
	int err = 0;

	for (int g = 0; g < TALLY_NR_SOURCES; g++)
		if (row->err[g] && row->err[g] != -ENODATA)
			err |= json_object_set_new(
				errors, nodes_group(g),
				json_string(strerror(-row->err[g])));
	return err | json_object_set_new(node, "errors", errors);
}

static json_t *make_node(const struct nodes_stat *s,
			 const struct nodes_row *row)
{
	json_t *node = json_pack("{s:i}", "id", row->id);
	int err = node ? 0 : -1;

	if (!err && nodes_wants_topology(s->o))
		err |= add_topology(s, node, row->known);
	if (!err)
		err |= add_figures(s, row, node);
	if (!err && s->before)
		err |= add_changes(s, row, node);
	if (!err)
		err |= add_errors(row, node);
	if (!err)
		return node;
	json_decref(node);
	return NULL;
}

/* ---- the document ---------------------------------------------------------- */

static json_t *make_nodes(const struct nodes_stat *s)
{
	json_t *nodes = json_array();

	for (unsigned int i = 0; i < s->nr_shown; i++) {
		const struct nodes_row *row = &s->now->rows[s->shown[i]];

		if (json_array_append_new(nodes, make_node(s, row)) < 0) {
			json_decref(nodes);
			return NULL;
		}
	}
	return nodes;
}

/* What the members of nodes are: how large their pages, whether they count, or
 * are estimates. */
static json_t *describe(const struct nodes_stat *s, json_t *document)
{
	json_t *pages = json_object(), *counters = json_object();
	json_t *estimates = json_array();
	char name[48];
	int err = 0;

	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];

		if (c->group == NODES_TOPOLOGY)
			continue;
		member_name(c, name);
		if (c->unit == TALLY_UNIT_PAGES &&
		    c->group != TALLY_SOURCE_HUGEPAGES)
			err |= json_object_set_new(
				pages, name,
				c->page_bytes ? json_integer(c->page_bytes)
					      : json_null());
		if (c->counter)
			err |= json_array_append_new(
				group_of(counters, c, json_array),
				json_string(c->name));
		if (c->estimate)
			err |= json_array_append_new(estimates,
						     json_string(name));
	}
	err |= json_object_set_new(document, "page_bytes", pages);
	err |= json_object_set_new(document, "counters", counters);
	err |= json_object_set_new(document, "estimates", estimates);
	if (!err)
		return document;
	json_decref(document);
	return NULL;
}

int nodes_json(struct nodes_stat *s)
{
	json_t *document;

	document = json_pack(
		"{s:i, s:I, s:o, s:o, s:I}", "version", 1, "time_ns",
		(json_int_t)s->now->time_ns, "interval_ns",
		s->before ? json_integer(s->now->time_ns - s->before->time_ns)
			  : json_null(),
		"nodes", make_nodes(s), "nodes_left_out",
		(json_int_t)s->nr_rest);
	if (document)
		document = describe(s, document);
	return output_json(stdout, document);
}
