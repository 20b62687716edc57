// SPDX-License-Identifier: MIT
/* Which resource takes which add; nothing else is changed. */
#include "support/test.h"

#include <numatally/ledger_inline.h>
#include <numatally/limit.h>
#include <numatally/view.h>

#include "support/machine.h"

/* The row is full: the next resource number would be the next account's. */
#define NR 8
enum { COUNTER = 0, GAUGE = 2, COUNTER_TOO = 4, CORES = 5 };

static const struct tally_resource resources[NR] = {
	{"a", "", TALLY_COUNTER}, {"b", "", TALLY_COUNTER},
	{"c", "", TALLY_GAUGE},	  {"d", "", TALLY_GAUGE},
	{"e", "", TALLY_COUNTER}, {"cores", "", TALLY_RESERVABLE},
	{"g", "", TALLY_GAUGE},	  {"h", "", TALLY_GAUGE},
};

static struct tally_ledger *make(struct machine *m, bool exclusive)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};
	struct tally_ledger *l = NULL;

	assert_int_equal(
		tally_ledger_create(NULL, m->topo, resources, NR, &options, &l),
		0);
	return l;
}

/* ---- each way to add ----------------------------------------------------- */

/* Adds nr amounts, beginning at a resource, in every way that can. */
typedef int add_fn(struct tally_ledger *l, struct tally_account a,
		   unsigned int resource, const int64_t *amounts,
		   unsigned int nr);

static int charge_node(struct tally_ledger *l, struct tally_account a, int node,
		       unsigned int resource, const int64_t *amounts,
		       unsigned int nr)
{
	struct tally_amount some[4];

	for (unsigned int i = 0; i < nr; i++)
		some[i] = (struct tally_amount){resource + i, amounts[i]};
	return tally_ledger_charge(l, a, node, some, nr);
}

static int call(struct tally_ledger *l, struct tally_account a,
		unsigned int resource, const int64_t *amounts, unsigned int nr)
{
	if (nr == 1)
		return tally_ledger_add(l, a, resource, *amounts);
	return charge_node(l, a, TALLY_NODE_LOCAL, resource, amounts, nr);
}

static int inlined(struct tally_ledger *l, struct tally_account a,
		   unsigned int resource, const int64_t *amounts,
		   unsigned int nr)
{
	if (nr == 1)
		return tally_ledger_inline_add(l, a, resource, *amounts);
	return charge_node(l, a, TALLY_NODE_LOCAL, resource, amounts, nr);
}

static int charge(struct tally_ledger *l, struct tally_account a,
		  unsigned int resource, const int64_t *amounts,
		  unsigned int nr)
{
	return charge_node(l, a, 5, resource, amounts, nr);
}

static int post(struct tally_ledger *l, struct tally_account a,
		unsigned int resource, const int64_t *amounts, unsigned int nr)
{
	struct tally_entry entries[4];

	for (unsigned int i = 0; i < nr; i++)
		entries[i] =
			(struct tally_entry){a, 5, resource + i, amounts[i]};
	return tally_ledger_post(l, entries, nr);
}

static void assert_refused(add_fn *add, struct tally_ledger *l)
{
	static const int64_t plus[4] = {1, 1, 1, 1}, minus[4] = {1, -1, 1, 1};
	struct tally_account a = machine_account(l, "a");

	machine_account(l, "b");
	for (int warm = 0; warm < 2; warm++) {
		assert_int_equal(add(l, a, NR, plus, 1), -EINVAL);
		assert_int_equal(add(l, a, UINT32_MAX, plus, 1), -EINVAL);
		assert_int_equal(add(l, a, NR, plus, 2), -EINVAL);
		assert_int_equal(add(l, a, UINT32_MAX - 1, plus, 2), -EINVAL);
		assert_int_equal(add(l, a, NR, plus, 4), -EINVAL);
		assert_int_equal(add(l, a, UINT32_MAX - 3, plus, 4), -EINVAL);
		assert_int_equal(add(l, a, COUNTER, &minus[1], 1), -EINVAL);
		assert_int_equal(add(l, a, COUNTER, minus, 2), -EINVAL);
		assert_int_equal(add(l, a, COUNTER, minus, 4), -EINVAL);
		assert_int_equal(add(l, a, CORES, plus, 1), -EINVAL);
		assert_int_equal(add(l, a, CORES, &minus[1], 1), -EINVAL);
		assert_int_equal(add(l, a, COUNTER_TOO, plus, 2), -EINVAL);
		assert_int_equal(add(l, a, COUNTER_TOO, plus, 4), -EINVAL);
		machine_is_empty(l);
		/* After a first add by this thread on this CPU, sequences are
		 * used. */
		for (int i = 0; i < 4; i++) {
			assert_int_equal(add(l, a, GAUGE, &plus[0], 1), 0);
			assert_int_equal(add(l, a, GAUGE, &minus[1], 1), 0);
		}
	}
}

static void adds_that_are_refused_change_nothing(void **state)
{
	add_fn *const adds[] = {call, charge, post};

	for (int i = 0; i < 6; i++) {
		struct tally_ledger *l = make(*state, i % 2);

		assert_refused(adds[i / 2], l);
		tally_ledger_close(l);
	}
}

static void checked_mode_refuses_inlined_adds(void **state)
{
	bool before = tally_slice_checked();

	for (int exclusive = 0; exclusive < 2; exclusive++) {
		struct tally_ledger *l;

		tally_slice_set_checked(true);
		l = make(*state, exclusive);
		tally_slice_set_checked(before);
		assert_refused(inlined, l);
		assert_refused(call, l);
		tally_ledger_close(l);
	}
}

/* Also during a snapshot and after it, when adds go to other cells. */
static void checked_mode_follows_epochs(void **state)
{
	static const int64_t one = 1;
	bool before = tally_slice_checked();

	for (int exclusive = 0; exclusive < 2; exclusive++) {
		struct tally_account a;
		struct tally_ledger *l;
		struct tally_view *view;

		tally_slice_set_checked(true);
		l = make(*state, exclusive);
		tally_slice_set_checked(before);
		a = machine_account(l, "a");
		for (int i = 0; i < 3; i++) {
			int err = tally_view_snapshot(l, 0, INT64_MAX, &view);

			if (err == -ENOSYS)
				skip();
			assert_int_equal(err, 0);
			assert_int_equal(inlined(l, a, COUNTER, &one, 1), 0);
			assert_int_equal(inlined(l, a, NR, &one, 1), -EINVAL);
			assert_int_equal(call(l, a, COUNTER, &one, 1), 0);
			tally_view_close(view);
		}
		assert_int_equal(machine_amount(l, a, TALLY_VIEW_ALL, COUNTER),
				 6);
		tally_ledger_close(l);
	}
}

/* Resources in any order, some named twice: neighbours are left alone. */
static void charges_of_any_resources(void **state)
{
	static const int64_t four[4] = {1, 20, 300, 4000};

	for (int exclusive = 0; exclusive < 2; exclusive++) {
		struct tally_ledger *l = make(*state, exclusive);
		struct tally_account a = machine_account(l, "a");
		struct tally_account b = machine_account(l, "b");
		int64_t expected[NR] = {0};

		for (unsigned int i = 0; i < 500; i++) {
			struct tally_amount some[4];
			unsigned int nr = i % 4 + 1, at = i / 4 % NR;
			unsigned int step = i / 100 % 3;
			int err;

			for (unsigned int j = 0; j < nr; j++)
				some[j] = (struct tally_amount){
					(at + j * step) % NR, four[j]};
			err = tally_ledger_charge(l, a, TALLY_NODE_LOCAL, some,
						  nr);
			for (unsigned int j = 0; j < nr; j++)
				if (some[j].resource == CORES)
					assert_int_equal(err, -EINVAL);
			if (err)
				continue;
			for (unsigned int j = 0; j < nr; j++)
				expected[some[j].resource] += some[j].amount;
		}
		for (unsigned int i = 0; i < NR; i++) {
			assert_int_equal(
				machine_amount(l, a, TALLY_VIEW_ALL, i),
				expected[i]);
			assert_int_equal(
				machine_amount(l, b, TALLY_VIEW_ALL, i), 0);
			assert_true(expected[i] || i == CORES);
		}
		tally_ledger_close(l);
	}
}

/* ---- limits and views ---------------------------------------------------- */

static void limits_refuse_what_is_not_reservable(void **state)
{
	struct tally_ledger *l = make(*state, false);
	struct tally_account a = machine_account(l, "a");
	const unsigned int none[] = {COUNTER, GAUGE, NR, UINT32_MAX};
	struct tally_credit credit;
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_token token;
	struct tally_view *view;

	for (int i = 0; i < 4; i++) {
		const struct tally_demand hold = {0, none[i], 1};
		const struct tally_request request = {sizeof(request), &hold, 1,
						      0};

		assert_int_equal(tally_limit_set_capacity(l, 0, none[i], 9),
				 -EINVAL);
		assert_int_equal(tally_limit_set_quota(l, a, none[i], 9),
				 -EINVAL);
		assert_int_equal(
			tally_limit_reserve(l, a, &request, &token, NULL),
			-EINVAL);
		assert_int_equal(tally_limit_adopt(l, a, &request, &token),
				 -EINVAL);
		assert_int_equal(tally_limit_credit(l, a, 0, none[i], &credit),
				 -EINVAL);
	}
	assert_int_equal(tally_view_open(l, &view), 0);
	for (unsigned int i = NR; i; i *= 2) {
		assert_int_equal(tally_limit_node(view, 0, i, &limit), -EINVAL);
		assert_int_equal(tally_limit_account(view, a, i, &limit),
				 -EINVAL);
	}
	tally_view_close(view);
	machine_is_empty(l);
	tally_ledger_close(l);
}

static void a_sum_never_passes_its_capacity(void **state)
{
	struct tally_ledger *l = make(*state, false);
	struct tally_account a = machine_account(l, "a");
	const struct tally_demand hold = {0, CORES, 2};
	const struct tally_request request = {sizeof(request), &hold, 1, 0};
	struct tally_token token;

	assert_int_equal(tally_limit_set_capacity(l, 0, CORES, 8), 0);
	assert_int_equal(tally_limit_reserve(l, a, &request, &token, NULL), 0);
	assert_int_equal(tally_ledger_add(l, a, CORES, 100), -EINVAL);
	assert_int_equal(machine_amount(l, a, 0, CORES), 2);
	tally_ledger_close(l);
}

static void a_kind_is_one_of_three(void **state)
{
	const struct machine *m = *state;
	struct tally_ledger *l = NULL;

	for (int kind = -1; kind < 6; kind++) {
		const struct tally_resource one = {"a", "",
						   (enum tally_kind)kind};
		int err = tally_ledger_create(NULL, m->topo, &one, 1, NULL, &l);

		assert_int_equal(err, kind < 1 || kind > 3 ? -EINVAL : 0);
		if (!err)
			tally_ledger_close(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(adds_that_are_refused_change_nothing),
		MACHINE_TEST(checked_mode_refuses_inlined_adds),
		MACHINE_TEST(checked_mode_follows_epochs),
		MACHINE_TEST(charges_of_any_resources),
		MACHINE_TEST(limits_refuse_what_is_not_reservable),
		MACHINE_TEST(a_sum_never_passes_its_capacity),
		MACHINE_TEST(a_kind_is_one_of_three),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
