// SPDX-License-Identifier: MIT
/* Records calls of several threads, and searches for an order of them that
 * explains every result, by a model that is never raced. */
#include "support/test.h"

#include "support/history_calls.h"
#include "support/history_model.h"
#include "support/limits.h"

#define NR_BROKEN 500 /* with NUMATALLY_SHORT */
#define NR_SHORT  2000
#define NR_LONG	  200000

/* ---- histories ----------------------------------------------------------- */

/* No reservation is left, and limits are as at first. */
static void clean(struct test *test)
{
	struct model *m = &test->history.first;
	const struct tally_request request = {.size = sizeof(request),
					      .nr_demands = 0};
	struct tally_view *view;

	memset(m, 0, sizeof(*m));
	assert_int_equal(tally_view_open(test->ledger, &view), 0);
	for (int i = 0; i < NR_ACCOUNTS; i++) {
		struct tally_reservation found = {.size = sizeof(found)};
		struct tally_token t;

		if (!tally_limit_find(view, test->accounts[i], &found))
			assert_int_equal(tally_limit_release(test->ledger,
							     found.token, NULL,
							     0),
					 0);
		assert_int_equal(tally_limit_reserve(test->ledger,
						     test->accounts[i],
						     &request, &t, NULL),
				 0);
		assert_int_equal(tally_limit_cancel(test->ledger, t), 0);
		m->generation[i] = (uint32_t)t.generation;
		test->latest[i] = (uint32_t)t.generation;
	}
	tally_view_close(view);
	for (int i = 0; i < NR_ACCOUNTS; i++)
		for (int n = 0; n < NR_NODES; n++) {
			assert_int_equal(tally_limit_give(&test->credits[i][n],
							  test->theirs[i][n]),
					 0);
			test->theirs[i][n] = 0;
		}
	for (int n = 0; n < NR_NODES; n++) {
		m->capacity[n] = CAPACITY * test->scale;
		assert_int_equal(
			tally_limit_set_capacity(test->ledger, machine_nodes[n],
						 MEMORY, m->capacity[n]),
			0);
	}
	m->quota = QUOTA * test->scale;
	assert_int_equal(tally_limit_set_quota(test->ledger, test->quota,
					       MEMORY, m->quota),
			 0);
}

/* The second account draws from the first at first. */
static void begin_as_family(struct test *test)
{
	static const struct call calls[] = {{.account = 0, .amounts = {5, 3}},
					    {.account = 1, .amounts = {3, 2}}};
	struct model *m = &test->history.first;
	struct tally_token tokens[2];

	for (int i = 0; i < 2; i++) {
		struct tally_demand demands[NR_NODES];
		const struct tally_request request = {
			.size = sizeof(request),
			.demands = demands,
			.nr_demands = history_demands(&calls[i], demands),
		};
		int err = i ? tally_limit_draw(test->ledger, test->accounts[i],
					       tokens[0], &request, &tokens[i],
					       NULL)
			    : tally_limit_reserve(test->ledger,
						  test->accounts[i], &request,
						  &tokens[i], NULL);

		assert_int_equal(err, 0);
		history_start(m, &calls[i], TALLY_RESERVED);
		assert_int_equal(tokens[i].generation, m->generation[i]);
		test->latest[i] = m->generation[i];
	}
	m->parent[1] = 1;
}

/* The final state is what the order gives. */
static void check_end(const struct test *test, const struct model *last)
{
	for (int n = 0; n < NR_NODES; n++)
		assert_int_equal(
			limits_of_node(test->ledger, machine_nodes[n]).held,
			history_held_on(last, n));
	limits_agree(test->ledger);
}

static void make(struct test *test, struct machine *m, bool exclusive)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};
	static const char *const keys[NR_ACCOUNTS] = {"q/a", "q/b", "q/c/d"};

	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 2, &options,
					     &test->ledger),
			 0);
	for (int i = 0; i < NR_ACCOUNTS; i++) {
		test->accounts[i] = machine_account(test->ledger, keys[i]);
		for (int n = 0; n < NR_NODES; n++)
			assert_int_equal(
				tally_limit_credit(test->ledger,
						   test->accounts[i],
						   machine_nodes[n], MEMORY,
						   &test->credits[i][n]),
				0);
	}
	test->quota = machine_account(test->ledger, "q/");
	assert_int_equal(
		pthread_barrier_init(&test->barrier, NULL, MAX_THREADS + 1), 0);
}

static int nr_histories(void)
{
	if (getenv("NUMATALLY_SHORT"))
		return NR_BROKEN;
	return test_is_long() ? NR_LONG : NR_SHORT;
}

static void run(struct machine *m, const struct kind *kinds,
		unsigned int nr_kinds, int scale, bool exclusive)
{
	static struct test test;
	struct checker *checker = history_checker(kinds);
	unsigned int seed = (unsigned int)getpid();
	static struct thread threads[MAX_THREADS];
	pthread_t ids[MAX_THREADS];
	uint64_t overlaps = 0, calls = 0;
	int nr = nr_histories();

	test = (struct test){
		.kinds = kinds,
		.nr_kinds = nr_kinds,
		.scale = scale,
	};
	make(&test, m, exclusive);
	print_message("# seed %u\n", seed);
	for (int t = 0; t < MAX_THREADS; t++) {
		threads[t] = (struct thread){
			.test = &test,
			.number = t,
			.seed = seed + (unsigned int)t,
		};
		assert_int_equal(tally_view_open(test.ledger, &threads[t].view),
				 0);
		assert_int_equal(
			pthread_create(&ids[t], NULL, history_run, &threads[t]),
			0);
	}
	for (int i = 0; i < nr; i++) {
		test.history.nr_threads = 2 + rand_r(&seed) % (MAX_THREADS - 1);
		for (int t = 0; t < MAX_THREADS; t++)
			test.history.nr[t] =
				2 + rand_r(&seed) % (MAX_CALLS - 1);
		clean(&test);
		if (kinds == drawing_kinds)
			begin_as_family(&test);
		test.nr_here = 0;
		pthread_barrier_wait(&test.barrier);
		pthread_barrier_wait(&test.barrier);
		check_end(&test, history_check(checker, &test.history));
		overlaps += history_nr_overlaps(&test.history);
		for (int t = 0; t < test.history.nr_threads; t++)
			calls += (uint64_t)test.history.nr[t];
	}
	test.ends = true;
	pthread_barrier_wait(&test.barrier);
	for (int t = 0; t < MAX_THREADS; t++) {
		pthread_join(ids[t], NULL);
		tally_view_close(threads[t].view);
	}
	print_message("# %d histories of %" PRIu64 " calls, %" PRIu64
		      " beside another, %" PRIu64 " states\n",
		      nr, calls, overlaps, history_nr_states(checker));
	pthread_barrier_destroy(&test.barrier);
	history_free(checker);
	tally_ledger_close(test.ledger);
}

static void some_order_gives_each_history(void **state)
{
	run(*state, reserving_kinds, history_nr_reserving, 1, false);
}

static void also_with_parents_and_children(void **state)
{
	run(*state, drawing_kinds, history_nr_drawing, 1, false);
}

static void also_with_takes_of_several_processes(void **state)
{
	run(*state, taking_kinds, history_nr_taking, 100, false);
}

static void also_with_takes_of_one_process(void **state)
{
	run(*state, taking_kinds, history_nr_taking, 100, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(some_order_gives_each_history),
		MACHINE_TEST(also_with_parents_and_children),
		MACHINE_TEST(also_with_takes_of_several_processes),
		MACHINE_TEST(also_with_takes_of_one_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
