// SPDX-License-Identifier: MIT
/*
 * Threads of several processes reserve, or take from credits, and give back
 * near limits. What they are told is summed beside the ledger: what is
 * acknowledged and not yet given back never exceeds a capacity or quota; and
 * where there is room for all requests at once, none is refused. A million
 * calls, or 100 million with NUMATALLY_LONG.
 */
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <numatally/limit_inline.h>

#include "support/limits.h"
#include "support/machine.h"

#define NR_PROCESSES 2
#define NR_THREADS   2 /* of each */
#define NR_WORKERS   (NR_PROCESSES * NR_THREADS)
#define NR_ACCOUNTS  4 /* of each thread */
#define MAX	     8 /* nodes, resources */
#define MAX_AMOUNT   9
#define MAX_DEMANDS  8
#define MAX_TAKEN    64 /* by each thread */
#define ROOMY \
	(NR_WORKERS * (NR_ACCOUNTS * MAX_DEMANDS * MAX_AMOUNT + MAX_TAKEN))
#define NR_BROKEN UINT64_C(200000) /* with NUMATALLY_SHORT */
#define NR_SHORT  UINT64_C(1000000)
#define NR_LONG	  UINT64_C(100000000)

struct setting {
	int nr_nodes, nr_resources;
	bool mixed; /* amounts other than 1 */
	bool roomy; /* no call may be refused */
};

static const struct setting settings[] = {
	{1, 1, false, false}, {1, 1, true, false}, {2, 1, false, false},
	{2, 2, true, false},  {8, 1, true, false}, {1, 8, true, false},
	{8, 8, false, false}, {8, 8, true, false}, {1, 1, true, true},
	{8, 8, true, true},
};
#define NR_SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* What was acknowledged, in memory of the test. */
struct observer {
	int64_t held[MAX][MAX];
	int64_t by_all[MAX];
	int64_t most[MAX][MAX];
	uint64_t nr_calls, nr_refused, nr_again, nr_taken;
	int64_t longest_ns;
	int failed; /* line */
};

struct race {
	const struct setting *setting;
	struct observer *observer;
	const char *path;
	uint64_t nr_calls; /* of each thread */
	int64_t capacity, quota;
	unsigned int seed;
};

struct has {
	struct tally_account account;
	struct tally_token token;
	struct tally_demand demands[MAX_DEMANDS];
	unsigned int nr; /* 0: nothing */
	bool committed;
};

/* One account, used by a thread of each process. */
struct taken {
	struct tally_credit credits[MAX][MAX];
	int64_t amounts[MAX][MAX];
	int64_t sum;
};

struct worker {
	const struct race *race;
	struct tally_ledger *ledger;
	int number;
	unsigned int seed;
	struct has has[NR_ACCOUNTS];
	struct taken taken;
	uint64_t nr_refused, nr_again, nr_taken;
	int64_t longest_ns;
};

static void expect(const struct race *r, bool good, int line)
{
	if (!good)
		__atomic_store_n(&r->observer->failed, line, __ATOMIC_RELAXED);
}
#define EXPECT(r, good) expect(r, good, __LINE__)

static unsigned int some(struct worker *w, int n)
{
	return (unsigned int)rand_r(&w->seed) % (unsigned int)n;
}

/* ---- the observer -------------------------------------------------------- */

/* Add only after the acknowledgement. */
static void observe_held(const struct race *r,
			 const struct tally_demand *demands, unsigned int nr)
{
	struct observer *o = r->observer;

	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_demand *h = &demands[i];
		int64_t *most = &o->most[h->node][h->resource];
		int64_t now = __atomic_add_fetch(&o->held[h->node][h->resource],
						 h->amount, __ATOMIC_SEQ_CST);
		int64_t all = __atomic_add_fetch(&o->by_all[h->resource],
						 h->amount, __ATOMIC_SEQ_CST);

		EXPECT(r, now <= r->capacity);
		EXPECT(r, all <= r->quota);
		if (now > __atomic_load_n(most, __ATOMIC_RELAXED))
			__atomic_store_n(most, now, __ATOMIC_RELAXED);
	}
}

/* Subtract before giving back. */
static void observe_given(const struct race *r,
			  const struct tally_demand *demands, unsigned int nr)
{
	struct observer *o = r->observer;

	for (unsigned int i = 0; i < nr; i++) {
		__atomic_sub_fetch(
			&o->held[demands[i].node][demands[i].resource],
			demands[i].amount, __ATOMIC_SEQ_CST);
		__atomic_sub_fetch(&o->by_all[demands[i].resource],
				   demands[i].amount, __ATOMIC_SEQ_CST);
	}
}

/* ---- calls --------------------------------------------------------------- */

/* Starved: there are more threads than CPUs. */
static bool again(struct worker *w, int err)
{
	if (err != -EAGAIN)
		return false;
	w->nr_again++;
	return true;
}

static struct tally_demand make_hold(struct worker *w)
{
	const struct setting *s = w->race->setting;

	return (struct tally_demand){
		.node = (int)some(w, s->nr_nodes),
		.resource = some(w, s->nr_resources),
		.amount = s->mixed ? 1 + some(w, MAX_AMOUNT) : 1,
	};
}

static void make_demands(struct worker *w, struct has *has)
{
	has->nr = 1 + some(w, MAX_DEMANDS);
	for (unsigned int i = 0; i < has->nr; i++)
		has->demands[i] = make_hold(w);
}

static void reserve(struct worker *w, struct has *has)
{
	struct tally_request request = {.size = sizeof(request),
					.demands = has->demands};
	int err;

	make_demands(w, has);
	request.nr_demands = has->nr;
	do
		err = tally_limit_reserve(w->ledger, has->account, &request,
					  &has->token, NULL);
	while (again(w, err));
	has->committed = false;
	if (!err) {
		observe_held(w->race, has->demands, has->nr);
		return;
	}
	has->nr = 0;
	w->nr_refused++;
	EXPECT(w->race, err == -ENOSPC || err == -EDQUOT);
	EXPECT(w->race, !w->race->setting->roomy);
}

static void commit(struct worker *w, struct has *has)
{
	int err;

	do
		err = tally_limit_commit(w->ledger, has->token);
	while (again(w, err));
	EXPECT(w->race, !err);
	has->committed = true;
}

static void give_back(struct worker *w, struct has *has)
{
	int err;

	observe_given(w->race, has->demands, has->nr);
	do
		err = has->committed
			      ? tally_limit_release(w->ledger, has->token, NULL,
						    0)
			      : tally_limit_cancel(w->ledger, has->token);
	while (again(w, err));
	EXPECT(w->race, !err);
	has->nr = 0;
}

static void give_part_back(struct worker *w, struct has *has)
{
	const struct tally_demand *last = &has->demands[has->nr - 1];
	int err;

	observe_given(w->race, last, 1);
	do
		err = tally_limit_release(w->ledger, has->token, last, 1);
	while (again(w, err));
	EXPECT(w->race, !err);
	has->nr--;
}

static void take(struct worker *w, const struct tally_demand *h)
{
	struct taken *taken = &w->taken;
	int err;

	do
		err = tally_limit_inline_take(
			&taken->credits[h->node][h->resource], h->amount);
	while (again(w, err));
	if (err) {
		w->nr_refused++;
		EXPECT(w->race, err == -ENOSPC || err == -EDQUOT);
		EXPECT(w->race, !w->race->setting->roomy);
		return;
	}
	observe_held(w->race, h, 1);
	w->nr_taken++;
	taken->amounts[h->node][h->resource] += h->amount;
	taken->sum += h->amount;
}

static void give(struct worker *w, const struct tally_demand *h)
{
	struct taken *taken = &w->taken;
	int err;

	observe_given(w->race, h, 1);
	do
		err = tally_limit_inline_give(
			&taken->credits[h->node][h->resource], h->amount);
	while (again(w, err));
	EXPECT(w->race, !err);
	taken->amounts[h->node][h->resource] -= h->amount;
	taken->sum -= h->amount;
}

static void take_or_give(struct worker *w)
{
	struct tally_demand h = make_hold(w);
	int64_t has = w->taken.amounts[h.node][h.resource];

	if (has >= h.amount && some(w, 2))
		give(w, &h);
	else if (w->taken.sum + h.amount <= MAX_TAKEN)
		take(w, &h);
}

static void give_all(struct worker *w)
{
	for (int n = 0; n < MAX; n++)
		for (unsigned int i = 0; i < MAX; i++) {
			struct tally_demand h = {n, i, w->taken.amounts[n][i]};

			give(w, &h);
		}
}

static void act(struct worker *w)
{
	struct has *has = &w->has[some(w, NR_ACCOUNTS)];
	unsigned int way = some(w, 8);

	if (way >= 4)
		take_or_give(w);
	else if (!has->nr)
		reserve(w, has);
	else if (way == 0 && !has->committed)
		commit(w, has);
	else if (way == 1)
		give_part_back(w, has);
	else
		give_back(w, has);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct observer *o = w->race->observer;

	for (uint64_t i = 0; i < w->race->nr_calls; i++) {
		int64_t start = i % 16 ? 0 : now_ns(), ns;

		act(w);
		if (!start)
			continue;
		ns = now_ns() - start;
		if (ns > w->longest_ns)
			w->longest_ns = ns;
	}
	for (int i = 0; i < NR_ACCOUNTS; i++)
		if (w->has[i].nr)
			give_back(w, &w->has[i]);
	give_all(w);
	__atomic_fetch_add(&o->nr_calls, w->race->nr_calls, __ATOMIC_RELAXED);
	__atomic_fetch_add(&o->nr_refused, w->nr_refused, __ATOMIC_RELAXED);
	__atomic_fetch_add(&o->nr_again, w->nr_again, __ATOMIC_RELAXED);
	__atomic_fetch_add(&o->nr_taken, w->nr_taken, __ATOMIC_RELAXED);
	if (w->longest_ns > __atomic_load_n(&o->longest_ns, __ATOMIC_RELAXED))
		__atomic_store_n(&o->longest_ns, w->longest_ns,
				 __ATOMIC_RELAXED);
	return NULL;
}

static void open_accounts(struct worker *w, int thread)
{
	struct tally_accounts *accounts = tally_ledger_accounts(w->ledger);
	struct tally_account account;
	char key[32];

	for (int i = 0; i < NR_ACCOUNTS; i++) {
		sprintf(key, "all/%d/%d", w->number, i);
		if (tally_account_open(accounts, key, &w->has[i].account))
			_exit(1);
	}
	sprintf(key, "all/taken/%d", thread);
	if (tally_account_open(accounts, key, &account))
		_exit(1);
	for (int n = 0; n < MAX; n++)
		for (unsigned int i = 0; i < MAX; i++) {
			int err;

			do
				err = tally_limit_credit(
					w->ledger, account, n, i,
					&w->taken.credits[n][i]);
			while (again(w, err));
			if (err)
				_exit(1);
		}
}

static void be_process(const struct race *r, int process)
{
	static struct worker w[NR_THREADS];
	pthread_t threads[NR_THREADS];
	struct tally_ledger *ledger;

	if (tally_ledger_open(r->path, &ledger))
		_exit(1);
	for (int t = 0; t < NR_THREADS; t++) {
		w[t].race = r;
		w[t].ledger = ledger;
		w[t].number = process * NR_THREADS + t;
		w[t].seed = r->seed + (unsigned int)w[t].number;
		open_accounts(&w[t], t);
		if (pthread_create(&threads[t], NULL, work, &w[t]))
			_exit(1);
	}
	for (int t = 0; t < NR_THREADS; t++)
		pthread_join(threads[t], NULL);
	tally_ledger_close(ledger);
	_exit(0);
}

/* ---- settings ------------------------------------------------------------ */

/* Room for about half of what the threads may request at once. */
static void set_limits(struct race *r, struct tally_ledger *l)
{
	const struct setting *s = r->setting;
	int64_t each = s->mixed ? (1 + MAX_AMOUNT) / 2 : 1;
	int64_t all = NR_WORKERS * NR_ACCOUNTS * each * MAX_DEMANDS / 2 /
		      s->nr_resources;

	r->quota = s->roomy ? ROOMY : all / 2 + MAX_AMOUNT;
	r->capacity = s->roomy ? ROOMY
			       : all / s->nr_nodes / 2 + MAX_AMOUNT * each / 2;
	for (int n = 0; n < MAX; n++)
		for (unsigned int i = 0; i < MAX; i++)
			assert_int_equal(
				tally_limit_set_capacity(l, n, i, r->capacity),
				0);
	for (unsigned int i = 0; i < MAX; i++)
		assert_int_equal(
			tally_limit_set_quota(l, machine_account(l, "all/"), i,
					      r->quota),
			0);
}

static void check_end(const struct race *r, struct tally_ledger *l)
{
	const struct observer *o = r->observer;
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_view *view;

	limits_agree(l);
	assert_int_equal(tally_view_open(l, &view), 0);
	for (int n = 0; n < MAX; n++)
		for (unsigned int i = 0; i < MAX; i++) {
			assert_int_equal(o->held[n][i], 0);
			assert_int_equal(tally_limit_node(view, n, i, &limit),
					 0);
			assert_int_equal(limit.held, 0);
			assert_true(limit.peak >= o->most[n][i]);
		}
	tally_view_close(view);
}

static void run(struct race *r, struct tally_ledger *l)
{
	struct observer *o = r->observer;
	int64_t start = now_ns();
	pid_t pids[NR_PROCESSES];
	double s;

	memset(o, 0, sizeof(*o));
	set_limits(r, l);
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
	s = (double)(now_ns() - start) / 1e9;
	assert_int_equal(o->failed, 0);
	check_end(r, l);
	if (!r->setting->roomy)
		assert_true(o->nr_refused > 0);
	assert_true(o->nr_taken > 0);
	print_message(
		"# %d nodes, %d resources, %s%s: %" PRIu64 " calls, %" PRIu64
		" takes, %" PRIu64
		" refused, %.0f a second, longest of those looked at %.1f ms, "
		"%" PRIu64 " times -EAGAIN\n",
		r->setting->nr_nodes, r->setting->nr_resources,
		r->setting->mixed ? "mixed" : "by one",
		r->setting->roomy ? ", roomy" : "", o->nr_calls, o->nr_taken,
		o->nr_refused, (double)o->nr_calls / s,
		(double)o->longest_ns / 1e6, o->nr_again);
}

static uint64_t nr_calls(void)
{
	if (getenv("NUMATALLY_SHORT"))
		return NR_BROKEN;
	return test_is_long() ? NR_LONG : NR_SHORT;
}

static void never_over_a_limit(void **state)
{
	struct machine *m = *state;
	struct tally_resource resources[MAX];
	struct race r = {.path = m->path, .seed = (unsigned int)getpid()};
	struct tally_ledger *l;
	char names[MAX][16];

	machine_eight_nodes(m);
	for (int i = 0; i < MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "r%d", i);
		resources[i] =
			(struct tally_resource){names[i], "", TALLY_RESERVABLE};
	}
	assert_int_equal(
		tally_ledger_create(m->path, m->topo, resources, MAX, NULL, &l),
		0);
	r.observer = mmap(NULL, sizeof(*r.observer), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(r.observer, MAP_FAILED);
	r.nr_calls = nr_calls() / (NR_SETTINGS * NR_WORKERS);
	print_message("# seed %u\n", r.seed);
	for (size_t i = 0; i < NR_SETTINGS; i++) {
		r.setting = &settings[i];
		run(&r, l);
	}
	munmap(r.observer, sizeof(*r.observer));
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			never_over_a_limit, machine_setup, machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
