// SPDX-License-Identifier: MIT
/* Regions on a kernel that does what is asked for. */
#include "support/test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <numatally/region.h>

#include "support/regions.h"

static size_t page;

/* A private region made of base pages. */
static void create_plain(size_t bytes, struct tally_region *r)
{
	assert_int_equal(tally_region_create(bytes, 0, r), 0);
	(void)madvise(r->base, r->bytes, MADV_NOHUGEPAGE);
}

/* The first node with memory, at or after node; -1: none. */
static int node_with_memory(int node)
{
	FILE *file = fopen("/sys/devices/system/node/has_memory", "r");
	char text[256] = "";
	int found = -1;

	if (!file)
		return -1;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	for (char *at = text; found < 0 && *at >= '0' && *at <= '9'; at++) {
		long from = strtol(at, &at, 10);
		long to = *at == '-' ? strtol(at + 1, &at, 10) : from;

		if (node <= to)
			found = node < from ? (int)from : node;
		if (*at != ',')
			break;
	}
	return found;
}

static void create_makes_no_page(void **state)
{
	struct tally_region r;

	(void)state;
	assert_int_equal(tally_region_create(3 * page + 1, 0, &r), 0);
	assert_int_equal(r.bytes, 4 * page);
	assert_int_equal((uintptr_t)r.base % page, 0);
	assert_int_equal(r.fd, -1);
	assert_int_equal(r.node, 0);
	assert_int_equal(survey(&r).pages, 0);
	tally_region_destroy(&r);
	tally_region_destroy(NULL);
}

static void bad_arguments(void **state)
{
	struct tally_region r = {.node = 1234};
	char *base;
	int fd;

	(void)state;
	assert_int_equal(tally_region_create(0, 0, &r), -EINVAL);
	assert_int_equal(tally_region_create(SIZE_MAX, 0, &r), -ENOMEM);
	assert_int_equal(tally_region_create(SIZE_MAX / 2, 0, &r), -ENOMEM);
	base = map_file(2, &fd);
	assert_non_null(base);
	assert_int_equal(tally_region_init(base + 1, page, fd, 0, 0, &r),
			 -EINVAL);
	assert_int_equal(tally_region_init(base, page + 1, fd, 0, 0, &r),
			 -EINVAL);
	assert_int_equal(tally_region_init(base, page, fd, 8, 0, &r), -EINVAL);
	assert_int_equal(tally_region_init(base, 0, fd, 0, 0, &r), -EINVAL);
	assert_int_equal(r.node, 1234);
	munmap(base, 2 * page);
	close(fd);
}

/* No machine has such nodes; the region works, unplaced. */
static void a_node_that_does_not_exist(void **state)
{
	static const int nodes[] = {1023, 4095, 4096, 1 << 30};
	struct tally_region r;

	(void)state;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
		assert_int_equal(tally_region_create(page, nodes[i], &r), 0);
		assert_true(r.bound < 0);
		assert_int_equal(tally_region_populate(&r, 0, page), 0);
		assert_int_equal(survey(&r).unplaced, 1);
		tally_region_destroy(&r);
	}
	assert_int_equal(tally_region_create(page, -7, &r), 0);
	assert_int_equal(r.node, -1);
	assert_int_equal(r.bound, 0);
	assert_int_equal(tally_region_populate(&r, 0, page), 0);
	assert_int_equal(survey(&r).unplaced, 1);
	tally_region_destroy(&r);
}

struct seen {
	size_t next;
	int nr;
	int node;
};

static void see(void *arg, size_t offset, int node)
{
	struct seen *seen = arg;

	assert_true(offset >= seen->next);
	assert_int_equal(offset % page, 0);
	seen->next = offset + page;
	seen->nr++;
	seen->node = node;
}

/* Linux maps the zero page where a page is only read, which is on no node; some
 * machines' kernels have none, and make a page. */
static bool reading_makes_a_page(void)
{
	char *p = mmap(NULL, page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *pages[1] = {p};
	int status = -1;

	assert_ptr_not_equal(p, MAP_FAILED);
	(void)*(volatile char *)p;
	if (syscall(SYS_move_pages, 0, 1UL, pages, NULL, &status, 0) < 0)
		status = -1;
	munmap(p, page);
	return status >= 0;
}

static void populate_makes_these_pages_alone(void **state)
{
	struct tally_region r;
	struct tally_placement p = {.size = sizeof(p)};
	struct seen seen = {0};
	char zero[64] = {0};

	(void)state;
	create_plain(64 * page, &r);
	assert_int_equal(tally_region_populate(&r, 0, 0), 0);
	assert_int_equal(survey(&r).pages, 0);
	/* From the last byte of page 2 to the first of page 4; then page 60. */
	assert_int_equal(tally_region_populate(&r, 3 * page - 1, page + 2), 0);
	assert_int_equal(tally_region_populate(&r, 60 * page, page), 0);
	assert_int_equal(survey(&r).pages, 4);
	assert_memory_equal((char *)r.base + 2 * page, zero, sizeof(zero));
	(void)!tally_region_verify(&r, see, &seen, &p);
	assert_int_equal(seen.nr, 4);
	assert_int_equal(seen.next, 61 * page);
	/* A page only read is not populated. */
	(void)*(volatile char *)((char *)r.base + 20 * page);
	seen = (struct seen){0};
	if (tally_region_verify(&r, see, &seen, &p) == 0)
		assert_int_equal(p.pages, reading_makes_a_page() ? 5 : 4);
	tally_region_destroy(&r);
}

static void populate_keeps_contents(void **state)
{
	struct tally_region r;
	char *base;
	int fd;

	(void)state;
	base = map_file(4, &fd);
	assert_non_null(base);
	assert_int_equal(tally_region_init(base, 4 * page, fd, 0, 0, &r), 0);
	memcpy(base + page, "mine", 5);
	assert_int_equal(tally_region_populate(&r, 0, 4 * page), 0);
	assert_string_equal(base + page, "mine");
	assert_int_equal(base[2 * page], 0);
	assert_int_equal(survey(&r).pages, 4);
	munmap(base, 4 * page);
	close(fd);
}

/* A region that begins inside the file, and two mappings of it. */
static void two_mappings(void **state)
{
	struct tally_region one, two;
	struct tally_placement p = {.size = sizeof(p)};
	struct seen seen = {0};
	struct stat st;
	char *base, *other;
	int fd;

	(void)state;
	base = map_file(16, &fd);
	assert_non_null(base);
	other = mmap(NULL, 8 * page, PROT_READ, MAP_SHARED, fd,
		     (off_t)(4 * page));
	assert_true(other != MAP_FAILED);
	assert_int_equal(tally_region_init(base + 4 * page, 8 * page, fd,
					   (off_t)(4 * page), 0, &one),
			 0);
	assert_int_equal(tally_region_init(other, 8 * page, fd,
					   (off_t)(4 * page), -1, &two),
			 0);
	base[3 * page] = 1;
	base[12 * page] = 1;
	assert_int_equal(survey(&two).pages, 0);
	assert_int_equal(tally_region_populate(&one, 5 * page, 2 * page), 0);
	memcpy((char *)one.base + 5 * page, "shared", 7);
	/* The second mapping has touched no page. */
	(void)!tally_region_verify(&two, see, &seen, &p);
	assert_int_equal(p.pages, 2);
	assert_int_equal(p.unplaced, 2);
	assert_int_equal(seen.nr, 2);
	assert_int_equal(seen.next, 7 * page);
	assert_string_equal(other + 5 * page, "shared");
	/* No other page was made, not even one that no reader can see. */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_blocks * 512, 4 * page);
	/* With the node given, it judges as the first one does. */
	two.node = 0;
	two.bound = one.bound;
	assert_int_equal(survey(&two).placed, survey(&one).placed);
	munmap(other, 8 * page);
	munmap(base, 16 * page);
	close(fd);
}

/* A terabyte of holes, with a page at each end. */
static void holes_cost_nothing(void **state)
{
	size_t nr_pages = ((size_t)1 << 40) / page;
	struct tally_region r;
	char *base;
	int fd;

	(void)state;
	base = map_file(nr_pages, &fd);
	if (!base) {
		print_message("# skipped: no terabyte of address space\n");
		skip();
	}
	assert_int_equal(tally_region_init(base, nr_pages * page, fd, 0, 0, &r),
			 0);
	assert_int_equal(tally_region_populate(&r, 0, 1), 0);
	assert_int_equal(tally_region_populate(&r, nr_pages * page - 1, 1), 0);
	assert_int_equal(survey(&r).pages, 2);
	munmap(base, nr_pages * page);
	close(fd);
	create_plain(nr_pages * page / 16, &r);
	assert_int_equal(tally_region_populate(&r, 0, 1), 0);
	assert_int_equal(tally_region_populate(&r, r.bytes - 1, 1), 0);
	assert_int_equal(survey(&r).pages, 2);
	tally_region_destroy(&r);
}

/* Each base page of a huge page counts; and more pages than one batch. */
static void huge_pages(void **state)
{
	struct tally_placement p = {.size = sizeof(p)};
	struct tally_region r;
	size_t bytes = (size_t)8 << 20;

	(void)state;
	assert_int_equal(tally_region_create(bytes, 0, &r), 0);
	(void)madvise(r.base, bytes, MADV_HUGEPAGE);
	assert_int_equal(tally_region_populate(&r, 0, bytes), 0);
	p = survey(&r);
	assert_int_equal(p.pages, bytes / page);
	if (r.bound == 0 && tally_region_verify(&r, NULL, NULL, &p) == 0)
		assert_int_equal(p.unplaced, 0);
	tally_region_destroy(&r);
}

static void on_each_node(void **state)
{
	int nr = 0;

	(void)state;
	for (int n = node_with_memory(0); n >= 0; n = node_with_memory(n + 1)) {
		struct tally_region r, file;
		struct tally_placement p = {.size = sizeof(p)};
		struct seen seen = {.node = -1};
		char *base;
		int fd;

		assert_int_equal(tally_region_create(64 * page, n, &r), 0);
		base = map_file(64, &fd);
		assert_non_null(base);
		assert_int_equal(
			tally_region_init(base, 64 * page, fd, 0, n, &file), 0);
		assert_int_equal(r.bound, file.bound);
		assert_int_equal(tally_region_populate(&r, 0, r.bytes), 0);
		assert_int_equal(tally_region_populate(&file, 0, page), 0);
		/* The file carries the policy: a plain write follows it. */
		assert_int_equal(pwrite(fd, "x", 1, (off_t)(9 * page)), 1);
		base[10 * page] = 1;
		if (r.bound < 0 ||
		    tally_region_verify(&r, see, &seen, &p) < 0) {
			print_message("# skipped: node %d: refused\n", n);
		} else {
			assert_int_equal(p.placed, 64);
			assert_int_equal(seen.node, n);
			p = survey(&file);
			assert_int_equal(p.placed, 3);
			/* And against a node on which they are not. */
			file.node = n + 1;
			assert_int_equal(survey(&file).misplaced, 3);
			nr++;
		}
		munmap(base, 64 * page);
		close(fd);
		tally_region_destroy(&r);
	}
	if (nr == 0)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_makes_no_page),
		cmocka_unit_test(bad_arguments),
		cmocka_unit_test(a_node_that_does_not_exist),
		cmocka_unit_test(populate_makes_these_pages_alone),
		cmocka_unit_test(populate_keeps_contents),
		cmocka_unit_test(two_mappings),
		cmocka_unit_test(holes_cost_nothing),
		cmocka_unit_test(huge_pages),
		cmocka_unit_test(on_each_node),
	};

	page = page_bytes();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
