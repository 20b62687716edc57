// SPDX-License-Identifier: MIT
/* What is taken without a reservation, in ledgers of one process and of
 * several. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <numatally/limit_inline.h>

#include "limits.h"
#include "machine.h"

enum { EVENTS, MEMORY };

static struct tally_ledger *make(struct machine *m, bool exclusive)
{
	const struct tally_ledger_options options = {.exclusive = exclusive};
	struct tally_ledger *l = NULL;

	unlink(m->path);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_resources, 2, &options,
					     &l),
			 0);
	return l;
}

static int64_t held(struct tally_ledger *l, struct tally_account a)
{
	struct tally_limit limit;
	struct tally_view *view;
	int64_t amounts[2];

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_held(view, a, TALLY_VIEW_ALL, amounts), 0);
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

/* To the last one: what is idle is free for everybody. */
static void fill(struct tally_ledger *l)
{
	struct tally_account a = machine_account(l, "a");
	struct tally_account b = machine_account(l, "b");
	struct tally_hold hold = {0, MEMORY, 1};
	struct tally_request request = {.holds = &hold, .nr_holds = 1};
	struct tally_refusal why;
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
	hold.amount = 71;
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, &why),
			 -ENOSPC);
	assert_int_equal(why.free, 70);
	hold.amount = 70;
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	assert_int_equal(tally_limit_inline_take(&c, 1), -ENOSPC);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	/* What a reservation gave back is not what was taken. */
	assert_int_equal(held(l, a), 49930);
	for (int i = 0; i < 49930; i++)
		assert_int_equal(tally_limit_inline_give(&c, 1), 0);
	assert_int_equal(tally_limit_inline_take(&c, 10), 0);
	hold.amount = 49990;
	assert_int_equal(tally_limit_reserve(l, b, &request, &t, NULL), 0);
	assert_int_equal(limits_of_node(l, 0).held, 100000);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
}

static void filled_to_the_last_one(void **state)
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
	/* What is held before counts, what is idle does not. */
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
	/* A lower one is not over for what is idle. */
	assert_int_equal(tally_limit_set_quota(l, q, MEMORY, 40000), 0);
	{
		struct tally_limit limit;
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

/* Counts in before giving back begins, and out before a take is known: what is
 * counted is held for sure. */
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

static void kill_one(void **state)
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
	/* What it took is held, what it had idle is not. */
	assert_int_equal(held(l, a), 200);
	assert_int_equal(tally_limit_credit(l, a, 0, MEMORY, &c), 0);
	assert_int_equal(tally_limit_take(&c, 99801), -ENOSPC);
	assert_int_equal(tally_limit_take(&c, 99800), 0);
	assert_int_equal(tally_limit_give(&c, 100000), 0);
	assert_int_equal(limits_of_node(l, 0).held, 0);
	tally_ledger_close(l);
}

static void places_are_used_anew(void **state)
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

#define T(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(taken_and_given_back),
		T(filled_to_the_last_one),
		T(taken_within_quotas),
		T(threads_that_hop),
		T(kill_one),
		T(places_are_used_anew),
		T(misuse_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
