// SPDX-License-Identifier: MIT
/* Rosters: the accounts on a node, read where they lie. */
#include "support/test.h"

#include <pthread.h>
#include <signal.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/inside.h"
#include "support/limits.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

/* cmocka installs a handler of its own in each test. */
static void on_sigbus(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	if (!tally_reader_sigbus(info))
		abort();
}

static int ask(struct tally_ledger *l, struct tally_account a, int node,
	       int64_t amount, struct tally_token *t)
{
	const struct tally_demand demand = {node, MEMORY, amount};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};

	return tally_limit_reserve(l, a, &request, t, NULL);
}

static struct tally_token reserve(struct tally_ledger *l,
				  struct tally_account a, int node)
{
	struct tally_token t;

	assert_int_equal(ask(l, a, node, 1, &t), 0);
	return t;
}

static int change(struct tally_ledger *l, struct tally_token t, int from,
		  int to)
{
	const struct tally_demand demands[] = {{from, MEMORY, -1},
					       {to, MEMORY, 1}};
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = 2};

	return tally_limit_change(l, t, &request, NULL);
}

/* The rows in a roster, sorted, as "3 7 ". */
static const char *rows(struct tally_ledger *l, int node)
{
	static char text[4096];
	struct tally_roster roster;
	struct tally_view *view;
	size_t used = 0;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_roster(view, node, &roster), 0);
	text[0] = '\0';
	for (uint32_t row = 0; row < 200; row++)
		for (uint32_t i = 0; i < roster.nr_accounts; i++)
			if (roster.accounts[i].row == row)
				used += (size_t)snprintf(text + used,
							 sizeof(text) - used,
							 "%u ", row);
	assert_int_equal(tally_limit_roster_check(view, &roster), 0);
	tally_view_close(view);
	return text;
}

static void has_the_accounts_of_a_node(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 100);
	struct tally_account a = machine_account(l, "a"),
			     b = machine_account(l, "b"),
			     c = machine_account(l, "c");
	const struct tally_demand one = {9, MEMORY, 1};
	struct tally_token ta, tb, tc;

	assert_string_equal(rows(l, 9), "");
	assert_int_equal(tally_limit_set_capacity(l, 9, MEMORY, 2), 0);
	ta = reserve(l, a, 9);
	assert_string_equal(rows(l, 9), "0 ");
	assert_string_equal(rows(l, 0), "");
	assert_int_equal(tally_limit_commit(l, ta), 0);
	tb = reserve(l, b, 9);
	assert_string_equal(rows(l, 9), "0 1 ");
	/* What is refused, or only asked, is not in. */
	assert_int_equal(ask(l, c, 9, 1, &tc), -ENOSPC);
	assert_string_equal(rows(l, 9), "0 1 ");
	assert_int_equal(ask(l, c, 9, 0, &tc), 0);
	assert_string_equal(rows(l, 9), "0 1 ");
	assert_int_equal(change(l, tb, 9, 0), 0);
	assert_string_equal(rows(l, 9), "0 ");
	assert_string_equal(rows(l, 0), "1 ");
	assert_int_equal(tally_limit_cancel(l, tc), 0);
	tc = reserve(l, c, 9);
	assert_string_equal(rows(l, 9), "0 2 ");
	assert_int_equal(tally_limit_release(l, ta, &one, 1), 0);
	assert_string_equal(rows(l, 9), "2 ");
	assert_int_equal(tally_limit_cancel(l, tc), 0);
	assert_int_equal(tally_limit_release(l, tb, NULL, 0), 0);
	assert_string_equal(rows(l, 9), "");
	assert_string_equal(rows(l, 0), "");
	limits_agree(l);
	tally_ledger_close(l);
}

/* Against a plain list: many accounts, at random. */
static void holds_any_number(void **state)
{
	enum { NR = 2000, NR_CHANGES = 20000 };
	struct tally_ledger *l = machine_limit_ledger(*state, NR);
	static struct tally_account accounts[NR];
	static struct tally_token tokens[NR];
	static bool in[NR], seen[NR];
	struct tally_view *view;
	unsigned int seed = 1;
	char key[16];

	assert_int_equal(tally_view_open(l, &view), 0);
	for (int i = 0; i < NR; i++) {
		snprintf(key, sizeof(key), "%d", i);
		accounts[i] = machine_account(l, key);
	}
	for (int i = 0, nr = 0; i < NR_CHANGES; i++) {
		/* Up to all of them, and down to none; twice. */
		bool grows = i / (NR_CHANGES / 4) % 2 == 0;
		int which = (int)((unsigned int)rand_r(&seed) % NR);
		struct tally_roster roster;

		if (in[which] != grows) {
			if (grows)
				tokens[which] = reserve(l, accounts[which], 5);
			else
				assert_int_equal(
					tally_limit_cancel(l, tokens[which]),
					0);
			in[which] = grows;
			nr += grows ? 1 : -1;
		}
		assert_int_equal(tally_limit_roster(view, 5, &roster), 0);
		assert_int_equal(roster.nr_accounts, nr);
		if (i % 100)
			continue;
		memset(seen, 0, sizeof(seen));
		for (uint32_t k = 0; k < roster.nr_accounts; k++)
			seen[roster.accounts[k].row] = true;
		assert_memory_equal(seen, in, sizeof(in));
		assert_int_equal(tally_limit_roster_check(view, &roster), 0);
	}
	limits_agree(l);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* One that was found stays as it was while three come or go. */
static void lasts_for_some_changes(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 100);
	struct tally_account a = machine_account(l, "a"),
			     b = machine_account(l, "b");
	struct tally_roster empty, roster;
	struct tally_view *view;
	struct tally_token t;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_roster(view, 0, &empty), 0);
	assert_int_equal(empty.nr_accounts, 0);
	reserve(l, a, 0);
	assert_int_equal(tally_limit_roster(view, 0, &roster), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(roster.nr_accounts, 1);
		assert_int_equal(roster.accounts[0].row, a.row);
		assert_int_equal(roster.accounts[0].generation, a.generation);
		assert_int_equal(tally_limit_roster_check(view, &roster), 0);
		if (i % 2)
			assert_int_equal(tally_limit_cancel(l, t), 0);
		else
			t = reserve(l, b, 0);
	}
	assert_int_equal(tally_limit_roster_check(view, &roster), 0);
	assert_int_equal(tally_limit_cancel(l, t), 0);
	assert_int_equal(tally_limit_roster_check(view, &roster), -EAGAIN);
	assert_int_equal(tally_limit_roster(view, 7, &roster), -ENOENT);
	/* What is refused, or only asked, changes nothing. */
	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 2), 0);
	assert_int_equal(tally_limit_roster(view, 0, &roster), 0);
	for (int i = 0; i < 10; i++) {
		const struct tally_demand two[] = {{0, MEMORY, 1},
						   {0, MEMORY, 1}};
		const struct tally_request request = {.size = sizeof(request),
						      .demands = two,
						      .nr_demands = 2};
		const struct tally_request fits = {
			.size = sizeof(fits), .demands = two, .nr_demands = 1};

		assert_int_equal(tally_limit_reserve(l, b, &request, &t, NULL),
				 -ENOSPC);
		assert_int_equal(tally_limit_fits(l, b, &fits, NULL), 0);
	}
	assert_int_equal(tally_limit_roster_check(view, &roster), 0);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* An account keeps a few places that it has left; others get the rest. */
static void places_are_used_again(void **state)
{
	enum { NR_KEYS = 20, NR_PLACES = 4 };
	struct machine *m = *state;
	struct tally_account accounts[NR_KEYS];
	struct tally_ledger *l;
	struct layout *inside;
	char key[16];

	machine_eight_nodes(m);
	l = machine_limit_ledger(m, 100);
	for (int i = 0; i < NR_KEYS; i++) {
		snprintf(key, sizeof(key), "%d", i);
		accounts[i] = machine_account(l, key);
	}
	for (int i = 0; i < 50 * NR_KEYS; i++) {
		struct tally_token t =
			reserve(l, accounts[i % NR_KEYS], i / 3 % 8);

		assert_int_equal(tally_limit_cancel(l, t), 0);
		limits_agree(l);
	}
	inside = inside_open(m->path);
	assert_in_range(layout_limits(inside)->nr_holdings, 1,
			NR_KEYS * NR_PLACES + 1);
	inside_close(inside);
	tally_ledger_close(l);
}

/* NR places, and twice as many accounts: of each pair one is in, but for the
 * moment in which they change. */
enum { NR = 110 };

struct race {
	struct tally_ledger *ledger;
	struct tally_account accounts[2][NR];
	uint32_t pair_of[2 * NR]; /* by row */
	uint64_t nr_reads, nr_again, nr_torn;
	bool stop;
};

static void *write_all_the_time(void *arg)
{
	struct tally_token tokens[NR];
	struct race *r = arg;
	uint32_t round = 0;

	for (int i = 0; i < NR; i++)
		tokens[i] = reserve(r->ledger, r->accounts[0][i], 5);
	__atomic_store_n(&r->nr_again, 0, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		uint32_t i = round % NR, which = (round / NR + 1) % 2;

		assert_int_equal(tally_limit_cancel(r->ledger, tokens[i]), 0);
		tokens[i] = reserve(r->ledger, r->accounts[which][i], 5);
		round++;
	}
	return NULL;
}

/* 1: torn; -EAGAIN. */
static int read_one(const struct race *r, const struct tally_view *view)
{
	uint64_t seen[(NR + 63) / 64] = {0};
	struct tally_roster roster;
	bool torn = false;
	int err;

	assert_int_equal(tally_limit_roster(view, 5, &roster), 0);
	for (uint32_t i = 0; i < roster.nr_accounts; i++) {
		uint32_t row = __atomic_load_n(&roster.accounts[i].row,
					       __ATOMIC_RELAXED);
		uint32_t pair = row < 2 * NR ? r->pair_of[row] : NR;

		if (pair == NR || seen[pair / 64] >> pair % 64 & 1) {
			torn = true;
			continue;
		}
		seen[pair / 64] |= UINT64_C(1) << pair % 64;
	}
	torn = torn || roster.nr_accounts < NR - 1;
	err = tally_limit_roster_check(view, &roster);
	return err ? err : torn;
}

static void is_never_torn(void **state)
{
	uint64_t nr = getenv("NUMATALLY_LONG") ? 100000000 : 200000;
	struct race r = {.ledger = machine_limit_ledger(*state, 2 * NR),
			 .nr_again = 1};
	struct tally_view *view;
	pthread_t writer;
	char key[16];

	for (int i = 0; i < 2 * NR; i++) {
		struct tally_account *a = &r.accounts[i % 2][i / 2];

		snprintf(key, sizeof(key), "%d", i);
		*a = machine_account(r.ledger, key);
		r.pair_of[a->row] = (uint32_t)i / 2;
	}
	assert_int_equal(tally_view_open(r.ledger, &view), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_all_the_time, &r),
			 0);
	while (__atomic_load_n(&r.nr_again, __ATOMIC_ACQUIRE))
		sched_yield();
	while (r.nr_reads < nr) {
		int err = read_one(&r, view);

		assert_true(err == 0 || err == 1 || err == -EAGAIN);
		r.nr_reads++;
		r.nr_again += err == -EAGAIN;
		r.nr_torn += err == 1;
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	pthread_join(writer, NULL);
	print_message("# %llu reads, %llu of them again\n",
		      (unsigned long long)r.nr_reads,
		      (unsigned long long)r.nr_again);
	assert_int_equal(r.nr_torn, 0);
	limits_agree(r.ledger);
	tally_view_close(view);
	tally_ledger_close(r.ledger);
}

static void each_error(void **state)
{
	struct sigaction action = {.sa_sigaction = on_sigbus,
				   .sa_flags = SA_SIGINFO},
			 former;
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 100);
	struct tally_reader *reader;
	struct tally_roster roster;
	struct tally_view *view;
	struct layout *inside;

	reserve(l, machine_account(l, "a"), 0);
	sigaction(SIGBUS, &action, &former);
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	/* Any length: no reader goes further than the memory that is there. */
	inside = inside_open(m->path);
	for (int i = 0; i < 4; i++)
		layout_roster(inside, 0)->copy_len[i] = UINT32_MAX - 1;
	assert_int_equal(tally_limit_roster(view, 0, &roster), 0);
	assert_int_equal(roster.nr_accounts, LAYOUT_SHORT_ROSTER);
	for (int i = 0; i < 4; i++)
		layout_roster(inside, 0)->copy_len[i] = UINT32_MAX;
	assert_int_equal(tally_limit_roster(view, 0, &roster), 0);
	assert_int_equal(roster.nr_accounts, 0);
	inside_close(inside);
	tally_ledger_close(l);
	assert_int_equal(truncate(m->path, 8192), 0);
	assert_int_equal(tally_limit_roster_check(view, &roster), -EBADMSG);
	tally_view_close(view);
	tally_reader_close(reader);
	sigaction(SIGBUS, &former, NULL);
}

/* What a damaged file says is there, no writer goes further than the lists. */
static void any_words(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 100);
	struct layout *inside = inside_open(m->path);
	struct layout_roster *r = layout_roster(inside, 2);
	struct tally_token t;
	char key[16];

	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "%d", i);
		reserve(l, machine_account(l, key), 9);
	}
	for (int i = 0; i < 20; i++) {
		r->exist = UINT64_MAX;
		for (unsigned int k = 0; k < LAYOUT_NR_EDITS; k++)
			r->edits[k].entry = UINT64_C(1) << 50;
		t = reserve(l, machine_account(l, "other"), 9);
		assert_int_equal(tally_limit_cancel(l, t), 0);
	}
	for (unsigned int k = 0; k < LAYOUT_NR_COPIES; k++)
		r->copy_len[k] = UINT32_MAX;
	t = reserve(l, machine_account(l, "other"), 9);
	assert_int_equal(tally_limit_cancel(l, t), 0);
	inside_close(inside);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(has_the_accounts_of_a_node),
		MACHINE_TEST(holds_any_number),
		MACHINE_TEST(lasts_for_some_changes),
		MACHINE_TEST(places_are_used_again),
		MACHINE_TEST(is_never_torn),
		MACHINE_TEST(each_error),
		MACHINE_TEST(any_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
