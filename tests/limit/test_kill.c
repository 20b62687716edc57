// SPDX-License-Identifier: MIT
/*
 * Four processes of two threads reserve, draw and give back; they are killed at
 * random and started again, also while they repair what the last one left: for
 * 5 seconds, or 10 minutes with NUMATALLY_LONG. Committed reservations stay as
 * they were acknowledged, others are reaped, a call that was killed has
 * happened or has not, and no live process waits. A reader takes snapshots
 * meanwhile, and is killed, too: in each of them nobody has more than a limit.
 */
#include "support/test.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "support/inside.h"
#include "support/kill_workers.h"
#include "support/limits.h"
#include "support/machine.h"

/* ---- the storm ----------------------------------------------------------- */

static void start_process(struct storm *s, int process)
{
	s->seed = s->seed * 1103515245 + 12345;
	s->pids[process] = fork();
	assert_true(s->pids[process] >= 0);
	if (!s->pids[process]) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		be_killed(s, process);
		_exit(1);
	}
}

static void start_reader(struct storm *s)
{
	if (!s->may_read)
		return;
	s->reader = fork();
	assert_true(s->reader >= 0);
	if (!s->reader) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		read_until_killed(s);
	}
}

static void kill_reader(struct storm *s)
{
	if (!s->may_read)
		return;
	kill(s->reader, SIGKILL);
	assert_int_equal(waitpid(s->reader, NULL, 0), s->reader);
	s->nr_readers++;
}

static struct has find(const struct tally_view *view, int worker, int i)
{
	struct tally_reservation found = {.size = sizeof(found)};
	struct tally_account account;
	struct has has = {0};
	char key[32];
	int err;

	key_of(worker, i, key);
	assert_int_equal(
		tally_account_find(tally_view_accounts(view), key, &account),
		0);
	do
		err = tally_limit_find(view, account, &found);
	while (err == -EAGAIN);
	assert_true(!err || err == -ENOENT);
	has.state = err ? 0 : (int)found.state;
	for (int n = 0; n < NR_NODES; n++) {
		int64_t amounts[2];

		do
			err = tally_limit_holding(view, account,
						  machine_nodes[n], amounts);
		while (err == -EAGAIN);
		assert_int_equal(err, 0);
		has.held[n] = amounts[MEMORY];
	}
	return has;
}

static bool same(const struct has *a, const struct has *b)
{
	return a->state == b->state &&
	       !memcmp(a->held, b->held, sizeof(a->held));
}

/* What its process leaves when it is dead. */
static struct has reaped(struct has has)
{
	if (has.state == TALLY_RESERVED)
		memset(&has, 0, sizeof(has));
	return has;
}

static void check_account(struct storm *s, const struct tally_view *view,
			  int worker, int i)
{
	struct said *said = &s->shared->said[worker];
	struct has found = find(view, worker, i), may = said->has[i];

	if (said->phase != IDLE && said->account == i)
		may = said->phase == DONE ? said->after : said->before;
	s->nr_reaped += may.state == TALLY_RESERVED;
	may = reaped(may);
	if (said->phase == UNDER_WAY && said->account == i) {
		const struct has after = reaped(said->after);

		s->nr_done += same(&found, &after);
		s->nr_not_done += !same(&found, &after);
		if (same(&found, &after))
			may = after;
	}
	if (!same(&found, &may))
		fail_msg("all/%d/%d: state %d, should be %d; %" PRId64
			 " is held of %" PRId64,
			 worker, i, found.state, may.state, found.held[0],
			 may.held[0]);
	said->has[i] = found;
}

static void check_dead(struct storm *s, int process)
{
	struct tally_view *view;
	int err, tries = 0;

	do
		err = tally_limit_reap(s->ledger);
	while (err == -EAGAIN && ++tries < MAX_TRIES);
	assert_int_equal(err, 0);
	s->nr_again += (uint64_t)tries;
	assert_int_equal(tally_view_open(s->ledger, &view), 0);
	for (int t = 0; t < NR_THREADS; t++) {
		int worker = process * NR_THREADS + t;

		for (int i = 0; i < NR_ACCOUNTS; i++)
			check_account(s, view, worker, i);
		s->shared->said[worker].phase = IDLE;
	}
	tally_view_close(view);
}

static void kill_process(struct storm *s, int process)
{
	inside_kill(s->machine->path, s->pids[process]);
	s->nr_kills++;
}

static bool has_read(const struct storm *s)
{
	return __atomic_load_n(&s->shared->reader.nr_snapshots,
			       __ATOMIC_RELAXED);
}

static void check_failures(const struct storm *s)
{
	for (int i = 0; i < NR_WORKERS; i++)
		assert_int_equal(s->shared->said[i].failed, 0);
	assert_int_equal(s->shared->reader.failed, 0);
}

/* All stand still; every account is as it was told, and all sums agree. */
static void check_all(struct storm *s)
{
	struct tally_view *view;

	__atomic_store_n(&s->shared->pause, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&s->shared->nr_paused, __ATOMIC_ACQUIRE) <
	       NR_WORKERS) {
		check_failures(s);
		sched_yield();
	}
	limits_agree(s->ledger);
	assert_int_equal(tally_view_open(s->ledger, &view), 0);
	for (int w = 0; w < NR_WORKERS; w++)
		for (int i = 0; i < NR_ACCOUNTS; i++) {
			struct has found = find(view, w, i);

			assert_true(same(&found, &s->shared->said[w].has[i]));
		}
	tally_view_close(view);
	for (int n = 0; n < 2; n++)
		assert_false(limits_of_node(s->ledger, machine_nodes[n]).over);
	/* A dead process keeps its count: none is killed here. */
	__atomic_store_n(&s->shared->pause, 0, __ATOMIC_RELEASE);
	while (__atomic_load_n(&s->shared->nr_paused, __ATOMIC_ACQUIRE))
		sched_yield();
}

/* Some containers refuse membarrier(2). */
static bool has_snapshots(struct tally_ledger *l)
{
	struct tally_view *view;
	int err = tally_view_snapshot(l, 0, 30 * SECOND_NS, &view);

	if (!err)
		tally_view_close(view);
	assert_true(!err || err == -ENOSYS);
	return !err;
}

static void make_pool(struct storm *s)
{
	struct tally_demand demands[NR_NODES];
	const struct tally_request request = {sizeof(request), demands,
					      NR_NODES, 0};

	for (int n = 0; n < NR_NODES; n++)
		demands[n] =
			(struct tally_demand){machine_nodes[n], MEMORY, POOL};
	assert_int_equal(tally_limit_adopt(s->ledger,
					   machine_account(s->ledger, "pool"),
					   &request, &s->shared->pool),
			 0);
}

static void make(struct storm *s, struct machine *m)
{
	char key[32];

	s->machine = m;
	s->seed = (unsigned int)getpid();
	s->ledger = machine_limit_ledger(m, 0);
	s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(s->shared, MAP_FAILED);
	for (int n = 0; n < 2; n++)
		assert_int_equal(tally_limit_set_capacity(s->ledger,
							  machine_nodes[n],
							  MEMORY, CAPACITY),
				 0);
	make_pool(s);
	s->may_read = has_snapshots(s->ledger);
	assert_int_equal(tally_limit_set_quota(
				 s->ledger, machine_account(s->ledger, "all/"),
				 MEMORY, 2 * CAPACITY),
			 0);
	for (int w = 0; w < NR_WORKERS; w++) {
		sprintf(key, "all/%d/", w);
		assert_int_equal(
			tally_limit_set_quota(s->ledger,
					      machine_account(s->ledger, key),
					      MEMORY, CAPACITY / 2),
			0);
		for (int i = 0; i < NR_ACCOUNTS; i++) {
			key_of(w, i, key);
			machine_account(s->ledger, key);
		}
	}
}

/* After a while, or at once: while it opens the ledger. */
static void wait_a_while(struct storm *s)
{
	const struct timespec delay = {
		.tv_nsec = rand_r(&s->seed) %
			   (rand_r(&s->seed) % 2 ? 300000 : 4000000),
	};

	nanosleep(&delay, NULL);
}

static void told(const struct storm *s)
{
	uint64_t calls = 0, refused = 0, nr_again = s->nr_again;
	int64_t longest = 0;

	for (int i = 0; i < NR_WORKERS; i++) {
		const struct said *said = &s->shared->said[i];

		calls += said->nr_calls;
		refused += said->nr_refused;
		nr_again += said->nr_again;
		if (said->longest_ns > longest)
			longest = said->longest_ns;
	}
	print_message("# %" PRIu64 " kills; %" PRIu64 " calls, %" PRIu64
		      " refused; of those under way %" PRIu64 " done, %" PRIu64
		      " not; %" PRIu64 " reaped; longest "
		      "call %.1f ms, %" PRIu64 " ended with -EAGAIN\n",
		      s->nr_kills, calls, refused, s->nr_done, s->nr_not_done,
		      s->nr_reaped, (double)longest / 1e6, nr_again);
	print_message("# a reader was killed %" PRIu64 " times: %" PRIu64
		      " snapshots, of %" PRIu64 " limits; none %" PRIu64
		      " times\n",
		      s->nr_readers, s->shared->reader.nr_snapshots,
		      s->shared->reader.nr_limits, s->shared->reader.nr_again);
	/* And as long again for the CPU, on a busy machine. */
	assert_true(longest < 2 * TALLY_LIMIT_WAIT_NS);
	assert_true(calls > s->nr_kills);
}

static void killed_at_random(void **state)
{
	int64_t until = now_ns() + (test_is_long() ? LONG_NS : SHORT_NS);
	struct storm s = {0};

	make(&s, *state);
	print_message("# seed %u\n", s.seed);
	for (int p = 0; p < NR_PROCESSES; p++)
		start_process(&s, p);
	start_reader(&s);
	while (now_ns() < until) {
		int first = rand_r(&s.seed) % NR_PROCESSES;
		int second = (first + 1) % NR_PROCESSES;
		bool two = rand_r(&s.seed) % 4 == 0;

		wait_a_while(&s);
		kill_process(&s, first);
		if (two)
			kill_process(&s, second);
		check_failures(&s);
		check_dead(&s, first);
		start_process(&s, first);
		if (two) {
			check_dead(&s, second);
			start_process(&s, second);
		}
		if (rand_r(&s.seed) % READER_EVERY == 0) {
			kill_reader(&s);
			start_reader(&s);
		}
		if (s.nr_kills % PAUSE_EVERY == 0)
			check_all(&s);
	}
	/* Also on a host that left no time for it so far. */
	while (s.may_read && !has_read(&s)) {
		check_failures(&s);
		sched_yield();
	}
	kill_reader(&s);
	check_all(&s);
	for (int p = 0; p < NR_PROCESSES; p++)
		kill_process(&s, p);
	for (int p = 0; p < NR_PROCESSES; p++)
		check_dead(&s, p);
	limits_agree(s.ledger);
	told(&s);
	munmap(s.shared, sizeof(*s.shared));
	tally_ledger_close(s.ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed_at_random, machine_setup,
						machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
