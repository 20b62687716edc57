// SPDX-License-Identifier: MIT
/*
 * A release beside a reserve, as in volcano #5500: of 24 cores 16 are taken, given
 * back while another asks for 8, and asked for again. Both always fit.
 */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>

#include <numatally/limit.h>
#include <numatally/place.h>

#include "support/limits.h"
#include "support/machine.h"

#define ROUNDS 5000u

enum { EVENTS, MEMORY };

struct beside {
	struct tally_ledger *ledger;
	unsigned int asked, has, looked; /* the round that came so far */
	int err;
};

static int reserve(struct tally_ledger *l, const char *key, int node,
		   int64_t amount, struct tally_token *token)
{
	const struct tally_demand demand = {node, MEMORY, amount};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	int err = tally_limit_reserve(l, machine_account(l, key), &request,
				      token, NULL);

	return err ? err : tally_limit_commit(l, *token);
}

static void await(const unsigned int *word, unsigned int value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < value)
		sched_yield();
}

/* In each round, at the moment of the release; it keeps them until the next one. */
static void *reserve_eight(void *arg)
{
	struct beside *b = arg;
	struct tally_token token;

	for (unsigned int i = 1; !b->err && i <= ROUNDS; i++) {
		await(&b->asked, i);
		b->err = reserve(b->ledger, "eight", machine_nodes[0], 8,
				 &token);
		__atomic_store_n(&b->has, i, __ATOMIC_RELEASE);
		await(&b->looked, i);
		if (!b->err)
			b->err = tally_limit_release(b->ledger, token, NULL, 0);
	}
	/* Else the other waits for ever. */
	__atomic_store_n(&b->has, ROUNDS, __ATOMIC_RELEASE);
	return NULL;
}

static uint32_t node_with_sixteen(struct tally_place *place,
				  const struct tally_view *view)
{
	const struct tally_amount amount = {MEMORY, 16};
	const struct tally_place_part part = {&amount, 1};
	const struct tally_place_request request = {
		.size = sizeof(request), .parts = &part, .nr_parts = 1};
	uint32_t node = UINT32_MAX;

	assert_int_equal(tally_place_refresh(place, view, 0, place->nr_nodes),
			 0);
	assert_int_equal(tally_place_node(place, &request, &node), 0);
	return node;
}

static void both_fit(void **state)
{
	struct machine *m = *state;
	struct beside b = {.ledger = machine_limit_ledger(m, 0)};
	struct tally_place *place;
	struct tally_token token;
	struct tally_view *view;
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		assert_int_equal(tally_limit_set_capacity(b.ledger,
							  machine_nodes[i],
							  MEMORY, i ? 0 : 24),
				 0);
	assert_int_equal(tally_view_open(b.ledger, &view), 0);
	assert_int_equal(tally_place_create(view, NULL, &place), 0);
	assert_int_equal(pthread_create(&thread, NULL, reserve_eight, &b), 0);
	for (unsigned int i = 1; i <= ROUNDS; i++) {
		assert_int_equal(reserve(b.ledger, "sixteen", machine_nodes[0],
					 16, &token),
				 0);
		__atomic_store_n(&b.asked, i, __ATOMIC_RELEASE);
		assert_int_equal(tally_limit_release(b.ledger, token, NULL, 0),
				 0);
		await(&b.has, i);
		assert_int_equal(node_with_sixteen(place, view), 0);
		__atomic_store_n(&b.looked, i, __ATOMIC_RELEASE);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(b.err, 0);
	limits_agree(b.ledger);
	tally_place_destroy(place);
	tally_view_close(view);
	tally_ledger_close(b.ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(both_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
