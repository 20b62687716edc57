// SPDX-License-Identifier: MIT
/*
 * Threads that the C library registers for no restartable sequences: the library
 * registers an area of its own, and gives way to one that other code has.
 */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#include <numatally/ledger_inline.h>

#include "support/machine.h"

#define TUNABLES   "glibc.pthread.rseq=0"
#define NR_THREADS 8
#define NR_ADDS	   100000

#if defined(__aarch64__)
#define SIGNATURE 0xd428bc00u
#else
#define SIGNATURE 0x53053053u
#endif

/* The kernel's structure, of a library that registers its own. */
struct area {
	uint32_t cpu_id_start;
	int32_t cpu_id;
	char rest[24];
} __attribute__((aligned(32)));
static __thread struct area theirs;

static bool register_theirs(void)
{
	theirs.cpu_id = -1;
	return !syscall(SYS_rseq, &theirs, sizeof(theirs), 0, SIGNATURE);
}

static struct tally_ledger *ledger;
static struct tally_account account;

static void make(struct machine *m, bool exclusive)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};

	assert_int_equal(tally_ledger_create(NULL, m->topo, machine_resources,
					     2, &options, &ledger),
			 0);
	account = machine_account(ledger, "a");
}

/* Add until a sequence does, which may take several tries if the thread is moved,
 * or 1,000 times. Returns the number of adds; negative if no sequence did. */
static int64_t add_by_sequence(void)
{
	for (int64_t i = 1; i <= 1000; i++) {
		if (tally_ledger_add(ledger, account, 0, 1))
			return INT32_MIN;
		if (tally_ledger_add_fast(ledger, account, 0, 1))
			return i + 1;
	}
	return -1000;
}

struct thread {
	bool theirs_first;
	int64_t got; /* of add_by_sequence() */
};

static void *add_as_a_thread(void *arg)
{
	struct thread *t = arg;

	t->got = t->theirs_first && !register_theirs() ? INT32_MIN
						       : add_by_sequence();
	return NULL;
}

static int64_t in_a_thread(bool theirs_first)
{
	struct thread t = {.theirs_first = theirs_first};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, add_as_a_thread, &t), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return t.got;
}

static void *try_to_register(void *unused)
{
	(void)unused;
	return register_theirs() ? &account : NULL;
}

/* A kernel or a container may refuse. */
static void need_sequences(void)
{
	pthread_t thread;
	void *got;

#ifndef TALLY_HAS_SEQUENCES
	skip();
#endif
	if (TEST_TSAN)
		skip(); /* no ledger has sequences */
	assert_int_equal(pthread_create(&thread, NULL, try_to_register, NULL),
			 0);
	assert_int_equal(pthread_join(thread, &got), 0);
	if (!got)
		skip();
}

static void each_thread_has_an_area(void **state)
{
	need_sequences();
	for (int exclusive = 0; exclusive < 2; exclusive++) {
		int64_t sum, n;

		make(*state, exclusive);
		sum = add_by_sequence();
		assert_true(sum > 0);
		for (int i = 0; i < 3; i++) {
			n = in_a_thread(false);
			assert_true(n > 0);
			sum += n;
		}
		assert_int_equal(machine_total(ledger, 0), sum);
		tally_ledger_close(ledger);
	}
}

static void another_librarys_area_comes_first(void **state)
{
	need_sequences();
	for (int exclusive = 0; exclusive < 2; exclusive++) {
		int64_t sum, n;

		make(*state, exclusive);
		sum = add_by_sequence();
		assert_true(sum > 0);
		assert_int_equal(in_a_thread(true), -1000);
		n = in_a_thread(false);
		assert_true(n > 0);
		assert_int_equal(machine_total(ledger, 0), sum + 1000 + n);
		tally_ledger_close(ledger);
	}
}

static void *come_too_late(void *unused)
{
	(void)unused;
	return add_by_sequence() > 0 && !register_theirs() &&
			       add_by_sequence() > 0
		       ? &account
		       : NULL;
}

static void another_librarys_area_comes_too_late(void **state)
{
	pthread_t thread;
	void *got;

	need_sequences();
	make(*state, true);
	assert_int_equal(pthread_create(&thread, NULL, come_too_late, NULL), 0);
	assert_int_equal(pthread_join(thread, &got), 0);
	assert_non_null(got);
	tally_ledger_close(ledger);
}

static void none_is_wanted(void **state)
{
	setenv("NUMATALLY_RSEQ", "0", 1);
	for (int exclusive = 0; exclusive < 2; exclusive++) {
		make(*state, exclusive);
		assert_int_equal(add_by_sequence(), -1000);
		assert_int_equal(in_a_thread(false), -1000);
		assert_int_equal(machine_total(ledger, 0), 2000);
		tally_ledger_close(ledger);
	}
	unsetenv("NUMATALLY_RSEQ");
}

/* ---- many, on few CPUs ---------------------------------------------------- */

/* Every other one has the area of another library. */
static void *add_many(void *theirs_first)
{
	if (theirs_first && !register_theirs())
		return &account;
	for (int i = 0; i < NR_ADDS; i++) {
		if (tally_ledger_inline_add(ledger, account, 0, 1))
			return &account;
		if (i % 1000 == 0)
			sched_yield();
	}
	return NULL;
}

static void sequences_that_are_preempted(void **state)
{
	pthread_t threads[NR_THREADS];
	void *failed;

	need_sequences();
	for (int exclusive = 0; exclusive < 2; exclusive++) {
		make(*state, exclusive);
		for (int i = 0; i < NR_THREADS; i++)
			assert_int_equal(
				pthread_create(&threads[i], NULL, add_many,
					       i % 2 ? &account : NULL),
				0);
		for (int i = 0; i < NR_THREADS; i++) {
			assert_int_equal(pthread_join(threads[i], &failed), 0);
			assert_null(failed);
		}
		assert_int_equal(machine_total(ledger, 0),
				 NR_THREADS * NR_ADDS);
		tally_ledger_close(ledger);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(each_thread_has_an_area),
		MACHINE_TEST(another_librarys_area_comes_first),
		MACHINE_TEST(another_librarys_area_comes_too_late),
		MACHINE_TEST(none_is_wanted),
		MACHINE_TEST(sequences_that_are_preempted),
	};
	const char *tunables = getenv("GLIBC_TUNABLES");

	(void)argc;
	if (!tunables || strcmp(tunables, TUNABLES) != 0) {
		setenv("GLIBC_TUNABLES", TUNABLES, 1);
		execv("/proc/self/exe", argv);
		return 1;
	}
	unsetenv("NUMATALLY_RSEQ");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
