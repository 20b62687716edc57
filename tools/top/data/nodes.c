// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "top/data/nodes.h"

static const unsigned int sources =
	1u << TALLY_SOURCE_MEMINFO | 1u << TALLY_SOURCE_NUMASTAT |
	1u << TALLY_SOURCE_VMSTAT | 1u << TALLY_SOURCE_CPU;

int top_nodes_open(struct top_nodes *nodes, const char *root)
{
	*nodes = (struct top_nodes){0};
	return tally_kernel_nodes_open(root, sources, &nodes->handle);
}

void top_nodes_close(struct top_nodes *nodes)
{
	tally_kernel_nodes_close(nodes->handle);
	free(nodes->rows);
	free(nodes->past);
	*nodes = (struct top_nodes){0};
}

/* ---- figures ---------------------------------------------------------------*/

/* The amount that each figure adds to. user includes guest, nice guest_nice. */
static const struct {
	const char *name;
	enum tally_source source;
	enum top_amount amount;
} summed[] = {
	{"numa_miss", TALLY_SOURCE_NUMASTAT, TOP_AMOUNT_COUNTER + TOP_MISS},
	{"other_node", TALLY_SOURCE_NUMASTAT, TOP_AMOUNT_COUNTER + TOP_REMOTE},
	{"pgpromote_success", TALLY_SOURCE_VMSTAT,
	 TOP_AMOUNT_COUNTER + TOP_PROMOTED},
	{"pgdemote_kswapd", TALLY_SOURCE_VMSTAT,
	 TOP_AMOUNT_COUNTER + TOP_DEMOTED},
	{"pgdemote_direct", TALLY_SOURCE_VMSTAT,
	 TOP_AMOUNT_COUNTER + TOP_DEMOTED},
	{"pgdemote_khugepaged", TALLY_SOURCE_VMSTAT,
	 TOP_AMOUNT_COUNTER + TOP_DEMOTED},
	{"pgdemote_proactive", TALLY_SOURCE_VMSTAT,
	 TOP_AMOUNT_COUNTER + TOP_DEMOTED},
	{"user", TALLY_SOURCE_CPU, TOP_AMOUNT_BUSY},
	{"nice", TALLY_SOURCE_CPU, TOP_AMOUNT_BUSY},
	{"system", TALLY_SOURCE_CPU, TOP_AMOUNT_BUSY},
	{"irq", TALLY_SOURCE_CPU, TOP_AMOUNT_BUSY},
	{"softirq", TALLY_SOURCE_CPU, TOP_AMOUNT_BUSY},
	{"steal", TALLY_SOURCE_CPU, TOP_AMOUNT_BUSY},
	{"idle", TALLY_SOURCE_CPU, TOP_AMOUNT_IDLE},
	{"iowait", TALLY_SOURCE_CPU, TOP_AMOUNT_IDLE},
	{"MemTotal", TALLY_SOURCE_MEMINFO, TOP_AMOUNT_TOTAL},
	{"MemFree", TALLY_SOURCE_MEMINFO, TOP_AMOUNT_FREE},
};

_Static_assert(sizeof(summed) / sizeof(*summed) <= TOP_MAX_SUMMED,
	       "TOP_MAX_SUMMED is too small");

/* Look figures up again only if there are more: they keep their indexes. */
static void find_figures(struct top_nodes *nodes)
{
	unsigned int nr = tally_kernel_nodes_nr_figures(nodes->handle);

	if (nr == nodes->nr_figures && nodes->nr)
		return;
	nodes->nr_figures = nr;
	for (size_t i = 0; i < sizeof(summed) / sizeof(*summed); i++)
		nodes->figures[i] = tally_kernel_nodes_find_figure(
			nodes->handle, summed[i].source, summed[i].name);
}

/* Add up the figures that the node has. */
static void read_amounts(const struct top_nodes *nodes,
			 const struct tally_node_figures *row,
			 struct top_past *now)
{
	now->node = row->node;
	for (int a = 0; a < TOP_NR_AMOUNTS; a++)
		now->amounts[a] = TOP_UNKNOWN;
	for (size_t i = 0; i < sizeof(summed) / sizeof(*summed); i++) {
		int at = nodes->figures[i];
		int64_t *amount = &now->amounts[summed[i].amount];
		int64_t more = at < 0 ? TALLY_UNKNOWN : row->values[at];

		if (more == TALLY_UNKNOWN)
			continue;
		if (*amount == TOP_UNKNOWN)
			*amount = 0;
		if (__builtin_add_overflow(*amount, more, amount))
			*amount = INT64_MAX;
	}
}

/* ---- nodes -----------------------------------------------------------------*/

static const struct top_past *find(const struct top_past *past, unsigned int nr,
				   int node)
{
	for (unsigned int i = 0; i < nr; i++)
		if (past[i].node == node)
			return &past[i];
	return NULL;
}

static struct top_node make_row(const struct top_nodes *nodes,
				const struct tally_node_figures *figures,
				const struct tally_topo *topo,
				const struct top_past *before,
				const struct top_past *now)
{
	int index = topo ? tally_topo_index(topo, figures->node) : -ENOENT;
	int64_t free_bytes = now->amounts[TOP_AMOUNT_FREE];
	struct top_node row = {
		.node = figures->node,
		.err = figures->err[TALLY_SOURCE_MEMINFO],
		.tier = -1,
		.total_bytes = now->amounts[TOP_AMOUNT_TOTAL],
		.used_bytes = TOP_UNKNOWN,
		.nr_cpus = TOP_UNKNOWN,
		.cpu_ppm = TOP_UNKNOWN,
	};

	/* One malformed figure does not spoil the others. */
	if ((row.err == -ERANGE || row.err == -EBADMSG) &&
	    (row.total_bytes != TOP_UNKNOWN || free_bytes != TOP_UNKNOWN))
		row.err = 0;
	if (row.total_bytes >= free_bytes && free_bytes >= 0)
		row.used_bytes = row.total_bytes - free_bytes;
	if (index >= 0) {
		const struct tally_node *node =
			tally_topo_node(topo, (unsigned int)index);

		row.tier = node->tier;
		row.nr_cpus = node->cpus ? node->nr_cpus : TOP_UNKNOWN;
	}
	if (before)
		row.cpu_ppm = top_busy_ppm(before->amounts[TOP_AMOUNT_BUSY],
					   now->amounts[TOP_AMOUNT_BUSY],
					   before->amounts[TOP_AMOUNT_IDLE],
					   now->amounts[TOP_AMOUNT_IDLE]);
	for (int c = 0; c < TOP_NR_COUNTERS; c++)
		row.rates[c] = top_rate(
			before ? before->amounts[TOP_AMOUNT_COUNTER + c]
			       : TOP_UNKNOWN,
			now->amounts[TOP_AMOUNT_COUNTER + c],
			nodes->interval_ns);
	return row;
}

static bool differ(const struct top_nodes *nodes, const struct top_past *now,
		   unsigned int nr)
{
	if (nodes->nr != nr)
		return true;
	for (unsigned int i = 0; i < nr; i++)
		if (nodes->past[i].node != now[i].node)
			return true;
	return false;
}

int top_nodes_read(struct top_nodes *nodes, const struct tally_topo *topo)
{
	int err = tally_kernel_nodes_read(nodes->handle);
	unsigned int nr = tally_kernel_nodes_nr(nodes->handle);
	int64_t time_ns = tally_kernel_nodes_time_ns(nodes->handle);
	struct top_node *rows = calloc(nr + 1, sizeof(*rows));
	struct top_past *past = calloc(nr + 1, sizeof(*past));

	if (!rows || !past || err == -ENOMEM || !nr) {
		free(rows);
		free(past);
		return !rows || !past ? -ENOMEM : err ? err : -ENODEV;
	}
	nodes->interval_ns = nodes->time_ns ? time_ns - nodes->time_ns : 0;
	nodes->time_ns = time_ns;
	find_figures(nodes);
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_node_figures *row =
			tally_kernel_nodes_row(nodes->handle, i);

		read_amounts(nodes, row, &past[i]);
		rows[i] = make_row(nodes, row, topo,
				   find(nodes->past, nodes->nr, row->node),
				   &past[i]);
	}
	nodes->changed = nodes->past && differ(nodes, past, nr);
	free(nodes->rows);
	free(nodes->past);
	nodes->rows = rows;
	nodes->past = past;
	nodes->nr = nr;
	return 0;
}
