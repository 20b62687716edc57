/* SPDX-License-Identifier: MIT */
/*
 * region: memory that is placed on one node, and checked to be there.
 *
 * A region is bound before its pages exist: the first access to a page, by any
 * process, takes it from the region's node. The policy is MPOL_PREFERRED, not
 * MPOL_BIND: on a full node, pages come from another one, and the out-of-memory
 * killer stays away. (Guest of four nodes, Linux 6.1: 24 MiB more than a node
 * had free went to the nearest other node; under MPOL_BIND the kernel killed
 * the process, and for a file others too.) tally_region_verify() reads back
 * where the pages are. A node without memory, or outside of the process's
 * cpuset, can't be bound to (-EINVAL).
 *
 * tmpfs and memfd keep the policy of a region in the file, for every process
 * that maps it. Other file systems do not: there each page lies where the
 * process that first accesses it would have it.
 *
 * Thread-safe: any number of threads may populate and verify one region.
 */
#ifndef NUMATALLY_REGION_H
#define NUMATALLY_REGION_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/export.h>

TALLY_BEGIN

struct tally_region {
	void *base;   /* page-aligned */
	size_t bytes; /* a multiple of the page size */
	off_t offset; /* of base in the file; 0 for private memory */
	int fd;	      /* of the file, borrowed; -1: private memory */
	int node;     /* sysfs's number; -1: no node was asked for */
	int bound;    /* 0, or the -errno with which the kernel refused to place
			 it: the region works, but is unplaced */
};

/* The result of tally_region_verify(), in pages of the base page size. */
struct tally_placement {
	size_t size;	    /* the caller sets sizeof(struct tally_placement) */
	uint64_t pages;	    /* that exist: the sum of the next three */
	uint64_t placed;    /* on the region's node */
	uint64_t misplaced; /* on another node */
	uint64_t unplaced;  /* on any node because the region is not bound, or
			       on one that the kernel does not tell */
};

/*
 * Map @bytes of private memory (rounded up to pages), bind it to @node
 * (negative: to none), and set up *@region. No page exists yet. A refused
 * binding is not an error: see bound. The caller destroys the region.
 *
 * The function registers the memory as one allocation for slices in checked
 * mode (<numatally/slice.h>): do not call it in a read section
 * (<numatally/slice_ref.h>).
 *
 * -EINVAL	@bytes is 0
 * -ENOMEM	no memory or address space
 * -EEXIST	memory at that address was unmapped without being unregistered
 */
TALLY_API TALLY_NODISCARD int tally_region_create(size_t bytes, int node,
						  struct tally_region *region);

/* Unmap what tally_region_create() mapped; NULL is allowed. A region that
 * tally_region_init() set up needs no destroy. */
TALLY_API void tally_region_destroy(struct tally_region *region);

/*
 * Set up *@region over a part of a shared mapping of @fd, which the caller made
 * and keeps: @base lies at @offset of the file. Bind it to @node; with a
 * negative @node, leave its policy alone. @fd must stay open while the region
 * is used. -1: the mapping is anonymous. The caller registers the memory for
 * slices itself, if it wants to.
 *
 * A process that only looks at a region that another one bound passes node -1,
 * which changes nothing, and then sets region->node to the node asked for.
 *
 * -EINVAL	@base, @bytes or @offset is no multiple of the page size, or
 *		@bytes is 0
 */
TALLY_API TALLY_NODISCARD int tally_region_init(void *base, size_t bytes,
						int fd, off_t offset, int node,
						struct tally_region *region);

/*
 * Create the missing pages of [@offset, @offset + @bytes), zeroed, on the
 * region's node, and map them into this process. Existing pages keep their
 * contents: threads and processes may write to them, and make the same call,
 * meanwhile. The bytes must lie in the region (asserted), which must be mapped,
 * and its fd be open, for writing.
 *
 * -ENOSPC	the file system is full; no later access raises SIGBUS
 * -ENOMEM	no memory
 * -EFBIG	the file ends before these bytes. The function never extends
 *		it, so RLIMIT_FSIZE raises no SIGXFSZ
 * other	as fallocate(2) and madvise(2)
 */
TALLY_API TALLY_NODISCARD int
tally_region_populate(const struct tally_region *region, size_t offset,
		      size_t bytes);

/*
 * Ask the kernel where each existing page of the region lies (move_pages(2)),
 * and add up *@placement. The function creates no page. @each, unless NULL, is
 * called for every existing page, ascending, with its offset in the region and
 * its node, or the -errno that the kernel gave for it.
 *
 * File: pages that any process wrote or accessed exist. Holes cost nothing;
 * pages that were swapped out are read back in. @fd must be open for reading;
 * its file position moves.
 * Private memory: pages in memory exist, pages that were swapped out do not.
 * The cost grows with the address range too: under a second for a terabyte.
 *
 * -EINVAL	placement->size is not set
 * -ENOSYS, -EPERM and others of move_pages(2)
 *		the kernel stopped telling: *@placement is set, and counts
 *		every later page as unplaced
 * other	the kernel did not list the pages; *@placement is untouched
 */
TALLY_API TALLY_NODISCARD int
tally_region_verify(const struct tally_region *region,
		    void (*each)(void *arg, size_t offset, int node), void *arg,
		    struct tally_placement *placement);

TALLY_END

#endif
