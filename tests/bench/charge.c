// SPDX-License-Identifier: MIT
/* Charging 2 or 4 resources of one account at once, beside one add. */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include <numatally/ledger_inline.h>

#include "bench.h"
#include "ledgers.h"
#include "pattern.h"

#define NR_COLUMNS   8u
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Not at the beginning of a page, as row 0 is: loads that wait for stores to it
 * in another page made charges five times as slow in one process of twenty. */
static struct {
	char lead[1024];
	struct bench_ledger ledger;
} here;
static struct {
	uint64_t rows[PATTERN_NR_ROT][NR_COLUMNS];
} memory[BENCH_MAX_THREADS] __attribute__((aligned(4096)));

static void *memory_arg(unsigned int thread)
{
	return memory[thread].rows;
}

static void *ledger_arg(unsigned int thread)
{
	(void)thread;
	return &here.ledger;
}

/* The floor: nothing keeps the parts of a charge together. */
BENCH_LOOP void plain(uint64_t (*rows)[NR_COLUMNS], uint64_t k, unsigned int nr)
{
#pragma GCC unroll 4
	for (unsigned int i = 0; i < nr; i++) {
		rows[k][i]++;
		bench_stored(&rows[k][i]);
	}
}

/* ... and the time that a store of two waits for, whatever is around it. */
BENCH_LOOP void vector(uint64_t (*rows)[NR_COLUMNS], uint64_t k,
		       unsigned int nr)
{
	typedef uint64_t pair __attribute__((vector_size(16), may_alias));
	pair *cells = (pair *)rows[k];

	(void)nr;
	*cells += (pair){1, 2};
	bench_stored(cells);
}

BENCH_LOOP void atomics(uint64_t (*rows)[NR_COLUMNS], uint64_t k,
			unsigned int nr)
{
#pragma GCC unroll 4
	for (unsigned int i = 0; i < nr; i++)
		__atomic_fetch_add(&rows[k][i], 1, __ATOMIC_RELAXED);
}

BENCH_LOOP void one(const struct bench_ledger *b, uint64_t k, unsigned int nr)
{
	(void)nr;
	(void)!tally_ledger_add(b->ledger, b->accounts[k], 0, 1);
}

/* Numbered in a row: in one store. */
BENCH_LOOP void ours(const struct bench_ledger *b, uint64_t k, unsigned int nr)
{
	static const struct tally_amount amounts[4] = {
		{0, 1}, {1, 1}, {2, 1}, {3, 1}};

	(void)!tally_ledger_charge(b->ledger, b->accounts[k], TALLY_NODE_LOCAL,
				   amounts, nr);
}

/* Not so. */
BENCH_LOOP void apart(const struct bench_ledger *b, uint64_t k, unsigned int nr)
{
	static const struct tally_amount amounts[4] = {
		{0, 1}, {2, 1}, {4, 1}, {6, 1}};

	(void)!tally_ledger_charge(b->ledger, b->accounts[k], TALLY_NODE_LOCAL,
				   amounts, nr);
}

#define CHARGE_LOOP(how, nr_amounts, order)                                  \
	BENCH_LOOP void how##_##nr_amounts##_##order(void *arg, uint64_t nr) \
	{                                                                    \
		for (uint64_t i = 0; i < nr; i++)                            \
			how(arg, order(i), nr_amounts);                      \
	}                                                                    \
	BENCH_ALIGN(how##_##nr_amounts##_##order)
#define CHARGE_LOOPS(how)        \
	CHARGE_LOOP(how, 1, hot) \
	CHARGE_LOOP(how, 2, hot) \
	CHARGE_LOOP(how, 4, hot) \
	CHARGE_LOOP(how, 1, rot) \
	CHARGE_LOOP(how, 2, rot) \
	CHARGE_LOOP(how, 4, rot)

CHARGE_LOOPS(plain)
CHARGE_LOOPS(atomics)
CHARGE_LOOP(one, 1, hot)
CHARGE_LOOP(one, 1, rot)
CHARGE_LOOP(ours, 2, hot)
CHARGE_LOOP(ours, 4, hot)
CHARGE_LOOP(ours, 2, rot)
CHARGE_LOOP(ours, 4, rot)
CHARGE_LOOP(vector, 2, hot)
CHARGE_LOOP(vector, 2, rot)
CHARGE_LOOP(apart, 2, hot)
CHARGE_LOOP(apart, 4, hot)
CHARGE_LOOP(apart, 2, rot)
CHARGE_LOOP(apart, 4, rot)

#define CONTENDERS(order, where)                                         \
	{.name = "plain, 1 resource",                                    \
	 .kind = BENCH_FLOOR,                                            \
	 .loops = &plain_1_##order##_loops,                              \
	 .arg = memory_arg},                                             \
		{.name = "plain, 2 resources",                           \
		 .kind = BENCH_FLOOR,                                    \
		 .loops = &plain_2_##order##_loops,                      \
		 .arg = memory_arg},                                     \
		{.name = "plain, 4 resources",                           \
		 .kind = BENCH_FLOOR,                                    \
		 .loops = &plain_4_##order##_loops,                      \
		 .arg = memory_arg},                                     \
		{.name = "plain, 2 resources in one store",              \
		 .kind = BENCH_FLOOR,                                    \
		 .loops = &vector_2_##order##_loops,                     \
		 .arg = memory_arg},                                     \
		{.name = "per-thread atomics, 2 resources",              \
		 .loops = &atomics_2_##order##_loops,                    \
		 .arg = memory_arg},                                     \
		{.name = "per-thread atomics, 4 resources",              \
		 .loops = &atomics_4_##order##_loops,                    \
		 .arg = memory_arg},                                     \
		{.name = "numatally: tally_ledger_add",                  \
		 .kind = BENCH_OURS,                                     \
		 .loops = &one_1_##order##_loops,                        \
		 .arg = ledger_arg},                                     \
		{.name = "numatally: tally_ledger_charge of 2",          \
		 .kind = BENCH_OURS,                                     \
		 .loops = &ours_2_##order##_loops,                       \
		 .arg = ledger_arg,                                      \
		 .row = "charge of 2 resources, " where,                 \
		 .base = "numatally: tally_ledger_add",                  \
		 .target_ratio = 1.5},                                   \
		{.name = "numatally: tally_ledger_charge of 4",          \
		 .kind = BENCH_OURS,                                     \
		 .loops = &ours_4_##order##_loops,                       \
		 .arg = ledger_arg,                                      \
		 .row = "charge of 4 resources, " where,                 \
		 .base = "numatally: tally_ledger_add",                  \
		 .target_ratio = 1.8},                                   \
		{.name = "numatally: the same of 2 that lie apart",      \
		 .kind = BENCH_OURS,                                     \
		 .loops = &apart_2_##order##_loops,                      \
		 .arg = ledger_arg,                                      \
		 .base = "numatally: tally_ledger_add"},                 \
	{                                                                \
		.name = "numatally: the same of 4 that lie apart",       \
		.kind = BENCH_OURS, .loops = &apart_4_##order##_loops,   \
		.arg = ledger_arg, .base = "numatally: tally_ledger_add" \
	}

static const struct bench_contender hot_contenders[] = {
	CONTENDERS(hot, "one row"),
};
static const struct bench_contender rot_contenders[] = {
	CONTENDERS(rot, "rotating over 64 rows"),
};

static int set_up(void)
{
	return bench_ledger_create_alone(PATTERN_NR_ROT, NR_COLUMNS,
					 &here.ledger);
}

static void tear_down(void)
{
	bench_ledger_destroy(&here.ledger);
}

const struct bench_group bench_charge_groups[] = {
	{.name = "charge-hot",
	 .title = "Charging several resources of the same account",
	 .unit = "charge",
	 .contenders = hot_contenders,
	 .nr_contenders = COUNT(hot_contenders),
	 .setup = set_up,
	 .teardown = tear_down},
	{.name = "charge",
	 .title = "Charging several resources of an account, rotating over 64",
	 .unit = "charge",
	 .contenders = rot_contenders,
	 .nr_contenders = COUNT(rot_contenders),
	 .setup = set_up,
	 .teardown = tear_down},
};
const size_t bench_nr_charge_groups = COUNT(bench_charge_groups);
