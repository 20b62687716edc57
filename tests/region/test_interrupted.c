// SPDX-License-Identifier: MIT
/* System calls that a signal interrupts before they have done anything are made
 * again. */
#include "support/test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <numatally/region.h>

#define PAGES 4

static unsigned int interruptions, nr_calls;

static int allocate(int fd, int mode, int64_t from, int64_t bytes)
{
	nr_calls++;
	if (interruptions) {
		interruptions--;
		errno = EINTR;
		return -1;
	}
	return (int)syscall(SYS_fallocate, fd, mode, from, bytes);
}

/* In place of the C library's, by each of its names. */
#define EXPORTED __attribute__((visibility("default")))
EXPORTED int fallocate(int fd, int mode, off_t from, off_t bytes)
{
	return allocate(fd, mode, from, bytes);
}

EXPORTED int fallocate64(int fd, int mode, int64_t from, int64_t bytes)
{
	return allocate(fd, mode, from, bytes);
}

static void an_allocation_goes_on(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = PAGES * page;
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct tally_region region;
	struct stat st;
	void *base;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(base, MAP_FAILED);
	assert_int_equal(tally_region_init(base, bytes, fd, 0, -1, &region), 0);
	interruptions = 3;
	assert_int_equal(tally_region_populate(&region, page, page), 0);
	assert_int_equal(interruptions, 0);
	assert_true(nr_calls >= 4);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_blocks * 512, page);
	munmap(base, bytes);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allocation_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
