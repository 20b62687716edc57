// SPDX-License-Identifier: MIT
/* Many amounts are read while accounts end and banks are folded, at each step of
 * the reader. See support/step.h and view/broken.sh. */
#include "support/test.h"

#include <numatally/view.h>

#include "support/machine.h"
#include "support/step.h"

#define MOST_STEPS 20000
#define NEXT	   100
#define NR	   3 /* accounts, the middle one of which ends */

struct subject {
	struct machine *machine;
	struct tally_ledger *ledger;
	struct tally_account accounts[NR];
	int64_t added; /* to each */
};

static void add(struct subject *s)
{
	for (int i = 0; i < NR; i++)
		assert_int_equal(
			tally_ledger_charge(s->ledger, s->accounts[i], 5,
					    &(struct tally_amount){0, 1}, 1),
			0);
	s->added++;
}

static void release_one(struct subject *s)
{
	struct tally_view *view;
	int err = tally_view_snapshot(s->ledger, 0, SECOND_NS, &view);

	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	tally_view_close(view);
}

static void start(struct subject *s)
{
	static const char *const keys[NR] = {"a", "b", "c"};

	unlink(s->machine->path);
	s->ledger = machine_ledger(s->machine, 128);
	s->added = 0;
	for (int i = 0; i < NR; i++)
		s->accounts[i] = machine_account(s->ledger, keys[i]);
	for (int i = 0; i < 3; i++) {
		add(s);
		release_one(s);
	}
	add(s);
}

/* ---- in steps ------------------------------------------------------------ */

static bool is_right(const struct subject *s, const struct tally_entry *e)
{
	/* The row's next account. */
	if (e->account.row == s->accounts[1].row &&
	    e->account.generation != s->accounts[1].generation)
		return e->amount == NEXT;
	for (int i = 0; i < NR; i++)
		if (e->account.row == s->accounts[i].row &&
		    e->account.generation == s->accounts[i].generation)
			return e->node == 5 && e->resource == 0 &&
			       e->amount == s->added;
	return false;
}

/* Each account has its amount, or is left out. */
static int read_many(void *arg)
{
	const struct subject *s = arg;
	struct tally_entry entries[16];
	struct tally_ledger *ledger;
	struct tally_view *view;
	uint64_t cursor = 0;
	size_t nr = 0;
	int err = tally_ledger_open(s->machine->path, &ledger);

	if (!err)
		err = tally_view_open(ledger, &view);
	if (err)
		return -err;
	step_begin();
	err = tally_view_read(view, NULL, &cursor, entries, 16, &nr);
	step_end();
	for (size_t i = 0; !err && i < nr; i++)
		err = !is_right(s, &entries[i]);
	if (!err && (nr < NR - 1 || nr > NR))
		err = 2;
	tally_view_close(view);
	tally_ledger_close(ledger);
	return err < 0 ? -err : err;
}

/* ---- meanwhile ----------------------------------------------------------- */

static void give_the_row_away(struct subject *s)
{
	uint32_t row = s->accounts[1].row;

	assert_int_equal(tally_account_end(tally_ledger_accounts(s->ledger),
					   s->accounts[1]),
			 0);
	machine_reclaim(s->ledger);
	s->accounts[1] = machine_account(s->ledger, "d");
	assert_int_equal(s->accounts[1].row, row);
	assert_int_equal(tally_ledger_charge(s->ledger, s->accounts[1], 5,
					     &(struct tally_amount){0, NEXT},
					     1),
			 0);
}

static void fold_twice(struct subject *s)
{
	release_one(s);
	release_one(s);
}

static void each(void **state, void (*meanwhile)(struct subject *s))
{
	struct subject s = {.machine = *state};
	unsigned int step = 0;
	bool stopped;

	machine_few_cpus(*state);
	do {
		struct stepped other;

		assert_true(step < MOST_STEPS);
		start(&s);
		step_run(&other, step++, read_many, &s);
		stopped = other.stopped;
		meanwhile(&s);
		step_on(&other);
		assert_int_equal(other.status, 0);
		tally_ledger_close(s.ledger);
	} while (stopped);
	print_message("# %u steps\n", step - 1);
}

static void an_account_ends_at_each_step(void **state)
{
	each(state, give_the_row_away);
}

static void folded_at_each_step(void **state)
{
	each(state, release_one);
}

static void folded_twice_at_each_step(void **state)
{
	each(state, fold_twice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(an_account_ends_at_each_step),
		MACHINE_TEST(folded_at_each_step),
		MACHINE_TEST(folded_twice_at_each_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
