// SPDX-License-Identifier: MIT
/* Resources that are declared with quotas. */
#include "support/test.h"

#include <numatally/limit.h>

#include "file/layout_limit.h"
#include "support/limits.h"
#include "support/machine.h"

enum { EVENTS, MEMORY, GPUS };

static const struct tally_resource gpus = {"gpus", "", TALLY_RESERVABLE};

static struct tally_ledger *create(struct machine *m, uint32_t max_accounts)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .max_accounts =
							     max_accounts,
						     .nr_spare = 2};
	struct tally_ledger *l = NULL;

	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 2, &options,
					     &l),
			 0);
	return l;
}

static int reserve(struct tally_ledger *l, const char *key,
		   unsigned int resource, int64_t amount)
{
	const struct tally_demand demand = {5, resource, amount};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_token t;

	return tally_limit_reserve(l, machine_account(l, key), &request, &t,
				   NULL);
}

static int declare(struct tally_ledger *l, const struct tally_quota *quotas,
		   unsigned int nr)
{
	const struct tally_capacity ten = {5, 0, 10};

	return tally_ledger_declare_limited(l, &gpus, &ten, 1, quotas, nr);
}

static int64_t held(struct tally_ledger *l, const char *key,
		    unsigned int resource)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_view *view;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_account(view, machine_account(l, key),
					     resource, &limit),
			 0);
	tally_view_close(view);
	return limit.held;
}

/* Of accounts that exist, with reservations and idle credits, and that do not. */
static void quotas_bind(void **state)
{
	static const struct tally_quota quotas[] = {
		{"team/", 99, 5}, {"new", 99, 2}, {"team/", 99, 4}};
	struct machine *m = *state;
	struct tally_ledger *l = create(m, 64), *other;
	struct tally_credit credit;

	assert_int_equal(tally_ledger_open(m->path, &other), 0);
	assert_int_equal(reserve(other, "team/a", MEMORY, 6), 0);
	assert_int_equal(tally_limit_credit(other, machine_account(l, "team/b"),
					    5, MEMORY, &credit),
			 0);
	assert_int_equal(tally_limit_take(&credit, 1), 0);
	assert_int_equal(declare(l, quotas, 3), GPUS);
	assert_int_equal(reserve(other, "team/x", GPUS, 5), -EDQUOT);
	assert_int_equal(reserve(other, "team/x", GPUS, 4), 0);
	assert_int_equal(reserve(other, "team/y", GPUS, 1), -EDQUOT);
	assert_int_equal(reserve(other, "new", GPUS, 3), -EDQUOT);
	assert_int_equal(reserve(other, "free", GPUS, 7), -ENOSPC);
	assert_int_equal(reserve(other, "free", GPUS, 6), 0);
	/* Its first quota counts what is below it, of each resource. */
	assert_int_equal(held(l, "team/", MEMORY), 7);
	assert_int_equal(held(l, "team/", GPUS), 4);
	limits_agree(l);
	tally_ledger_close(other);
	tally_ledger_close(l);
}

static void one_that_exists_keeps_its_own(void **state)
{
	static const struct tally_quota two = {"team/", 0, 2};
	static const struct tally_quota more[] = {{"team/", 0, 9},
						  {"later", 0, 1}};
	struct machine *m = *state;
	struct tally_ledger *l = create(m, 64);
	struct tally_account a;

	assert_int_equal(declare(l, &two, 1), GPUS);
	assert_int_equal(declare(l, more, 2), GPUS);
	assert_int_equal(
		tally_account_find(tally_ledger_accounts(l), "later", &a),
		-ENOENT);
	assert_int_equal(reserve(l, "team/x", GPUS, 3), -EDQUOT);
	assert_int_equal(tally_ledger_declare(l, &gpus, NULL, 0), GPUS);
	tally_ledger_close(l);
}

static void refused(struct tally_ledger *l, int err,
		    const struct tally_quota *quotas, unsigned int nr)
{
	assert_int_equal(declare(l, quotas, nr), err);
	assert_int_equal(tally_ledger_resource(l, gpus.name), -ENOENT);
}

#define NR_KEYS 1024 /* each changes ten words; 4,096 can be undone */

static void too_many(struct tally_ledger *l)
{
	static struct tally_quota quotas[NR_KEYS];
	static char keys[NR_KEYS][16];

	for (int i = 0; i < NR_KEYS; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
		quotas[i] = (struct tally_quota){keys[i], 0, 1};
	}
	refused(l, -E2BIG, quotas, NR_KEYS);
}

/* What a refused call had set is not there when the resource is. */
static void each_error(void **state)
{
	const struct tally_resource counter = {"faults", "", TALLY_COUNTER};
	const struct tally_quota negative[] = {{"a", 0, 0}, {"b", 0, -1}};
	const struct tally_quota bad_key[] = {{"a", 0, 0}, {"", 0, 1}};
	char deep[] = "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/";
	const struct tally_quota too_deep[] = {{"a", 0, 0}, {deep, 0, 1}};
	const struct tally_quota too_much[] = {{"a", 0, 0}, {"full/", 0, 1}};
	struct machine *m = *state;
	struct tally_ledger *l = create(m, 2048);

	refused(l, -EINVAL, negative, 2);
	refused(l, -EINVAL, bad_key, 2);
	refused(l, -E2BIG, too_deep, 2);
	limits_fill(l);
	refused(l, -EOVERFLOW, too_much, 2);
	too_many(l);
	assert_int_equal(
		tally_ledger_declare_limited(l, &counter, NULL, 0, negative, 1),
		-EINVAL);
	assert_int_equal(tally_ledger_declare(l, &gpus, NULL, 0), GPUS);
	assert_int_equal(reserve(l, "a", GPUS, 1000), 0);
	limits_agree(l);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(quotas_bind),
		MACHINE_TEST(one_that_exists_keeps_its_own),
		MACHINE_TEST(each_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
