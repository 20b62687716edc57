/* SPDX-License-Identifier: MIT */
/* The command that `run` runs: starting it, its signals, its end. */
#ifndef RUN_CHILD_H
#define RUN_CHILD_H

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
	RUN_SIGNALLED = 128, /* and the signal's number more */
};

struct run_child {
	pid_t pid;
	int go;		     /* closed once the command may execute */
	int failure;	     /* says why execve(2) failed */
	int signals;	     /* a signalfd */
	int64_t stop_due_ns; /* 0, or until when it may take to stop */
	bool stopped;
	bool ended;
	bool alone; /* no child is left: neither it nor an orphan */
	int exit_status;
	int64_t start_ns, end_ns; /* of CLOCK_MONOTONIC */
	struct rusage usage;	  /* of all that were waited for */
};

int64_t run_now(void);

/* Starts a process that will execute argv, but waits. 0 or -errno. */
int run_child_spawn(struct run_child *child, char **argv);

/* Raises our limit on file descriptors, which the command won't see, so that
 * nr more can be opened, as far as that may be. After run_child_spawn(). */
void run_child_raise_files(unsigned long nr);

/* Lets it execute. 0, or the -errno with which that failed. */
int run_child_go(struct run_child *child);

/* Waits until something happened to it, or until that time; takes care of its
 * signals and ours. */
void run_child_wait(struct run_child *child, int64_t until_ns);

void run_child_close(struct run_child *child);

#endif
