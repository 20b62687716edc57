// SPDX-License-Identifier: MIT
/*
 * A process is killed at each step of a call that edits a roster. Before and
 * after the others have undone what it began, the roster is whole; and so is
 * each copy of it that later edits make current. limit/broken_roster.sh runs
 * this with steps.
 */
#include "support/test.h"

#include "support/limits.h"
#include "support/machine.h"
#include "support/step.h"

#define MOST_STEPS 2000
#define MEMORY	   1
#define NR	   3 /* accounts on the nodes, but while the first one goes */
#define NR_LATER   6 /* more than a roster has copies */

enum { ITS = NR, OTHER, NR_ACCOUNTS };

struct subject {
	struct machine *machine;
	struct tally_ledger *ledger;
	struct tally_view *view;
	struct tally_account accounts[NR_ACCOUNTS];
	struct tally_token first; /* of the first one's reservation */
	int (*call)(const struct subject *s, struct tally_ledger *ledger);
};

static int reserve(struct tally_ledger *l, struct tally_account a,
		   struct tally_token *t)
{
	const struct tally_demand demands[] = {{0, MEMORY, 1}, {5, MEMORY, 1}};
	const struct tally_request request = {sizeof(request), demands, 2, 0};

	return tally_limit_reserve(l, a, &request, t, NULL);
}

static int come(const struct subject *s, struct tally_ledger *l)
{
	struct tally_token t;

	step_begin();
	return reserve(l, s->accounts[ITS], &t);
}

/* The last one takes its place in the list. */
static int go(const struct subject *s, struct tally_ledger *l)
{
	step_begin();
	return tally_limit_cancel(l, s->first);
}

/* It is refused, and never seen. */
static int ask_too_much(const struct subject *s, struct tally_ledger *l)
{
	const struct tally_demand demands[] = {
		{0, MEMORY, 1}, {5, MEMORY, 1}, {9, MEMORY, 1}};
	const struct tally_request request = {sizeof(request), demands, 3, 0};
	struct tally_token t;
	int err;

	step_begin();
	err = tally_limit_reserve(l, s->accounts[ITS], &request, &t, NULL);
	return err == -ENOSPC ? 0 : -EINVAL;
}

static int in_steps(void *arg)
{
	const struct subject *s = arg;
	struct tally_ledger *l;
	int err = tally_ledger_open(s->machine->path, &l);

	if (!err)
		err = s->call(s, l);
	step_end();
	return err != 0;
}

/* ---- rosters that somebody reads ------------------------------------------ */

struct read {
	struct tally_roster roster;
	struct tally_account accounts[NR_ACCOUNTS];
};

static struct read read_now(const struct subject *s, int node)
{
	struct read r;

	assert_int_equal(tally_limit_roster(s->view, node, &r.roster), 0);
	assert_in_range(r.roster.nr_accounts, NR - 1, NR_ACCOUNTS);
	memcpy(r.accounts, r.roster.accounts,
	       r.roster.nr_accounts * sizeof(*r.accounts));
	assert_int_equal(tally_limit_roster_check(s->view, &r.roster), 0);
	return r;
}

/* Either it is as it was, or its reader is told. */
static void read_again(const struct subject *s, const struct read *r)
{
	bool same = !memcmp(r->accounts, r->roster.accounts,
			    r->roster.nr_accounts * sizeof(*r->accounts));

	if (!tally_limit_roster_check(s->view, &r->roster))
		assert_true(same);
}

/* The accounts in the roster, each once; bits: their indices. */
static unsigned int find(const struct subject *s, int node)
{
	struct tally_roster roster;
	unsigned int bits = 0;

	assert_int_equal(tally_limit_roster(s->view, node, &roster), 0);
	for (uint32_t k = 0; k < roster.nr_accounts; k++) {
		int i = 0;

		while (i < NR_ACCOUNTS &&
		       s->accounts[i].row != roster.accounts[k].row)
			i++;
		assert_int_not_equal(i, NR_ACCOUNTS);
		assert_int_equal(bits >> i & 1, 0);
		bits |= 1u << i;
	}
	assert_int_equal(tally_limit_roster_check(s->view, &roster), 0);
	return bits;
}

/* ---- and edits ------------------------------------------------------------- */

static void edit_later(const struct subject *s, const struct read reads[2])
{
	struct tally_token t;

	for (int i = 0; i < NR_LATER; i++) {
		assert_int_equal(reserve(s->ledger, s->accounts[ITS], &t), 0);
		read_again(s, &reads[0]);
		read_again(s, &reads[1]);
		assert_int_equal(find(s, 0), 7 | 1 << ITS);
		assert_int_equal(find(s, 5), 7 | 1 << ITS);
		assert_int_equal(tally_limit_cancel(s->ledger, t), 0);
		assert_int_equal(find(s, 0), 7);
		assert_int_equal(find(s, 5), 7);
		limits_agree(s->ledger);
	}
}

/* What is left of the call, done or undone. */
static void mend(struct subject *s)
{
	int err;

	while ((err = tally_limit_reap(s->ledger)) == -EAGAIN ||
	       find(s, 0) >> ITS & 1)
		usleep(1000);
	assert_int_equal(err, 0);
	if (!(find(s, 0) & 1))
		assert_int_equal(reserve(s->ledger, s->accounts[0], &s->first),
				 0);
	assert_int_equal(find(s, 0), 7);
	assert_int_equal(find(s, 5), 7);
}

/* A call that makes the fourth edit since an array was found. */
static void step(struct subject *s, unsigned int nth, struct stepped *stepped)
{
	struct read before = read_now(s, 0), meanwhile[2];
	struct tally_token t;

	assert_int_equal(reserve(s->ledger, s->accounts[OTHER], &t), 0);
	assert_int_equal(tally_limit_cancel(s->ledger, t), 0);
	assert_int_equal(reserve(s->ledger, s->accounts[OTHER], &t), 0);
	step_run(stepped, nth, in_steps, s);
	read_again(s, &before);
	meanwhile[0] = read_now(s, 0);
	meanwhile[1] = read_now(s, 5);
	if (s->call == ask_too_much)
		assert_int_equal(find(s, 0) | find(s, 5), 7 | 1 << OTHER);
	if (stepped->stopped) {
		step_kill(stepped);
	} else {
		assert_int_equal(stepped->status, 0);
		assert_int_equal(find(s, 0) & 7, s->call == go ? 6 : 7);
		assert_int_equal(find(s, 0) >> ITS & 1, s->call == come);
	}
	while (tally_limit_cancel(s->ledger, t) == -EAGAIN)
		;
	mend(s);
	edit_later(s, meanwhile);
}

static void killed(void **state, int (*call)(const struct subject *s,
					     struct tally_ledger *ledger))
{
	struct subject s = {.machine = *state, .call = call};
	struct stepped stepped = {.status = -1};
	struct tally_token t;
	unsigned int nth = 0;
	char key[2] = "a";

	machine_few_cpus(*state);
	s.ledger = machine_limit_ledger(s.machine, 64);
	assert_int_equal(tally_view_open(s.ledger, &s.view), 0);
	assert_int_equal(tally_limit_set_capacity(s.ledger, 9, MEMORY, 0), 0);
	for (int i = 0; i < NR_ACCOUNTS; i++, key[0]++)
		s.accounts[i] = machine_account(s.ledger, key);
	for (int i = 0; i < NR; i++)
		assert_int_equal(
			reserve(s.ledger, s.accounts[i], i ? &t : &s.first), 0);
	while (stepped.status == -1) {
		assert_true(nth < MOST_STEPS);
		step(&s, nth++, &stepped);
	}
	print_message("# %u steps\n", nth - 1);
	tally_view_close(s.view);
	tally_ledger_close(s.ledger);
}

static void killed_while_an_account_comes(void **state)
{
	killed(state, come);
}

static void killed_while_an_account_goes(void **state)
{
	killed(state, go);
}

static void killed_while_an_account_is_refused(void **state)
{
	killed(state, ask_too_much);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(killed_while_an_account_comes),
		MACHINE_TEST(killed_while_an_account_goes),
		MACHINE_TEST(killed_while_an_account_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
