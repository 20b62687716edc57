// SPDX-License-Identifier: MIT
/* Waiting for room: no wake is lost. */
#include "support/test.h"

#include <pthread.h>

#include <numatally/limit.h>

#include "support/limits.h"
#include "support/machine.h"
#include "support/rounds.h"
#include "support/waits.h"

static int other(struct rounds *r, const char *path)
{
	struct tally_account a;
	struct tally_ledger *l;
	int err = tally_ledger_open(path, &l);

	if (!err)
		err = tally_account_open(tally_ledger_accounts(l), "other", &a);
	for (unsigned int i = 1; !err && i <= r->nr; i++) {
		rounds_await(r, &r->ready, i);
		rounds_reach(&r->sleeps, i);
		err = tally_limit_wait(
			l, a, memory(machine_nodes[0], 1 + i % 10), -1, NULL);
		rounds_reach(&r->woken, i);
	}
	return err;
}

/* In each round one process waits while the other one gives back what it has, a
 * little later each time. */
static void no_wake_is_lost(void **state)
{
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct tally_account a = machine_account(l, "full");
	struct rounds *r;

	endless = ROOM_ANYWHERE;
	r = rounds_start(other, m->path);
	for (unsigned int i = 1; i <= r->nr; i++) {
		rounds_begin(r, i);
		assert_int_equal(release(l, token), 0);
		rounds_await(r, &r->woken, i);
		assert_int_equal(
			tally_limit_reserve(l, a, memory(machine_nodes[0], 10),
					    &token, NULL),
			0);
	}
	endless = 0;
	rounds_end(r);
	tally_ledger_close(l);
}

#define NR_WAITERS 6
#define EACH	   300

struct crowd {
	struct tally_ledger *ledger;
	int number;
	int err;
};

/* Each needs more than half of a node: they go one after another. */
static void *go_through(void *arg)
{
	struct crowd *c = arg;
	int node = machine_nodes[c->number % 2];
	struct tally_account a;
	struct tally_token token;
	char key[16];

	snprintf(key, sizeof(key), "%d", c->number);
	a = machine_account(c->ledger, key);
	for (int i = 0; !c->err && i < EACH; i++) {
		while ((c->err = tally_limit_reserve(c->ledger, a,
						     memory(node, 6), &token,
						     NULL)) == -ENOSPC) {
			c->err = tally_limit_wait(c->ledger, a, memory(node, 6),
						  -1, NULL);
			if (c->err)
				return NULL;
		}
		if (!c->err)
			c->err = release(c->ledger, token);
	}
	return NULL;
}

static void a_crowd_goes_through(void **state)
{
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct crowd crowd[NR_WAITERS];
	pthread_t threads[NR_WAITERS];

	assert_int_equal(release(l, token), 0);
	endless = ROOM_ANYWHERE;
	for (int i = 0; i < NR_WAITERS; i++) {
		crowd[i] = (struct crowd){.ledger = l, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, go_through,
						&crowd[i]),
				 0);
	}
	for (int i = 0; i < NR_WAITERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(crowd[i].err, 0);
	}
	endless = 0;
	assert_int_equal(limits_of_node(l, machine_nodes[0]).held, 0);
	limits_agree(l);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLEEP_TEST(no_wake_is_lost),
		SLEEP_TEST(a_crowd_goes_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
