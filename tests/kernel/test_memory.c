// SPDX-License-Identifier: MIT
/* The memory of made-up processes, and the sampling budget. */
#include "support/test.h"

#include <sys/stat.h>

#include <numatally/kernel_memory.h>

#include "support/allocations.h"

#define K4 4096

static char root[32];
static struct tally_tree *tree;
static struct tally_mem *mem;
static const struct tally_mem_result *result;

static void put(const char *dir, const char *file, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/%s/%s", root, dir, file);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void make_dir(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/proc/%s", root, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

/* A process, with each text that is not NULL. */
static void put_process(int pid, int ppid, const char *maps,
			const char *numa_maps, const char *status)
{
	char dir[16], text[256];

	snprintf(dir, sizeof(dir), "%d", pid);
	make_dir(dir);
	snprintf(text, sizeof(text),
		 "%d (x) S %d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 %d 0 1\n", pid,
		 ppid, 1000 + pid);
	put(dir, "stat", text);
	if (maps)
		put(dir, "maps", maps);
	if (numa_maps)
		put(dir, "numa_maps", numa_maps);
	if (status)
		put(dir, "status", status);
}

static int set_up(void **state)
{
	char path[64];

	(void)state;
	strcpy(root, "numatally-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof(path), "%s/proc", root);
	return mkdir(path, 0755);
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	tally_kernel_mem_destroy(mem);
	tally_kernel_tree_destroy(tree);
	mem = NULL;
	tree = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void sample(int pid)
{
	if (!tree) {
		assert_int_equal(
			tally_kernel_tree_create(root, pid, true, &tree), 0);
		assert_int_equal(tally_kernel_mem_create(root, NULL, &mem), 0);
	}
	assert_int_equal(tally_kernel_mem_sample(mem, tree), 0);
	result = tally_kernel_mem_result(mem);
}

static const struct tally_mem_node *node(int id)
{
	unsigned int i;

	for (i = 0; i < result->nr_nodes; i++) {
		assert_true(!i ||
			    result->nodes[i - 1].node < result->nodes[i].node);
		if (result->nodes[i].node == id)
			return &result->nodes[i];
	}
	fail_msg("node %d isn't there", id);
	return NULL;
}

static void is(const struct tally_mem_figure *f, int64_t lower, int64_t pages,
	       int64_t upper)
{
	assert_int_equal(f->lower_bytes, lower * K4);
	assert_int_equal(f->bytes, pages * K4);
	assert_int_equal(f->upper_bytes, upper * K4);
}

static void exactly(const struct tally_mem_figure *f, int64_t pages)
{
	is(f, pages, pages, pages);
}

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

#define LIB(range, offset) range " r-xp " offset " 08:01 77 /lib/x\n"
#define LIB_PAGES(start, pages)                                          \
	start " default file=/lib/x mapped=" pages " mapmax=2 N0=" pages \
	      " kernelpagesize_kB=4\n"

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

static void peaks(void **state)
{
	static const char *const texts[] = {
		"1000 default anon=8 N0=8 kernelpagesize_kB=4\n"
		"2000 default file=/a mapped=1 N1=1 kernelpagesize_kB=4\n",
		"1000 default anon=3 N0=1 N1=2 kernelpagesize_kB=4\n"
		"2000 default file=/a mapped=4 N1=4 kernelpagesize_kB=4\n",
		"1000 default\n",
	};
	unsigned int i;

	(void)state;
	put_process(10, 1, NULL, NULL, NULL);
	for (i = 0; i < 3; i++) {
		put("10", "numa_maps", texts[i]);
		sample(10);
		assert_int_equal(result->nr_samples, i + 1);
	}
	exactly(&node(0)->now_total, 0);
	exactly(&node(0)->peak_total, 8);
	exactly(&node(1)->now_total, 0);
	exactly(&node(1)->peak[TALLY_MEM_ANONYMOUS], 2);
	exactly(&node(1)->peak[TALLY_MEM_FILE], 4);
	exactly(&node(1)->peak_total, 6);
	exactly(&result->all.peak_total, 9);
	exactly(&result->all.peak[TALLY_MEM_ANONYMOUS], 8);
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

/* ---- allocating ----------------------------------------------------------- */

static void allocates_only_to_grow(void **state)
{
	(void)state;
#ifdef COUNT_ALLOCATIONS
	unsigned int i, before;
	volatile char *used;

	/* The counting itself must work. */
	before = allocations;
	used = malloc(1);
	assert_non_null(used);
	free((void *)used);
	assert_int_equal(allocations, before + 1);
	put_process(10, 1, LIB("10000-20000", "00000000"),
		    LIB_PAGES("10000", "10"), NULL);
	put_process(11, 10, LIB("10000-20000", "00000000"),
		    LIB_PAGES("10000", "10"), NULL);
	sample(10);
	sample(10);
	before = allocations;
	for (i = 0; i < 10; i++)
		sample(10);
	assert_int_equal(allocations, before);
#else
	print_message("# the sanitizer has its own malloc\n");
#endif
}

/* ---- the budget ----------------------------------------------------------- */

/* A clock that each sample reads twice, and that the test moves in between. */
struct fake {
	int64_t now;
	int64_t cost;
	unsigned int reads;
};

static int64_t fake_clock(void *arg)
{
	struct fake *f = arg;

	if (f->reads++ % 2)
		f->now += f->cost;
	return f->now;
}

#define MS ((int64_t)1000000)

static void with_clock(struct fake *f, struct tally_mem_options *o)
{
	o->clock = fake_clock;
	o->clock_arg = f;
	put_process(10, 1, NULL, "1000 default anon=8 N0=8\n", NULL);
	assert_int_equal(tally_kernel_tree_create(root, 10, true, &tree), 0);
	assert_int_equal(tally_kernel_mem_create(root, o, &mem), 0);
	assert_true(tally_kernel_mem_due(mem) <= f->now);
}

static void intervals_grow(void **state)
{
	static const int64_t want[] = {1, 2, 4, 8, 9, 9};
	struct tally_mem_options o = {.size = sizeof(o),
				      .first_interval_ns = MS,
				      .last_interval_ns = 9 * MS};
	struct fake f = {.now = 1000 * MS, .cost = 0};
	unsigned int i;

	(void)state;
	with_clock(&f, &o);
	for (i = 0; i < 6; i++) {
		sample(10);
		assert_int_equal(tally_kernel_mem_due(mem) - f.now,
				 want[i] * MS);
		f.now = tally_kernel_mem_due(mem);
	}
	assert_int_equal(result->cost_ns, 0);
}

static void a_dear_sample_is_paid_off(void **state)
{
	struct tally_mem_options o = {.size = sizeof(o),
				      .budget_ppm = 20000,
				      .burst_ns = 2 * MS,
				      .last_interval_ns = MS};
	struct fake f = {.now = 1000 * MS, .cost = 12 * MS};

	(void)state;
	with_clock(&f, &o);
	sample(10);
	/* 12 ms, of which 2 ms may be owed: at 2 %, 10 ms cost 500 ms. */
	assert_int_equal(tally_kernel_mem_due(mem) - f.now, 500 * MS);
	assert_int_equal(result->last_cost_ns, 12 * MS);
	/* A slower one: the 2 ms are still owed, and 3 ms more, less what was
	 * paid while it ran. */
	f.now = tally_kernel_mem_due(mem);
	f.cost = 50 * MS;
	sample(10);
	assert_int_equal(tally_kernel_mem_due(mem) - f.now, MS * 50 * 49);
	assert_int_equal(result->cost_ns, 62 * MS);
	/* After a long pause nothing is owed, and nothing is saved up. */
	f.now += (int64_t)3600 * 1000 * MS;
	sample(10);
	assert_int_equal(tally_kernel_mem_due(mem) - f.now, MS * 48 * 50);
}

/* Whatever each costs, all samples together keep to the budget. */
static void the_budget_holds(void **state)
{
	struct tally_mem_options o = {.size = sizeof(o), .budget_ppm = 10000};
	struct fake f = {.now = 1000 * MS};
	int64_t start = f.now;
	unsigned int i;

	(void)state;
	with_clock(&f, &o);
	srandom(1);
	for (i = 0; i < 200; i++) {
		f.cost = random() % (20 * MS);
		sample(10);
		f.now = tally_kernel_mem_due(mem);
		assert_true(result->cost_ns <=
			    (f.now - start) / 100 + 1 * MS + 1);
	}
}

static void bad_options(void **state)
{
	struct tally_mem_options o = {.size = sizeof(o), .budget_ppm = 1000001};
	struct {
		struct tally_mem_options o;
		int64_t later;
	} later = {.later = 1};

	(void)state;
	assert_int_equal(tally_kernel_mem_create(NULL, &o, &mem), -EINVAL);
	o = (struct tally_mem_options){.size = sizeof(struct tally_mem_options),
				       .burst_ns = -1};
	assert_int_equal(tally_kernel_mem_create(NULL, &o, &mem), -EINVAL);
	o = (struct tally_mem_options){.size = sizeof(struct tally_mem_options),
				       .large_bytes = -1};
	assert_int_equal(tally_kernel_mem_create(NULL, &o, &mem), -EINVAL);
	o = (struct tally_mem_options){.seed = 1};
	assert_int_equal(tally_kernel_mem_create(NULL, &o, &mem), -EINVAL);
	later.o.size = sizeof(later);
	assert_int_equal(tally_kernel_mem_create(NULL, &later.o, &mem), -E2BIG);
	assert_int_equal(tally_kernel_mem_create("/nowhere", NULL, &mem),
			 -ENOENT);
	assert_null(mem);
	assert_string_equal(tally_kernel_mem_name(TALLY_MEM_SHARED), "shared");
}

#define WITH_ROOT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

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
		WITH_ROOT(peaks),
		WITH_ROOT(nobody_left),
		WITH_ROOT(allocates_only_to_grow),
		WITH_ROOT(intervals_grow),
		WITH_ROOT(a_dear_sample_is_paid_off),
		WITH_ROOT(the_budget_holds),
		cmocka_unit_test(bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
