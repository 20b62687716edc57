/* SPDX-License-Identifier: MIT */
/*
 * region: memory of one node, placed there, and checked to be there.
 *
 * A region is bound before its pages exist, so that whoever touches a page
 * first, in whichever process, gets it from the region's node. The policy is
 * MPOL_PREFERRED, not MPOL_BIND: a full node must not bring the out-of-memory
 * killer on its users. (In a guest of four nodes, Linux 6.1, 24 MiB more than
 * one node had free went to the nearest other node; under MPOL_BIND the process
 * was killed, and over a file others with it.) What the kernel then did is
 * never believed but read back with tally_region_verify(). A node without
 * memory, or outside of the process's cpuset, can't be bound to (-EINVAL).
 *
 * A region over a shared file keeps its policy in the file (tmpfs and memfd
 * do; other file systems don't, and their pages lie where whoever touched them
 * first would have them), for every process that maps it.
 *
 * Any number of threads may fault and verify one region at once.
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

/* What tally_region_verify() found, in pages of the base page size. */
struct tally_placement {
	uint64_t pages;	    /* that exist: the sum of the next three */
	uint64_t placed;    /* on the region's node */
	uint64_t misplaced; /* on another node */
	uint64_t unplaced;  /* on any node, since the region is not bound, or
			       where the kernel does not say on which */
};

/*
 * Maps bytes of private memory (rounded up to pages), bound to the node
 * (node >= 0), or not (node < 0), and sets up *region. No page exists yet. A
 * refused binding is not an error: see bound. The caller destroys it. It is
 * registered as one allocation for slices in checked mode (numatally/slice.h),
 * and so not created in a read section (numatally/slice_ref.h).
 *
 * -EINVAL	bytes is 0
 * -ENOMEM	no memory or address space
 * -EEXIST	somebody unmapped memory there, and left it registered
 */
TALLY_API int tally_region_create(size_t bytes, int node,
				  struct tally_region *region);

/* Unmaps what tally_region_create() mapped; takes NULL. A region that
 * tally_region_init() set up has nothing to destroy. */
TALLY_API void tally_region_destroy(struct tally_region *region);

/*
 * Sets up *region over a part of a shared mapping of fd that the caller has
 * made and keeps (and registers for slices, if it likes), base lying at offset
 *of the file; binds it to the node (node >= 0), or leaves its policy as it is
 *(node < 0). The fd stays open for as long as the region is used. With fd -1
 *the mapping is an anonymous one.
 *
 * A process that only looks at a region that another one bound passes node -1,
 * so as to change nothing, and then writes into node what that one asked for.
 *
 * -EINVAL	base, bytes or offset are not multiples of the page size, or
 *		bytes is 0
 */
TALLY_API int tally_region_init(void *base, size_t bytes, int fd, off_t offset,
				int node, struct tally_region *region);

/*
 * Makes the pages that hold [offset, offset + bytes) of the region exist, on
 * its node, zeroed where they didn't, and maps them into this process. Does
 * nothing to what pages hold that exist. Any number of threads and processes
 * may call it for the same bytes while others write to them. The bytes must
 * lie in the region, which is mapped for writing; the fd is open for it.
 *
 * -ENOSPC	the file system is full (and no access will raise SIGBUS)
 * -ENOMEM	no memory
 * -EFBIG	the file ends before them: it is never extended here, so that
 *		the process's file-size limit raises no SIGXFSZ
 * other	what fallocate(2) or madvise(2) said
 */
TALLY_API int tally_region_fault(const struct tally_region *region,
				 size_t offset, size_t bytes);

/*
 * Asks the kernel, page by page, where the pages of the region that exist lie
 * (move_pages(2)); creates none. each, where not NULL, is called for every
 * such page, ascending: its offset in the region, and the node it lies on, or
 * the -errno that the kernel gave for it.
 *
 * In a file all pages that were written or faulted exist, whoever did it; its
 * holes cost nothing, and pages that were swapped out are read back in. The
 * fd's file position moves; it must be open for reading. In private memory
 * the pages that are in memory exist (not those swapped out), and the cost
 * grows with the address range too: below a second for a terabyte.
 *
 * other	what the kernel said instead of where (-ENOSYS, -EPERM): from
 *		there on every page counts as unplaced, and *placement is set
 *		all the same; or why it didn't list what exists, and
 *		*placement is untouched
 */
TALLY_API int tally_region_verify(const struct tally_region *region,
				  void (*each)(void *arg, size_t offset,
					       int node),
				  void *arg, struct tally_placement *placement);

TALLY_END

#endif
