// SPDX-License-Identifier: MIT
/* Ledgers over the nodes of several machines. */
#include "support/test.h"

#include <sys/stat.h>

#include <numatally/error.h>
#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/cluster.h"
#include "support/inside.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

/* Four machines of two nodes. With here: the first one is the three nodes of
 * support/machine.h, else each is another machine. */
static struct tally_ledger *make(struct machine *m, bool here, int exclusive)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};
	struct tally_ledger *l = NULL;
	struct tally_topo *topo = NULL;

	assert_int_equal(cluster_create(here ? m->topo : NULL, 4, 2, &topo), 0);
	assert_int_equal(tally_ledger_create(m->path, topo, machine_reservables,
					     2, &options, &l),
			 0);
	tally_topo_close(topo);
	return l;
}

static int reserve(struct tally_ledger *l, struct tally_account a, int node,
		   int64_t amount, struct tally_token *t)
{
	const struct tally_demand demand = {node, MEMORY, amount};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};

	return tally_limit_reserve(l, a, &request, t, NULL);
}

static int tell(void *arg, const char *problem)
{
	(void)arg;
	fail_msg("%s", problem);
	return 1;
}

static int64_t held_on(const struct tally_view *view, int node)
{
	struct tally_limit limit = {.size = sizeof(limit)};

	assert_int_equal(tally_limit_node(view, node, MEMORY, &limit), 0);
	return limit.held;
}

static void assert_node(const struct tally_view *view, unsigned int index,
			int number, const char *machine, int id)
{
	int own = -1;

	assert_int_equal(tally_view_node(view, index), number);
	assert_string_equal(tally_view_machine(view, index, &own), machine);
	assert_int_equal(own, id);
}

static void nodes_have_numbers_and_machines(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = make(m, true, 0);
	struct tally_topo *topo = NULL;
	struct tally_view *view;

	assert_int_equal(cluster_create(m->topo, 4, 2, &topo), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_view_nr_nodes(view), 9);
	assert_int_equal(tally_view_nr_local(view), 3);
	for (unsigned int i = 0; i < 9; i++)
		assert_int_equal(tally_view_node(view, i),
				 tally_topo_number(topo, i));
	assert_node(view, 2, 9, "here", 9);
	assert_node(view, 3, cluster_node(1, 0), "m1", 0);
	assert_node(view, 8, cluster_node(3, 1), "m3", 1);
	tally_view_close(view);
	tally_topo_close(topo);
	tally_ledger_close(l);
}

static void one_machine_needs_no_name(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_view *view;
	int id;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_view_nr_local(view), 3);
	assert_null(tally_view_machine(view, 1, &id));
	assert_int_equal(id, 5);
	assert_int_equal(tally_view_node(view, 1), 5);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* Whether the account is the only one on the node's roster. */
static bool is_alone_on(const struct tally_view *view, int node,
			struct tally_account a)
{
	struct tally_roster roster;

	assert_int_equal(tally_limit_roster(view, node, &roster), 0);
	return roster.nr_accounts == 1 && roster.accounts[0].row == a.row &&
	       roster.accounts[0].generation == a.generation;
}

static void limits_hold_on(struct machine *m, bool here)
{
	const int one = cluster_node(1, 1), two = cluster_node(2, 0);
	struct tally_ledger *l = make(m, here, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_account b = machine_account(l, "b");
	struct tally_demand demands[] = {{one, MEMORY, -3}, {two, MEMORY, 3}};
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = 2};
	struct tally_capacity capacity = {two, MEMORY, 2};
	int64_t amounts[2], amount;
	struct tally_view *view;
	struct tally_token t;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_set_capacity(l, one, MEMORY, 7), 0);
	assert_int_equal(tally_limit_set_quota(l, b, MEMORY, 5), 0);
	assert_int_equal(reserve(l, a, one, 8, &t), -ENOSPC);
	assert_int_equal(reserve(l, a, one, 4, &t), 0);
	assert_int_equal(tally_limit_commit(l, t), 0);
	assert_int_equal(tally_limit_free(view, b, one, MEMORY, &amount), 0);
	assert_int_equal(amount, 3);
	assert_int_equal(reserve(l, b, two, 6, &t), -EDQUOT);
	assert_int_equal(tally_limit_exchange(l, &capacity, 1, NULL, 0), 0);
	assert_int_equal(capacity.capacity, TALLY_LIMIT_NONE);
	assert_int_equal(reserve(l, b, one, 3, &t), 0);
	assert_int_equal(tally_limit_change(l, t, &request, NULL), -ENOSPC);
	assert_int_equal(tally_limit_exchange(l, &capacity, 1, NULL, 0), 0);
	assert_int_equal(tally_limit_change(l, t, &request, NULL), 0);
	assert_int_equal(held_on(view, one), 4);
	assert_int_equal(held_on(view, two), 3);
	assert_int_equal(held_on(view, cluster_node(1, 0)), 0);
	assert_int_equal(held_on(view, here ? 5 : 0), 0);
	assert_true(is_alone_on(view, one, a));
	assert_true(is_alone_on(view, two, b));
	demands[0].amount = 1;
	assert_int_equal(tally_limit_fits(l, b, &request, NULL), -EEXIST);
	assert_int_equal(tally_view_totals(view, two, amounts), 0);
	assert_int_equal(amounts[MEMORY], 3);
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[MEMORY], 7);
	assert_int_equal(tally_view_account(view, a, one, amounts), 0);
	assert_int_equal(amounts[MEMORY], 4);
	assert_int_equal(tally_limit_holding(view, a, two, amounts), 0);
	assert_int_equal(amounts[MEMORY], 0);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	assert_int_equal(held_on(view, two), 0);
	assert_int_equal(reserve(l, b, cluster_node(4, 0), 1, &t), -ENOENT);
	assert_int_equal(reserve(l, b, cluster_node(1, 2), 1, &t), -ENOENT);
	assert_int_equal(reserve(l, b, -5, 1, &t), -ENOENT);
	assert_int_equal(tally_limit_check(view, tell, NULL), 0);
	tally_view_close(view);
	tally_ledger_close(l);
	assert_int_equal(unlink(m->path), 0);
}

static void limits_hold_on_every_node(void **state)
{
	limits_hold_on(*state, true);
	limits_hold_on(*state, false);
}

/* Every way to add something for a node of another machine. */
static void refuses_adds(struct tally_ledger *l, struct tally_account a,
			 int node)
{
	const struct tally_amount some[] = {{0, 1}, {0, 1}, {0, 1}, {0, 1}};
	const struct tally_entry entry = {a, node, 0, 1};
	const struct tally_amount gauge = {1, 1};

	for (unsigned int nr = 1; nr <= 4; nr++)
		assert_int_equal(tally_ledger_charge(l, a, node, some, nr),
				 -EREMOTE);
	assert_int_equal(tally_ledger_post(l, &entry, 1), -EREMOTE);
	if (node == TALLY_NODE_LOCAL)
		assert_int_equal(tally_ledger_add(l, a, 0, 1), -EREMOTE);
	else
		assert_int_equal(tally_ledger_set(l, a, node, &gauge, 1),
				 -EREMOTE);
}

static void counters_are_of_this_machine(void **state)
{
	const struct tally_ledger_options options = {.size = sizeof(options)};
	struct machine *m = *state;
	struct tally_ledger *l = NULL;
	struct tally_topo *topo = NULL;
	struct tally_entry entries[2];
	struct tally_account a;

	assert_int_equal(cluster_create(m->topo, 2, 2, &topo), 0);
	assert_int_equal(tally_ledger_create(m->path, topo, machine_resources,
					     2, &options, &l),
			 0);
	a = machine_account(l, "a");
	entries[0] = (struct tally_entry){a, 5, 0, 1};
	entries[1] = (struct tally_entry){a, cluster_node(1, 1), 0, 1};
	refuses_adds(l, a, cluster_node(1, 0));
	assert_int_equal(tally_ledger_post(l, entries, 2), -EREMOTE);
	machine_is_empty(l);
	assert_int_equal(tally_ledger_add(l, a, 0, 7), 0);
	assert_int_equal(machine_total(l, 0), 7);
	assert_int_equal(tally_ledger_post(l, entries, 1), 0);
	assert_int_equal(machine_amount(l, a, 5, 0) > 0, 1);
	assert_int_equal(machine_amount(l, a, cluster_node(1, 0), 0), 0);
	assert_string_equal(tally_strerror_of("tally_ledger_add", -EREMOTE),
			    "the node is of another machine");
	tally_ledger_close(l);
	tally_topo_close(topo);
}

static void without_this_machine_nothing_is_added(void **state)
{
	struct machine *m = *state;

	for (int exclusive = 0; exclusive <= 1; exclusive++) {
		const struct tally_ledger_options options = {
			.size = sizeof(options), .exclusive = exclusive};
		struct tally_ledger *l = NULL;
		struct tally_topo *topo = NULL;
		struct tally_view *view;
		struct tally_account a;
		int64_t amounts[2] = {7, 7};

		assert_int_equal(cluster_create(NULL, 2, 2, &topo), 0);
		assert_int_equal(tally_ledger_create(m->path, topo,
						     machine_resources, 2,
						     &options, &l),
				 0);
		a = machine_account(l, "a");
		refuses_adds(l, a, TALLY_NODE_LOCAL);
		refuses_adds(l, a, 0);
		refuses_adds(l, a, cluster_node(1, 1));
		machine_is_empty(l);
		machine_reclaim(l);
		assert_int_equal(tally_view_open(l, &view), 0);
		assert_int_equal(tally_view_nr_local(view), 0);
		assert_int_equal(
			tally_view_account(view, a, TALLY_VIEW_ALL, amounts),
			0);
		assert_int_equal(amounts[0], 0);
		tally_view_close(view);
		tally_ledger_close(l);
		tally_topo_close(topo);
		assert_int_equal(unlink(m->path), 0);
	}
}

static void credits_take_on_every_node(void **state)
{
	const int node = cluster_node(2, 1);
	struct machine *m = *state;

	for (int way = 0; way < 4; way++) {
		struct tally_ledger *l = make(m, way & 1, way >> 1);
		struct tally_account a = machine_account(l, "a");
		struct tally_credit credit;
		struct tally_view *view;
		int nodes[2] = {77, 77};

		assert_int_equal(tally_limit_set_capacity(l, node, MEMORY, 90),
				 0);
		assert_int_equal(
			tally_limit_credit(l, a, node, MEMORY, &credit), 0);
		assert_int_equal(tally_limit_take(&credit, 80), 0);
		assert_int_equal(tally_limit_take(&credit, 11), -ENOSPC);
		assert_int_equal(tally_view_open(l, &view), 0);
		assert_int_equal(held_on(view, node), 80);
		assert_int_equal(tally_limit_holdings(view, a, nodes, 2), 1);
		assert_int_equal(nodes[0], node);
		assert_int_equal(nodes[1], 77);
		assert_int_equal(tally_limit_give(&credit, 80), 0);
		assert_int_equal(held_on(view, node), 0);
		assert_int_equal(tally_limit_holdings(view, a, nodes, 2), 0);
		tally_view_close(view);
		tally_ledger_close(l);
		assert_int_equal(unlink(m->path), 0);
	}
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void an_accounts_nodes(void **state)
{
	const struct tally_demand demands[] = {
		{5, MEMORY, 1},
		{cluster_node(3, 1), MEMORY, 2},
		{cluster_node(1, 0), MEMORY, 0},
		{cluster_node(3, 0), MEMORY, 4},
	};
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = 4};
	struct tally_ledger *l = make(*state, true, 0);
	struct tally_account a = machine_account(l, "a");
	int nodes[8] = {77, 77, 77, 77};
	struct tally_credit credit;
	struct tally_view *view;
	struct tally_token t;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_holdings(view, a, NULL, 0), 0);
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	assert_int_equal(tally_limit_holdings(view, a, NULL, 0), 3);
	assert_int_equal(tally_limit_holdings(view, a, nodes, 2), 3);
	assert_int_equal(nodes[2], 77);
	/* On a node where it has something, and on one where it has nothing. */
	assert_int_equal(tally_limit_credit(l, a, 5, MEMORY, &credit), 0);
	assert_int_equal(tally_limit_take(&credit, 1), 0);
	assert_int_equal(
		tally_limit_credit(l, a, cluster_node(2, 0), MEMORY, &credit),
		0);
	assert_int_equal(tally_limit_take(&credit, 1), 0);
	assert_int_equal(tally_limit_holdings(view, a, nodes, 8), 4);
	qsort(nodes, 4, sizeof(*nodes), compare);
	assert_int_equal(nodes[0], 5);
	assert_int_equal(nodes[1], cluster_node(2, 0));
	assert_int_equal(nodes[2], cluster_node(3, 0));
	assert_int_equal(nodes[3], cluster_node(3, 1));
	assert_int_equal(tally_limit_give(&credit, 1), 0);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	assert_int_equal(tally_limit_holdings(view, a, nodes, 8), 1);
	assert_int_equal(nodes[0], 5);
	a.generation++;
	assert_int_equal(tally_limit_holdings(view, a, nodes, 8), -ESTALE);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void refused(struct machine *m, struct tally_topo *topo, int err)
{
	struct tally_ledger *l = (struct tally_ledger *)1;
	struct stat st;

	assert_int_equal(tally_ledger_create(m->path, topo, machine_reservables,
					     2, NULL, &l),
			 err);
	assert_ptr_equal(l, (struct tally_ledger *)1);
	assert_int_equal(stat(m->path, &st), -1);
	tally_topo_close(topo);
}

static void too_many_nodes_are_refused(void **state)
{
	struct machine *m = *state;
	struct tally_topo *topo = NULL;

	assert_int_equal(cluster_create(NULL, 12500, 8, &topo), 0);
	refused(m, topo, -EINVAL);
	assert_int_equal(cluster_create(NULL, 32769, 1, &topo), 0);
	assert_int_equal(tally_topo_number(topo, 32767),
			 cluster_node(32767, 0));
	assert_int_equal(tally_topo_number(topo, 32768), -ERANGE);
	refused(m, topo, -EINVAL);
}

static void as_many_nodes_as_there_can_be(void **state)
{
	struct machine *m = *state;
	struct tally_topo *topo = NULL;
	struct tally_ledger *l = NULL;
	struct tally_account a;
	struct tally_token t;

	assert_int_equal(cluster_create(NULL, 32768, 2, &topo), 0);
	assert_int_equal(tally_ledger_create(m->path, topo, machine_reservables,
					     2, NULL, &l),
			 0);
	a = machine_account(l, "a");
	assert_int_equal(reserve(l, a, cluster_node(32767, 1), 3, &t), 0);
	assert_int_equal(machine_amount(l, a, cluster_node(32767, 1), MEMORY),
			 3);
	tally_ledger_close(l);
	tally_topo_close(topo);
}

/* Nodes on which nobody has anything take what their capacities take. */
static void unused_nodes_cost_little(void **state)
{
	struct machine *m = *state;
	struct tally_topo *topo = NULL;
	struct tally_ledger *l = NULL;
	struct stat st;

	assert_int_equal(cluster_create(NULL, 5000, 8, &topo), 0);
	assert_int_equal(tally_ledger_create(m->path, topo, machine_reservables,
					     2, NULL, &l),
			 0);
	assert_int_equal(stat(m->path, &st), 0);
	assert_in_range(st.st_blocks * 512, 0, 12 * MIB);
	tally_ledger_close(l);
	tally_topo_close(topo);
}

static void saved_and_read(void **state)
{
	const struct tally_demand demands[] = {{5, MEMORY, 1},
					       {cluster_node(3, 1), MEMORY, 2}};
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = 2};
	struct machine *m = *state;
	struct tally_ledger *l = make(m, true, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_reader *reader;
	struct tally_view *view;
	struct tally_token t;
	char saved[128];
	int nodes[2];

	snprintf(saved, sizeof(saved), "%s/saved", m->dir);
	assert_int_equal(tally_ledger_add(l, a, EVENTS, 9), 0);
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	assert_int_equal(
		tally_limit_set_capacity(l, cluster_node(3, 1), MEMORY, 5), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_reader_save(view, saved, 0600), 0);
	tally_view_close(view);
	tally_ledger_close(l);
	assert_int_equal(tally_reader_open(saved, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	assert_int_equal(tally_view_nr_local(view), 3);
	assert_node(view, 8, cluster_node(3, 1), "m3", 1);
	assert_int_equal(tally_account_find(tally_view_accounts(view), "a", &a),
			 0);
	assert_int_equal(tally_limit_holdings(view, a, nodes, 2), 2);
	assert_int_equal(held_on(view, cluster_node(3, 1)), 2);
	assert_int_equal(held_on(view, 5), 1);
	assert_int_equal(tally_limit_check(view, tell, NULL), 0);
	tally_view_close(view);
	tally_reader_close(reader);
}

static int note(void *arg, const char *problem)
{
	snprintf(arg, 128, "%s", problem);
	return 1;
}

static void a_problem_names_the_machine(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = make(m, true, 0);
	struct layout *inside = inside_open(m->path);
	struct tally_view *view;
	char problem[128];

	/* The first node of m2. */
	layout_capacity(inside, 5, MEMORY)->held = 3;
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_check(view, note, problem), 1);
	assert_string_equal(problem, "node m2/0: memory: its capacity counts 3"
				     ", but 0 is held");
	tally_view_close(view);
	inside_close(inside);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(nodes_have_numbers_and_machines),
		MACHINE_TEST(one_machine_needs_no_name),
		MACHINE_TEST(a_problem_names_the_machine),
		MACHINE_TEST(limits_hold_on_every_node),
		MACHINE_TEST(counters_are_of_this_machine),
		MACHINE_TEST(without_this_machine_nothing_is_added),
		MACHINE_TEST(credits_take_on_every_node),
		MACHINE_TEST(an_accounts_nodes),
		MACHINE_TEST(too_many_nodes_are_refused),
		MACHINE_TEST(as_many_nodes_as_there_can_be),
		MACHINE_TEST(unused_nodes_cost_little),
		MACHINE_TEST(saved_and_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
