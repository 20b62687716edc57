// SPDX-License-Identifier: MIT
/* What numatally export makes of ledgers: names, and values. */
#include <numatally/limit.h>

#include "tool/export_scene.h"

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
		MACHINE_TEST(the_largest_have_series),
		MACHINE_TEST(series_are_bounded),
		cmocka_unit_test(labels_stay_apart),
		MACHINE_TEST(names_that_clash),
		MACHINE_TEST(families_are_whole),
	};

	return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
