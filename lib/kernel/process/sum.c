// SPDX-License-Identifier: MIT
/* Sums over processes, each page once in each sum. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/process/internal.h"
#include "kernel/proc/group.h"
#include "base/saturate.h"
#include "base/sort.h"
#include "base/array.h"

static int by_uid(const void *a, const void *b)
{
	const struct process_entry *p = *(struct process_entry *const *)a;
	const struct process_entry *q = *(struct process_entry *const *)b;

	return (p->row.uid > q->row.uid) - (p->row.uid < q->row.uid);
}

/* What is in a cgroup follows it: a slash comes before any other byte, and what
 * is beside the way from "/.." to "/" before that. */
static int by_cgroup(const void *a, const void *b)
{
	const struct process_entry *p = *(struct process_entry *const *)a;
	const struct process_entry *q = *(struct process_entry *const *)b;
	struct group_name x = group_name_of(p->row.cgroup);
	struct group_name y = group_name_of(q->row.cgroup);
	size_t i = 0;

	if (!*p->row.cgroup || !*q->row.cgroup)
		return (*p->row.cgroup != 0) - (*q->row.cgroup != 0);
	if (x.nr_up != y.nr_up)
		return x.nr_up > y.nr_up ? -1 : 1;
	while (i < x.len && i < y.len && x.rest[i] == y.rest[i])
		i++;
	if (i == x.len || i == y.len)
		return (x.len > y.len) - (x.len < y.len);
	if (x.rest[i] == '/' || y.rest[i] == '/')
		return x.rest[i] == '/' ? -1 : 1;
	return (unsigned char)x.rest[i] < (unsigned char)y.rest[i] ? -1 : 1;
}

static int together(const void *a, const void *b)
{
	(void)a;
	(void)b;
	return 0;
}

/* Append an empty sum. */
static struct process_sum *sum_new(struct tally_process_stats *l)
{
	unsigned int cap = l->sums_cap;
	struct process_sum *s;

	if (array_reserve(l->sums, l->sums_cap, l->nr_sums + 1))
		return NULL;
	memset(l->sums + cap, 0, (l->sums_cap - cap) * sizeof(*s));
	s = &l->sums[l->nr_sums++];
	s->sum = (struct tally_process_sum){.cgroup = ""};
	s->nodes.table.nr = 0;
	mem_nodes_clear(&s->nodes.table);
	return s;
}

struct merging {
	struct mem_nodes *to;
	int err;
};

static void add_merged(void *arg, int node, enum tally_mem_kind kind,
		       const struct mem_amount *a)
{
	struct merging *m = arg;
	struct mem_node *n = mem_nodes_at(m->to, node);

	if (n)
		mem_amount_add(&n->all[kind], a);
	else
		m->err = -ENOMEM;
}

static void figure_add(struct tally_mem_figure *to,
		       const struct tally_mem_figure *f)
{
	to->bytes = saturate_add(to->bytes, f->bytes);
	to->lower_bytes = saturate_add(to->lower_bytes, f->lower_bytes);
	to->upper_bytes = saturate_add(to->upper_bytes, f->upper_bytes);
}

static bool has_parent(const struct tally_process_stats *l,
		       const struct process_entry *p)
{
	unsigned int i = process_list_find(&l->rows, p->row.ppid);

	return i < l->rows.nr && l->rows.p[i]->row.pid == p->row.ppid &&
	       l->rows.p[i]->range == p->range;
}

/* Add its own memory; what others may have too goes to the parts. */
static int sum_add(struct tally_process_stats *l, struct process_sum *s,
		   const struct process_entry *p, unsigned int index)
{
	const struct mem_nodes *from = &p->nodes.table;
	bool again = p->is_parents && has_parent(l, p);
	unsigned int i;
	int err = 0;

	s->sum.nr_processes++;
	s->sum.nr_threads += p->row.nr_threads;
	s->sum.cpu_ns = saturate_add(s->sum.cpu_ns, p->row.cpu_ns);
	if (p->row.swap_bytes == TALLY_UNKNOWN)
		s->sum.swap_bytes = TALLY_UNKNOWN;
	else if (s->sum.swap_bytes != TALLY_UNKNOWN)
		s->sum.swap_bytes =
			saturate_add(s->sum.swap_bytes, p->row.swap_bytes);
	s->sum.nr_failed += p->row.err != 0;
	if (!s->sum.err)
		s->sum.err = p->row.err;
	if (!again) {
		figure_add(&s->sum.local, &p->row.local);
		figure_add(&s->sum.remote, &p->row.remote);
	}
	for (i = 0; i <= from->nr; i++) {
		struct mem_node n = i < from->nr ? from->n[i] : from->unknown;
		struct mem_node *to = mem_nodes_at(&s->nodes.table,
						   i < from->nr ? n.node : -1);

		if (!to)
			return -ENOMEM;
		if (again) {
			memset(n.own, 0, sizeof(n.own));
			memset(n.maybe, 0, sizeof(n.maybe));
		}
		memcpy(n.all, n.own, sizeof(n.all));
		process_node_add(to, &n);
	}
	for (i = 0; !again && !err && i < p->parts.nr; i++) {
		struct mem_part part = p->parts.p[i];

		part.process = index;
		err = mem_parts_add(&l->parts, &part);
	}
	return err;
}

static int sum_end(struct tally_process_stats *l, struct process_sum *s)
{
	struct merging m = {.to = &s->nodes.table};
	struct shown_nodes shown;
	int err;

	mem_parts_merge(&l->parts, add_merged, &m);
	err = m.err ? m.err : process_nodes_show(&s->nodes, &shown);
	if (err)
		return err;
	s->sum.nodes = shown.nodes;
	s->sum.nr_nodes = shown.nr_nodes;
	s->sum.all = shown.all;
	s->sum.unknown = shown.unknown;
	return 0;
}

/* Sum up the processes in [first, end) of the order. */
static int sum_range(struct tally_process_stats *l, struct process_sum *s,
		     unsigned int first, unsigned int end)
{
	unsigned int i;
	int err = 0;

	l->parts.nr = 0;
	l->range++;
	for (i = first; i < end; i++)
		l->order.p[i]->range = l->range;
	for (i = first; !err && i < end; i++)
		err = sum_add(l, s, l->order.p[i], i);
	return err ? err : sum_end(l, s);
}

/* Each user, or all. */
static int sum_equals(struct tally_process_stats *l, enum tally_process_by by,
		      int (*compare)(const void *a, const void *b))
{
	unsigned int i, j;
	int err = 0;

	for (i = 0; !err && i < l->order.nr; i = j) {
		struct process_sum *s = sum_new(l);

		if (!s)
			return -ENOMEM;
		if (by == TALLY_BY_USER)
			s->sum.uid = l->order.p[i]->row.uid;
		for (j = i + 1; j < l->order.nr &&
				!compare(&l->order.p[i], &l->order.p[j]);
		     j++)
			;
		err = sum_range(l, s, i, j);
	}
	return err;
}

static bool in_group(const char *path, const struct group_name *of)
{
	const struct group_name name = group_name_of(path);

	return group_name_holds(of, &name);
}

/* Append an empty sum with this name. */
static struct process_sum *sum_new_group(struct tally_process_stats *l,
					 const struct group_name *name)
{
	size_t size = 3 * (size_t)name->nr_up + name->len + 1;
	struct process_sum *s = sum_new(l);
	char *to;

	if (!s || array_reserve(s->cgroup, s->cgroup_cap, (unsigned int)size))
		return NULL;
	to = s->cgroup;
	for (unsigned int i = 0; i < name->nr_up; i++)
		to = mempcpy(to, "/..", 3);
	to = mempcpy(to, name->rest, name->len);
	*to = '\0';
	return s;
}

/* Sum up a cgroup with those in it, from the first in order on. */
static int sum_group(struct tally_process_stats *l, unsigned int first,
		     const struct group_name *name)
{
	static const struct group_name root = {.rest = "/", .len = 1};
	unsigned int end = first + 1;
	struct process_sum *s;

	s = sum_new_group(l, name->nr_up || name->len ? name : &root);
	if (!s)
		return -ENOMEM;
	while (end < l->order.nr && in_group(l->order.p[end]->row.cgroup, name))
		end++;
	return sum_range(l, s, first, end);
}

/* The processes of no known cgroup, which are the first in order. */
static int sum_unknown(struct tally_process_stats *l, unsigned int nr)
{
	static const struct group_name none = {.rest = ""};
	struct process_sum *s = sum_new_group(l, &none);

	return s ? sum_range(l, s, 0, nr) : -ENOMEM;
}

/* Each cgroup that holds the first process, and not the one before it. */
static int sum_above(struct tally_process_stats *l, unsigned int first,
		     unsigned int most_up, const char *before)
{
	const struct group_name of =
		group_name_of(l->order.p[first]->row.cgroup);
	struct group_name name = {.nr_up = most_up, .rest = of.rest};
	int err = 0;

	for (;;) {
		if (!before || !in_group(before, &name))
			err = sum_group(l, first, &name);
		if (err || (name.nr_up == of.nr_up && name.len == of.len))
			return err;
		if (name.nr_up > of.nr_up) {
			name.nr_up--;
			continue;
		}
		name.len++;
		while (name.len < of.len && of.rest[name.len] != '/')
			name.len++;
	}
}

/* Each cgroup with those in it, also if all its processes are in those. */
static int sum_groups(struct tally_process_stats *l)
{
	unsigned int i = 0, most_up;
	const char *before = NULL;
	int err = 0;

	while (i < l->order.nr && !*l->order.p[i]->row.cgroup)
		i++;
	if (i)
		err = sum_unknown(l, i);
	most_up = i < l->order.nr
			  ? group_name_of(l->order.p[i]->row.cgroup).nr_up
			  : 0;
	for (; !err && i < l->order.nr; i++) {
		err = sum_above(l, i, most_up, before);
		before = l->order.p[i]->row.cgroup;
	}
	/* Their memory stays where it is from now on. */
	for (i = 0; i < l->nr_sums; i++)
		l->sums[i].sum.cgroup = l->sums[i].cgroup;
	return err;
}

/* A process that ended is in no cgroup of version 1. */
static bool is_in_sums(const struct process_entry *p, enum tally_process_by by)
{
	return p->row.err != -ESRCH &&
	       !(by == TALLY_BY_CGROUP && !*p->row.cgroup &&
		 process_has_ended(p));
}

static int sum_all(struct tally_process_stats *l, enum tally_process_by by)
{
	static int (*const orders[TALLY_NR_BY])(const void *a,
						const void *b) = {
		[TALLY_BY_ALL] = together,
		[TALLY_BY_USER] = by_uid,
		[TALLY_BY_CGROUP] = by_cgroup,
	};
	unsigned int i;
	int err = 0;

	l->order.nr = 0;
	for (i = 0; !err && i < l->rows.nr; i++)
		if (is_in_sums(l->rows.p[i], by))
			err = process_list_add(&l->order, l->rows.p[i]);
	if (err)
		return err;
	sort_in_place(l->order.p, l->order.nr, sizeof(struct process_entry *),
		      orders[by]);
	return by == TALLY_BY_CGROUP ? sum_groups(l)
				     : sum_equals(l, by, orders[by]);
}

int tally_kernel_processes_sum(struct tally_process_stats *l,
			       enum tally_process_by by)
{
	int err;

	assert((unsigned int)by < TALLY_NR_BY);
	l->nr_sums = 0;
	err = sum_all(l, by);
	if (err)
		l->nr_sums = 0;
	return err;
}

unsigned int tally_kernel_processes_nr_sums(const struct tally_process_stats *l)
{
	return l->nr_sums;
}

const struct tally_process_sum *
tally_kernel_processes_sum_at(const struct tally_process_stats *l,
			      unsigned int index)
{
	assert(index < l->nr_sums);
	return &l->sums[index].sum;
}

void process_sums_free(struct tally_process_stats *l)
{
	unsigned int i;

	for (i = 0; i < l->sums_cap; i++) {
		process_nodes_free(&l->sums[i].nodes);
		free(l->sums[i].cgroup);
	}
	free(l->sums);
}
