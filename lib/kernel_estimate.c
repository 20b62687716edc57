// SPDX-License-Identifier: MIT
/* The memory of a process from its totals, alone or with a sample of pages. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel_mem.h"
#include "procfs.h"

/* ---- a process from its totals -------------------------------------------- */

static const char *const status_keys[TALLY_NR_MEM] = {
	[TALLY_MEM_ANONYMOUS] = "RssAnon",
	[TALLY_MEM_FILE] = "RssFile",
	[TALLY_MEM_SHARED] = "RssShmem",
	[TALLY_MEM_HUGE] = "HugetlbPages",
};

static int totals_read(struct mem_reader *r, int64_t totals[TALLY_NR_MEM])
{
	char name[32], text[4096];
	unsigned int k;
	size_t len;
	int err;

	snprintf(name, sizeof(name), "%d/status", r->process->pid);
	err = procfs_read(r->proc, name, text, sizeof(text), &len);
	if (err)
		return err;
	for (k = 0; k < TALLY_NR_MEM; k++) {
		int64_t kib = 0;

		/* A kernel without huge pages doesn't mention them. */
		if (!procfs_field(text, status_keys[k], &kib) &&
		    k != TALLY_MEM_HUGE)
			return -ESRCH; /* it ended: no memory any more */
		if (kib > INT64_MAX / 1024)
			return -EBADMSG;
		totals[k] = kib * 1024;
	}
	return 0;
}

int mem_totals(struct mem_reader *r, int node)
{
	int64_t bytes[TALLY_NR_MEM];
	unsigned int k;
	int err;

	err = totals_read(r, bytes);
	if (err)
		return err;
	r->err = 0;
	for (k = 0; k < TALLY_NR_MEM; k++) {
		struct mem_part part = {
			.dev = MEM_DEV_TOTALS,
			.hi = UINT64_MAX,
			.process = r->index,
			.node = node,
			.kind = (enum tally_mem_kind)k,
			.amount = {.bytes = bytes[k],
				   .lower = bytes[k],
				   .upper = bytes[k]},
		};

		mem_add_all(r, node, part.kind, &part.amount);
		mem_add_part(r, &part, false);
	}
	return r->err;
}

/* ---- a process from a sample of its pages --------------------------------- */

/* a times p: both estimates, independent of each other. */
static struct mem_amount part_of(const struct mem_amount *a, unsigned int nr,
				 unsigned int of)
{
	struct mem_amount part = mem_share(a->bytes, nr, of);
	double p = (double)nr / of;

	part.low2 += a->low2 * p * p;
	part.high2 += a->high2 * p * p;
	return part;
}

/* What nr hits of so many stand for, of a kind's total, which lags behind. */
static struct mem_amount share_of(const struct mem_reader *r,
				  enum tally_mem_kind kind, int64_t total,
				  unsigned int nr, unsigned int of)
{
	struct mem_amount a = mem_share(total, nr, of);

	/* Huge pages are counted at once. */
	if (kind != TALLY_MEM_HUGE) {
		a.low2 += r->lag2 * nr / of;
		a.high2 += r->lag2 * nr / of;
	}
	return a;
}

/* Hits on one node, nr of them, of which the kind has so many: those of nobody
 * else, or those of one mapping. */
static void group_add(struct mem_reader *r, const struct mem_hit *h,
		      const struct mem_amount *a)
{
	const struct mem_vma *vma = &r->vmas.v[h->vma];
	struct mem_amount own, common;

	if (h->exclusive) {
		mem_add_own(r, h->node, h->kind, a);
		return;
	}
	if (h->looked && vma->nr_looked == vma->nr_hits) {
		mem_add_mapped(r, vma->start, vma, h->kind, h->node, a, true);
		return;
	}
	if (!vma->nr_looked) {
		mem_add_mapped(r, vma->start, vma, h->kind, h->node, a, false);
		return;
	}
	own = part_of(a, vma->nr_exclusive, vma->nr_looked);
	common = part_of(a, vma->nr_looked - vma->nr_exclusive, vma->nr_looked);
	common.bytes = common.lower = common.upper = a->bytes - own.bytes;
	mem_add_own(r, h->node, h->kind, &own);
	mem_add_mapped(r, vma->start, vma, h->kind, h->node, &common, true);
}

/* Hits of one kind: nr of them, from first. */
static void hits_add(struct mem_reader *r, unsigned int first, unsigned int nr,
		     int64_t total)
{
	const struct mem_hit *h = r->hits.h, *of_node;
	enum tally_mem_kind kind = h[first].kind;
	unsigned int i, n, group;
	struct mem_amount a;

	/* A node without any hit may still have a little. */
	for (n = 0; n < r->nodes.nr; n++) {
		a = mem_share(total, 0, nr);
		for (i = first; i < first + nr; i++)
			if (h[i].node == r->nodes.n[n].node)
				break;
		if (i < first + nr)
			continue;
		mem_add_all(r, r->nodes.n[n].node, kind, &a);
		mem_add_own(r, r->nodes.n[n].node, kind, &a);
	}
	for (i = first, of_node = &h[first]; i < first + nr; i += group) {
		group = mem_hits_group(&r->hits, i);
		a = share_of(r, kind, total, group, nr);
		group_add(r, &h[i], &a);
		if (i + group < first + nr &&
		    h[i + group].node == of_node->node)
			continue;
		a = share_of(r, kind, total,
			     (unsigned int)(&h[i + group] - of_node), nr);
		mem_add_all(r, of_node->node, kind, &a);
		of_node = &h[i + group];
	}
}

/* So little of a kind that no page of it was drawn: it may lie anywhere, and is
 * said to lie as all else does. */
static void rest_add(struct mem_reader *r, enum tally_mem_kind kind,
		     int64_t total)
{
	unsigned int n, i, hits, before = 0, nr = r->nodes.nr;
	unsigned int of = r->hits.nr;

	for (n = 0; of && n < nr; n++) {
		int node = r->nodes.n[n].node;
		struct mem_amount a = {.upper = total};

		for (i = 0, hits = 0; i < of; i++)
			hits += r->hits.h[i].node == node;
		a.bytes = (int64_t)((__int128)total * (before + hits) / of -
				    (__int128)total * before / of);
		before += hits;
		if (r->one_node && nr == 1)
			a.lower = a.bytes;
		a.high2 = r->lag2 * hits / of;
		a.low2 = a.high2;
		mem_add_all(r, node, kind, &a);
		mem_add_own(r, node, kind, &a);
	}
}

int mem_sample_pages(struct mem_reader *r)
{
	int64_t bytes[TALLY_NR_MEM];
	unsigned int drawn[TALLY_NR_MEM];
	unsigned int i, nr, k;
	int err;

	if (!r->hits.h) {
		r->hits.h = calloc(r->hits.cap, sizeof(*r->hits.h));
		if (!r->hits.h)
			return -ENOMEM;
	}
	err = totals_read(r, bytes);
	if (!err)
		err = mem_vmas_read(r->proc, r->process->pid, &r->tmpfs,
				    &r->vmas);
	if (!err)
		err = mem_pages_draw(r->proc, r->process->pid, r->split,
				     &r->vmas,
				     (uint64_t)r->process->rss_bytes /
					     (uint64_t)sysconf(_SC_PAGESIZE),
				     &r->seed, &r->hits);
	if (err)
		return err;
	mem_hits_sort(&r->hits);
	r->err = 0;
	for (k = 0, i = 0; k < TALLY_NR_MEM; k++, i += nr) {
		for (nr = 0; i + nr < r->hits.nr; nr++)
			if (r->hits.h[i + nr].kind != k)
				break;
		if (nr)
			hits_add(r, i, nr, bytes[k]);
		drawn[k] = nr;
	}
	for (k = 0; k < TALLY_NR_MEM; k++)
		if (!drawn[k] && bytes[k])
			rest_add(r, (enum tally_mem_kind)k, bytes[k]);
	return r->err;
}
