// SPDX-License-Identifier: MIT
/* Rows of processes that are made of files. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <numatally/kernel_process.h>

#include "allocations.h"
#include "topo_trees.h"

#define K4 4096

static const struct tree *tree;
static struct tally_topo *topo;
static struct tally_processes *list;

static void put(int pid, const char *file, const char *text)
{
	char path[96];

	snprintf(path, sizeof(path), "proc/%d/%s", pid, file);
	tree_put(tree, path, text);
}

static void put_stat(int pid, const char *name, int threads, int start, int cpu)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "%d (%s) S 1 0 0 0 0 0 0 0 0 0 30 12 0 0 0 0 %d 0 %d 0 9 "
		 "0 0 0 0 0 0 0 0 0 0 0 0 0 0 %d 0\n",
		 pid, name, threads, start, cpu);
	put(pid, "stat", text);
}

static void put_thread(int pid, int tid, int cpu, int ticks)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "task/%d/stat", tid);
	snprintf(text, sizeof(text),
		 "%d (t) S 1 0 0 0 0 0 0 0 0 0 %d 0 0 0 0 0 9 0 5 0 9 "
		 "0 0 0 0 0 0 0 0 0 0 0 0 0 0 %d 0\n",
		 tid, ticks, cpu);
	put(pid, path, text);
}

/* With one thread on CPU 0, of node 2. */
static void put_process(int pid, int uid, const char *cgroup, const char *maps,
			const char *numa_maps)
{
	char text[512];

	put_stat(pid, "x", 1, 1000 + pid, 0);
	snprintf(
		text, sizeof(text),
		"Name:\tx\nUid:\t7\t%d\t8\t9\nVmSize:\t 9 kB\nRssAnon:\t 40 kB\n"
		"RssFile:\t 8 kB\nRssShmem:\t 4 kB\nVmSwap:\t %d kB\n",
		uid, pid);
	put(pid, "status", text);
	snprintf(text, sizeof(text), "3:cpu,memory:%s\n2:cpu:/no\n0::/nor\n",
		 cgroup);
	put(pid, "cgroup", text);
	put(pid, "maps", maps);
	if (numa_maps)
		put(pid, "numa_maps", numa_maps);
}

static int set_up(void **state)
{
	int err = tree_setup(state);

	if (err)
		return err;
	tree = *state;
	put_two_nodes(tree);
	tree_mkdir(tree, "proc/self");
	topo = open_tree(tree);
	return 0;
}

static int tear_down(void **state)
{
	tally_kernel_processes_close(list);
	list = NULL;
	tally_topo_close(topo);
	return tree_teardown(state);
}

static void open_list(const struct tally_process_filter *filter,
		      const struct tally_mem_options *options)
{
	assert_int_equal(tally_kernel_processes_open(tree->root, topo, filter,
						     options, &list),
			 0);
}

static const struct tally_process_row *row(int pid)
{
	int i = tally_kernel_processes_find(list, pid);

	assert_true(i >= 0);
	return tally_kernel_processes_row(list, (unsigned int)i);
}

static const struct tally_process_node *
node(const struct tally_process_node *nodes, unsigned int nr, int id)
{
	for (unsigned int i = 0; i < nr; i++)
		if (nodes[i].node == id)
			return &nodes[i];
	fail_msg("node %d isn't there", id);
	return NULL;
}

static void is(const struct tally_mem_figure *f, int64_t lower, int64_t pages,
	       int64_t upper)
{
	assert_int_equal(f->bytes, pages * K4);
	assert_int_equal(f->lower_bytes, lower * K4);
	assert_int_equal(f->upper_bytes, upper * K4);
}

static void exactly(const struct tally_mem_figure *f, int64_t pages)
{
	is(f, pages, pages, pages);
}

#define ANON(start, rest) start " default anon=9 dirty=9 " rest "\n"
#define LIB		  "10000-20000 r-xp 00000000 08:01 77 /lib/x\n"
#define LIB_PAGES(pages)                                                \
	"10000 default file=/lib/x mapped=" pages " mapmax=2 N2=" pages \
	" kernelpagesize_kB=4\n"

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
	/* Somebody has some of it too: how much isn't known here. */
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

/* Memory on nodes where it has threads; and where some thread's node isn't
 * known, all may be local. */
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
	/* Where nothing is known of CPUs. */
	tally_kernel_processes_close(list);
	assert_int_equal(tally_kernel_processes_open(tree->root, NULL, NULL,
						     NULL, &list),
			 0);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(row(10)->unknown.nr_threads, 1);
	is(&row(10)->local, 0, 0, 9);
	is(&row(10)->remote, 0, 9, 9);
	tally_kernel_processes_set_topo(list, topo);
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
		open_list(&cases[i].filter, NULL);
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
	/* Who isn't there has a row where he was asked for. */
	open_list(&(struct tally_process_filter){.pids = pids, .nr_pids = 4},
		  NULL);
	assert_int_equal(tally_kernel_processes_read(list), -ESRCH);
	assert_int_equal(tally_kernel_processes_nr(list), 3);
	assert_int_equal(row(99)->err, -ESRCH);
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	assert_int_equal(tally_kernel_processes_sum_at(list, 0)->nr_processes,
			 2);
	assert_int_equal(row(10)->err, 0);
}

/* A process that comes to be what was asked for, or is it no more. */
static void filters_see_changes(void **state)
{
	(void)state;
	put_process(10, 33, "/a", "", "");
	put_process(11, 33, "/b", "", "");
	open_list(&(struct tally_process_filter){.cgroup = "/a"}, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_find(list, 11), -ENOENT);
	put(11, "cgroup", "3:memory:/a/much/longer/than/it/was\n");
	put(10, "cgroup", "3:memory:/ab\n");
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_nr(list), 1);
	assert_string_equal(row(11)->cgroup, "/a/much/longer/than/it/was");
}

/* Version 2 alone, none, and lines that are no such lines. */
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

/* A directory can be opened but not read, also by root. */
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
	/* That stays so while nothing is read of it again. */
	assert_int_equal(tally_kernel_processes_read(list), -EISDIR);
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	assert_int_equal(tally_kernel_processes_sum_at(list, 0)->err, -EISDIR);
	assert_int_equal(tally_kernel_processes_sum_at(list, 0)->nr_failed, 1);
	exactly(&tally_kernel_processes_sum_at(list, 0)->all.total, 22);
}

static void without_memory(void **state)
{
	(void)state;
	/* A thread of the kernel's, and a zombie. */
	put_process(10, 0, "/", "", "");
	put(10, "status", "Name:\tk\nUid:\t0\t0\t0\t0\n");
	put_process(11, 33, "/", "", NULL);
	put(11, "stat", "11 (z) Z 1 0 0 0 0 0 0 0 0 0 3 4 0 0 0 0 1 0 5 0 0\n");
	/* A kernel that knows no NUMA. */
	put_process(12, 33, "/", "", NULL);
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_nr(list), 3);
	assert_false(row(10)->has_memory);
	assert_int_equal(row(10)->nr_nodes, 1); /* where it ran */
	assert_false(row(11)->has_memory);
	assert_int_equal(row(11)->nr_nodes, 0);
	assert_true(row(12)->has_memory);
	exactly(&row(12)->all.memory[TALLY_MEM_FILE], 2);
	is(&row(12)->all.own[TALLY_MEM_FILE], 0, 0, 2);
}

/* Files that make no sense, and files that end early. */
static void garbage(void **state)
{
	(void)state;
	put_process(10, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	put(10, "status", "Name:\tx\nVmSize: 4 kB\nUid:\t7\n");
	put_process(11, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	put(11, "status", "Name:\tx\nUid:\t7\t99999999999\t3\n");
	put_process(12, 33, "/", "", "1000 default anon=8 N2=\n2000");
	put(13, "stat", "");
	put(14, "stat", "14 (x) S 1 0 0\n");
	tree_put(tree, "proc/015/stat", "15 (x) S 1 0 0\n");
	tree_put(tree, "proc/99999999999999999999/stat", "");
	open_list(NULL, NULL);
	assert_int_equal(tally_kernel_processes_read(list), -EBADMSG);
	assert_int_equal(tally_kernel_processes_nr(list), 3);
	assert_int_equal(row(10)->err, -EBADMSG);
	assert_int_equal(row(11)->err, -EBADMSG);
	assert_int_equal(row(12)->err, 0);
	exactly(&row(12)->all.total, 0);
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
	/* Another one under the number. */
	put_process(11, 34, "/new", "", anon);
	put_stat(11, "y", 1, 2000, 2);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_nr(list), 2);
	assert_int_equal(row(11)->uid, 34);
	assert_string_equal(row(11)->cgroup, "/new");
	assert_string_equal(row(11)->name, "y");
	exactly(&row(12)->all.total, 9);
	/* One of which nothing but its stat is left is left out. */
	tree_remove(tree, "proc/12");
	put_stat(12, "x", 1, 3000, 0);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_int_equal(tally_kernel_processes_nr(list), 1);
	/* /proc itself can't be listed. */
	tree_remove(tree, "proc");
	assert_true(tally_kernel_processes_read(list) < 0);
	assert_int_equal(tally_kernel_processes_nr(list), 0);
}

/* ---- sums ----------------------------------------------------------------- */

static void sums(void **state)
{
	const struct tally_process_sum *s;

	(void)state;
	/* 10 and 11 have a library in common, and each 9 pages of its own. */
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
	assert_int_equal(tally_kernel_processes_nr_sums(list), 2);
	s = tally_kernel_processes_sum_at(list, 0);
	assert_string_equal(s->cgroup, "/a");
	assert_int_equal(s->nr_processes, 1);
	s = tally_kernel_processes_sum_at(list, 1);
	assert_string_equal(s->cgroup, "/b");
	assert_int_equal(s->nr_processes, 2);
	is(&s->all.total, 26, 26, 31);
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
	open_list(&(struct tally_process_filter){.cgroup = "/"},
		  &(struct tally_mem_options){.budget_ppm = 1000000});
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
	/* Who comes in the place of one that went finds room. */
	tree_remove(tree, "proc/50");
	put_process(50, 1, "/a", LIB, LIB_PAGES("5"));
	put_stat(50, "x", 1, 5000, 0);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	before = allocations;
	tree_remove(tree, "proc/51");
	put_process(51, 1, "/a", LIB, LIB_PAGES("5"));
	put_stat(51, "x", 1, 5000, 0);
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_in_range(allocations - before, 0, 200); /* of stdio, here */
#else
	print_message("# the sanitizer has its own malloc\n");
#endif
}

/* ---- the budget ----------------------------------------------------------- */

#define MS ((int64_t)1000000)

/* A clock that moves a little each time it is read. */
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

/* Each reading of a row takes 1 ms, and so does the list. */
static void the_budget(void **state)
{
	struct fake f = {.now = 1000 * MS, .step = MS};
	struct tally_mem_options o = {.budget_ppm = 10000,
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
	/* One that changed goes first. */
	f.now += 2500 * MS;
	begin = f.now;
	put(15, "stat",
	    "15 (x) S 1 0 0 0 0 0 0 0 0 0 3 4 0 0 0 0 1 0 1015 0 77\n");
	put(15, "numa_maps", ANON("1000", "N2=10 kernelpagesize_kB=4"));
	assert_int_equal(tally_kernel_processes_read(list), 0);
	assert_in_range(read_since(begin), 1, 6);
	assert_true(row(15)->memory_ns >= begin);
	exactly(&row(15)->all.total, 10);
	/* Over time each has its turn, at a hundredth of it. */
	begin = f.now;
	cost = tally_kernel_processes_cost_ns(list);
	for (int i = 0; i < 1000; i++) {
		f.now += 500 * MS;
		assert_int_equal(tally_kernel_processes_read(list), 0);
	}
	cost = tally_kernel_processes_cost_ns(list) - cost;
	assert_int_equal(read_since(begin + 480000 * MS), 20);
	assert_in_range(cost, (f.now - begin) / 150, (f.now - begin) / 98);
	/* A new one never waits. */
	put_process(40, 33, "/", "", ANON("1000", "N2=9 kernelpagesize_kB=4"));
	assert_int_equal(tally_kernel_processes_read(list), 0);
	exactly(&row(40)->all.total, 9);
}

/* What a first reading costs is owed for ten seconds at most. */
static void a_dear_beginning(void **state)
{
	struct fake f = {.now = 1000 * MS, .step = 100 * MS};
	struct tally_mem_options o = {.clock = fake_clock, .clock_arg = &f};
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
	struct tally_mem_options o = {.budget_ppm = 1000001};

	(void)state;
	assert_int_equal(
		tally_kernel_processes_open(NULL, NULL, NULL, &o, &list),
		-EINVAL);
	o = (struct tally_mem_options){.large_bytes = -1};
	assert_int_equal(
		tally_kernel_processes_open(NULL, NULL, NULL, &o, &list),
		-EINVAL);
	assert_int_equal(tally_kernel_processes_open("/nowhere", NULL, NULL,
						     NULL, &list),
			 -ENOENT);
	assert_null(list);
	tally_kernel_processes_close(NULL);
}

#define WITH_TREE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(a_row),
		WITH_TREE(local_and_remote),
		WITH_TREE(filters),
		WITH_TREE(filters_see_changes),
		WITH_TREE(cgroup_paths),
		WITH_TREE(refused),
		WITH_TREE(without_memory),
		WITH_TREE(garbage),
		WITH_TREE(come_and_go),
		WITH_TREE(sums),
		WITH_TREE(allocates_only_to_grow),
		WITH_TREE(the_budget),
		WITH_TREE(a_dear_beginning),
		cmocka_unit_test(bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
