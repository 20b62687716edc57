// SPDX-License-Identifier: MIT
/* What numatally export makes of ledgers: names, values, and counters that never go
 * back. */
#include "support/test.h"

#include <fcntl.h>

#include <numatally/limit.h>

#include "export/text.h"
#include "support/machine.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { CPU, MEMORY, FAULTS, CORES, NR_RESOURCES };
static const struct tally_resource resources[NR_RESOURCES] = {
	{"cpu_ns", "ns", TALLY_COUNTER},
	{"memory_bytes", "bytes", TALLY_GAUGE},
	{"faults", "", TALLY_COUNTER},
	{"cores", "", TALLY_RESERVABLE},
};

/* ---- what is exported ------------------------------------------------------------ */

struct scene {
	struct export_set set;
	struct export_buffer text, before;
};

static void scene_begin(struct scene *s, const char *path)
{
	*s = (struct scene){
		.set.bounds = {.series = SIZE_MAX, .top = SIZE_MAX},
	};
	assert_int_equal(export_set_add(&s->set, path), 0);
	free(s->set.ledgers[0]->label);
	s->set.ledgers[0]->label = strdup("l");
}

static void scene_end(struct scene *s)
{
	export_set_free(&s->set);
	free(s->text.text);
	free(s->before.text);
}

/* Keep the text of the look before, and look. */
static void look(struct scene *s)
{
	struct export_families families = {0};
	struct export_buffer b = s->before;

	s->before = s->text;
	s->text = b;
	assert_int_equal(export_set_look(&s->set), 0);
	assert_int_equal(export_families_make(&families, &s->set), 0);
	assert_int_equal(export_text(&families, EXPORT_TEXT, &s->text), 0);
	export_families_free(&families);
	s->text.text = realloc(s->text.text, s->text.used + 1);
	assert_non_null(s->text.text);
	s->text.text[s->text.used] = '\0';
	s->text.room = s->text.used + 1;
}

/* The value of a series, or NULL. */
static const char *find(const struct export_buffer *b, const char *name,
			const char *labels)
{
	static char value[64];
	char line[1024];
	const char *at = b->text;

	snprintf(line, sizeof(line), "%s{ledger=\"l\"%s%s} ", name,
		 *labels ? "," : "", labels);
	while (at && strncmp(at, line, strlen(line)) != 0) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return NULL;
	at += strlen(line);
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\n"), at);
	return value;
}

static void is(const struct scene *s, const char *name, const char *labels,
	       const char *value)
{
	const char *its = find(&s->text, name, labels);

	if (!its && !value)
		return;
	if (!its || !value)
		print_error("%s{%s} in:\n%s\n", name, labels, s->text.text);
	assert_non_null(its);
	assert_non_null(value);
	assert_string_equal(its, value);
}

/* ---- ledgers ------------------------------------------------------------------------ */

static struct tally_ledger *make(const struct machine *m, unsigned int nr)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.nr_spare = 2,
	};
	struct tally_ledger *ledger;

	assert_int_equal(tally_ledger_create(m->path, m->topo, resources, nr,
					     &options, &ledger),
			 0);
	return ledger;
}

static void charge(struct tally_ledger *ledger, const char *key, int node,
		   unsigned int resource, int64_t amount)
{
	const struct tally_amount one = {.resource = resource,
					 .amount = amount};

	assert_int_equal(tally_ledger_charge(ledger,
					     machine_account(ledger, key), node,
					     &one, 1),
			 0);
}

static void finish(struct tally_ledger *ledger, const char *key)
{
	assert_int_equal(tally_account_end(tally_ledger_accounts(ledger),
					   machine_account(ledger, key)),
			 0);
}

#define ACCOUNT_CPU "numatally_account_cpu_seconds_total"
#define NODE_CPU    "numatally_node_cpu_seconds_total"
#define FAULTS_OF   "numatally_account_faults_total"
#define A_0	    "account=\"a\",numa_node=\"0\""
#define B_5	    "account=\"b\",numa_node=\"5\""
#define REST_0	    "rest=\"true\",numa_node=\"0\""

static void each_amount_is_exact(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, NR_RESOURCES);
	struct scene s;

	charge(ledger, "a", 0, CPU, 1234567890);
	charge(ledger, "a", 0, CPU, 1000000010);
	charge(ledger, "b", 5, CPU, INT64_C(9007199254740993));
	charge(ledger, "b", 9, MEMORY, 4096);
	charge(ledger, "a", 0, FAULTS, 7);
	scene_begin(&s, m->path);
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, "2.2345679");
	is(&s, ACCOUNT_CPU, B_5, "9007199.254740993");
	is(&s, ACCOUNT_CPU, "account=\"a\",numa_node=\"5\"", NULL);
	is(&s, ACCOUNT_CPU, REST_0, NULL);
	is(&s, NODE_CPU, "numa_node=\"0\"", "2.2345679");
	is(&s, NODE_CPU, "numa_node=\"9\"", "0");
	is(&s, "numatally_account_memory_bytes",
	   "account=\"b\",numa_node=\"9\"", "4096");
	is(&s, FAULTS_OF, A_0, "7");
	is(&s, FAULTS_OF, B_5, "0");
	is(&s, "numatally_ledger_up", "", "1");
	is(&s, "numatally_ledger_accounts", "", "2");
	is(&s, "numatally_ledger_writers", "state=\"alive\"", "1");
	scene_end(&s);
	tally_ledger_close(ledger);
}

static void limits_and_reservations(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, NR_RESOURCES);
	struct tally_demand demand = {
		.node = 5, .resource = CORES, .amount = 3};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_token token;
	struct scene s;

	assert_int_equal(tally_limit_set_capacity(ledger, 5, CORES, 8), 0);
	assert_int_equal(tally_limit_set_quota(ledger,
					       machine_account(ledger, "q/"),
					       CORES, 4),
			 0);
	assert_int_equal(tally_limit_reserve(ledger,
					     machine_account(ledger, "q/j"),
					     &request, &token, NULL),
			 0);
	demand.amount = 2;
	assert_int_equal(tally_limit_reserve(ledger,
					     machine_account(ledger, "q/k"),
					     &request, &token, NULL),
			 -EDQUOT);
	demand.amount = 9;
	assert_int_equal(tally_limit_reserve(ledger,
					     machine_account(ledger, "x"),
					     &request, &token, NULL),
			 -ENOSPC);
	scene_begin(&s, m->path);
	look(&s);
	is(&s, "numatally_node_cores_capacity", "numa_node=\"5\"", "8");
	is(&s, "numatally_node_cores_capacity", "numa_node=\"0\"", NULL);
	is(&s, "numatally_node_cores_reserved", "numa_node=\"5\"", "3");
	is(&s, "numatally_node_cores_reserved_peak", "numa_node=\"5\"", "3");
	is(&s, "numatally_node_cores_refusals_total", "numa_node=\"5\"", "1");
	is(&s, "numatally_account_cores_reserved",
	   "account=\"q/j\",numa_node=\"5\"", "3");
	is(&s, "numatally_account_cores_quota", "account=\"q/\"", "4");
	is(&s, "numatally_account_cores_quota_held", "account=\"q/\"", "3");
	is(&s, "numatally_account_cores_quota_refusals_total", "account=\"q/\"",
	   "1");
	scene_end(&s);
	tally_ledger_close(ledger);
}

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

static void the_largest_have_series(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, 3);
	struct scene s;

	charge(ledger, "a", 0, FAULTS, 10);
	charge(ledger, "b", 0, FAULTS, 70);
	charge(ledger, "c", 0, FAULTS, 20);
	charge(ledger, "c", 0, MEMORY, 4096);
	scene_begin(&s, m->path);
	s.set.bounds.top = 2;
	look(&s);
	is(&s, FAULTS_OF, A_0, NULL);
	is(&s, FAULTS_OF, "account=\"b\",numa_node=\"0\"", "70");
	is(&s, FAULTS_OF, "account=\"c\",numa_node=\"0\"", "20");
	is(&s, FAULTS_OF, REST_0, "10");
	is(&s, "numatally_ledger_rest_accounts", "", "1");
	is(&s, "numatally_node_faults_total", "numa_node=\"0\"", "100");
	scene_end(&s);
	tally_ledger_close(ledger);
}

static size_t nr_series(const struct export_buffer *b)
{
	size_t nr = 0;

	for (const char *at = b->text; *at; at = strchr(at, '\n') + 1)
		nr += *at != '#';
	return nr;
}

static void series_are_bounded(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, 3);
	struct scene s;

	for (int i = 0; i < 2000; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%d", i);
		charge(ledger, key, machine_nodes[i % 3], FAULTS, i + 1);
	}
	scene_begin(&s, m->path);
	s.set.bounds.series = 1000;
	look(&s);
	assert_in_range(nr_series(&s.text), 900, 1000);
	is(&s, FAULTS_OF, "account=\"k1999\",numa_node=\"5\"", "2000");
	is(&s, FAULTS_OF, A_0, NULL);
	scene_end(&s);
	tally_ledger_close(ledger);
}

/* ---- names ------------------------------------------------------------------------------ */

static void labels_stay_apart(void **state)
{
	static const char *const keys[] = {
		"a\"b\\c\n", "\x80",	 "\xef\xbf\xbd\x38\x30", "\xef\xbf\xbd",
		"\\x80",     "\xc3\xa9", "\xed\xa0\x80",	 "\xff\xfe",
	};
	char *escaped[COUNT(keys)];

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		escaped[i] = export_escape(keys[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(escaped[i], escaped[k]);
	}
	assert_string_equal(escaped[0], "a\\\"b\\\\c\\n");
	assert_string_equal(escaped[1], "\xef\xbf\xbd\x38\x30");
	assert_string_equal(escaped[5], "\xc3\xa9");
	for (size_t i = 0; i < COUNT(keys); i++)
		free(escaped[i]);
}

static void names_that_clash(void **state)
{
	static const struct tally_resource some[] = {
		{"cpu_ns", "ns", TALLY_COUNTER},
		{"cpu_us", "us", TALLY_COUNTER},
		{"x_total", "", TALLY_GAUGE},
		{"x", "", TALLY_COUNTER},
		{"cpu_ms", "ms", TALLY_GAUGE},
		{"watts", "W", TALLY_GAUGE},
	};
	struct machine *m = *state;
	struct tally_ledger *ledger;
	struct scene s;

	assert_int_equal(tally_ledger_create(m->path, m->topo, some,
					     COUNT(some), NULL, &ledger),
			 0);
	for (unsigned int i = 0; i < COUNT(some); i++)
		charge(ledger, "a", 0, i, 1000 + i);
	scene_begin(&s, m->path);
	look(&s);
	is(&s, ACCOUNT_CPU, A_0, "0.000001");
	is(&s, "numatally_account_x", A_0, "1002");
	is(&s, "numatally_account_x_total", A_0, NULL);
	is(&s, "numatally_account_cpu_seconds", A_0, NULL);
	is(&s, "numatally_account_watts_W", A_0, "1005");
	is(&s, "numatally_ledger_left_out_resources", "", "3");
	scene_end(&s);
	tally_ledger_close(ledger);
}

/* A family's lines stand together, under one head, also of several ledgers. */
static void families_are_whole(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = make(m, NR_RESOURCES);
	struct tally_ledger *other;
	char second[128], heads[64][96], name[96] = "";
	size_t nr = 0;
	struct scene s;

	snprintf(second, sizeof(second), "%s/second", m->dir);
	assert_int_equal(tally_ledger_create(second, m->topo, resources, 3,
					     NULL, &other),
			 0);
	charge(ledger, "a", 0, CPU, 1);
	charge(other, "a", 0, CPU, 2);
	scene_begin(&s, m->path);
	assert_int_equal(export_set_add(&s.set, second), 0);
	assert_int_equal(export_set_add(&s.set, second), -EEXIST);
	look(&s);
	for (const char *at = s.text.text; *at; at = strchr(at, '\n') + 1) {
		if (strncmp(at, "# HELP ", 7) == 0) {
			snprintf(name, sizeof(name), "%.*s",
				 (int)strcspn(at + 7, " "), at + 7);
			for (size_t i = 0; i < nr; i++)
				assert_string_not_equal(heads[i], name);
			strcpy(heads[nr++], name);
		} else if (*at != '#') {
			assert_int_equal(strcspn(at, "{ "), strlen(name));
			assert_memory_equal(at, name, strlen(name));
		}
	}
	assert_true(nr > 10);
	scene_end(&s);
	tally_ledger_close(other);
	tally_ledger_close(ledger);
	unlink(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(each_amount_is_exact),
		MACHINE_TEST(limits_and_reservations),
		MACHINE_TEST(counters_go_on_in_a_new_ledger),
		MACHINE_TEST(counters_go_on_when_their_account_comes),
		MACHINE_TEST(an_account_that_ends_and_comes_again),
		MACHINE_TEST(many_that_end),
		MACHINE_TEST(resources_that_are_declared),
		MACHINE_TEST(no_count_is_lost_or_twice_in_the_rest),
		MACHINE_TEST(the_largest_have_series),
		MACHINE_TEST(series_are_bounded),
		cmocka_unit_test(labels_stay_apart),
		MACHINE_TEST(names_that_clash),
		MACHINE_TEST(families_are_whole),
	};

	return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
