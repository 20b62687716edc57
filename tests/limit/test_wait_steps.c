// SPDX-License-Identifier: MIT
/* Room is made while a process is at each step of waiting for it; see
 * support/sleep_steps.h and limit/broken_wait.sh. */
#include "support/test.h"

#include "support/sleep_steps.h"
#include "support/waits.h"

struct subject {
	struct machine *machine;
	struct tally_ledger *ledger;
	struct tally_token token; /* of all on the first node */
	int64_t quota;		  /* of the one that waits, or 0 */
};

static void begin(void *arg)
{
	struct subject *s = arg;

	unlink(s->machine->path);
	s->ledger = full(s->machine, &s->token);
	if (s->quota)
		assert_int_equal(
			tally_limit_set_quota(s->ledger,
					      machine_account(s->ledger, "a"),
					      MEMORY, s->quota),
			0);
}

static void end(void *arg)
{
	struct subject *s = arg;

	tally_ledger_close(s->ledger);
}

static int wait_for_some(void *arg)
{
	const struct subject *s = arg;
	struct tally_account a;
	struct tally_ledger *l;
	int err = tally_ledger_open(s->machine->path, &l);

	if (!err)
		err = tally_account_open(tally_ledger_accounts(l), "a", &a);
	if (err)
		return -err;
	step_begin();
	err = tally_limit_wait(l, a, memory(machine_nodes[s->quota != 0], 4),
			       -1, NULL);
	step_end();
	return -err;
}

/* It may wait until the lock's owner goes on. */
static int make_some(void *arg)
{
	const struct subject *s = arg;
	struct tally_account a;
	struct tally_ledger *l;
	int err = tally_ledger_open(s->machine->path, &l);

	if (!err)
		err = tally_account_open(tally_ledger_accounts(l), "a", &a);
	if (err)
		return -err;
	do
		err = s->quota ? tally_limit_set_quota(l, a, MEMORY, 5)
			       : release(l, s->token);
	while (err == -EAGAIN);
	return -err;
}

static void room_on_a_node(void **state)
{
	struct subject s = {.machine = *state};

	machine_few_cpus(*state);
	changed_at_each_step(ROOM_ANYWHERE, begin, wait_for_some, make_some,
			     end, &s);
}

static void room_under_a_quota(void **state)
{
	struct subject s = {.machine = *state, .quota = 3};

	machine_few_cpus(*state);
	changed_at_each_step(ROOM_ANYWHERE, begin, wait_for_some, make_some,
			     end, &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLEEP_TEST(room_on_a_node),
		SLEEP_TEST(room_under_a_quota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
