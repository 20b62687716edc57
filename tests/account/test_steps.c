// SPDX-License-Identifier: MIT
/*
 * A process opens, ends or reclaims accounts, and is stopped at each step of that
 * while another process does something else with them. account/broken.sh runs
 * this with steps.
 */
#include "support/test.h"

#include <numatally/view.h>

#include "support/machine.h"
#include "support/step.h"
#include "support/values.h"

#define SHORT_WHILE INT64_C(2000000)
#define MOST_STEPS  1000
#define NR_ROWS	    64

/* "job" owns "task", whose memory is 7; "other" has 1. */
struct subject {
	struct machine *machine;
	struct tally_ledger *ledger;
	struct tally_account job, task, other;
	struct tally_view *pinned; /* by read_a_snapshot() */
	char chain[3][16];	   /* keys of one chain */
	struct tally_account tail; /* the first one's */
	/* What the other process does, and what this one does meanwhile. */
	int (*in_steps)(struct subject *s, struct tally_ledger *ledger);
	void (*meanwhile)(struct subject *s);
	struct stepped *stepped;
};

static struct tally_accounts *of(struct tally_ledger *ledger)
{
	return tally_ledger_accounts(ledger);
}

static int add_memory(struct tally_ledger *ledger, struct tally_account account,
		      int64_t amount)
{
	return tally_ledger_charge(ledger, account, 5,
				   (struct tally_amount[]){{0, 1}, {1, amount}},
				   2);
}

static void start(struct subject *s)
{
	unlink(s->machine->path);
	s->ledger = machine_ledger(s->machine, NR_ROWS);
	s->job = machine_account(s->ledger, "job");
	s->task = machine_account(s->ledger, "task");
	s->other = machine_account(s->ledger, "other");
	assert_int_equal(
		tally_account_set_owner(of(s->ledger), s->task, s->job), 0);
	assert_int_equal(add_memory(s->ledger, s->task, 7), 0);
	assert_int_equal(add_memory(s->ledger, s->other, 1), 0);
}

/* ---- what is done in steps ----------------------------------------------- */

static int run(void *arg)
{
	struct subject *s = arg;
	struct tally_ledger *ledger;
	int err = tally_ledger_open(s->machine->path, &ledger);

	if (err)
		return -err;
	err = s->in_steps(s, ledger);
	step_end();
	if (!err)
		tally_ledger_close(ledger);
	return err < 0 ? -err : err;
}

/* The handle leads to the key, and back. */
static int open_new(struct subject *s, struct tally_ledger *ledger)
{
	struct tally_account a, found = {0};
	char key[128];
	int err;

	(void)s;
	step_begin();
	err = tally_account_open(of(ledger), "new", &a);
	step_end();
	if (!err)
		err = tally_account_find(of(ledger), "new", &found);
	if (!err)
		err = tally_account_key(of(ledger), a, key, sizeof(key));
	if (!err && (found.row != a.row || found.generation != a.generation ||
		     strcmp(key, "new") != 0))
		err = 1;
	return err;
}

static int end_job(struct subject *s, struct tally_ledger *ledger)
{
	step_begin();
	return tally_account_end(of(ledger), s->job);
}

static int own(struct subject *s, struct tally_ledger *ledger)
{
	step_begin();
	return tally_account_set_owner(of(ledger), s->other, s->job);
}

/* Four epochs, after "task" has gone. */
static int reclaim(struct subject *s, struct tally_ledger *ledger)
{
	struct tally_view *view;
	int err = tally_account_end(of(ledger), s->task);

	for (int i = 0; i < 4 && !err; i++) {
		step_begin();
		err = tally_view_snapshot(ledger, 0, SECOND_NS, &view);
		if (!err)
			tally_view_close(view);
	}
	return err;
}

/* The first account of a chain, which a search meets last. */
static int find_tail(struct subject *s, struct tally_ledger *ledger)
{
	struct tally_account found;
	int err;

	step_begin();
	err = tally_account_find(of(ledger), s->chain[0], &found);
	step_end();
	return !err && found.row != s->tail.row ? 1 : err;
}

/* ---- what is done meanwhile ---------------------------------------------- */

struct seen {
	int64_t amounts[2];
	unsigned int nr;
	int64_t memory; /* of all accounts */
};

static int see(void *arg, const struct value *value)
{
	struct seen *s = arg;

	s->nr++;
	if (value->resource == 1)
		s->memory += value->amount;
	return 0;
}

static struct seen look(const struct tally_view *view)
{
	struct seen s = {.nr = 0};

	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, s.amounts), 0);
	assert_int_equal(values_each(view, see, &s), 0);
	return s;
}

/* A snapshot does not change; its accounts are those of its totals. */
static void take_a_snapshot(struct subject *s)
{
	struct tally_view *view;
	struct seen before, after;
	int err = tally_view_snapshot(s->ledger, 0, SHORT_WHILE, &view);

	if (err == -ENOSYS)
		skip();
	if (err) {
		assert_int_equal(err, -EAGAIN);
		step_on(s->stepped);
		return;
	}
	before = look(view);
	assert_int_equal(before.amounts[0], 2);
	assert_int_equal(before.amounts[1], before.memory);
	step_on(s->stepped);
	after = look(view);
	assert_memory_equal(&before, &after, sizeof(after));
	tally_view_close(view);
}

/* Nor does one that was taken before. */
static void read_a_snapshot(struct subject *s)
{
	struct seen seen = look(s->pinned);

	assert_int_equal(seen.amounts[0], 2);
	assert_int_equal(seen.amounts[1], 8);
	assert_int_equal(seen.memory, 8);
	step_on(s->stepped);
	seen = look(s->pinned);
	assert_int_equal(seen.amounts[1], 8);
	assert_int_equal(seen.memory, 8);
}

/* A key has one row, whatever else is opened. */
static void open_accounts(struct subject *s)
{
	static const char *const keys[] = {"new", "task", "a", "b", "c"};
	struct tally_account opened[5], found;

	for (int i = 0; i < 5; i++)
		opened[i] = machine_account(s->ledger, keys[i]);
	step_on(s->stepped);
	for (int i = 0; i < 5; i++) {
		int err = tally_account_find(of(s->ledger), keys[i], &found);

		/* It may have been open already, and ended since. */
		if (err && i == 1)
			continue;
		assert_int_equal(err, 0);
		if (i != 1 || s->in_steps == open_new)
			assert_memory_equal(&found, &opened[i], sizeof(found));
	}
}

/* As the directory does, in a chain of 32. */
static uint32_t chain_of(const char *key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
	return (uint32_t)(hash ^ hash >> 32) % 32;
}

static void fill_chain(struct subject *s)
{
	int nr = 0;

	for (int i = 0; nr < 3; i++) {
		snprintf(s->chain[nr], sizeof(s->chain[nr]), "chain%d", i);
		nr += chain_of(s->chain[nr]) == 0;
	}
	s->tail = machine_account(s->ledger, s->chain[0]);
	for (int i = 1; i < 3; i++)
		machine_account(s->ledger, s->chain[i]);
}

/* A row in the middle of a chain goes to an account of another one. */
static void move_the_middle(struct subject *s)
{
	struct tally_account middle, moved;

	assert_int_equal(
		tally_account_find(of(s->ledger), s->chain[1], &middle), 0);
	assert_int_equal(tally_account_end(of(s->ledger), middle), 0);
	machine_reclaim(s->ledger);
	assert_int_not_equal(chain_of("moved"), 0);
	moved = machine_account(s->ledger, "moved");
	assert_int_equal(moved.row, middle.row);
	step_on(s->stepped);
}

/* Nothing is lost or found, whatever is reclaimed. */
static void read_all(struct subject *s)
{
	struct tally_view *view;
	struct tally_account found;
	struct seen seen;

	assert_int_equal(tally_view_open(s->ledger, &view), 0);
	seen = look(view);
	assert_int_equal(seen.amounts[0], 2);
	assert_true(seen.amounts[1] == 8 || seen.amounts[1] == 1);
	assert_int_equal(tally_account_find(of(s->ledger), "other", &found), 0);
	assert_int_equal(machine_amount(s->ledger, found, 5, 1), 1);
	step_on(s->stepped);
	assert_int_equal(look(view).amounts[0], 2);
	tally_view_close(view);
}

/* What it began is finished, and it keeps no row. */
static void kill_it(struct subject *s)
{
	struct tally_account a;
	uint64_t cursor = 0;
	char key[32];
	int err, nr = 0;

	step_kill(s->stepped);
	s->stepped->status = 0;
	err = tally_account_end(of(s->ledger), s->task);
	assert_true(!err || err == -ESTALE);
	for (int i = 0; i < NR_ROWS; i++) {
		snprintf(key, sizeof(key), "%d", i);
		err = tally_account_open(of(s->ledger), key, &a);
		assert_true(!err || err == -ENOSPC);
	}
	while (!tally_account_next(of(s->ledger), &cursor, &a))
		nr++;
	assert_int_equal(nr, NR_ROWS);
}

/* Each key leads to its own account, and each ending one waits for another. If
 * "job" ends, so does what it owns, and nothing else. */
static void check(struct subject *s)
{
	struct tally_account a, found, owner;
	bool owned[NR_ROWS] = {false}, live[NR_ROWS] = {false};
	uint64_t cursor = 0;
	char key[128];
	int err;

	while (!tally_account_next(of(s->ledger), &cursor, &a)) {
		assert_int_equal(
			tally_account_key(of(s->ledger), a, key, sizeof(key)),
			0);
		assert_int_equal(tally_account_find(of(s->ledger), key, &found),
				 0);
		assert_memory_equal(&found, &a, sizeof(a));
		assert_int_not_equal(tally_account_phase(of(s->ledger), a),
				     TALLY_PHASE_TERMINATING);
		live[a.row] = true;
		if (tally_account_owner(of(s->ledger), a, &owner))
			continue;
		assert_memory_equal(&owner, &s->job, sizeof(owner));
		owned[a.row] = true;
	}
	err = tally_account_end(of(s->ledger), s->job);
	assert_true(!err || err == -ESTALE);
	live[s->job.row] &= err == -ESTALE;
	cursor = 0;
	while (!tally_account_next(of(s->ledger), &cursor, &a)) {
		assert_true(live[a.row] && !owned[a.row]);
		live[a.row] = false;
	}
	for (int i = 0; i < NR_ROWS; i++)
		assert_true(!live[i] || owned[i]);
}

static void each(void **state,
		 int (*in_steps)(struct subject *s, struct tally_ledger *l),
		 void (*meanwhile)(struct subject *s))
{
	unsigned int step = 0;
	bool stopped;

	machine_few_cpus(*state);
	do {
		struct stepped other;
		struct subject s = {.machine = *state,
				    .in_steps = in_steps,
				    .meanwhile = meanwhile,
				    .stepped = &other};

		assert_true(step < MOST_STEPS);
		start(&s);
		if (in_steps == find_tail)
			fill_chain(&s);
		if (meanwhile == read_a_snapshot &&
		    tally_view_snapshot(s.ledger, 0, SECOND_NS, &s.pinned))
			skip();
		step_run(&other, step++, run, &s);
		stopped = other.stopped;
		meanwhile(&s);
		assert_int_equal(other.status, 0);
		check(&s);
		tally_view_close(s.pinned);
		tally_ledger_close(s.ledger);
	} while (stopped);
	print_message("# %u steps\n", step - 1);
}

#define CASE(name, in_steps, meanwhile)           \
	static void name(void **state)            \
	{                                         \
		each(state, in_steps, meanwhile); \
	}
CASE(opened_while_others_are_opened, open_new, open_accounts)
CASE(opened_while_a_snapshot_is_taken, open_new, take_a_snapshot)
CASE(opened_while_a_snapshot_is_read, open_new, read_a_snapshot)
CASE(opened_by_the_dead, open_new, kill_it)
CASE(ended_while_a_snapshot_is_taken, end_job, take_a_snapshot)
CASE(ended_while_others_are_opened, end_job, open_accounts)
CASE(ended_while_all_is_read, end_job, read_all)
CASE(ended_while_a_snapshot_is_read, end_job, read_a_snapshot)
CASE(ended_by_the_dead, end_job, kill_it)
CASE(owned_while_a_snapshot_is_taken, own, take_a_snapshot)
CASE(owned_by_the_dead, own, kill_it)
CASE(reclaimed_while_others_are_opened, reclaim, open_accounts)
CASE(reclaimed_while_all_is_read, reclaim, read_all)
CASE(reclaimed_by_the_dead, reclaim, kill_it)
CASE(found_while_a_row_moves, find_tail, move_the_middle)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(opened_while_others_are_opened),
		MACHINE_TEST(opened_while_a_snapshot_is_taken),
		MACHINE_TEST(opened_while_a_snapshot_is_read),
		MACHINE_TEST(opened_by_the_dead),
		MACHINE_TEST(ended_while_a_snapshot_is_taken),
		MACHINE_TEST(ended_while_others_are_opened),
		MACHINE_TEST(ended_while_all_is_read),
		MACHINE_TEST(ended_while_a_snapshot_is_read),
		MACHINE_TEST(ended_by_the_dead),
		MACHINE_TEST(owned_while_a_snapshot_is_taken),
		MACHINE_TEST(owned_by_the_dead),
		MACHINE_TEST(reclaimed_while_others_are_opened),
		MACHINE_TEST(reclaimed_while_all_is_read),
		MACHINE_TEST(reclaimed_by_the_dead),
		MACHINE_TEST(found_while_a_row_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
