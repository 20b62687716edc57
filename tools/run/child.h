/* SPDX-License-Identifier: MIT */
/* The command: its start, its signals, its end. */
#ifndef TOOL_RUN_CHILD_H
#define TOOL_RUN_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Exit statuses, as env(1) and nohup(1) have them. */
enum {
	RUN_FAILED = 125,
	RUN_CANNOT_EXECUTE = 126,
	RUN_NOT_FOUND = 127,
	RUN_SIGNALLED = 128, /* plus the signal's number */
};

struct run_child {
	pid_t pid;
	int go;		     /* closed once the command may execute */
	int failure;	     /* the errno of execve(2) comes here */
	int signals;	     /* a signalfd */
	int64_t stop_due_ns; /* it must have stopped by then; or 0 */
	bool stopped;
	bool ended;
	bool in_proc;	 /* /proc shows it */
	bool alone;	 /* no child is left, and no orphan */
	sigset_t ending; /* signals that end the waiting for these */
	int interrupted; /* which of them did, or 0 */
	int exit_status;
	int signal;		  /* that ended it, or 0 */
	int64_t start_ns, end_ns; /* of CLOCK_MONOTONIC */
	int64_t started_ns;	  /* of CLOCK_REALTIME */
	struct rusage usage;	  /* of all processes that were waited for */
	/* Called for each of them, if set; faults are its own page faults. */
	void (*on_end)(void *arg, pid_t pid, int64_t faults,
		       const struct rusage *usage);
	void *on_end_arg;
};

static inline int64_t run_wall_ns(const struct run_child *child)
{
	return child->end_ns - child->start_ns;
}

static inline int64_t run_time_ns(const struct timeval *t)
{
	return t->tv_sec * INT64_C(1000000000) + t->tv_usec * INT64_C(1000);
}

/* Start a process that waits, and will execute @argv. 0 or -errno */
int run_child_spawn(struct run_child *child, char **argv);

/* Raise our own limit on file descriptors by up to @nr, after
 * run_child_spawn(): the command keeps its limit. */
void run_child_raise_files(unsigned long nr);

/* Let it execute. 0, or -errno of execve(2) */
int run_child_go(struct run_child *child);

/* Wait until it changes state, or until @until_ns; handle its signals and
 * ours. */
void run_child_wait(struct run_child *child, int64_t until_ns);

void run_child_close(struct run_child *child);

#endif
