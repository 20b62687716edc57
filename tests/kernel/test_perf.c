// SPDX-License-Identifier: MIT
/* Events of a command, counted and sampled, compared with its rusage. */
#include "support/test.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <numatally/kernel_events.h>
#include <numatally/kernel_tree.h>

enum { NR_WORKERS = 3, NR_PAGES = 300, ALL = (1 << TALLY_NR_EVENTS) - 1 };

static struct tally_topo *topo;
static struct tally_tree *tree;
static unsigned int nr_rows;

/* A command that waits for a word before it executes itself. */
struct command {
	pid_t pid;
	int go;
	int64_t before_ns, before_faults; /* while it waits */
	struct rusage usage;
};

static void spin(void)
{
	struct timespec used;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	while (used.tv_nsec < 20000000 && used.tv_sec == 0);
}

/* What the command does: page faults, and CPU time in some processes. */
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

/* Waits until the command waits, and reads what it has used so far. */
static void await_waiting(struct command *c)
{
	char path[64], text[1024], *stat, state = 0;
	long long ns, minor, major;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)c->pid);
	while (state != 'S') {
		f = fopen(path, "r");
		assert_non_null(f);
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[n] = '\0';
		stat = strrchr(text, ')');
		assert_non_null(stat);
		assert_int_equal(sscanf(stat,
					") %c %*d %*d %*d %*d %*d %*u %lld "
					"%*d %lld",
					&state, &minor, &major),
				 3);
	}
	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)c->pid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lld", &ns), 1);
	fclose(f);
	c->before_ns = ns;
	c->before_faults = minor + major;
}

static void command_start(struct command *c)
{
	int fds[2];
	char x;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	/*
	 * Not fork(), in whose child ThreadSanitizer starts a thread. Linux
	 * swaps the events of two threads of a process as they take turns, and
	 * an event opened in between fails with EINVAL: its group has gone.
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
	await_waiting(c);
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
	assert_int_equal(tally_kernel_events_nr(events), nr_rows);
	assert_int_equal(tally_kernel_events_read(events), 0);
	for (unsigned int i = 0; i < nr_rows; i++)
		rows[i] = *tally_kernel_events_row(events, i);
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
static void no_more_events_than_announced(void **state)
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

/* The row of what is of no known node: where there is one node, its. */
static unsigned int lost_row(void)
{
	return nr_rows == 2 ? 0 : nr_rows - 1;
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
		cmocka_unit_test(inherited_events_count_the_command_alone),
		cmocka_unit_test(nothing_counts_before_the_exec),
		cmocka_unit_test(no_more_events_than_announced),
		cmocka_unit_test(samples_are_estimates),
		cmocka_unit_test(samples_are_scaled_to_the_totals),
		cmocka_unit_test(missing_time_is_spread_like_sampled_time),
		cmocka_unit_test(time_at_switches_is_spread),
		cmocka_unit_test(time_without_page_faults_is_spread),
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
