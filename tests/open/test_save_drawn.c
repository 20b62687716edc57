// SPDX-License-Identifier: MIT
/* Reservations that are drawn from others are saved with these, as of one moment,
 * while other threads change them. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/machine.h"

enum { EVENTS, MEMORY };

#define NR_STEPS 5
#define ROUNDS	 100

struct saved {
	struct tally_reader *reader;
	struct tally_view *view;
};

static void save(const struct machine *m, const struct tally_view *view,
		 struct saved *s)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/saved", m->dir);
	assert_int_equal(tally_reader_save(view, path, 0600), 0);
	assert_int_equal(tally_reader_open(path, &s->reader), 0);
	assert_int_equal(tally_reader_view(s->reader, &s->view), 0);
}

static void close_saved(struct saved *s)
{
	tally_view_close(s->view);
	tally_reader_close(s->reader);
}

static int problem(void *arg, const char *text)
{
	(void)arg;
	fail_msg("%s", text);
	return 0;
}

static int64_t held(const struct saved *s, int node)
{
	struct tally_limit limit = {.size = sizeof(limit)};

	assert_int_equal(tally_limit_node(s->view, node, MEMORY, &limit), 0);
	return limit.held;
}

/* What the account has on node 0; -1: it has no reservation. *parent is the key
 * of the one that it is drawn from, or "". */
static int64_t amount(const struct saved *s, const char *key, char *parent,
		      size_t bytes)
{
	const struct tally_accounts *accounts = tally_view_accounts(s->view);
	struct tally_reservation found = {.size = sizeof(found)};
	struct tally_account account;
	int64_t amounts[2];
	int err;

	*parent = '\0';
	if (tally_account_find(accounts, key, &account))
		return -1;
	err = tally_limit_find(s->view, account, &found);
	if (err == -ENOENT)
		return -1;
	assert_int_equal(err, 0);
	if (found.drawn)
		assert_int_equal(tally_account_key(accounts, found.parent,
						   parent, bytes),
				 0);
	assert_int_equal(tally_limit_holding(s->view, account, 0, amounts), 0);
	return amounts[MEMORY];
}

static void assert_drawn(const struct saved *s, const char *key, int64_t has,
			 const char *from)
{
	char parent[256];

	assert_int_equal(amount(s, key, parent, sizeof(parent)), has);
	assert_string_equal(parent, from);
}

static struct tally_token reserve(struct tally_ledger *l, const char *key,
				  int64_t memory,
				  const struct tally_token *parent)
{
	const struct tally_demand demand = {0, MEMORY, memory};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_account account = machine_account(l, key);
	struct tally_token token;

	assert_int_equal(parent ? tally_limit_draw(l, account, *parent,
						   &request, &token, NULL)
				: tally_limit_reserve(l, account, &request,
						      &token, NULL),
			 0);
	return token;
}

/* In any order of the accounts, and with what a child took from the node. */
static void each_with_its_parent(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	struct tally_account low = machine_account(l, "low");
	struct tally_token job, step, other;
	struct tally_credit credit;
	struct tally_view *view;
	struct saved s;

	other = reserve(l, "other", 100, NULL);
	machine_account(l, "step");
	job = reserve(l, "job", 50, NULL);
	step = reserve(l, "step", 30, &job);
	reserve(l, "low", 10, &step);
	reserve(l, "last", 20, &job);
	reserve(l, "more", 100, &other);
	assert_int_equal(tally_limit_commit(l, job), 0);
	assert_int_equal(tally_limit_commit(l, step), 0);
	assert_int_equal(tally_limit_credit(l, low, 0, MEMORY, &credit), 0);
	assert_int_equal(tally_limit_take(&credit, 7), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	save(m, view, &s);
	assert_drawn(&s, "job", 50, "");
	assert_drawn(&s, "step", 30, "job");
	assert_drawn(&s, "low", 17, "step");
	assert_drawn(&s, "last", 20, "job");
	assert_drawn(&s, "other", 100, "");
	assert_drawn(&s, "more", 100, "other");
	assert_int_equal(held(&s, 0), 157);
	assert_int_equal(tally_limit_check(s.view, problem, NULL), 0);
	close_saved(&s);
	tally_view_close(view);
	tally_ledger_close(l);
}

struct change {
	struct tally_ledger *ledger;
	atomic_bool stop;
	atomic_uint nr;
};

/* Steps are only ever drawn from their job, which has 10 or nothing. */
static void *change(void *arg)
{
	struct change *c = arg;
	char key[32];

	while (!c->stop) {
		struct tally_token job = reserve(c->ledger, "job", 10, NULL);

		for (int i = 0; i < NR_STEPS; i++) {
			snprintf(key, sizeof(key), "step-%d", i);
			reserve(c->ledger, key, 2, &job);
		}
		assert_int_equal(tally_limit_release(c->ledger, job, NULL, 0),
				 0);
		c->nr++;
	}
	return NULL;
}

static void check_round(const struct saved *s)
{
	int64_t job, sum = 0;
	char parent[256], key[32];

	job = amount(s, "job", parent, sizeof(parent));
	assert_true(job == -1 || job == 10);
	assert_string_equal(parent, "");
	for (int i = 0; i < NR_STEPS; i++) {
		int64_t step;

		snprintf(key, sizeof(key), "step-%d", i);
		step = amount(s, key, parent, sizeof(parent));
		if (step < 0)
			continue;
		assert_int_equal(step, 2);
		assert_string_equal(parent, "job");
		sum += step;
	}
	assert_true(sum <= (job < 0 ? 0 : job));
	assert_int_equal(held(s, 0), job < 0 ? 0 : job);
	assert_int_equal(tally_limit_check(s->view, problem, NULL), 0);
}

static void while_they_change(void **state)
{
	struct machine *m = *state;
	struct change c = {.ledger = machine_limit_ledger(m, 64)};
	int rounds = test_is_long() ? 20 * ROUNDS : ROUNDS;
	struct tally_view *view;
	pthread_t thread;

	/* Steps come before their job. */
	machine_account(c.ledger, "step-0");
	machine_account(c.ledger, "step-1");
	assert_int_equal(tally_view_open(c.ledger, &view), 0);
	assert_int_equal(pthread_create(&thread, NULL, change, &c), 0);
	while (!c.nr)
		;
	for (int i = 0; i < rounds; i++) {
		struct saved s;

		save(m, view, &s);
		check_round(&s);
		close_saved(&s);
	}
	c.stop = true;
	pthread_join(thread, NULL);
	print_message("# %u changes\n", c.nr);
	tally_view_close(view);
	tally_ledger_close(c.ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(each_with_its_parent),
		MACHINE_TEST(while_they_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
