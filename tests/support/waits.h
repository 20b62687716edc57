/* SPDX-License-Identifier: MIT */
/* What tests share of waiting for room. */
#ifndef TEST_SUPPORT_WAITS_H
#define TEST_SUPPORT_WAITS_H

#include "support/test.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include <numatally/limit.h>

#include "support/machine.h"

enum { EVENTS, MEMORY };

/* Waits have no end of their own: so a wake that is lost hangs the test. */
static bool endless;

static unsigned int nr_sleeps;	   /* begun, while endless */
static void (*before_sleep)(void); /* called once, or NULL */

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
	if (endless && nr == SYS_futex && a[1] == FUTEX_WAIT_BITSET) {
		void (*call)(void) = before_sleep;

		before_sleep = NULL;
		if (call)
			call();
		a[3] = 0;
		__atomic_fetch_add(&nr_sleeps, 1, __ATOMIC_RELEASE);
	}
	return real(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static const struct tally_request *memory(int node, int64_t amount)
{
	static __thread struct tally_demand demand;
	static __thread struct tally_request request = {
		.size = sizeof(request),
		.nr_demands = 1,
	};

	demand = (struct tally_demand){node, MEMORY, amount};
	request.demands = &demand;
	return &request;
}

static struct tally_token reserve(struct tally_ledger *l, const char *key,
				  int node, int64_t amount)
{
	struct tally_token token;

	assert_int_equal(tally_limit_reserve(l, machine_account(l, key),
					     memory(node, amount), &token,
					     NULL),
			 0);
	return token;
}

/* A ledger with 10 on each node, of which "full" has all on node 0. */
static struct tally_ledger *full(struct machine *m, struct tally_token *token)
{
	struct tally_ledger *l = machine_limit_ledger(m, 0);

	for (int i = 0; i < 3; i++)
		assert_int_equal(tally_limit_set_capacity(l, machine_nodes[i],
							  MEMORY, 10),
				 0);
	*token = reserve(l, "full", machine_nodes[0], 10);
	return l;
}

/* A build that is broken on purpose need not wait for the test's time-out. */
static void hangs(int signal)
{
	static const char text[] = "[  FAILED  ] a wake is lost\n";

	(void)signal;
	(void)!write(1, text, sizeof(text) - 1);
	_exit(1);
}

static void expect_progress(void)
{
	if (getenv("NUMATALLY_BROKEN"))
		alarm(3);
}

static int setup(void **state)
{
	expect_progress();
	return machine_setup(state);
}

#define WAIT_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, machine_teardown)

/* Give the whole reservation back. */
static int release(struct tally_ledger *l, struct tally_token token)
{
	return tally_limit_release(l, token, NULL, 0);
}

#endif
