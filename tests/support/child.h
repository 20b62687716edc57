/* SPDX-License-Identifier: MIT */
/* Children of a test: processes that wait, and memory of a known amount. */
#ifndef TEST_SUPPORT_CHILD_H
#define TEST_SUPPORT_CHILD_H

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "support/test.h"

/*
 * What else a process may gain meanwhile: stack, heap, and pages of libc that it
 * uses for the first time, 64 KiB each. ASan's shadow is an eighth of what is
 * touched; ThreadSanitizer keeps memory of its own for every page.
 */
#define CHILD_SLIP	      (TEST_ASAN ? 4 * MIB : MIB)
#define CHILD_MORE_IS_TOUCHED TEST_TSAN

/* A child that waits until it is killed; it does not outlive the test. */
static inline pid_t child_that_waits(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

static inline void child_end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Memory of base pages; in a child, which exits if there is none. */
static inline void *child_map(int64_t bytes, int flags, int fd)
{
	void *p =
		mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		_exit(3);
	madvise(p, (size_t)bytes, MADV_NOHUGEPAGE);
	return p;
}

static inline void child_touch(volatile char *p, int64_t bytes)
{
	for (int64_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
}

#endif
