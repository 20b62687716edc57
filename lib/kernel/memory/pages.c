// SPDX-License-Identifier: MIT
/*
 * The nodes of a large process's memory, from a sample of its pages.
 *
 * Addresses are drawn uniformly from all its mappings. The resident pages among
 * them are a simple random sample of its resident pages; move_pages(2) tells
 * which are resident, and on which node. A node's share of a kind is scaled to
 * the bytes of that kind in status.
 *
 * pagemap tells more about a page, but costs eight times as much. It is read
 * only if the mapping does not tell a page's kind, and for some pages of each
 * anonymous mapping, to see whether a fork has them too; if so, for all of
 * them.
 *
 * Linux 6.1 hides from move_pages(2) the pages that NUMA balancing has prepared
 * for a hinting fault, and these are no random part of all. pagemap shows them,
 * so it is read for some of the pages that seem to be missing.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/memory/pages.h"
#include "kernel/proc/procfs.h"
#include "base/sort.h"

/* From the kernel's Documentation/admin-guide/mm/pagemap.rst. */
#define PAGE_PRESENT   (1ull << 63)
#define PAGE_FILE      (1ull << 61) /* or shared anonymous */
#define PAGE_EXCLUSIVE (1ull << 56) /* only this process has it mapped */

#define BATCH	       512
#define MIN_HITS       64
#define ONE_IN	       16 /* of the pages of an anonymous mapping */
#define ONE_IN_SPLIT   8  /* of the pages of every mapping */

#define ONE_IN_MISSING 16

#define FORKED_HITS    64 /* of a mapping that a fork has too */

/* A sample may lack one resident page in so many. */
#define ONE_IN_HIDDEN 50

/* The generator splitmix64 (Steele, Lea and Flood, 2014). */
static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t below(uint64_t *seed, uint64_t limit)
{
	return (uint64_t)(((unsigned __int128)next_random(seed) * limit) >> 64);
}

/* Number the pages of all mappings, and return how many there are. */
static uint64_t number_pages(struct mem_vmas *l, uint64_t page)
{
	uint64_t nr = 0;
	unsigned int i;

	for (i = 0; i < l->nr; i++) {
		l->v[i].first_page = nr;
		if (l->v[i].accessible)
			nr += (l->v[i].end - l->v[i].start) / page;
	}
	return nr;
}

/* Return the mapping of page number nr: the last that begins at or before it,
 * because a mapping without pages begins where the next one does. */
static unsigned int page_vma(const struct mem_vmas *l, uint64_t nr)
{
	unsigned int lo = 0, hi = l->nr;

	while (hi - lo > 1) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (l->v[mid].first_page <= nr)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static enum tally_mem_kind kind_of(const struct mem_vma *v)
{
	if (v->hugetlb)
		return TALLY_MEM_HUGE;
	if (!v->inode)
		return TALLY_MEM_ANONYMOUS;
	return v->shmem ? TALLY_MEM_SHARED : TALLY_MEM_FILE;
}

struct drawing {
	int pagemap;
	pid_t pid;
	uint64_t page;
	uint64_t nr_pages; /* in all mappings */
	uint64_t *seed;
	struct mem_vmas *vmas;
	unsigned int nr_missing;
	unsigned int nr_hidden; /* of every ONE_IN_MISSINGth of these */
};

static int look_up(const struct drawing *d, uint64_t address, uint64_t *entry)
{
	ssize_t n = pread(d->pagemap, entry, sizeof(*entry),
			  (off_t)(address / d->page * sizeof(*entry)));

	if (n < 0)
		return -errno;
	return n == sizeof(*entry) ? 0 : -ESRCH;
}

/* Count a page that move_pages(2) did not find. */
static int missing(struct drawing *d, uint64_t address)
{
	uint64_t entry;
	int err;

	if (d->nr_missing++ % ONE_IN_MISSING)
		return 0;
	err = look_up(d, address, &entry);
	if (!err)
		d->nr_hidden += !!(entry & PAGE_PRESENT);
	return err;
}

/* Draw a batch, and keep the resident pages. */
static int draw(struct drawing *d, struct mem_hit *hits, unsigned int max,
		unsigned int *nr)
{
	struct mem_hit drawn[BATCH];
	void *at[BATCH];
	int node[BATCH];
	unsigned int i;
	int err = 0;

	for (i = 0; i < BATCH; i++) {
		uint64_t r = below(d->seed, d->nr_pages);
		unsigned int v = page_vma(d->vmas, r);
		const struct mem_vma *vma = &d->vmas->v[v];

		drawn[i] = (struct mem_hit){
			.address = vma->start + (r - vma->first_page) * d->page,
			.vma = v,
			.kind = kind_of(vma),
			.exclusive = !vma->inode,
		};
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): another's */
		at[i] = (void *)(uintptr_t)drawn[i].address;
	}
	if (move_pages(d->pid, BATCH, at, NULL, node, 0) < 0)
		return -errno;
	for (i = 0, *nr = 0; !err && i < BATCH && *nr < max; i++) {
		if (node[i] == -ENOENT)
			err = missing(d, drawn[i].address);
		/* Not resident, or the zero page. */
		if (node[i] < 0)
			continue;
		drawn[i].node = node[i];
		hits[(*nr)++] = drawn[i];
	}
	return err;
}

static int look_at(struct drawing *d, struct mem_hit *h)
{
	struct mem_vma *v = &d->vmas->v[h->vma];
	uint64_t entry;
	int err = look_up(d, h->address, &entry);

	if (err)
		return err;
	h->looked = true;
	h->exclusive = entry & PAGE_EXCLUSIVE;
	v->nr_looked++;
	v->nr_exclusive += h->exclusive;
	if (v->inode && !v->hugetlb && !(entry & PAGE_FILE))
		h->kind = TALLY_MEM_ANONYMOUS;
	v->forked |= !h->exclusive && !v->inode;
	return 0;
}

/*
 * Look at pages where the mapping does not tell enough: at all pages of a
 * forked mapping; or, if every mapping is to be split, at some of each, which
 * stand for the others.
 */
static int refine(struct drawing *d, struct mem_hits *hits, bool split)
{
	unsigned int i, pass, one_in = split ? ONE_IN_SPLIT : ONE_IN;
	int err;

	for (i = 0; i < d->vmas->nr; i++) {
		struct mem_vma *v = &d->vmas->v[i];

		v->nr_hits = v->nr_looked = v->nr_exclusive = 0;
		v->forked = false;
	}
	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < hits->nr; i++) {
			struct mem_hit *h = &hits->h[i];
			struct mem_vma *v = &d->vmas->v[h->vma];
			bool mixed = v->inode && !v->shared && !v->hugetlb;

			if (pass ? h->looked ||
					    (!mixed && (split || !v->forked))
				 : v->nr_hits++ % one_in ||
					    (v->inode && !split))
				continue;
			err = look_at(d, h);
			if (err)
				return err;
		}
	for (i = 0; i < hits->nr; i++) {
		const struct mem_vma *v = &d->vmas->v[hits->h[i].vma];

		if ((v->inode || (split && v->forked)) &&
		    v->nr_looked < v->nr_hits)
			hits->h[i].exclusive = false;
	}
	return 0;
}

int mem_pages_draw(int proc, pid_t pid, bool split, struct mem_vmas *vmas,
		   uint64_t resident, uint64_t *seed, struct mem_hits *hits)
{
	struct drawing d = {.pid = pid, .seed = seed, .vmas = vmas};
	uint64_t drawn = 0, most;
	char name[32];
	int err = 0;

	d.page = (uint64_t)sysconf(_SC_PAGESIZE);
	d.nr_pages = number_pages(vmas, d.page);
	hits->nr = 0;
	if (!d.nr_pages)
		return -ESRCH;
	snprintf(name, sizeof(name), "%d/pagemap", pid);
	d.pagemap = openat(proc, name, O_RDONLY | O_CLOEXEC);
	if (d.pagemap < 0)
		return -errno;
	/* In address space that is mostly empty, give up when the draws cost
	 * about as much as a walk over all resident pages, or as soon as they
	 * look likely to. */
	most = resident / 8 > 16 * (uint64_t)hits->cap
		       ? resident / 8
		       : 16 * (uint64_t)hits->cap;
	while (!err && hits->nr < hits->cap && drawn < most) {
		unsigned int nr = 0;

		err = draw(&d, hits->h + hits->nr, hits->cap - hits->nr, &nr);
		hits->nr += nr;
		drawn += BATCH;
		if (drawn / BATCH >= 4 && hits->nr * most < MIN_HITS * drawn)
			break;
	}
	if (!err && (hits->nr < MIN_HITS ||
		     d.nr_hidden * ONE_IN_MISSING * ONE_IN_HIDDEN > hits->nr))
		err = -EAGAIN;
	if (!err)
		err = refine(&d, hits, split);
	close(d.pagemap);
	return err;
}

static void note(uint64_t entry, struct mem_look *look)
{
	unsigned int file = !!(entry & PAGE_FILE);

	if (!(entry & PAGE_PRESENT))
		return;
	look->of[file]++;
	look->exclusive[file] += !!(entry & PAGE_EXCLUSIVE);
}

static bool look_at_all(int pagemap, const struct mem_vma *vma, uint64_t page,
			struct mem_look *look)
{
	uint64_t entries[BATCH], first = vma->start / page;
	uint64_t nr = (vma->end - vma->start) / page, done, i;
	ssize_t n;

	look->all = true;
	for (done = 0; done < nr; done += (uint64_t)n / sizeof(*entries)) {
		size_t most = nr - done < BATCH ? nr - done : BATCH;

		n = pread(pagemap, entries, most * sizeof(*entries),
			  (off_t)((first + done) * sizeof(*entries)));
		if (n < (ssize_t)sizeof(*entries))
			return false;
		for (i = 0; i < (uint64_t)n / sizeof(*entries); i++)
			note(entries[i], look);
	}
	return true;
}

bool mem_pages_look(int pagemap, const struct mem_vma *vma, uint64_t *seed,
		    struct mem_look *look)
{
	struct drawing d = {.pagemap = pagemap};
	uint64_t entry, nr;
	unsigned int i;

	*look = (struct mem_look){.all = false};
	d.page = (uint64_t)sysconf(_SC_PAGESIZE);
	if (vma->end - vma->start < MEM_LOOK_AT_ALL)
		return look_at_all(pagemap, vma, d.page, look);
	nr = (vma->end - vma->start) / d.page;
	for (i = 0;
	     i < 2 * FORKED_HITS && look->of[0] + look->of[1] < FORKED_HITS;
	     i++) {
		if (look_up(&d, vma->start + below(seed, nr) * d.page, &entry))
			return false;
		note(entry, look);
	}
	return look->of[0] + look->of[1] >= FORKED_HITS / 4;
}

static int hit_order(const void *hit_a, const void *hit_b)
{
	const struct mem_hit *a = hit_a, *b = hit_b;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	if (a->exclusive != b->exclusive)
		return a->exclusive ? -1 : 1;
	if (a->exclusive || a->vma == b->vma)
		return 0;
	return a->vma < b->vma ? -1 : 1;
}

void mem_hits_sort(struct mem_hits *hits)
{
	sort_in_place(hits->h, hits->nr, sizeof(*hits->h), hit_order);
}

unsigned int mem_hits_group(const struct mem_hits *hits, unsigned int first)
{
	unsigned int i = first + 1;

	while (i < hits->nr && !hit_order(&hits->h[first], &hits->h[i]))
		i++;
	return i - first;
}

/* Wilson's score interval (1927), which is valid at shares of 0 and 1 too. */
struct mem_amount mem_share(int64_t total, unsigned int nr, unsigned int of)
{
	const double z = 1.959964;
	double n = of, p = nr / n, wide = 1 + z * z / n;
	double centre = (p + z * z / (2 * n)) / wide;
	double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / wide;
	double low = (p - (centre - half)) * (double)total;
	double high = (centre + half - p) * (double)total;
	struct mem_amount a = {
		.bytes = (int64_t)((__int128)total * nr / of),
	};

	a.lower = a.bytes;
	a.upper = a.bytes;
	if (nr && low > 0)
		a.low2 = low * low;
	if (nr < of && high > 0)
		a.high2 = high * high;
	return a;
}
