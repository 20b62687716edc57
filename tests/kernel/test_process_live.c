// SPDX-License-Identifier: MIT
/* Rows of real processes that hold a known amount of memory. */
#include "support/test.h"

#include <numaif.h>
#include <pthread.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#include <numatally/kernel_process.h>

#include "support/child.h"

static struct tally_topo *topo;
static struct tally_process_stats *list;
static pid_t child;

/* ---- children ------------------------------------------------------------- */

/* Starts a child that calls act, reports, and waits for its end. Returns the
 * pid that act returned, or 0. */
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
	struct tally_process_filter f = {
		.size = sizeof(f), .pids = pids, .nr_pids = nr};

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

/* In some containers no process can read another's numa_maps, not even its
 * child's. */
static void need_numa_maps(void)
{
	const struct tally_process_row *r = row(child);

	if (!r->err && r->all.total.bytes && !CHILD_MORE_IS_TOUCHED)
		return;
	print_message("# numa_maps can't be read: %s\n", strerror(-r->err));
	skip();
}

static void about(const struct tally_mem_figure *f, int64_t bytes)
{
	if (f->bytes < bytes - CHILD_SLIP || f->bytes > bytes + CHILD_SLIP)
		fail_msg("%lld bytes, not %lld", (long long)f->bytes,
			 (long long)bytes);
	assert_true(f->lower_bytes <= f->bytes && f->bytes <= f->upper_bytes);
}

/* Exactly this amount, except for pages that were just then being moved to
 * another node, which the row reports. */
static void holds(const struct tally_mem_figure *f, int64_t bytes, int64_t slip)
{
	struct statfs fs;

	/* Programs and libraries of an initramfs are shared memory. */
	if (!statfs("/proc/self/exe", &fs) && fs.f_type == TMPFS_MAGIC)
		slip += MIB;
	if (f->lower_bytes > bytes + slip || f->upper_bytes < bytes)
		fail_msg("%lld is not in %lld to %lld", (long long)bytes,
			 (long long)f->lower_bytes, (long long)f->upper_bytes);
	if (f->lower_bytes == f->upper_bytes)
		assert_in_range(f->bytes, bytes, bytes + slip);
}

/* ---- private and shared -------------------------------------------------- */

/* 8 MiB in two mappings; a grandchild copies 2 MiB of the larger one, and 2 MiB
 * are shared. */
static pid_t share(void)
{
	char *small = child_map(2 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *between = child_map(4096, MAP_SHARED | MAP_ANONYMOUS, -1);
	char *shared = child_map(2 * MIB, MAP_SHARED | MAP_ANONYMOUS, -1);
	char *alone = child_map(3 * MIB, MAP_SHARED | MAP_ANONYMOUS, -1);
	int done[2];
	char x = 0;
	pid_t pid;

	child_touch(small, 2 * MIB);
	child_touch(between, 4096);
	child_touch(shared, 2 * MIB);
	if (pipe(done))
		_exit(3);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child_touch(shared, MIB);
		child_touch(small, MIB / 2);
		child_touch(alone, 3 * MIB);
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
	(void)!tally_kernel_processes_read(list);
	need_numa_maps();
	r = row(child);
	about(&r->all.memory[TALLY_MEM_SHARED], 2 * MIB);
	/* One process has touched all of it, the other half. */
	holds(&r->all.own[TALLY_MEM_SHARED], MIB, 4096);
	holds(&r->all.common[TALLY_MEM_SHARED], MIB, 0);
	/* And what it had before, which the other shares. */
	if (!TEST_ASAN)
		assert_in_range(r->all.common[TALLY_MEM_ANONYMOUS].bytes,
				3 * MIB / 2, 3 * MIB / 2 + CHILD_SLIP);
	r = row(pids[1]);
	about(&r->all.memory[TALLY_MEM_SHARED], 4 * MIB);
	holds(&r->all.own[TALLY_MEM_SHARED], 3 * MIB, 0);
	holds(&r->all.common[TALLY_MEM_SHARED], MIB, 0);
	assert_int_equal(r->nr_threads, 1);
	assert_int_equal(r->ppid, child);
	/* In all: 2 and 3 MiB shared, and 2.5 MiB of the smaller mapping. */
	assert_int_equal(tally_kernel_processes_sum(list, TALLY_BY_ALL), 0);
	s = tally_kernel_processes_sum_at(list, 0);
	holds(&s->all.memory[TALLY_MEM_SHARED], 5 * MIB, 4096);
	if (!TEST_ASAN)
		assert_true(s->all.memory[TALLY_MEM_ANONYMOUS].lower_bytes <=
			    5 * MIB / 2 + CHILD_SLIP);
	assert_true(s->all.memory[TALLY_MEM_ANONYMOUS].upper_bytes >=
		    5 * MIB / 2);
	/* numastat would count 6 MiB. */
	about(&s->all.memory[TALLY_MEM_SHARED], 5 * MIB);
}

/* ---- bounds --------------------------------------------------------------- */

/* A walk looks at every page of a smaller mapping, so it finds the truth. */
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

	/* If that is refused, the memory is anywhere. */
	(void)mbind(p, (size_t)bytes, MPOL_BIND, mask, 64 + 1, 0);
}

/* A mapping that does not merge with its neighbour. */
static char *map_piece(int flags)
{
	char *p = child_map(PIECE + 4096, flags | MAP_ANONYMOUS, -1);

	if (mprotect(p + PIECE, 4096, PROT_NONE))
		_exit(3);
	return p;
}

/* Mappings on one node or another; a child copies some, and has touched some of
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
		child_touch(pieces[i], PIECE);
	}
	for (unsigned int i = 0; i < NR_SHARED; i++) {
		shared[i] = map_piece(MAP_SHARED);
		bind_to(shared[i], PIECE, nodes[i / 2 % nr_nodes]);
		child_touch(shared[i], PIECE);
	}
	if (pipe(done))
		_exit(3);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned int i = 0; i < NR_SHARED; i++)
			child_touch(shared[i], PIECE / (2 + i));
		for (unsigned int i = 0; i < NR_PIECES / 2; i++)
			child_touch(pieces[2 * i], PIECE / (2 + i));
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
	/* The kernel's totals by kind lag a little. */
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
	/* 95 of 100, less 4 standard errors. */
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

/* What a walk found, on at most 64 nodes. */
struct truth {
	struct tally_process_node all, node[64];
};

static void bounds_hold_the_truth(void **state)
{
	unsigned int rounds = test_is_long() ? 400 : 40;
	struct tally_mem_options o = {.size = sizeof(o),
				      .large_bytes = INT64_MAX};
	struct score total = {0}, kind = {0}, own = {0}, common = {0};
	static struct truth truth;
	int64_t whole;

	(void)state;
	find_nodes();
	begin(large);
	open_list(&child, 1, &o);
	(void)!tally_kernel_processes_read(list);
	need_numa_maps();
	truth.all = row(child)->all;
	whole = truth.all.total.bytes;
	for (unsigned int i = 0; i < nr_nodes; i++)
		truth.node[i] = *node_at(row(child), nodes[i]);
	for (unsigned int round = 0; round < rounds; round++) {
		const struct tally_process_row *r;

		o = (struct tally_mem_options){
			.size = sizeof(struct tally_mem_options),
			.large_bytes = MIB,
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

/* ---- processes that come and go ------------------------------------------ */

/* An emulated machine takes long to start a thread. */
static int reads(int nr)
{
	return getenv("NUMATALLY_GUEST") ? nr / 6 : nr;
}

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
	struct tally_mem_options o = {.size = sizeof(o), .budget_ppm = 1000000};
	unsigned int most = 0;
	pid_t pid;

	(void)state;
	pid = begin(end_threads);
	open_list(&pid, 1, &o);
	for (int i = 0; i < reads(300); i++) {
		const struct tally_process_row *r;
		int err = tally_kernel_processes_read(list);

		r = row(pid);
		assert_int_equal(err, r->err);
		assert_int_not_equal(err, -ESRCH);
		/* The kernel still knows some of those that ended. */
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
	struct tally_process_filter f = {
		.size = sizeof(f), .by_uid = true, .uid = geteuid()};
	struct tally_mem_options o = {.size = sizeof(o), .budget_ppm = 1000000};

	(void)state;
	begin(end_processes);
	assert_int_equal(tally_kernel_processes_open(NULL, topo, &f, &o, &list),
			 0);
	for (int i = 0; i < reads(30); i++) {
		pid_t before = 0;

		(void)!tally_kernel_processes_read(list);
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
	(void)!tally_kernel_processes_read(list);
	start = row(child)->start_ticks;
	assert_true(start > 0);
	kill(child, SIGKILL);
	/* A zombie has a row, without memory. */
	assert_int_equal(waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT),
			 0);
	(void)!tally_kernel_processes_read(list);
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

/* Children that end, and are reaped a little later, for ever. */
static pid_t reap_zombies(void)
{
	pid_t last[8] = {0};

	if (fork())
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned int i = 0;; i++) {
		pid_t *p = &last[i % 8];

		if (*p > 0)
			waitpid(*p, NULL, 0);
		*p = fork();
		if (!*p)
			_exit(0);
		usleep(200);
	}
}

/* It is no process of an unknown user. */
static void a_zombie_is_reaped_meanwhile(void **state)
{
	(void)state;
	begin(reap_zombies);
	assert_int_equal(
		tally_kernel_processes_open(NULL, topo, NULL, NULL, &list), 0);
	for (int i = 0; i < 200; i++) {
		assert_int_not_equal(tally_kernel_processes_read(list),
				     -ENOMEM);
		for (unsigned int r = 0; r < tally_kernel_processes_nr(list);
		     r++) {
			const struct tally_process_row *row =
				tally_kernel_processes_row(list, r);

			assert_true(row->err || row->uid != (uid_t)-1);
		}
	}
}

#define LIVE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(own_and_common),
		LIVE(bounds_hold_the_truth),
		LIVE(threads_end_meanwhile),
		LIVE(processes_end_meanwhile),
		LIVE(who_was_asked_for_ends),
		LIVE(a_zombie_is_reaped_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
