// SPDX-License-Identifier: MIT
/* What Linux counts of the nodes themselves: the account "machine". */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "common/array.h"

static const struct figure {
	enum tally_source source;
	const char *name, *column;
} figures[] = {
	{TALLY_SOURCE_CPU, "user", "node_user_ns"},
	{TALLY_SOURCE_CPU, "nice", "node_nice_ns"},
	{TALLY_SOURCE_CPU, "system", "node_system_ns"},
	{TALLY_SOURCE_CPU, "idle", "node_idle_ns"},
	{TALLY_SOURCE_CPU, "iowait", "node_iowait_ns"},
	{TALLY_SOURCE_CPU, "irq", "node_irq_ns"},
	{TALLY_SOURCE_CPU, "softirq", "node_softirq_ns"},
	{TALLY_SOURCE_CPU, "steal", "node_steal_ns"},
	{TALLY_SOURCE_NUMASTAT, "numa_hit", "numa_hit"},
	{TALLY_SOURCE_NUMASTAT, "numa_miss", "numa_miss"},
	{TALLY_SOURCE_NUMASTAT, "numa_foreign", "numa_foreign"},
	{TALLY_SOURCE_NUMASTAT, "interleave_hit", "interleave_hit"},
	{TALLY_SOURCE_NUMASTAT, "local_node", "local_node"},
	{TALLY_SOURCE_NUMASTAT, "other_node", "other_node"},
	{TALLY_SOURCE_MEMINFO, "MemTotal", "node_total_bytes"},
	{TALLY_SOURCE_MEMINFO, "MemFree", "node_free_bytes"},
	{TALLY_SOURCE_MEMINFO, "AnonPages", "node_anon_bytes"},
	{TALLY_SOURCE_MEMINFO, "FilePages", "node_file_bytes"},
};
#define NR_FIGURES (sizeof(figures) / sizeof(*figures))
#define SOURCES                                                 \
	(1u << TALLY_SOURCE_CPU | 1u << TALLY_SOURCE_NUMASTAT | \
	 1u << TALLY_SOURCE_MEMINFO)

/* ---- opening -------------------------------------------------------------- */

static int find(const struct agent *a, unsigned int i)
{
	return tally_kernel_nodes_find_figure(a->stats, figures[i].source,
					      figures[i].name);
}

static void tell(struct agent *a, int err)
{
	if (err && err != a->stats_err)
		warnx("figures of nodes: %s", strerror(-err));
	a->stats_err = err;
}

int node_open(struct agent *a)
{
	int err = tally_kernel_nodes_open(NULL, SOURCES, &a->stats);

	if (!err)
		err = tally_kernel_nodes_read(a->stats);
	if (err == -ENOMEM)
		return err;
	tell(a, err);
	for (unsigned int i = 0; a->stats && i < NR_FIGURES; i++) {
		int at = find(a, i), column;
		const struct tally_figure *f;

		if (at < 0)
			continue;
		f = tally_kernel_nodes_figure(a->stats, (unsigned int)at);
		column = book_column(&a->book, figures[i].column,
				     f->unit == TALLY_UNIT_NS	   ? "ns"
				     : f->unit == TALLY_UNIT_BYTES ? "bytes"
								   : "",
				     f->counter ? TALLY_COUNTER : TALLY_GAUGE);
		if (column < 0)
			return column;
	}
	return 0;
}

void node_close(struct agent *a)
{
	tally_kernel_nodes_close(a->stats);
	a->stats = NULL;
	free(a->counted);
	a->counted = NULL;
}

/* Go on from what an earlier agent counted. */
static int resume(struct agent *a)
{
	int64_t *amounts = calloc(a->book.nr_columns, sizeof(*amounts));
	int err = book_account(&a->book, "machine", &a->machine);

	a->counted = calloc((size_t)a->book.nr_nodes * NR_FIGURES,
			    sizeof(*a->counted));
	if (!amounts || !a->counted)
		err = -ENOMEM;
	for (unsigned int n = 0; n < a->book.nr_nodes && !err; n++) {
		err = book_amounts(&a->book, a->machine, n, amounts);
		for (unsigned int i = 0; i < NR_FIGURES && !err; i++) {
			int column = find(a, i) < 0
					     ? -1
					     : book_column(&a->book,
							   figures[i].column,
							   "", TALLY_GAUGE);

			if (column >= 0)
				a->counted[n * NR_FIGURES + i] =
					amounts[column];
		}
	}
	free(amounts);
	return err;
}

/* ---- reading -------------------------------------------------------------- */

/* The amount to add to a counter. It may have been reset, as vm.numa_stat does;
 * iowait falls by itself, and comes back. */
static int64_t growth(int64_t now, int64_t *counted, enum tally_source source)
{
	int64_t grown = now - *counted;

	if (grown > 0 || source == TALLY_SOURCE_NUMASTAT)
		*counted = now;
	return grown > 0 ? grown : 0;
}

static int post(struct agent *a, const struct tally_node_figures *row,
		unsigned int node)
{
	struct tally_amount adds[NR_FIGURES], sets[NR_FIGURES];
	unsigned int nr_adds = 0, nr_sets = 0;
	int err = 0;

	for (unsigned int i = 0; i < NR_FIGURES; i++) {
		int at = find(a, i), column;
		int64_t v = at < 0 || !row->values ? TALLY_UNKNOWN
						   : row->values[at];
		struct tally_amount amount = {.amount = v};

		if (v == TALLY_UNKNOWN)
			continue;
		column = book_column(&a->book, figures[i].column, "",
				     TALLY_GAUGE);
		if (column < 0 || a->book.columns[column].number < 0)
			continue;
		amount.resource = (unsigned int)a->book.columns[column].number;
		if (a->book.columns[column].kind == TALLY_GAUGE) {
			sets[nr_sets++] = amount;
			continue;
		}
		amount.amount = growth(v, &a->counted[node * NR_FIGURES + i],
				       figures[i].source);
		if (amount.amount)
			adds[nr_adds++] = amount;
	}
	if (nr_adds)
		err = tally_ledger_charge(a->book.ledger, a->machine,
					  a->book.nodes[node], adds, nr_adds);
	if (!err && nr_sets)
		err = tally_ledger_set(a->book.ledger, a->machine,
				       a->book.nodes[node], sets, nr_sets);
	return err;
}

int node_read(struct agent *a)
{
	int err;

	if (!a->stats)
		return 0;
	err = a->counted ? 0 : resume(a);
	if (err)
		return err;
	err = tally_kernel_nodes_read(a->stats);
	if (err == -ENOMEM)
		return err;
	tell(a, err);
	err = 0;
	for (unsigned int i = 0; i < tally_kernel_nodes_nr(a->stats) && !err;
	     i++) {
		const struct tally_node_figures *row =
			tally_kernel_nodes_row(a->stats, i);
		int node = book_node(&a->book, row->node);

		if (node >= 0)
			err = post(a, row, (unsigned int)node);
	}
	return err;
}
