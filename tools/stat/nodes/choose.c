// SPDX-License-Identifier: MIT
/* Which figures of which nodes are shown, and their values. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "stat/nodes/nodes.h"

#define BIT(source) (1u << (source))

/* The figures of a table without -m, -n and -v. */
static const struct {
	enum tally_source source;
	const char *name;
} overview[] = {
	{TALLY_SOURCE_MEMINFO, "MemTotal"},
	{TALLY_SOURCE_MEMINFO, "MemFree"},
	{TALLY_SOURCE_ESTIMATE, "MemAvailable"},
	{TALLY_SOURCE_MEMINFO, "AnonPages"},
	{TALLY_SOURCE_MEMINFO, "FilePages"},
	{TALLY_SOURCE_NUMASTAT, "numa_hit"},
	{TALLY_SOURCE_NUMASTAT, "numa_miss"},
	{TALLY_SOURCE_NUMASTAT, "other_node"},
	{TALLY_SOURCE_CPU, "user"},
	{TALLY_SOURCE_CPU, "system"},
};

#define NR_OVERVIEW (sizeof(overview) / sizeof(overview[0]))

/* Without -m and -n, JSON, CSV and -v have all figures. */
static bool is_overview(const struct stat_options *o)
{
	return !o->meminfo && !o->counters && !o->verbose && !o->json &&
	       !o->csv;
}

static bool is_everything(const struct stat_options *o)
{
	return !o->meminfo && !o->counters && !is_overview(o);
}

unsigned int nodes_sources(const struct stat_options *o)
{
	unsigned int sources = 0;

	if (is_everything(o))
		return TALLY_SOURCES_ALL;
	if (o->meminfo)
		sources |= BIT(TALLY_SOURCE_MEMINFO) |
			   (o->verbose ? BIT(TALLY_SOURCE_HUGEPAGES) |
						 BIT(TALLY_SOURCE_ESTIMATE)
				       : 0);
	if (o->counters)
		sources |= BIT(TALLY_SOURCE_NUMASTAT) |
			   (o->verbose ? BIT(TALLY_SOURCE_VMSTAT) |
						 BIT(TALLY_SOURCE_CPU)
				       : 0);
	for (size_t i = 0; i < NR_OVERVIEW && is_overview(o); i++)
		sources |= BIT(overview[i].source);
	return sources;
}

bool nodes_wants_topology(const struct stat_options *o)
{
	return !o->meminfo && !o->counters;
}

const char *nodes_group(int group)
{
	static const char *const names[NODES_NR_GROUPS] = {
		[TALLY_SOURCE_MEMINFO] = "meminfo",
		[TALLY_SOURCE_NUMASTAT] = "numastat",
		[TALLY_SOURCE_VMSTAT] = "vmstat",
		[TALLY_SOURCE_HUGEPAGES] = "hugepages",
		[TALLY_SOURCE_CPU] = "cpu",
		[TALLY_SOURCE_ESTIMATE] = "estimate",
		[NODES_TOPOLOGY] = "topology",
	};

	return names[group];
}

const char *nodes_unit(int unit)
{
	switch (unit) {
	case TALLY_UNIT_BYTES:
		return "bytes";
	case TALLY_UNIT_PAGES:
		return "pages";
	case TALLY_UNIT_EVENTS:
		return "events";
	case TALLY_UNIT_NS:
		return "ns";
	case TALLY_UNIT_OBJECTS:
		return "objects";
	default:
		return "";
	}
}

/* ---- values ------------------------------------------------------------- */

static int64_t topology_value(const struct nodes_stat *s,
			      const struct tally_node *node, int to)
{
	int index;

	if (!node)
		return TALLY_UNKNOWN;
	if (to < 0)
		return node->tier < 0 ? TALLY_UNKNOWN : node->tier;
	index = tally_topo_index(s->topo, to);
	return index < 0 || !node->distances ? TALLY_UNKNOWN
					     : node->distances[index];
}

int64_t nodes_value(const struct nodes_stat *s, const struct nodes_row *row,
		    const struct nodes_column *c)
{
	const struct nodes_look *look = s->now;

	if (c->figure < 0)
		return topology_value(s, row->known, c->to);
	return look->values[(size_t)(row - look->rows) * look->nr_figures +
			    (size_t)c->figure];
}

enum nodes_change nodes_change(const struct nodes_stat *s,
			       const struct nodes_row *row,
			       const struct nodes_column *c, int64_t *delta)
{
	const struct nodes_look *before = s->before;
	int64_t was, is = nodes_value(s, row, c);

	if (row->before < 0 || is == TALLY_UNKNOWN || c->figure < 0 ||
	    (unsigned int)c->figure >= before->nr_figures)
		return NODES_UNCHANGED;
	was = before->values[(size_t)row->before * before->nr_figures +
			     (size_t)c->figure];
	if (was == TALLY_UNKNOWN)
		return NODES_UNCHANGED;
	*delta = is - was; /* neither is negative */
	return c->counter && *delta < 0 ? NODES_RESET : NODES_CHANGED;
}

/* ---- columns ------------------------------------------------------------ */

static struct nodes_column *new_column(struct nodes_stat *s)
{
	if (array_reserve(s->columns, s->room_columns,
			  (size_t)s->nr_columns + 1))
		return NULL;
	return &s->columns[s->nr_columns++];
}

static int add_figure(struct nodes_stat *s, unsigned int i)
{
	const struct tally_figure *f = tally_kernel_nodes_figure(s->nodes, i);
	struct nodes_column *c = new_column(s);

	if (!c)
		return -ENOMEM;
	*c = (struct nodes_column){
		.group = (int)f->source,
		.figure = (int)i,
		.to = -1,
		.unit = (int)f->unit,
		.page_bytes = f->page_bytes,
		.counter = f->counter,
		.estimate = f->estimate,
	};
	snprintf(c->name, sizeof(c->name), "%s", f->name);
	return 0;
}

static int add_topology(struct nodes_stat *s, int to)
{
	struct nodes_column *c = new_column(s);

	if (!c)
		return -ENOMEM;
	*c = (struct nodes_column){
		.group = NODES_TOPOLOGY,
		.figure = -1,
		.to = to,
		.unit = NODES_UNIT_NONE,
	};
	if (to < 0)
		snprintf(c->name, sizeof(c->name), "tier");
	else
		snprintf(c->name, sizeof(c->name), "distance to %d", to);
	return 0;
}

static int add_distances(struct nodes_stat *s)
{
	unsigned int nr = s->topo ? tally_topo_nr_nodes(s->topo) : 0;
	int error = nr ? add_topology(s, -1) : 0;

	for (unsigned int i = 0; !error && i < nr; i++)
		error = add_topology(s, tally_topo_node(s->topo, i)->id);
	return error;
}

/* By group, in the order of the kernel's files. */
static int add_all(struct nodes_stat *s, unsigned int nr)
{
	unsigned int sources = nodes_sources(s->o);

	for (int g = 0; g < TALLY_NR_SOURCES; g++)
		for (unsigned int i = 0; i < nr; i++)
			if ((int)tally_kernel_nodes_figure(s->nodes, i)
					    ->source == g &&
			    sources & BIT(g) && add_figure(s, i))
				return -ENOMEM;
	return 0;
}

static int add_overview(struct nodes_stat *s)
{
	for (size_t i = 0; i < NR_OVERVIEW; i++) {
		int figure = tally_kernel_nodes_find_figure(
			s->nodes, overview[i].source, overview[i].name);

		if (figure >= 0 && add_figure(s, (unsigned int)figure))
			return -ENOMEM;
	}
	return 0;
}

/* A file can have pages of two sizes. The first figure of vmstat is in base
 * pages; all of meminfo are in huge pages; names in hugepages have the size. */
static void find_distinct(struct nodes_stat *s)
{
	const struct nodes_column *first = NULL;

	for (unsigned int i = 0; i < s->nr_columns; i++) {
		struct nodes_column *c = &s->columns[i];

		if (c->unit != TALLY_UNIT_PAGES ||
		    c->group == TALLY_SOURCE_HUGEPAGES)
			continue;
		if (c->group == TALLY_SOURCE_MEMINFO) {
			c->distinct = true;
			continue;
		}
		if (!first || first->group != c->group)
			first = c;
		c->distinct = c->page_bytes != first->page_bytes;
	}
}

/* Keep the figures of one member of JSON together. */
static int compare_members(const void *a, const void *b)
{
	const struct nodes_column *x = a, *y = b;

	if (x->group != y->group)
		return x->group - y->group;
	if (x->distinct != y->distinct)
		return x->distinct - y->distinct;
	if (x->unit != y->unit)
		return x->unit - y->unit;
	return x->figure - y->figure;
}

int nodes_choose_columns(struct nodes_stat *s)
{
	unsigned int nr = tally_kernel_nodes_nr_figures(s->nodes);
	int error;

	if (nr == s->nr_figures)
		return 0;
	s->nr_columns = 0;
	error = is_overview(s->o) ? add_overview(s) : add_all(s, nr);
	if (!error)
		error = add_distances(s);
	if (error)
		return error;
	find_distinct(s);
	if (s->o->json)
		qsort(s->columns, s->nr_columns, sizeof(*s->columns),
		      compare_members);
	s->nr_figures = nr;
	return 0;
}

/* ---- rows --------------------------------------------------------------- */

bool nodes_is_asked_for(const struct stat_options *o, int id)
{
	for (size_t i = 0; i < o->nr_nodes; i++)
		if (o->nodes[i] == id)
			return true;
	return !o->nodes;
}

/* The value to compare: the growth of a counter, or an amount. */
static double weight(const struct nodes_stat *s, const struct nodes_row *row,
		     const struct nodes_column *c)
{
	int64_t value = nodes_value(s, row, c), delta;

	if (c->counter && s->seconds > 0)
		value = nodes_change(s, row, c, &delta) == NODES_CHANGED ? delta
									 : 0;
	return value > 0 ? (double)value : 0;
}

/* Set the mean of a node's shares of each figure. */
static void find_shares(struct nodes_stat *s)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < s->nr_shown; i++)
		s->now->rows[s->shown[i]].share = 0;
	for (unsigned int c = 0; c < s->nr_columns; c++) {
		const struct nodes_column *column = &s->columns[c];
		double all = 0;

		if (column->group == NODES_TOPOLOGY)
			continue;
		for (unsigned int i = 0; i < s->nr_shown; i++)
			all += weight(s, &s->now->rows[s->shown[i]], column);
		if (all <= 0)
			continue;
		nr++;
		for (unsigned int i = 0; i < s->nr_shown; i++) {
			struct nodes_row *row = &s->now->rows[s->shown[i]];

			row->share += weight(s, row, column) / all;
		}
	}
	for (unsigned int i = 0; i < s->nr_shown && nr; i++)
		s->now->rows[s->shown[i]].share /= nr;
}

static int compare_shares(const void *a, const void *b, void *rows)
{
	unsigned int x = *(const unsigned int *)a;
	unsigned int y = *(const unsigned int *)b;
	double p = ((const struct nodes_row *)rows)[x].share;
	double q = ((const struct nodes_row *)rows)[y].share;

	if (p < q || p > q)
		return p < q ? 1 : -1;
	return (x > y) - (x < y);
}

/* The value that -s sorts columns by. */
static double sort_value(const struct nodes_stat *s,
			 const struct nodes_column *c)
{
	double sum = 0;

	for (unsigned int i = 0; i < s->now->nr; i++) {
		const struct nodes_row *row = &s->now->rows[i];

		if (s->o->sort_node < 0 || s->o->sort_node == row->id)
			sum += weight(s, row, c);
	}
	return sum;
}

/* Order by unit first: values of two units can't be compared. */
static int compare_columns(const void *a, const void *b, void *stat)
{
	const struct nodes_column *x = a, *y = b;
	double p, q;

	if ((x->group == NODES_TOPOLOGY) != (y->group == NODES_TOPOLOGY))
		return x->group == NODES_TOPOLOGY ? 1 : -1;
	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	p = sort_value(stat, x);
	q = sort_value(stat, y);
	if (p < q || p > q)
		return p < q ? 1 : -1;
	return (x->figure > y->figure) - (x->figure < y->figure);
}

int nodes_choose_rows(struct nodes_stat *s)
{
	if (s->o->sort && !s->o->json)
		qsort_r(s->columns, s->nr_columns, sizeof(*s->columns),
			compare_columns, s);
	if (array_reserve(s->shown, s->room_shown, s->now->nr))
		return -ENOMEM;
	s->nr_shown = s->nr_rest = 0;
	for (unsigned int i = 0; i < s->now->nr; i++)
		if (nodes_is_asked_for(s->o, s->now->rows[i].id))
			s->shown[s->nr_shown++] = i;
	if (!s->o->top)
		return 0;
	find_shares(s);
	qsort_r(s->shown, s->nr_shown, sizeof(*s->shown), compare_shares,
		s->now->rows);
	if (s->o->top < s->nr_shown) {
		s->nr_rest = s->nr_shown - s->o->top;
		s->nr_shown = s->o->top;
	}
	return 0;
}
