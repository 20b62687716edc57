// SPDX-License-Identifier: MIT
/* Keys that come back, again and again: rows of accounts that are gone stand in
 * nobody's way, and a snapshot has the accounts that were. */
#include "support/test.h"

#include <pthread.h>

#include <numatally/view.h>

#include "base/clock.h"
#include "support/machine.h"

#define NR_OTHERS 300

static struct tally_accounts *of(struct tally_ledger *l)
{
	return tally_ledger_accounts(l);
}

/* Refused at once. On a busy machine a call may wait in vain for another thread, which
 * has to be told apart. */
static int open_one(struct tally_ledger *l, const char *key,
		    struct tally_account *a)
{
	int64_t begun_ns;
	int err;

	do {
		begun_ns = now_ns();
		err = tally_account_open(of(l), key, a);
	} while (err == -ENOSPC && now_ns() - begun_ns >= SECOND_NS / 10);
	return err;
}

static int again(struct tally_ledger *l, const char *key, int nr)
{
	int err = 0;

	for (int i = 0; !err && i < nr; i++) {
		struct tally_account a;

		err = open_one(l, key, &a);
		if (!err)
			err = tally_account_end(of(l), a);
	}
	return err;
}

/* They are fewer than what starts a reclaim, and more than a search passes. */
static void one_key_beside_many_others(void **state)
{
	struct tally_ledger *l = machine_ledger(*state, 4096);

	for (int i = 0; i < NR_OTHERS; i++) {
		char key[24];

		snprintf(key, sizeof(key), "other-%d", i);
		machine_account(l, key);
	}
	assert_int_equal(again(l, "nightly", 2000), 0);
	tally_ledger_close(l);
}

struct one {
	struct tally_ledger *ledger;
	const char *key;
	pthread_t thread;
	int err;
};

static void *go_on(void *arg)
{
	struct one *o = arg;

	o->err = again(o->ledger, o->key, 20000);
	return NULL;
}

/* What one reclaims, the other one may take. */
static void two_keys_in_few_rows(void **state)
{
	struct tally_ledger *l = machine_ledger(*state, 64);
	struct one ones[2] = {{.key = "a"}, {.key = "b"}};

	for (int i = 0; i < 2; i++) {
		ones[i].ledger = l;
		assert_int_equal(
			pthread_create(&ones[i].thread, NULL, go_on, &ones[i]),
			0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(ones[i].thread, NULL), 0);
		assert_int_equal(ones[i].err, 0);
	}
	tally_ledger_close(l);
}

/* An open snapshot has the rows of all that ended since. */
static void a_key_beside_a_snapshot(void **state)
{
	struct tally_ledger *l = machine_ledger(*state, 4096);
	struct tally_view *view;

	assert_int_equal(tally_view_snapshot(l, 0, SECOND_NS, &view), 0);
	assert_int_equal(again(l, "nightly", 2000), -ENOSPC);
	tally_view_close(view);
	assert_int_equal(again(l, "nightly", 2000), 0);
	tally_ledger_close(l);
}

static void assert_next(const struct tally_view *view, uint64_t *cursor,
			struct tally_account expected)
{
	struct tally_account a;
	char key[16];

	assert_int_equal(tally_view_next(view, cursor, &a, key, sizeof(key)),
			 0);
	assert_memory_equal(&a, &expected, sizeof(a));
}

static void assert_last(const struct tally_view *view, uint64_t cursor)
{
	struct tally_account a;

	assert_int_equal(tally_view_next(view, &cursor, &a, NULL, 0), -ENOENT);
}

static void a_snapshot_has_what_was(void **state)
{
	struct tally_ledger *l = machine_ledger(*state, 4096);
	struct tally_account stays = machine_account(l, "stays");
	struct tally_account old = machine_account(l, "job"), new, later;
	struct tally_view *view, *live;
	uint64_t cursor = 0;
	int64_t amounts[2];

	assert_int_equal(tally_ledger_add(l, old, 0, 100), 0);
	assert_int_equal(tally_view_snapshot(l, 0, SECOND_NS, &view), 0);
	assert_int_equal(tally_account_end(of(l), old), 0);
	new = machine_account(l, "job");
	later = machine_account(l, "later");
	assert_int_equal(again(l, "brief", 1), 0);
	assert_next(view, &cursor, stays);
	assert_next(view, &cursor, old);
	assert_last(view, cursor);
	assert_int_equal(tally_view_account(view, old, TALLY_VIEW_ALL, amounts),
			 0);
	assert_int_equal(amounts[0], 100);
	cursor = 0;
	assert_int_equal(tally_view_open(l, &live), 0);
	assert_next(live, &cursor, stays);
	assert_next(live, &cursor, new);
	assert_next(live, &cursor, later);
	assert_last(live, cursor);
	tally_view_close(live);
	tally_view_close(view);
	assert_int_equal(tally_view_snapshot(l, 0, SECOND_NS, &view), 0);
	cursor = 0;
	assert_next(view, &cursor, stays);
	assert_next(view, &cursor, new);
	assert_next(view, &cursor, later);
	assert_last(view, cursor);
	tally_view_close(view);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(one_key_beside_many_others),
		MACHINE_TEST(two_keys_in_few_rows),
		MACHINE_TEST(a_key_beside_a_snapshot),
		MACHINE_TEST(a_snapshot_has_what_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
