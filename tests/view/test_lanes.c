// SPDX-License-Identifier: MIT
/*
 * Sums over the lanes of many CPUs, added to one after the other: lanes that
 * lie evenly and others, the banks of two epochs, and folded cells. Without
 * restartable sequences the library calls sched_getcpu(), which this test
 * replaces.
 */
#include "support/test.h"

#include <sched.h>

#include <numatally/view.h>

#include "support/machine.h"

#define NR_CPUS (MACHINE_LANES / 2)

/* -1 while a ledger is opened: then the library does not trust an instruction
 * that reads the real CPU. */
static int cpu = -1;

/* Replaces the C library's in this program. */
__attribute__((visibility("default"))) int sched_getcpu(void)
{
	return cpu;
}

struct sums {
	struct tally_account account;
	int64_t at[2], all; /* on nodes 0 and 5 */
};

static void add(struct tally_ledger *ledger, struct sums *sums, int64_t amount)
{
	const struct tally_amount charge[2] = {{0, amount}, {1, -amount}};

	assert_int_equal(tally_ledger_charge(ledger, sums->account,
					     TALLY_NODE_LOCAL, charge, 2),
			 0);
	sums->at[cpu == 1] += amount;
	sums->all += amount;
}

static void check_one(const struct tally_view *view, const struct sums *sums,
		      int node, int64_t expected)
{
	int64_t amounts[2];

	assert_int_equal(tally_view_account(view, sums->account, node, amounts),
			 0);
	assert_int_equal(amounts[0], expected);
	assert_int_equal(amounts[1], -expected);
}

static void check(const struct tally_view *view, const struct sums *sums)
{
	check_one(view, sums, 0, sums->at[0]);
	check_one(view, sums, 5, sums->at[1]);
	check_one(view, sums, TALLY_VIEW_ALL, sums->all);
}

/* The epoch may move on between the first and the second add on a CPU. */
static void move_on(struct tally_ledger *ledger, const struct sums *sums)
{
	struct tally_view *view;

	assert_int_equal(tally_view_snapshot(ledger, 0, SECOND_NS, &view), 0);
	check(view, sums);
	tally_view_close(view);
}

static void add_in_order(void **state, const int *order)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct sums one = {machine_account(ledger, "one"), {0}, 0};
	struct sums two = {machine_account(ledger, "two"), {0}, 0};
	struct tally_view *view;

	assert_int_equal(tally_view_open(ledger, &view), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < NR_CPUS; i++) {
			cpu = order[i];
			add(ledger, &one, (i + 1) * (round + 1));
			add(ledger, &two, 7 * i);
			check(view, &one);
			check(view, &two);
		}
		move_on(ledger, &one);
		check(view, &one);
	}
	cpu = -1;
	tally_view_close(view);
	tally_ledger_close(ledger);
}

static void one_after_the_other(void **state)
{
	int order[NR_CPUS];

	for (int i = 0; i < NR_CPUS; i++)
		order[i] = i;
	add_in_order(state, order);
}

static void in_any_order(void **state)
{
	int order[NR_CPUS];
	uint32_t random = 1;

	for (int i = 0; i < NR_CPUS; i++)
		order[i] = i;
	for (int i = NR_CPUS - 1; i > 0; i--) {
		int other, with;

		random = random * 1664525 + 1013904223;
		with = (int)((random >> 8) % ((uint32_t)i + 1));
		other = order[with];
		order[with] = order[i];
		order[i] = other;
	}
	add_in_order(state, order);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(one_after_the_other),
		MACHINE_TEST(in_any_order),
	};

	(void)argc, (void)argv;
	setenv("NUMATALLY_RSEQ", "0", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
