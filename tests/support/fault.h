/* SPDX-License-Identifier: MIT */
/*
 * Calls of the kernel, and of malloc(3), that fail one after the other: each
 * that a task makes fails once, in a run of its own.
 *
 * The task must end as if it had not begun: no descriptor, mapping or memory is
 * left, and a second run succeeds.
 */
#ifndef TEST_SUPPORT_FAULT_H
#define TEST_SUPPORT_FAULT_H

/*
 * Fail the test unless task() bears each failure. It returns 0 where all is as it
 * should be, an -errno that a call returned to it, and what is above 0 where
 * something is wrong; and it undoes what it did. Skip the test where processes
 * can't be traced.
 */
void fault_each_call(int (*task)(void *arg), void *arg);

/* The same of allocations. */
void fault_each_allocation(int (*task)(void *arg), void *arg);

/* The same where a signal interrupts each call once, which the task must not
 * notice at all. */
void fault_each_signal(int (*task)(void *arg), void *arg);

/* In a task: from here on nothing fails, and what it allocates is not its own. */
void fault_over(void);

#endif
