/* SPDX-License-Identifier: MIT */
/* Single pages of a process: which are resident, and which it shares. */
#ifndef KERNEL_MEMORY_PAGES_H
#define KERNEL_MEMORY_PAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/kernel_memory.h>

#include "kernel/memory/maps.h"
#include "kernel/memory/parts.h"

/* A resident page of a sample. */
struct mem_hit {
	uint64_t address;
	unsigned int vma;
	int node;
	enum tally_mem_kind kind;
	bool looked;
	bool exclusive; /* no other process has it mapped; assumed for all
			   but files if not looked */
};

struct mem_hits {
	struct mem_hit *h;
	unsigned int nr;
	unsigned int cap;
};

/*
 * Fill hits with a sample of resident pages of a process, which has about so
 * many. With split, look at some pages of every mapping.
 *
 * -EAGAIN	too few of the pages drawn were resident, or move_pages(2) does not
 *		show all that are
 * -ESRCH	it ended
 * other	as opening its pagemap, and as move_pages(2)
 */
int mem_pages_draw(int proc, pid_t pid, bool split, struct mem_vmas *vmas,
		   uint64_t resident, uint64_t *seed, struct mem_hits *hits);

/* Pages of a mapping, counted: [1] of files and shared memory, [0] others. */
struct mem_look {
	bool all;		   /* all its pages, not a sample of them */
	unsigned int exclusive[2]; /* no other process has them mapped */
	unsigned int of[2];	   /* present */
};

/* Smaller mappings are read whole, others in part. Takes about 100 us. */
#define MEM_LOOK_AT_ALL (4 << 20)

/* Look at the pages of a mapping. False: too few were resident, or pagemap
 * can't be read. */
bool mem_pages_look(int pagemap, const struct mem_vma *vma, uint64_t *seed,
		    struct mem_look *look);

/* Sort hits by kind and node, within these own ones first, then others by
 * mapping. mem_hits_group() is the number of equal hits from first on. */
void mem_hits_sort(struct mem_hits *hits);
unsigned int mem_hits_group(const struct mem_hits *hits, unsigned int first);

/* Estimate the part of total that nr hits, of so many, stand for. */
struct mem_amount mem_share(int64_t total, unsigned int nr, unsigned int of);

#endif
