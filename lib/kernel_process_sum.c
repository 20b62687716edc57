// SPDX-License-Identifier: MIT
/* What is shown of nodes; and sums over processes, with every page once. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_process.h"
#include "saturate.h"
#include "sort.h"

/* ---- nodes ---------------------------------------------------------------- */

/* What of all is not its own. */
static struct tally_mem_figure rest_of(const struct tally_mem_figure *all,
				       const struct tally_mem_figure *own)
{
	struct tally_mem_figure f = {
		.bytes = all->bytes - own->bytes,
		.lower_bytes = all->lower_bytes - own->upper_bytes,
		.upper_bytes = all->upper_bytes - own->lower_bytes,
	};

	if (f.bytes < 0)
		f.bytes = 0;
	if (f.lower_bytes < 0)
		f.lower_bytes = 0;
	if (f.upper_bytes < f.bytes)
		f.upper_bytes = f.bytes;
	return f;
}

static void node_show(const struct mem_node *n, struct tally_process_node *s)
{
	struct mem_amount all = {.bytes = 0}, total_own = {.bytes = 0};
	unsigned int k;

	s->node = n->node;
	s->nr_threads = n->nr_threads;
	s->cpu_ns = n->cpu_ns;
	for (k = 0; k < TALLY_NR_MEM; k++) {
		struct mem_amount own = n->own[k];

		mem_amount_add(&own, &n->maybe[k]);
		mem_amount_add(&total_own, &own);
		mem_amount_add(&all, &n->all[k]);
		s->memory[k] = mem_amount_figure(&n->all[k]);
		s->own[k] = mem_amount_figure(&own);
		s->common[k] = rest_of(&s->memory[k], &s->own[k]);
	}
	s->total = mem_amount_figure(&all);
	s->total_own = mem_amount_figure(&total_own);
	s->total_common = rest_of(&s->total, &s->total_own);
}

static void node_add(struct mem_node *to, const struct mem_node *n)
{
	unsigned int k;

	for (k = 0; k < TALLY_NR_MEM; k++) {
		mem_amount_add(&to->all[k], &n->all[k]);
		mem_amount_add(&to->own[k], &n->own[k]);
		mem_amount_add(&to->maybe[k], &n->maybe[k]);
	}
	to->nr_threads += n->nr_threads;
	to->cpu_ns = saturate_add(to->cpu_ns, n->cpu_ns);
}

int process_nodes_show(struct process_nodes *n, struct shown_nodes *shown)
{
	const struct mem_nodes *l = &n->table;
	struct mem_node all = l->unknown;
	unsigned int i;

	if (l->nr > n->cap) {
		struct tally_process_node *new;

		new = reallocarray(n->shown, l->nr, sizeof(*new));
		if (!new)
			return -ENOMEM;
		n->shown = new;
		n->cap = l->nr;
	}
	for (i = 0; i < l->nr; i++) {
		node_show(&l->n[i], &n->shown[i]);
		node_add(&all, &l->n[i]);
	}
	all.node = -1;
	node_show(&all, &shown->all);
	node_show(&l->unknown, &shown->unknown);
	shown->unknown.node = -1;
	shown->nodes = n->shown;
	shown->nr_nodes = l->nr;
	return 0;
}

void process_nodes_free(struct process_nodes *n)
{
	free(n->table.n);
	free(n->shown);
}

/* ---- sums ----------------------------------------------------------------- */

static int by_uid(const void *a, const void *b)
{
	const struct process *p = *(struct process *const *)a;
	const struct process *q = *(struct process *const *)b;

	return (p->row.uid > q->row.uid) - (p->row.uid < q->row.uid);
}

static int by_cgroup(const void *a, const void *b)
{
	const struct process *p = *(struct process *const *)a;
	const struct process *q = *(struct process *const *)b;

	return strcmp(p->row.cgroup, q->row.cgroup);
}

static int together(const void *a, const void *b)
{
	(void)a;
	(void)b;
	return 0;
}

/* A sum whose memory is empty, behind the last. */
static struct process_sum *sum_new(struct tally_processes *l)
{
	struct process_sum *s;

	if (l->nr_sums == l->sums_cap) {
		unsigned int cap = l->sums_cap ? 2 * l->sums_cap : 8;

		s = reallocarray(l->sums, cap, sizeof(*s));
		if (!s)
			return NULL;
		memset(s + l->sums_cap, 0, (cap - l->sums_cap) * sizeof(*s));
		l->sums = s;
		l->sums_cap = cap;
	}
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

/* Adds what only this process has; what others have too goes to the parts. */
static int sum_add(struct tally_processes *l, struct process_sum *s,
		   const struct process *p, unsigned int index)
{
	const struct mem_nodes *from = &p->nodes.table;
	unsigned int i;
	int err = 0;

	s->sum.nr_processes++;
	s->sum.nr_threads += p->row.nr_threads;
	s->sum.cpu_ns = saturate_add(s->sum.cpu_ns, p->row.cpu_ns);
	s->sum.swap_bytes = saturate_add(s->sum.swap_bytes, p->row.swap_bytes);
	s->sum.nr_failed += p->row.err != 0;
	if (!s->sum.err)
		s->sum.err = p->row.err;
	figure_add(&s->sum.local, &p->row.local);
	figure_add(&s->sum.remote, &p->row.remote);
	for (i = 0; i <= from->nr; i++) {
		struct mem_node n = i < from->nr ? from->n[i] : from->unknown;
		struct mem_node *to = mem_nodes_at(&s->nodes.table,
						   i < from->nr ? n.node : -1);

		if (!to)
			return -ENOMEM;
		memcpy(n.all, n.own, sizeof(n.all));
		node_add(to, &n);
	}
	for (i = 0; !err && i < p->parts.nr; i++) {
		struct mem_part part = p->parts.p[i];

		part.process = index;
		err = mem_parts_add(&l->parts, &part);
	}
	return err;
}

static int sum_end(struct tally_processes *l, struct process_sum *s)
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

static int sum_all(struct tally_processes *l, enum tally_process_by by)
{
	static int (*const orders[TALLY_NR_BY])(const void *a,
						const void *b) = {
		[TALLY_BY_ALL] = together,
		[TALLY_BY_USER] = by_uid,
		[TALLY_BY_CGROUP] = by_cgroup,
	};
	unsigned int i, j;
	int err = 0;

	l->order.nr = 0;
	for (i = 0; !err && i < l->rows.nr; i++)
		if (l->rows.p[i]->row.err != -ESRCH)
			err = process_list_add(&l->order, l->rows.p[i]);
	if (err)
		return err;
	sort_in_place(l->order.p, l->order.nr, sizeof(struct process *),
		      orders[by]);
	for (i = 0; i < l->order.nr; i = j) {
		struct process_sum *s = sum_new(l);

		if (!s)
			return -ENOMEM;
		if (by == TALLY_BY_USER)
			s->sum.uid = l->order.p[i]->row.uid;
		if (by == TALLY_BY_CGROUP)
			s->sum.cgroup = l->order.p[i]->row.cgroup;
		l->parts.nr = 0;
		for (j = i; !err && j < l->order.nr &&
			    !orders[by](&l->order.p[i], &l->order.p[j]);
		     j++)
			err = sum_add(l, s, l->order.p[j], j);
		if (!err)
			err = sum_end(l, s);
		if (err)
			return err;
	}
	return 0;
}

int tally_kernel_processes_sum(struct tally_processes *l,
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

unsigned int tally_kernel_processes_nr_sums(const struct tally_processes *l)
{
	return l->nr_sums;
}

const struct tally_process_sum *
tally_kernel_processes_sum_at(const struct tally_processes *l,
			      unsigned int index)
{
	assert(index < l->nr_sums);
	return &l->sums[index].sum;
}

void process_sums_free(struct tally_processes *l)
{
	unsigned int i;

	for (i = 0; i < l->sums_cap; i++)
		process_nodes_free(&l->sums[i].nodes);
	free(l->sums);
}
