// SPDX-License-Identifier: MIT
/* Events of a command, counted and sampled, held against its rusage. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <numatally/kernel.h>

enum { NR_WORKERS = 3, NR_PAGES = 300, ALL = (1 << TALLY_NR_EVENTS) - 1 };

static struct tally_topo *topo;
static struct tally_tree *tree;
static unsigned int nr_rows;

/* A command that waits to be told to execute itself, as workers. */
struct command {
	pid_t pid;
	int go;
	struct rusage usage;
};

static void spin(void)
{
	struct timespec used;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	while (used.tv_nsec < 20000000 && used.tv_sec == 0);
}

/* What the command does: faults, and time on a CPU, in some processes. */
static int work(void)
{
	size_t bytes = NR_PAGES * (size_t)sysconf(_SC_PAGESIZE);

	for (int i = 0; i < NR_WORKERS; i++) {
		volatile char *p;

		if (fork())
			continue;
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		madvise((void *)p, bytes, MADV_NOHUGEPAGE);
		for (size_t at = 0; at < bytes; at += bytes / NR_PAGES)
			p[at] = 1;
		spin();
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

static void command_start(struct command *c)
{
	int fds[2];
	char x;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	/*
	 * Not fork(): ThreadSanitizer would give the child a thread. Linux
	 * swaps the events of the two as they take turns, so that one that is
	 * opened in between gets EINVAL, as its group is no longer there.
	 */
	c->pid = _Fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		close(fds[1]);
		if (read(fds[0], &x, 1) == 1)
			execl("/proc/self/exe", "command", "work", NULL);
		_exit(99);
	}
	close(fds[0]);
	c->go = fds[1];
}

static void command_end(struct command *c)
{
	int status;

	assert_int_equal(write(c->go, "", 1), 1);
	assert_int_equal(wait4(c->pid, &status, 0, &c->usage), c->pid);
	assert_int_equal(status, 0);
	close(c->go);
}

static void command_cancel(struct command *c)
{
	close(c->go);
	waitpid(c->pid, NULL, 0);
}

static bool is_running(const struct command *c)
{
	siginfo_t info = {0};

	assert_int_equal(
		waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT),
		0);
	return info.si_pid == 0;
}

static void open_way(enum tally_events_way way, struct command *c,
		     struct tally_events **events)
{
	int ret;

	command_start(c);
	ret = tally_kernel_events_open(topo, way, c->pid, tree, -1, events);
	if (ret == -EACCES || ret == -EPERM || ret == -ENOSYS) {
		command_cancel(c);
		print_message("perf events are refused: %s\n", strerror(-ret));
		skip();
	}
	assert_int_equal(ret, 0);
	assert_int_equal(tally_kernel_events_start(*events), 0);
}

static int64_t sum(const struct tally_event_counts *rows, int e)
{
	int64_t n = 0;

	for (unsigned int i = 0; i < nr_rows; i++)
		n += rows[i].count[e];
	return n;
}

static struct tally_event_counts *read_rows(struct tally_events *events)
{
	struct tally_event_counts *rows = calloc(nr_rows, sizeof(*rows));

	assert_non_null(rows);
	assert_int_equal(tally_kernel_events_read(events, rows), 0);
	return rows;
}

static int64_t to_ns(const struct timeval *t)
{
	return t->tv_sec * INT64_C(1000000000) + t->tv_usec * INT64_C(1000);
}

static struct tally_event_counts totals_of(const struct rusage *usage)
{
	return (struct tally_event_counts){{
		to_ns(&usage->ru_utime) + to_ns(&usage->ru_stime),
		usage->ru_minflt + usage->ru_majflt,
		usage->ru_nvcsw + usage->ru_nivcsw,
		-1,
	}};
}

/* What happens before execve(2) and after a task's last event isn't counted:
 * short, but not where the machine is emulated. */
static void inherited_events_are_rusage(void **state)
{
	struct tally_event_counts *rows, totals;
	struct tally_events *events;
	struct command c;

	(void)state;
	open_way(TALLY_EVENTS_INHERIT, &c, &events);
	command_end(&c);
	rows = read_rows(events);
	totals = totals_of(&c.usage);
	/* On a virtual machine what its host took is in ours alone. */
	assert_in_range(sum(rows, TALLY_EVENT_CPU_NS), NR_WORKERS * 20000000,
			totals.count[0] + totals.count[0] / 10);
	assert_int_equal(rows[nr_rows - 1].count[TALLY_EVENT_CPU_NS], 0);
	if (tally_kernel_events_estimates(events) == 0) {
		assert_in_range(sum(rows, TALLY_EVENT_PAGE_FAULTS),
				NR_WORKERS * NR_PAGES, totals.count[1]);
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

/* Each fork pays for them: no set more than the nodes and CPUs ask for. */
static void events_are_as_many_as_said(void **state)
{
	unsigned int before, nr = tally_kernel_events_nr_inherited(topo);
	unsigned int nr_cpus = tally_topo_nr_cpus(topo);
	struct tally_events *events;
	bool all_known = true;
	struct command c;

	(void)state;
	before = nr_open_files();
	open_way(TALLY_EVENTS_SAMPLE, &c, &events);
	before = nr_open_files() - before; /* else than perf's */
	tally_kernel_events_close(events);
	command_cancel(&c);
	before += nr_open_files();
	open_way(TALLY_EVENTS_INHERIT, &c, &events);
	assert_int_equal(nr_open_files() - before, nr);
	tally_kernel_events_close(events);
	command_cancel(&c);
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		all_known &= tally_topo_cpu_node(topo, (int)cpu) >= 0;
	if (all_known && nr_rows == 2)
		assert_int_equal(nr, TALLY_NR_EVENTS);
	else
		assert_true(nr <= (nr_cpus + 1) * TALLY_NR_EVENTS);
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

/* Nobody looks while the command runs; the totals alone are known. */
static void samples_settle_to_the_totals(void **state)
{
	struct tally_event_counts *rows, totals;
	struct tally_events *events;
	struct command c;

	(void)state;
	open_way(TALLY_EVENTS_SAMPLE, &c, &events);
	command_end(&c);
	totals = totals_of(&c.usage);
	tally_kernel_events_settle(events, &totals);
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

/* While the command lives, its time is put down to the node that it is on,
 * which then gets the rest. */
static void what_is_missing_is_spread_like_what_was_seen(void **state)
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
	tally_kernel_events_settle(events, &totals);
	after = read_rows(events);
	assert_in_range(sum(after, TALLY_EVENT_CPU_NS), 900000000, 1000000000);
	assert_in_range(sum(after, TALLY_EVENT_PAGE_FAULTS), 4000, 5000);
	for (unsigned int i = 0; i < nr_rows; i++)
		for (int e = 0; e < TALLY_NR_EVENTS; e++)
			assert_true(after[i].count[e] >= before[i].count[e]);
	assert_int_equal(after[nr_rows - 1].count[TALLY_EVENT_CPU_NS], 0);
	free(before);
	free(after);
	tally_kernel_events_close(events);
	close(c.go);
}

/* A little is what tasks do after their last event. */
static void exact_counts_are_not_settled(void **state)
{
	struct tally_event_counts *before, *after, totals = {{0}};
	struct tally_events *events;
	struct command c;

	(void)state;
	open_way(TALLY_EVENTS_INHERIT, &c, &events);
	command_end(&c);
	before = read_rows(events);
	totals.count[TALLY_EVENT_CPU_NS] =
		sum(before, TALLY_EVENT_CPU_NS) + TALLY_EVENTS_LACK_NS;
	tally_kernel_events_settle(events, &totals);
	after = read_rows(events);
	assert_int_equal(sum(after, TALLY_EVENT_CPU_NS),
			 sum(before, TALLY_EVENT_CPU_NS));
	free(before);
	free(after);
	tally_kernel_events_close(events);
}

/* More is lost, as Linux takes events from programs that are setuid. */
static void what_exact_counts_lost_is_of_no_node(void **state)
{
	struct tally_event_counts *before, *after;
	struct tally_event_counts totals = {
		{INT64_C(10000000000), INT64_C(1000000), 5000, -1}};
	struct tally_events *events;
	struct command c;

	(void)state;
	open_way(TALLY_EVENTS_INHERIT, &c, &events);
	command_end(&c);
	before = read_rows(events);
	tally_kernel_events_settle(events, &totals);
	after = read_rows(events);
	for (unsigned int i = 0; i < nr_rows - 1; i++)
		assert_int_equal(after[i].count[TALLY_EVENT_CPU_NS],
				 before[i].count[TALLY_EVENT_CPU_NS]);
	/* Less what the command did before it was counted. */
	assert_in_range(sum(after, TALLY_EVENT_CPU_NS), INT64_C(9900000000),
			INT64_C(10000000000));
	assert_in_range(sum(after, TALLY_EVENT_PAGE_FAULTS), 990000, 1000000);
	if (!(tally_kernel_events_estimates(events) &
	      1u << TALLY_EVENT_PAGE_FAULTS))
		assert_in_range(after[nr_rows - 1].count[1], 900000, 1000000);
	assert_int_equal(sum(after, TALLY_EVENT_MIGRATIONS),
			 sum(before, TALLY_EVENT_MIGRATIONS));
	free(before);
	free(after);
	tally_kernel_events_close(events);
}

static void a_process_that_is_gone(void **state)
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

static void no_cgroup_there(void **state)
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

static int set_up(void **state)
{
	(void)state;
	if (tally_topo_open(NULL, &topo))
		return -1;
	nr_rows = tally_topo_nr_nodes(topo) + 1;
	return tally_kernel_tree_create(NULL, getpid(), false, &tree);
}

static int tear_down(void **state)
{
	(void)state;
	tally_kernel_tree_destroy(tree);
	tally_topo_close(topo);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inherited_events_are_rusage),
		cmocka_unit_test(nothing_counts_before_the_exec),
		cmocka_unit_test(events_are_as_many_as_said),
		cmocka_unit_test(samples_are_estimates),
		cmocka_unit_test(samples_settle_to_the_totals),
		cmocka_unit_test(what_is_missing_is_spread_like_what_was_seen),
		cmocka_unit_test(exact_counts_are_not_settled),
		cmocka_unit_test(what_exact_counts_lost_is_of_no_node),
		cmocka_unit_test(a_process_that_is_gone),
		cmocka_unit_test(no_cgroup_there),
		cmocka_unit_test(too_few_files),
		cmocka_unit_test(close_takes_null),
	};

	if (argc > 1 && strcmp(argv[1], "work") == 0)
		return work();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
