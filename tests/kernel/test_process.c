// SPDX-License-Identifier: MIT
/* Rows of made-up processes. */
#include "support/test.h"

#include "support/process_trees.h"

static void a_row(void **state)
{
	const struct tally_process_row *r;
	const struct tally_process_node *n;

	(void)state;
	put_process(10, 33, "/a/b", LIB,
		    ANON("1000", "N2=3 N7=6 kernelpagesize_kB=4")
			    LIB_PAGES("5"));
	put_stat(10, "odd) name", 3, 1010, 0);
	put_thread(10, 10, 0, 5);
	put_thread(10, 11, 2, 7);
	put_thread(10, 12, 99, 1);
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_nr(list), 1);
	r = row(10);
	assert_int_equal(r->err, 0);
	assert_int_equal(r->pid, 10);
	assert_int_equal(r->ppid, 1);
	assert_int_equal(r->start_ticks, 1010);
	assert_int_equal(r->uid, 33);
	assert_int_equal(r->state, 'S');
	assert_string_equal(r->name, "odd) name");
	assert_string_equal(r->cgroup, "/a/b");
	assert_int_equal(r->nr_threads, 3);
	assert_int_equal(r->cpu_ns * sysconf(_SC_CLK_TCK), 42 * 1000000000L);
	assert_int_equal(r->swap_bytes, 10 * 1024);
	assert_true(r->has_memory);
	assert_false(r->sampled);
	assert_int_equal(r->nr_nodes, 2);
	n = node(r->nodes, r->nr_nodes, 2);
	exactly(&n->memory[TALLY_MEM_ANONYMOUS], 3);
	exactly(&n->own[TALLY_MEM_ANONYMOUS], 3);
	exactly(&n->common[TALLY_MEM_ANONYMOUS], 0);
	/* Another process shares some of it; how much is unknown here. */
	exactly(&n->memory[TALLY_MEM_FILE], 5);
	is(&n->own[TALLY_MEM_FILE], 0, 0, 5);
	is(&n->common[TALLY_MEM_FILE], 0, 5, 5);
	exactly(&n->total, 8);
	is(&n->total_own, 3, 3, 8);
	is(&n->total_common, 0, 5, 5);
	assert_int_equal(n->nr_threads, 1);
	assert_int_equal(n->cpu_ns * sysconf(_SC_CLK_TCK), 5 * 1000000000L);
	n = node(r->nodes, r->nr_nodes, 7);
	exactly(&n->total, 6);
	assert_int_equal(n->nr_threads, 1);
	assert_int_equal(r->unknown.nr_threads, 1);
	assert_int_equal(r->unknown.node, -1);
	exactly(&r->all.total, 14);
	assert_int_equal(r->all.nr_threads, 3);
	assert_int_equal(tally_kernel_processes_find(list, 11), -ENOENT);
}

/* Local memory is on nodes where a thread runs; with one thread's node unknown,
 * all may be local. */
static void local_and_remote(void **state)
{
	(void)state;
	put_process(10, 33, "/", "",
		    ANON("1000", "N2=3 N7=6 kernelpagesize_kB=4"));
	put_process(11, 33, "/", "",
		    ANON("1000", "N2=3 N7=6 kernelpagesize_kB=4"));
	put_stat(11, "x", 2, 1011, 0);
	put_thread(11, 11, 0, 0);
	put_thread(11, 12, 99, 0);
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	exactly(&row(10)->local, 3);
	exactly(&row(10)->remote, 6);
	is(&row(11)->local, 3, 3, 9);
	is(&row(11)->remote, 0, 6, 6);
	/* No CPU is known. */
	tally_kernel_processes_close(list);
	assert_int_equal(tally_kernel_processes_open(tree->root, NULL, NULL,
						     NULL, &list),
			 0);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(row(10)->unknown.nr_threads, 1);
	is(&row(10)->local, 0, 0, 9);
	is(&row(10)->remote, 0, 0, 9);
	tally_kernel_processes_set_topo(list, topo);
}

/* Version 2 alone, no cgroup, and lines that make no sense. */
static void cgroup_paths(void **state)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
		{"0::/x y\n", "/x y"},
		{"1:name=systemd:/s\n0::/v2\n", "/v2"},
		{"0::/v2\n5:memory:/v1\n", "/v1"},
		{"5:blkio,memory,pids:/v1\n", "/v1"},
		{"5:memoryless:/v1\n", ""},
		{"0::/colon:in:it\n", "/colon:in:it"},
		{"", ""},
		{"memory\n::\n:memory\n", ""},
		{"0::", ""},
	};

	(void)state;
	put_process(10, 33, "/", "", "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(10, "cgroup", cases[i].text);
		open_list(NULL, NULL);
		assert_int_equal(tally_kernel_processes_read(list), 0);
		assert_string_equal(row(10)->cgroup, cases[i].path);
		tally_kernel_processes_close(list);
		list = NULL;
	}
	tree_remove(tree, "proc/10/cgroup");
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_string_equal(row(10)->cgroup, "");
}

/* Even root cannot read a directory as a file. */
static void refused(void **state)
{
	const struct tally_process_row *r;

	(void)state;
	put_process(10, 33, "/", "", NULL);
	tree_mkdir(tree, "proc/10/numa_maps");
	put_process(11, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), -EISDIR);
	r = row(10);
	assert_int_equal(r->err, -EISDIR);
	assert_int_equal(r->nr_threads, 1);
	exactly(&r->unknown.memory[TALLY_MEM_ANONYMOUS], 10);
	is(&r->unknown.own[TALLY_MEM_ANONYMOUS], 0, 0, 10);
	exactly(&r->unknown.total, 13);
	exactly(&r->all.total, 13);
	is(&r->local, 0, 0, 13);
	assert_int_equal(row(11)->err, 0);
	exactly(&row(11)->all.total, 9);
	/* The error stays while the file is not read again. */
	assert_int_equal(tally_kernel_processes_read(list), -EISDIR);
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	assert_int_equal(tally_kernel_processes_sum_at(list, 0)->err, -EISDIR);
	assert_int_equal(tally_kernel_processes_sum_at(list, 0)->nr_failed, 1);
	exactly(&tally_kernel_processes_sum_at(list, 0)->all.total, 22);
}

static void without_memory(void **state)
{
	(void)state;
	/* A kernel thread, and a zombie. */
	put_process(10, 0, "/", "", "");
	put(10, "status", "Name:\tk\nUid:\t0\t0\t0\t0\n");
	put_process(11, 33, "/", "", NULL);
	put(11, "stat", "11 (z) Z 1 0 0 0 0 0 0 0 0 0 3 4 0 0 0 0 1 0 5 0 0\n");
	/* A kernel without NUMA. */
	put_process(12, 33, "/", "", NULL);
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_nr(list), 3);
	assert_false(row(10)->has_memory);
	assert_int_equal(row(10)->nr_nodes, 1); /* the CPU it ran on */
	assert_false(row(11)->has_memory);
	assert_int_equal(row(11)->nr_nodes, 0);
	assert_true(row(12)->has_memory);
	exactly(&row(12)->all.memory[TALLY_MEM_FILE], 2);
	is(&row(12)->all.own[TALLY_MEM_FILE], 0, 0, 2);
}

/* Nonsense, and files that end early. */
static void garbage(void **state)
{
	(void)state;
	put_process(10, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	put(10, "status", "Name:\tx\nVmSize: 4 kB\nUid:\t7\n");
	put_process(11, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	put(11, "status", "Name:\tx\nUid:\t7\t99999999999\t3\n");
	put_process(12, 33, "/", "", "1000 default anon=8 N2=\n2000");
	/* What stat does not tell, status does. */
	put(13, "stat", "");
	put(14, "stat", "14 (x) S 1 0 0\n");
	put(14, "status",
	    "Name:\ty z\nPPid:\t3\nThreads:\t5\nUid:\t7\t33\n"
	    "VmSize:\t 99 kB\nVmRSS:\t 52 kB\nRssAnon:\t 44 kB\n"
	    "RssFile:\t 8 kB\nRssShmem:\t 0 kB\nVmSwap:\t 0 kB\n");
	/* Neither has anything. */
	put(16, "maps", "");
	tree_put(tree, "proc/015/stat", "15 (x) S 1 0 0\n");
	tree_put(tree, "proc/99999999999999999999/stat", "");
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), -EBADMSG);
	assert_int_equal(tally_kernel_processes_nr(list), 6);
	assert_int_equal(row(10)->err, -EBADMSG);
	assert_int_equal(row(10)->uid, (uid_t)-1);
	exactly(&row(10)->all.total, 9);
	assert_int_equal(row(11)->err, -EBADMSG);
	assert_int_equal(row(12)->err, -EBADMSG);
	exactly(&row(12)->all.total, 0);
	assert_int_equal(row(13)->err, -EBADMSG);
	assert_false(row(13)->has_memory);
	assert_int_equal(row(14)->err, -EBADMSG);
	assert_string_equal(row(14)->name, "y z");
	assert_int_equal(row(14)->ppid, 3);
	assert_int_equal(row(14)->nr_threads, 5);
	assert_int_equal(row(14)->state, 0);
	assert_true(row(14)->rss_bytes == TALLY_UNKNOWN);
	exactly(&row(14)->all.total, 13);
	assert_int_equal(row(16)->err, -ENOENT);
	assert_false(row(16)->has_memory);
	assert_true(row(16)->swap_bytes == TALLY_UNKNOWN);
}

/* What status lacks is not known; what stat and numa_maps tell is. */
static void parts_of_status(void **state)
{
	(void)state;
	/* Linux before 4.5, without numa_maps. */
	put_process(10, 33, "/", "", NULL);
	put(10, "status", "Uid:\t7\t33\nVmSize:\t 99 kB\nVmRSS:\t 52 kB\n");
	/* No status at all, with and without numa_maps. */
	put_process(11, 33, "/", "", NULL);
	tree_remove(tree, "proc/11/status");
	put_process(12, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	tree_remove(tree, "proc/12/status");
	/* One line makes no sense. */
	put_process(13, 33, "/", "", NULL);
	put(13, "status",
	    "\nUid:\t7\t33\nVmSize:\t 99 kB\nVmRSS:\t 52 kB\nRssAnon:\t x\n"
	    "RssFile:\t 8 kB\nRssShmem:\t 0 kB\nVmSwap:\t 0 kB\n");
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), -EBADMSG);
	assert_int_equal(tally_kernel_processes_nr(list), 4);
	assert_int_equal(row(10)->err, 0);
	assert_true(row(10)->has_memory);
	assert_true(row(10)->swap_bytes == TALLY_UNKNOWN);
	exactly(&row(10)->all.total, 13);
	is(&row(10)->all.memory[TALLY_MEM_ANONYMOUS], 0, 0, 13);
	is(&row(10)->all.own[TALLY_MEM_FILE], 0, 0, 13);
	is(&row(10)->all.total_own, 0, 0, 13);
	assert_int_equal(row(11)->err, 0);
	assert_int_equal(row(11)->uid, (uid_t)-1);
	exactly(&row(11)->all.total, 9);
	exactly(&row(12)->all.memory[TALLY_MEM_ANONYMOUS], 9);
	assert_int_equal(row(13)->err, -EBADMSG);
	assert_int_equal(row(13)->swap_bytes, 0);
	exactly(&row(13)->all.total, 13);
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	is(&tally_kernel_processes_sum_at(list, 0)->all.total, 22, 44, 44);
	assert_true(tally_kernel_processes_sum_at(list, 0)->swap_bytes ==
		    TALLY_UNKNOWN);
}

/* A captured process that lacks files is there all the same. */
static void lacks_files(void **state)
{
	(void)state;
	/* stat has its RSS in pages, whose size no file tells. */
	put_stat(10, "x", 1, 1010, 0);
	/* status tells that it has memory, not how much. */
	put(11, "status", "Name:\tx\nUid:\t7\t33\nVmSize:\t 99 kB\n");
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), -ENODATA);
	assert_int_equal(tally_kernel_processes_nr(list), 2);
	assert_int_equal(row(10)->err, -ENODATA);
	assert_false(row(10)->has_memory);
	assert_int_equal(row(10)->nr_threads, 1);
	assert_int_equal(row(11)->err, -ENOENT);
	assert_int_equal(row(11)->uid, 33);
	tally_kernel_processes_close(list);
	/* Without stat, lines that numa_maps lacks are no sign of its end. */
	put(11, "maps",
	    "1000-9000 rw-p 00000000 00:00 0 \n"
	    "10000-20000 r-xp 00000000 08:01 77 /lib/x\n");
	put(11, "numa_maps", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), -ENOENT);
	assert_int_equal(tally_kernel_processes_nr(list), 2);
	assert_int_equal(row(11)->err, -ENOENT);
	exactly(&row(11)->all.total, 9);
	/* Now the size of pages is known. */
	assert_int_equal(row(10)->err, 0);
	exactly(&row(10)->all.total, 9);
}

/* The number of a thread stands for its process, which has one row. */
static void numbers_of_threads(void **state)
{
	static const pid_t pids[] = {11, 10, 12};
	const struct tally_process_filter filter = {
		.size = sizeof(filter), .pids = pids, .nr_pids = 3};

	(void)state;
	put_process(10, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	put(10, "status", "Tgid:\t10\nUid:\t7\t33\nVmSize:\t 99 kB\n");
	put_process(11, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	put(11, "status", "Tgid:\t10\nUid:\t7\t33\nVmSize:\t 99 kB\n");
	open_list(&filter, NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tally_kernel_processes_read(list), -ESRCH);
		assert_int_equal(tally_kernel_processes_nr(list), 2);
		assert_int_equal(row(10)->err, 0);
		assert_int_equal(row(12)->err, -ESRCH);
	}
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	exactly(&tally_kernel_processes_sum_at(list, 0)->all.total, 9);
}

/* stat has pages of the captured machine. */
static void other_pages(void **state)
{
	(void)state;
	put_process(10, 33, "/", "", "1000 default anon=9 N2=9\n");
	tree_put(tree, "proc/meminfo", "MemFree:  640000 kB\n");
	tree_put(tree, "proc/vmstat", "nr_free_pages 10000\n");
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(row(10)->rss_bytes, 9 * 65536);
	exactly(&row(10)->all.total, 9 * 16);
	tally_kernel_processes_close(list);
	tree_remove(tree, "proc/vmstat");
	tree_remove(tree, "proc/10/status");
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_true(row(10)->rss_bytes == TALLY_UNKNOWN);
}

/* Each look at the clock takes the process's end nearer. */
static int64_t ending_clock(void *arg)
{
	int *looks = arg;

	if (++*looks == 2)
		tree_remove(tree, "proc/11/stat");
	return *looks;
}

/* A process ends while its numa_maps is read, which then ends early: nothing of
 * what was read counts. */
static void ended_halfway(void **state)
{
	int looks = 0;
	const struct tally_mem_options o = {
		.size = sizeof(o), .clock = ending_clock, .clock_arg = &looks};

	(void)state;
	put_process(10, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	put_process(11, 33, "/",
		    "1000-9000 rw-p 00000000 00:00 0 \n"
		    "10000-20000 r-xp 00000000 08:01 77 /lib/x\n"
		    "20000-30000 r-xp 00010000 08:01 77 /lib/x\n",
		    ANON("1000", "N2=4 kernelpagesize_kB=4"));
	open_list(NULL, &o);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_nr(list), 1);
	exactly(&row(10)->all.total, 9);
}

static void come_and_go(void **state)
{
	const char *anon = ANON("1000", "N2=9 kernelpagesize_kB=4");

	(void)state;
	put_process(10, 33, "/", "", anon);
	put_process(11, 33, "/", "", anon);
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	tree_remove(tree, "proc/10");
	put_process(12, 33, "/", "", anon);
	/* Another process with the same number. */
	put_process(11, 34, "/new", "", anon);
	put_stat(11, "y", 1, 2000, 2);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_nr(list), 2);
	assert_int_equal(row(11)->uid, 34);
	assert_string_equal(row(11)->cgroup, "/new");
	assert_string_equal(row(11)->name, "y");
	exactly(&row(12)->all.total, 9);
	/* Of a captured process that has only stat, its RSS is known. */
	tree_remove(tree, "proc/12");
	put_stat(12, "x", 1, 3000, 0);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_nr(list), 2);
	exactly(&row(12)->all.total, 9);
	/* Listing /proc fails. */
	tree_remove(tree, "proc");
	assert_true(tally_kernel_processes_read(list) < 0);
	assert_int_equal(tally_kernel_processes_nr(list), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(a_row),	    WITH_TREE(local_and_remote),
		WITH_TREE(cgroup_paths),    WITH_TREE(refused),
		WITH_TREE(without_memory),  WITH_TREE(garbage),
		WITH_TREE(parts_of_status), WITH_TREE(numbers_of_threads),
		WITH_TREE(other_pages),	    WITH_TREE(ended_halfway),
		WITH_TREE(come_and_go),	    WITH_TREE(lacks_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
