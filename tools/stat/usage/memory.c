// SPDX-License-Identifier: MIT
/* The memory of a row: of its processes, or the kernel's account of a cgroup. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "common/group.h"
#include "stat/usage/usage.h"

static const struct tally_process_node *
node_in(const struct tally_process_node *nodes, unsigned int nr, int node)
{
	static const struct tally_process_node nothing;

	for (unsigned int i = 0; i < nr; i++)
		if (nodes[i].node == node)
			return &nodes[i];
	return &nothing;
}

static void add_upper(struct tally_mem_figure *to,
		      const struct tally_mem_figure *f)
{
	to->upper_bytes = usage_add(to->upper_bytes, f->upper_bytes);
}

/* What is of no known node may be on this one. */
static void add_unknown(struct tally_process_node *to,
			const struct tally_process_node *n)
{
	for (unsigned int k = 0; k < TALLY_NR_MEM; k++) {
		add_upper(&to->memory[k], &n->memory[k]);
		add_upper(&to->own[k], &n->own[k]);
		add_upper(&to->common[k], &n->common[k]);
	}
	add_upper(&to->total, &n->total);
	add_upper(&to->total_own, &n->total_own);
	add_upper(&to->total_common, &n->total_common);
}

bool usage_node(const struct usage_row *row, int node,
		struct tally_process_node *n)
{
	if (!row->process && !row->sum)
		return false;
	if (node < 0)
		*n = row->process ? row->process->all : row->sum->all;
	else if (row->process)
		*n = *node_in(row->process->nodes, row->process->nr_nodes,
			      node);
	else
		*n = *node_in(row->sum->nodes, row->sum->nr_nodes, node);
	if (node >= 0)
		add_unknown(n, row->process ? &row->process->unknown
					    : &row->sum->unknown);
	return true;
}

static int64_t figure_bytes(const struct tally_figure *f, int64_t value)
{
	int64_t bytes;

	if (value == TALLY_UNKNOWN || f->unit == TALLY_UNIT_BYTES)
		return value;
	if (f->unit != TALLY_UNIT_PAGES || (value && !f->page_bytes) ||
	    __builtin_mul_overflow(value, f->page_bytes, &bytes))
		return TALLY_UNKNOWN;
	return bytes;
}

bool usage_lacks_size(const struct usage *u)
{
	return tally_kernel_groups_version(u->groups) == 1 &&
	       tally_kernel_groups_nr_figures(u->groups) &&
	       !tally_kernel_groups_figure(u->groups, 0)->page_bytes;
}

/* A figure of the account, on a node or on all, in bytes. */
static int64_t charged(const struct usage *u, const struct usage_row *row,
		       int node, const char *name)
{
	unsigned int nr_figures = tally_kernel_groups_nr_figures(u->groups);
	int f = tally_kernel_groups_find_figure(u->groups, name);
	unsigned int nr_nodes;
	const int *nodes = tally_kernel_groups_nodes(u->groups, &nr_nodes);
	int64_t sum = TALLY_UNKNOWN;

	if (f < 0)
		return TALLY_UNKNOWN;
	for (unsigned int n = 0; n < nr_nodes; n++) {
		int64_t bytes = figure_bytes(
			tally_kernel_groups_figure(u->groups, (unsigned int)f),
			row->group->values[(size_t)n * nr_figures +
					   (unsigned int)f]);

		if ((node >= 0 && nodes[n] != node) || bytes == TALLY_UNKNOWN)
			continue;
		if (sum == TALLY_UNKNOWN)
			sum = bytes;
		else if (__builtin_add_overflow(sum, bytes, &sum))
			sum = INT64_MAX;
	}
	return sum;
}

/* The sum of the figures that exist. If lines of the account make no sense, those
 * that the row lacks may be in them. */
static int64_t charged_sum(const struct usage *u, const struct usage_row *row,
			   int node, const char *const *names)
{
	int64_t sum = TALLY_UNKNOWN;

	for (; *names; names++) {
		int64_t bytes = charged(u, row, node, *names);

		if (bytes == TALLY_UNKNOWN && row->group->err &&
		    tally_kernel_groups_find_figure(u->groups, *names) >= 0)
			return TALLY_UNKNOWN;
		if (bytes == TALLY_UNKNOWN)
			continue;
		if (sum == TALLY_UNKNOWN)
			sum = bytes;
		else if (__builtin_add_overflow(sum, bytes, &sum))
			sum = INT64_MAX;
	}
	return sum;
}

/* Version 1: the figures that include descendants, as version 2's do. */
static int64_t charged_v1(const struct usage *u, const struct usage_row *row,
			  int node, enum usage_charge charge)
{
	static const char *const names[USAGE_NR_CHARGES] = {
		[USAGE_ANONYMOUS] = "hierarchical_anon",
		[USAGE_FILE] = "hierarchical_file",
		[USAGE_CHARGED] = "hierarchical_total",
	};
	int64_t bytes;

	if (!names[charge])
		return TALLY_UNKNOWN;
	bytes = charged(u, row, node, names[charge]);
	/* Before Linux 3.1 a cgroup had figures of its own alone. */
	return bytes != TALLY_UNKNOWN
		       ? bytes
		       : charged(u, row, node,
				 names[charge] + strlen("hierarchical_"));
}

int64_t usage_charged(const struct usage *u, const struct usage_row *row,
		      int node, enum usage_charge charge)
{
	static const char *const kernel[] = {
		"kernel_stack",	    "pagetables",	  "sec_pagetables",
		"slab_reclaimable", "slab_unreclaimable", NULL};
	static const char *const all[] = {"anon",
					  "file",
					  "kernel_stack",
					  "pagetables",
					  "sec_pagetables",
					  "slab_reclaimable",
					  "slab_unreclaimable",
					  NULL};
	int64_t file, shared;

	if (!row->group || !row->group->values)
		return TALLY_UNKNOWN;
	if (tally_kernel_groups_version(u->groups) == 1)
		return charged_v1(u, row, node, charge);
	switch (charge) {
	case USAGE_ANONYMOUS:
		return charged(u, row, node, "anon");
	case USAGE_FILE: /* the kernel includes shmem */
		file = charged(u, row, node, "file");
		shared = charged(u, row, node, "shmem");
		return file != TALLY_UNKNOWN && shared != TALLY_UNKNOWN &&
				       shared <= file
			       ? file - shared
			       : file;
	case USAGE_SHARED:
		return charged(u, row, node, "shmem");
	case USAGE_KERNEL:
		return charged_sum(u, row, node, kernel);
	default:
		return charged_sum(u, row, node, all);
	}
}

/* Its totals are of no node in particular; or it has not even these. */
bool usage_knows(const struct usage_row *row, int node)
{
	const struct tally_process_row *p = row->process;

	if (!p)
		return !row->sum || group_sum_knows(row->sum);
	if (node >= 0 && p->unknown.total.upper_bytes)
		return false;
	return !p->err || p->has_memory || p->all.total.upper_bytes;
}

bool usage_memory(const struct usage *u, const struct usage_row *row, int node,
		  struct tally_mem_figure *figure)
{
	int64_t bytes = usage_charged(u, row, node, USAGE_CHARGED);
	struct tally_process_node n;

	if (bytes != TALLY_UNKNOWN) {
		*figure = (struct tally_mem_figure){bytes, bytes, bytes};
		return true;
	}
	/* An account without this node has no memory there. */
	if (row->group && row->group->values && !row->group->err &&
	    !usage_lacks_size(u)) {
		*figure = (struct tally_mem_figure){.bytes = 0};
		return true;
	}
	if (!usage_node(row, node, &n) || !usage_knows(row, node))
		return false;
	*figure = n.total;
	return true;
}

bool usage_has_accounts(const struct usage *u)
{
	unsigned int i = 0;

	if (!u->groups)
		return false;
	while (i < tally_kernel_groups_nr(u->groups) &&
	       !tally_kernel_groups_row(u->groups, i)->values)
		i++;
	return i < tally_kernel_groups_nr(u->groups);
}

/* Each process that tells anything of them has a thread. */
static bool knows_threads(const struct tally_process_sum *sum)
{
	return !group_sum_failed(sum) || sum->nr_threads;
}

/* A process without a state lacks its stat, which has the time, too. */
int64_t usage_cpu_ns(const struct usage_row *row)
{
	if (row->process)
		return row->process->state ? row->process->cpu_ns
					   : TALLY_UNKNOWN;
	if (row->sum && !knows_threads(row->sum))
		return TALLY_UNKNOWN;
	return row->sum ? row->sum->cpu_ns : 0;
}

int64_t usage_cpu_change(const struct usage_row *row)
{
	int64_t now = usage_cpu_ns(row);

	if (!row->before || now == TALLY_UNKNOWN ||
	    row->before->cpu_ns == TALLY_UNKNOWN)
		return TALLY_UNKNOWN;
	return now - row->before->cpu_ns;
}

int64_t usage_threads(const struct usage_row *row)
{
	if (row->process)
		return row->process->state || row->process->nr_threads
			       ? row->process->nr_threads
			       : TALLY_UNKNOWN;
	if (row->sum && !knows_threads(row->sum))
		return TALLY_UNKNOWN;
	return row->sum ? row->sum->nr_threads : 0;
}

int64_t usage_swap(const struct usage_row *row)
{
	return row->process ? row->process->swap_bytes
	       : row->sum   ? row->sum->swap_bytes
			    : TALLY_UNKNOWN;
}

int usage_row_error(const struct usage_row *row)
{
	if (row->process)
		return row->process->err;
	if (row->group && row->group->err && row->group->err != -ENOENT)
		return row->group->err;
	return row->sum ? row->sum->err : 0;
}

bool usage_is_open(const struct tally_mem_figure *f,
		   const struct tally_mem_figure *whole)
{
	return f->upper_bytes - f->lower_bytes > whole->upper_bytes / 2;
}

bool usage_is_exact(const struct tally_mem_figure *f)
{
	return f->lower_bytes == f->bytes && f->upper_bytes == f->bytes;
}

const char *usage_user(const struct usage *u, uid_t uid, char buf[USER_NAME])
{
	return user_name(u->o->root, uid, buf);
}
