// SPDX-License-Identifier: MIT
/*
 * An account ends while something is reserved of it or taken, and each of the
 * two is stopped at each step while the other is done: either the account holds
 * it and waits, or is gone and holds nothing. limit/broken.sh runs this with
 * steps.
 */
#include "support/test.h"

#include <signal.h>

#include "support/limits.h"
#include "support/machine.h"
#include "support/step.h"

#define MOST_STEPS 1000
/* If the other one waits for what is stopped, that goes on after a while. */
#define PATIENCE_US 5000
#define MEMORY	    1

struct subject {
	struct machine *machine;
	struct tally_ledger *ledger;
	struct tally_account account;
	bool takes; /* else it reserves */
};

static int reserve(const struct subject *s, struct tally_ledger *ledger)
{
	const struct tally_demand demand = {0, MEMORY, 3};
	const struct tally_request request = {sizeof(request), &demand, 1, 0};
	struct tally_token token;
	int err;

	step_begin();
	err = tally_limit_reserve(ledger, s->account, &request, &token, NULL);
	/* What is not committed ends with its process. */
	return err ? err : tally_limit_commit(ledger, token);
}

static int take(const struct subject *s, struct tally_ledger *ledger)
{
	struct tally_credit credit;
	int err = tally_limit_credit(ledger, s->account, 0, MEMORY, &credit);

	step_begin();
	return err ? err : tally_limit_take(&credit, 3);
}

/* Exits with 0 if it holds 3; with 1 if it is too late. */
static int hold(void *arg)
{
	const struct subject *s = arg;
	struct tally_ledger *ledger;
	int err = tally_ledger_open(s->machine->path, &ledger);

	if (err)
		return 2;
	err = s->takes ? take(s, ledger) : reserve(s, ledger);
	step_end();
	tally_ledger_close(ledger);
	if (err == -ESHUTDOWN || err == -ESTALE)
		return 1;
	return err ? 2 : 0;
}

static int end(void *arg)
{
	const struct subject *s = arg;
	struct tally_ledger *ledger;
	int err = tally_ledger_open(s->machine->path, &ledger);

	if (err)
		return 2;
	step_begin();
	err = tally_account_end(tally_ledger_accounts(ledger), s->account);
	step_end();
	tally_ledger_close(ledger);
	return err ? 2 : 0;
}

static void do_beside(struct stepped *stopped, struct stepped *beside,
		      int (*what)(void *arg), struct subject *s)
{
	int waited = 0, status = -1;

	beside->pid = fork();
	assert_true(beside->pid >= 0);
	if (!beside->pid)
		_exit(what(s));
	while (!waitpid(beside->pid, &status, WNOHANG))
		if (waited++ == PATIENCE_US / 100)
			step_on(stopped);
		else
			usleep(100);
	step_on(stopped);
	beside->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Whether the account is gone. */
static bool holds(const struct subject *s, int64_t amount)
{
	struct tally_accounts *accounts = tally_ledger_accounts(s->ledger);
	int phase = tally_account_phase(accounts, s->account);

	assert_int_equal(limits_of_node(s->ledger, 0).held, amount);
	limits_agree(s->ledger);
	assert_int_equal(phase, amount ? TALLY_PHASE_TERMINATING : -ESTALE);
	return !amount;
}

static void each(void **state, bool takes, int (*in_steps)(void *arg),
		 int (*meanwhile)(void *arg))
{
	struct subject s = {.machine = *state, .takes = takes};
	unsigned int step = 0, nr_late = 0;
	struct stepped first, second;
	bool stopped;

	machine_few_cpus(*state);
	do {
		int held;

		assert_true(step < MOST_STEPS);
		unlink(s.machine->path);
		s.ledger = machine_limit_ledger(s.machine, 64);
		s.account = machine_account(s.ledger, "job");
		step_run(&first, step++, in_steps, &s);
		stopped = first.stopped;
		do_beside(&first, &second, meanwhile, &s);
		held = in_steps == hold ? first.status : second.status;
		assert_true(held == 0 || held == 1);
		assert_int_equal(
			in_steps == hold ? second.status : first.status, 0);
		nr_late += holds(&s, held ? 0 : 3);
		tally_ledger_close(s.ledger);
	} while (stopped);
	print_message("# %u steps, %u too late\n", step - 1, nr_late);
}

static void ended_while_it_reserves(void **state)
{
	each(state, false, hold, end);
}

static void ended_while_it_takes(void **state)
{
	each(state, true, hold, end);
}

static void it_reserves_while_it_ends(void **state)
{
	each(state, false, end, hold);
}

static void it_takes_while_it_ends(void **state)
{
	each(state, true, end, hold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(ended_while_it_reserves),
		MACHINE_TEST(ended_while_it_takes),
		MACHINE_TEST(it_reserves_while_it_ends),
		MACHINE_TEST(it_takes_while_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
