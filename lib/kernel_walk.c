// SPDX-License-Identifier: MIT
/* The memory of a process, from every line of its numa_maps. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel_mem.h"
#include "kernel_stat.h"
#include "procfs.h"

static void walk_add(struct mem_reader *r, const struct tally_mapping *map,
		     const struct mem_vma *vma, enum tally_mem_kind kind,
		     int node, const struct mem_amount *a)
{
	if (map->nr_mappers > 1)
		mem_add_mapped(r, map->start, vma, kind, node, a);
	else
		mem_add_own(r, node, kind, a);
}

/* A forked mapping of at least so many bytes is worth a look at some of its
 * pages: about 100 us. */
#define WORTH_A_LOOK (4 << 20)

/*
 * Part of a forked process's memory has been copied since, part is still one
 * with the other process's. numa_maps says only that some of it is: how much,
 * on each node alike, is estimated from some of its pages.
 */
static bool add_forked(struct mem_reader *r, const struct tally_mapping *map,
		       const struct mem_vma *vma)
{
	unsigned int i, exclusive, of;
	char name[32];

	if (!r->live || !vma || map->nr_pages * map->page_bytes < WORTH_A_LOOK)
		return false;
	if (r->pagemap < 0) {
		snprintf(name, sizeof(name), "%d/pagemap", r->process->pid);
		r->pagemap = openat(r->proc, name, O_RDONLY | O_CLOEXEC);
	}
	if (r->pagemap < 0 ||
	    !mem_pages_exclusive(r->pagemap, vma, &r->seed, &exclusive, &of))
		return false;
	for (i = 0; i < map->nr_nodes; i++) {
		const struct tally_node_pages *n = &map->nodes[i];
		int64_t bytes = (int64_t)(n->nr_pages * map->page_bytes);
		struct mem_amount own, forked;

		own = mem_share(bytes, exclusive, of);
		forked = mem_share(bytes, of - exclusive, of);
		forked.bytes = bytes - own.bytes;
		forked.lower = forked.bytes;
		forked.upper = forked.bytes;
		mem_add_own(r, n->node, TALLY_MEM_ANONYMOUS, &own);
		mem_add_mapped(r, map->start, vma, TALLY_MEM_ANONYMOUS, n->node,
			       &forked);
	}
	return true;
}

/* numa_maps says how many of a mapping's pages are anonymous, and how many
 * pages are on each node, but not both at once. */
static void walk_node(struct mem_reader *r, const struct tally_mapping *map,
		      const struct mem_vma *vma, enum tally_mem_kind kind,
		      unsigned int i, uint64_t before)
{
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
	walk_add(r, map, vma, TALLY_MEM_ANONYMOUS, n->node, &a);
	a.bytes = (int64_t)(here - share) * page;
	a.lower = (int64_t)(here - most) * page;
	a.upper = (int64_t)(here - least) * page;
	walk_add(r, map, vma, kind, n->node, &a);
}

void mem_walk_line(void *arg, const struct tally_mapping *map)
{
	struct mem_reader *r = arg;
	const struct mem_vma *vma = mem_vmas_find(&r->vmas, map->start);
	enum tally_mem_kind kind = map->kind;
	struct mem_amount a = {.bytes = 0};
	uint64_t before = 0;
	unsigned int i;

	r->nr_lines++;
	if (vma && vma->start != map->start)
		vma = NULL;
	if (kind == TALLY_MEM_FILE && vma && vma->shmem)
		kind = TALLY_MEM_SHARED;
	if (kind == TALLY_MEM_ANONYMOUS && map->nr_mappers > 1 &&
	    add_forked(r, map, vma))
		return;
	for (i = 0; i < map->nr_nodes; i++) {
		uint64_t here = map->nodes[i].nr_pages;

		if (!here)
			continue;
		if (kind == TALLY_MEM_FILE || kind == TALLY_MEM_SHARED) {
			walk_node(r, map, vma, kind, i, before);
		} else {
			a.bytes = (int64_t)(here * map->page_bytes);
			a.lower = a.bytes;
			a.upper = a.bytes;
			walk_add(r, map, vma, kind, map->nodes[i].node, &a);
		}
		before += here;
	}
}

/* Whether a process that was read until the text ended was there until then:
 * for one that ends meanwhile, the text just ends early. */
static bool still_there(struct mem_reader *r)
{
	struct tally_stat s;

	if (r->nr_lines >= r->vmas.nr)
		return true;
	return !kernel_stat_read(r->proc, r->process->pid, 0, &s) &&
	       s.start_ticks == r->process->start_ticks && s.state != 'Z' &&
	       s.state != 'X';
}

int mem_walk(struct mem_reader *r)
{
	char name[32], buf[16384];
	ssize_t n;
	int fd, err;

	err = mem_vmas_read(r->proc, r->process->pid, &r->tmpfs, &r->vmas);
	if (err == -ENOMEM)
		return err;
	snprintf(name, sizeof(name), "%d/numa_maps", r->process->pid);
	fd = openat(r->proc, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r->nr_lines = 0;
	r->err = 0;
	while ((n = procfs_read_some(fd, buf, sizeof(buf))) > 0)
		tally_kernel_numa_maps_feed(r->parser, buf, (size_t)n);
	r->nr_malformed += tally_kernel_numa_maps_finish(r->parser);
	close(fd);
	if (r->pagemap >= 0)
		close(r->pagemap);
	r->pagemap = -1;
	if (r->err)
		return r->err;
	if (n < 0)
		return (int)n;
	return still_there(r) ? 0 : -ESRCH;
}
