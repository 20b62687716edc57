// SPDX-License-Identifier: MIT
/* A fold visits what was added to since the last one, and nothing else: the first
 * add of an epoch marks its bucket. */
#include "support/test.h"

#include <limits.h>
#include <sys/ptrace.h>

#include <numatally/view.h>

#include "support/inside.h"
#include "support/machine.h"

#define NR_ACCOUNTS 512 /* 8 buckets */
#define ROUNDS	    12

struct sums {
	int64_t events, memory;
};

static void add(struct tally_ledger *l, struct tally_account a, int node,
		struct sums *sums)
{
	const struct tally_amount amounts[2] = {{0, 1}, {1, -2}};

	assert_int_equal(tally_ledger_charge(l, a, node, amounts, 2), 0);
	assert_int_equal(tally_ledger_add(l, a, 0, 4), 0);
	sums->events += 5;
	sums->memory -= 2;
}

static void assert_sums(const struct tally_view *view, const struct sums *sums)
{
	int64_t amounts[2];

	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[0], sums->events);
	assert_int_equal(amounts[1], sums->memory);
}

/* A snapshot has all that was added before, and so has a view when it is folded. */
static void snapshot(struct tally_ledger *l, const struct sums *sums)
{
	struct tally_view *view;
	int err = tally_view_snapshot(l, 0, INT64_MAX, &view);

	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	assert_sums(view, sums);
	tally_view_close(view);
	assert_int_equal(tally_ledger_fold(l, INT64_MAX), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_sums(view, sums);
	tally_view_close(view);
}

/* In rounds between snapshots that one ledger takes, another adds in some of
 * them, to some buckets: each combination of rounds that it left out. */
static void add_in_rounds(struct tally_ledger *adds,
			  struct tally_ledger *snapshots)
{
	struct tally_account accounts[3] = {{0}};
	struct sums sums = {0};
	char key[16];

	for (int i = 0; i < 3 * 64; i++) {
		snprintf(key, sizeof(key), "%d", i);
		accounts[i / 64] = machine_account(adds, key);
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 3; i++)
			if (round % (i + 1) == 0)
				add(adds, accounts[i], machine_nodes[i], &sums);
		snapshot(snapshots, &sums);
		if (round % 5 == 4)
			snapshot(snapshots, &sums);
	}
}

static void a_writer_that_takes_no_snapshot(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *adds, *snapshots;

	machine_few_cpus(m);
	adds = machine_ledger(m, NR_ACCOUNTS);
	assert_int_equal(tally_ledger_open(m->path, &snapshots), 0);
	add_in_rounds(adds, snapshots);
	tally_ledger_close(snapshots);
	tally_ledger_close(adds);
}

static void a_writer_that_is_alone(void **state)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = NR_ACCOUNTS,
		.exclusive = 1,
	};
	struct machine *m = *state;
	struct tally_ledger *l;

	machine_few_cpus(m);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_resources, 2, &options,
					     &l),
			 0);
	add_in_rounds(l, l);
	tally_ledger_close(l);
}

/* ---- how much a fold does ------------------------------------------------ */

/* Add to the first accounts, so many, and fold that. */
static int fold(const char *path, int nr)
{
	struct tally_ledger *l;
	struct tally_view *view;
	char key[16];

	if (tally_ledger_open(path, &l))
		return 1;
	for (int i = 0; i < nr; i++) {
		struct tally_account a;

		snprintf(key, sizeof(key), "%d", i);
		if (tally_account_open(tally_ledger_accounts(l), key, &a) ||
		    tally_ledger_add(l, a, 0, 1))
			return 2;
	}
	if (tally_view_snapshot(l, 0, INT64_MAX, &view))
		return 3;
	tally_view_close(view);
	if (inside_stop())
		return 4;
	_exit(tally_ledger_fold(l, INT64_MAX) ? 5 : 0);
}

/* The instructions of that, in a process of its own; or 0, if they are not to be
 * counted. */
static long fold_takes(const char *path, int nr, bool count)
{
	long steps = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(fold(path, nr));
	if (!inside_wait(pid))
		skip();
	if (!count) {
		assert_int_equal(ptrace(PTRACE_CONT, pid, 0, 0), 0);
		inside_wait(pid);
		return 0;
	}
	while (inside_step(pid))
		steps++;
	return steps;
}

/* A fold that another process makes wait takes more. */
static long least(const char *path, int nr)
{
	long steps = LONG_MAX;

	for (int i = 0; i < 3; i++) {
		long took = fold_takes(path, nr, true);

		if (took < steps)
			steps = took;
	}
	return steps;
}

static void a_fold_takes_as_long_as_what_was_added_to(void **state)
{
	struct machine *m = *state;
	long all, some, none;

	/* A broken build has many more, and a sanitizer its own. */
	if (TEST_SANITIZED || getenv("NUMATALLY_SHORT"))
		skip();
	machine_few_cpus(m);
	tally_ledger_close(machine_ledger(m, NR_ACCOUNTS));
	/* Both banks are touched, and folded once. */
	fold_takes(m->path, NR_ACCOUNTS, false);
	all = fold_takes(m->path, NR_ACCOUNTS, true);
	some = least(m->path, NR_ACCOUNTS / 8);
	none = least(m->path, 0);
	print_message("# instructions of a fold: of all %ld, of 1/8 %ld, "
		      "of nothing %ld\n",
		      all, some, none);
	/* A fold that visits all takes as long for some, and for none.  What each
	 * fold takes beside, and what compilers make of it, is another tenth. */
	assert_true(some < all / 3);
	assert_true(none < all / 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_writer_that_takes_no_snapshot),
		MACHINE_TEST(a_writer_that_is_alone),
		MACHINE_TEST(a_fold_takes_as_long_as_what_was_added_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
