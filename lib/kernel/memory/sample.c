// SPDX-License-Identifier: MIT
/* The memory of a process from its totals, alone or with a sample of pages. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/memory/internal.h"
#include "kernel/proc/procfs.h"
#include "base/saturate.h"

/* ---- a process from its totals ------------------------------------------- */

static const char *const status_keys[TALLY_NR_MEM] = {
	[TALLY_MEM_ANONYMOUS] = "RssAnon",
	[TALLY_MEM_FILE] = "RssFile",
	[TALLY_MEM_SHARED] = "RssShmem",
	[TALLY_MEM_HUGE] = "HugetlbPages",
};

static bool set_bytes(int64_t *bytes, int64_t kib)
{
	return !__builtin_mul_overflow(kib, 1024, bytes);
}

/* stat has the sum, too, in pages, which its parser takes for ours. */
static int64_t rss_bytes(const struct mem_reader *r)
{
	int64_t pages = r->process->rss_bytes / sysconf(_SC_PAGESIZE), bytes;

	return __builtin_mul_overflow(pages, r->page_bytes, &bytes) ? 0 : bytes;
}

/* Linux has the kinds since 4.5; a system that looks like it may never have
 * them. Then only their sum is known. */
static int sum_read(struct mem_reader *r, const char *text, int odd,
		    int64_t totals[MEM_NR_KINDS])
{
	int64_t kib = 0;
	int err = procfs_number(text, "VmRSS", &kib);

	memset(totals, 0, sizeof(*totals) * TALLY_NR_MEM);
	totals[MEM_ANY] = 0;
	if (!err && !set_bytes(&totals[MEM_ANY], kib))
		err = -EBADMSG;
	if (err && !r->live && rss_bytes(r) > 0 &&
	    (!*text || procfs_number(text, "VmSize", &kib) != -ENOENT)) {
		totals[MEM_ANY] = rss_bytes(r);
		err = err == -ENOENT ? 0 : err;
	}
	if (odd && !err)
		err = odd;
	if (err == -EBADMSG) {
		r->odd = true;
		return totals[MEM_ANY] ? 0 : err;
	}
	/* It ended, and has no memory. */
	return err ? -ESRCH : 0;
}

/* The kernel's PID_MAX_LIMIT. */
#define MOST_THREADS (1 << 22)

static int totals_read(struct mem_reader *r, int64_t totals[MEM_NR_KINDS])
{
	char name[32], text[8192] = "";
	int64_t huge = 0, kib = 0;
	unsigned int k;
	size_t len;
	int err, odd = 0;

	r->odd = false;
	r->nr_threads = 1;
	snprintf(name, sizeof(name), "%d/status", r->process->pid);
	err = procfs_read(r->proc, name, text, sizeof(text), &len);
	/* A captured process may have none. */
	if (err && (err != -ESRCH || r->live))
		return err;
	if (!procfs_field(text, "Threads", &r->nr_threads) ||
	    r->nr_threads > MOST_THREADS)
		r->nr_threads = 1;
	for (k = 0, err = 0; !err && k < TALLY_NR_MEM; k++) {
		totals[k] = 0;
		err = procfs_number(text, status_keys[k], &kib);
		if (!err && !set_bytes(&totals[k], kib))
			err = -EBADMSG;
		/* A kernel without huge pages has no such line. */
		if (k == TALLY_MEM_HUGE) {
			huge = err ? 0 : totals[k];
			odd = err == -EBADMSG ? err : odd;
			err = 0;
		}
	}
	totals[MEM_ANY] = 0;
	r->odd = odd != 0;
	if (!err)
		return 0;
	err = sum_read(r, text, err == -EBADMSG ? err : odd, totals);
	totals[TALLY_MEM_HUGE] = huge;
	return err;
}

/* Before Linux 6.2 a thread keeps back what it counted in 65 faults. One maps up
 * to 64 KiB of a file around its address. */
#define FAULTS_KEPT  65
#define BYTES_AROUND 65536

/* The figure of status, and how far it may be off what numa_maps would tell. */
static struct mem_amount total_of(const struct mem_reader *r, unsigned int k,
				  int64_t bytes)
{
	struct mem_amount a = {.bytes = bytes, .lower = bytes, .upper = bytes};
	int64_t page = sysconf(_SC_PAGESIZE), kept, around;

	/* Huge pages are counted at once. A live process tells of no MEM_ANY,
	 * unless the kernel is older than any of this. */
	if (k == TALLY_MEM_HUGE || (k == MEM_ANY && !bytes))
		return a;
	kept = r->thread_lag ? r->nr_threads * FAULTS_KEPT : 0;
	around = k == TALLY_MEM_ANONYMOUS || page > BYTES_AROUND ? page
								 : BYTES_AROUND;
	a.lower -= kept * page;
	if (k == TALLY_MEM_FILE || k == MEM_ANY)
		a.lower -= r->vdso_bytes;
	if (a.lower < 0)
		a.lower = 0;
	a.upper = saturate_add(a.upper, kept * around);
	a.low2 = a.high2 = r->totals_lag2;
	return a;
}

int mem_totals(struct mem_reader *r, int node)
{
	int64_t bytes[MEM_NR_KINDS];
	unsigned int k;
	int err;

	err = totals_read(r, bytes);
	if (err)
		return err;
	r->err = 0;
	for (k = 0; k < MEM_NR_KINDS; k++) {
		struct mem_part part = {
			.dev = MEM_DEV_TOTALS,
			.hi = UINT64_MAX,
			.process = r->index,
			.node = node,
			.kind = (enum tally_mem_kind)k,
			.amount = total_of(r, k, bytes[k]),
		};

		mem_add_all(r, node, part.kind, &part.amount);
		mem_add_part(r, &part, false);
	}
	return r->err;
}

/* ---- a process from a sample of its pages -------------------------------- */

/* a times nr / of: two independent estimates. */
static struct mem_amount part_of(const struct mem_amount *a, unsigned int nr,
				 unsigned int of)
{
	struct mem_amount part = mem_share(a->bytes, nr, of);
	double p = (double)nr / of;

	part.low2 += a->low2 * p * p;
	part.high2 += a->high2 * p * p;
	return part;
}

/* The part of a kind's total that nr hits, of so many, stand for. The total
 * lags behind. */
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

/* Add nr equal hits on one node, of so many of the kind: own ones, or those of
 * one mapping. */
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

/* Add the hits of one kind: nr of them, from first. */
static void hits_add(struct mem_reader *r, unsigned int first, unsigned int nr,
		     int64_t total)
{
	const struct mem_hit *h = r->hits.h, *of_node;
	enum tally_mem_kind kind = h[first].kind;
	unsigned int i, n, group;
	struct mem_amount a;

	/* A node without a hit may have a little. */
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

/* Add a kind so small that the sample has no page of it. It may lie anywhere;
 * distribute it like everything else. */
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
	int64_t bytes[MEM_NR_KINDS];
	unsigned int drawn[TALLY_NR_MEM];
	unsigned int i, nr, k;
	int err;

	if (!r->hits.h) {
		r->hits.h = calloc(r->hits.cap, sizeof(*r->hits.h));
		if (!r->hits.h)
			return -ENOMEM;
	}
	err = totals_read(r, bytes);
	/* The sample tells shares of each kind. */
	if (!err && (bytes[MEM_ANY] || r->odd))
		err = -EAGAIN;
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
