// SPDX-License-Identifier: MIT
/* A watch is made, waited for and closed, while each call of the kernel, and each
 * allocation, fails once: nothing is left of it. */
#include "support/test.h"

#include <malloc.h>

#include <numatally/limit.h>
#include <numatally/watch.h>

#include "support/fault.h"
#include "support/machine.h"

/* Something is wrong. */
#define BAD 1

static int use_watch(struct tally_watch *w)
{
	struct tally_watch_event e = {.size = sizeof(e)};
	int err = tally_watch_wait(w, 0, &e);

	if (err)
		return err;
	if (e.nr != 1 || e.amounts[0] != 3)
		return BAD;
	err = tally_watch_wait(w, 200000, &e);
	if (err != -ETIMEDOUT)
		return err ? err : BAD;
	err = tally_watch_fd(w);
	return err < 0 ? err : 0;
}

static int use(void *arg)
{
	struct tally_ledger *l = arg;
	const struct tally_watch_threshold t = {
		.of = TALLY_WATCH_AMOUNT,
		.side = TALLY_WATCH_ABOVE,
		.resource = 1,
		.node = TALLY_VIEW_ALL,
		.account = "a/",
		.mark = 2,
	};
	const struct tally_watch_options options = {
		.size = sizeof(options),
		.thresholds = &t,
		.nr_thresholds = 1,
		.ledger = l,
	};
	struct tally_watch *w = NULL;
	struct tally_view *view;
	int err = tally_view_open(l, &view);

	if (err)
		return err;
	err = tally_watch_open(view, &options, &w);
	if (err && w)
		err = BAD;
	if (!err)
		err = use_watch(w);
	tally_watch_close(w);
	tally_view_close(view);
	return err;
}

static struct tally_ledger *with_three(struct machine *m)
{
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	const struct tally_demand demand = {machine_nodes[0], 1, 3};
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = &demand,
		.nr_demands = 1,
	};
	struct tally_token token;

	assert_int_equal(tally_limit_reserve(l, machine_account(l, "a/b"),
					     &request, &token, NULL),
			 0);
	return l;
}

static void each_call_fails(void **state)
{
	struct tally_ledger *l;

	/* A sanitizer has its memory by mmap(2). */
	if (TEST_SANITIZED)
		skip();
	l = with_three(*state);
	fault_each_call(use, l);
	tally_ledger_close(l);
}

static void each_allocation_fails(void **state)
{
	struct tally_ledger *l = with_three(*state);

	fault_each_allocation(use, l);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(each_call_fails),
		MACHINE_TEST(each_allocation_fails),
	};

	/* The C library maps memory of its own for a thread that allocates. */
	mallopt(M_ARENA_MAX, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
