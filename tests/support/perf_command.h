/* SPDX-License-Identifier: MIT */
/* A command that works for a known time, and its events. */
#ifndef TEST_SUPPORT_PERF_COMMAND_H
#define TEST_SUPPORT_PERF_COMMAND_H

#include "support/test.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/resource.h>

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

static inline void spin(void)
{
	struct timespec used;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	while (used.tv_nsec < 20000000 && used.tv_sec == 0);
}

/* What the command does: page faults, and CPU time in some processes. */
static inline int work(void)
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
static inline void await_waiting(struct command *c)
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

static inline void command_start(struct command *c)
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

static inline void command_end(struct command *c)
{
	int status;

	assert_int_equal(write(c->go, "", 1), 1);
	assert_int_equal(wait4(c->pid, &status, 0, &c->usage), c->pid);
	assert_int_equal(status, 0);
	close(c->go);
}

static inline void command_cancel(struct command *c)
{
	close(c->go);
	waitpid(c->pid, NULL, 0);
}

static inline void open_way(enum tally_events_way way, struct command *c,
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

static inline int64_t sum(const struct tally_event_counts *rows, int e)
{
	int64_t n = 0;

	for (unsigned int i = 0; i < nr_rows; i++)
		n += rows[i].count[e];
	return n;
}

static inline struct tally_event_counts *read_rows(struct tally_events *events)
{
	struct tally_event_counts *rows = calloc(nr_rows, sizeof(*rows));

	assert_non_null(rows);
	assert_int_equal(tally_kernel_events_nr(events), nr_rows);
	assert_int_equal(tally_kernel_events_read(events), 0);
	for (unsigned int i = 0; i < nr_rows; i++)
		rows[i] = *tally_kernel_events_row(events, i);
	return rows;
}

static inline int64_t to_ns(const struct timeval *t)
{
	return t->tv_sec * INT64_C(1000000000) + t->tv_usec * INT64_C(1000);
}

static inline struct tally_event_counts totals_of(const struct rusage *usage)
{
	return (struct tally_event_counts){{
		to_ns(&usage->ru_utime) + to_ns(&usage->ru_stime),
		usage->ru_minflt + usage->ru_majflt,
		usage->ru_nvcsw + usage->ru_nivcsw,
		-1,
	}};
}

static inline int set_up(void **state)
{
	(void)state;
	if (tally_topo_open(NULL, &topo))
		return -1;
	nr_rows = tally_topo_nr_nodes(topo) + 1;
	return tally_kernel_tree_create(NULL, getpid(), false, &tree);
}

static inline int tear_down(void **state)
{
	(void)state;
	tally_kernel_tree_destroy(tree);
	tally_topo_close(topo);
	return 0;
}

#endif
