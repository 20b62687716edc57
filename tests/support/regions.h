/* SPDX-License-Identifier: MIT */
/* What the tests of regions share: files, and checks in a child. */
#ifndef TEST_SUPPORT_REGIONS_H
#define TEST_SUPPORT_REGIONS_H

#include <sys/mman.h>

#include <numatally/region.h>

#include "support/test.h"

#define REGIONS_SKIPPED 77 /* the child's exit status */

/* In a child: exits with the number of the failed line. */
#define CHECK(that)                                                          \
	do {                                                                 \
		if (!(that)) {                                               \
			fprintf(stderr, "# line %d: %s\n", __LINE__, #that); \
			_exit(1);                                            \
		}                                                            \
	} while (0)

static inline size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* Calls run in a child. False: it can't be run here. */
static inline bool in_child(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == REGIONS_SKIPPED)
		return false;
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

/* A memfd of this many pages, mapped. */
static inline char *map_file(size_t nr_pages, int *fd)
{
	void *base;

	*fd = memfd_create("test_region", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)(nr_pages * page_bytes())) < 0)
		return NULL;
	base = mmap(NULL, nr_pages * page_bytes(), PROT_READ | PROT_WRITE,
		    MAP_SHARED, *fd, 0);
	return base == MAP_FAILED ? NULL : base;
}

/* MADV_POPULATE_WRITE, which some headers lack. */
static inline bool can_populate(void)
{
	return madvise(NULL, 0, 23) == 0;
}

/* Each existing page is counted once, and the counts add up. A kernel may
 * refuse to say. */
static inline struct tally_placement survey(const struct tally_region *region)
{
	struct tally_placement p = {.size = sizeof(p), .pages = ~0ULL};
	int err = tally_region_verify(region, NULL, NULL, &p);

	assert_true(err == 0 || err == -ENOSYS || err == -EPERM);
	assert_int_equal(p.placed + p.misplaced + p.unplaced, p.pages);
	if (err < 0)
		assert_int_equal(p.unplaced, p.pages);
	return p;
}

#endif
