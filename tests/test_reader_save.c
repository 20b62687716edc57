// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "inside.h"
#include "limits.h"
#include "machine.h"

enum { EVENTS, MEMORY };

struct saved {
	char path[128];
	struct tally_reader *reader;
	struct tally_view *view;
	const struct tally_accounts *accounts;
};

static void open_saved(struct saved *s)
{
	assert_int_equal(tally_reader_open(s->path, &s->reader), 0);
	assert_int_equal(tally_reader_view(s->reader, &s->view), 0);
	s->accounts = tally_view_accounts(s->view);
}

static void save(struct saved *s, const struct machine *m,
		 const struct tally_view *view)
{
	snprintf(s->path, sizeof(s->path), "%s/saved", m->dir);
	assert_int_equal(tally_reader_save(view, s->path, 0600), 0);
	open_saved(s);
}

static void close_saved(struct saved *s)
{
	tally_view_close(s->view);
	tally_reader_close(s->reader);
}

static struct tally_account find(const struct saved *s, const char *key)
{
	struct tally_account a = {0};

	assert_int_equal(tally_account_find(s->accounts, key, &a), 0);
	return a;
}

static void add(struct tally_ledger *l, struct tally_account a, int node,
		int64_t events, int64_t memory)
{
	const struct tally_amount amounts[2] = {{EVENTS, events},
						{MEMORY, memory}};

	assert_int_equal(tally_ledger_charge(l, a, node, amounts, 2), 0);
}

static void assert_amounts(const struct saved *s, const char *key, int node,
			   int64_t events, int64_t memory)
{
	int64_t amounts[2];

	if (key)
		assert_int_equal(tally_view_account(s->view, find(s, key), node,
						    amounts),
				 0);
	else
		assert_int_equal(tally_view_totals(s->view, node, amounts), 0);
	assert_int_equal(amounts[EVENTS], events);
	assert_int_equal(amounts[MEMORY], memory);
}

static void amounts_and_what_is_gone(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_account gone = machine_account(l, "gone before");
	struct tally_view *view;
	struct saved s;
	struct stat st;

	add(l, machine_account(l, "a"), 0, 1, 10);
	add(l, machine_account(l, "a"), 9, 2, -3);
	add(l, machine_account(l, "b"), 5, 4, 0);
	add(l, gone, 5, 100, 1000);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), gone), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	save(&s, m, view);
	tally_view_close(view);
	assert_amounts(&s, "a", 0, 1, 10);
	assert_amounts(&s, "a", 9, 2, -3);
	assert_amounts(&s, "b", 5, 4, 0);
	/* Its counters stay in the totals. */
	assert_amounts(&s, NULL, 5, 104, 0);
	assert_amounts(&s, NULL, TALLY_VIEW_ALL, 107, 7);
	assert_int_equal(tally_account_find(s.accounts, "gone before", &gone),
			 -ENOENT);
	assert_int_equal(tally_account_find(s.accounts, "gone", &gone),
			 -ENOENT);
	assert_int_equal(stat(s.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	close_saved(&s);
	tally_ledger_close(l);
}

static void a_snapshot_as_it_stands(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_account b = machine_account(l, "b");
	struct tally_view *view;
	struct saved s;

	add(l, a, 0, 7, 7);
	add(l, b, 0, 1, 1);
	assert_int_equal(tally_view_snapshot(l, 0, 1000000000, &view), 0);
	add(l, a, 0, 1000, 1000);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), b), 0);
	save(&s, m, view);
	assert_amounts(&s, "a", 0, 7, 7);
	assert_amounts(&s, "b", 0, 1, 1);
	assert_amounts(&s, NULL, TALLY_VIEW_ALL, 8, 8);
	close_saved(&s);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void lives(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_accounts *accounts = tally_ledger_accounts(l);
	struct tally_account top = machine_account(l, "top"), owner;
	struct tally_account low = machine_account(l, "low"), pending;
	struct tally_view *view;
	uint32_t holds;
	struct saved s;

	assert_int_equal(tally_account_declare(accounts, "new", &pending), 0);
	assert_int_equal(tally_account_set_owner(accounts, low, top), 0);
	assert_int_equal(tally_account_hold(accounts, low, 3), 0);
	assert_int_equal(tally_account_end(accounts, top), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	save(&s, m, view);
	tally_view_close(view);
	assert_int_equal(tally_account_phase(s.accounts, find(&s, "new")),
			 TALLY_PHASE_PENDING);
	assert_int_equal(tally_account_phase(s.accounts, find(&s, "top")),
			 TALLY_PHASE_TERMINATING);
	assert_int_equal(tally_account_phase(s.accounts, find(&s, "low")),
			 TALLY_PHASE_TERMINATING);
	assert_int_equal(
		tally_account_owner(s.accounts, find(&s, "low"), &owner), 0);
	assert_int_equal(owner.row, find(&s, "top").row);
	assert_int_equal(
		tally_account_holds(s.accounts, find(&s, "low"), &holds), 0);
	assert_int_equal(holds, 1u << 3);
	close_saved(&s);
	tally_ledger_close(l);
}

static int problem(void *arg, const char *text)
{
	(void)arg;
	fail_msg("%s", text);
	return 0;
}

static void limits_and_what_is_held(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_account a = machine_account(l, "q/a");
	struct tally_account b = machine_account(l, "q/b");
	struct tally_account q = machine_account(l, "q/");
	const struct tally_hold holds[2] = {{0, MEMORY, 5}, {9, MEMORY, 6}};
	const struct tally_request request = {.holds = holds, .nr_holds = 2};
	struct tally_reservation found;
	struct tally_credit credit;
	struct tally_limit limit;
	struct tally_token t, u;
	struct tally_view *view;
	int64_t amounts[2];
	struct saved s;

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 40), 0);
	assert_int_equal(tally_limit_set_quota(l, q, MEMORY, 30), 0);
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	assert_int_equal(tally_limit_commit(l, t), 0);
	assert_int_equal(tally_limit_reserve(l, b, &request, &u, NULL), 0);
	assert_int_equal(tally_limit_reserve(l, machine_account(l, "q/c"),
					     &request, &u, NULL),
			 -EDQUOT);
	assert_int_equal(tally_limit_credit(l, a, 0, MEMORY, &credit), 0);
	assert_int_equal(tally_limit_take(&credit, 3), 0);
	add(l, a, 0, 1, 100);
	/* More than there is room for. */
	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 10), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	save(&s, m, view);

	assert_amounts(&s, "q/a", 0, 1, 108);
	assert_int_equal(tally_limit_held(s.view, find(&s, "q/a"), 0, amounts),
			 0);
	assert_int_equal(amounts[MEMORY], 8);
	assert_int_equal(tally_limit_find(s.view, find(&s, "q/a"), &found), 0);
	assert_int_equal(found.state, TALLY_COMMITTED);
	assert_int_equal(tally_limit_find(s.view, find(&s, "q/b"), &found), 0);
	assert_int_equal(found.state, TALLY_RESERVED);
	assert_int_equal(tally_limit_find(s.view, find(&s, "q/c"), &found),
			 -ENOENT);
	assert_int_equal(tally_limit_node(s.view, 0, MEMORY, &limit), 0);
	assert_int_equal(limit.limit, 10);
	assert_int_equal(limit.held, 13);
	assert_true(limit.peak >= 13);
	assert_true(limit.over);
	assert_int_equal(
		tally_limit_account(s.view, find(&s, "q/"), MEMORY, &limit), 0);
	assert_int_equal(limit.limit, 30);
	assert_int_equal(limit.held, 25);
	assert_int_equal(limit.nr_refused, 1);
	assert_int_equal(tally_limit_check(s.view, problem, NULL), 0);
	close_saved(&s);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* As if it had been made before the machine was booted. */
static void boot_again(const char *path)
{
	struct layout *inside = inside_open(path);
	struct layout_header *header = (struct layout_header *)inside->origin;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	header->boot_id[3] ^= 1;
	header->checksum = 0;
	header->ready = 0;
	for (uint64_t i = 0; i < inside->plan->once_bytes; i++)
		hash = (hash ^ (unsigned char)inside->origin[i]) *
		       UINT64_C(0x100000001b3);
	header->checksum = hash;
	header->ready = 1;
	inside_close(inside);
}

/* On a machine that has been booted since, or on another one. */
static void of_another_boot(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0), *again;
	struct tally_reader_info info;
	struct tally_view *view;
	struct saved s;

	add(l, machine_account(l, "a"), 0, 3, 4);
	assert_int_equal(tally_view_open(l, &view), 0);
	save(&s, m, view);
	tally_view_close(view);
	close_saved(&s);
	boot_again(s.path);
	open_saved(&s);
	assert_int_equal(tally_reader_describe(s.reader, &info), 0);
	assert_int_equal(info.stale, 1);
	assert_amounts(&s, "a", 0, 3, 4);
	assert_int_equal(tally_ledger_open(s.path, &again), -ESTALE);
	close_saved(&s);
	tally_ledger_close(l);
}

static void a_place_that_is_none(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_view *view;
	char path[128];

	snprintf(path, sizeof(path), "%s/no/such", m->dir);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_reader_save(view, path, 0600), -ENOENT);
	/* A directory is in the way: nothing is left beside it. */
	assert_int_equal(tally_reader_save(view, m->dir, 0600), -EISDIR);
	tally_view_close(view);
	tally_ledger_close(l);
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(amounts_and_what_is_gone),
		T(a_snapshot_as_it_stands),
		T(lives),
		T(limits_and_what_is_held),
		T(of_another_boot),
		T(a_place_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
