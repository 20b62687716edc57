/* SPDX-License-Identifier: MIT */
/*
 * One process is stopped at each step of a call that may sleep (support/step.h),
 * while another one makes the change that ends the sleep. Its wake is not lost,
 * wherever the first one was.
 */
#ifndef TEST_SUPPORT_SLEEP_STEPS_H
#define TEST_SUPPORT_SLEEP_STEPS_H

#include "support/sleeps.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "support/step.h"

#define MOST_STEPS 2000

/* Of the two processes. */
static struct {
	bool is_at_sleep; /* the first one has made all steps up to its sleep */
	bool may_sleep;
} * sleep_steps;

/* There it stops once more. */
static void stop_at_sleep(void)
{
	if (sleep_steps->may_sleep)
		return;
	step_end();
	sleep_steps->is_at_sleep = true;
	raise(SIGSTOP);
}

/* Until the other one has made its change, or waits for the one that is stopped. */
static void await_change(pid_t pid, int *status)
{
	while (!waitpid(pid, status, WNOHANG))
		if (is_asleep(pid))
			return;
		else
			sched_yield();
}

/*
 * For each step, begin() makes what there is, and end() the end of it. sleeps() has
 * step_begin() before its call and step_end() after it. Each returns 0. Sleeps with
 * these bits have no other end than a wake.
 */
static void changed_at_each_step(uint32_t bits, void (*begin)(void *arg),
				 int (*sleeps)(void *arg),
				 int (*change)(void *arg),
				 void (*end)(void *arg), void *arg)
{
	unsigned int step = 0;
	struct stepped first;

	sleep_steps = mmap(NULL, sizeof(*sleep_steps), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(sleep_steps, MAP_FAILED);
	endless = bits;
	before_sleep = stop_at_sleep;
	do {
		int status = -1;
		pid_t pid;

		assert_true(step < MOST_STEPS);
		expect_progress();
		begin(arg);
		sleep_steps->may_sleep = false;
		step_run(&first, step++, sleeps, arg);
		assert_true(first.stopped);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			_exit(change(arg));
		await_change(pid, &status);
		sleep_steps->may_sleep = true;
		step_on(&first);
		assert_int_equal(first.status, 0);
		if (status == -1)
			assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		end(arg);
	} while (!sleep_steps->is_at_sleep);
	endless = 0;
	before_sleep = NULL;
	munmap(sleep_steps, sizeof(*sleep_steps));
	print_message("# %u steps\n", step - 1);
}

#endif
