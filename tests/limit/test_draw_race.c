// SPDX-License-Identifier: MIT
/*
 * Threads of several processes draw from one parent, which another thread grows
 * and shrinks meanwhile. What the children were told to have is summed beside the
 * ledger: it never exceeds what the parent has; and where there is room for all,
 * no call is refused. A million calls, or 100 million with NUMATALLY_LONG.
 */
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "support/reserving.h"

#define NR_PROCESSES 2
#define NR_THREADS   2 /* of each, and one that changes the parent */
#define NR_ACCOUNTS  4 /* of each thread */
#define NR_WORKERS   (NR_PROCESSES * NR_THREADS)
#define MAX_AMOUNT   4
#define MOST	     (NR_WORKERS * NR_ACCOUNTS * MAX_AMOUNT)
#define NR_BROKEN    UINT64_C(200000) /* with NUMATALLY_SHORT */
#define NR_SHORT     UINT64_C(1000000)
#define NR_LONG	     UINT64_C(100000000)

static const int nodes[] = {0, 5};

/* What was acknowledged, in memory of the test. */
struct observer {
	int64_t parent[2];
	uint64_t version; /* of these */
	int64_t held[2];
	uint64_t nr_left; /* workers that still work */
	uint64_t nr_refused, nr_busy, nr_checked;
	int failed; /* line */
};

struct race {
	struct observer *observer;
	const char *path;
	uint64_t nr_calls;   /* of each worker */
	int64_t least, most; /* that the parent has on a node */
	struct tally_token parent;
	unsigned int seed;
};

struct has {
	struct tally_account account;
	struct tally_token token;
	bool some, committed;
	int64_t amounts[2];
};

struct worker {
	const struct race *race;
	struct tally_ledger *ledger;
	unsigned int seed;
	struct has has[NR_ACCOUNTS];
};

static void expect(const struct race *r, bool good, int line)
{
	if (!good)
		__atomic_store_n(&r->observer->failed, line, __ATOMIC_RELAXED);
}
#define EXPECT(r, good) expect(r, good, __LINE__)

static unsigned int some(struct worker *w, unsigned int n)
{
	return (unsigned int)rand_r(&w->seed) % n;
}

/* ---- the observer -------------------------------------------------------- */

/* Add after the acknowledgement. The sum is compared only if no change of the
 * parent began or ended meanwhile. */
static void observe_got(const struct race *r, int n, int64_t amount)
{
	struct observer *o = r->observer;
	uint64_t version = __atomic_load_n(&o->version, __ATOMIC_SEQ_CST);
	int64_t most = __atomic_load_n(&o->parent[n], __ATOMIC_SEQ_CST);
	int64_t now = __atomic_add_fetch(&o->held[n], amount, __ATOMIC_SEQ_CST);

	if (__atomic_load_n(&o->version, __ATOMIC_SEQ_CST) == version) {
		EXPECT(r, now <= most);
		__atomic_fetch_add(&o->nr_checked, 1, __ATOMIC_RELAXED);
	}
	EXPECT(r, now <= r->most);
}

/* Subtract before giving back. */
static void observe_given(const struct race *r, int n, int64_t amount)
{
	__atomic_sub_fetch(&r->observer->held[n], amount, __ATOMIC_SEQ_CST);
}

static void observe_parent(const struct race *r, int n, int64_t amount)
{
	__atomic_fetch_add(&r->observer->version, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&r->observer->parent[n], amount, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&r->observer->version, 1, __ATOMIC_SEQ_CST);
}

/* ---- calls --------------------------------------------------------------- */

static struct tally_request make_request(struct tally_demand *demands,
					 const int64_t *amounts)
{
	for (int n = 0; n < 2; n++)
		demands[n] =
			(struct tally_demand){nodes[n], MEMORY, amounts[n]};
	return request_of(demands, 2);
}

static void refused(struct worker *w, int err)
{
	const struct race *r = w->race;

	EXPECT(r, err == -ENOSPC);
	EXPECT(r, r->least < MOST);
	__atomic_fetch_add(&r->observer->nr_refused, 1, __ATOMIC_RELAXED);
}

static void draw(struct worker *w, struct has *has)
{
	const int64_t amounts[2] = {some(w, MAX_AMOUNT + 1),
				    some(w, MAX_AMOUNT + 1)};
	struct tally_demand demands[2];
	const struct tally_request request = make_request(demands, amounts);
	int err;

	do
		err = tally_limit_draw(w->ledger, has->account, w->race->parent,
				       &request, &has->token, NULL);
	while (err == -EAGAIN);
	if (err) {
		refused(w, err);
		return;
	}
	has->some = true;
	has->committed = false;
	for (int n = 0; n < 2; n++) {
		has->amounts[n] = amounts[n];
		observe_got(w->race, n, amounts[n]);
	}
}

/* From one node to the other, or more or less of one. */
static void change(struct worker *w, struct has *has)
{
	int64_t amounts[2], given[2];
	struct tally_demand demands[2];
	struct tally_request request;
	int err;

	for (int n = 0; n < 2; n++) {
		amounts[n] = (int64_t)some(w, MAX_AMOUNT + 1) - has->amounts[n];
		given[n] = amounts[n] < 0 ? -amounts[n] : 0;
		observe_given(w->race, n, given[n]);
	}
	/* Not to end it. */
	request = make_request(demands, amounts);
	if (amounts[0] + has->amounts[0] + amounts[1] + has->amounts[1] == 0)
		err = -ENOSPC;
	else
		do
			err = tally_limit_change(w->ledger, has->token,
						 &request, NULL);
		while (err == -EAGAIN);
	for (int n = 0; n < 2; n++) {
		if (err) {
			__atomic_add_fetch(&w->race->observer->held[n],
					   given[n], __ATOMIC_SEQ_CST);
			continue;
		}
		has->amounts[n] += amounts[n];
		if (amounts[n] > 0)
			observe_got(w->race, n, amounts[n]);
	}
	EXPECT(w->race, !err || err == -ENOSPC);
}

static void commit(struct worker *w, struct has *has)
{
	int err;

	do
		err = tally_limit_commit(w->ledger, has->token);
	while (err == -EAGAIN);
	EXPECT(w->race, !err);
	has->committed = true;
}

static void give_back(struct worker *w, struct has *has)
{
	int err;

	for (int n = 0; n < 2; n++)
		observe_given(w->race, n, has->amounts[n]);
	do
		err = has->committed
			      ? tally_limit_release(w->ledger, has->token, NULL,
						    0)
			      : tally_limit_cancel(w->ledger, has->token);
	while (err == -EAGAIN);
	EXPECT(w->race, !err);
	has->some = false;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < w->race->nr_calls; i++) {
		struct has *has = &w->has[some(w, NR_ACCOUNTS)];

		if (!has->some)
			draw(w, has);
		else if (some(w, 3) == 0)
			change(w, has);
		else if (some(w, 3) == 0 && !has->committed)
			commit(w, has);
		else
			give_back(w, has);
	}
	for (int i = 0; i < NR_ACCOUNTS; i++)
		if (w->has[i].some)
			give_back(w, &w->has[i]);
	__atomic_sub_fetch(&w->race->observer->nr_left, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Grows before, shrinks after. */
static void *change_parent(void *arg)
{
	struct worker *w = arg;
	const struct race *r = w->race;
	struct observer *o = r->observer;

	while (__atomic_load_n(&o->nr_left, __ATOMIC_SEQ_CST)) {
		int n = (int)some(w, 2), err;
		int64_t more =
			(int64_t)some(w, 2 * MAX_AMOUNT + 1) - MAX_AMOUNT;
		int64_t amounts[2] = {0, 0};
		struct tally_demand demands[2];
		struct tally_request request;

		if (o->parent[n] + more < r->least ||
		    o->parent[n] + more > r->most)
			continue;
		amounts[n] = more;
		request = make_request(demands, amounts);
		if (more > 0)
			observe_parent(r, n, more);
		do
			err = tally_limit_change(w->ledger, r->parent, &request,
						 NULL);
		while (err == -EAGAIN);
		if (!err && more < 0)
			observe_parent(r, n, more);
		EXPECT(r, !err || (err == -EBUSY && more < 0));
		o->nr_busy += err == -EBUSY;
	}
	return NULL;
}

/* ---- processes ----------------------------------------------------------- */

static void be_process(const struct race *r, int process)
{
	static struct worker w[NR_THREADS + 1];
	pthread_t threads[NR_THREADS + 1];
	int nr = NR_THREADS + (process == 0);
	struct tally_ledger *ledger;
	char key[48];

	if (tally_ledger_open(r->path, &ledger))
		_exit(1);
	for (int t = 0; t < nr; t++) {
		w[t].race = r;
		w[t].ledger = ledger;
		w[t].seed = r->seed + (unsigned int)(10 * process + t);
		for (int i = 0; i < NR_ACCOUNTS; i++) {
			sprintf(key, "%d/%d/%d", process, t, i);
			if (tally_account_open(tally_ledger_accounts(ledger),
					       key, &w[t].has[i].account))
				_exit(1);
		}
		if (pthread_create(&threads[t], NULL,
				   t < NR_THREADS ? work : change_parent,
				   &w[t]))
			_exit(1);
	}
	for (int t = 0; t < nr; t++)
		pthread_join(threads[t], NULL);
	tally_ledger_close(ledger);
	_exit(0);
}

static void check_end(const struct race *r, struct tally_ledger *l)
{
	struct tally_view *view;
	int64_t left;

	limits_agree(l);
	assert_int_equal(tally_view_open(l, &view), 0);
	for (int n = 0; n < 2; n++) {
		assert_int_equal(r->observer->held[n], 0);
		assert_int_equal(tally_limit_draw_free(view, r->parent,
						       nodes[n], MEMORY, &left),
				 0);
		assert_int_equal(left, r->observer->parent[n]);
		assert_int_equal(of_node(l, nodes[n]).held, left);
	}
	tally_view_close(view);
}

static void run(struct race *r, struct tally_ledger *l)
{
	const struct tally_demand demands[2] = {{0, MEMORY, r->least},
						{5, MEMORY, r->least}};
	const struct tally_request request = request_of(demands, 2);
	struct observer *o = r->observer;
	pid_t pids[NR_PROCESSES];

	*o = (struct observer){.parent = {r->least, r->least},
			       .nr_left = NR_WORKERS};
	assert_int_equal(tally_limit_reserve(l, machine_account(l, "parent"),
					     &request, &r->parent, NULL),
			 0);
	for (int p = 0; p < NR_PROCESSES; p++) {
		pids[p] = fork();
		assert_true(pids[p] >= 0);
		if (!pids[p]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			be_process(r, p);
		}
	}
	for (int p = 0; p < NR_PROCESSES; p++) {
		int status;

		assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(o->failed, 0);
	check_end(r, l);
	print_message("# %" PRIu64 " calls, %" PRIu64 " refused, %" PRIu64
		      " sums compared, the parent %" PRIu64 " times busy\n",
		      r->nr_calls * NR_WORKERS, o->nr_refused, o->nr_checked,
		      o->nr_busy);
	assert_true(o->nr_checked > 0);
	assert_int_equal(tally_limit_cancel(l, r->parent), 0);
}

static void children_never_have_more_than_their_parent(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	uint64_t nr = getenv("NUMATALLY_SHORT") ? NR_BROKEN
		      : test_is_long()		? NR_LONG
						: NR_SHORT;
	struct race r = {
		.path = m->path,
		.nr_calls = nr / 2 / NR_WORKERS,
		.least = MOST / 8,
		.most = MOST / 2,
		.seed = (unsigned int)getpid(),
	};

	r.observer = mmap(NULL, sizeof(*r.observer), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(r.observer != MAP_FAILED);
	print_message("# seed %u\n", r.seed);
	run(&r, l);
	assert_true(r.observer->nr_refused > 0);
	/* There is room for all. */
	r.least = MOST;
	r.most = 2 * MOST;
	run(&r, l);
	assert_int_equal(r.observer->nr_refused, 0);
	limits_agree(l);
	munmap(r.observer, sizeof(*r.observer));
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(children_never_have_more_than_their_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
