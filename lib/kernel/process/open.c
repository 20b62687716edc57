// SPDX-License-Identifier: MIT
/* Opening a list of processes: its filter and options. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/uncancelled.h"
#include "kernel/process/internal.h"
#include "base/sized.h"
#include "base/sort.h"

/* The most that may be owed or saved up: the budget of this wall time. */
#define OWED_NS 10000000000

static int by_number(const void *a, const void *b)
{
	pid_t p = *(const pid_t *)a, q = *(const pid_t *)b;

	return (p > q) - (p < q);
}

static int copy_pids(struct tally_process_stats *l,
		     const struct tally_process_filter *f)
{
	unsigned int i, nr = 0;

	l->pids = calloc(f->nr_pids, sizeof(*l->pids));
	if (!l->pids)
		return -ENOMEM;
	memcpy(l->pids, f->pids, f->nr_pids * sizeof(*l->pids));
	sort_in_place(l->pids, f->nr_pids, sizeof(*l->pids), by_number);
	for (i = 0; i < f->nr_pids; i++)
		if (!nr || l->pids[nr - 1] != l->pids[i])
			l->pids[nr++] = l->pids[i];
	l->filter.pids = l->pids;
	l->filter.nr_pids = nr;
	return 0;
}

static int copy_commands(struct tally_process_stats *l,
			 const struct tally_process_filter *f)
{
	unsigned int i;

	l->commands = calloc(f->nr_commands, sizeof(char *));
	l->matched = calloc(f->nr_commands, sizeof(*l->matched));
	if (!l->commands || !l->matched)
		return -ENOMEM;
	for (i = 0; i < f->nr_commands; i++) {
		l->commands[i] = strdup(f->commands[i]);
		if (!l->commands[i])
			return -ENOMEM;
		l->filter.nr_commands++;
	}
	return 0;
}

static int copy_filter(struct tally_process_stats *l,
		       const struct tally_process_filter *given)
{
	struct tally_process_filter filter, *f = &filter;
	int err = given ? sized_get(f, sizeof(*f),
				    sized_upto(struct tally_process_filter,
					       cgroup),
				    given)
			: 0;

	if (!given || err)
		return err;
	l->filter.by_uid = f->by_uid;
	l->filter.uid = f->uid;
	if (f->cgroup) {
		l->cgroup = strdup(f->cgroup);
		if (!l->cgroup)
			return -ENOMEM;
	}
	if (f->nr_pids && copy_pids(l, f))
		return -ENOMEM;
	return f->nr_commands ? copy_commands(l, f) : 0;
}

static void free_filter(struct tally_process_stats *l)
{
	unsigned int i;

	for (i = 0; i < l->filter.nr_commands; i++)
		free(l->commands[i]);
	free(l->commands);
	free(l->matched);
	free(l->pids);
	free(l->cgroup);
}

/* Know all nodes with memory, so that a sample without a hit on one still
 * bounds what a large process may have there. */
static int know_nodes(struct tally_process_stats *l)
{
	unsigned int i, nr = l->topo ? tally_topo_nr_nodes(l->topo) : 0;

	for (i = 0; i < nr; i++) {
		const struct tally_node *n = tally_topo_node(l->topo, i);

		if (n->memory_bytes && !mem_nodes_at(&l->reader.nodes, n->id))
			return -ENOMEM;
	}
	l->reader.one_node = l->topo && l->reader.nodes.nr == 1;
	return 0;
}

int tally_kernel_processes_open(const char *root, const struct tally_topo *topo,
				const struct tally_process_filter *filter,
				const struct tally_mem_options *options,
				struct tally_process_stats **processes)
{
	UNCANCELLED;
	struct tally_mem_options o;
	struct tally_process_stats *l;
	int err = mem_options_set(options, &o);

	if (err)
		return err;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->topo = topo;
	l->o = o;
	l->budget.ppm = o.budget_ppm;
	l->budget.burst_ns = o.burst_ns;
	l->budget.save_ns = OWED_NS / 1000000 * o.budget_ppm;
	l->reader.proc = -1;
	err = copy_filter(l, filter);
	if (!err)
		err = mem_reader_open(root, &o, &l->reader);
	if (!err) {
		l->reader.split = true;
		err = know_nodes(l);
	}
	if (err) {
		tally_kernel_processes_close(l);
		return err;
	}
	*processes = l;
	return 0;
}

void tally_kernel_processes_close(struct tally_process_stats *l)
{
	UNCANCELLED;

	if (!l)
		return;
	process_sums_free(l);
	free(l->parts.p);
	process_list_free(&l->rows, true);
	process_list_free(&l->next, true);
	process_list_free(&l->spare, true);
	process_list_free(&l->order, false);
	mem_reader_close(&l->reader);
	free_filter(l);
	free(l);
}

void tally_kernel_processes_set_topo(struct tally_process_stats *l,
				     const struct tally_topo *topo)
{
	l->topo = topo;
	/* Without memory, the node is added when something is found there. */
	(void)know_nodes(l);
}
