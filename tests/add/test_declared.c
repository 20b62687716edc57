// SPDX-License-Identifier: MIT
/* Threads add to a resource that another user of the file has just declared: each
 * of them may be the first in its process to meet it. */
#include "support/test.h"

#include <pthread.h>

#include <numatally/ledger.h>

#include "support/machine.h"

#define NR_THREADS 4
#define NR_ROUNDS  200
#define DECLARED   2

enum way { ADD, CHARGE, POST, NR_WAYS };

static struct tally_ledger *ledger;
static struct tally_account account;
static pthread_barrier_t begin;
static enum way way;

static int add(void)
{
	const struct tally_amount amounts[2] = {{0, 1}, {DECLARED, 1}};
	const struct tally_entry entry = {.account = account,
					  .node = 5,
					  .resource = DECLARED,
					  .amount = 1};

	switch (way) {
	case ADD:
		return tally_ledger_add(ledger, account, DECLARED, 1);
	case CHARGE:
		return tally_ledger_charge(ledger, account, 5, amounts, 2);
	default:
		return tally_ledger_post(ledger, &entry, 1);
	}
}

static void *add_first(void *failed)
{
	pthread_barrier_wait(&begin);
	if (add())
		__atomic_fetch_add((int *)failed, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void race(struct machine *m)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options), .max_accounts = 64, .nr_spare = 1};
	const struct tally_resource late = {"late", "", TALLY_COUNTER};
	struct tally_ledger *other = NULL;
	pthread_t threads[NR_THREADS];
	int failed = 0;

	unlink(m->path);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_resources, 2, &options,
					     &ledger),
			 0);
	assert_int_equal(tally_ledger_open(m->path, &other), 0);
	account = machine_account(ledger, "a");
	assert_int_equal(tally_ledger_declare(other, &late, NULL, 0), DECLARED);
	for (int i = 0; i < NR_THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, add_first, &failed),
			0);
	for (int i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(failed, 0);
	assert_int_equal(machine_total(ledger, DECLARED), NR_THREADS);
	tally_ledger_close(other);
	tally_ledger_close(ledger);
}

static void all_meet_it_at_once(void **state)
{
	assert_int_equal(pthread_barrier_init(&begin, NULL, NR_THREADS), 0);
	for (way = ADD; way < NR_WAYS; way++)
		for (int i = 0; i < NR_ROUNDS; i++)
			race(*state);
	pthread_barrier_destroy(&begin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(all_meet_it_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
