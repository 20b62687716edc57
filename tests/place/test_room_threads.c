// SPDX-License-Identifier: MIT
/* Candidates are read beside a writer, and shared by threads. */
#include "place/cluster_scene.h"

#include <pthread.h>

#define NR_MOVING 40u

struct moving {
	struct scene *s;
	struct tally_account accounts[NR_MOVING];
	bool done;
};

/* Accounts come to nodes and leave them, with as many cores as bytes. */
static void *move(void *arg)
{
	struct moving *m = arg;
	uint64_t random = 1;
	unsigned int again = 0; /* a node is full */

	for (uint32_t i = 0; !__atomic_load_n(&m->done, __ATOMIC_RELAXED);
	     i = (i + 1) % NR_MOVING) {
		struct tally_account a = m->accounts[i];
		struct tally_reservation had = {.size = sizeof(had)};
		const int node =
			cluster_node(0, (int)columns_random(&random, NODES));
		const int64_t amount = 1 + (int64_t)columns_random(&random, 2);
		const struct tally_demand demands[] = {{node, CORES, amount},
						       {node, MEMORY, amount}};
		const struct tally_request request = {.size = sizeof(request),
						      .demands = demands,
						      .nr_demands = 2};
		struct tally_token token;

		if (tally_limit_find(m->s->view, a, &had))
			again += tally_limit_reserve(m->s->ledger, a, &request,
						     &token, NULL) != 0;
		else
			again += tally_limit_release(m->s->ledger, had.token,
						     NULL, 0) != 0;
	}
	return again ? arg : NULL;
}

static int is_whole(void *arg, const struct tally_reservation *reservation,
		    struct tally_candidate *candidate)
{
	(void)arg;
	(void)reservation;
	assert_int_equal(candidate->nr_demands, 2);
	assert_int_equal(candidate->demands[0].node,
			 candidate->demands[1].node);
	assert_int_equal(candidate->demands[0].amount,
			 candidate->demands[1].amount);
	return 0;
}

static void reservations_are_read_whole(void **state)
{
	struct scene *s = *state;
	struct moving m = {.s = s};
	pthread_t thread;
	char key[16];

	for (uint32_t i = 0; i < NR_MOVING; i++) {
		snprintf(key, sizeof(key), "%u", i);
		m.accounts[i] = account(s, key);
	}
	assert_int_equal(pthread_create(&thread, NULL, move, &m), 0);
	for (int i = 0; i < (test_is_long() ? 100000 : 2000); i++) {
		int err = tally_place_candidates_refresh(s->candidates, s->view,
							 0, is_whole, NULL);

		assert_true(!err || err == -EAGAIN);
	}
	__atomic_store_n(&m.done, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

struct asking {
	struct scene *s;
	uint32_t victim;
};

static void *ask_often(void *arg)
{
	const struct asking *asking = arg;
	const struct tally_amount amount = {CORES, 8};
	const struct tally_place_part part = {&amount, 1};
	const struct tally_place_request request = {
		.size = sizeof(request), .parts = &part, .nr_parts = 1};
	const struct tally_eviction eviction = {.size = sizeof(eviction),
						.priority = 100};
	bool good = true;

	for (int i = 0; i < 500; i++) {
		struct tally_account victim = {0};
		struct tally_room room = {.size = sizeof(room),
					  .victims = &victim,
					  .max_victims = 1};
		struct tally_fit fit = {.size = sizeof(fit)};

		good &= !tally_place_make_room(asking->s->candidates, &request,
					       0, &eviction, &room, &fit) &&
			room.nr_victims == 1 && victim.row == asking->victim;
	}
	return good ? arg : NULL;
}

static void threads_share_candidates(void **state)
{
	struct scene *s = *state;
	struct asking asking = {.s = s};
	pthread_t threads[3];

	fill_others(s);
	asking.victim = reserved(s, "a", 0, 8).row;
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(ask(s, 8, 0, 0), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, ask_often, &asking),
			0);
	for (int i = 0; i < 3; i++) {
		void *good;

		assert_int_equal(pthread_join(threads[i], &good), 0);
		assert_non_null(good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(reservations_are_read_whole),
		SCENE(threads_share_candidates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
