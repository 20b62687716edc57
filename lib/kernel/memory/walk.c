// SPDX-License-Identifier: MIT
/* The memory of a process, from every line of its numa_maps. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/memory/internal.h"
#include "kernel/proc/stat.h"
#include "kernel/proc/procfs.h"
#include "base/regular.h"

/* A mapping, and which of its pages others have too. */
struct walk {
	const struct tally_mapping *map;
	const struct mem_vma *vma; /* NULL: not known */
	bool looked;
	struct mem_look look;
};

/*
 * Part of a shared mapping may be this process's own: after a fork, the pages
 * copied since. numa_maps tells only that some page is shared; pagemap tells
 * more.
 */
static void look(struct mem_reader *r, struct walk *w)
{
	const struct tally_mapping *map = w->map;
	char name[32];

	if (!r->live || !w->vma || map->nr_mappers <= 1 || !map->nr_pages)
		return;
	if (!r->split && (map->kind != TALLY_MEM_ANONYMOUS ||
			  map->nr_pages * map->page_bytes < MEM_LOOK_AT_ALL))
		return;
	if (r->pagemap < 0) {
		snprintf(name, sizeof(name), "%d/pagemap", r->process->pid);
		r->pagemap = openat(r->proc, name, O_RDONLY | O_CLOEXEC);
	}
	w->looked = r->pagemap >= 0 &&
		    mem_pages_look(r->pagemap, w->vma, &r->seed, &w->look);
}

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t not_below_0(int64_t a)
{
	return a < 0 ? 0 : a;
}

/*
 * All pages were looked at, so it is known how many are own ones; not where, if
 * there are several nodes, nor of pages that moved to another node meanwhile.
 * total is the mapping's amount of the kind.
 */
static void split_surely(const struct mem_amount *a, int64_t exclusive,
			 int64_t others, int64_t total, struct mem_amount *own,
			 struct mem_amount *common)
{
	int64_t missing, most, likely;

	exclusive = min(exclusive, total);
	/* The zero page counts among others, but not in the total. */
	others = min(others, total - exclusive);
	missing = total - exclusive - others;
	most = exclusive + missing;
	likely = exclusive;
	if (missing && missing < total)
		likely += (int64_t)((__int128)missing * exclusive /
				    (exclusive + others));
	*own = (struct mem_amount){
		.bytes = (int64_t)((__int128)a->bytes * likely / total),
		.lower = not_below_0(a->lower - (total - exclusive)),
		.upper = min(a->upper, most),
	};
	*common = (struct mem_amount){
		.bytes = a->bytes - own->bytes,
		.lower = not_below_0(a->lower - most),
		.upper = min(a->upper, total - exclusive),
	};
}

/* Some pages were looked at: assume their share on each node. */
static void split_likely(const struct mem_amount *a, unsigned int exclusive,
			 unsigned int of, struct mem_amount *own,
			 struct mem_amount *common)
{
	*own = mem_share(a->bytes, exclusive, of);
	*common = mem_share(a->bytes, of - exclusive, of);
	common->bytes = a->bytes - own->bytes;
	own->lower = not_below_0(own->bytes - (a->bytes - a->lower));
	own->upper = own->bytes + (a->upper - a->bytes);
	common->lower = not_below_0(common->bytes - (a->bytes - a->lower));
	common->upper = common->bytes + (a->upper - a->bytes);
}

/* total: bytes of this kind in the whole mapping. */
static void walk_add(struct mem_reader *r, const struct walk *w,
		     enum tally_mem_kind kind, int node,
		     const struct mem_amount *a, int64_t total)
{
	const struct mem_look *l = &w->look;
	int64_t page = sysconf(_SC_PAGESIZE);
	unsigned int exclusive = 0, of = 0, c;
	struct mem_amount own, common;

	mem_add_all(r, node, kind, a);
	if (w->map->nr_mappers <= 1) {
		mem_add_own(r, node, kind, a);
		return;
	}
	for (c = 0; w->looked && c < 2; c++)
		if (kind == TALLY_MEM_HUGE ||
		    c == (kind != TALLY_MEM_ANONYMOUS)) {
			exclusive += l->exclusive[c];
			of += l->of[c];
		}
	if (!of || !total) {
		mem_add_mapped(r, w->map->start, w->vma, kind, node, a, false);
		return;
	}
	if (l->all)
		split_surely(a, exclusive * page, (of - exclusive) * page,
			     total, &own, &common);
	else
		split_likely(a, exclusive, of, &own, &common);
	mem_add_own(r, node, kind, &own);
	mem_add_mapped(r, w->map->start, w->vma, kind, node, &common, true);
}

/* numa_maps tells how many pages of a mapping are anonymous, and how many are
 * on each node, but not both at once. */
static void walk_node(struct mem_reader *r, const struct walk *w,
		      enum tally_mem_kind kind, unsigned int i, uint64_t before)
{
	const struct tally_mapping *map = w->map;
	const struct tally_node_pages *n = &map->nodes[i];
	uint64_t anon = map->nr_anonymous, total = map->nr_pages;
	uint64_t rest = total - anon, here = n->nr_pages;
	uint64_t share, least, most;
	int64_t page = (int64_t)map->page_bytes;
	struct mem_amount a = {.bytes = 0};

	share = (uint64_t)((unsigned __int128)anon * (before + here) / total -
			   (unsigned __int128)anon * before / total);
	least = here > rest ? here - rest : 0;
	most = here < anon ? here : anon;
	a.bytes = (int64_t)share * page;
	a.lower = (int64_t)least * page;
	a.upper = (int64_t)most * page;
	walk_add(r, w, TALLY_MEM_ANONYMOUS, n->node, &a, (int64_t)anon * page);
	a.bytes = (int64_t)(here - share) * page;
	a.lower = (int64_t)(here - most) * page;
	a.upper = (int64_t)(here - least) * page;
	walk_add(r, w, kind, n->node, &a, (int64_t)rest * page);
}

static void walk_mapping(struct mem_reader *r, const struct tally_mapping *map)
{
	struct walk w = {.map = map,
			 .vma = mem_vmas_find(&r->vmas, map->start)};
	int64_t page = (int64_t)map->page_bytes;
	enum tally_mem_kind kind = map->kind;
	struct mem_amount a = {.bytes = 0};
	uint64_t before = 0;
	unsigned int i;

	r->nr_lines++;
	if (w.vma && w.vma->start != map->start)
		w.vma = NULL;
	if (kind == TALLY_MEM_FILE && w.vma && w.vma->shmem)
		kind = TALLY_MEM_SHARED;
	look(r, &w);
	for (i = 0; i < map->nr_nodes; i++) {
		uint64_t here = map->nodes[i].nr_pages;

		if (!here)
			continue;
		if (kind == TALLY_MEM_FILE || kind == TALLY_MEM_SHARED) {
			walk_node(r, &w, kind, i, before);
		} else {
			a.bytes = (int64_t)here * page;
			a.lower = a.bytes;
			a.upper = a.bytes;
			walk_add(r, &w, kind, map->nodes[i].node, &a,
				 (int64_t)map->nr_pages * page);
		}
		before += here;
	}
}

/* Whether the process still exists: if it ends while its text is read, the text
 * just ends early. */
static bool still_there(struct mem_reader *r)
{
	struct tally_stat s;

	/* One without a state was captured without stat, which can't tell. */
	if (r->nr_lines >= r->vmas.nr || (!r->live && !r->process->state))
		return true;
	return !kernel_stat_read(r->proc, r->process->pid, 0, &s) &&
	       s.start_ticks == r->process->start_ticks && s.state != 'Z' &&
	       s.state != 'X';
}

int mem_walk(struct mem_reader *r)
{
	const struct tally_mapping *map;
	char name[32], buf[16384];
	const char *at;
	size_t size = 0;
	ssize_t n;
	int fd, err;

	err = mem_vmas_read(r->proc, r->process->pid, &r->tmpfs, &r->vmas);
	if (err == -ENOMEM || err == -EBADMSG)
		return err;
	snprintf(name, sizeof(name), "%d/numa_maps", r->process->pid);
	fd = regular_openat(r->proc, name);
	if (fd < 0)
		return fd;
	r->nr_lines = 0;
	r->err = 0;
	while ((n = procfs_read_some(fd, buf, sizeof(buf))) > 0 &&
	       (size += (size_t)n) <= REGULAR_MOST)
		for (at = buf; (map = tally_kernel_numa_maps_next(
					r->parser, &at, buf + n));)
			walk_mapping(r, map);
	r->nr_malformed += tally_kernel_numa_maps_finish(r->parser);
	close(fd);
	if (r->pagemap >= 0)
		close(r->pagemap);
	r->pagemap = -1;
	if (r->err)
		return r->err;
	if (n)
		return n < 0 ? (int)n : -EBADMSG;
	return still_there(r) ? 0 : -ESRCH;
}
