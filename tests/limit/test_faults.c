// SPDX-License-Identifier: MIT
/*
 * Reservations are made, changed and given back while each call of the kernel,
 * and each allocation, fails once: what fails changes nothing that is held, and
 * all words agree.
 */
#include "support/test.h"

#include <numatally/limit_claim.h>

#include "support/fault.h"
#include "support/limits.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

/* Something is wrong. */
#define BAD 1

struct task {
	const struct machine *m;
	int exclusive;
	struct tally_ledger *l;
	struct tally_account team, a, b, c;
	struct tally_token t, drawn;
	struct tally_credit credit;
};

static int set_quota(struct task *t)
{
	return tally_limit_set_quota(t->l, t->team, MEMORY, 10);
}

static int claim(struct task *t)
{
	struct tally_claimer claimer = {.size = sizeof(claimer)};
	struct tally_view *view;
	int err = tally_limit_claim(t->l, t->a, SECOND_NS * 1000, &t->t);

	if (!err)
		err = tally_view_open(t->l, &view);
	if (err)
		return err;
	err = tally_limit_claimer(view, t->a, &claimer);
	tally_view_close(view);
	return err ? err : tally_limit_cancel(t->l, t->t);
}

static int reserve(struct task *t)
{
	const struct tally_demand demands[] = {{0, MEMORY, 2}, {5, MEMORY, 3}};
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = 2};

	return tally_limit_reserve(t->l, t->a, &request, &t->t, NULL);
}

/* To a node where the account had nothing yet. */
static int change(struct task *t)
{
	const struct tally_demand demands[] = {{0, MEMORY, -1}, {9, MEMORY, 1}};
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = 2};

	return tally_limit_change(t->l, t->t, &request, NULL);
}

static int draw(struct task *t)
{
	const struct tally_demand demand = {5, MEMORY, 2};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};

	return tally_limit_draw(t->l, t->c, t->t, &request, &t->drawn, NULL);
}

static int undraw(struct task *t)
{
	return tally_limit_cancel(t->l, t->drawn);
}

static int commit(struct task *t)
{
	return tally_limit_commit(t->l, t->t);
}

static int open_credit(struct task *t)
{
	return tally_limit_credit(t->l, t->b, 5, MEMORY, &t->credit);
}

static int take(struct task *t)
{
	return tally_limit_take(&t->credit, 2);
}

/* Draws back what is idle. */
static int exchange(struct task *t)
{
	struct tally_capacity capacities[] = {{5, MEMORY, 7}, {0, MEMORY, 9}};
	struct tally_quota quotas[] = {{"team/", MEMORY, 8}};
	int err = tally_limit_exchange(t->l, capacities, 2, quotas, 1);

	if (err)
		return err;
	return capacities[0].capacity == 100 && quotas[0].quota == 10 ? 0 : BAD;
}

static int declare(struct task *t)
{
	static const struct tally_resource gpus = {"gpus", "",
						   TALLY_RESERVABLE};
	const struct tally_capacity four = {5, 0, 4};
	int number = tally_ledger_declare(t->l, &gpus, &four, 1);

	return number == MEMORY + 1 ? 0 : number < 0 ? number : BAD;
}

/* 4 are free of the capacity, 5 of the quota. */
static int refuse(struct task *t)
{
	const struct tally_demand demands[] = {{0, MEMORY, 1}, {5, MEMORY, 3}};
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = 2};
	struct tally_token token;
	int err = tally_limit_reserve(t->l, t->b, &request, &token, NULL);

	return err == -ENOSPC ? 0 : err ? err : BAD;
}

static int give(struct task *t)
{
	return tally_limit_give(&t->credit, 2);
}

static int release_some(struct task *t)
{
	const struct tally_demand demands[] = {{5, MEMORY, 3}};

	return tally_limit_release(t->l, t->t, demands, 1);
}

static int end(struct task *t)
{
	return tally_account_end(tally_ledger_accounts(t->l), t->a);
}

static int release_rest(struct task *t)
{
	return tally_limit_release(t->l, t->t, NULL, 0);
}

static int be_gone(struct task *t)
{
	int phase = tally_account_phase(tally_ledger_accounts(t->l), t->a);

	return phase == -ESTALE ? 0 : BAD;
}

/* What is held on nodes 0, 5 and 9 once it is done. */
static const struct step {
	int (*what)(struct task *t);
	int64_t held[3];
} steps[] = {
	{set_quota, {0, 0, 0}}, {claim, {0, 0, 0}},
	{reserve, {2, 3, 0}},	{change, {1, 3, 1}},
	{commit, {1, 3, 1}},	{declare, {1, 3, 1}},
	{draw, {1, 3, 1}},	{open_credit, {1, 3, 1}},
	{take, {1, 5, 1}},	{exchange, {1, 5, 1}},
	{refuse, {1, 5, 1}},	{give, {1, 3, 1}},
	{undraw, {1, 3, 1}},	{release_some, {1, 0, 1}},
	{end, {1, 0, 1}},	{release_rest, {0, 0, 0}},
	{be_gone, {0, 0, 0}},
};
#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

static int count_problem(void *nr, const char *problem)
{
	print_error("%s\n", problem);
	++*(int *)nr;
	return 0;
}

/* Whether so much is held. The account and what is above it count the same. */
static bool holds(struct tally_ledger *l, const int64_t held[3])
{
	int64_t sums[3] = {0};
	struct tally_view *view;
	bool good = true;
	int problems = 0;

	if (tally_view_open(l, &view))
		return false;
	for (int n = 0; n < 3; n++) {
		struct tally_limit limit = {.size = sizeof(limit)};

		good &= !tally_limit_node(view, machine_nodes[n], MEMORY,
					  &limit) &&
			limit.held == held[n];
		good &= !tally_view_totals(view, machine_nodes[n], sums) &&
			sums[MEMORY] == held[n];
	}
	good &= !tally_limit_check(view, count_problem, &problems) && !problems;
	tally_view_close(view);
	return good;
}

static int set_up(struct task *t)
{
	const struct tally_capacity capacities[] = {
		{0, MEMORY, 100}, {5, MEMORY, 100}, {9, MEMORY, 100}};
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = 100,
		.exclusive = t->exclusive,
		.capacities = capacities,
		.nr_capacities = 3,
		.nr_spare = 1,
	};
	struct tally_accounts *accounts;
	int err = tally_ledger_create(NULL, t->m->topo, machine_reservables, 2,
				      &options, &t->l);

	if (err)
		return err;
	accounts = tally_ledger_accounts(t->l);
	err = tally_account_open(accounts, "team/", &t->team);
	if (!err)
		err = tally_account_open(accounts, "team/a", &t->a);
	if (!err)
		err = tally_account_open(accounts, "b", &t->b);
	if (!err)
		err = tally_account_open(accounts, "c", &t->c);
	if (err)
		tally_ledger_close(t->l);
	return err;
}

static int run(void *arg)
{
	static const int64_t nothing[3];
	const int64_t *before = nothing;
	struct task *t = arg;
	int err = set_up(t);

	if (err)
		return err;
	for (size_t i = 0; !err && i < NR_STEPS; i++) {
		err = steps[i].what(t);
		if (err)
			fault_over();
		else
			before = steps[i].held;
		if (err > 0 || (err && !holds(t->l, before))) {
			print_error("step %zu: %d\n", i, err);
			err = BAD;
		}
	}
	fault_over();
	if (!err && !holds(t->l, before))
		err = BAD;
	tally_ledger_close(t->l);
	return err;
}

static void of_several_writers(void **state)
{
	struct task t = {.m = *state};

	machine_few_cpus(*state);
	fault_each_call(run, &t);
	fault_each_signal(run, &t);
	fault_each_allocation(run, &t);
}

static void of_one_writer(void **state)
{
	struct task t = {.m = *state, .exclusive = 1};

	machine_few_cpus(*state);
	fault_each_call(run, &t);
	fault_each_signal(run, &t);
	fault_each_allocation(run, &t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(of_several_writers),
		MACHINE_TEST(of_one_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
