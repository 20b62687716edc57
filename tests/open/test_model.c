// SPDX-License-Identifier: MIT
/*
 * Random calls, by two writers, on a ledger and on plain arrays: both say the
 * same, after each call, in snapshots, and of a saved ledger. The first node's
 * number is not 0, and no node's number is its index.
 */
#include "support/test.h"

#include <numatally/reader.h>

#include "support/machine.h"
#include "support/same.h"
#include "support/topo_trees.h"

#define NR_OPS	     1500
#define NR_SNAPSHOTS 3
#define NR_FILLERS   60 /* the accounts reach into a second bucket */
#define MAX_ACCOUNTS 96

static const struct tally_resource resources[MODEL_RESOURCES] = {
	{.name = "events", .unit = "", .kind = TALLY_COUNTER},
	{.name = "level", .unit = "bytes", .kind = TALLY_GAUGE},
	{.name = "memory", .unit = "bytes", .kind = TALLY_RESERVABLE},
};

struct snapshot {
	struct tally_view *view; /* NULL: none */
	struct model then;
	struct tally_account handles[MODEL_KEYS];
};

static struct tally_topo *topo;
static char path[256], saved[256];
static struct tally_ledger *writers[2];
static struct tally_account handles[MODEL_KEYS];
static struct tally_token tokens[MODEL_KEYS];
static struct tally_credit credits[MODEL_KEYS][MODEL_NODES];
static struct model model;
static struct snapshot snapshots[NR_SNAPSHOTS];
static unsigned int seed;
static bool takes;

static int below(int n)
{
	return (int)((unsigned int)rand_r(&seed) / 7 % (unsigned int)n);
}

static struct tally_ledger *any_writer(void)
{
	return writers[writers[1] ? below(2) : 0];
}

static struct tally_accounts *accounts(void)
{
	return tally_ledger_accounts(any_writer());
}

/* ---- comparing ----------------------------------------------------------- */

static void same_phases(void)
{
	static const enum tally_phase phases[] = {TALLY_PHASE_PENDING,
						  TALLY_PHASE_READY,
						  TALLY_PHASE_TERMINATING};

	for (int p = 0; p < 3; p++) {
		int should = phases[p] == TALLY_PHASE_READY ? NR_FILLERS : 0;
		struct tally_account a;
		uint64_t cursor = 0;
		int is = 0;

		for (int k = 0; k < MODEL_KEYS; k++)
			should += model.accounts[k].phase == (int)phases[p];
		while (!tally_account_next_in(accounts(), phases[p], &cursor,
					      &a))
			is++;
		SAME(is, should);
	}
}

static void compare(void)
{
	struct tally_ledger *l = any_writer();
	struct tally_view *view;

	SAME(tally_view_open(l, &view), 0);
	same_all(tally_ledger_accounts(l), view, &model);
	tally_view_close(view);
	same_phases();
	for (int k = 0; k < MODEL_KEYS; k++)
		if (!model.accounts[k].phase)
			SAME(tally_account_phase(accounts(), handles[k]),
			     -ESTALE);
	for (int i = 0; i < NR_SNAPSHOTS; i++)
		if (snapshots[i].view)
			same_snapshot(snapshots[i].view, &snapshots[i].then,
				      snapshots[i].handles);
}

/* ---- calls --------------------------------------------------------------- */

static void close_snapshot(struct snapshot *s)
{
	tally_view_close(s->view);
	s->view = NULL;
}

/* Opened later, it shows what the first one does. */
static void take_snapshot(void)
{
	struct snapshot *s = &snapshots[below(NR_SNAPSHOTS)], *other = NULL;
	unsigned int flags = below(2) ? TALLY_SNAPSHOT_JOIN : 0;
	int err;

	close_snapshot(s);
	for (int i = 0; i < NR_SNAPSHOTS; i++)
		if (snapshots[i].view)
			other = &snapshots[i];
	err = tally_view_snapshot(any_writer(), flags, INT64_MAX, &s->view);
	SAME(err, other && !flags ? -EBUSY : 0);
	if (err) {
		s->view = NULL;
		return;
	}
	s->then = other ? other->then : model;
	memcpy(s->handles, other ? other->handles : handles,
	       sizeof(s->handles));
}

/* A row is free once the account that had it is gone for some epochs. */
static void open_account(int k, bool declares)
{
	int should = model_open(
		&model, k, declares ? TALLY_PHASE_PENDING : TALLY_PHASE_READY);

	for (int try = 0; try < 2; try++) {
		struct tally_account a = handles[k];
		int err = declares ? tally_account_declare(accounts(),
							   model_keys[k], &a)
				   : tally_account_open(accounts(),
							model_keys[k], &a);

		if (err == -ENOSPC && !try) {
			for (int i = 0; i < NR_SNAPSHOTS; i++)
				close_snapshot(&snapshots[i]);
			continue;
		}
		SAME(err, should);
		if (!err)
			handles[k] = a;
		return;
	}
}

static void charge(int k)
{
	int n = below(MODEL_NODES), events = below(9), level = below(9) - 4;
	const struct tally_amount amounts[2] = {{EVENTS, events},
						{LEVEL, level}};
	struct tally_entry entries[2] = {
		{handles[k], same_nodes[n], EVENTS, events},
		{handles[k], same_nodes[n], LEVEL, level}};
	int should = model_charge(&model, k, n, events, level);

	if (below(2))
		SAME(tally_ledger_charge(any_writer(), handles[k],
					 same_nodes[n], amounts, 2),
		     should);
	else
		SAME(tally_ledger_post(any_writer(), entries, 2), should);
}

static void set_gauge(int k)
{
	int n = below(MODEL_NODES), level = below(9) - 4;
	const struct tally_amount amount = {LEVEL, level};
	struct model_account *a = &model.accounts[k];

	SAME(tally_ledger_set(any_writer(), handles[k], same_nodes[n], &amount,
			      1),
	     a->phase ? 0 : -ESTALE);
	a->amounts[n][LEVEL] = level;
}

static int any_demands(struct model_demand *should, struct tally_demand *is,
		       int least, int most)
{
	int nr = 1 + below(3);

	for (int i = 0; i < nr; i++) {
		should[i].node = below(MODEL_NODES);
		should[i].amount = least + below(most - least + 1);
		is[i] = (struct tally_demand){same_nodes[should[i].node],
					      MEMORY, should[i].amount};
	}
	return nr;
}

/* A refused one says why, and fits() says the same and changes nothing. */
static void reserve(int k)
{
	struct tally_refusal why = {.size = sizeof(why)};
	struct model_demand demands[3];
	struct tally_demand is[3];
	int nr = any_demands(demands, is, 0, 5), should;
	const struct tally_request request = {.size = sizeof(request),
					      .demands = is,
					      .nr_demands = (unsigned int)nr};
	struct model tried = model;

	should = model_reserve(&tried, k, demands, nr);
	SAME(tally_limit_fits(any_writer(), handles[k], &request, &why),
	     should);
	SAME(tally_limit_reserve(any_writer(), handles[k], &request, &tokens[k],
				 NULL),
	     should);
	if (should == -ENOSPC || should == -EDQUOT)
		SAME(why.resource, MEMORY);
	model = tried;
}

static void draw(int k)
{
	struct tally_refusal why = {.size = sizeof(why)};
	struct model_demand demands[3];
	struct tally_demand is[3];
	int nr = any_demands(demands, is, 0, 2), p = k, should;
	const struct tally_request request = {.size = sizeof(request),
					      .demands = is,
					      .nr_demands = (unsigned int)nr};
	struct model tried = model;

	/* Mostly one that can be drawn from. */
	for (int try = 0; try < MODEL_KEYS && !model.accounts[p].state; try++)
		p = below(MODEL_KEYS);
	should = model_draw(&tried, k, p, demands, nr);
	SAME(tally_limit_draw_fits(any_writer(), handles[k], tokens[p],
				   &request, &why),
	     should);
	SAME(tally_limit_draw(any_writer(), handles[k], tokens[p], &request,
			      &tokens[k], NULL),
	     should);
	if (should == -ENOSPC)
		SAME(why.account.row, tokens[p].row);
	model = tried;
}

static void change(int k)
{
	struct model_demand demands[3];
	struct tally_demand is[3];
	int nr = any_demands(demands, is, -3, 2);
	const struct tally_request request = {.size = sizeof(request),
					      .demands = is,
					      .nr_demands = (unsigned int)nr};

	SAME(tally_limit_change(any_writer(), tokens[k], &request, NULL),
	     model_change(&model, k, demands, nr));
}

static void release(int k)
{
	struct model_demand demands[3];
	struct tally_demand is[3];
	int nr = below(2) ? any_demands(demands, is, 0, 5) : 0;

	SAME(tally_limit_release(any_writer(), tokens[k], is, (unsigned int)nr),
	     model_release(&model, k, demands, nr));
}

/* The handle of an account that ends is still good to give back. */
static void take(int k)
{
	int n = below(MODEL_NODES), amount = below(4), err;
	struct tally_credit credit;

	err = tally_limit_credit(any_writer(), handles[k], same_nodes[n],
				 MEMORY, &credit);
	if (!err) {
		credits[k][n] = credit;
		err = tally_limit_take(&credits[k][n], amount);
	}
	SAME(err, model_take(&model, k, n, amount));
}

/* Too much is not always refused. */
static void give(int k)
{
	const struct model_account *a = &model.accounts[k];
	int n = below(MODEL_NODES), amount = below((int)a->taken[n] + 1);

	if (!a->phase || !a->taken[n])
		return;
	SAME(tally_limit_give(&credits[k][n], amount),
	     model_give(&model, k, n, amount));
}

static void set_limit(int k)
{
	int n = below(MODEL_NODES), limit = below(20);

	if (below(2)) {
		SAME(tally_limit_set_quota(any_writer(), handles[k], MEMORY,
					   limit),
		     model_set_quota(&model, k, limit));
		return;
	}
	SAME(tally_limit_set_capacity(any_writer(), same_nodes[n], MEMORY,
				      limit),
	     0);
	model.nodes[n].capacity = limit;
}

static void call(int k)
{
	int other = below(MODEL_KEYS);
	unsigned int pin = (unsigned int)below(2);

	switch (below(takes ? 27 : 24)) {
	case 0:
	case 1:
		open_account(k, false);
		break;
	case 2:
		open_account(k, true);
		break;
	case 3:
		SAME(tally_account_ready(accounts(), handles[k]),
		     model_ready(&model, k));
		break;
	case 4:
		SAME(tally_account_pin(accounts(), handles[k], pin),
		     model_pin(&model, k, pin));
		break;
	case 5:
	case 6:
		SAME(tally_account_unpin(accounts(), handles[k], pin),
		     model_unpin(&model, k, pin));
		break;
	case 7:
		SAME(tally_account_set_owner(accounts(), handles[k],
					     handles[other]),
		     model_set_owner(&model, k, other));
		break;
	case 8:
		SAME(tally_account_end(accounts(), handles[k]),
		     model_end(&model, k));
		break;
	case 9:
		set_gauge(k);
		break;
	case 10:
		take_snapshot();
		break;
	case 11:
		close_snapshot(&snapshots[below(NR_SNAPSHOTS)]);
		break;
	case 12:
	case 13:
		reserve(k);
		break;
	case 14:
	case 15:
		change(k);
		break;
	case 16:
		SAME(below(2) ? tally_limit_commit(any_writer(), tokens[k]) -
					model_commit(&model, k)
			      : tally_limit_cancel(any_writer(), tokens[k]) -
					model_cancel(&model, k),
		     0);
		break;
	case 17:
		release(k);
		break;
	case 18:
		set_limit(k);
		break;
	case 19:
	case 20:
	case 21:
		draw(k);
		break;
	case 24:
		take(k);
		break;
	case 25:
	case 26:
		give(k);
		break;
	default:
		charge(k);
	}
}

/* ---- the tests ----------------------------------------------------------- */

static void begin(const struct tree *tree, int exclusive)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = MAX_ACCOUNTS,
		.exclusive = exclusive,
	};
	struct tally_account a;
	char key[32];

	tree_path(tree, "ledger", path);
	tree_path(tree, "saved", saved);
	assert_int_equal(tally_ledger_create(path, topo, resources,
					     MODEL_RESOURCES, &options,
					     &writers[0]),
			 0);
	writers[1] = NULL;
	if (!exclusive)
		assert_int_equal(tally_ledger_open(path, &writers[1]), 0);
	for (int i = 0; i < NR_FILLERS; i++) {
		snprintf(key, sizeof(key), "filler%d", i);
		assert_int_equal(tally_account_open(accounts(), key, &a), 0);
	}
	memset(handles, 0, sizeof(handles));
	memset(tokens, 0, sizeof(tokens));
	memcpy(same_nodes, (const int[]){2, 4, 7}, sizeof(same_nodes));
	memset(snapshots, 0, sizeof(snapshots));
	model_init(&model);
}

static void end(void)
{
	for (int i = 0; i < NR_SNAPSHOTS; i++)
		close_snapshot(&snapshots[i]);
	tally_ledger_close(writers[1]);
	tally_ledger_close(writers[0]);
	unlink(path);
	unlink(saved);
}

static void run(const struct tree *tree, int exclusive, bool with_credits,
		unsigned int from)
{
	seed = from;
	takes = with_credits;
	begin(tree, exclusive);
	for (same_op = 0; same_op < NR_OPS; same_op++) {
		call(below(MODEL_KEYS));
		if (same_op % 4 == 0)
			compare();
		if (same_op % 100 == 99)
			same_saved(path, saved, &model, NR_FILLERS);
	}
	end();
}

static int set_up(void **state)
{
	if (tree_setup(state))
		return -1;
	put_two_nodes(*state);
	tree_put(*state, NODE "/online", "2,4,7\n");
	tree_put(*state, NODE "/node4/cpulist", "\n");
	tree_put(*state, NODE "/node4/cpumap", "0\n");
	topo = open_tree(*state);
	return topo ? 0 : -1;
}

static int tear_down(void **state)
{
	tally_topo_close(topo);
	return tree_teardown(state);
}

static void run_each(const struct tree *tree, int exclusive)
{
	unsigned int nr = test_is_long() ? 200 : 8;

	for (unsigned int i = 0; i < nr; i++)
		run(tree, exclusive, i % 2, 2 * i + (unsigned int)exclusive);
}

static void of_two_writers(void **state)
{
	run_each(*state, 0);
}

static void of_one_writer(void **state)
{
	run_each(*state, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_two_writers, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(of_one_writer, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
