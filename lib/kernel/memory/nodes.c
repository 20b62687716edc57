// SPDX-License-Identifier: MIT
/* What a process has on each node. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "kernel/memory/internal.h"
#include "base/array.h"
#include "base/saturate.h"

struct mem_node *mem_nodes_at(struct mem_nodes *l, int node)
{
	unsigned int i;

	if (node < 0)
		return &l->unknown;
	for (i = 0; i < l->nr && l->n[i].node < node; i++)
		;
	if (i < l->nr && l->n[i].node == node)
		return &l->n[i];
	if (array_reserve(l->n, l->cap, l->nr + 1))
		return NULL;
	memmove(&l->n[i + 1], &l->n[i], (l->nr - i) * sizeof(*l->n));
	l->n[i] = (struct mem_node){.node = node};
	l->nr++;
	return &l->n[i];
}

void mem_nodes_clear(struct mem_nodes *l)
{
	unsigned int i;

	for (i = 0; i < l->nr; i++)
		l->n[i] = (struct mem_node){.node = l->n[i].node};
	l->unknown = (struct mem_node){.node = -1};
}

struct tally_mem_figure
mem_figure_of(const struct mem_amount amounts[MEM_NR_KINDS], unsigned int kind)
{
	struct mem_amount a = amounts[kind];

	if (kind != TALLY_MEM_HUGE && kind != MEM_ANY) {
		a.upper = saturate_add(a.upper, amounts[MEM_ANY].upper);
		a.high2 += amounts[MEM_ANY].high2;
	}
	return mem_amount_figure(&a);
}

void mem_add_all(struct mem_reader *r, int node, enum tally_mem_kind kind,
		 const struct mem_amount *a)
{
	struct mem_node *n = mem_nodes_at(&r->nodes, node);

	if (n)
		mem_amount_add(&n->all[kind], a);
	else
		r->err = -ENOMEM;
}

void mem_add_own(struct mem_reader *r, int node, enum tally_mem_kind kind,
		 const struct mem_amount *a)
{
	struct mem_node *n = mem_nodes_at(&r->nodes, node);

	if (n)
		mem_amount_add(&n->own[kind], a);
	else
		r->err = -ENOMEM;
}

void mem_add_part(struct mem_reader *r, const struct mem_part *part, bool sure)
{
	struct mem_node *n = mem_nodes_at(&r->nodes, part->node);
	int err;

	if (!part->amount.upper && part->amount.high2 <= 0)
		return;
	err = n ? mem_parts_add(&r->parts, part) : -ENOMEM;
	if (err) {
		r->err = err;
	} else if (!sure) {
		n->maybe[part->kind].upper = saturate_add(
			n->maybe[part->kind].upper, part->amount.upper);
		n->maybe[part->kind].high2 += part->amount.high2;
	}
}

void mem_add_mapped(struct mem_reader *r, uint64_t start,
		    const struct mem_vma *vma, enum tally_mem_kind kind,
		    int node, const struct mem_amount *a, bool sure)
{
	struct mem_part part = {
		.process = r->index, .node = node, .kind = kind, .amount = *a};

	if (kind == TALLY_MEM_ANONYMOUS || !vma || !vma->inode) {
		part.lo = start;
		part.hi = vma ? vma->end : start + 1;
	} else {
		part.dev = vma->dev;
		part.inode = vma->inode;
		part.lo = vma->offset;
		part.hi = vma->offset + (vma->end - vma->start);
	}
	mem_add_part(r, &part, sure);
}
