/* SPDX-License-Identifier: MIT */
/* Two processes in rounds: the other one sleeps until this one does what wakes it,
 * which it does a little later each time. */
#ifndef TEST_SUPPORT_ROUNDS_H
#define TEST_SUPPORT_ROUNDS_H

#include "support/sleeps.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct rounds {
	unsigned int nr;
	unsigned int ready;  /* the last one that can begin */
	unsigned int sleeps; /* in which the other sleeps, or will at once */
	unsigned int woken;  /* in which it was woken */
	pid_t other;
};

static inline void rounds_reach(unsigned int *word, unsigned int round)
{
	__atomic_store_n(word, round, __ATOMIC_RELEASE);
}

/* Unless the other process fails. */
static inline void rounds_await(const struct rounds *r,
				const unsigned int *word, unsigned int round)
{
	int status = 0;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != round) {
		if (waitpid(r->other, &status, WNOHANG) == r->other)
			assert_int_equal(status, 0);
		sched_yield();
	}
}

/* In the other process, other() goes through all rounds; or returns -errno. */
static inline struct rounds *
rounds_start(int (*other)(struct rounds *r, const char *path), const char *path)
{
	struct rounds *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	assert_ptr_not_equal(r, MAP_FAILED);
	r->nr = getenv("NUMATALLY_LONG")    ? 1000000
		: getenv("NUMATALLY_SHORT") ? 2000
					    : 20000;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		/* Not to sleep for ever, if the test fails. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(-other(r, path));
	}
	r->other = pid;
	return r;
}

static inline void rounds_begin(struct rounds *r, unsigned int round)
{
	expect_progress();
	rounds_reach(&r->ready, round);
	rounds_await(r, &r->sleeps, round);
	for (volatile unsigned int i = 0; i < round * 7 % 4001; i++)
		;
}

static inline void rounds_end(struct rounds *r)
{
	int status;

	assert_int_equal(waitpid(r->other, &status, 0), r->other);
	assert_int_equal(status, 0);
	munmap(r, sizeof(*r));
}

#endif
