// SPDX-License-Identifier: MIT
/* Amounts taken without a reservation, in ledgers of one process and of
 * several. */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>

#include <numatally/limit_inline.h>

#include "support/inside.h"
#include "support/limits.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

static struct tally_ledger *make(struct machine *m, bool exclusive)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};
	struct tally_ledger *l = NULL;

	unlink(m->path);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 2, &options,
					     &l),
			 0);
	return l;
}

static int64_t held(struct tally_ledger *l, struct tally_account a)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_view *view;
	int64_t amounts[2];

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_holding(view, a, TALLY_VIEW_ALL, amounts),
			 0);
	assert_int_equal(tally_limit_account(view, a, MEMORY, &limit), 0);
	assert_int_equal(limit.held, amounts[MEMORY]);
	tally_view_close(view);
	return amounts[MEMORY];
}

static void both(void **state, void (*test)(struct tally_ledger *l))
{
	for (int exclusive = 0; exclusive < 2; exclusive++) {
		struct tally_ledger *l = make(*state, exclusive);

		test(l);
		limits_agree(l);
		tally_ledger_close(l);
	}
}

static void take_and_give(struct tally_ledger *l)
{
	struct tally_account a = machine_account(l, "a");
	struct tally_credit c;

	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 1000000), 0);
	assert_int_equal(tally_limit_credit(l, a, 5, MEMORY, &c), 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(tally_limit_inline_take(&c, 3), 0);
		assert_int_equal(limits_of_node(l, 5).held, 3 * (i + 1));
	}
	assert_int_equal(held(l, a), 3000);
	assert_int_equal(machine_total(l, MEMORY), 3000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(i % 2 ? tally_limit_give(&c, 3)
				       : tally_limit_inline_give(&c, 3),
				 0);
	assert_int_equal(limits_of_node(l, 5).held, 0);
	assert_int_equal(held(l, a), 0);
	assert_int_equal(tally_limit_take(&c, 0), 0);
	assert_int_equal(tally_limit_give(&c, 0), 0);
	assert_int_equal(tally_limit_take(&c, INT64_MAX), -ENOSPC);
	assert_int_equal(tally_limit_give(&c, INT64_MAX), -ERANGE);
}

static void taken_and_given_back(void **state)
{
	both(state, take_and_give);
}

/* Down to the last unit: idle credits are free for every CPU. */
static void fill(struct tally_ledger *l)
{
	struct tally_account a = machine_account(l, "a");
	struct tally_account b = machine_account(l, "b");
	struct tally_demand demand = {0, MEMORY, 1};
	struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_refusal why = {.size = sizeof(why)};
	struct tally_credit c, d;
	struct tally_token t;
	int64_t n = 0;

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 100000), 0);
	assert_int_equal(tally_limit_credit(l, a, 0, MEMORY, &c), 0);
	assert_int_equal(tally_limit_credit(l, b, 0, MEMORY, &d), 0);
	while (!tally_limit_inline_take(n % 2 ? &c : &d, 1))
		n++;
	assert_int_equal(n, 100000);
	assert_int_equal(limits_of_node(l, 0).nr_refused, 1);
	assert_int_equal(held(l, a), 50000);
	assert_int_equal(tally_limit_inline_give(&c, 70), 0);
	demand.amount = 71;
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, &why),
			 -ENOSPC);
	assert_int_equal(why.free, 70);
	demand.amount = 70;
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	assert_int_equal(tally_limit_inline_take(&c, 1), -ENOSPC);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	/* Releasing a reservation does not give back what was taken. */
	assert_int_equal(held(l, a), 49930);
	for (int i = 0; i < 49930; i++)
		assert_int_equal(tally_limit_inline_give(&c, 1), 0);
	assert_int_equal(tally_limit_inline_take(&c, 10), 0);
	demand.amount = 49990;
	assert_int_equal(tally_limit_reserve(l, b, &request, &t, NULL), 0);
	assert_int_equal(limits_of_node(l, 0).held, 100000);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
}

static void taken_to_the_last_unit(void **state)
{
	both(state, fill);
}

static void count_against_quotas(struct tally_ledger *l)
{
	struct tally_account a = machine_account(l, "q/a");
	struct tally_account q = machine_account(l, "q/");
	struct tally_credit c;
	int n = 0;

	assert_int_equal(tally_limit_credit(l, a, 9, MEMORY, &c), 0);
	assert_int_equal(tally_limit_inline_take(&c, 100), 0);
	/* Amounts held before count, idle credits do not. */
	assert_int_equal(tally_limit_set_quota(l, q, MEMORY, 50000), 0);
	while (!tally_limit_inline_take(&c, 100))
		n++;
	assert_int_equal(n, 499);
	assert_int_equal(tally_limit_take(&c, 100), -EDQUOT);
	assert_int_equal(tally_limit_set_quota(l, q, MEMORY, 90000), 0);
	assert_int_equal(tally_limit_inline_take(&c, 100), 0);
	assert_int_equal(held(l, a), 50100);
	for (int i = 0; i < 101; i++)
		assert_int_equal(tally_limit_inline_give(&c, 100), 0);
	assert_int_equal(held(l, a), 40000);
	/* Idle credits do not exceed a lower quota. */
	assert_int_equal(tally_limit_set_quota(l, q, MEMORY, 40000), 0);
	{
		struct tally_limit limit = {.size = sizeof(limit)};
		struct tally_view *view;

		assert_int_equal(tally_view_open(l, &view), 0);
		assert_int_equal(tally_limit_account(view, q, MEMORY, &limit),
				 0);
		assert_int_equal(limit.held, 40000);
		assert_false(limit.over);
		tally_view_close(view);
	}
}

static void taken_within_quotas(void **state)
{
	both(state, count_against_quotas);
}

#define NR_THREADS 4
#define CAPACITY   1000

struct shared {
	struct tally_ledger *ledger;
	struct tally_account accounts[2];
	int64_t surely_held; /* of what was acknowledged */
	int64_t over;
	int64_t nr_refused;
	int64_t nr_taken;
};

/* Added before giving back begins, and subtracted before a take is
 * acknowledged: what this counts is held for sure. */
static void *take_and_hop(void *arg)
{
	struct shared *s = arg;
	struct tally_credit c;
	unsigned int seed = (unsigned int)(uintptr_t)&c;
	int64_t mine = 0;

	if (tally_limit_credit(s->ledger, s->accounts[rand_r(&seed) % 2], 0,
			       MEMORY, &c))
		abort();
	for (int i = 0; i < 60000; i++) {
		int64_t n = 1 + rand_r(&seed) % 5;

		if (i % 512 == 0) {
			cpu_set_t set;

			CPU_ZERO(&set);
			CPU_SET((unsigned int)rand_r(&seed) % 2, &set);
			sched_setaffinity(0, sizeof(set), &set);
		}
		if (mine < n || rand_r(&seed) % 2) {
			int err = tally_limit_inline_take(&c, n);

			if (!err) {
				int64_t sum = __atomic_add_fetch(
					&s->surely_held, n, __ATOMIC_SEQ_CST);

				if (sum > CAPACITY)
					__atomic_store_n(&s->over, sum,
							 __ATOMIC_RELAXED);
				mine += n;
				__atomic_fetch_add(&s->nr_taken, 1,
						   __ATOMIC_RELAXED);
			} else if (err == -ENOSPC) {
				__atomic_fetch_add(&s->nr_refused, 1,
						   __ATOMIC_RELAXED);
			} else {
				abort();
			}
		} else {
			__atomic_fetch_sub(&s->surely_held, n,
					   __ATOMIC_SEQ_CST);
			if (tally_limit_inline_give(&c, n))
				abort();
			mine -= n;
		}
	}
	__atomic_fetch_sub(&s->surely_held, mine, __ATOMIC_SEQ_CST);
	if (tally_limit_inline_give(&c, mine))
		abort();
	return NULL;
}

static void race(struct tally_ledger *l)
{
	struct shared s = {
		.ledger = l,
		.accounts = {machine_account(l, "a"), machine_account(l, "b")},
	};
	pthread_t threads[NR_THREADS];
	struct tally_credit c;

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, CAPACITY), 0);
	for (int i = 0; i < NR_THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, take_and_hop, &s), 0);
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	print_message("# %lld taken, %lld refused\n", (long long)s.nr_taken,
		      (long long)s.nr_refused);
	assert_int_equal(s.over, 0);
	assert_int_equal(s.surely_held, 0);
	assert_int_equal(limits_of_node(l, 0).held, 0);
	/* Nothing is lost: all of it can be taken at once. */
	assert_int_equal(tally_limit_credit(l, s.accounts[0], 0, MEMORY, &c),
			 0);
	assert_int_equal(tally_limit_take(&c, CAPACITY), 0);
	assert_int_equal(tally_limit_take(&c, 1), -ENOSPC);
}

static void threads_that_hop(void **state)
{
	both(state, race);
}

static void a_process_that_exits_returns_its_idle_credit(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = make(m, false), *next;
	struct tally_account a = machine_account(l, "a");
	struct tally_credit c;
	int status;
	pid_t pid;

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 100000), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (tally_ledger_open(m->path, &next) ||
		    tally_limit_credit(next, a, 0, MEMORY, &c) ||
		    tally_limit_take(&c, 300) || tally_limit_give(&c, 100))
			_exit(1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	limits_agree(l);
	/* What it took is held, its idle credit is not. */
	assert_int_equal(held(l, a), 200);
	assert_int_equal(tally_limit_credit(l, a, 0, MEMORY, &c), 0);
	assert_int_equal(tally_limit_take(&c, 99801), -ENOSPC);
	assert_int_equal(tally_limit_take(&c, 99800), 0);
	assert_int_equal(tally_limit_give(&c, 100000), 0);
	assert_int_equal(limits_of_node(l, 0).held, 0);
	tally_ledger_close(l);
}

static void credits_are_used_again(void **state)
{
	struct tally_ledger *l = make(*state, true);
	struct tally_credit first, c;
	char key[16];

	assert_int_equal(tally_limit_credit(l, machine_account(l, "first"), 0,
					    MEMORY, &first),
			 0);
	assert_int_equal(tally_limit_take(&first, 1), 0);
	for (int i = 0; i < 4095; i++) {
		snprintf(key, sizeof(key), "a%d", i % 1500);
		assert_int_equal(tally_limit_credit(l, machine_account(l, key),
						    machine_nodes[i / 1500],
						    MEMORY, &c),
				 0);
		assert_int_equal(tally_limit_take(&c, 1), 0);
	}
	assert_int_equal(tally_limit_credit(l, machine_account(l, "last"), 0,
					    MEMORY, &c),
			 -EUSERS);
	assert_int_equal(tally_limit_give(&first, 1), 0);
	assert_int_equal(tally_limit_credit(l, machine_account(l, "last"), 0,
					    MEMORY, &c),
			 0);
	assert_int_equal(tally_limit_take(&c, 5), 0);
	assert_int_equal(tally_limit_take(&first, 1), -ESTALE);
	assert_int_equal(tally_limit_give(&first, 1), -ESTALE);
	assert_int_equal(held(l, machine_account(l, "last")), 5);
	limits_agree(l);
	tally_ledger_close(l);
}

/* One place of the table, set up for two accounts in turn. As often as a word
 * has tags; unless the run is long, the file gets the tag that it has shortly
 * before the last one. */
static void set_up_for_ever(struct tally_ledger *l, struct layout *inside,
			    uint64_t place, struct tally_credit *c)
{
	const struct tally_account in_turn[2] = {machine_account(l, "x"),
						 machine_account(l, "y")};
	int nr = 65535;

	if (!test_is_long()) {
		nr = 3;
		layout_credit(inside, place)->tag += 65532;
	}
	for (int i = 0; i < nr; i++)
		assert_int_equal(
			tally_limit_credit(l, in_turn[i % 2], 0, MEMORY, c), 0);
	assert_int_equal(c->offset, place * sizeof(struct layout_credit_word));
	assert_int_equal(c->account.row, in_turn[0].row);
}

static void a_stale_credit_stays_stale(void **state)
{
	struct machine *m = *state;

	for (int exclusive = 0; exclusive < 2; exclusive++) {
		struct tally_ledger *l = make(m, exclusive);
		struct layout *inside = inside_open(m->path);
		struct tally_credit first, c;

		/* As if the other places had been used before. */
		layout_limits(inside)->nr_credits = LAYOUT_NR_CREDITS;
		assert_int_equal(tally_limit_credit(l, machine_account(l, "a"),
						    0, MEMORY, &first),
				 0);
		set_up_for_ever(l, inside, LAYOUT_NR_CREDITS - 1, &c);
		/* Its word is open on each CPU. */
		for (int i = 0; i < 100; i++)
			assert_int_equal(tally_limit_take(&c, 10), 0);
		assert_false(tally_limit_take_fast(&first, 7));
		assert_false(tally_limit_give_fast(&first, 7));
		assert_int_equal(tally_limit_take(&first, 7), -ESTALE);
		assert_int_equal(tally_limit_give(&first, 7), -ESTALE);
		assert_int_equal(tally_limit_take(&first, INT64_C(1) << 47),
				 -ESTALE);
		assert_int_equal(held(l, machine_account(l, "x")), 1000);
		assert_int_equal(held(l, machine_account(l, "a")), 0);
		assert_int_equal(tally_limit_give(&c, 1000), 0);
		layout_limits(inside)->nr_credits = 0;
		inside_close(inside);
		tally_ledger_close(l);
	}
}

/* Also if the file says that the tag is the same. */
static void another_place_is_stale(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = make(m, false);
	struct layout *inside = inside_open(m->path);
	struct tally_account a = machine_account(l, "a");
	struct tally_credit c, bad;

	assert_int_equal(tally_limit_credit(l, a, 0, MEMORY, &c), 0);
	bad = c;
	bad.node = 5;
	assert_int_equal(tally_limit_take(&bad, INT64_C(1) << 47), -ESTALE);
	bad = c;
	bad.resource = EVENTS;
	assert_int_equal(tally_limit_take(&bad, INT64_C(1) << 47), -ESTALE);
	bad = c;
	bad.account = machine_account(l, "b");
	assert_int_equal(tally_limit_take(&bad, INT64_C(1) << 47), -ESTALE);
	bad = c;
	bad.tag += 65536;
	assert_int_equal(tally_limit_take(&bad, INT64_C(1) << 47), -ESTALE);
	bad = c;
	bad.offset++;
	assert_int_equal(tally_limit_take(&bad, INT64_C(1) << 47), -ESTALE);
	assert_int_equal(tally_limit_take(&c, 1), 0);
	limits_agree(l);
	inside_close(inside);
	tally_ledger_close(l);
}

static void misuse_is_an_error(void **state)
{
	struct tally_ledger *l = make(*state, false);
	struct tally_account a = machine_account(l, "a");
	struct tally_credit c;

	assert_int_equal(tally_limit_credit(l, a, 1, MEMORY, &c), -ENOENT);
	assert_int_equal(tally_limit_credit(l, a, 0, EVENTS, &c), -EINVAL);
	a.generation++;
	assert_int_equal(tally_limit_credit(l, a, 0, MEMORY, &c), -ESTALE);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(taken_and_given_back),
		MACHINE_TEST(taken_to_the_last_unit),
		MACHINE_TEST(taken_within_quotas),
		MACHINE_TEST(threads_that_hop),
		MACHINE_TEST(a_process_that_exits_returns_its_idle_credit),
		MACHINE_TEST(credits_are_used_again),
		MACHINE_TEST(a_stale_credit_stays_stale),
		MACHINE_TEST(another_place_is_stale),
		MACHINE_TEST(misuse_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
