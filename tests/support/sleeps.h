/* SPDX-License-Identifier: MIT */
/* Calls of the library that sleep and wake, in tests that lose no wake. */
#ifndef TEST_SUPPORT_SLEEPS_H
#define TEST_SUPPORT_SLEEPS_H

#include "support/test.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "support/machine.h"

/* Sleeps with no other bits than these have no end of their own: so a wake that is
 * lost hangs the test. */
static uint32_t endless;
static void (*before_sleep)(void); /* called before each of them, or NULL */

static unsigned int nr_sleeps; /* that begin, and that calls of others end */

/* Calls that woke, or would have. */
static unsigned int nr_wakes;

static unsigned int nr_pauses; /* sleeps that no call of others ends */

/* The C library's, in whose place a shared library calls this, too. Some calls
 * have fewer arguments than it reads. */
__attribute__((visibility("default"), no_sanitize_address)) long
syscall(long nr, ...)
{
	static long (*real)(long, ...);
	long a[6];
	va_list list;

	va_start(list, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	if (nr == SYS_futex && a[1] == FUTEX_WAIT_BITSET) {
		bool pause = (uint32_t)a[5] == FUTEX_BITSET_MATCH_ANY;

		__atomic_fetch_add(pause ? &nr_pauses : &nr_sleeps, 1,
				   __ATOMIC_RELEASE);
	}
	if (nr == SYS_futex && a[1] == FUTEX_WAIT_BITSET &&
	    !((uint32_t)a[5] & ~endless)) {
		a[3] = 0;
		if (before_sleep)
			before_sleep();
	}
	if (nr == SYS_futex && a[1] == FUTEX_WAKE_BITSET)
		__atomic_fetch_add(&nr_wakes, 1, __ATOMIC_RELEASE);
	return real(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* A process, or a thread of any. */
static inline bool is_asleep(pid_t tid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
	fclose(f);
	return state == 'S';
}

/* Wait until a thread, which stores its number, is in a sleep that began after there
 * were BEFORE: a change that comes earlier is found by its last look. */
static inline void await_sleep(const pid_t *tid, unsigned int before)
{
	while (__atomic_load_n(&nr_sleeps, __ATOMIC_ACQUIRE) == before ||
	       !is_asleep(__atomic_load_n(tid, __ATOMIC_ACQUIRE)))
		usleep(100);
}

/* A build that is broken on purpose need not wait for the test's time-out. */
static inline void hangs(int signal)
{
	static const char text[] = "[  FAILED  ] a wake is lost\n";

	(void)signal;
	(void)!write(1, text, sizeof(text) - 1);
	_exit(1);
}

static inline void expect_progress(void)
{
	if (getenv("NUMATALLY_BROKEN"))
		alarm(3);
}

static inline int setup(void **state)
{
	signal(SIGALRM, hangs);
	expect_progress();
	return machine_setup(state);
}

#define SLEEP_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, machine_teardown)

#endif
