// SPDX-License-Identifier: MIT
/* What the verification of a replay accepts and what not: made-up logs. */
#include "support/replay_made.h"

/* ---- verdicts ------------------------------------------------------------ */

#define TWO_JOBS                      \
	CSV ",,capacity,0,cores,10\n" \
	    "0,a,reserve,0,cores,6\n" \
	    "1,b,reserve,0,cores,6\n" \
	    "2,a,release\n3,b,release\n"
enum { A_RESERVES, B_RESERVES, A_RELEASES, B_RELEASES };

/* The log has a call of at most 6 cores on node 0 between these stamps. */
static void say_of(struct made *m, unsigned int log, uint64_t begin,
		   uint64_t end, uint32_t event, enum replay_did did,
		   int64_t amount)
{
	const struct tally_demand demand = {0, 0, amount};
	const struct replay_record record = {
		.begin = begin,
		.end = end,
		.event = event,
		.did = (uint8_t)did,
		.nr_demands = did != REPLAY_SAW_NONE,
	};

	assert_int_equal(replay_log_add(&m->logs[log], &record, &demand), 0);
	if (end >= m->result.nr_stamps)
		m->result.nr_stamps = end + 1;
}

static void say(struct made *m, unsigned int log, uint64_t begin, uint64_t end,
		uint32_t event, enum replay_did did)
{
	say_of(m, log, begin, end, event, did, 6);
}

static char name[] = "trace", *files[] = {name};

/* Verified, at NULL; else a problem with these words. */
static void judge(struct made *m, const char *words)
{
	m->trace.files = files;
	assert_int_equal(replay_verify(&m->setup, &m->result, &m->verdict), 0);
	if (words) {
		assert_true(m->verdict.nr_problems > 0);
		if (!strstr(m->verdict.problems[0], words))
			fail_msg("'%s' is not '%s'", m->verdict.problems[0],
				 words);
	} else if (m->verdict.nr_problems) {
		fail_msg("%s", m->verdict.problems[0]);
	}
	unmake(m);
}

static struct made two_jobs(unsigned int nr_logs)
{
	const struct replay_wish none = {.nr_machines = 0};
	struct made m;

	make(&m, TWO_JOBS, &none);
	m.setup.trace = NULL;
	m.result.nr_logs = nr_logs;
	m.cells[0].peak = 6;
	return m;
}

/* It was moved. */
static void settle(struct made *m)
{
	m->setup.trace = &m->trace;
	m->setup.machines = &m->machines;
	m->result.cells = m->cells;
	m->result.logs = m->logs;
}

static void a_race_without_a_problem(void **state)
{
	struct made m = two_jobs(2);

	(void)state;
	settle(&m);
	say(&m, 0, 0, 1, A_RESERVES, REPLAY_GRANTED);
	say(&m, 1, 2, 3, B_RESERVES, REPLAY_REFUSED);
	say(&m, 0, 4, 5, A_RELEASES, REPLAY_GAVE);
	judge(&m, NULL);

	/* Whether a's ended before b's began is unknown. */
	m = two_jobs(2);
	settle(&m);
	say(&m, 0, 0, 1, A_RESERVES, REPLAY_GRANTED);
	say(&m, 0, 2, 5, A_RELEASES, REPLAY_GAVE);
	say(&m, 1, 3, 4, B_RESERVES, REPLAY_GRANTED);
	say(&m, 1, 6, 7, B_RELEASES, REPLAY_GAVE);
	judge(&m, NULL);

	/* So is whether a's had begun, or had ended. */
	m = two_jobs(2);
	settle(&m);
	say(&m, 0, 0, 3, A_RESERVES, REPLAY_GRANTED);
	say(&m, 1, 1, 2, B_RESERVES, REPLAY_REFUSED);
	say(&m, 0, 4, 7, A_RELEASES, REPLAY_GAVE);
	judge(&m, NULL);
	m = two_jobs(2);
	settle(&m);
	say(&m, 0, 0, 1, A_RESERVES, REPLAY_GRANTED);
	say(&m, 0, 2, 4, A_RELEASES, REPLAY_GAVE);
	say(&m, 1, 3, 5, B_RESERVES, REPLAY_REFUSED);
	judge(&m, NULL);
}

static void a_capacity_was_passed(void **state)
{
	struct made m = two_jobs(2);

	(void)state;
	settle(&m);
	say(&m, 0, 0, 1, A_RESERVES, REPLAY_GRANTED);
	say(&m, 1, 2, 3, B_RESERVES, REPLAY_GRANTED);
	say(&m, 0, 4, 5, A_RELEASES, REPLAY_GAVE);
	say(&m, 1, 6, 7, B_RELEASES, REPLAY_GAVE);
	judge(&m, "trace:4: node 0: cores: 12 is surely held of 10");

	/* For a moment: both had returned before the release was called. */
	m = two_jobs(2);
	settle(&m);
	say(&m, 0, 0, 2, A_RESERVES, REPLAY_GRANTED);
	say(&m, 1, 1, 3, B_RESERVES, REPLAY_GRANTED);
	say(&m, 0, 4, 5, A_RELEASES, REPLAY_GAVE);
	say(&m, 1, 6, 7, B_RELEASES, REPLAY_GAVE);
	judge(&m, "trace:4: node 0: cores: 12 is surely held of 10");
}

static void a_refusal_was_false(void **state)
{
	struct made m = two_jobs(2);

	(void)state;
	settle(&m);
	m.cells[0].peak = 0;
	say(&m, 0, 0, 1, A_RESERVES, REPLAY_REFUSED);
	judge(&m, "trace:3: refused, though all of it was free");

	m = two_jobs(2);
	settle(&m);
	say(&m, 0, 0, 1, A_RESERVES, REPLAY_GRANTED);
	say(&m, 0, 2, 3, A_RELEASES, REPLAY_GAVE);
	say(&m, 1, 4, 5, B_RESERVES, REPLAY_REFUSED);
	judge(&m, "trace:4: refused, though all of it was free");

	/* Less would have fitted beside a's. */
	m = two_jobs(2);
	settle(&m);
	say(&m, 0, 0, 1, A_RESERVES, REPLAY_GRANTED);
	say_of(&m, 1, 2, 5, B_RESERVES, REPLAY_REFUSED, 4);
	say(&m, 0, 3, 4, A_RELEASES, REPLAY_GAVE);
	judge(&m, "trace:4: refused, though all of it was free");
}

static void no_room_was_seen(void **state)
{
	const struct replay_wish none = {.nr_machines = 0};
	struct made m;

	(void)state;
	for (int granted = 0; granted < 2; granted++) {
		make(&m,
		     CSV ",,capacity,0,cores,10\n0,a,reserve,,cores,6\n"
			 "1,b,reserve,,cores,6\n2,a,release\n",
		     &none);
		if (granted)
			say(&m, 0, 0, 1, A_RESERVES, REPLAY_GRANTED);
		say(&m, 1, 2, 3, B_RESERVES, REPLAY_SAW_NONE);
		if (granted)
			say(&m, 0, 4, 5, A_RELEASES, REPLAY_GAVE);
		m.cells[0].peak = granted ? 6 : 0;
		judge(&m,
		      granted ? NULL
			      : "trace:4: no room was seen, though there was");
	}
}

static void impossible_ends(void **state)
{
	static const struct {
		struct replay_cell_end end;
		const char *words;
	} rows[] = {
		{{.peak = 6}, NULL},
		{{.peak = 5}, "its peak is 5, more was surely held"},
		{{.peak = 7}, "its peak is 7, so much was never held"},
		{{.peak = 11}, "its peak is above its capacity"},
		{{.peak = 6, .held = 1}, "holds 1 at the end, not 0"},
		{{.peak = 6, .left = -1}, "-1 is left when all was given back"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct made m = two_jobs(2);

		settle(&m);
		say(&m, 0, 0, 1, A_RESERVES, REPLAY_GRANTED);
		say(&m, 0, 2, 3, A_RELEASES, REPLAY_GAVE);
		m.cells[0] = rows[i].end;
		judge(&m, rows[i].words);
	}
}

/* The order in which one thread reports two_jobs(). */
static void in_order(enum replay_did b, int64_t amount, uint64_t nr_refused,
		     const char *words)
{
	struct made m = two_jobs(1);

	settle(&m);
	m.cells[0].nr_refused = nr_refused;
	say_of(&m, 0, 0, 1, A_RESERVES, REPLAY_GRANTED, amount);
	say(&m, 0, 2, 3, B_RESERVES, b);
	say_of(&m, 0, 4, 5, A_RELEASES, REPLAY_GAVE, amount);
	judge(&m, words);
}

static void an_order_is_that_of_the_reference(void **state)
{
	struct made m;

	(void)state;
	in_order(REPLAY_REFUSED, 6, 1, NULL);
	in_order(REPLAY_GRANTED, 6, 1, "trace:4: node 0: cores: 12 is surely");
	in_order(REPLAY_REFUSED, 5, 1, "its peak is 6, so much was never held");
	in_order(REPLAY_REFUSED, 6, 2, "refused 2; the reference: 0, 6, 1");
	/* A refusal that only the order shows to be false. */
	m = two_jobs(1);
	settle(&m);
	m.cells[0].peak = 0;
	say_of(&m, 0, 0, 1, A_RESERVES, REPLAY_REFUSED, 11);
	judge(&m, "trace:3: the library refused, the reference granted");
	/* One is missing. */
	m = two_jobs(1);
	settle(&m);
	say(&m, 0, 0, 1, A_RESERVES, REPLAY_GRANTED);
	say(&m, 0, 2, 3, A_RELEASES, REPLAY_GAVE);
	judge(&m, "trace:4: the library gave back, the reference refused");
	/* On another node. */
	m = two_jobs(1);
	settle(&m);
	m.cells[0].nr_refused = 1;
	say(&m, 0, 0, 1, A_RESERVES, REPLAY_GRANTED);
	m.logs[0].demands[0].amount = 7;
	say(&m, 0, 2, 3, B_RESERVES, REPLAY_REFUSED);
	m.cells[0].peak = 7;
	say_of(&m, 0, 4, 5, A_RELEASES, REPLAY_GAVE, 7);
	judge(&m, "trace:3: granted, but not as by the reference");
}

/* What is released in the end is what is left. */
static void a_part_is_released_once(void **state)
{
	const struct replay_wish none = {.nr_machines = 0};
	struct made m;

	(void)state;
	for (int64_t rest = 4; rest <= 6; rest += 2) {
		make(&m,
		     CSV ",,capacity,0,cores,10\n0,a,reserve,0,cores,6\n"
			 "1,a,release,0,cores,2\n2,a,release\n",
		     &none);
		settle(&m);
		m.result.nr_logs = 1;
		m.cells[0].peak = 6;
		say_of(&m, 0, 0, 1, 0, REPLAY_GRANTED, 6);
		say_of(&m, 0, 2, 3, 1, REPLAY_GAVE, 2);
		say_of(&m, 0, 4, 5, 2, REPLAY_GAVE, rest);
		judge(&m, rest == 4 ? NULL : "at the end, not -2");
	}
}

static void problems_are_counted(void **state)
{
	struct made m = two_jobs(2);

	(void)state;
	settle(&m);
	m.cells[0].peak = 0;
	for (uint64_t i = 0; i < 50; i++)
		say(&m, 0, 2 * i, 2 * i + 1, A_RESERVES, REPLAY_REFUSED);
	m.trace.files = files;
	assert_int_equal(replay_verify(&m.setup, &m.result, &m.verdict), 0);
	assert_int_equal(m.verdict.nr_problems, 50);
	assert_int_equal(m.verdict.nr_kept, REPLAY_MAX_PROBLEMS);
	unmake(&m);
}

/* ---- times --------------------------------------------------------------- */

static void times_to_within_a_32nd(void **state)
{
	struct replay_times *times = calloc(1, sizeof(*times));
	static const uint64_t some[] = {0,    1,    63,	    64,
					65,   127,  128,    1000,
					4095, 4096, 123456, UINT64_MAX};

	(void)state;
	assert_non_null(times);
	assert_int_equal(replay_times_at(times, 0.5), 0);
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		uint64_t at;

		memset(times, 0, sizeof(*times));
		replay_times_add(times, some[i]);
		replay_times_add(times, UINT64_MAX);
		at = replay_times_at(times, 0.5);
		assert_true(at >= some[i] && at - some[i] <= some[i] / 32);
	}
	memset(times, 0, sizeof(*times));
	for (uint64_t i = 1; i <= 100; i++)
		replay_times_add(times, i < 100 ? 10 : 50);
	assert_int_equal(replay_times_at(times, 0.5), 10);
	assert_int_equal(replay_times_at(times, 0.99), 10);
	assert_int_equal(replay_times_at(times, 0.995), 50);
	assert_int_equal(times->most, 50);
	free(times);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_race_without_a_problem),
		cmocka_unit_test(a_capacity_was_passed),
		cmocka_unit_test(a_refusal_was_false),
		cmocka_unit_test(no_room_was_seen),
		cmocka_unit_test(impossible_ends),
		cmocka_unit_test(an_order_is_that_of_the_reference),
		cmocka_unit_test(a_part_is_released_once),
		cmocka_unit_test(problems_are_counted),
		cmocka_unit_test(times_to_within_a_32nd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
