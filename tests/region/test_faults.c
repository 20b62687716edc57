// SPDX-License-Identifier: MIT
/* Regions are made, populated and surveyed while each call of the kernel, and
 * each allocation, fails once. */
#include "support/test.h"

#include <sys/mman.h>

#include <numatally/region.h>
#include <numatally/slice.h>

#include "support/fault.h"

/* Something is wrong. */
#define BAD   1

#define PAGES 5

static size_t page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* So many pages exist, wherever they are. */
static int survey(const struct tally_region *r, uint64_t pages)
{
	struct tally_placement p = {.size = sizeof(p)};
	int err = tally_region_verify(r, NULL, NULL, &p);

	if (err)
		return err;
	return p.pages == pages && p.placed + p.misplaced + p.unplaced == pages
		       ? 0
		       : BAD;
}

static bool holds(const struct tally_region *r, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++)
		if (((char *)r->base)[i * page()] != (char)i)
			return false;
	return true;
}

/* Populating a page keeps what it holds. */
static int use(const struct tally_region *r)
{
	int err = tally_region_populate(r, page() + 1, page());

	for (uint64_t i = 1; !err && i < 3; i++)
		((char *)r->base)[i * page()] = (char)i;
	if (!err)
		err = survey(r, 2);
	if (!err)
		err = tally_region_populate(r, 0, r->bytes);
	if (!err)
		err = survey(r, PAGES);
	return err || holds(r, 1, 3) ? err : BAD;
}

/* Its memory is registered for as long as it exists. */
static int private(void *unused)
{
	struct tally_region r;
	const void *base;
	int err = tally_region_create(PAGES * page() - 1, 0, &r);

	(void)unused;
	if (err)
		return err;
	err = use(&r);
	base = r.base;
	tally_region_destroy(&r);
	if (r.base || tally_slice_unregister(base) != -ENOENT)
		err = BAD;
	return err;
}

static int map_file(int fd, struct tally_region *r)
{
	void *base = mmap(NULL, PAGES * page(), PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, (off_t)page());
	int err;

	if (base == MAP_FAILED)
		return -errno;
	err = tally_region_init(base, PAGES * page(), fd, (off_t)page(), 0, r);
	if (!err)
		err = use(r);
	munmap(base, PAGES * page());
	return err;
}

static int of_a_file(void *unused)
{
	struct tally_region r;
	int fd = memfd_create("region", MFD_CLOEXEC), err;

	(void)unused;
	if (fd < 0)
		return -errno;
	err = ftruncate(fd, (off_t)((PAGES + 2) * page())) ? -errno
							   : map_file(fd, &r);
	close(fd);
	return err;
}

static void each(int (*task)(void *arg))
{
	fault_each_call(task, NULL);
	fault_each_signal(task, NULL);
}

static void private_memory(void **state)
{
	(void)state;
	each(private);
	fault_each_allocation(private, NULL);
}

/* It allocates nothing. */
static void a_part_of_a_file(void **state)
{
	(void)state;
	each(of_a_file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(private_memory),
		cmocka_unit_test(a_part_of_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
