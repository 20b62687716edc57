/* SPDX-License-Identifier: MIT */
/*
 * step: processes that are stopped, or yield, between two accesses to a ledger's
 * file. A program has steps in the files of lib/ that tests/support/broken.sh
 * compiles with them, and nowhere else: the compiler calls support/step.c at
 * each access there.
 *
 * Until step_run() a process yields the CPU at random steps.
 */
#ifndef TEST_SUPPORT_STEP_H
#define TEST_SUPPORT_STEP_H

#include <stdbool.h>
#include <sys/types.h>

/* A child that does one thing in steps. */
struct stepped {
	pid_t pid;
	bool stopped; /* else it has ended */
	int status;   /* its exit status once it has ended; -1: a signal's */
};

/*
 * Fork a child that calls what(), and wait until it stops before its nth step
 * between step_begin() and step_end(), or ends. step_begin() is a step itself. A
 * place in the code counts three times at most.
 */
void step_run(struct stepped *s, unsigned int nth, int (*what)(void *arg),
	      void *arg);

/* In what(). */
void step_begin(void);
void step_end(void);

/* In a signal handler there: stop once more, so many steps after it. */
void step_again(unsigned int after);

/* Let it handle a signal before it goes on, and wait until it stops, or ends. */
void step_signal(struct stepped *s, int signal);

/* Let it go on to its end. */
void step_on(struct stepped *s);

void step_kill(struct stepped *s);

#endif
