// SPDX-License-Identifier: MIT
/*
 * Four processes of two threads reserve, draw and give back; they are killed at
 * random and started again, also while they repair what the last one left: for
 * 5 seconds, or 10 minutes with NUMATALLY_LONG. Committed reservations stay as
 * they were acknowledged, others are reaped, a call that was killed has
 * happened or has not, and no live process waits.
 */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "support/inside.h"
#include "support/calm.h"
#include "support/limits.h"
#include "support/machine.h"

#define MEMORY	     1
#define NR_PROCESSES 4
#define NR_THREADS   2
#define NR_WORKERS   (NR_PROCESSES * NR_THREADS)
#define NR_ACCOUNTS  4 /* of each worker */
#define NR_NODES     3
#define CAPACITY     60
#define POOL	     12 /* on each node, of a reservation that some draw from */
#define SHORT_NS     INT64_C(5000000000)
#define LONG_NS	     INT64_C(600000000000)
#define MAX_TRIES    8
#define PAUSE_EVERY  64 /* kills */

/* What an account has, as far as its worker was told. */
struct has {
	int state; /* of enum tally_reservation_state, or 0 */
	int64_t held[NR_NODES];
};

enum phase { IDLE, UNDER_WAY, DONE, REFUSED };

/* A worker's page: what it reports of itself. */
struct said {
	struct has has[NR_ACCOUNTS];
	int phase; /* of the call that the next three describe */
	int account;
	struct has before, after;
	int64_t since_ns; /* that it is in progress */
	int64_t longest_ns;
	uint64_t nr_calls, nr_refused, nr_again;
	int failed; /* line */
};

struct shared {
	struct said said[NR_WORKERS];
	struct tally_token pool;
	int pause;
	int nr_paused;
};

struct storm {
	struct machine *machine;
	struct tally_ledger *ledger;
	struct shared *shared;
	pid_t pids[NR_PROCESSES];
	unsigned int seed;
	uint64_t nr_kills, nr_done, nr_not_done, nr_reaped, nr_again;
};

static void key_of(int worker, int i, char *key)
{
	sprintf(key, "all/%d/%d", worker, i);
}

/* ---- workers ------------------------------------------------------------- */

struct worker {
	struct tally_ledger *ledger;
	struct shared *shared;
	struct said *said;
	int number;
	unsigned int seed;
	struct tally_account accounts[NR_ACCOUNTS];
	struct tally_token tokens[NR_ACCOUNTS];
};

static void expect(struct worker *w, bool good, int line)
{
	if (!good)
		__atomic_store_n(&w->said->failed, line, __ATOMIC_RELEASE);
}
#define EXPECT(w, good) expect(w, good, __LINE__)

static int say_phase(struct said *said, int phase)
{
	__atomic_store_n(&said->phase, phase, __ATOMIC_RELEASE);
	return 0;
}

static void begin(struct worker *w, int i, const struct has *after)
{
	w->said->account = i;
	w->said->before = w->said->has[i];
	w->said->after = *after;
	__atomic_store_n(&w->said->since_ns, calm_ns(), __ATOMIC_RELAXED);
	say_phase(w->said, UNDER_WAY);
}

static void end(struct worker *w, int err)
{
	struct said *said = w->said;
	int64_t ns = calm_ns() - said->since_ns;

	say_phase(said, err ? REFUSED : DONE);
	if (ns > said->longest_ns)
		__atomic_store_n(&said->longest_ns, ns, __ATOMIC_RELAXED);
	said->nr_calls++;
	said->nr_refused += err != 0;
	if (!err)
		said->has[said->account] = said->after;
	say_phase(said, IDLE);
}

static unsigned int some(struct worker *w, unsigned int n)
{
	return (unsigned int)rand_r(&w->seed) % n;
}

/* With more threads than CPUs, one may be starved for as long as a call waits;
 * but not by the dead, and not many times in a row. */
static bool again(struct worker *w, int *tries, int err)
{
	if (err != -EAGAIN || ++*tries > MAX_TRIES)
		return false;
	w->said->nr_again++;
	__atomic_store_n(&w->said->since_ns, calm_ns(), __ATOMIC_RELAXED);
	return true;
}

static void reserve(struct worker *w, int i)
{
	struct tally_demand demands[NR_NODES];
	struct has after = {.state = TALLY_RESERVED};
	struct tally_request request = {.size = sizeof(request),
					.demands = demands};
	bool draws = some(w, 4) == 0;
	int err, tries = 0;

	if (some(w, 4) == 0)
		request.lease_ns = INT64_C(3600000000000);
	for (int n = 0; n < NR_NODES; n++) {
		int64_t amount = some(w, 8);

		if (n && some(w, 2))
			continue;
		demands[request.nr_demands++] =
			(struct tally_demand){machine_nodes[n], MEMORY, amount};
		after.held[n] = amount;
	}
	begin(w, i, &after);
	do
		err = draws ? tally_limit_draw(w->ledger, w->accounts[i],
					       w->shared->pool, &request,
					       &w->tokens[i], NULL)
			    : tally_limit_reserve(w->ledger, w->accounts[i],
						  &request, &w->tokens[i],
						  NULL);
	while (again(w, &tries, err));
	end(w, err);
	EXPECT(w, !err || err == -ENOSPC || err == -EDQUOT);
}

/* On the node without capacity. */
static void adopt(struct worker *w, int i)
{
	const struct tally_demand demand = {machine_nodes[2], MEMORY, 3};
	const struct tally_request request = {sizeof(request), &demand, 1, 0};
	struct has after = {.state = TALLY_COMMITTED, .held = {0, 0, 3}};
	int err, tries = 0;

	begin(w, i, &after);
	do
		err = tally_limit_adopt(w->ledger, w->accounts[i], &request,
					&w->tokens[i]);
	while (again(w, &tries, err));
	end(w, err);
	EXPECT(w, !err);
}

static void commit(struct worker *w, int i)
{
	struct has after = w->said->has[i];
	int err, tries = 0;

	after.state = TALLY_COMMITTED;
	begin(w, i, &after);
	do
		err = tally_limit_commit(w->ledger, w->tokens[i]);
	while (again(w, &tries, err));
	end(w, err);
	EXPECT(w, !err);
}

static void give_back(struct worker *w, int i, bool cancel)
{
	const struct has after = {0};
	int err, tries = 0;

	begin(w, i, &after);
	do
		err = cancel ? tally_limit_cancel(w->ledger, w->tokens[i])
			     : tally_limit_release(w->ledger, w->tokens[i],
						   NULL, 0);
	while (again(w, &tries, err));
	end(w, err);
	EXPECT(w, !err);
}

/* Moves one from each node to the next, and takes one more. */
static void change(struct worker *w, int i)
{
	struct tally_demand demands[2 * NR_NODES + 1];
	const struct tally_request request = {.size = sizeof(request),
					      .demands = demands,
					      .nr_demands = 2 * NR_NODES + 1};
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	struct has after = w->said->has[i];
	int err, tries = 0;

	for (int n = 0; n < NR_NODES; n++) {
		int next = (n + 1) % NR_NODES,
		    one = w->said->has[i].held[n] > 0;

		demands[2 * n] =
			(struct tally_demand){machine_nodes[n], MEMORY, -one};
		demands[2 * n + 1] =
			(struct tally_demand){machine_nodes[next], MEMORY, one};
		after.held[n] -= one;
		after.held[next] += one;
	}
	demands[2 * NR_NODES] =
		(struct tally_demand){machine_nodes[0], MEMORY, 1};
	after.held[0]++;
	begin(w, i, &after);
	do
		err = tally_limit_change(w->ledger, w->tokens[i], &request,
					 &refusal);
	while (again(w, &tries, err));
	end(w, err);
	EXPECT(w, !err || err == -ENOSPC || err == -EDQUOT);
}

/* One account in each state. */
static void give_part_back(struct worker *w, int i)
{
	struct tally_demand demands[NR_NODES];
	struct has after = w->said->has[i];
	unsigned int nr = 0;
	int64_t left = 0;
	int err, tries = 0;

	for (int n = 0; n < NR_NODES; n++) {
		if (after.held[n]) {
			demands[nr++] = (struct tally_demand){machine_nodes[n],
							      MEMORY, 1};
			after.held[n]--;
		}
		left += after.held[n];
	}
	if (!nr)
		return;
	if (!left)
		after.state = 0;
	begin(w, i, &after);
	do
		err = tally_limit_release(w->ledger, w->tokens[i], demands, nr);
	while (again(w, &tries, err));
	end(w, err);
	EXPECT(w, !err);
}

static void act(struct worker *w)
{
	int i = (int)some(w, NR_ACCOUNTS);
	unsigned int way = some(w, 8);

	switch (w->said->has[i].state) {
	case 0:
		if (way)
			reserve(w, i);
		else
			adopt(w, i);
		break;
	case TALLY_RESERVED:
		if (way < 3)
			commit(w, i);
		else if (way < 4)
			change(w, i);
		else if (way < 6)
			give_back(w, i, true);
		else
			give_part_back(w, i);
		break;
	default:
		if (way < 4)
			give_back(w, i, false);
		else if (way < 6)
			change(w, i);
		else
			give_part_back(w, i);
	}
}

static void pause_here(struct shared *shared)
{
	const struct timespec nap = {0, 100000};

	__atomic_fetch_add(&shared->nr_paused, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&shared->pause, __ATOMIC_ACQUIRE))
		nanosleep(&nap, NULL);
	__atomic_fetch_sub(&shared->nr_paused, 1, __ATOMIC_ACQ_REL);
}

/* Finds what it had before it was killed. */
static bool find_tokens(struct worker *w)
{
	struct tally_reservation found = {.size = sizeof(found)};
	struct tally_view *view;
	char key[32];

	if (tally_view_open(w->ledger, &view))
		return false;
	for (int i = 0; i < NR_ACCOUNTS; i++) {
		const struct tally_accounts *accounts =
			tally_view_accounts(view);
		int err;

		key_of(w->number, i, key);
		if (tally_account_find(accounts, key, &w->accounts[i]))
			return false;
		/* -EAGAIN if other processes were killed and none has come
		 * since. */
		do
			err = tally_limit_find(view, w->accounts[i], &found);
		while (err == -EAGAIN);
		if (w->said->has[i].state != (err ? 0 : (int)found.state))
			return false;
		if (!err)
			w->tokens[i] = found.token;
	}
	tally_view_close(view);
	return true;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	if (!find_tokens(w)) {
		EXPECT(w, false);
		return NULL;
	}
	for (;;) {
		act(w);
		/* Let the others run, now and then outside of a call. */
		if (some(w, 4) == 0)
			sched_yield();
		if (__atomic_load_n(&w->shared->pause, __ATOMIC_ACQUIRE))
			pause_here(w->shared);
	}
	return NULL;
}

static void be_killed(const struct storm *storm, int process)
{
	struct tally_ledger *ledger = storm->ledger;
	struct worker w[NR_THREADS];
	pthread_t threads[NR_THREADS];
	int err = 0;

	/* With a ledger opened anew, or the one that fork(2) copied. */
	if (storm->seed % 4)
		err = tally_ledger_open(storm->machine->path, &ledger);
	for (int t = 0; t < NR_THREADS; t++) {
		int number = process * NR_THREADS + t;

		w[t] = (struct worker){
			.ledger = ledger,
			.shared = storm->shared,
			.said = &storm->shared->said[number],
			.number = number,
			.seed = storm->seed + (unsigned int)t,
		};
		EXPECT(&w[t], !err);
		if (err || pthread_create(&threads[t], NULL, work, &w[t]))
			_exit(1);
	}
	for (;;)
		pause();
}

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

static void check_failures(const struct storm *s)
{
	for (int i = 0; i < NR_WORKERS; i++)
		assert_int_equal(s->shared->said[i].failed, 0);
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
		if (s.nr_kills % PAUSE_EVERY == 0)
			check_all(&s);
	}
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
