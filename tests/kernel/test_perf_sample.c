// SPDX-License-Identifier: MIT
/* Events of a command, sampled, and scaled to its rusage. */
#include "support/test.h"

#include <sys/resource.h>

#include <numatally/kernel_events.h>
#include "support/perf_command.h"

static bool is_running(const struct command *c)
{
	siginfo_t info = {0};

	assert_int_equal(
		waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT),
		0);
	return info.si_pid == 0;
}

static void samples_are_estimates(void **state)
{
	struct tally_events *events;
	struct command c;

	(void)state;
	open_way(TALLY_EVENTS_SAMPLE, &c, &events);
	assert_int_equal(tally_kernel_events_estimates(events), ALL);
	tally_kernel_events_close(events);
	command_cancel(&c);
}

/* No sample is taken while the command runs; only the totals are known. */
static void samples_are_scaled_to_the_totals(void **state)
{
	struct tally_event_counts *rows, totals;
	struct tally_events *events;
	struct command c;

	(void)state;
	open_way(TALLY_EVENTS_SAMPLE, &c, &events);
	command_end(&c);
	totals = totals_of(&c.usage);
	tally_kernel_events_reconcile(events, totals.count, TALLY_NR_EVENTS,
				      10);
	rows = read_rows(events);
	/* Less what the command did before it was counted. */
	assert_in_range(sum(rows, TALLY_EVENT_CPU_NS), NR_WORKERS * 20000000,
			totals.count[0]);
	assert_in_range(sum(rows, TALLY_EVENT_PAGE_FAULTS),
			NR_WORKERS * NR_PAGES, totals.count[1]);
	assert_int_equal(sum(rows, TALLY_EVENT_MIGRATIONS), 0);
	free(rows);
	tally_kernel_events_close(events);
}

/* A running command's time counts for the node it is on, and so does
 * the rest. */
static void missing_time_is_spread_like_sampled_time(void **state)
{
	struct tally_event_counts *before, *after;
	struct tally_event_counts totals = {
		{INT64_C(1000000000), 5000, -1, -1}};
	struct tally_events *events;
	struct command c;

	(void)state;
	open_way(TALLY_EVENTS_SAMPLE, &c, &events);
	assert_int_equal(write(c.go, "", 1), 1);
	before = read_rows(events);
	while (sum(before, TALLY_EVENT_CPU_NS) == 0 && is_running(&c)) {
		free(before);
		before = read_rows(events);
	}
	waitpid(c.pid, NULL, 0);
	tally_kernel_events_reconcile(events, totals.count, TALLY_NR_EVENTS,
				      10);
	after = read_rows(events);
	assert_int_equal(sum(after, TALLY_EVENT_CPU_NS),
			 1000000000 - c.before_ns);
	assert_int_equal(sum(after, TALLY_EVENT_PAGE_FAULTS),
			 5000 - c.before_faults);
	for (unsigned int i = 0; i < nr_rows; i++)
		for (int e = 0; e < TALLY_NR_EVENTS; e++)
			assert_true(after[i].count[e] >= before[i].count[e]);
	assert_int_equal(after[nr_rows - 1].count[TALLY_EVENT_CPU_NS], 0);
	free(before);
	free(after);
	tally_kernel_events_close(events);
	close(c.go);
}

/* Tasks do a little at context switches and after their last event. */
static void time_at_switches_is_spread(void **state)
{
	struct tally_event_counts *before, *after, totals = {{0}};
	struct tally_events *events;
	unsigned int estimates;
	struct command c;

	(void)state;
	open_way(TALLY_EVENTS_INHERIT, &c, &events);
	command_end(&c);
	before = read_rows(events);
	estimates = tally_kernel_events_estimates(events);
	totals.count[TALLY_EVENT_CPU_NS] = sum(before, TALLY_EVENT_CPU_NS) +
					   c.before_ns + TALLY_EVENTS_LACK_NS;
	tally_kernel_events_reconcile(events, totals.count, TALLY_NR_EVENTS,
				      10);
	after = read_rows(events);
	assert_int_equal(sum(after, TALLY_EVENT_CPU_NS),
			 totals.count[TALLY_EVENT_CPU_NS] - c.before_ns);
	assert_int_equal(after[nr_rows - 1].count[TALLY_EVENT_CPU_NS],
			 before[nr_rows - 1].count[TALLY_EVENT_CPU_NS]);
	assert_int_equal(tally_kernel_events_lost_ns(events), 0);
	/* Several nodes, and much of the time: an estimate. */
	if (nr_rows > 2 && (int64_t)TALLY_EVENTS_LACK_NS * 100 >
				   sum(after, TALLY_EVENT_CPU_NS))
		estimates |= 1u << TALLY_EVENT_CPU_NS;
	assert_int_equal(tally_kernel_events_estimates(events), estimates);
	for (int e = 1; e < TALLY_NR_EVENTS; e++)
		if (!(estimates & 1u << e))
			assert_int_equal(sum(after, e), sum(before, e));
	/* Reconciled again, nothing is added twice. */
	tally_kernel_events_reconcile(events, totals.count, TALLY_NR_EVENTS,
				      10);
	free(before);
	before = read_rows(events);
	assert_int_equal(sum(after, TALLY_EVENT_CPU_NS),
			 sum(before, TALLY_EVENT_CPU_NS));
	free(before);
	free(after);
	tally_kernel_events_close(events);
}

/* Time alone may be missing without end, where a host is busy: a program without
 * events lacks page faults, too. */
static void time_without_page_faults_is_spread(void **state)
{
	static const struct {
		int64_t faults; /* more than were counted; negative: not known */
		bool is_lost;
	} cases[] = {{0, false}, {30, false}, {60, true}, {-1, true}};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tally_event_counts *before, totals = {{0}};
		struct tally_events *events;
		struct command c;

		open_way(TALLY_EVENTS_INHERIT, &c, &events);
		command_end(&c);
		before = read_rows(events);
		totals.count[TALLY_EVENT_CPU_NS] =
			sum(before, TALLY_EVENT_CPU_NS) + c.before_ns +
			INT64_C(10000000000);
		totals.count[TALLY_EVENT_PAGE_FAULTS] =
			cases[i].faults < 0
				? -1
				: sum(before, TALLY_EVENT_PAGE_FAULTS) +
					  c.before_faults + cases[i].faults;
		totals.count[TALLY_EVENT_CONTEXT_SWITCHES] =
			sum(before, TALLY_EVENT_CONTEXT_SWITCHES) + 10;
		if (tally_kernel_events_estimates(events) &
		    1u << TALLY_EVENT_PAGE_FAULTS)
			totals.count[TALLY_EVENT_PAGE_FAULTS] = -1;
		tally_kernel_events_reconcile(events, totals.count,
					      TALLY_NR_EVENTS, 10);
		if (totals.count[TALLY_EVENT_PAGE_FAULTS] < 0 ||
		    cases[i].is_lost)
			assert_true(tally_kernel_events_lost_ns(events) >
				    INT64_C(8000000000));
		else
			assert_int_equal(tally_kernel_events_lost_ns(events),
					 0);
		free(before);
		tally_kernel_events_close(events);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_estimates),
		cmocka_unit_test(samples_are_scaled_to_the_totals),
		cmocka_unit_test(missing_time_is_spread_like_sampled_time),
		cmocka_unit_test(time_at_switches_is_spread),
		cmocka_unit_test(time_without_page_faults_is_spread),
	};

	if (argc > 1 && strcmp(argv[1], "work") == 0)
		return work();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
