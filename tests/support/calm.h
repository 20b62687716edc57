/* SPDX-License-Identifier: MIT */
/*
 * A clock that other processes do not advance: it stands still while the
 * calling thread is ready to run and another has its CPU.
 */
#ifndef TALLY_TESTS_CALM_H
#define TALLY_TESTS_CALM_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static inline int64_t calm_ns(void)
{
	static __thread pid_t tid;
	static __thread int fd;
	long long ran, waited = 0;
	struct timespec t;
	char text[64];
	ssize_t n;

	if (tid != gettid()) { /* first here, or since a fork */
		tid = gettid();
		fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	}
	clock_gettime(CLOCK_MONOTONIC, &t);
	n = pread(fd, text, sizeof(text) - 1, 0);
	if (n > 0) {
		text[n] = '\0';
		if (sscanf(text, "%lld %lld", &ran, &waited) != 2)
			waited = 0;
	}
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec - waited;
}

#endif
