// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/group.h"
#include "common/user.h"
#include "top/data/files.h"
#include "top/data/rows.h"

int top_rows_open(struct top_rows *rows, const char *root,
		  const struct tally_topo *topo)
{
	int err;

	*rows = (struct top_rows){.root = root, .topo = topo};
	err = tally_kernel_processes_open(root, topo, NULL, NULL,
					  &rows->processes);
	/* The nodes and cgroups of a tree without proc are shown all the same. */
	if (err && (!root || (err != -ENOENT && err != -ENOTDIR)))
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
	free(rows->threads);
	*rows = (struct top_rows){0};
}

int top_rows_read(struct top_rows *rows)
{
	if (rows->processes)
		rows->err = tally_kernel_processes_read(rows->processes);
	if (rows->err == -ENOMEM)
		return -ENOMEM;
	if (rows->groups && tally_kernel_groups_read(rows->groups) == -ENOMEM)
		return -ENOMEM;
	return rows->processes ? top_rows_account(rows) : 0;
}

/* ---- rows of a model -------------------------------------------------------*/

const char *top_rows_user(struct top_rows *rows, uid_t uid)
{
	struct top_user *user;

	for (size_t i = 0; i < rows->nr_users; i++)
		if (rows->users[i].uid == uid)
			return rows->users[i].name;
	if (array_reserve(rows->users, rows->room_users, rows->nr_users + 1))
		return NULL;
	user = &rows->users[rows->nr_users++];
	user->uid = uid;
	return user_name(rows->root, uid, user->name);
}

int top_rows_add_command(const struct top_rows *rows, pid_t pid,
			 struct top_model *model, struct top_row *row)
{
	char text[4096];

	if (!rows->wants_commands ||
	    !top_files_command(rows->root, pid, text, sizeof(text)))
		return 0;
	return top_model_add_text(model, text, &row->command);
}

static bool is_estimate(const struct tally_mem_figure *figure)
{
	return figure->lower_bytes != figure->upper_bytes;
}

/* A part of @whole; nobody knows it if its bounds are more than half of that
 * apart. */
static int64_t amount(const struct tally_mem_figure *figure,
		      const struct tally_mem_figure *whole)
{
	bool open = figure->upper_bytes - figure->lower_bytes >
		    whole->upper_bytes / 2;

	return open ? TOP_UNKNOWN : figure->bytes;
}

/* The other may be there, too. */
static struct tally_mem_figure with(const struct tally_mem_figure *figure,
				    const struct tally_mem_figure *other)
{
	struct tally_mem_figure f = *figure;

	if (__builtin_add_overflow(f.upper_bytes, other->upper_bytes,
				   &f.upper_bytes))
		f.upper_bytes = INT64_MAX;
	return f;
}

void top_rows_fill_part(struct top_part *part,
			const struct tally_process_node *node,
			const struct tally_process_node *unknown)
{
	struct tally_mem_figure total = with(&node->total, &unknown->total), f;

	part->bytes = amount(&total, &total);
	part->estimate = is_estimate(&total);
	for (int k = 0; k < TALLY_NR_MEM; k++) {
		f = with(&node->memory[k], &unknown->memory[k]);
		part->kinds[k] = amount(&f, &total);
	}
}

const struct tally_process_node *
top_rows_node(const struct tally_process_node *nodes, unsigned int nr, int node)
{
	for (unsigned int i = 0; i < nr; i++)
		if (nodes[i].node == node)
			return &nodes[i];
	return NULL;
}

/* @unknown may be on any node. */
static int fill_parts(struct top_model *model,
		      const struct tally_process_node *nodes, unsigned int nr,
		      const struct tally_process_node *unknown)
{
	static const struct tally_process_node nothing;

	for (unsigned int i = 0; i < model->nr_nodes; i++) {
		const struct tally_process_node *node =
			top_rows_node(nodes, nr, model->nodes[i].node);
		struct top_part *part;

		if (!node && !unknown->total.upper_bytes)
			continue;
		part = top_model_add_part(model, i);
		if (!part)
			return -ENOMEM;
		top_rows_fill_part(part, node ? node : &nothing, unknown);
	}
	return 0;
}

int64_t top_rows_remote(const struct tally_mem_figure *local,
			const struct tally_mem_figure *remote,
			const struct tally_mem_figure *whole)
{
	return amount(remote, whole) == TOP_UNKNOWN
		       ? TOP_UNKNOWN
		       : top_remote_ppm(local->bytes, remote->bytes);
}

/* The totals may be known although reading the nodes failed. */
void top_rows_fill_memory(struct top_row *row,
			  const struct tally_process_node *all)
{
	if (row->err && !all->total.bytes)
		return;
	row->bytes = all->total.bytes;
	row->estimate = is_estimate(&all->total);
	for (int k = 0; k < TALLY_NR_MEM; k++)
		row->kinds[k] = amount(&all->memory[k], &all->total);
}

static int fill_process(struct top_rows *rows, unsigned int index,
			struct top_model *model)
{
	const struct tally_process_row *from =
		tally_kernel_processes_row(rows->processes, index);
	const char *user = top_rows_user(rows, from->uid);
	struct top_row *row = top_model_add_row(model);

	if (!row || !user ||
	    top_model_add_text(model, from->name, &row->name) ||
	    top_model_add_text(model, user, &row->user) ||
	    top_rows_add_command(rows, from->pid, model, row) ||
	    fill_parts(model, from->nodes, from->nr_nodes, &from->unknown))
		return -ENOMEM;
	row->id = from->pid;
	row->parent = from->ppid;
	row->start_ticks = from->start_ticks;
	row->no_stat = !from->state;
	row->nr_processes = 1;
	row->err = from->err;
	row->swap_bytes = from->swap_bytes;
	top_rows_fill_memory(row, &from->all);
	if (!from->err)
		row->remote_ppm = top_rows_remote(&from->local, &from->remote,
						  &from->all.total);
	top_rows_add_cpus(rows, index, model, row);
	return 0;
}

static int fill_sum(struct top_rows *rows, const struct tally_process_sum *from,
		    enum top_by by, struct top_model *model)
{
	struct top_row *row = top_model_add_row(model);
	const char *name = by == TOP_USERS ? top_rows_user(rows, from->uid)
					   : from->cgroup;

	if (!row || !name || top_model_add_text(model, name, &row->name) ||
	    fill_parts(model, from->nodes, from->nr_nodes, &from->unknown))
		return -ENOMEM;
	row->user = row->name;
	row->id = by == TOP_USERS ? (int64_t)from->uid : 0;
	row->nr_processes = from->nr_processes;
	row->err = from->err;
	row->swap_bytes = from->swap_bytes;
	top_rows_fill_memory(row, &from->all);
	row->remote_ppm =
		top_rows_remote(&from->local, &from->remote, &from->all.total);
	return 0;
}

static bool is_part(const struct tally_process_row *process,
		    const struct tally_process_sum *sum, enum top_by by)
{
	return by == TOP_USERS ? process->uid == sum->uid
			       : group_is_in(process->cgroup, sum->cgroup);
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

		for (unsigned int s = 0; s < nr; s++)
			if (is_part(process,
				    tally_kernel_processes_sum_at(
					    rows->processes, s),
				    by))
				top_rows_add_cpus(rows, i, model,
						  &model->rows[s]);
	}
	return 0;
}

int top_rows_fill(struct top_rows *rows, enum top_by by,
		  struct top_model *model)
{
	int err = 0;

	/* With rows, the errors are theirs. */
	if (!rows->nr_taken)
		model->rows_err = rows->err ? rows->err : -ENOENT;
	if (by == TOP_PROCESSES)
		for (unsigned int i = 0; !err && i < rows->nr_taken; i++)
			err = fill_process(rows, i, model);
	else if (by == TOP_THREADS && rows->processes)
		err = top_rows_fill_threads(rows, model);
	else if (by == TOP_CGROUPS && top_rows_have_groups(rows))
		err = top_rows_fill_groups(rows, model);
	else if (rows->processes)
		err = fill_sums(rows, by, model);
	for (size_t i = 0; i < model->nr_rows; i++) {
		model->nr_lacking += model->rows[i].err != 0;
		if (model->rows_err)
			model->rows[i].nr_processes = TOP_UNKNOWN;
	}
	return err;
}
