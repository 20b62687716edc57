// SPDX-License-Identifier: MIT
/* Waiting for room: no wake is lost. */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <numatally/limit.h>

#include "support/limits.h"
#include "support/machine.h"
#include "support/waits.h"

struct board {
	unsigned int asks; /* rounds in which the other waits, or will at once */
	unsigned int got;
	unsigned int full; /* rounds for which one has everything */
};

/* Wait for the other's step, unless it failed. */
static void await(const unsigned int *word, unsigned int value, pid_t pid)
{
	int status = 0;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			assert_int_equal(status, 0);
		sched_yield();
	}
}

static int other(const char *path, struct board *b, unsigned int nr)
{
	struct tally_account a;
	struct tally_ledger *l;
	int err = tally_ledger_open(path, &l);

	/* Not to sleep for ever, if the test fails. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!err)
		err = tally_account_open(tally_ledger_accounts(l), "other", &a);
	for (unsigned int i = 1; !err && i <= nr; i++) {
		while (__atomic_load_n(&b->full, __ATOMIC_ACQUIRE) != i)
			sched_yield();
		__atomic_store_n(&b->asks, i, __ATOMIC_RELEASE);
		err = tally_limit_wait(
			l, a, memory(machine_nodes[0], 1 + i % 10), -1, NULL);
		__atomic_store_n(&b->got, i, __ATOMIC_RELEASE);
	}
	return err;
}

/* In each round one process waits while the other one gives back what it has, a
 * little later each time. */
static void no_wake_is_lost(void **state)
{
	unsigned int nr = getenv("NUMATALLY_LONG")    ? 1000000
			  : getenv("NUMATALLY_SHORT") ? 2000
						      : 20000;
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct tally_account a = machine_account(l, "full");
	struct board *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	assert_ptr_not_equal(b, MAP_FAILED);
	endless = true;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(-other(m->path, b, nr));
	for (unsigned int i = 1; i <= nr; i++) {
		expect_progress();
		__atomic_store_n(&b->full, i, __ATOMIC_RELEASE);
		await(&b->asks, i, pid);
		for (volatile unsigned int k = 0; k < i * 7 % 4001; k++)
			;
		assert_int_equal(release(l, token), 0);
		await(&b->got, i, pid);
		assert_int_equal(
			tally_limit_reserve(l, a, memory(machine_nodes[0], 10),
					    &token, NULL),
			0);
	}
	endless = false;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	munmap(b, sizeof(*b));
	tally_ledger_close(l);
}

#define NR_WAITERS 6
#define EACH	   300

struct crowd {
	struct tally_ledger *ledger;
	int number;
	int err;
};

/* Each needs more than half of a node: they go one after another. */
static void *go_through(void *arg)
{
	struct crowd *c = arg;
	int node = machine_nodes[c->number % 2];
	struct tally_account a;
	struct tally_token token;
	char key[16];

	snprintf(key, sizeof(key), "%d", c->number);
	a = machine_account(c->ledger, key);
	for (int i = 0; !c->err && i < EACH; i++) {
		while ((c->err = tally_limit_reserve(c->ledger, a,
						     memory(node, 6), &token,
						     NULL)) == -ENOSPC) {
			c->err = tally_limit_wait(c->ledger, a, memory(node, 6),
						  -1, NULL);
			if (c->err)
				return NULL;
		}
		if (!c->err)
			c->err = release(c->ledger, token);
	}
	return NULL;
}

static void a_crowd_goes_through(void **state)
{
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct crowd crowd[NR_WAITERS];
	pthread_t threads[NR_WAITERS];

	assert_int_equal(release(l, token), 0);
	endless = true;
	for (int i = 0; i < NR_WAITERS; i++) {
		crowd[i] = (struct crowd){.ledger = l, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, go_through,
						&crowd[i]),
				 0);
	}
	for (int i = 0; i < NR_WAITERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(crowd[i].err, 0);
	}
	endless = false;
	assert_int_equal(limits_of_node(l, machine_nodes[0]).held, 0);
	limits_agree(l);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WAIT_TEST(no_wake_is_lost),
		WAIT_TEST(a_crowd_goes_through),
	};

	signal(SIGALRM, hangs);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
