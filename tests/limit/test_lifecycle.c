// SPDX-License-Identifier: MIT
/* Accounts that end while they have reservations, and rows that are
 * used again. */
#include "support/test.h"

#include <pthread.h>

#include <numatally/limit_inline.h>

#include "support/limits.h"
#include "support/machine.h"

#define MEMORY 1

static int reserve(struct tally_ledger *l, struct tally_account a,
		   struct tally_token *token)
{
	const struct tally_demand demand = {0, MEMORY, 5};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};

	return tally_limit_reserve(l, a, &request, token, NULL);
}

static int phase(struct tally_ledger *l, struct tally_account a)
{
	return tally_account_phase(tally_ledger_accounts(l), a);
}

static void end(struct tally_ledger *l, struct tally_account a)
{
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
}

static void reservations_delay_the_end(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_account b = machine_account(l, "b");
	struct tally_account again;
	struct tally_token t, u;

	assert_int_equal(reserve(l, a, &t), 0);
	end(l, a);
	assert_int_equal(phase(l, a), TALLY_PHASE_TERMINATING);
	/* Its reservation can be committed and released, and no other can be
	 * made. */
	assert_int_equal(tally_limit_commit(l, t), 0);
	assert_int_equal(reserve(l, a, &u), -ESHUTDOWN);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	assert_int_equal(phase(l, a), -ESTALE);
	assert_int_equal(reserve(l, a, &u), -ESTALE);
	assert_int_equal(tally_limit_commit(l, t), -ESTALE);

	/* Cancelled, and the key is free again. */
	assert_int_equal(reserve(l, b, &t), 0);
	end(l, b);
	assert_int_equal(tally_limit_cancel(l, t), 0);
	assert_int_equal(phase(l, b), -ESTALE);
	again = machine_account(l, "b");
	assert_int_equal(reserve(l, again, &t), 0);
	limits_agree(l);
	tally_ledger_close(l);
}

static void a_reaped_reservation_delays_no_more(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0), *other;
	struct tally_account a = machine_account(l, "a");
	struct tally_token t;

	assert_int_equal(tally_ledger_open(m->path, &other), 0);
	assert_int_equal(reserve(other, a, &t), 0);
	end(l, a);
	tally_ledger_close(other);
	assert_int_equal(phase(l, a), TALLY_PHASE_TERMINATING);
	assert_int_equal(tally_limit_reap(l), 0);
	assert_int_equal(phase(l, a), -ESTALE);
	tally_ledger_close(l);
}

static void owned_accounts_end_first(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_accounts *accounts = tally_ledger_accounts(l);
	struct tally_account top = machine_account(l, "top");
	struct tally_account low[20];
	struct tally_token t[20];
	char key[16];

	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "low%d", i);
		low[i] = machine_account(l, key);
		assert_int_equal(tally_account_set_owner(accounts, low[i], top),
				 0);
		assert_int_equal(reserve(l, low[i], &t[i]), 0);
	}
	end(l, top);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(phase(l, top), TALLY_PHASE_TERMINATING);
		assert_int_equal(tally_limit_release(l, t[i], NULL, 0), 0);
		assert_int_equal(phase(l, low[i]), -ESTALE);
	}
	assert_int_equal(phase(l, top), -ESTALE);
	tally_ledger_close(l);
}

static struct tally_ledger *make(struct machine *m, bool exclusive)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};
	struct tally_ledger *l = NULL;

	remove(m->path);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 2, &options,
					     &l),
			 0);
	return l;
}

static void taken_amounts_delay_the_end(void **state)
{
	for (int exclusive = 0; exclusive < 2; exclusive++) {
		struct tally_ledger *l = make(*state, exclusive);
		struct tally_account a = machine_account(l, "a");
		struct tally_account b = machine_account(l, "b");
		struct tally_credit c, d;

		assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 100000),
				 0);
		assert_int_equal(tally_limit_credit(l, a, 0, MEMORY, &c), 0);
		assert_int_equal(tally_limit_credit(l, b, 0, MEMORY, &d), 0);
		assert_int_equal(tally_limit_inline_take(&c, 7), 0);
		assert_int_equal(tally_limit_inline_take(&d, 7), 0);
		/* This account has only idle credits left. */
		assert_int_equal(tally_limit_inline_give(&d, 7), 0);
		end(l, b);
		assert_int_equal(phase(l, b), -ESTALE);
		assert_int_equal(tally_limit_inline_take(&d, 1), -ESTALE);

		end(l, a);
		assert_int_equal(phase(l, a), TALLY_PHASE_TERMINATING);
		assert_int_equal(tally_limit_inline_take(&c, 1), -ESHUTDOWN);
		assert_int_equal(tally_limit_inline_give(&c, 4), 0);
		assert_int_equal(limits_of_node(l, 0).held, 3);
		assert_int_equal(tally_limit_inline_give(&c, 3), 0);
		assert_int_equal(phase(l, a), -ESTALE);
		assert_int_equal(tally_limit_inline_give(&c, 1), -ESTALE);
		assert_int_equal(limits_of_node(l, 0).held, 0);
		limits_agree(l);
		tally_ledger_close(l);
	}
}

/* A row's next account has no quota, peak or refusal of the last one. */
static void a_row_begins_without_limits(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 64);
	struct tally_account a = machine_account(l, "q/"), b;
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_view *view;
	struct tally_token t;
	char key[16];

	assert_int_equal(tally_limit_set_quota(l, a, MEMORY, 4), 0);
	assert_int_equal(reserve(l, machine_account(l, "q/x"), &t), -EDQUOT);
	assert_int_equal(reserve(l, a, &t), -EDQUOT);
	end(l, a);
	assert_int_equal(phase(l, a), -ESTALE);
	assert_int_equal(reserve(l, machine_account(l, "q/x"), &t), 0);
	/* Until the row is used again. */
	for (int i = 0;; i++) {
		assert_true(i < 1000);
		snprintf(key, sizeof(key), "k%d/", i);
		b = machine_account(l, key);
		if (b.row == a.row)
			break;
		end(l, b);
	}
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_account(view, b, MEMORY, &limit), 0);
	assert_int_equal(limit.limit, TALLY_LIMIT_NONE);
	assert_int_equal(limit.nr_refused, 0);
	assert_int_equal(tally_limit_account(view, a, MEMORY, &limit), -ESTALE);
	assert_int_equal(reserve(l, b, &t), 0);
	assert_int_equal(tally_limit_account(view, b, MEMORY, &limit), 0);
	assert_int_equal(limit.held, 5);
	assert_int_equal(limit.peak, 5);
	tally_view_close(view);
	limits_agree(l);
	tally_ledger_close(l);
}

/* Ends race with reserves: an account with a reservation is never gone, and one
 * without always is. */
struct racer {
	struct tally_ledger *ledger;
	unsigned int number;
	unsigned int nr_reserved, nr_late;
};

static void *reserve_and_release(void *arg)
{
	struct racer *r = arg;
	char key[16];

	for (int i = 0; i < 3000; i++) {
		struct tally_account a;
		struct tally_token t;
		int err;

		snprintf(key, sizeof(key), "r%d", i % 7);
		err = tally_account_open(tally_ledger_accounts(r->ledger), key,
					 &a);
		if (err == -ENOSPC)
			continue;
		if (err)
			abort();
		if (i % 3 == (int)r->number % 3) {
			err = tally_account_end(
				tally_ledger_accounts(r->ledger), a);
			if (err && err != -ESTALE)
				abort();
			continue;
		}
		err = reserve(r->ledger, a, &t);
		if (!err) {
			r->nr_reserved++;
			/* It exists as long as it has a reservation. */
			if (phase(r->ledger, a) < 0 ||
			    tally_limit_release(r->ledger, t, NULL, 0))
				abort();
		} else if (err == -ESHUTDOWN || err == -ESTALE) {
			r->nr_late++;
		} else if (err != -EEXIST) {
			abort();
		}
	}
	return NULL;
}

static void ends_and_reserves_race(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 256);
	struct tally_account account;
	struct racer racers[4];
	pthread_t threads[4];
	uint64_t cursor = 0;

	for (unsigned int i = 0; i < 4; i++) {
		racers[i] = (struct racer){.ledger = l, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL,
						reserve_and_release,
						&racers[i]),
				 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		print_message("# %u reserved, %u too late\n",
			      racers[i].nr_reserved, racers[i].nr_late);
	}
	assert_int_equal(limits_of_node(l, 0).held, 0);
	limits_agree(l);
	while (!tally_account_next(tally_ledger_accounts(l), &cursor, &account))
		assert_int_not_equal(phase(l, account),
				     TALLY_PHASE_TERMINATING);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(reservations_delay_the_end),
		MACHINE_TEST(a_reaped_reservation_delays_no_more),
		MACHINE_TEST(owned_accounts_end_first),
		MACHINE_TEST(taken_amounts_delay_the_end),
		MACHINE_TEST(a_row_begins_without_limits),
		MACHINE_TEST(ends_and_reserves_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
