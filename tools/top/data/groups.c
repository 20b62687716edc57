// SPDX-License-Identifier: MIT
/*
 * Cgroups. Their memory is from memory.numa_stat: it includes descendants and
 * page cache. Numbers of processes, CPU time and remote memory are sums over
 * processes.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/group.h"
#include "top/data/rows.h"

/* Indexes of figures; negative: none. */
struct figures {
	const struct tally_groups *of;
	unsigned int nr;
	int anonymous, file, shared, huge;
};

struct remote {
	struct tally_mem_figure local, remote, whole;
};

bool top_rows_have_groups(const struct top_rows *rows)
{
	if (!rows->groups)
		return false;
	for (unsigned int i = 0; i < tally_kernel_groups_nr(rows->groups); i++)
		if (tally_kernel_groups_row(rows->groups, i)->values)
			return true;
	return false;
}

/* Prefer figures that include descendants: version 1 has both. */
static int find(const struct tally_groups *groups, const char *name)
{
	char whole[64];
	int at;

	snprintf(whole, sizeof(whole), "hierarchical_%s", name);
	at = tally_kernel_groups_find_figure(groups, whole);
	return at < 0 ? tally_kernel_groups_find_figure(groups, name) : at;
}

static struct figures find_figures(const struct tally_groups *groups)
{
	return (struct figures){
		.of = groups,
		.nr = tally_kernel_groups_nr_figures(groups),
		.anonymous = find(groups, "anon"),
		.file = find(groups, "file"),
		.shared = find(groups, "shmem"),
		.huge = find(groups, "anon_thp"),
	};
}

static int64_t bytes(const struct figures *f, const int64_t *values, int at)
{
	const struct tally_figure *figure;
	int64_t amount;

	if (at < 0)
		return TALLY_UNKNOWN;
	figure = tally_kernel_groups_figure(f->of, (unsigned int)at);
	amount = values[at];
	if (amount == TALLY_UNKNOWN || figure->unit == TALLY_UNIT_BYTES)
		return amount;
	if (figure->unit != TALLY_UNIT_PAGES || !figure->page_bytes ||
	    __builtin_mul_overflow(amount, figure->page_bytes, &amount))
		return TALLY_UNKNOWN;
	return amount;
}

/* Take @part out of @whole. */
static int64_t split(int64_t *whole, int64_t part)
{
	if (part == TALLY_UNKNOWN || part < 0)
		return TOP_UNKNOWN;
	if (part > *whole)
		part = *whole;
	*whole -= part;
	return part;
}

static void add(int64_t *sum, int64_t amount)
{
	if (amount == TOP_UNKNOWN)
		return;
	if (*sum == TOP_UNKNOWN)
		*sum = 0;
	if (__builtin_add_overflow(*sum, amount, sum))
		*sum = INT64_MAX;
}

/* Nothing is known of it. */
static void empty_part(struct top_part *part)
{
	part->bytes = TOP_UNKNOWN;
	for (int k = 0; k < TALLY_NR_MEM; k++)
		part->kinds[k] = TOP_UNKNOWN;
}

static void fill_part(const struct figures *f, const int64_t *values,
		      struct top_row *row, struct top_part *part)
{
	int64_t anonymous = bytes(f, values, f->anonymous);
	int64_t file = bytes(f, values, f->file);

	if (anonymous < 0 || file < 0) {
		empty_part(part);
		return;
	}
	if (__builtin_add_overflow(anonymous, file, &part->bytes))
		part->bytes = INT64_MAX;
	/* Huge pages are some of the anonymous ones, shmem is some of file. */
	part->kinds[TALLY_MEM_HUGE] =
		split(&anonymous, bytes(f, values, f->huge));
	part->kinds[TALLY_MEM_SHARED] =
		split(&file, bytes(f, values, f->shared));
	part->kinds[TALLY_MEM_ANONYMOUS] = anonymous;
	part->kinds[TALLY_MEM_FILE] = file;
	add(&row->bytes, part->bytes);
	for (int k = 0; k < TALLY_NR_MEM; k++)
		add(&row->kinds[k], part->kinds[k]);
}

/* Without an account, what the processes have mapped is known. */
static void fill_mapped(const struct tally_process_sum *sum,
			struct top_model *model, struct top_row *row)
{
	static const struct tally_process_node nothing;

	top_rows_fill_memory(row, &sum->all);
	for (unsigned int i = 0; i < row->nr_parts; i++) {
		struct top_part *part = &model->parts[row->part + i];
		const struct tally_process_node *node =
			top_rows_node(sum->nodes, sum->nr_nodes,
				      model->nodes[part->index].node);

		top_rows_fill_part(part, node ? node : &nothing, &sum->unknown);
	}
}

/* One part for each node of the model. */
static int fill_group(const struct top_rows *rows, const struct figures *f,
		      unsigned int index, struct top_model *model)
{
	const struct tally_group_row *from =
		tally_kernel_groups_row(rows->groups, index);
	struct top_row *row = top_model_add_row(model);
	const struct tally_process_sum *sum;
	unsigned int nr_nodes, n = 0;
	const int *nodes = tally_kernel_groups_nodes(rows->groups, &nr_nodes);

	if (!row || top_model_add_text(model, from->path, &row->name))
		return -ENOMEM;
	row->user = row->name;
	row->err = from->err == -ENOENT ? 0 : from->err;
	sum = from->values || !rows->processes
		      ? NULL
		      : group_sum(rows->processes, from->path);
	for (unsigned int i = 0; i < model->nr_nodes; i++) {
		struct top_part *part = top_model_add_part(model, i);

		if (!part)
			return -ENOMEM;
		while (n < nr_nodes && nodes[n] < model->nodes[i].node)
			n++;
		if (from->values && n < nr_nodes &&
		    nodes[n] == model->nodes[i].node)
			fill_part(f, from->values + (size_t)n * f->nr, row,
				  part);
		else if (!from->values)
			empty_part(part);
	}
	if (sum && group_sum_knows(sum))
		fill_mapped(sum, model, row);
	else if (sum && !row->err)
		row->err = sum->err;
	return 0;
}

/* Find the cgroup's row, or, if it was made after they were listed, the last of
 * those that hold it. Returns -ENOENT if there is none. */
static int find_group(const struct top_rows *rows, const char *path)
{
	int at = tally_kernel_groups_find(rows->groups, path);

	for (unsigned int i = tally_kernel_groups_nr(rows->groups);
	     at < 0 && i-- > 0;)
		if (group_is_in(path,
				tally_kernel_groups_row(rows->groups, i)->path))
			at = (int)i;
	return at;
}

static void figure_add(struct tally_mem_figure *to,
		       const struct tally_mem_figure *f)
{
	add(&to->bytes, f->bytes);
	add(&to->lower_bytes, f->lower_bytes);
	add(&to->upper_bytes, f->upper_bytes);
}

/* Add processes to their cgroups. */
static void add_processes(const struct top_rows *rows, struct top_model *model,
			  struct remote *remotes)
{
	for (unsigned int i = 0; i < rows->nr_taken; i++) {
		const struct tally_process_row *process =
			tally_kernel_processes_row(rows->processes, i);
		int at = find_group(rows, process->cgroup);

		if (at < 0)
			continue;
		model->rows[at].nr_processes++;
		top_rows_add_cpus(rows, i, model, &model->rows[at]);
		figure_add(&remotes[at].local, &process->local);
		figure_add(&remotes[at].remote, &process->remote);
		figure_add(&remotes[at].whole, &process->all.total);
	}
}

static void add_row(struct top_model *model, struct top_row *to,
		    const struct top_row *from)
{
	to->nr_processes += from->nr_processes;
	if (from->cpus < 0)
		return;
	to->cpus = (to->cpus < 0 ? 0 : to->cpus) + from->cpus;
	for (unsigned int i = 0; i < from->nr_parts; i++) {
		struct top_part *part = &model->parts[to->part + i];
		double cpus = model->parts[from->part + i].cpus;

		if (cpus >= 0)
			part->cpus = (part->cpus < 0 ? 0 : part->cpus) + cpus;
	}
}

/* Cgroups have what those in them have. Each stands before these. */
static void add_children(const struct top_rows *rows, struct top_model *model,
			 struct remote *remotes)
{
	for (unsigned int i = tally_kernel_groups_nr(rows->groups); i-- > 1;) {
		unsigned int depth =
			tally_kernel_groups_row(rows->groups, i)->depth;
		unsigned int up = i;

		while (up > 0 &&
		       tally_kernel_groups_row(rows->groups, up)->depth >=
			       depth)
			up--;
		if (tally_kernel_groups_row(rows->groups, up)->depth >= depth)
			continue;
		add_row(model, &model->rows[up], &model->rows[i]);
		figure_add(&remotes[up].local, &remotes[i].local);
		figure_add(&remotes[up].remote, &remotes[i].remote);
		figure_add(&remotes[up].whole, &remotes[i].whole);
	}
}

int top_rows_fill_groups(struct top_rows *rows, struct top_model *model)
{
	unsigned int nr = tally_kernel_groups_nr(rows->groups);
	struct figures figures = find_figures(rows->groups);
	struct remote *remotes = calloc(nr + 1, sizeof(*remotes));
	int err = remotes ? 0 : -ENOMEM;

	if (!err && rows->processes)
		err = tally_kernel_processes_sum(rows->processes,
						 TALLY_BY_CGROUP);
	for (unsigned int i = 0; !err && i < nr; i++)
		err = fill_group(rows, &figures, i, model);
	if (!err) {
		add_processes(rows, model, remotes);
		add_children(rows, model, remotes);
		for (unsigned int i = 0; i < nr; i++)
			model->rows[i].remote_ppm = top_rows_remote(
				&remotes[i].local, &remotes[i].remote,
				&remotes[i].whole);
	}
	free(remotes);
	return err;
}
