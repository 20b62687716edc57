// SPDX-License-Identifier: MIT
/* Events of a command, counted, compared with its rusage. */
#include "support/test.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <numatally/kernel_events.h>
#include "support/perf_command.h"

/* One event of the command and its descendants, on any CPU. */
static int open_event(const struct command *c, unsigned int config,
		      bool user_only)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = config,
		.disabled = 1,
		.inherit = 1,
		.enable_on_exec = 1,
		.exclude_kernel = user_only,
		.exclude_hv = user_only,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, c->pid, -1, -1,
			      PERF_FLAG_FD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int64_t close_event(int fd)
{
	int64_t n;

	assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
	close(fd);
	return n;
}

/*
 * Not rusage's CPU time: in a virtual machine an event also counts what the
 * host took meanwhile, which can be as much as other processes run. And rusage
 * counts page faults and switches before execve(2) and after a task's last
 * event.
 */
static void inherited_events_count_the_command_alone(void **state)
{
	struct tally_event_counts *rows, totals;
	struct tally_events *events;
	struct command c;
	int64_t ns, faults;
	bool user_only;
	int fds[2];

	(void)state;
	open_way(TALLY_EVENTS_INHERIT, &c, &events);
	user_only = tally_kernel_events_estimates(events) != 0;
	fds[0] = open_event(&c, PERF_COUNT_SW_TASK_CLOCK, user_only);
	fds[1] = open_event(&c, PERF_COUNT_SW_PAGE_FAULTS, user_only);
	command_end(&c);
	ns = close_event(fds[0]);
	faults = close_event(fds[1]);
	rows = read_rows(events);
	totals = totals_of(&c.usage);
	/* Events of one task start and stop together. */
	assert_in_range(sum(rows, TALLY_EVENT_CPU_NS), NR_WORKERS * 20000000,
			ns + ns / 10);
	assert_in_range(ns, NR_WORKERS * 20000000,
			sum(rows, TALLY_EVENT_CPU_NS) * 11 / 10);
	assert_int_equal(rows[nr_rows - 1].count[TALLY_EVENT_CPU_NS], 0);
	if (!user_only) {
		assert_int_equal(sum(rows, TALLY_EVENT_PAGE_FAULTS), faults);
		assert_in_range(faults, NR_WORKERS * NR_PAGES, totals.count[1]);
		assert_in_range(sum(rows, TALLY_EVENT_CONTEXT_SWITCHES), 0,
				totals.count[2]);
	}
	free(rows);
	tally_kernel_events_close(events);
}

static void nothing_counts_before_the_exec(void **state)
{
	struct tally_event_counts *rows;
	struct tally_events *events;
	struct command c;

	(void)state;
	open_way(TALLY_EVENTS_INHERIT, &c, &events);
	rows = read_rows(events);
	for (int e = 0; e < TALLY_NR_EVENTS; e++)
		if (!(tally_kernel_events_estimates(events) & 1u << e))
			assert_int_equal(sum(rows, e), 0);
	free(rows);
	tally_kernel_events_close(events);
	command_cancel(&c);
}

static unsigned int nr_open_files(void)
{
	unsigned int nr = 0;

	for (int fd = 0; fd < 4096; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

/* Each fork(2) copies all events: no more sets than nodes and CPUs need. */
static void opens_as_announced(enum tally_events_way way, unsigned int each)
{
	unsigned int before, nr = tally_kernel_events_nr_inherited(topo, way);
	unsigned int nr_cpus = tally_topo_nr_cpus(topo);
	struct tally_events *events;
	bool all_known = true;
	struct command c;

	before = nr_open_files();
	open_way(TALLY_EVENTS_SAMPLE, &c, &events);
	before = nr_open_files() - before; /* else than perf's */
	tally_kernel_events_close(events);
	command_cancel(&c);
	before += nr_open_files();
	open_way(way, &c, &events);
	assert_int_equal(nr_open_files() - before, nr);
	tally_kernel_events_close(events);
	command_cancel(&c);
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		all_known &= tally_topo_cpu_node(topo, (int)cpu) >= 0;
	if (all_known && nr_rows == 2)
		assert_int_equal(nr, each);
	else
		assert_true(nr <= (nr_cpus + 1) * each);
}

static void no_more_events_than_announced(void **state)
{
	(void)state;
	opens_as_announced(TALLY_EVENTS_INHERIT, TALLY_NR_EVENTS);
	opens_as_announced(TALLY_EVENTS_INHERIT_TIME, 1);
	assert_int_equal(
		tally_kernel_events_nr_inherited(topo, TALLY_EVENTS_SAMPLE), 0);
}

static void time_alone_leaves_the_others_to_samples(void **state)
{
	struct tally_event_counts *rows, totals;
	struct tally_events *events;
	struct command c;
	int64_t ns;

	(void)state;
	open_way(TALLY_EVENTS_INHERIT_TIME, &c, &events);
	assert_int_equal(tally_kernel_events_estimates(events),
			 ALL & ~(1 << TALLY_EVENT_CPU_NS));
	command_end(&c);
	rows = read_rows(events);
	ns = sum(rows, TALLY_EVENT_CPU_NS);
	assert_in_range(ns, NR_WORKERS * 20000000, INT64_MAX);
	free(rows);
	totals = totals_of(&c.usage);
	totals.count[TALLY_EVENT_CPU_NS] = -1;
	tally_kernel_events_reconcile(events, totals.count, TALLY_NR_EVENTS,
				      -1);
	rows = read_rows(events);
	assert_int_equal(sum(rows, TALLY_EVENT_CPU_NS), ns);
	assert_in_range(sum(rows, TALLY_EVENT_PAGE_FAULTS),
			NR_WORKERS * NR_PAGES,
			totals.count[TALLY_EVENT_PAGE_FAULTS]);
	free(rows);
	tally_kernel_events_close(events);
}

/* The row of what is of no known node: where there is one node, its. */
static unsigned int lost_row(void)
{
	return nr_rows == 2 ? 0 : nr_rows - 1;
}

/* Linux closes the events of setuid programs, so more is missing. */
static void time_without_events_is_of_no_node(void **state)
{
	struct tally_event_counts *before, *after;
	struct tally_event_counts totals = {
		{INT64_C(10000000000), INT64_C(1000000), 5000, -1}};
	struct tally_events *events;
	struct command c;
	int64_t lost;

	(void)state;
	open_way(TALLY_EVENTS_INHERIT, &c, &events);
	command_end(&c);
	before = read_rows(events);
	tally_kernel_events_reconcile(events, totals.count, TALLY_NR_EVENTS,
				      10);
	after = read_rows(events);
	/* 5,000 switches and exits account for less than a second. */
	lost = tally_kernel_events_lost_ns(events);
	assert_in_range(lost, 8 * INT64_C(1000000000), INT64_C(10000000000));
	assert_true(after[lost_row()].count[TALLY_EVENT_CPU_NS] -
			    before[lost_row()].count[TALLY_EVENT_CPU_NS] >=
		    lost);
	/* Less what the command did before it was counted. */
	assert_int_equal(sum(after, TALLY_EVENT_CPU_NS),
			 INT64_C(10000000000) - c.before_ns);
	assert_int_equal(sum(after, TALLY_EVENT_PAGE_FAULTS),
			 1000000 - c.before_faults);
	if (!(tally_kernel_events_estimates(events) &
	      1u << TALLY_EVENT_PAGE_FAULTS))
		assert_int_equal(after[lost_row()].count[1] -
					 before[lost_row()].count[1],
				 1000000 - c.before_faults -
					 sum(before, TALLY_EVENT_PAGE_FAULTS));
	assert_int_equal(sum(after, TALLY_EVENT_MIGRATIONS),
			 sum(before, TALLY_EVENT_MIGRATIONS));
	free(before);
	free(after);
	tally_kernel_events_close(events);
}

static void a_process_that_has_ended(void **state)
{
	struct tally_events *events = NULL;
	struct command c;

	(void)state;
	command_start(&c);
	command_cancel(&c);
	assert_int_equal(tally_kernel_events_open(topo, TALLY_EVENTS_SAMPLE,
						  c.pid, tree, -1, &events),
			 -ESRCH);
	assert_null(events);
}

static void no_such_cgroup(void **state)
{
	struct tally_events *events = NULL;
	struct command c;

	(void)state;
	command_start(&c);
	assert_true(tally_kernel_events_open(topo, TALLY_EVENTS_CGROUP, c.pid,
					     tree, c.go, &events) < 0);
	assert_null(events);
	command_cancel(&c);
}

static void too_few_files(void **state)
{
	struct tally_events *events = NULL;
	struct rlimit given, low;
	struct command c;
	int ret;

	(void)state;
	command_start(&c);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &given), 0);
	low = given;
	low.rlim_cur = (rlim_t)c.go + 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	ret = tally_kernel_events_open(topo, TALLY_EVENTS_INHERIT, c.pid, tree,
				       -1, &events);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &given), 0);
	command_cancel(&c);
	assert_null(events);
	if (ret == -EACCES || ret == -EPERM || ret == -ENOSYS)
		skip();
	assert_int_equal(ret, -EMFILE);
}

static void close_takes_null(void **state)
{
	(void)state;
	tally_kernel_events_close(NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inherited_events_count_the_command_alone),
		cmocka_unit_test(nothing_counts_before_the_exec),
		cmocka_unit_test(no_more_events_than_announced),
		cmocka_unit_test(time_alone_leaves_the_others_to_samples),
		cmocka_unit_test(time_without_events_is_of_no_node),
		cmocka_unit_test(a_process_that_has_ended),
		cmocka_unit_test(no_such_cgroup),
		cmocka_unit_test(too_few_files),
		cmocka_unit_test(close_takes_null),
	};

	if (argc > 1 && strcmp(argv[1], "work") == 0)
		return work();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
