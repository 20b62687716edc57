// SPDX-License-Identifier: MIT
/*
 * Memory that several processes of a tree have mapped, counted once.
 *
 * numa_maps tells how many pages of a range each process has, not which. Of
 * mappings whose ranges overlap, the amount of the process with most of it
 * certainly exists, and the sum over processes is the most that can exist.
 */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "kernel/memory/parts.h"
#include "base/saturate.h"
#include "base/sort.h"
#include "base/array.h"

void mem_amount_add(struct mem_amount *to, const struct mem_amount *a)
{
	to->bytes = saturate_add(to->bytes, a->bytes);
	to->lower = saturate_add(to->lower, a->lower);
	to->upper = saturate_add(to->upper, a->upper);
	to->low2 += a->low2;
	to->high2 += a->high2;
}

static int64_t to_bytes(double bytes)
{
	return bytes < 0x1p62 ? (int64_t)ceil(bytes) : INT64_C(1) << 62;
}

struct tally_mem_figure mem_amount_figure(const struct mem_amount *a)
{
	struct tally_mem_figure f = {.bytes = a->bytes};
	double low = sqrt(a->low2), high = sqrt(a->high2);

	f.lower_bytes = a->lower - to_bytes(low);
	f.upper_bytes = saturate_add(a->upper, to_bytes(high));
	if (f.lower_bytes < 0)
		f.lower_bytes = 0;
	return f;
}

int mem_parts_add(struct mem_parts *l, const struct mem_part *part)
{
	if (array_reserve(l->p, l->cap, l->nr + 1))
		return -ENOMEM;
	l->p[l->nr++] = *part;
	return 0;
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int same_memory(const struct mem_part *a, const struct mem_part *b)
{
	int c = compare(a->kind, b->kind);

	c = c ? c : compare(a->dev, b->dev);
	c = c ? c : compare(a->inode, b->inode);
	return c ? c : compare((uint64_t)a->node, (uint64_t)b->node);
}

static int by_memory(const void *part_a, const void *part_b)
{
	const struct mem_part *a = part_a, *b = part_b;
	int c = same_memory(a, b);

	return c ? c : compare(a->lo, b->lo);
}

static int by_process(const void *part_a, const void *part_b)
{
	const struct mem_part *a = part_a, *b = part_b;
	int c = compare(a->process, b->process);

	return c ? c : compare(a->lo, b->lo);
}

/* The amount of one process: of a range mapped twice, the larger counts. */
static unsigned int one_process(const struct mem_part *p, unsigned int nr,
				struct mem_amount *has)
{
	unsigned int i, largest = 0;
	uint64_t hi = p[0].hi;

	*has = (struct mem_amount){.bytes = 0};
	for (i = 1; i <= nr; i++) {
		bool same = i < nr && p[i].process == p[0].process;

		if (same && p[i].lo < hi) {
			if (p[i].amount.bytes > p[largest].amount.bytes)
				largest = i;
			if (p[i].hi > hi)
				hi = p[i].hi;
			continue;
		}
		mem_amount_add(has, &p[largest].amount);
		if (!same)
			return i;
		largest = i;
		hi = p[i].hi;
	}
	return nr;
}

/* Merge the parts of one cluster, in which ranges overlap, directly or by way
 * of others. */
static struct mem_amount merge(struct mem_part *p, unsigned int nr,
			       uint64_t span)
{
	struct mem_amount most = {.bytes = -1}, sum = {.bytes = 0}, has;
	unsigned int i, used;

	if (nr == 1)
		return p[0].amount;
	for (i = 0; i < nr; i++)
		mem_amount_add(&sum, &p[i].amount);
	sort_in_place(p, nr, sizeof(*p), by_process);
	for (i = 0; i < nr; i += used) {
		used = one_process(p + i, nr - i, &has);
		if (has.bytes > most.bytes)
			most = has;
	}
	/* A page of a file is in memory once. Anonymous pages at one address
	 * can be as many as there are processes. */
	if (p[0].kind != TALLY_MEM_ANONYMOUS && span <= INT64_MAX &&
	    sum.upper > (int64_t)span)
		sum.upper = (int64_t)span;
	if ((p[0].kind == TALLY_MEM_ANONYMOUS ||
	     (unsigned int)p[0].kind == MEM_ANY) &&
	    p[0].dev == MEM_DEV_TOTALS)
		most.bytes = sum.bytes;
	if (most.upper < sum.upper)
		most.upper = sum.upper;
	return most;
}

/* What is known of others by range can be the pages of these totals. */
static void lower_totals(struct mem_amount *totals,
			 const struct mem_amount known[MEM_NR_KINDS],
			 enum tally_mem_kind kind)
{
	struct mem_amount sum = known[kind];
	int64_t most;

	if ((unsigned int)kind == MEM_ANY)
		for (unsigned int k = 0; k < TALLY_NR_MEM; k++)
			mem_amount_add(&sum, &known[k]);
	most = mem_amount_figure(&sum).upper_bytes;
	totals->lower = totals->lower > most ? totals->lower - most : 0;
}

void mem_parts_merge(struct mem_parts *l,
		     void (*each)(void *arg, int node, enum tally_mem_kind kind,
				  const struct mem_amount *amount),
		     void *arg)
{
	struct mem_amount known[MEM_NR_KINDS] = {{.bytes = 0}};
	unsigned int i, j;

	sort_in_place(l->p, l->nr, sizeof(*l->p), by_memory);
	for (i = 0; i < l->nr; i = j) {
		struct mem_amount a;
		uint64_t hi = l->p[i].hi;

		for (j = i + 1; j < l->nr && l->p[j].lo < hi &&
				!same_memory(&l->p[i], &l->p[j]);
		     j++)
			if (l->p[j].hi > hi)
				hi = l->p[j].hi;
		a = merge(l->p + i, j - i, hi - l->p[i].lo);
		/* Totals come last of their kind. */
		if (l->p[i].dev == MEM_DEV_TOTALS)
			lower_totals(&a, known, l->p[i].kind);
		else
			mem_amount_add(&known[l->p[i].kind], &a);
		each(arg, l->p[i].node, l->p[i].kind, &a);
	}
}
