// SPDX-License-Identifier: MIT
/* What rows and sums show of each node. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "kernel/process/internal.h"
#include "base/array.h"
#include "base/saturate.h"

/* All that is not own. */
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
	struct mem_amount own[MEM_NR_KINDS];
	unsigned int k;

	s->node = n->node;
	s->nr_threads = n->nr_threads;
	s->cpu_ns = n->cpu_ns;
	for (k = 0; k < MEM_NR_KINDS; k++) {
		own[k] = n->own[k];
		mem_amount_add(&own[k], &n->maybe[k]);
		mem_amount_add(&total_own, &own[k]);
		mem_amount_add(&all, &n->all[k]);
	}
	for (k = 0; k < TALLY_NR_MEM; k++) {
		s->memory[k] = mem_figure_of(n->all, k);
		s->own[k] = mem_figure_of(own, k);
		s->common[k] = rest_of(&s->memory[k], &s->own[k]);
	}
	s->total = mem_amount_figure(&all);
	s->total_own = mem_amount_figure(&total_own);
	s->total_common = rest_of(&s->total, &s->total_own);
}

void process_node_add(struct mem_node *to, const struct mem_node *n)
{
	unsigned int k;

	for (k = 0; k < MEM_NR_KINDS; k++) {
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

	if (array_reserve(n->shown, n->cap, l->nr))
		return -ENOMEM;
	for (i = 0; i < l->nr; i++) {
		node_show(&l->n[i], &n->shown[i]);
		process_node_add(&all, &l->n[i]);
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
