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

static int totals_read(struct tally_mem *m, int64_t totals[TALLY_NR_MEM])
{
	char name[32], text[4096];
	unsigned int k;
	size_t len;
	int err;

	snprintf(name, sizeof(name), "%d/status", m->process->pid);
	err = procfs_read(m->proc, name, text, sizeof(text), &len);
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

int mem_totals(struct tally_mem *m, int node)
{
	int64_t bytes[TALLY_NR_MEM];
	unsigned int k;
	int err;

	err = totals_read(m, bytes);
	if (err)
		return err;
	m->err = 0;
	for (k = 0; k < TALLY_NR_MEM; k++) {
		struct mem_part part = {
			.dev = MEM_DEV_TOTALS,
			.hi = UINT64_MAX,
			.process = m->index,
			.node = node,
			.kind = (enum tally_mem_kind)k,
			.amount = {.bytes = bytes[k],
				   .lower = bytes[k],
				   .upper = bytes[k]},
		};

		mem_add_part(m, &part);
	}
	return m->err;
}

/* ---- a process from a sample of its pages --------------------------------- */

/* Hits of one kind: nr of them, from first. */
static void hits_add(struct tally_mem *m, unsigned int first, unsigned int nr,
		     int64_t total)
{
	unsigned int i, n, group;

	/* A node without any hit may still have a little. */
	for (n = 0; n < m->result.nr_nodes; n++) {
		struct mem_amount none = mem_share(total, 0, nr);

		for (i = first; i < first + nr; i++)
			if (m->hits.h[i].node == m->nodes[n].node)
				break;
		if (i == first + nr)
			mem_add_own(m, m->nodes[n].node, m->hits.h[first].kind,
				    &none);
	}
	for (i = first; i < first + nr; i += group) {
		const struct mem_hit *h = &m->hits.h[i];
		const struct mem_vma *vma = &m->vmas.v[h->vma];
		struct mem_amount a;

		group = mem_hits_group(&m->hits, i);
		a = mem_share(total, group, nr);
		if (h->exclusive)
			mem_add_own(m, h->node, h->kind, &a);
		else
			mem_add_mapped(m, vma->start, vma, h->kind, h->node,
				       &a);
	}
}

int mem_sample_pages(struct tally_mem *m)
{
	int64_t bytes[TALLY_NR_MEM];
	unsigned int i, nr, k;
	int err;

	if (!m->hits.h) {
		m->hits.h = calloc(m->o.nr_pages, sizeof(*m->hits.h));
		if (!m->hits.h)
			return -ENOMEM;
		m->hits.cap = m->o.nr_pages;
	}
	err = totals_read(m, bytes);
	if (!err)
		err = mem_vmas_read(m->proc, m->process->pid, &m->tmpfs,
				    &m->vmas);
	if (!err)
		err = mem_pages_draw(m->proc, m->process->pid, &m->vmas,
				     (uint64_t)m->process->rss_bytes /
					     (uint64_t)sysconf(_SC_PAGESIZE),
				     &m->seed, &m->hits);
	if (err)
		return err;
	mem_hits_sort(&m->hits);
	m->err = 0;
	for (k = 0, i = 0; k < TALLY_NR_MEM; k++, i += nr) {
		for (nr = 0; i + nr < m->hits.nr; nr++)
			if (m->hits.h[i + nr].kind != k)
				break;
		if (nr) {
			hits_add(m, i, nr, bytes[k]);
		} else if (bytes[k]) {
			/* So little that no page of it was drawn. */
			struct mem_amount a = {.bytes = bytes[k],
					       .lower = bytes[k],
					       .upper = bytes[k]};

			mem_add_own(m, -1, (enum tally_mem_kind)k, &a);
		}
	}
	return m->err;
}
