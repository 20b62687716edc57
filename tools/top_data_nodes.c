// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "top_data_nodes.h"

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

static int64_t value(const struct top_nodes *nodes,
		     const struct tally_node_figures *row,
		     enum tally_source source, const char *name)
{
	int at = tally_kernel_nodes_figure(nodes->handle, source, name);

	return at < 0 ? TALLY_UNKNOWN : row->values[at];
}

/* The sum of those that are there. */
static int64_t sum(const struct top_nodes *nodes,
		   const struct tally_node_figures *row,
		   enum tally_source source, const char *const *names)
{
	int64_t all = TALLY_UNKNOWN;

	for (; *names; names++) {
		int64_t one = value(nodes, row, source, *names);

		if (one == TALLY_UNKNOWN)
			continue;
		if (all == TALLY_UNKNOWN)
			all = 0;
		if (__builtin_add_overflow(all, one, &all))
			return TALLY_UNKNOWN;
	}
	return all;
}

static void read_counters(const struct top_nodes *nodes,
			  const struct tally_node_figures *row,
			  struct top_past *now)
{
	/* user has guest in it, and nice guest_nice. */
	static const char *const busy[] = {"user",    "nice",  "system", "irq",
					   "softirq", "steal", NULL};
	static const char *const idle[] = {"idle", "iowait", NULL};
	static const char *const promoted[] = {"pgpromote_success", NULL};
	static const char *const demoted[] = {
		"pgdemote_kswapd", "pgdemote_direct", "pgdemote_khugepaged",
		"pgdemote_proactive", NULL};

	now->node = row->node;
	now->counters[TOP_MISS] =
		value(nodes, row, TALLY_SOURCE_NUMASTAT, "numa_miss");
	now->counters[TOP_REMOTE] =
		value(nodes, row, TALLY_SOURCE_NUMASTAT, "other_node");
	now->counters[TOP_PROMOTED] =
		sum(nodes, row, TALLY_SOURCE_VMSTAT, promoted);
	now->counters[TOP_DEMOTED] =
		sum(nodes, row, TALLY_SOURCE_VMSTAT, demoted);
	now->busy_ns = sum(nodes, row, TALLY_SOURCE_CPU, busy);
	now->idle_ns = sum(nodes, row, TALLY_SOURCE_CPU, idle);
}

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
	static const struct top_past none = {
		.counters = {TOP_UNKNOWN, TOP_UNKNOWN, TOP_UNKNOWN,
			     TOP_UNKNOWN},
		.busy_ns = TOP_UNKNOWN,
		.idle_ns = TOP_UNKNOWN,
	};
	int index = topo ? tally_topo_index(topo, figures->node) : -ENOENT;
	int64_t free_bytes =
		value(nodes, figures, TALLY_SOURCE_MEMINFO, "MemFree");
	struct top_node row = {
		.node = figures->node,
		.err = figures->err[TALLY_SOURCE_MEMINFO],
		.tier = -1,
		.total_bytes =
			value(nodes, figures, TALLY_SOURCE_MEMINFO, "MemTotal"),
		.used_bytes = TOP_UNKNOWN,
		.nr_cpus = TOP_UNKNOWN,
		.cpu_ppm = TOP_UNKNOWN,
	};

	/* A number that is none leaves the others there. */
	if (row.err == -ERANGE)
		row.err = 0;
	if (row.total_bytes >= free_bytes && free_bytes >= 0)
		row.used_bytes = row.total_bytes - free_bytes;
	if (index >= 0) {
		const struct tally_node *node =
			tally_topo_node(topo, (unsigned int)index);

		row.tier = node->tier;
		row.nr_cpus = node->nr_cpus;
	}
	if (!before)
		before = &none;
	row.cpu_ppm = top_busy_ppm(before->busy_ns, now->busy_ns,
				   before->idle_ns, now->idle_ns);
	for (int c = 0; c < TOP_NR_COUNTERS; c++)
		row.rates[c] = top_rate(before->counters[c], now->counters[c],
					nodes->interval_ns);
	return row;
}

static bool is_other(const struct top_nodes *nodes, const struct top_past *now,
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
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_node_figures *row =
			tally_kernel_nodes_row(nodes->handle, i);

		read_counters(nodes, row, &past[i]);
		rows[i] = make_row(nodes, row, topo,
				   find(nodes->past, nodes->nr, row->node),
				   &past[i]);
	}
	nodes->changed = nodes->past && is_other(nodes, past, nr);
	free(nodes->rows);
	free(nodes->past);
	nodes->rows = rows;
	nodes->past = past;
	nodes->nr = nr;
	return 0;
}
