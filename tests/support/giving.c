// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "support/giving.h"

#define AMOUNT 7

static int give(struct giver *g, unsigned int from)
{
	const struct tally_entry entries[2] = {
		{g->accounts[from], TALLY_NODE_LOCAL, 1, -AMOUNT},
		{g->accounts[(from + 1) % GIVING_ACCOUNTS], 5, 1, AMOUNT},
	};
	int err = tally_ledger_post(g->ledger, entries, 2);

	return err ? err : tally_ledger_add(g->ledger, g->accounts[from], 0, 1);
}

static void *give_on(void *arg)
{
	struct giver *g = arg;

	while (!__atomic_load_n(g->stop, __ATOMIC_RELAXED) && !g->err) {
		int64_t nr = g->nr;

		g->err = give(g, (unsigned int)(nr % GIVING_ACCOUNTS));
		if (!g->err)
			__atomic_store_n(&g->nr, nr + 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

void giving_start(struct giving *giving, struct tally_ledger *ledger,
		  unsigned int nr)
{
	*giving = (struct giving){.nr = nr};
	assert_true(nr <= GIVING_THREADS);
	for (unsigned int i = 0; i < nr; i++) {
		struct giver *g = &giving->givers[i];
		char key[2] = "a";

		g->ledger = ledger;
		g->stop = &giving->stop;
		for (int a = 0; a < GIVING_ACCOUNTS; a++) {
			g->accounts[a] = machine_account(ledger, key);
			key[0]++;
		}
		assert_int_equal(pthread_create(&g->thread, NULL, give_on, g),
				 0);
	}
}

int64_t giving_nr(const struct giving *giving)
{
	int64_t nr = 0;

	for (unsigned int i = 0; i < giving->nr; i++)
		nr += __atomic_load_n(&giving->givers[i].nr, __ATOMIC_RELAXED);
	return nr;
}

int64_t giving_stop(struct giving *giving)
{
	__atomic_store_n(&giving->stop, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < giving->nr; i++) {
		pthread_join(giving->givers[i].thread, NULL);
		assert_int_equal(giving->givers[i].err, 0);
	}
	return giving_nr(giving);
}

static int read_all(const struct tally_view *view,
		    int64_t amounts[GIVING_ACCOUNTS][2])
{
	struct tally_account account;
	uint64_t cursor = 0;
	char key[8];
	int err;

	while (!(err = tally_view_next(view, &cursor, &account, key,
				       sizeof(key)))) {
		if (*key < 'a' || *key >= 'a' + GIVING_ACCOUNTS)
			return 1;
		err = tally_view_account(view, account, TALLY_VIEW_ALL,
					 amounts[*key - 'a']);
		if (err)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

/* The first gives before it has; each other one has before it gives. */
static bool may_have(int i, int64_t amount, int64_t nr)
{
	return i ? amount >= 0 && amount <= nr * AMOUNT
		 : amount <= 0 && amount >= -nr * AMOUNT;
}

int giving_check(const struct tally_view *view, unsigned int nr, int64_t *last)
{
	int64_t amounts[GIVING_ACCOUNTS][2] = {{0}}, totals[2];
	int64_t counted = 0, given = 0;
	int err = read_all(view, amounts);

	if (!err)
		err = tally_view_totals(view, TALLY_VIEW_ALL, totals);
	if (err)
		return err;
	for (int i = 0; i < GIVING_ACCOUNTS; i++) {
		if (i && amounts[i][0] > amounts[i - 1][0])
			return 2;
		if (!may_have(i, amounts[i][1], nr))
			return 3;
		counted += amounts[i][0];
		given += amounts[i][1];
	}
	if (amounts[0][0] > amounts[GIVING_ACCOUNTS - 1][0] + (int64_t)nr)
		return 4;
	if (given || totals[1] || totals[0] != counted)
		return 5;
	if (counted < *last)
		return 6;
	*last = counted;
	return 0;
}
