// SPDX-License-Identifier: MIT
/* What a watch waits for comes while it is at each step; see support/sleep_steps.h
 * and watch/broken.sh. */
#include "support/test.h"

#include "support/sleep_steps.h"
#include "support/watches.h"

struct subject {
	struct machine *machine;
	struct tally_ledger *ledger;
};

static void begin(void *arg)
{
	struct subject *s = arg;

	unlink(s->machine->path);
	s->ledger = with_ten(s->machine);
}

static void end(void *arg)
{
	struct subject *s = arg;

	tally_ledger_close(s->ledger);
}

static int watch_one(void *arg)
{
	const struct tally_watch_threshold t =
		free_below(machine_nodes[0], 4, 0);
	const struct subject *s = arg;
	struct tally_watch_options options = {
		.size = sizeof(options),
		.thresholds = &t,
		.nr_thresholds = 1,
	};
	struct tally_view *view;
	struct tally_watch *w;
	int err = tally_ledger_open(s->machine->path, &options.ledger);

	if (!err)
		err = tally_view_open(options.ledger, &view);
	if (!err)
		err = tally_watch_open(view, &options, &w);
	if (err)
		return -err;
	step_begin();
	err = tally_watch_wait(w, -1, NULL);
	step_end();
	return -err;
}

/* It may wait until the lock's owner goes on. */
static int take_most(void *arg)
{
	const struct subject *s = arg;
	struct tally_account a;
	struct tally_token token;
	struct tally_ledger *l;
	int err = tally_ledger_open(s->machine->path, &l);

	if (!err)
		err = tally_account_open(tally_ledger_accounts(l), "a", &a);
	if (err)
		return -err;
	do
		err = reserve(l, a, machine_nodes[0], 7, &token);
	while (err == -EAGAIN);
	/* Until it is committed, it ends with this process. */
	return -(err ? err : tally_limit_commit(l, token));
}

static void taken_at_each_step(void **state)
{
	struct subject s = {.machine = *state};

	machine_few_cpus(*state);
	changed_at_each_step(ROOM_WATCHED, begin, watch_one, take_most, end,
			     &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLEEP_TEST(taken_at_each_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
