// SPDX-License-Identifier: MIT
/* Rows of real processes, whose memory is known. */
#include "config.h"

#include <errno.h>
#include <numaif.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/magic.h>
#include <cmocka.h>

#include <numatally/kernel_process.h>

#define MIB ((int64_t)1 << 20)

#if defined(__has_feature)
#define HAS(f) __has_feature(f)
#else
#define HAS(f) 0
#endif
/* Sanitizers keep notes, in memory, of every page that is touched. */
#if defined(__SANITIZE_THREAD__) || HAS(thread_sanitizer)
#define MORE_IS_TOUCHED 1
#else
#define MORE_IS_TOUCHED 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS(address_sanitizer)
#define ASAN 1
#define SLIP (4 * MIB)
#else
#define ASAN 0
#define SLIP MIB
#endif

static struct tally_topo *topo;
static struct tally_processes *list;
static pid_t child;

/* ---- children ------------------------------------------------------------- */

static void *map(int64_t bytes, int flags)
{
	void *p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
		       flags | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(3);
	madvise(p, (size_t)bytes, MADV_NOHUGEPAGE);
	return p;
}

static void touch(volatile char *p, int64_t bytes)
{
	for (int64_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
}

/* A child that runs act, says so, and waits for its end. Returns the pid that
 * act returned, or 0. */
static pid_t begin(pid_t (*act)(void))
{
	int said[2];
	pid_t told = 0;

	assert_int_equal(pipe(said), 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		told = act();
		if (write(said[1], &told, sizeof(told)) != sizeof(told))
			_exit(3);
		for (;;)
			pause();
	}
	close(said[1]);
	setpgid(child, child);
	assert_int_equal(read(said[0], &told, sizeof(told)), sizeof(told));
	close(said[0]);
	return told;
}

static int set_up(void **state)
{
	(void)state;
	return tally_topo_open(NULL, &topo);
}

static int tear_down(void **state)
{
	(void)state;
	tally_kernel_processes_close(list);
	list = NULL;
	if (child > 0) {
		kill(-child, SIGKILL);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	child = 0;
	tally_topo_close(topo);
	return 0;
}

static void open_list(const pid_t *pids, unsigned int nr,
		      const struct tally_mem_options *o)
{
	struct tally_process_filter f = {.pids = pids, .nr_pids = nr};

	tally_kernel_processes_close(list);
	list = NULL;
	assert_int_equal(tally_kernel_processes_open(NULL, topo, &f, o, &list),
			 0);
}

static const struct tally_process_row *row(pid_t pid)
{
	int i = tally_kernel_processes_find(list, pid);

	assert_true(i >= 0);
	return tally_kernel_processes_row(list, (unsigned int)i);
}

/* Some containers let nobody look, not even at their own children. */
static void need_numa_maps(void)
{
	const struct tally_process_row *r = row(child);

	if (!r->err && r->all.total.bytes && !MORE_IS_TOUCHED)
		return;
	print_message("# numa_maps can't be read: %s\n", strerror(-r->err));
	skip();
}

static void about(const struct tally_mem_figure *f, int64_t bytes)
{
	if (f->bytes < bytes - SLIP || f->bytes > bytes + SLIP)
		fail_msg("%lld bytes, not %lld", (long long)f->bytes,
			 (long long)bytes);
	assert_true(f->lower_bytes <= f->bytes && f->bytes <= f->upper_bytes);
}

/* Exactly so much, but for pages that were being moved to another node just
 * then, which it says. */
static void holds(const struct tally_mem_figure *f, int64_t bytes, int64_t slip)
{
	struct statfs fs;

	/* Programs and libraries of an initramfs are shared memory too. */
	if (!statfs("/proc/self/exe", &fs) && fs.f_type == TMPFS_MAGIC)
		slip += MIB;
	if (f->lower_bytes > bytes + slip || f->upper_bytes < bytes)
		fail_msg("%lld is not in %lld to %lld", (long long)bytes,
			 (long long)f->lower_bytes, (long long)f->upper_bytes);
	if (f->lower_bytes == f->upper_bytes)
		assert_in_range(f->bytes, bytes, bytes + slip);
}

/* ---- own and common ------------------------------------------------------- */

/* 8 MiB in two pieces, of which a child of its own copies 2 MiB of the larger
 * one; and 2 MiB that both have. */
static pid_t share(void)
{
	char *small = map(2 * MIB, MAP_PRIVATE);
	char *between = map(4096, MAP_SHARED);
	char *shared = map(2 * MIB, MAP_SHARED);
	char *alone = map(3 * MIB, MAP_SHARED);
	int done[2];
	char x = 0;
	pid_t pid;

	touch(small, 2 * MIB);
	touch(between, 4096);
	touch(shared, 2 * MIB);
	if (pipe(done))
		_exit(3);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		touch(shared, MIB);
		touch(small, MIB / 2);
		touch(alone, 3 * MIB);
		if (write(done[1], &x, 1) != 1)
			_exit(3);
		for (;;)
			pause();
	}
	if (read(done[0], &x, 1) != 1)
		_exit(3);
	return pid;
}

static void own_and_common(void **state)
{
	const struct tally_process_row *r;
	const struct tally_process_sum *s;
	pid_t pids[2];

	(void)state;
	pids[1] = begin(share);
	pids[0] = child;
	open_list(pids, 2, NULL);
	tally_kernel_processes_read(list);
	need_numa_maps();
	r = row(child);
	about(&r->all.memory[TALLY_MEM_SHARED], 2 * MIB);
	/* One has touched all of it, the other half. */
	holds(&r->all.own[TALLY_MEM_SHARED], MIB, 4096);
	holds(&r->all.common[TALLY_MEM_SHARED], MIB, 0);
	/* And what it had before, which the other has too. */
	if (!ASAN)
		assert_in_range(r->all.common[TALLY_MEM_ANONYMOUS].bytes,
				3 * MIB / 2, 3 * MIB / 2 + SLIP);
	r = row(pids[1]);
	about(&r->all.memory[TALLY_MEM_SHARED], 4 * MIB);
	holds(&r->all.own[TALLY_MEM_SHARED], 3 * MIB, 0);
	holds(&r->all.common[TALLY_MEM_SHARED], MIB, 0);
	assert_int_equal(r->nr_threads, 1);
	assert_int_equal(r->ppid, child);
	/* In all: 2 and 3 MiB shared, and 2.5 MiB of the small piece. */
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	s = tally_kernel_processes_sum_at(list, 0);
	holds(&s->all.memory[TALLY_MEM_SHARED], 5 * MIB, 4096);
	if (!ASAN)
		assert_true(s->all.memory[TALLY_MEM_ANONYMOUS].lower_bytes <=
			    5 * MIB / 2 + SLIP);
	assert_true(s->all.memory[TALLY_MEM_ANONYMOUS].upper_bytes >=
		    5 * MIB / 2);
	/* numastat's way would be 6 MiB. */
	about(&s->all.memory[TALLY_MEM_SHARED], 5 * MIB);
}

/* ---- bounds --------------------------------------------------------------- */

/* All pages of a smaller piece are looked at by a walk, whose word is the truth
 * then. */
#define PIECE	  (3 * MIB)
#define NR_PIECES 8
#define NR_SHARED 4

static int nodes[64];
static unsigned int nr_nodes;

/* The nodes with memory, of the topology. */
static void find_nodes(void)
{
	nr_nodes = 0;
	for (unsigned int i = 0; i < tally_topo_nr_nodes(topo); i++) {
		const struct tally_node *n = tally_topo_node(topo, i);

		if (n->memory_bytes && n->id < 64 && nr_nodes < 64)
			nodes[nr_nodes++] = n->id;
	}
}

static void bind_to(void *p, int64_t bytes, int node)
{
	unsigned long mask[2] = {1ul << node, 0};

	/* Where that is refused, it lies anywhere. */
	(void)mbind(p, (size_t)bytes, MPOL_BIND, mask, 64 + 1, 0);
}

/* A piece that its neighbour doesn't become one with. */
static char *map_piece(int flags)
{
	char *p = map(PIECE + 4096, flags);

	if (mprotect(p + PIECE, 4096, PROT_NONE))
		_exit(3);
	return p;
}

/* Pieces, on one node or another; a child copies some, and has touched some of
 * what is shared. */
static pid_t large(void)
{
	char *pieces[NR_PIECES], *shared[NR_SHARED];
	int done[2];
	char x = 0;
	pid_t pid;

	for (unsigned int i = 0; i < NR_PIECES; i++) {
		pieces[i] = map_piece(MAP_PRIVATE);
		bind_to(pieces[i], PIECE, nodes[i * i % nr_nodes]);
		touch(pieces[i], PIECE);
	}
	for (unsigned int i = 0; i < NR_SHARED; i++) {
		shared[i] = map_piece(MAP_SHARED);
		bind_to(shared[i], PIECE, nodes[i / 2 % nr_nodes]);
		touch(shared[i], PIECE);
	}
	if (pipe(done))
		_exit(3);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned int i = 0; i < NR_SHARED; i++)
			touch(shared[i], PIECE / (2 + i));
		for (unsigned int i = 0; i < NR_PIECES / 2; i++)
			touch(pieces[2 * i], PIECE / (2 + i));
		if (write(done[1], &x, 1) != 1)
			_exit(3);
		for (;;)
			pause();
	}
	if (read(done[0], &x, 1) != 1)
		_exit(3);
	return pid;
}

struct score {
	unsigned int inside, of;
	double width; /* of the intervals, as parts of the process */
};

static void score(struct score *s, const struct tally_mem_figure *f,
		  int64_t truth, int64_t whole)
{
	/* The kinds' totals are the kernel's, which lag behind a little. */
	int64_t lag = whole / 1000 + MIB / 4;

	s->of++;
	s->inside += f->lower_bytes <= truth + lag &&
		     truth <= f->upper_bytes + lag;
	s->width += (double)(f->upper_bytes - f->lower_bytes) / (double)whole;
}

static void tell(const char *what, const struct score *s)
{
	print_message("# %s: %u of %u inside, %.1f %% wide\n", what, s->inside,
		      s->of, 100 * s->width / s->of);
	/* 95 of 100, and the luck of 4 standard errors. */
	assert_true(s->inside + 2 + s->of / 20 + 4 * s->of / 100 >= s->of);
}

static const struct tally_process_node *
node_at(const struct tally_process_row *r, int node)
{
	static const struct tally_process_node nothing;

	for (unsigned int i = 0; i < r->nr_nodes; i++)
		if (r->nodes[i].node == node)
			return &r->nodes[i];
	return &nothing;
}

/* What a walk found, of 64 nodes at most. */
struct truth {
	struct tally_process_node all, node[64];
};

static void bounds_hold_the_truth(void **state)
{
	unsigned int rounds = getenv("NUMATALLY_LONG") ? 400 : 40;
	struct tally_mem_options o = {.large_bytes = INT64_MAX};
	struct score total = {0}, kind = {0}, own = {0}, common = {0};
	static struct truth truth;
	int64_t whole;

	(void)state;
	find_nodes();
	begin(large);
	open_list(&child, 1, &o);
	tally_kernel_processes_read(list);
	need_numa_maps();
	truth.all = row(child)->all;
	whole = truth.all.total.bytes;
	for (unsigned int i = 0; i < nr_nodes; i++)
		truth.node[i] = *node_at(row(child), nodes[i]);
	for (unsigned int round = 0; round < rounds; round++) {
		const struct tally_process_row *r;

		o = (struct tally_mem_options){.large_bytes = MIB,
					       .seed = 1000 + round};
		open_list(&child, 1, &o);
		assert_int_equal(tally_kernel_processes_read(list), 0);
		r = row(child);
		if (!r->sampled) {
			print_message("# pages can't be sampled here\n");
			skip();
		}
		about(&r->all.total, whole);
		for (unsigned int i = 0; i < nr_nodes; i++) {
			const struct tally_process_node *n =
				node_at(r, nodes[i]);
			const struct tally_process_node *t = &truth.node[i];

			score(&total, &n->total, t->total.bytes, whole);
			for (int k = 0; k < TALLY_NR_MEM; k++)
				score(&kind, &n->memory[k], t->memory[k].bytes,
				      whole);
			score(&own, &n->own[TALLY_MEM_SHARED],
			      t->own[TALLY_MEM_SHARED].bytes, whole);
			score(&common, &n->total_common, t->total_common.bytes,
			      whole);
		}
	}
	tell("a node's memory", &total);
	tell("a node's memory of a kind", &kind);
	tell("its own of what is shared", &own);
	tell("what others have too", &common);
}

/* ---- who comes and goes --------------------------------------------------- */

static void *nothing(void *arg)
{
	return arg;
}

static pid_t end_threads(void)
{
	pid_t pid = fork();
	pthread_t t[8];

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		for (int i = 0; i < 16; i++) {
			if (i < 8 && pthread_create(&t[i], NULL, nothing, NULL))
				_exit(3);
			if (i >= 8)
				pthread_join(t[i - 8], NULL);
		}
}

static void threads_end_meanwhile(void **state)
{
	struct tally_mem_options o = {.budget_ppm = 1000000};
	unsigned int most = 0;
	pid_t pid;

	(void)state;
	pid = begin(end_threads);
	open_list(&pid, 1, &o);
	for (int i = 0; i < 300; i++) {
		const struct tally_process_row *r;
		int err = tally_kernel_processes_read(list);

		r = row(pid);
		assert_int_equal(err, r->err);
		assert_int_not_equal(err, -ESRCH);
		/* Of those that end some are there still, for the kernel. */
		assert_in_range(r->nr_threads, 1, 64);
		assert_in_range(r->all.nr_threads, 1, 64);
		if (r->all.nr_threads > most)
			most = r->all.nr_threads;
	}
	assert_true(most >= 1);
}

static pid_t end_processes(void)
{
	if (fork())
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		pid_t pid = fork();

		if (!pid && !fork())
			_exit(0);
		if (!pid)
			_exit(0);
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
}

static void processes_end_meanwhile(void **state)
{
	struct tally_process_filter f = {.by_uid = true, .uid = geteuid()};
	struct tally_mem_options o = {.budget_ppm = 1000000};

	(void)state;
	begin(end_processes);
	assert_int_equal(tally_kernel_processes_open(NULL, topo, &f, &o, &list),
			 0);
	for (int i = 0; i < 30; i++) {
		pid_t before = 0;

		tally_kernel_processes_read(list);
		for (unsigned int j = 0; j < tally_kernel_processes_nr(list);
		     j++) {
			const struct tally_process_row *r =
				tally_kernel_processes_row(list, j);

			assert_true(r->pid > before);
			before = r->pid;
			assert_int_not_equal(r->err, -ESRCH);
			assert_int_equal(r->uid, geteuid());
		}
		assert_true(tally_kernel_processes_find(list, getpid()) >= 0);
		assert_int_equal(
			tally_kernel_processes_sum(list, TALLY_BY_USER), 0);
		assert_int_equal(tally_kernel_processes_nr_sums(list), 1);
	}
}

static pid_t act_nothing(void)
{
	return 0;
}

static void who_was_asked_for_ends(void **state)
{
	const struct tally_process_row *r;
	uint64_t start;

	(void)state;
	begin(act_nothing);
	open_list(&child, 1, NULL);
	tally_kernel_processes_read(list);
	start = row(child)->start_ticks;
	assert_true(start > 0);
	kill(child, SIGKILL);
	/* A zombie is there, without memory. */
	assert_int_equal(waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT),
			 0);
	tally_kernel_processes_read(list);
	assert_int_equal(row(child)->state, 'Z');
	assert_false(row(child)->has_memory);
	assert_int_equal(row(child)->all.total.bytes, 0);
	waitpid(child, NULL, 0);
	assert_int_equal(tally_kernel_processes_read(list), -ESRCH);
	r = row(child);
	assert_int_equal(r->err, -ESRCH);
	assert_int_equal(r->start_ticks, 0);
	assert_int_equal(r->all.total.bytes, 0);
	assert_false(r->has_memory);
	assert_int_equal(tally_kernel_processes_read(list), -ESRCH);
	child = 0;
}

#define LIVE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(own_and_common),	      LIVE(bounds_hold_the_truth),
		LIVE(threads_end_meanwhile),  LIVE(processes_end_meanwhile),
		LIVE(who_was_asked_for_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
