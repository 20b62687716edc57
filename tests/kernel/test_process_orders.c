// SPDX-License-Identifier: MIT
/* Sums over processes are the same in whatever order they come: each page once,
 * and what one process does not tell is unknown of all. */
#include "support/test.h"

#include "support/process_trees.h"

#define NR 3

/* Parts of one file, which lie in each other, and over each other. */
static const struct {
	const char *maps;
	const char *numa_maps;
	const char *swap;
} kinds[NR] = {
	{"10000-50000 r-xp 00000000 08:01 77 /lib/x\n",
	 "10000 default file=/lib/x mapped=64 mapmax=3 N2=64 "
	 "kernelpagesize_kB=4\n",
	 "VmSwap:\t 5 kB\n"},
	{"20000-30000 r-xp 00010000 08:01 77 /lib/x\n",
	 "20000 default file=/lib/x mapped=16 mapmax=3 N2=16 "
	 "kernelpagesize_kB=4\n",
	 "VmSwap:\t 9 kB\n"},
	{"40000-70000 r-xp 00030000 08:01 77 /lib/x\n",
	 "40000 default file=/lib/x mapped=48 mapmax=3 N2=48 "
	 "kernelpagesize_kB=4\n",
	 "VmSwap:\t 7 kB\n"},
};
#define UNION_PAGES 96

/* swap: false: the kernel does not tell. */
static void put_kind(int pid, int kind, bool swap)
{
	char text[512];

	put_process(pid, 30 + kind, kind ? "/a" : "/a/b", kinds[kind].maps,
		    kinds[kind].numa_maps);
	snprintf(text, sizeof(text),
		 "Name:\tx\nUid:\t7\t%d\t8\t9\nVmSize:\t 900 kB\n"
		 "RssAnon:\t 0 kB\nRssFile:\t 8 kB\nRssShmem:\t 0 kB\n%s",
		 30 + kind, swap ? kinds[kind].swap : "");
	put(pid, "status", text);
	put_stat(pid, "x", 1 + kind, 1000 + pid, 0);
	for (int t = 0; t <= kind; t++)
		put_thread(pid, 100 * pid + t, 0, 5);
}

static void put_order(const int *order, int unknown)
{
	for (int i = 0; i < NR; i++)
		put_kind(10 + i, order[i], order[i] != unknown);
}

static const struct tally_process_sum *sum_by(enum tally_process_by by,
					      unsigned int index)
{
	assert_int_equal(tally_kernel_processes_sum(list, by), 0);
	return tally_kernel_processes_sum_at(list, index);
}

/* unknown: the one that does not tell of its swap; -1: each does. */
static void check(int unknown)
{
	const struct tally_process_sum *s = sum_by(TALLY_BY_ALL, 0);

	assert_int_equal(tally_kernel_processes_nr_sums(list), 1);
	assert_int_equal(s->nr_processes, NR);
	assert_int_equal(s->nr_threads, 1 + 2 + 3);
	assert_true(s->all.total.lower_bytes <= UNION_PAGES * K4);
	assert_true(s->all.total.bytes <= UNION_PAGES * K4);
	assert_int_equal(s->all.total.upper_bytes, UNION_PAGES * K4);
	if (unknown < 0)
		assert_int_equal(s->swap_bytes, 21 * 1024);
	else
		assert_true(s->swap_bytes == TALLY_UNKNOWN);
	for (int kind = 0; kind < NR; kind++) {
		s = sum_by(TALLY_BY_USER, (unsigned int)kind);
		assert_int_equal(s->uid, 30 + kind);
		assert_int_equal(s->nr_threads, 1 + kind);
		assert_int_equal(s->swap_bytes == TALLY_UNKNOWN,
				 kind == unknown);
	}
}

static void each_order(void **state)
{
	static const int orders[][NR] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					 {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		for (int unknown = -1; unknown < NR; unknown++) {
			put_order(orders[i], unknown);
			open_list(NULL, NULL);
			assert_int_equal(tally_kernel_processes_read(list), 0);
			check(unknown);
			tally_kernel_processes_close(list);
			list = NULL;
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(each_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
