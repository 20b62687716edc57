/* SPDX-License-Identifier: MIT */
/* The ways to read the memory of one process, and how they report what they
 * find. */
#ifndef KERNEL_MEMORY_INTERNAL_H
#define KERNEL_MEMORY_INTERNAL_H

#include "kernel/memory/read.h"

/* Report bytes of the process that is being read. First report each byte with
 * mem_add_all(); then which processes map it: this one alone (own), or others
 * too, as a part or as a mapping that begins at start (vma NULL: not known
 * which). If that is not certain (sure false), the bytes may be its own after
 * all. An error goes to r->err. */
void mem_add_all(struct mem_reader *r, int node, enum tally_mem_kind kind,
		 const struct mem_amount *a);
void mem_add_own(struct mem_reader *r, int node, enum tally_mem_kind kind,
		 const struct mem_amount *a);
void mem_add_part(struct mem_reader *r, const struct mem_part *part, bool sure);
void mem_add_mapped(struct mem_reader *r, uint64_t start,
		    const struct mem_vma *vma, enum tally_mem_kind kind,
		    int node, const struct mem_amount *a, bool sure);

/*
 * Read every line of the process's numa_maps.
 *
 * -ESRCH	it ended
 * -ENOENT	it ended, or the kernel has no NUMA
 * -ENOMEM	no memory
 * other	as open(2) and read(2)
 */
int mem_walk(struct mem_reader *r);

/* Read the process's totals, as if all were on one node (-1: on no known one).
 * Errors as above. */
int mem_totals(struct mem_reader *r, int node);

/* Read the process's totals and a sample of its pages. Errors as of
 * mem_pages_draw(). */
int mem_sample_pages(struct mem_reader *r);

#endif
