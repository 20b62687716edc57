// SPDX-License-Identifier: MIT
/* Counters that begin anew go on, and no count is lost, or twice in the rest. */
#include <fcntl.h>

#include "tool/export_scene.h"

/* A ledger that is made anew, with more or less in it than the one before. */
static void counters_go_on_in_a_new_ledger(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, NR_RESOURCES);
	struct scene s;

	charge(ledger, "a", 0, CPU, 5000000000);
	charge(ledger, "b", 5, CPU, 1000000000);
	charge(ledger, "a", 0, MEMORY, 10);
	scene_begin(&s, m->path);
	look(&s);
	tally_ledger_close(ledger);
	assert_int_equal(unlink(m->path), 0);
	look(&s);
	is(&s, "numatally_ledger_up", "", "0");
	is(&s, ACCOUNT_CPU, A_0, NULL);
	is(&s, "numatally_ledger_error_info",
	   "error=\"No such file or directory\"", "1");

	/* Of fewer resources, and in another order of accounts. */
	ledger = make(m, 2);
	charge(ledger, "c", 5, CPU, 1000000000);
	charge(ledger, "b", 5, CPU, 9000000000);
	charge(ledger, "a", 0, CPU, 1);
	charge(ledger, "a", 0, MEMORY, 20);
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, "5.000000001");
	is(&s, ACCOUNT_CPU, B_5, "10");
	is(&s, ACCOUNT_CPU, "account=\"c\",numa_node=\"5\"", "1");
	is(&s, NODE_CPU, "numa_node=\"5\"", "11");
	is(&s, "numatally_account_memory_bytes", A_0, "20");
	is(&s, ACCOUNT_CPU, "rest=\"true\",numa_node=\"5\"", NULL);
	charge(ledger, "a", 0, CPU, 999999999);
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, "6");

	/* What is no ledger, and then a third one. */
	assert_int_equal(unlink(m->path), 0);
	close(creat(m->path, 0600));
	look(&s);
	is(&s, "numatally_ledger_up", "", "0");
	is(&s, ACCOUNT_CPU, A_0, NULL);
	tally_ledger_close(ledger);
	unlink(m->path);
	ledger = make(m, NR_RESOURCES);
	charge(ledger, "a", 0, CPU, 1000000000);
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, "7");
	is(&s, NODE_CPU, "numa_node=\"5\"", "11");
	scene_end(&s);
	tally_ledger_close(ledger);
}

/* A writer charges to a new ledger after others have seen it. */
static void counters_go_on_when_their_account_comes(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, NR_RESOURCES);
	struct scene s;
	int index;

	charge(ledger, "a", 0, CPU, 5000000000);
	charge(ledger, "b", 5, CPU, 1000000000);
	scene_begin(&s, m->path);
	look(&s);
	finish(ledger, "b");
	look(&s);
	for (int i = 0; i < 2; i++) {
		tally_ledger_close(ledger);
		assert_int_equal(unlink(m->path), 0);
		ledger = make(m, 2);
		look(&s);
		is(&s, ACCOUNT_CPU, A_0, NULL);
	}
	charge(ledger, "a", 0, CPU, 9000000000);
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, "14");
	is(&s, ACCOUNT_CPU, B_5, NULL);
	/* Of other resources the tables are others, too. */
	index = tally_ledger_declare(ledger, &resources[FAULTS], NULL, 0);
	assert_true(index >= 0);
	look(&s);
	charge(ledger, "b", 5, CPU, 2000000000);
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, "14");
	is(&s, ACCOUNT_CPU, B_5, "3");
	scene_end(&s);
	tally_ledger_close(ledger);
}

static void an_account_that_ends_and_comes_again(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, NR_RESOURCES);
	struct scene s;

	charge(ledger, "a", 0, FAULTS, 5);
	charge(ledger, "b", 0, FAULTS, 5);
	scene_begin(&s, m->path);
	look(&s);
	/* What it did after the last look was the rest's. */
	charge(ledger, "a", 0, FAULTS, 2);
	finish(ledger, "a");
	look(&s);
	is(&s, FAULTS_OF, A_0, NULL);
	is(&s, FAULTS_OF, REST_0, "2");
	is(&s, "numatally_node_faults_total", "numa_node=\"0\"", "12");
	charge(ledger, "b", 0, FAULTS, 1);
	finish(ledger, "b");
	charge(ledger, "b", 0, FAULTS, 100);
	look(&s);
	is(&s, FAULTS_OF, "account=\"b\",numa_node=\"0\"", "105");
	is(&s, FAULTS_OF, REST_0, "3");
	is(&s, "numatally_node_faults_total", "numa_node=\"0\"", "113");
	charge(ledger, "a", 0, FAULTS, 10);
	look(&s);
	is(&s, FAULTS_OF, A_0, "15");
	is(&s, FAULTS_OF, REST_0, "3");
	finish(ledger, "a");
	look(&s);
	charge(ledger, "a", 0, FAULTS, 1);
	look(&s);
	is(&s, FAULTS_OF, A_0, "16");
	scene_end(&s);
	tally_ledger_close(ledger);
}

/* Of many that come and go, the last ones are remembered. */
static void many_that_end(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, NR_RESOURCES);
	struct scene s;
	char key[32];

	charge(ledger, "a", 0, FAULTS, 5);
	scene_begin(&s, m->path);
	look(&s);
	finish(ledger, "a");
	for (int i = 0; i < 12; i++) {
		for (int k = 0; k < 100; k++) {
			snprintf(key, sizeof(key), "k%d.%d", i, k);
			charge(ledger, key, 0, FAULTS, 1);
		}
		look(&s);
		for (int k = 0; k < 100; k++) {
			snprintf(key, sizeof(key), "k%d.%d", i, k);
			finish(ledger, key);
		}
		look(&s);
	}
	assert_int_equal(s.set.ledgers[0]->state->nr_gone, 1024);
	charge(ledger, "a", 0, FAULTS, 1);
	charge(ledger, "k11.0", 0, FAULTS, 1);
	look(&s);
	is(&s, FAULTS_OF, A_0, "1");
	is(&s, FAULTS_OF, "account=\"k11.0\",numa_node=\"0\"", "2");
	scene_end(&s);
	tally_ledger_close(ledger);
}

static void resources_that_are_declared(void **state)
{
	static const struct tally_resource more = {"joules", "", TALLY_COUNTER};
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, 3);
	struct scene s;
	int index;

	charge(ledger, "a", 0, FAULTS, 5);
	scene_begin(&s, m->path);
	look(&s);
	index = tally_ledger_declare(ledger, &more, NULL, 0);
	assert_true(index >= 0);
	charge(ledger, "a", 0, (unsigned int)index, 3);
	charge(ledger, "a", 0, FAULTS, 1);
	look(&s);
	is(&s, FAULTS_OF, A_0, "6");
	is(&s, "numatally_account_joules_total", A_0, "3");
	scene_end(&s);
	tally_ledger_close(ledger);
}

/* One that loses its series, and gets them again. */
static void what_went_on_goes_on_again(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, 2);
	struct scene s;

	charge(ledger, "a", 0, CPU, 5000000000);
	scene_begin(&s, m->path);
	s.set.bounds.top = 1;
	look(&s);
	tally_ledger_close(ledger);
	assert_int_equal(unlink(m->path), 0);
	ledger = make(m, 2);
	charge(ledger, "a", 0, CPU, 1000000000);
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, "6");
	charge(ledger, "b", 0, CPU, 10000000000);
	look(&s);
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, NULL);
	charge(ledger, "a", 0, CPU, 100000000000);
	look(&s);
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, "106");
	scene_end(&s);
	tally_ledger_close(ledger);
}

/* An account that lost its series when a resource was declared has not ended. */
static void what_lives_counts_once(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, 2);
	struct scene s;

	charge(ledger, "a", 0, CPU, 5000000000);
	charge(ledger, "b", 0, CPU, 4000000000);
	scene_begin(&s, m->path);
	s.set.bounds.top = 1;
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, "5");
	charge(ledger, "b", 0, CPU, 10000000000);
	assert_true(tally_ledger_declare(ledger, &resources[FAULTS], NULL, 0) >=
		    0);
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, NULL);
	charge(ledger, "a", 0, CPU, 100000000000);
	look(&s);
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, "105");
	scene_end(&s);
	tally_ledger_close(ledger);
}

/* ---- the rest -------------------------------------------------------------------------- */

static int64_t value_of(const struct export_buffer *b, const char *key)
{
	char labels[64];
	const char *value;

	snprintf(labels, sizeof(labels), "account=\"%s\",numa_node=\"0\"", key);
	value = find(b, FAULTS_OF, *key ? labels : REST_0);
	return value ? atoll(value) : -1;
}

/* What is counted between two looks is in the growth of the series that both have,
 * and none of them shrinks. */
static void growth_is(const struct scene *s, int64_t growth)
{
	int64_t sum = 0;
	char key[16] = "";

	for (int i = -1; i < 10; i++) {
		int64_t before, now;

		if (i >= 0)
			snprintf(key, sizeof(key), "k%d", i);
		before = value_of(&s->before, key);
		now = value_of(&s->text, key);
		/* The rest is not shown before there is any. */
		if (i < 0 && before < 0)
			before = 0;
		if (before < 0 || now < 0)
			continue;
		assert_true(now >= before);
		sum += now - before;
	}
	assert_int_equal(sum, growth);
}

static void random_round(struct tally_ledger *ledger, unsigned int *seed,
			 int64_t *growth)
{
	*growth = 0;
	for (int i = rand_r(seed) % 12; i > 0; i--) {
		int64_t amount = 1 + rand_r(seed) % 1000;
		char key[16];

		snprintf(key, sizeof(key), "k%d", rand_r(seed) % 10);
		charge(ledger, key, 0, FAULTS, amount);
		*growth += amount;
		if (rand_r(seed) % 4 == 0)
			finish(ledger, key);
	}
}

/* The three largest of up to ten accounts, which come and go. Two that are never
 * looked for keep new accounts from having series at once. */
static void no_count_is_lost_or_twice_in_the_rest(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, 3);
	unsigned int seed = 1;
	int64_t growth;
	struct scene s;

	for (int i = 0; i < 4; i++) {
		char key[24];

		snprintf(key, sizeof(key), "steady%d", i);
		charge(ledger, key, 5, FAULTS, 1);
	}
	random_round(ledger, &seed, &growth);
	scene_begin(&s, m->path);
	s.set.bounds.top = 3;
	look(&s);
	for (int i = 0; i < 300; i++) {
		random_round(ledger, &seed, &growth);
		look(&s);
		growth_is(&s, growth);
	}
	scene_end(&s);
	tally_ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(counters_go_on_in_a_new_ledger),
		MACHINE_TEST(counters_go_on_when_their_account_comes),
		MACHINE_TEST(an_account_that_ends_and_comes_again),
		MACHINE_TEST(many_that_end),
		MACHINE_TEST(resources_that_are_declared),
		MACHINE_TEST(what_went_on_goes_on_again),
		MACHINE_TEST(what_lives_counts_once),
		MACHINE_TEST(no_count_is_lost_or_twice_in_the_rest),
	};

	return cmocka_run_group_tests_name("export_carry", tests, NULL, NULL);
}
