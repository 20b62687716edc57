// SPDX-License-Identifier: MIT
/* Waiting for room: what it answers, and each way to make room ends it. */
#include "support/test.h"

#include <pthread.h>
#include <sys/wait.h>

#include <numatally/error.h>
#include <numatally/limit.h>

#include "support/limits.h"
#include "support/machine.h"
#include "support/waits.h"

#define SECOND INT64_C(1000000000)

/* ---- answers -------------------------------------------------------------- */

static void what_fits_is_not_waited_for(void **state)
{
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct tally_account a = machine_account(l, "a");

	assert_int_equal(
		tally_limit_wait(l, a, memory(machine_nodes[1], 10), 0, NULL),
		0);
	/* It is not granted either. */
	reserve(l, "b", machine_nodes[1], 10);
	limits_agree(l);
	tally_ledger_close(l);
}

static void a_wait_ends_in_time(void **state)
{
	static const int64_t timeouts[] = {0, 1, 60 * SECOND / 1000};
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct tally_account a = machine_account(l, "a");

	for (int i = 0; i < 3; i++) {
		struct tally_refusal refusal = {.size = sizeof(refusal)};

		assert_int_equal(tally_limit_wait(l, a,
						  memory(machine_nodes[0], 3),
						  timeouts[i], &refusal),
				 -ETIMEDOUT);
		assert_int_equal(refusal.node, machine_nodes[0]);
		assert_int_equal(refusal.resource, MEMORY);
		assert_int_equal(refusal.asked, 3);
		assert_int_equal(refusal.free, 0);
	}
	assert_string_equal(tally_strerror_of("tally_limit_wait", -ETIMEDOUT),
			    "a limit still refuses it");
	/* No refusal is counted. */
	assert_int_equal(limits_of_node(l, machine_nodes[0]).nr_refused, 0);
	tally_ledger_close(l);
}

static void what_no_room_helps_is_not_waited_for(void **state)
{
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct tally_account a = machine_account(l, "a");
	struct tally_account has = machine_account(l, "full");
	struct tally_account gone = machine_account(l, "gone");

	assert_int_equal(
		tally_limit_wait(l, has, memory(machine_nodes[0], 3), -1, NULL),
		-EEXIST);
	assert_int_equal(tally_limit_wait(l, a, memory(77, 3), -1, NULL),
			 -ENOENT);
	assert_int_equal(
		tally_limit_wait(l, a, memory(machine_nodes[0], -3), -1, NULL),
		-EINVAL);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), gone), 0);
	assert_int_equal(tally_limit_wait(l, gone, memory(machine_nodes[0], 3),
					  -1, NULL),
			 -ESTALE);
	assert_int_equal(
		tally_limit_draw_wait(l, a, (struct tally_token){1, 99},
				      memory(machine_nodes[0], 3), -1, NULL),
		-ESTALE);
	tally_ledger_close(l);
}

/* ---- one that waits, and what ends it ------------------------------------- */

struct waiter {
	struct tally_ledger *ledger;
	const char *key;
	const struct tally_token *parent; /* or NULL */
	int node;
	int64_t amount;
	pthread_t thread;
	pid_t tid;
	int err;
};

static void *wait_there(void *arg)
{
	struct waiter *w = arg;
	struct tally_account a = machine_account(w->ledger, w->key);

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	w->err = w->parent ? tally_limit_draw_wait(w->ledger, a, *w->parent,
						   memory(w->node, w->amount),
						   -1, NULL)
			   : tally_limit_wait(w->ledger, a,
					      memory(w->node, w->amount), -1,
					      NULL);
	return NULL;
}

/* Start it, and wait until nothing but a wake ends its sleep. */
static void start(struct waiter *w)
{
	unsigned int before = __atomic_load_n(&nr_sleeps, __ATOMIC_ACQUIRE);

	assert_int_equal(pthread_create(&w->thread, NULL, wait_there, w), 0);
	await_sleep(&w->tid, before);
}

static int end(struct waiter *w)
{
	assert_int_equal(pthread_join(w->thread, NULL), 0);
	return w->err;
}

static int cancel(struct tally_ledger *l, struct tally_token token)
{
	return tally_limit_cancel(l, token);
}

static int release_some(struct tally_ledger *l, struct tally_token token)
{
	const struct tally_demand some = {machine_nodes[0], MEMORY, 3};

	return tally_limit_release(l, token, &some, 1);
}

static int move_some(struct tally_ledger *l, struct tally_token token)
{
	const struct tally_demand demands[2] = {
		{machine_nodes[0], MEMORY, -3},
		{machine_nodes[1], MEMORY, 3},
	};
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = demands,
		.nr_demands = 2,
	};

	return tally_limit_change(l, token, &request, NULL);
}

static int raise_capacity(struct tally_ledger *l, struct tally_token token)
{
	(void)token;
	return tally_limit_set_capacity(l, machine_nodes[0], MEMORY, 13);
}

static int exchange(struct tally_ledger *l, struct tally_token token)
{
	struct tally_capacity capacity = {machine_nodes[0], MEMORY, 13};

	(void)token;
	return tally_limit_exchange(l, &capacity, 1, NULL, 0);
}

static void each_way_to_make_room_ends_a_wait(void **state)
{
	static int (*const ways[])(struct tally_ledger *,
				   struct tally_token) = {
		release,   cancel,	   release_some,
		move_some, raise_capacity, exchange};
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);

	endless = ROOM_ANYWHERE;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct waiter w = {.ledger = l,
				   .key = "waits",
				   .node = machine_nodes[0],
				   .amount = 3};

		if (i) {
			(void)release(l, token);
			assert_int_equal(
				tally_limit_set_capacity(l, machine_nodes[0],
							 MEMORY, 10),
				0);
			token = reserve(l, "full", machine_nodes[0], 10);
		}
		start(&w);
		assert_int_equal(ways[i](l, token), 0);
		assert_int_equal(end(&w), 0);
	}
	endless = 0;
	limits_agree(l);
	tally_ledger_close(l);
}

/* It sleeps on while others make room, or could take some, on other nodes. */
static void a_wait_is_left_alone_by_other_nodes(void **state)
{
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct tally_capacity capacity = {machine_nodes[1], MEMORY, 13};
	struct waiter w = {.ledger = l,
			   .key = "waits",
			   .node = machine_nodes[0],
			   .amount = 3};
	unsigned int before;

	endless = ROOM_ANYWHERE;
	start(&w);
	before = nr_wakes;
	(void)release(l, reserve(l, "other", machine_nodes[1], 10));
	assert_int_equal(
		tally_limit_set_capacity(l, machine_nodes[1], MEMORY, 12), 0);
	assert_int_equal(tally_limit_exchange(l, &capacity, 1, NULL, 0), 0);
	assert_int_equal(nr_wakes, before);
	assert_int_equal(release(l, token), 0);
	assert_int_equal(nr_wakes, before + 1);
	assert_int_equal(end(&w), 0);
	endless = 0;
	tally_ledger_close(l);
}

static struct {
	struct tally_ledger *ledger;
	struct tally_token token;
} late;

static void release_late(void)
{
	before_sleep = NULL;
	assert_int_equal(release(late.ledger, late.token), 0);
}

/* No wake finds it asleep. */
static void room_that_is_made_before_the_sleep_ends_it(void **state)
{
	struct machine *m = *state;

	late.ledger = full(m, &late.token);
	before_sleep = release_late;
	endless = ROOM_ANYWHERE;
	assert_int_equal(tally_limit_wait(late.ledger,
					  machine_account(late.ledger, "waits"),
					  memory(machine_nodes[0], 3), -1,
					  NULL),
			 0);
	endless = 0;
	assert_null(before_sleep);
	tally_ledger_close(late.ledger);
}

/* What a credit gives back with the lock. */
static void what_a_credit_gives_back_ends_a_wait(void **state)
{
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct waiter w = {.ledger = l,
			   .key = "waits",
			   .node = machine_nodes[1],
			   .amount = 3};
	struct tally_credit credit;

	assert_int_equal(tally_limit_credit(l, machine_account(l, "takes"),
					    machine_nodes[1], MEMORY, &credit),
			 0);
	assert_int_equal(tally_limit_take(&credit, 10), 0);
	endless = ROOM_ANYWHERE;
	start(&w);
	assert_int_equal(tally_limit_give(&credit, 5), 0);
	assert_int_equal(end(&w), 0);
	endless = 0;
	tally_ledger_close(l);
}

static void a_quota_that_is_raised_or_left_ends_a_wait(void **state)
{
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct tally_account all = machine_account(l, "q/");

	assert_int_equal(tally_limit_set_quota(l, all, MEMORY, 5), 0);
	token = reserve(l, "q/a", machine_nodes[1], 5);
	endless = ROOM_ANYWHERE;
	for (int i = 0; i < 2; i++) {
		/* Another node's: nothing but the quota refuses it. */
		struct waiter w = {.ledger = l,
				   .key = "q/b",
				   .node = machine_nodes[2],
				   .amount = 4};

		start(&w);
		assert_int_equal(i ? release(l, token)
				   : tally_limit_set_quota(l, all, MEMORY, 9),
				 0);
		assert_int_equal(end(&w), 0);
		assert_int_equal(tally_limit_set_quota(l, all, MEMORY, 5), 0);
	}
	endless = 0;
	tally_ledger_close(l);
}

/* With its account, or when the last pin lets that go. */
static void a_quota_that_ends_ends_a_wait(void **state)
{
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct tally_accounts *accounts = tally_ledger_accounts(l);

	assert_int_equal(release(l, token), 0);
	endless = ROOM_ANYWHERE;
	for (int i = 0; i < 2; i++) {
		struct tally_account all = machine_account(l, "q/");
		struct waiter w = {.ledger = l,
				   .key = "q/b",
				   .node = machine_nodes[2],
				   .amount = 4};

		assert_int_equal(tally_limit_set_quota(l, all, MEMORY, 3), 0);
		if (i) {
			assert_int_equal(tally_account_pin(accounts, all, 0),
					 0);
			assert_int_equal(tally_account_end(accounts, all), 0);
		}
		start(&w);
		assert_int_equal(i ? tally_account_unpin(accounts, all, 0)
				   : tally_account_end(accounts, all),
				 0);
		assert_int_equal(end(&w), 0);
	}
	endless = 0;
	tally_ledger_close(l);
}

static void a_parent_that_grows_or_ends_ends_a_wait(void **state)
{
	const struct tally_demand more = {machine_nodes[1], MEMORY, 4};
	const struct tally_request grow = {
		.size = sizeof(grow),
		.demands = &more,
		.nr_demands = 1,
	};
	struct machine *m = *state;
	struct tally_token parent, child;
	struct tally_ledger *l = full(m, &parent);
	struct waiter w = {.ledger = l,
			   .key = "waits",
			   .parent = &parent,
			   .node = machine_nodes[1],
			   .amount = 3};

	parent = reserve(l, "job", machine_nodes[1], 4);
	assert_int_equal(tally_limit_draw(l, machine_account(l, "step"), parent,
					  memory(machine_nodes[1], 4), &child,
					  NULL),
			 0);
	endless = ROOM_ANYWHERE;
	start(&w);
	assert_int_equal(tally_limit_change(l, parent, &grow, NULL), 0);
	assert_int_equal(end(&w), 0);
	w.amount = 6;
	start(&w);
	assert_int_equal(release(l, child), 0);
	assert_int_equal(end(&w), 0);
	w.amount = 9;
	start(&w);
	assert_int_equal(release(l, parent), 0);
	assert_int_equal(end(&w), -ESTALE);
	endless = 0;
	tally_ledger_close(l);
}

/* Nobody tells of these. */
static void a_lease_or_a_process_that_ends_ends_a_wait(void **state)
{
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct tally_account a = machine_account(l, "a");
	struct tally_request leased = *memory(machine_nodes[1], 10);
	pid_t pid;

	leased.lease_ns = SECOND / 10;
	assert_int_equal(tally_limit_reserve(l, machine_account(l, "leased"),
					     &leased, &token, NULL),
			 0);
	assert_int_equal(
		tally_limit_wait(l, a, memory(machine_nodes[1], 10), -1, NULL),
		0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct tally_account dies;

		if (tally_ledger_open(m->path, &l) ||
		    tally_account_open(tally_ledger_accounts(l), "dies",
				       &dies) ||
		    tally_limit_reserve(l, dies, memory(machine_nodes[1], 10),
					&token, NULL))
			_exit(1);
		usleep(100000);
		kill(getpid(), SIGKILL);
	}
	while (!tally_limit_fits(l, a, memory(machine_nodes[1], 10), NULL))
		usleep(1000);
	assert_int_equal(
		tally_limit_wait(l, a, memory(machine_nodes[1], 10), -1, NULL),
		0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	tally_ledger_close(l);
}

static void nothing(int signal)
{
	(void)signal;
}

static void a_signal_ends_a_wait(void **state)
{
	const struct sigaction action = {.sa_handler = nothing,
					 .sa_flags = SA_RESTART};
	struct machine *m = *state;
	struct tally_token token;
	struct tally_ledger *l = full(m, &token);
	struct waiter w = {.ledger = l,
			   .key = "waits",
			   .node = machine_nodes[0],
			   .amount = 3};
	struct timespec t;

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(pthread_create(&w.thread, NULL, wait_there, &w), 0);
	/* It may come before or between sleeps. */
	do {
		pthread_kill(w.thread, SIGUSR1);
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += 1000000;
		if (t.tv_nsec >= SECOND) {
			t.tv_nsec -= SECOND;
			t.tv_sec++;
		}
	} while (pthread_timedjoin_np(w.thread, NULL, &t));
	assert_int_equal(w.err, -EINTR);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLEEP_TEST(what_fits_is_not_waited_for),
		SLEEP_TEST(a_wait_ends_in_time),
		SLEEP_TEST(what_no_room_helps_is_not_waited_for),
		SLEEP_TEST(each_way_to_make_room_ends_a_wait),
		SLEEP_TEST(a_wait_is_left_alone_by_other_nodes),
		SLEEP_TEST(room_that_is_made_before_the_sleep_ends_it),
		SLEEP_TEST(what_a_credit_gives_back_ends_a_wait),
		SLEEP_TEST(a_quota_that_is_raised_or_left_ends_a_wait),
		SLEEP_TEST(a_quota_that_ends_ends_a_wait),
		SLEEP_TEST(a_parent_that_grows_or_ends_ends_a_wait),
		SLEEP_TEST(a_lease_or_a_process_that_ends_ends_a_wait),
		SLEEP_TEST(a_signal_ends_a_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
