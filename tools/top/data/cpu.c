// SPDX-License-Identifier: MIT
/* The CPU usage of processes, per node. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "common/array.h"
#include "top/data/rows.h"

struct shares {
	struct top_share *all;
	size_t nr, room;
};

static struct top_share *add_share(struct shares *shares)
{
	if (array_reserve(shares->all, shares->room, shares->nr + 1))
		return NULL;
	return &shares->all[shares->nr++];
}

static int64_t cpu_before(const struct top_rows *rows,
			  const struct top_taken *before, int node)
{
	for (unsigned int i = 0; before && i < before->nr; i++)
		if (rows->shares[before->first + i].node == node)
			return rows->shares[before->first + i].cpu_ns;
	return 0;
}

/*
 * Spread a process's CPU time over nodes. A thread's time since the last reading
 * counts on the node where it is now: when it moves, its whole time moves along,
 * so that its old node has less than before, which counts as 0. If no thread
 * took time, spread it by the number of threads.
 */
static int spread(const struct top_rows *rows,
		  const struct tally_process_row *row,
		  const struct top_taken *before, struct top_taken *now,
		  struct shares *shares)
{
	double sum = 0, threads = 0;

	for (unsigned int i = 0; i < row->nr_nodes; i++) {
		const struct tally_process_node *node = &row->nodes[i];
		struct top_share *share;
		int64_t more;

		if (node->node < 0 || (!node->nr_threads && !node->cpu_ns))
			continue;
		share = add_share(shares);
		if (!share)
			return -ENOMEM;
		more = node->cpu_ns - cpu_before(rows, before, node->node);
		*share = (struct top_share){
			.node = node->node,
			.cpu_ns = node->cpu_ns,
			.share = more > 0 ? (double)more : 0,
		};
		sum += share->share;
		threads += node->nr_threads;
		now->nr++;
	}
	for (unsigned int i = 0, n = 0; n < now->nr; i++) {
		const struct tally_process_node *node = &row->nodes[i];
		struct top_share *share = &shares->all[now->first + n];

		if (node->node != share->node)
			continue;
		n++;
		if (sum > 0)
			share->share /= sum;
		else
			share->share = threads > 0 ? node->nr_threads / threads
						   : 0;
	}
	return 0;
}

static int keep_shares(const struct top_rows *rows,
		       const struct top_taken *before, struct top_taken *now,
		       struct shares *shares)
{
	for (unsigned int i = 0; i < before->nr; i++) {
		struct top_share *share = add_share(shares);

		if (!share)
			return -ENOMEM;
		*share = rows->shares[before->first + i];
		now->nr++;
	}
	return 0;
}

/* @before: NULL for a new process. @ns: since the last reading, or 0. A process
 * without a state lacks its stat, which has the time, too. */
static double cpus(const struct tally_process_row *row,
		   const struct top_taken *before, int64_t ns)
{
	int64_t took = row->cpu_ns - (before ? before->cpu_ns : 0);

	if (ns <= 0 || took < 0 || !row->state)
		return -1;
	return (double)took / (double)ns;
}

static int account(struct top_rows *rows, struct top_taken *taken,
		   struct shares *shares, int64_t ns)
{
	unsigned int nr = tally_kernel_processes_nr(rows->processes);
	unsigned int old = 0;
	int err = 0;

	for (unsigned int i = 0; !err && i < nr; i++) {
		const struct tally_process_row *row =
			tally_kernel_processes_row(rows->processes, i);
		const struct top_taken *before = NULL;

		while (old < rows->nr_taken && rows->taken[old].pid < row->pid)
			old++;
		if (old < rows->nr_taken && rows->taken[old].pid == row->pid &&
		    rows->taken[old].start_ticks == row->start_ticks)
			before = &rows->taken[old];
		taken[i] = (struct top_taken){
			.pid = row->pid,
			.start_ticks = row->start_ticks,
			.cpu_ns = row->cpu_ns,
			.memory_ns = row->memory_ns,
			.cpus = cpus(row, before, ns),
			.first = shares->nr,
		};
		if (before && before->memory_ns == row->memory_ns)
			err = keep_shares(rows, before, &taken[i], shares);
		else
			err = spread(rows, row, before, &taken[i], shares);
	}
	return err;
}

int top_rows_account(struct top_rows *rows)
{
	int64_t now = tally_kernel_processes_time_ns(rows->processes);
	unsigned int nr = tally_kernel_processes_nr(rows->processes);
	struct top_taken *taken = calloc(nr + 1, sizeof(*taken));
	struct shares shares = {0};
	int err = -ENOMEM;

	if (taken)
		err = account(rows, taken, &shares,
			      rows->time_ns ? now - rows->time_ns : 0);
	if (err) {
		free(taken);
		free(shares.all);
		return err;
	}
	free(rows->taken);
	free(rows->shares);
	rows->taken = taken;
	rows->nr_taken = nr;
	rows->shares = shares.all;
	rows->time_ns = now;
	return 0;
}

void top_rows_add_cpus(const struct top_rows *rows, unsigned int process,
		       struct top_model *model, struct top_row *row)
{
	const struct top_taken *taken = &rows->taken[process];

	if (taken->cpus < 0)
		return;
	row->cpus = (row->cpus < 0 ? 0 : row->cpus) + taken->cpus;
	for (unsigned int i = 0; i < row->nr_parts; i++) {
		struct top_part *part = &model->parts[row->part + i];
		int node = model->nodes[part->index].node;

		if (part->cpus < 0)
			part->cpus = 0;
		for (unsigned int s = 0; s < taken->nr; s++)
			if (rows->shares[taken->first + s].node == node)
				part->cpus +=
					taken->cpus *
					rows->shares[taken->first + s].share;
	}
}
