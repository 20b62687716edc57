// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "top_data_rows.h"

int top_rows_open(struct top_rows *rows, const char *root,
		  const struct tally_topo *topo)
{
	int err;

	*rows = (struct top_rows){.live = !root};
	err = tally_kernel_processes_open(root, topo, NULL, NULL,
					  &rows->processes);
	if (err)
		return err;
	err = tally_kernel_groups_open(root, NULL, 0, &rows->groups);
	return err == -ENOMEM ? err : 0;
}

void top_rows_close(struct top_rows *rows)
{
	tally_kernel_processes_close(rows->processes);
	tally_kernel_groups_close(rows->groups);
	free(rows->taken);
	free(rows->shares);
	free(rows->users);
	*rows = (struct top_rows){0};
}

int top_rows_read(struct top_rows *rows)
{
	rows->err = tally_kernel_processes_read(rows->processes);
	if (rows->err == -ENOMEM)
		return -ENOMEM;
	if (rows->groups && tally_kernel_groups_read(rows->groups) == -ENOMEM)
		return -ENOMEM;
	return top_rows_account(rows);
}

/* ---- rows of a model -------------------------------------------------------*/

static const char *user_name(struct top_rows *rows, uid_t uid)
{
	const struct passwd *entry = NULL;
	struct top_user *users, *user;

	for (size_t i = 0; i < rows->nr_users; i++)
		if (rows->users[i].uid == uid)
			return rows->users[i].name;
	users = reallocarray(rows->users, rows->nr_users + 1, sizeof(*users));
	if (!users)
		return NULL;
	rows->users = users;
	user = &users[rows->nr_users++];
	user->uid = uid;
	if (rows->live)
		entry = getpwuid(uid);
	if (entry)
		snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
	else
		snprintf(user->name, sizeof(user->name), "%u", uid);
	return user->name;
}

static bool is_estimate(const struct tally_mem_figure *figure)
{
	return figure->lower_bytes != figure->upper_bytes;
}

static int fill_parts(struct top_model *model,
		      const struct tally_process_node *nodes, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		int index = top_model_index(model, nodes[i].node);
		struct top_part *part;

		if (index < 0)
			continue;
		part = top_model_add_part(model, (unsigned int)index);
		if (!part)
			return -ENOMEM;
		part->bytes = nodes[i].total.bytes;
		part->estimate = is_estimate(&nodes[i].total);
		for (int k = 0; k < TALLY_NR_MEM; k++)
			part->kinds[k] = nodes[i].memory[k].bytes;
	}
	return 0;
}

/* Where reading failed, the totals may be known all the same. */
static void fill_memory(struct top_row *row,
			const struct tally_process_node *all)
{
	if (row->err && !all->total.bytes)
		return;
	row->bytes = all->total.bytes;
	row->estimate = is_estimate(&all->total);
	for (int k = 0; k < TALLY_NR_MEM; k++)
		row->kinds[k] = all->memory[k].bytes;
}

int64_t top_remote_ppm(int64_t local, int64_t remote)
{
	double all = (double)local + (double)remote;

	return all > 0 ? (int64_t)((double)remote * 1e6 / all) : TOP_UNKNOWN;
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

static int fill_process(struct top_rows *rows, unsigned int index,
			struct top_model *model)
{
	const struct tally_process_row *from =
		tally_kernel_processes_row(rows->processes, index);
	const char *user = user_name(rows, from->uid);
	struct top_row *row = top_model_add_row(model);

	if (!row || !user ||
	    top_model_add_text(model, from->name, &row->name) ||
	    top_model_add_text(model, user, &row->user) ||
	    fill_parts(model, from->nodes, from->nr_nodes))
		return -ENOMEM;
	row->id = from->pid;
	row->start_ticks = from->start_ticks;
	row->nr_processes = 1;
	row->err = from->err;
	row->swap_bytes = from->swap_bytes;
	fill_memory(row, &from->all);
	if (!from->err)
		row->remote_ppm =
			top_remote_ppm(from->local.bytes, from->remote.bytes);
	top_rows_add_cpus(rows, index, model, row);
	return 0;
}

static int fill_sum(struct top_rows *rows, const struct tally_process_sum *from,
		    enum top_by by, struct top_model *model)
{
	struct top_row *row = top_model_add_row(model);
	const char *name = by == TOP_USERS ? user_name(rows, from->uid)
					   : from->cgroup;

	if (!row || !name || top_model_add_text(model, name, &row->name) ||
	    fill_parts(model, from->nodes, from->nr_nodes))
		return -ENOMEM;
	row->user = row->name;
	row->id = by == TOP_USERS ? (int64_t)from->uid : 0;
	row->nr_processes = from->nr_processes;
	row->err = from->err;
	row->swap_bytes = from->swap_bytes;
	fill_memory(row, &from->all);
	row->remote_ppm = top_remote_ppm(from->local.bytes, from->remote.bytes);
	return 0;
}

/* The row among those that were made of sums that the process is in. */
static struct top_row *sum_of(const struct tally_process_row *process,
			      const struct top_rows *rows, enum top_by by,
			      struct top_model *model)
{
	unsigned int low = 0,
		     high = tally_kernel_processes_nr_sums(rows->processes);

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;
		const struct tally_process_sum *sum =
			tally_kernel_processes_sum_at(rows->processes, middle);
		int order = by == TOP_USERS
				    ? (process->uid > sum->uid) -
					      (process->uid < sum->uid)
				    : strcmp(process->cgroup, sum->cgroup);

		if (!order)
			return &model->rows[middle];
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int fill_sums(struct top_rows *rows, enum top_by by,
		     struct top_model *model)
{
	int err = tally_kernel_processes_sum(rows->processes,
					     by == TOP_USERS ? TALLY_BY_USER
							     : TALLY_BY_CGROUP);
	unsigned int nr;

	if (err)
		return err;
	nr = tally_kernel_processes_nr_sums(rows->processes);
	for (unsigned int i = 0; i < nr; i++)
		if (fill_sum(rows,
			     tally_kernel_processes_sum_at(rows->processes, i),
			     by, model))
			return -ENOMEM;
	for (unsigned int i = 0; i < rows->nr_taken; i++) {
		const struct tally_process_row *process =
			tally_kernel_processes_row(rows->processes, i);
		struct top_row *row = sum_of(process, rows, by, model);

		if (row)
			top_rows_add_cpus(rows, i, model, row);
	}
	return 0;
}

int top_rows_fill(struct top_rows *rows, enum top_by by,
		  struct top_model *model)
{
	int err = 0;

	/* One row's error is not all rows'. */
	if (!rows->nr_taken)
		model->rows_err = rows->err;
	if (by == TOP_PROCESSES)
		for (unsigned int i = 0; !err && i < rows->nr_taken; i++)
			err = fill_process(rows, i, model);
	else if (by == TOP_CGROUPS && top_rows_have_groups(rows))
		err = top_rows_fill_groups(rows, model);
	else
		err = fill_sums(rows, by, model);
	for (size_t i = 0; i < model->nr_rows; i++)
		model->nr_lacking += model->rows[i].err != 0;
	return err;
}
