// SPDX-License-Identifier: MIT
/* The memory of processes in made-up trees: kinds, nodes, what is shared. */
#include "support/test.h"

#include <numatally/kernel_memory.h>

#include "support/memory_trees.h"

static void kinds_and_nodes(void **state)
{
	const struct tally_mem_node *n;

	(void)state;
	make_dir("self");
	put("self", "mountinfo",
	    "22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda rw\n"
	    "23 22 0:45 / /my\\040tmp rw shared:2 master:3 - tmpfs tmpfs rw\n");
	put_process(10, 1,
		    "1000-9000 rw-p 00000000 00:00 0 \n"
		    "10000-20000 r-xp 00001000 08:01 77 /bin/x\n"
		    "20000-30000 rw-s 00000000 00:45 78 /my tmp/x\n"
		    "30000-40000 rw-s 00000000 00:2d 78 /my tmp/y\n",
		    "1000 default anon=7 dirty=7 N0=3 N250=4 "
		    "kernelpagesize_kB=4\n"
		    "10000 default file=/bin/x mapped=5 N0=5 "
		    "kernelpagesize_kB=4\n"
		    "20000 default file=/my\\040tmp/x mapped=2 N250=2 "
		    "kernelpagesize_kB=4\n"
		    "30000 default file=/my\\040tmp/y mapped=9 N250=9 "
		    "kernelpagesize_kB=4\n"
		    "40000 default file=/hugepages/z huge anon=2 dirty=2 N0=2 "
		    "kernelpagesize_kB=2048\n",
		    NULL);
	sample(10);
	assert_int_equal(result->nr_processes, 1);
	assert_int_equal(result->nr_walked, 1);
	assert_int_equal(result->nr_nodes, 2);
	n = node(0);
	exactly(&n->now[TALLY_MEM_ANONYMOUS], 3);
	exactly(&n->now[TALLY_MEM_FILE], 5);
	exactly(&n->now[TALLY_MEM_SHARED], 0);
	exactly(&n->now[TALLY_MEM_HUGE], 1024);
	exactly(&n->now_total, 1032);
	n = node(250);
	exactly(&n->now[TALLY_MEM_ANONYMOUS], 4);
	/* 00:45 is hexadecimal: another device. */
	exactly(&n->now[TALLY_MEM_FILE], 2);
	exactly(&n->now[TALLY_MEM_SHARED], 9);
	exactly(&n->now_total, 15);
	exactly(&result->all.now_total, 1047);
	exactly(&result->unknown.now_total, 0);
}

/* The number of anonymous pages is known, their node is not. */
static void copied_on_write(void **state)
{
	(void)state;
	put_process(10, 1, "1000-90000 rw-p 00000000 08:01 77 /bin/x\n",
		    "1000 default file=/bin/x anon=4 dirty=4 mapped=16 N0=12 "
		    "N1=4 kernelpagesize_kB=4\n"
		    "a0000 default file=/bin/x anon=4 dirty=4 N0=3 N1=1 "
		    "kernelpagesize_kB=4\n",
		    NULL);
	sample(10);
	is(&node(0)->now[TALLY_MEM_ANONYMOUS], 3 + 0, 3 + 3, 3 + 4);
	is(&node(1)->now[TALLY_MEM_ANONYMOUS], 1 + 0, 1 + 1, 1 + 4);
	is(&node(0)->now[TALLY_MEM_FILE], 8, 9, 12);
	is(&node(1)->now[TALLY_MEM_FILE], 0, 3, 4);
}

static void files_of_several_count_once(void **state)
{
	(void)state;
	/* The same 16 pages, 10 and 7 of them resident; 3 pages behind them
	 * that one process has alone; and 2 of another file with that name. */
	put_process(10, 1, LIB("10000-20000", "00000000"),
		    LIB_PAGES("10000", "10"), NULL);
	put_process(
		11, 10,
		LIB("30000-40000", "00000000") LIB(
			"50000-60000",
			"00010000") "60000-70000 r-xp 00000000 08:01 99 /lib/x (deleted)\n",
		LIB_PAGES("30000", "7") LIB_PAGES("50000", "3")
			LIB_PAGES("60000", "2"),
		NULL);
	sample(10);
	assert_int_equal(result->nr_processes, 2);
	/* At most 16 of 16 pages can be resident. */
	is(&node(0)->now[TALLY_MEM_FILE], 15, 15, 16 + 5);
}

/* One process maps in pieces what the other maps at once. */
static void overlapping_ranges(void **state)
{
	(void)state;
	put_process(10, 1,
		    LIB("10000-14000", "00000000")
			    LIB("14000-20000", "00004000"),
		    LIB_PAGES("10000", "3") LIB_PAGES("14000", "6"), NULL);
	put_process(11, 10, LIB("30000-40000", "00000000"),
		    LIB_PAGES("30000", "5"), NULL);
	sample(10);
	is(&node(0)->now[TALLY_MEM_FILE], 9, 9, 14);
}

/* A range that a process maps twice counts once. */
static void mapped_twice(void **state)
{
	(void)state;
	put_process(10, 1,
		    LIB("10000-20000", "00000000")
			    LIB("30000-40000", "00000000"),
		    LIB_PAGES("10000", "8") LIB_PAGES("30000", "5"), NULL);
	sample(10);
	is(&node(0)->now[TALLY_MEM_FILE], 8, 8, 13);
}

static void forked_memory(void **state)
{
	const char *maps = "1000-90000 rw-p 00000000 00:00 0 \n";

	(void)state;
	put_process(10, 1, maps,
		    "1000 default anon=8 dirty=8 mapmax=2 N0=8 "
		    "kernelpagesize_kB=4\n",
		    NULL);
	put_process(11, 10, maps,
		    "1000 default anon=5 dirty=5 mapmax=2 N0=5 "
		    "kernelpagesize_kB=4\n",
		    NULL);
	put_process(12, 10, maps,
		    "1000 default anon=2 dirty=2 N0=2 kernelpagesize_kB=4\n",
		    NULL);
	sample(10);
	is(&node(0)->now[TALLY_MEM_ANONYMOUS], 10, 10, 15);
}

#define STATUS                                                   \
	"Name:\tx\nRssAnon:\t     40 kB\nRssFile:\t      8 kB\n" \
	"RssShmem:\t       4 kB\nHugetlbPages:\t    2048 kB\n"

static void no_numa(void **state)
{
	(void)state;
	put_process(10, 1, NULL, NULL, STATUS);
	put_process(11, 10, NULL, NULL, STATUS);
	make_dir("../sys");
	make_dir("../sys/devices");
	make_dir("../sys/devices/system");
	make_dir("../sys/devices/system/cpu");
	make_dir("../sys/devices/system/cpu/cpu0");
	sample(10);
	assert_int_equal(result->nr_processes, 2);
	assert_int_equal(result->nr_totals, 2);
	assert_int_equal(result->nr_unknown, 0);
	assert_int_equal(result->refused, 0);
	/* Which pages are shared is unknown. */
	is(&node(0)->now[TALLY_MEM_ANONYMOUS], 10, 20, 20);
	is(&node(0)->now[TALLY_MEM_FILE], 2, 2, 4);
	is(&node(0)->now[TALLY_MEM_SHARED], 1, 1, 2);
	is(&node(0)->now[TALLY_MEM_HUGE], 512, 512, 1024);
}

/* Even root cannot read a directory as a file. */
static void refused(void **state)
{
	(void)state;
	put_process(10, 1, NULL, NULL, STATUS);
	make_dir("10/numa_maps");
	put_process(11, 10, NULL,
		    "1000 default anon=8 dirty=8 N0=8 kernelpagesize_kB=4\n",
		    NULL);
	sample(10);
	assert_int_equal(result->nr_processes, 2);
	assert_int_equal(result->nr_walked, 1);
	assert_int_equal(result->nr_unknown, 1);
	assert_int_equal(result->refused, -EISDIR);
	assert_int_equal(result->nr_lost, 0);
	assert_int_equal(result->nr_nodes, 1);
	exactly(&node(0)->now_total, 8);
	assert_int_equal(result->unknown.node, -1);
	exactly(&result->unknown.now[TALLY_MEM_ANONYMOUS], 10);
	exactly(&result->all.now[TALLY_MEM_ANONYMOUS], 18);
}

/* No file of a captured machine tells on which of its nodes, or of which kind. */
static void totals_of_no_node(void **state)
{
	static const char *const nodes[] = {
		"../sys",
		"../sys/devices",
		"../sys/devices/system",
		"../sys/devices/system/node",
		"../sys/devices/system/node/node1",
		"../sys/devices/system/node/node3",
	};

	(void)state;
	put_process(10, 1, NULL, NULL,
		    "Name:\tx\nVmSize:\t 99 kB\nVmRSS:\t 52 kB\n");
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		make_dir(nodes[i]);
		tally_kernel_mem_destroy(mem);
		tally_kernel_tree_destroy(tree);
		tree = NULL;
		sample(10);
		assert_int_equal(result->nr_totals, 1);
		assert_int_equal(result->refused, 0);
		if (i == 4) {
			exactly(&node(1)->now_total, 13);
			is(&node(1)->now[TALLY_MEM_ANONYMOUS], 0, 0, 13);
			is(&node(1)->now[TALLY_MEM_FILE], 0, 0, 13);
			continue;
		}
		assert_int_equal(result->nr_nodes, 0);
		exactly(&result->unknown.now_total, 13);
		is(&result->unknown.now[TALLY_MEM_SHARED], 0, 0, 13);
		exactly(&result->unknown.now[TALLY_MEM_HUGE], 0);
	}
}

/* A captured process without status has at least its stat. */
static void without_status(void **state)
{
	(void)state;
	put_process(10, 1, NULL, NULL, NULL);
	put("10", "stat",
	    "10 (x) S 1 0 0 0 0 0 0 0 0 0 3 4 0 0 0 0 1 0 5 0 7 0\n");
	put_process(11, 10, NULL,
		    "1000 default anon=8 dirty=8 N0=8 kernelpagesize_kB=4\n",
		    NULL);
	sample(10);
	assert_int_equal(result->nr_processes, 2);
	exactly(&result->all.now_total, 15);
}

/* One process has no numa_maps and no status any more, another no memory. */
static void ended_meanwhile(void **state)
{
	(void)state;
	put_process(10, 1, NULL,
		    "1000 default anon=8 dirty=8 N0=8 kernelpagesize_kB=4\n",
		    NULL);
	put_process(11, 10, NULL, NULL, NULL);
	put_process(12, 10, NULL, NULL, "Name:\tx\nState:\tZ (zombie)\n");
	sample(10);
	assert_int_equal(result->nr_processes, 2);
	assert_int_equal(result->nr_lost, 1);
	exactly(&result->all.now_total, 9);
}

static void malformed_lines(void **state)
{
	(void)state;
	put_process(10, 1, NULL,
		    "1000 default anon=8 N0=8 kernelpagesize_kB=4\n"
		    "2000 default anon=8 N0=eight kernelpagesize_kB=4\n"
		    "3000 default anon=8 N0=8 kernelpage",
		    NULL);
	sample(10);
	assert_int_equal(result->nr_malformed, 2);
	exactly(&result->all.now_total, 8);
	sample(10);
	assert_int_equal(result->nr_malformed, 4);
}

static void nobody_left(void **state)
{
	(void)state;
	put_process(10, 1, NULL, "1000 default anon=8 N0=8\n", NULL);
	sample(10);
	put("10", "stat", "");
	sample(10);
	assert_int_equal(result->nr_processes, 0);
	exactly(&result->all.now_total, 0);
	assert_true(result->all.peak_total.bytes > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOT(kinds_and_nodes),
		WITH_ROOT(copied_on_write),
		WITH_ROOT(files_of_several_count_once),
		WITH_ROOT(overlapping_ranges),
		WITH_ROOT(mapped_twice),
		WITH_ROOT(forked_memory),
		WITH_ROOT(no_numa),
		WITH_ROOT(refused),
		WITH_ROOT(ended_meanwhile),
		WITH_ROOT(totals_of_no_node),
		WITH_ROOT(without_status),
		WITH_ROOT(malformed_lines),
		WITH_ROOT(nobody_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
