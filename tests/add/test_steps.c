// SPDX-License-Identifier: MIT
/*
 * A process adds, and is stopped at each step of that while another process
 * takes a snapshot, gives the rows to other accounts, or takes over what the
 * first one leaves when it is killed there. add/broken.sh runs this with steps.
 */
#include "support/test.h"

#include <sched.h>
#include <signal.h>

#include <numatally/view.h>

#include "support/machine.h"
#include "support/step.h"

#define SHORT_WHILE INT64_C(2000000)
#define MOST_STEPS  1000

/* Two accounts in different buckets; "second" ends in some tests. */
struct subject {
	struct machine *machine;
	struct tally_ledger *ledger;
	struct tally_account first, second;
	bool fresh;   /* the buckets are not touched yet */
	bool several; /* accounts; else one, in a way of its own */
};

static int add(const struct subject *s, struct tally_ledger *ledger)
{
	const struct tally_entry entries[3] = {
		{s->first, TALLY_NODE_LOCAL, 0, 1},
		{s->second, 5, 1, 10},
		{s->second, TALLY_NODE_LOCAL, 0, 1},
	};

	if (!s->several)
		return tally_ledger_add(ledger, s->second, 0, 1);
	return tally_ledger_post(ledger, entries, 3);
}

/* What it adds to an account's events, and to the memory of the second. */
enum { FIRST, SECOND, MEMORY, NR_SUMS };

static const int64_t *whole(const struct subject *s)
{
	static const int64_t sums[2][NR_SUMS] = {{0, 1, 0}, {1, 1, 10}};

	return sums[s->several];
}

static int add_in_steps(void *arg)
{
	const struct subject *s = arg;
	struct tally_ledger *ledger;
	int err = tally_ledger_open(s->machine->path, &ledger);

	if (err)
		return -err;
	if (!s->fresh && add(s, ledger))
		return 1;
	step_begin();
	err = add(s, ledger);
	step_end();
	tally_ledger_close(ledger);
	return -err;
}

static void start(struct subject *s)
{
	char key[32];

	unlink(s->machine->path);
	s->ledger = machine_ledger(s->machine, 128);
	s->first = machine_account(s->ledger, "first");
	for (int i = 1; i < 70; i++) {
		snprintf(key, sizeof(key), "%d", i);
		s->second = machine_account(s->ledger, key);
	}
	assert_true(s->second.row >= 64);
}

/* -1: the account is gone. */
static void sums_of(const struct subject *s, const struct tally_view *view,
		    int64_t *sums)
{
	int64_t amounts[2];

	for (int i = 0; i < NR_SUMS; i++)
		sums[i] = -1;
	if (!tally_view_account(view, s->first, TALLY_VIEW_ALL, amounts))
		sums[FIRST] = amounts[0];
	if (tally_view_account(view, s->second, TALLY_VIEW_ALL, amounts))
		return;
	sums[SECOND] = amounts[0];
	sums[MEMORY] = amounts[1];
}

/* The add is there a number of times, from 0 on. */
static void assert_times(const struct subject *s, const struct tally_view *view,
			 int64_t times)
{
	int64_t sums[NR_SUMS];

	sums_of(s, view, sums);
	for (int i = 0; i < NR_SUMS; i++)
		assert_int_equal(sums[i], times * whole(s)[i]);
}

static void assert_now(const struct subject *s, int64_t times)
{
	struct tally_view *view;

	assert_int_equal(tally_view_open(s->ledger, &view), 0);
	assert_times(s, view, times);
	tally_view_close(view);
}

/* The kinds of adds, each with fresh buckets and with touched ones. */
static void each_kind(void **state,
		      bool (*at)(struct subject *s, unsigned int step))
{
	unsigned int step = 0;

	machine_few_cpus(*state);
	for (int kind = 0; kind < 4; kind++) {
		struct subject s = {
			.machine = *state,
			.fresh = kind & 1,
			.several = kind & 2,
		};

		for (step = 0; at(&s, step); step++)
			assert_true(step < MOST_STEPS);
		print_message("# kind %d: %u steps\n", kind, step);
	}
}

/* A snapshot, if it can be had, does not change, and has all of an add or
 * nothing. */
static bool snapshot_at(struct subject *s, unsigned int step)
{
	struct tally_view *view = NULL;
	int64_t before = s->fresh ? 0 : 1, sums[NR_SUMS], seen;
	struct stepped other;
	bool stopped;
	int err;

	start(s);
	step_run(&other, step, add_in_steps, s);
	stopped = other.stopped;
	err = tally_view_snapshot(s->ledger, 0, SHORT_WHILE, &view);
	if (err == -ENOSYS)
		skip();
	assert_true(!err || (stopped && err == -EAGAIN));
	if (!err) {
		sums_of(s, view, sums);
		seen = sums[SECOND];
		assert_true(seen == before || seen == before + 1);
		assert_times(s, view, seen);
	}
	step_on(&other);
	assert_int_equal(other.status, 0);
	if (!err)
		assert_times(s, view, seen);
	tally_view_close(view);
	assert_now(s, before + 1);
	assert_int_equal(tally_view_snapshot(s->ledger, 0, SECOND_NS, &view),
			 0);
	assert_times(s, view, before + 1);
	tally_view_close(view);
	tally_ledger_close(s->ledger);
	return stopped;
}

static void a_snapshot_at_each_step(void **state)
{
	each_kind(state, snapshot_at);
}

/* The account ends, and if its row can be had it is another's: which then has
 * nothing. */
static bool end_at(struct subject *s, unsigned int step)
{
	struct tally_accounts *accounts;
	struct tally_account next = {0};
	struct stepped other;
	int64_t sums[NR_SUMS];
	struct tally_view *view;
	bool stopped;
	int err = 0;

	start(s);
	accounts = tally_ledger_accounts(s->ledger);
	step_run(&other, step, add_in_steps, s);
	stopped = other.stopped;
	assert_int_equal(tally_account_end(accounts, s->second), 0);
	for (int i = 0; i < 4 && !err; i++) {
		err = tally_view_snapshot(s->ledger, 0, SHORT_WHILE, &view);
		if (!err)
			tally_view_close(view);
	}
	if (err == -ENOSYS)
		skip();
	if (!err) {
		next = machine_account(s->ledger, "next");
		assert_int_equal(next.row, s->second.row);
	}
	step_on(&other);
	assert_true(other.status == 0 || other.status == ESTALE);
	assert_int_equal(tally_view_open(s->ledger, &view), 0);
	sums_of(s, view, sums);
	assert_int_equal(sums[FIRST],
			 whole(s)[FIRST] * (!s->fresh + (other.status == 0)));
	tally_view_close(view);
	if (!err) {
		assert_int_equal(
			machine_amount(s->ledger, next, TALLY_VIEW_ALL, 0), 0);
		assert_int_equal(
			machine_amount(s->ledger, next, TALLY_VIEW_ALL, 1), 0);
	}
	tally_ledger_close(s->ledger);
	return stopped;
}

static void an_end_at_each_step(void **state)
{
	each_kind(state, end_at);
}

/* What a kill leaves is whole, or is reported with each of its accounts. */
static bool kill_at(struct subject *s, unsigned int step)
{
	struct tally_in_doubt doubt = {.size = sizeof(doubt)};
	int64_t before = s->fresh ? 0 : 1, sums[NR_SUMS];
	struct tally_view *view;
	struct stepped other;
	bool stopped;
	int err;

	start(s);
	step_run(&other, step, add_in_steps, s);
	stopped = other.stopped;
	step_kill(&other);
	err = tally_view_snapshot(s->ledger, 0, 10 * SECOND_NS, &view);
	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	sums_of(s, view, sums);
	if (!tally_view_nr_in_doubt(view)) {
		assert_true(sums[SECOND] == before ||
			    sums[SECOND] == before + 1);
		assert_times(s, view, sums[SECOND]);
	} else {
		assert_int_equal(tally_view_nr_in_doubt(view), 1);
		assert_int_equal(tally_view_in_doubt(view, 0, &doubt), 0);
		assert_int_equal(doubt.pid, other.pid);
		assert_int_equal(doubt.accounts[0].row,
				 s->several ? s->first.row : s->second.row);
		/* An account that is not named has all of the add, or
		 * nothing. */
		if (doubt.accounts[doubt.nr_accounts - 1].row != s->second.row)
			assert_int_equal(
				sums[MEMORY],
				(sums[SECOND] == before ? before : before + 1) *
					whole(s)[MEMORY]);
	}
	tally_view_close(view);
	tally_ledger_close(s->ledger);
	return stopped;
}

static void a_kill_at_each_step(void **state)
{
	each_kind(state, kill_at);
}

/* ---- in a signal handler --------------------------------------------------- */

static struct {
	struct tally_ledger *ledger;
	struct tally_entry entries[2];
	unsigned int after;
} handled;

/* Charges two other accounts, and stops a few steps later. */
static void charge_and_stop(int number)
{
	(void)number;
	if (tally_ledger_post(handled.ledger, handled.entries, 2))
		_exit(1);
	step_again(handled.after);
}

static int add_handling(void *arg)
{
	const struct subject *s = arg;
	int cpu = sched_getcpu();
	cpu_set_t here;
	int err;

	/* On the node of another CPU it has another word in flight. */
	CPU_ZERO(&here);
	CPU_SET((size_t)cpu, &here);
	if (sched_setaffinity(0, sizeof(here), &here))
		return 1;
	err = tally_ledger_open(s->machine->path, &handled.ledger);
	for (uint32_t i = 0; !err && i < 2; i++) {
		struct tally_account a;

		err = tally_account_find(tally_ledger_accounts(handled.ledger),
					 i ? "2" : "1", &a);
		handled.entries[i] =
			(struct tally_entry){a, TALLY_NODE_LOCAL, 0, 100};
	}
	if (err || add(s, handled.ledger) ||
	    tally_ledger_post(handled.ledger, handled.entries, 2))
		return 1;
	signal(SIGUSR1, charge_and_stop);
	step_begin();
	err = add(s, handled.ledger);
	step_end();
	return -err;
}

/* What a charge within another one leaves is the other one's. */
static bool kill_after_a_handler_at(struct subject *s, unsigned int step)
{
	struct tally_in_doubt doubt = {.size = sizeof(doubt)};
	struct tally_view *view;
	int64_t amounts[2], sums[NR_SUMS];
	struct stepped other;
	bool stopped;

	start(s);
	step_run(&other, step, add_handling, s);
	stopped = other.stopped;
	if (stopped)
		step_signal(&other, SIGUSR1);
	step_kill(&other);
	if (tally_view_snapshot(s->ledger, 0, 10 * SECOND_NS, &view))
		skip();
	for (int i = 0; i < 2; i++) {
		struct tally_account a =
			machine_account(s->ledger, i ? "2" : "1");

		assert_int_equal(
			tally_view_account(view, a, TALLY_VIEW_ALL, amounts),
			0);
		assert_int_equal(amounts[0], stopped ? 200 : 100);
	}
	sums_of(s, view, sums);
	if (!tally_view_nr_in_doubt(view)) {
		assert_times(s, view, sums[SECOND]);
	} else {
		assert_int_equal(tally_view_in_doubt(view, 0, &doubt), 0);
		assert_int_equal(doubt.accounts[0].row, s->first.row);
		for (unsigned int i = 1; i < doubt.nr_accounts; i++)
			assert_int_equal(doubt.accounts[i].row, s->second.row);
	}
	tally_view_close(view);
	tally_ledger_close(s->ledger);
	return stopped;
}

static void a_charge_in_a_handler_at_each_step(void **state)
{
	struct subject s = {.machine = *state, .several = true};
	unsigned int step;

	machine_few_cpus(*state);
	for (handled.after = 0; handled.after < 4; handled.after++) {
		for (step = 0; kill_after_a_handler_at(&s, step); step++)
			assert_true(step < MOST_STEPS);
		print_message("# %u steps\n", step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_snapshot_at_each_step),
		MACHINE_TEST(an_end_at_each_step),
		MACHINE_TEST(a_kill_at_each_step),
		MACHINE_TEST(a_charge_in_a_handler_at_each_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
