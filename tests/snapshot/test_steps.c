// SPDX-License-Identifier: MIT
/*
 * A process takes a snapshot and releases it, and is stopped at each step of
 * that while another process reads, adds, takes a snapshot of its own, or takes
 * over from the dead; or it reads, and the other one folds. snapshot/broken.sh
 * runs this with steps.
 */
#include "support/test.h"

#include <numatally/reader.h>
#include <numatally/view.h>

#include "support/machine.h"
#include "support/step.h"

#define SHORT_WHILE INT64_C(2000000)
#define MOST_STEPS  2000

struct subject {
	struct machine *machine;
	struct tally_ledger *ledger;
	struct tally_account account;
	int64_t added;	 /* events; as much memory, negative */
	int64_t counted; /* events of the account before */
	struct stepped *stepped;
};

static void add(struct subject *s)
{
	assert_int_equal(tally_ledger_charge(
				 s->ledger, s->account, 5,
				 (struct tally_amount[]){{0, 1}, {1, -1}}, 2),
			 0);
	s->added++;
}

static void assert_view(const struct subject *s, const struct tally_view *view,
			int64_t added)
{
	int64_t amounts[2];

	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[0], s->counted + added);
	assert_int_equal(amounts[1], -added);
	assert_int_equal(
		tally_view_account(view, s->account, TALLY_VIEW_ALL, amounts),
		0);
	assert_int_equal(amounts[0], added);
	assert_int_equal(amounts[1], -added);
}

/* A writer's view, and a reader's, who has read nothing before. */
static void assert_now(const struct subject *s)
{
	struct tally_reader *reader;
	struct tally_view *view;

	assert_int_equal(tally_view_open(s->ledger, &view), 0);
	assert_view(s, view, s->added);
	tally_view_close(view);
	assert_int_equal(tally_reader_open(s->machine->path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	assert_view(s, view, s->added);
	tally_view_close(view);
	tally_reader_close(reader);
}

/* ---- what is done in steps ----------------------------------------------- */

/* Some cells are folded twice by then, and some once. */
static int snapshot(void *arg)
{
	const struct subject *s = arg;
	struct tally_ledger *ledger;
	struct tally_view *view;
	int64_t amounts[2], before;
	int err = tally_ledger_open(s->machine->path, &ledger);

	if (err)
		return -err;
	step_begin();
	err = tally_view_snapshot(ledger, 0, SECOND_NS, &view);
	if (err)
		return -err;
	err = tally_view_totals(view, TALLY_VIEW_ALL, amounts);
	if (err)
		return -err;
	before = amounts[0];
	err = tally_view_totals(view, TALLY_VIEW_ALL, amounts);
	if (err || amounts[0] != before || amounts[1] != -before)
		return err ? -err : 1;
	tally_view_close(view);
	step_end();
	tally_ledger_close(ledger);
	return 0;
}

/* A live view of all, and of an account. */
static int read_live(void *arg)
{
	const struct subject *s = arg;
	struct tally_ledger *ledger;
	struct tally_view *view;
	int64_t all[2], its[2];
	int err = tally_ledger_open(s->machine->path, &ledger);

	if (!err)
		err = tally_view_open(ledger, &view);
	if (err)
		return -err;
	step_begin();
	err = tally_view_totals(view, TALLY_VIEW_ALL, all);
	if (!err)
		err = tally_view_account(view, s->account, TALLY_VIEW_ALL, its);
	step_end();
	if (!err && (all[0] != s->added || all[1] != -s->added ||
		     its[0] != s->added || its[1] != -s->added))
		err = 1;
	tally_view_close(view);
	tally_ledger_close(ledger);
	return err < 0 ? -err : err;
}

/* An account may end meanwhile; its row's next amounts are not its own. */
static int read_account(void *arg)
{
	const struct subject *s = arg;
	struct tally_ledger *ledger;
	struct tally_view *view;
	int64_t its[2];
	int err = tally_ledger_open(s->machine->path, &ledger);

	if (!err)
		err = tally_view_open(ledger, &view);
	if (err)
		return -err;
	step_begin();
	err = tally_view_account(view, s->account, TALLY_VIEW_ALL, its);
	step_end();
	if (!err && (its[0] != s->added || its[1] != -s->added))
		err = 1;
	tally_view_close(view);
	tally_ledger_close(ledger);
	return err == -ESTALE ? 0 : err < 0 ? -err : err;
}

/* ---- what is done meanwhile ---------------------------------------------- */

static void read_now(struct subject *s)
{
	assert_now(s);
	step_on(s->stepped);
}

/* A view that was opened before. */
static void read_before_and_after(struct subject *s)
{
	struct tally_view *view;

	assert_int_equal(tally_view_open(s->ledger, &view), 0);
	assert_view(s, view, s->added);
	step_on(s->stepped);
	assert_view(s, view, s->added);
	tally_view_close(view);
}

static void add_and_read(struct subject *s)
{
	add(s);
	assert_now(s);
	step_on(s->stepped);
	add(s);
}

static void take_another(struct subject *s, unsigned int flags)
{
	struct tally_view *view;
	int64_t amounts[2];
	int err;

	add(s);
	err = tally_view_snapshot(s->ledger, flags, SHORT_WHILE, &view);
	if (err) {
		assert_true(err == -EAGAIN || (!flags && err == -EBUSY));
		step_on(s->stepped);
		return;
	}
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	add(s);
	assert_view(s, view, amounts[0]);
	step_on(s->stepped);
	assert_view(s, view, amounts[0]);
	tally_view_close(view);
}

static void take_one(struct subject *s)
{
	take_another(s, 0);
}

static void join_one(struct subject *s)
{
	take_another(s, TALLY_SNAPSHOT_JOIN);
}

static void kill_it(struct subject *s)
{
	step_kill(s->stepped);
	s->stepped->status = 0;
	add(s);
	assert_now(s);
}

/* ---- each of them at each step ------------------------------------------- */

static void release_one(struct subject *s)
{
	struct tally_view *view;
	int err = tally_view_snapshot(s->ledger, 0, SECOND_NS, &view);

	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	assert_view(s, view, s->added);
	tally_view_close(view);
}

static void fold(struct subject *s)
{
	release_one(s);
	step_on(s->stepped);
}

static void fold_twice(struct subject *s)
{
	release_one(s);
	fold(s);
}

static void give_the_row_away(struct subject *s)
{
	struct tally_accounts *accounts = tally_ledger_accounts(s->ledger);
	uint32_t row = s->account.row;
	int64_t added = s->added;

	assert_int_equal(tally_account_end(accounts, s->account), 0);
	machine_reclaim(s->ledger);
	s->account = machine_account(s->ledger, "b");
	assert_int_equal(s->account.row, row);
	s->added = 0;
	for (int i = 0; i < 100; i++)
		add(s);
	step_on(s->stepped);
	/* The counter stays in the totals; the gauge does not. */
	s->counted = added;
}

static void start(struct subject *s)
{
	unlink(s->machine->path);
	s->ledger = machine_ledger(s->machine, 128);
	s->account = machine_account(s->ledger, "a");
	s->added = 0;
	for (int i = 0; i < 3; i++) {
		add(s);
		release_one(s);
	}
	add(s);
}

static void each(void **state, int (*in_steps)(void *arg),
		 void (*meanwhile)(struct subject *s))
{
	unsigned int step = 0;
	bool stopped;

	machine_few_cpus(*state);
	do {
		struct stepped other;
		struct subject s = {.machine = *state, .stepped = &other};

		assert_true(step < MOST_STEPS);
		start(&s);
		step_run(&other, step++, in_steps, &s);
		stopped = other.stopped;
		meanwhile(&s);
		/* The other snapshot may still be pinned. */
		assert_true(other.status == 0 ||
			    (meanwhile == take_one && other.status == EBUSY) ||
			    (meanwhile == join_one && other.status == EBUSY));
		add(&s);
		release_one(&s);
		release_one(&s);
		assert_now(&s);
		tally_ledger_close(s.ledger);
	} while (stopped);
	print_message("# %u steps\n", step - 1);
}

#define CASE(name, in_steps, meanwhile)           \
	static void name(void **state)            \
	{                                         \
		each(state, in_steps, meanwhile); \
	}
CASE(read_at_each_step, snapshot, read_now)
CASE(read_across_each_step, snapshot, read_before_and_after)
CASE(added_to_at_each_step, snapshot, add_and_read)
CASE(taken_beside_another, snapshot, take_one)
CASE(joined_at_each_step, snapshot, join_one)
CASE(killed_at_each_step, snapshot, kill_it)
CASE(folded_at_each_step_of_a_reader, read_live, fold)
CASE(folded_twice_at_each_step_of_a_reader, read_live, fold_twice)
CASE(ended_at_each_step_of_a_reader, read_account, give_the_row_away)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(read_at_each_step),
		MACHINE_TEST(read_across_each_step),
		MACHINE_TEST(added_to_at_each_step),
		MACHINE_TEST(taken_beside_another),
		MACHINE_TEST(joined_at_each_step),
		MACHINE_TEST(killed_at_each_step),
		MACHINE_TEST(folded_at_each_step_of_a_reader),
		MACHINE_TEST(folded_twice_at_each_step_of_a_reader),
		MACHINE_TEST(ended_at_each_step_of_a_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
