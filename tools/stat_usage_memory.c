// SPDX-License-Identifier: MIT
/* What a row has: its processes' memory, or the kernel's account of a cgroup. */
#include "config.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "stat_usage.h"

static const struct tally_process_node *
node_in(const struct tally_process_node *nodes, unsigned int nr, int node)
{
	static const struct tally_process_node nothing;

	for (unsigned int i = 0; i < nr; i++)
		if (nodes[i].node == node)
			return &nodes[i];
	return &nothing;
}

const struct tally_process_node *usage_node(const struct usage_row *row,
					    int node)
{
	if (row->process)
		return node < 0 ? &row->process->all
				: node_in(row->process->nodes,
					  row->process->nr_nodes, node);
	if (row->sum)
		return node < 0 ? &row->sum->all
				: node_in(row->sum->nodes, row->sum->nr_nodes,
					  node);
	return NULL;
}

static int64_t figure_bytes(const struct tally_figure *f, int64_t value)
{
	int64_t bytes;

	if (value == TALLY_UNKNOWN || f->unit == TALLY_UNIT_BYTES)
		return value;
	if (f->unit != TALLY_UNIT_PAGES ||
	    __builtin_mul_overflow(value, f->page_bytes, &bytes))
		return TALLY_UNKNOWN;
	return bytes;
}

/* A figure of the account, on a node or on all, in bytes. */
static int64_t charged(const struct usage *u, const struct usage_row *row,
		       int node, const char *name)
{
	unsigned int nr_nodes, nr_figures;
	const int *nodes = tally_kernel_groups_nodes(u->groups, &nr_nodes);
	const struct tally_figure *figures =
		tally_kernel_groups_figures(u->groups, &nr_figures);
	int f = tally_kernel_groups_figure(u->groups, name);
	int64_t sum = TALLY_UNKNOWN;

	if (f < 0)
		return TALLY_UNKNOWN;
	for (unsigned int n = 0; n < nr_nodes; n++) {
		int64_t bytes = figure_bytes(
			&figures[f], row->group->values[(size_t)n * nr_figures +
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

/* The sum of those that there are. */
static int64_t charged_sum(const struct usage *u, const struct usage_row *row,
			   int node, const char *const *names)
{
	int64_t sum = TALLY_UNKNOWN;

	for (; *names; names++) {
		int64_t bytes = charged(u, row, node, *names);

		if (bytes == TALLY_UNKNOWN)
			continue;
		if (sum == TALLY_UNKNOWN)
			sum = bytes;
		else if (__builtin_add_overflow(sum, bytes, &sum))
			sum = INT64_MAX;
	}
	return sum;
}

/* Of version 1 the subtree's, which is what version 2 has. */
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
	/* Before Linux 3.1 there was the cgroup's own alone. */
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
	case USAGE_FILE: /* of which shmem is a part there */
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

bool usage_memory(const struct usage *u, const struct usage_row *row, int node,
		  struct tally_mem_figure *figure)
{
	const struct tally_process_node *n = usage_node(row, node);
	int64_t bytes = usage_charged(u, row, node, USAGE_CHARGED);

	if (bytes != TALLY_UNKNOWN) {
		*figure = (struct tally_mem_figure){bytes, bytes, bytes};
		return true;
	}
	/* What has an account, but not for this node, has nothing there. */
	if (row->group && row->group->values) {
		*figure = (struct tally_mem_figure){.bytes = 0};
		return true;
	}
	if (!n || (row->process && row->process->err && node >= 0))
		return false;
	*figure = n->total;
	return true;
}

int64_t usage_cpu_ns(const struct usage_row *row)
{
	return row->process ? row->process->cpu_ns
	       : row->sum   ? row->sum->cpu_ns
			    : 0;
}

int64_t usage_swap(const struct usage_row *row)
{
	return row->process ? row->process->swap_bytes
	       : row->sum   ? row->sum->swap_bytes
			    : 0;
}

int usage_row_error(const struct usage_row *row)
{
	if (row->process)
		return row->process->err;
	if (row->group && row->group->err && row->group->err != -ENOENT)
		return row->group->err;
	return row->sum ? row->sum->err : 0;
}

bool usage_is_exact(const struct tally_mem_figure *f)
{
	return f->lower_bytes == f->bytes && f->upper_bytes == f->bytes;
}

const char *usage_user(const struct usage *u, uid_t uid, char buf[64])
{
	const struct passwd *p;

	if (uid == (uid_t)-1) {
		snprintf(buf, 64, "?");
		return buf;
	}
	p = u->o->root ? NULL : getpwuid(uid);
	if (p)
		snprintf(buf, 64, "%s", p->pw_name);
	else
		snprintf(buf, 64, "%ju", (uintmax_t)uid);
	return buf;
}
