// SPDX-License-Identifier: MIT
/* Many adds in one call, each by itself. */
#include "support/test.h"

#include <numatally/view.h>

#include "support/cluster.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };
#define NR 100

static struct tally_ledger *make(struct machine *m, int exclusive)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};
	struct tally_ledger *l = NULL;

	unlink(m->path);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_resources, 2, &options,
					     &l),
			 0);
	return l;
}

/* For named nodes and this CPU's, of ten accounts. */
static void fill(struct tally_ledger *l, struct tally_entry entries[NR])
{
	char key[8];

	for (int i = 0; i < NR; i++) {
		snprintf(key, sizeof(key), "%d", i % 10);
		entries[i] = (struct tally_entry){
			.account = machine_account(l, key),
			.node = i % 4 ? machine_nodes[i % 4 - 1]
				      : TALLY_NODE_LOCAL,
			.resource = i % 2 ? MEMORY : EVENTS,
			.amount = i % 2 ? -i : i,
		};
	}
}

static int64_t sum_of(const struct tally_entry *entries, size_t nr,
		      unsigned int resource)
{
	int64_t sum = 0;

	for (size_t i = 0; i < nr; i++)
		sum += entries[i].resource == resource ? entries[i].amount : 0;
	return sum;
}

static void all_are_added(void **state)
{
	for (int exclusive = 0; exclusive < 2; exclusive++) {
		struct tally_ledger *l = make(*state, exclusive);
		struct tally_entry entries[NR];
		size_t nr = 77;

		fill(l, entries);
		for (int round = 1; round < 4; round++) {
			assert_int_equal(
				tally_ledger_add_each(l, entries, NR, &nr), 0);
			assert_int_equal(nr, NR);
			for (unsigned int r = 0; r < 2; r++)
				assert_int_equal(
					machine_total(l, r),
					round * sum_of(entries, NR, r));
			/* 3, 23, 43, 63 and 83 are for node 9. */
			assert_int_equal(machine_amount(l, entries[3].account,
							9, MEMORY),
					 round * -215);
		}
		assert_int_equal(tally_ledger_add_each(l, NULL, 0, &nr), 0);
		assert_int_equal(nr, 0);
		tally_ledger_close(l);
	}
}

/* Those before it are added, and none behind it. */
static void fails_at(struct tally_ledger *l, const struct tally_entry *right,
		     size_t at, struct tally_entry wrong, int expected)
{
	int64_t before[2] = {machine_total(l, 0), machine_total(l, 1)};
	struct tally_entry entries[NR];
	size_t nr = 77;

	memcpy(entries, right, sizeof(entries));
	entries[at] = wrong;
	assert_int_equal(tally_ledger_add_each(l, entries, NR, &nr), expected);
	assert_int_equal(nr, at);
	for (unsigned int r = 0; r < 2; r++)
		assert_int_equal(machine_total(l, r) - before[r],
				 sum_of(entries, at, r));
}

static void the_first_that_fails_is_named(void **state)
{
	static const size_t places[] = {0, 1, 50, NR - 1};
	struct tally_ledger *l = make(*state, 0);
	struct tally_account gone = machine_account(l, "gone");
	struct tally_account a = machine_account(l, "0");
	struct tally_entry entries[NR];

	fill(l, entries);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), gone), 0);
	for (int i = 0; i < 4; i++)
		for (int n = -1; n < 2; n++) {
			const int node = n < 0 ? TALLY_NODE_LOCAL
					       : machine_nodes[n];

			fails_at(l, entries, places[i],
				 (struct tally_entry){gone, node, EVENTS, 1},
				 -ESTALE);
			fails_at(l, entries, places[i],
				 (struct tally_entry){a, node, 2, 1}, -EINVAL);
			fails_at(l, entries, places[i],
				 (struct tally_entry){a, node, EVENTS, -1},
				 -EINVAL);
			fails_at(l, entries, places[i],
				 (struct tally_entry){a, 7, EVENTS, 1},
				 -ENOENT);
		}
	tally_ledger_close(l);
}

static void nodes_of_other_machines_have_no_counters(void **state)
{
	struct tally_ledger *l = NULL;
	struct tally_topo *topo = NULL;
	struct tally_entry entries[2];
	struct machine *m = *state;
	size_t nr = 77;

	assert_int_equal(cluster_create(m->topo, 2, 2, &topo), 0);
	assert_int_equal(tally_ledger_create(m->path, topo, machine_resources,
					     2, NULL, &l),
			 0);
	tally_topo_close(topo);
	for (int i = 0; i < 2; i++)
		entries[i] = (struct tally_entry){
			machine_account(l, "a"),
			i ? cluster_node(1, 0) : TALLY_NODE_LOCAL, EVENTS, 1};
	assert_int_equal(tally_ledger_add_each(l, entries, 2, &nr), -EREMOTE);
	assert_int_equal(nr, 1);
	assert_int_equal(machine_total(l, EVENTS), 1);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(all_are_added),
		MACHINE_TEST(the_first_that_fails_is_named),
		MACHINE_TEST(nodes_of_other_machines_have_no_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
