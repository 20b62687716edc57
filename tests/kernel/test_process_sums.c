// SPDX-License-Identifier: MIT
/* Sums of made-up processes, filters, and the budget of reading them. */
#include "support/test.h"

#include "support/allocations.h"
#include "support/process_trees.h"

/* As a hostile tree can have it: no sum becomes negative, or small. */
static void sums_too_large(void **state)
{
	static const char text[] =
		"10 (x) S 1 0 0 0 0 0 0 0 0 0 9999999999999999 "
		"9999999999999999 0 0 0 0 1 0 5 0 9 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
		"0 0\n";
	const struct tally_process_sum *sum;

	(void)state;
	for (int pid = 10; pid < 12; pid++) {
		put_process(pid, 33, "/", "", "");
		put(pid, "stat", text);
	}
	/* Of ticks, and of their time. */
	put_process(12, 33, "/", "", "");
	put(12, "stat",
	    "12 (x) S 1 0 0 0 0 0 0 0 0 0 18446744073709551615 0 0 0 0 0 1 0 "
	    "5 0 9 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_true(row(10)->cpu_ns == INT64_MAX);
	assert_true(row(12)->cpu_ns == INT64_MAX);
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	sum = tally_kernel_processes_sum_at(list, 0);
	assert_int_equal(sum->nr_processes, 3);
	assert_true(sum->cpu_ns == INT64_MAX);
}

/* A child of vfork(2) has its parent's memory, whose pages no other maps. */
static void memory_of_vfork(void **state)
{
	static const char *const states[] = {"D", "S"};
	const int64_t sums[] = {10 * K4, 20 * K4};
	const struct tally_process_sum *sum;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (int pid = 10; pid < 12; pid++) {
			char text[256];

			put_process(pid, 33, "/", "1000-b000 rw-p 0 00:00 0\n",
				    "1000 default anon=10 dirty=10 N2=10 "
				    "kernelpagesize_kB=4\n");
			snprintf(text, sizeof(text),
				 "%d (x) %s %d 0 0 0 0 0 0 0 0 0 1 1 0 0 0 0 1 "
				 "0 5 0 13 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
				 pid, pid == 10 ? states[i] : "S", pid - 1);
			put(pid, "stat", text);
		}
		open_list(NULL, NULL);
		assert_int_equal(tally_kernel_processes_read(list), 0);
		assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL),
				 0);
		sum = tally_kernel_processes_sum_at(list, 0);
		assert_int_equal(sum->nr_processes, 2);
		assert_true(sum->all.memory[TALLY_MEM_ANONYMOUS].bytes ==
			    sums[i]);
		tally_kernel_processes_close(list);
		list = NULL;
	}
}

#define COMMAND(text) \
	.commands = (const char *const[]){"nobody", text}, .nr_commands = 2

static void filters(void **state)
{
	static const pid_t pids[] = {12, 10, 12, 99};
	const struct {
		struct tally_process_filter filter;
		unsigned int nr;
		int first;
	} cases[] = {
		{{.by_uid = true, .uid = 33}, 2, 10},
		{{.by_uid = true, .uid = 0}, 1, 12},
		{{.by_uid = true, .uid = 7}, 0, 0},
		{{.cgroup = "/a"}, 2, 10},
		{{.cgroup = "/a/"}, 2, 10},
		{{.cgroup = "/a/b"}, 1, 10},
		{{.cgroup = "/"}, 3, 10},
		{{.cgroup = "/nor"}, 0, 0},
		{{COMMAND("x")}, 3, 10},
		{{COMMAND("two args")}, 1, 11},
		{{COMMAND("args\x01")}, 0, 0},
		{{COMMAND("args"), .by_uid = true, .uid = 33}, 1, 11},
		{{COMMAND("args"), .cgroup = "/ab"}, 0, 0},
		{{.pids = pids, .nr_pids = 2}, 2, 10},
		{{.pids = pids, .nr_pids = 1, COMMAND("args")}, 2, 11},
		{{.pids = pids, .nr_pids = 2, .by_uid = true, .uid = 33}, 1, 10},
	};

	(void)state;
	put_process(10, 33, "/a/b", "", "");
	put_process(11, 33, "/a", "", "");
	put(11, "cmdline", "");
	tree_put_bytes(tree, "proc/11/cmdline", "x\0two\0args\0", 11);
	put_process(12, 0, "/ab", "", "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tally_process_filter filter = cases[i].filter;

		filter.size = sizeof(filter);
		open_list(&filter, NULL);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(tally_kernel_processes_read(list), 0);
			assert_int_equal(tally_kernel_processes_nr(list),
					 cases[i].nr);
			if (cases[i].nr)
				assert_int_equal(
					tally_kernel_processes_row(list, 0)->pid,
					cases[i].first);
		}
		tally_kernel_processes_close(list);
		list = NULL;
	}
	/* A process that was asked for and has ended has a row. */
	open_list(
		&(struct tally_process_filter){
			.size = sizeof(struct tally_process_filter),
			.pids = pids,
			.nr_pids = 4},
		NULL);
	assert_int_equal(tally_kernel_processes_read(list), -ESRCH);
	assert_int_equal(tally_kernel_processes_nr(list), 3);
	assert_int_equal(row(99)->err, -ESRCH);
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	assert_int_equal(tally_kernel_processes_sum_at(list, 0)->nr_processes,
			 2);
	assert_int_equal(row(10)->err, 0);
}

/* Each pattern is matched, whichever other one selects the process. */
static void patterns_without_a_process(void **state)
{
	static const char *const commands[] = {"two", "x", "nobody", "three"};
	static const pid_t pids[] = {12};
	static const bool matched[] = {true, true, false, true};

	(void)state;
	put_process(10, 33, "/a", "", "");
	put_process(11, 33, "/a", "", "");
	put(11, "cmdline", "");
	tree_put_bytes(tree, "proc/11/cmdline", "x\0two\0args\0", 11);
	put_process(12, 33, "/a", "", "");
	put(12, "cmdline", "three");
	open_list(
		&(struct tally_process_filter){
			.size = sizeof(struct tally_process_filter),
			.pids = pids,
			.nr_pids = 1,
			.commands = commands,
			.nr_commands = 4},
		NULL);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(tally_kernel_processes_read(list), 0);
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(
				tally_kernel_processes_matched(list, i),
				matched[i]);
	}
	tree_remove(tree, "proc/12");
	assert_int_equal(tally_kernel_processes_read(list), -ESRCH);
	assert_false(tally_kernel_processes_matched(list, 3));
}

/* A process moves into the cgroup that was asked for, or out of it. */
static void filters_see_changes(void **state)
{
	(void)state;
	put_process(10, 33, "/a", "", "");
	put_process(11, 33, "/b", "", "");
	open_list(
		&(struct tally_process_filter){
			.size = sizeof(struct tally_process_filter),
			.cgroup = "/a"},
		NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_find(list, 11), -ENOENT);
	put(11, "cgroup", "3:memory:/a/much/longer/than/it/was\n");
	put(10, "cgroup", "3:memory:/ab\n");
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_nr(list), 1);
	assert_string_equal(row(11)->cgroup, "/a/much/longer/than/it/was");
}

/* ---- sums ----------------------------------------------------------------- */

static void sums(void **state)
{
	const struct tally_process_sum *s;

	(void)state;
	/* 10 and 11 share a library, and each has 9 pages of its own. */
	put_process(10, 33, "/b", LIB,
		    ANON("1000", "N7=9 kernelpagesize_kB=4") LIB_PAGES("5"));
	put_process(11, 33, "/a", LIB,
		    ANON("1000", "N2=9 kernelpagesize_kB=4") LIB_PAGES("4"));
	put_process(12, 5, "/b", LIB,
		    ANON("1000", "N2=9 kernelpagesize_kB=4") LIB_PAGES("8"));
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_nr_sums(list), 0);
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	assert_int_equal(tally_kernel_processes_nr_sums(list), 1);
	s = tally_kernel_processes_sum_at(list, 0);
	assert_int_equal(s->nr_processes, 3);
	assert_int_equal(s->nr_threads, 3);
	assert_int_equal(s->nr_failed, 0);
	assert_int_equal(s->swap_bytes, 33 * 1024);
	exactly(&s->all.memory[TALLY_MEM_ANONYMOUS], 27);
	/* The range has 16 pages. */
	is(&s->all.memory[TALLY_MEM_FILE], 8, 8, 16);
	is(&node(s->nodes, s->nr_nodes, 2)->total, 26, 26, 34);
	exactly(&node(s->nodes, s->nr_nodes, 7)->total, 9);
	exactly(&s->local, 18 + 17);
	exactly(&s->remote, 9);

	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_USER), 0);
	assert_int_equal(tally_kernel_processes_nr_sums(list), 2);
	s = tally_kernel_processes_sum_at(list, 0);
	assert_int_equal(s->uid, 5);
	exactly(&s->all.total, 17);
	s = tally_kernel_processes_sum_at(list, 1);
	assert_int_equal(s->uid, 33);
	assert_int_equal(s->nr_processes, 2);
	is(&s->all.memory[TALLY_MEM_FILE], 5, 5, 9);
	is(&s->all.common[TALLY_MEM_FILE], 0, 5, 9);

	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_CGROUP), 0);
	assert_int_equal(tally_kernel_processes_nr_sums(list), 3);
	s = tally_kernel_processes_sum_at(list, 0);
	assert_string_equal(s->cgroup, "/");
	assert_int_equal(s->nr_processes, 3);
	exactly(&s->all.memory[TALLY_MEM_ANONYMOUS], 27);
	s = tally_kernel_processes_sum_at(list, 1);
	assert_string_equal(s->cgroup, "/a");
	assert_int_equal(s->nr_processes, 1);
	s = tally_kernel_processes_sum_at(list, 2);
	assert_string_equal(s->cgroup, "/b");
	assert_int_equal(s->nr_processes, 2);
	is(&s->all.total, 26, 26, 31);
}

/* A cgroup has what those in it have, also if it has nothing else. */
static void sums_of_cgroups(void **state)
{
	static const char *const paths[] = {"/a/b/c", "/a-b",	"/a",
					    "/",      "/a/b/d", "//x/"};
	static const struct {
		const char *path;
		unsigned int nr;
	} sums[] = {{"", 1},	   {"/", 6},	  {"/a", 3},   {"/a/b", 2},
		    {"/a/b/c", 1}, {"/a/b/d", 1}, {"/a-b", 1}, {"/x", 1}};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		put_process(10 + (int)i, 33, paths[i], "",
			    ANON("1000", "N2=9 kernelpagesize_kB=4"));
	put_process(20, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	tree_remove(tree, "proc/20/cgroup");
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(
			tally_kernel_processes_sum(list, TALLY_BY_CGROUP), 0);
		for (i = 0; i < tally_kernel_processes_nr_sums(list); i++) {
			const struct tally_process_sum *s =
				tally_kernel_processes_sum_at(list, i);

			assert_string_equal(s->cgroup, sums[i].path);
			assert_int_equal(s->nr_processes, sums[i].nr);
			exactly(&s->all.total, 9 * sums[i].nr);
		}
		assert_int_equal(i, sizeof(sums) / sizeof(sums[0]));
	}
}

/* Pages that one process has may be those of which another has only the sum. */
static void known_pages_may_be_refused_ones(void **state)
{
	const struct tally_process_sum *s;

	(void)state;
	/* 8 pages of a library, which others have, too. */
	put_process(10, 33, "/", LIB, LIB_PAGES("8"));
	/* 2 pages of files, 1 of shared memory and 10 others. */
	put_process(11, 33, "/", "", NULL);
	tree_mkdir(tree, "proc/11/numa_maps");
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), -EISDIR);
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	s = tally_kernel_processes_sum_at(list, 0);
	is(&s->all.memory[TALLY_MEM_FILE], 8, 10, 10);
	is(&s->unknown.memory[TALLY_MEM_FILE], 0, 2, 2);
	exactly(&s->all.memory[TALLY_MEM_ANONYMOUS], 10);
	exactly(&s->all.memory[TALLY_MEM_SHARED], 1);
	put(11, "status",
	    "Name:\tx\nVmSize:\t 99 kB\nRssAnon:\t 4 kB\nRssFile:\t 44 kB\n"
	    "RssShmem:\t 0 kB\n");
	assert_int_equal(tally_kernel_processes_read(list), -EISDIR);
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	s = tally_kernel_processes_sum_at(list, 0);
	is(&s->all.memory[TALLY_MEM_FILE], 11, 19, 19);
}

static void has_processes(const char *cgroup, unsigned int nr)
{
	const struct tally_process_filter f = {.size = sizeof(f),
					       .cgroup = cgroup};
	struct tally_process_stats *those;

	assert_int_equal(
		tally_kernel_processes_open(tree->root, topo, &f, NULL, &those),
		0);
	assert_int_equal(tally_kernel_processes_read(those), 0);
	assert_int_equal(tally_kernel_processes_nr(those), nr);
	tally_kernel_processes_close(those);
}

/* Version 1 names "/" as the cgroup of each process that ended. */
static void the_dead_are_in_no_cgroup(void **state)
{
	const struct tally_process_sum *s;

	(void)state;
	put_process(10, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	for (int pid = 11; pid < 13; pid++) {
		char text[96];

		put_process(pid, 33, "/", "", NULL);
		snprintf(text, sizeof(text),
			 "%d (z) Z 1 0 0 0 0 0 0 0 0 0 3 4 0 0 0 0 1 0 5 0 0\n",
			 pid);
		put(pid, "stat", text);
	}
	put(12, "cgroup", "0::/\n");
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_string_equal(row(11)->cgroup, "");
	assert_string_equal(row(12)->cgroup, "/");
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_CGROUP), 0);
	assert_int_equal(tally_kernel_processes_nr_sums(list), 1);
	s = tally_kernel_processes_sum_at(list, 0);
	assert_string_equal(s->cgroup, "/");
	assert_int_equal(s->nr_processes, 2);
	has_processes("/", 2);
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	s = tally_kernel_processes_sum_at(list, 0);
	assert_int_equal(s->nr_processes, 3);
}

/* A cgroup above the root of the namespace holds it. */
static void sums_around_a_namespace(void **state)
{
	static const char *const paths[] = {
		"/",	"/../../x/y", "/../n",	"/a",
		"/..a", "/../../x.y", "/../..",
	};
	static const struct {
		const char *path;
		unsigned int nr;
	} sums[] = {
		{"/../..", 7},	   {"/../../x", 1}, {"/../../x/y", 1},
		{"/../../x.y", 1}, {"/..", 4},	    {"/../n", 1},
		{"/", 3},	   {"/..a", 1},	    {"/a", 1},
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		put_process(10 + (int)i, 33, paths[i], "",
			    ANON("1000", "N2=9 kernelpagesize_kB=4"));
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_CGROUP), 0);
	for (i = 0; i < tally_kernel_processes_nr_sums(list); i++) {
		const struct tally_process_sum *s =
			tally_kernel_processes_sum_at(list, i);

		assert_string_equal(s->cgroup, sums[i].path);
		assert_int_equal(s->nr_processes, sums[i].nr);
		exactly(&s->all.total, 9 * sums[i].nr);
		has_processes(sums[i].path, sums[i].nr);
	}
	assert_int_equal(i, sizeof(sums) / sizeof(sums[0]));
}

static void allocates_only_to_grow(void **state)
{
	(void)state;
#ifdef COUNT_ALLOCATIONS
	unsigned int before;

	for (int pid = 10; pid < 100; pid++)
		put_process(pid, pid % 3, pid % 2 ? "/a" : "/b", LIB,
			    ANON("1000", "N7=9 kernelpagesize_kB=4")
				    LIB_PAGES("5"));
	open_list(
		&(struct tally_process_filter){
			.size = sizeof(struct tally_process_filter),
			.cgroup = "/"},
		&(struct tally_mem_options){
			.size = sizeof(struct tally_mem_options),
			.budget_ppm = 1000000});
	for (int i = 0; i < 10; i++) {
		if (i == 1)
			before = allocations;
		assert_int_equal(tally_kernel_processes_read(list), 0);
		for (int by = 0; by < TALLY_NR_BY; by++)
			assert_int_equal(
				tally_kernel_processes_sum(
					list, (enum tally_process_by)by),
				0);
	}
	assert_int_equal(allocations, before);
	/* A new process takes the room of one that ended. */
	tree_remove(tree, "proc/50");
	put_process(50, 1, "/a", LIB, LIB_PAGES("5"));
	put_stat(50, "x", 1, 5000, 0);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	before = allocations;
	tree_remove(tree, "proc/51");
	put_process(51, 1, "/a", LIB, LIB_PAGES("5"));
	put_stat(51, "x", 1, 5000, 0);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_in_range(allocations - before, 0,
			200); /* the one that stdio makes here */
#else
	print_message("# the sanitizer has its own malloc\n");
#endif
}

/* ---- the budget ----------------------------------------------------------- */

#define MS ((int64_t)1000000)

/* A clock that moves a little at each reading. */
struct fake {
	int64_t now;
	int64_t step;
};

static int64_t fake_clock(void *arg)
{
	struct fake *f = arg;

	f->now += f->step;
	return f->now;
}

static unsigned int read_since(int64_t ns)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < tally_kernel_processes_nr(list); i++)
		nr += tally_kernel_processes_row(list, i)->memory_ns >= ns;
	return nr;
}

/* Reading a row takes 1 ms, and so does listing. */
static void the_budget(void **state)
{
	struct fake f = {.now = 1000 * MS, .step = MS};
	struct tally_mem_options o = {.size = sizeof(o),
				      .budget_ppm = 10000,
				      .burst_ns = MS,
				      .clock = fake_clock,
				      .clock_arg = &f};
	int64_t begin, cost;

	(void)state;
	for (int pid = 10; pid < 30; pid++)
		put_process(pid, 33, "/", "",
			    ANON("1000", "N2=9 kernelpagesize_kB=4"));
	open_list(NULL, &o);
	/* All of them are new. */
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(read_since(1000 * MS), 20);
	assert_in_range(tally_kernel_processes_last_cost_ns(list), 21 * MS,
			24 * MS);
	assert_int_equal(tally_kernel_processes_time_ns(list), f.now);
	/* 21 ms are owed, which takes 2 s and more: nothing can be read
	 * meanwhile. */
	f.now += 100 * MS;
	begin = f.now;
	put_stat(12, "renamed", 1, 1012, 0);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(read_since(begin), 0);
	assert_string_equal(row(12)->name, "renamed");
	/* A process that changed is read first. */
	f.now += 2500 * MS;
	begin = f.now;
	put(15, "stat",
	    "15 (x) S 1 0 0 0 0 0 0 0 0 0 3 4 0 0 0 0 1 0 1015 0 77\n");
	put(15, "numa_maps", ANON("1000", "N2=10 kernelpagesize_kB=4"));
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_in_range(read_since(begin), 1, 6);
	assert_true(row(15)->memory_ns >= begin);
	exactly(&row(15)->all.total, 10);
	/* Each process has its turn, and together they cost a hundredth of the
	 * time. */
	begin = f.now;
	cost = tally_kernel_processes_cost_ns(list);
	for (int i = 0; i < 1000; i++) {
		f.now += 500 * MS;
		assert_int_equal(tally_kernel_processes_read(list), 0);
	}
	cost = tally_kernel_processes_cost_ns(list) - cost;
	assert_int_equal(read_since(begin + 480000 * MS), 20);
	assert_in_range(cost, (f.now - begin) / 150, (f.now - begin) / 98);
	/* A new process never waits. */
	put_process(40, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	assert_int_equal(tally_kernel_processes_read(list), 0);
	exactly(&row(40)->all.total, 9);
}

/* A first reading is paid off in ten seconds at most. */
static void a_dear_beginning(void **state)
{
	struct fake f = {.now = 1000 * MS, .step = 100 * MS};
	struct tally_mem_options o = {
		.size = sizeof(o), .clock = fake_clock, .clock_arg = &f};
	int64_t begin;

	(void)state;
	for (int pid = 10; pid < 30; pid++)
		put_process(pid, 33, "/", "", "");
	open_list(NULL, &o);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	f.step = 1;
	f.now += 9000 * MS;
	begin = f.now;
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(read_since(begin), 0);
	f.now += 1000 * MS;
	begin = f.now;
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(read_since(begin), 20);
}

static void bad_options(void **state)
{
	struct tally_mem_options o = {.size = sizeof(o), .budget_ppm = 1000001};

	(void)state;
	assert_int_equal(
		tally_kernel_processes_open(NULL, NULL, NULL, &o, &list),
		-EINVAL);
	o = (struct tally_mem_options){.size = sizeof(struct tally_mem_options),
				       .large_bytes = -1};
	assert_int_equal(
		tally_kernel_processes_open(NULL, NULL, NULL, &o, &list),
		-EINVAL);
	assert_int_equal(tally_kernel_processes_open("/nowhere", NULL, NULL,
						     NULL, &list),
			 -ENOENT);
	assert_null(list);
	tally_kernel_processes_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(sums_too_large),
		WITH_TREE(memory_of_vfork),
		WITH_TREE(filters),
		WITH_TREE(patterns_without_a_process),
		WITH_TREE(filters_see_changes),
		WITH_TREE(sums),
		WITH_TREE(sums_of_cgroups),
		WITH_TREE(known_pages_may_be_refused_ones),
		WITH_TREE(sums_around_a_namespace),
		WITH_TREE(the_dead_are_in_no_cgroup),
		WITH_TREE(allocates_only_to_grow),
		WITH_TREE(the_budget),
		WITH_TREE(a_dear_beginning),
		cmocka_unit_test(bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
