// SPDX-License-Identifier: MIT
/* Many amounts and keys in one call. */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/cluster.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };
#define NR_ACCOUNTS 200
#define ROOM	    4096

static const struct tally_filter all = {
	.size = sizeof(all),
	.node = TALLY_VIEW_ALL,
	.resource = TALLY_VIEW_ALL,
};

static struct tally_entry entries[ROOM];

static void charge(struct tally_ledger *l, const char *key, int node,
		   int64_t amount)
{
	const struct tally_amount amounts[2] = {{EVENTS, amount},
						{MEMORY, -amount}};

	assert_int_equal(tally_ledger_charge(l, machine_account(l, key), node,
					     amounts, 2),
			 0);
}

/* Account a0 has nothing. */
static void fill(struct tally_ledger *l)
{
	char key[16];

	for (int i = 0; i < NR_ACCOUNTS; i++) {
		snprintf(key, sizeof(key), "a%d", i);
		charge(l, key, machine_nodes[i % 3], i);
		charge(l, key, machine_nodes[(i + 1) % 3], i % 5);
	}
}

/* Read all in calls of some entries. */
static size_t read_all(const struct tally_view *view,
		       const struct tally_filter *filter, size_t each)
{
	uint64_t cursor = 0;
	size_t got = 0, nr = 0;
	int err;

	while (!(err = tally_view_read(view, filter, &cursor, entries + got,
				       each, &nr))) {
		assert_in_range(nr, 1, each);
		got += nr;
		assert_true(got + each <= ROOM);
	}
	assert_int_equal(err, -ENOENT);
	return got;
}

/* What tally_view_account() says, in the same order. */
static void agrees(const struct tally_view *view, const struct tally_filter *f,
		   size_t each)
{
	size_t nr = read_all(view, f, each), at = 0;
	struct tally_account a;
	uint64_t cursor = 0;
	int64_t amounts[2];
	char key[192];

	while (!tally_view_next(view, &cursor, &a, key, sizeof(key))) {
		if (f->prefix && strncmp(key, f->prefix, strlen(f->prefix)))
			continue;
		for (unsigned int i = 0; i < 2 * tally_view_nr_nodes(view);
		     i++) {
			int node = tally_view_node(view, i / 2);
			const struct tally_entry *e = &entries[at];

			assert_int_equal(
				tally_view_account(view, a, node, amounts), 0);
			if ((!amounts[i % 2] && !f->zeros) ||
			    (f->node != TALLY_VIEW_ALL && f->node != node) ||
			    (f->resource != TALLY_VIEW_ALL &&
			     f->resource != (int)(i % 2)))
				continue;
			assert_true(at++ < nr);
			assert_memory_equal(&e->account, &a, sizeof(a));
			assert_int_equal(e->node, node);
			assert_int_equal(e->resource, i % 2);
			assert_int_equal(e->amount, amounts[i % 2]);
		}
	}
	assert_int_equal(at, nr);
}

static void agrees_in_all_ways(const struct tally_view *view)
{
	const char *const prefixes[] = {NULL, "", "a1", "a199", "none"};
	const int nodes[] = {TALLY_VIEW_ALL, 0, 5, 9};
	const size_t each[] = {6, 7, 100, ROOM / 2};
	struct tally_filter f = all;

	for (unsigned int i = 0; i < 5 * 4 * 4 * 3 * 2; i++) {
		f.prefix = prefixes[i % 5];
		f.node = nodes[i / 5 % 4];
		f.resource = (int)(i / 80 % 3) - 1;
		f.zeros = i >= 240;
		agrees(view, &f, each[i / 20 % 4]);
	}
}

static void entries_are_what_accounts_have(void **state)
{
	struct tally_ledger *l = machine_ledger(*state, 0);
	struct tally_view *view;

	fill(l);
	assert_int_equal(tally_view_open(l, &view), 0);
	agrees_in_all_ways(view);
	assert_int_equal(read_all(view, NULL, 100), read_all(view, &all, 6));
	assert_true(read_all(view, NULL, 100) > NR_ACCOUNTS);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void a_reader_has_them_too(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_reader *reader;
	struct tally_view *view;

	fill(l);
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	agrees_in_all_ways(view);
	tally_view_close(view);
	tally_reader_close(reader);
	tally_ledger_close(l);
}

static struct tally_view *snapshot_of(struct tally_ledger *l)
{
	struct tally_view *view = NULL;
	int err = tally_view_snapshot(l, 0, INT64_MAX, &view);

	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	return view;
}

static size_t read_keys(const struct tally_view *view, const char *prefix,
			size_t max, size_t bytes, char all_keys[4096])
{
	struct tally_key keys[64];
	uint64_t cursor = 0;
	size_t total = 0, nr = 0;
	char text[1024];
	int err;

	*all_keys = '\0';
	while (!(err = tally_view_keys(view, prefix, &cursor, keys, max, text,
				       bytes, &nr))) {
		assert_in_range(nr, 1, max);
		for (size_t i = 0; i < nr; i++) {
			const char *key = text + keys[i].offset;
			char its[64];

			assert_true(keys[i].offset + keys[i].bytes < bytes);
			assert_int_equal(strlen(key), keys[i].bytes);
			if (!tally_account_key(tally_view_accounts(view),
					       keys[i].account, its,
					       sizeof(its)))
				assert_string_equal(its, key);
			strcat(strcat(all_keys, key), " ");
		}
		total += nr;
	}
	assert_int_equal(err, -ENOENT);
	return total;
}

/* Also of an account that has ended since. */
static void a_snapshot_stands_still(void **state)
{
	struct tally_ledger *l = machine_ledger(*state, 0);
	struct tally_account gone;
	struct tally_view *view;
	char keys[4096];
	size_t nr;

	fill(l);
	tally_view_close(snapshot_of(l)); /* folded */
	charge(l, "a1", 5, 1000);
	view = snapshot_of(l);
	nr = read_all(view, NULL, 100);
	agrees(view, &all, 100);
	charge(l, "a1", 5, 1000);
	charge(l, "a0", 9, 1);
	gone = machine_account(l, "a7");
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), gone), 0);
	assert_int_equal(read_all(view, NULL, 100), nr);
	agrees_in_all_ways(view);
	assert_int_equal(read_keys(view, "a7", 64, 1024, keys), 11);
	assert_true(!strncmp(keys, "a7 a70 a71", 10));
	tally_view_close(view);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(read_keys(view, "a7", 64, 1024, keys), 10);
	agrees(view, &all, 100);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* Of an account that is gone between two calls, no entry comes any more. */
static void gone_accounts_are_left_out(void **state)
{
	struct tally_ledger *l = machine_ledger(*state, 0);
	struct tally_account a;
	struct tally_view *view;
	uint64_t cursor = 0;
	size_t nr = 0;

	charge(l, "a", 0, 1);
	charge(l, "b", 0, 2);
	charge(l, "c", 0, 3);
	a = machine_account(l, "b");
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_view_read(view, NULL, &cursor, entries, 3, &nr),
			 0);
	assert_int_equal(nr, 2);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
	assert_int_equal(tally_view_read(view, NULL, &cursor, entries, 3, &nr),
			 0);
	assert_int_equal(nr, 2);
	assert_int_equal(entries[0].amount, 3);
	assert_int_equal(tally_view_read(view, NULL, &cursor, entries, 3, &nr),
			 -ENOENT);
	assert_int_equal(nr, 2);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void keys_in_few_calls_or_many(void **state)
{
	struct tally_ledger *l = machine_ledger(*state, 0);
	const char *const names[] = {"x", "batch/job-1", "batch/", "b", "bat"};
	const struct {
		size_t max, bytes;
	} rooms[] = {{64, 1024}, {1, 1024}, {64, 12}, {2, 13}};
	struct tally_key keys[2];
	struct tally_view *view;
	uint64_t cursor = 0;
	char text[64], got[4096];
	size_t nr = 77;

	for (int i = 0; i < 5; i++)
		machine_account(l, names[i]);
	assert_int_equal(tally_view_open(l, &view), 0);
	for (int i = 0; i < 4; i++) {
		read_keys(view, NULL, rooms[i].max, rooms[i].bytes, got);
		assert_string_equal(got, "x batch/job-1 batch/ b bat ");
		read_keys(view, "batch/", rooms[i].max, rooms[i].bytes, got);
		assert_string_equal(got, "batch/job-1 batch/ ");
		assert_int_equal(read_keys(view, "xx", rooms[i].max,
					   rooms[i].bytes, got),
				 0);
	}
	assert_int_equal(
		tally_view_keys(view, "batch", &cursor, keys, 2, text, 11, &nr),
		-ERANGE);
	assert_int_equal(
		tally_view_keys(view, NULL, &cursor, keys, 2, text, 1, &nr),
		-ERANGE);
	assert_int_equal(
		tally_view_keys(view, NULL, &cursor, keys, 0, text, 64, &nr),
		-ERANGE);
	assert_int_equal(cursor, 0);
	assert_int_equal(nr, 77);
	tally_view_close(view);
	tally_ledger_close(l);
}

static int try(const struct tally_view *view, struct tally_filter f)
{
	uint64_t cursor = 0;
	size_t nr = 77;
	int err = tally_view_read(view, &f, &cursor, entries, ROOM, &nr);

	if (err) {
		assert_int_equal(cursor, 0);
		assert_int_equal(nr, 77);
	}
	return err;
}

static void wrong_filters_are_refused(void **state)
{
	static struct {
		struct tally_filter filter;
		int64_t more;
	} newer;
	struct tally_ledger *l = machine_ledger(*state, 0);
	struct tally_filter f = all;
	struct tally_view *view;
	uint64_t cursor = 0;
	size_t nr = 77;

	fill(l);
	assert_int_equal(tally_view_open(l, &view), 0);
	f.node = 1;
	assert_int_equal(try(view, f), -EINVAL);
	f.node = -2;
	assert_int_equal(try(view, f), -EINVAL);
	f = all;
	f.resource = 2;
	assert_int_equal(try(view, f), -EINVAL);
	f.resource = -2;
	assert_int_equal(try(view, f), -EINVAL);
	f = all;
	f.size = 0;
	assert_int_equal(try(view, f), -EINVAL);
	newer.filter = all;
	newer.filter.size = sizeof(newer);
	assert_int_equal(tally_view_read(view, &newer.filter, &cursor, entries,
					 ROOM, &nr),
			 0);
	newer.more = 1;
	assert_int_equal(tally_view_read(view, &newer.filter, &cursor, entries,
					 ROOM, &nr),
			 -E2BIG);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* Account a2 has four amounts that are not 0, a0 none, and a5 two. */
static void an_account_has_to_fit(void **state)
{
	struct tally_ledger *l = machine_ledger(*state, 0);
	struct tally_filter f = all;
	struct tally_view *view;
	uint64_t cursor = 0;
	size_t nr = 77;

	fill(l);
	assert_int_equal(tally_view_open(l, &view), 0);
	f.prefix = "a2";
	for (size_t max = 0; max < 4; max++)
		assert_int_equal(
			tally_view_read(view, &f, &cursor, entries, max, &nr),
			-ERANGE);
	assert_int_equal(cursor, 0);
	assert_int_equal(nr, 77);
	assert_int_equal(tally_view_read(view, &f, &cursor, entries, 4, &nr),
			 0);
	assert_int_equal(nr, 4);
	f.zeros = 1;
	cursor = 0;
	assert_int_equal(tally_view_read(view, &f, &cursor, entries, 5, &nr),
			 -ERANGE);
	assert_int_equal(tally_view_read(view, &f, &cursor, entries, 6, &nr),
			 0);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* ---- reservables, on nodes of several machines --------------------------- */

static struct tally_token reserve(struct tally_ledger *l, const char *key,
				  const struct tally_demand *demands,
				  unsigned int nr)
{
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = nr};
	struct tally_token t = {0};

	assert_int_equal(tally_limit_reserve(l, machine_account(l, key),
					     &request, &t, NULL),
			 0);
	return t;
}

static void of_cluster(struct machine *m, bool here)
{
	const struct tally_demand many[] = {{cluster_node(3, 1), MEMORY, 4},
					    {cluster_node(1, 0), MEMORY, 5},
					    {cluster_node(2, 1), MEMORY, 6}};
	struct tally_topo *topo = NULL;
	struct tally_ledger *l = NULL;
	struct tally_filter f = all;
	struct tally_view *view;

	assert_int_equal(cluster_create(here ? m->topo : NULL, 4, 2, &topo), 0);
	assert_int_equal(tally_ledger_create(NULL, topo, machine_reservables, 2,
					     NULL, &l),
			 0);
	tally_topo_close(topo);
	assert_int_equal(tally_view_open(l, &view), 0);
	for (unsigned int n = 0; n < tally_view_nr_nodes(view); n++)
		assert_int_equal(
			tally_limit_set_capacity(l, tally_view_node(view, n),
						 MEMORY, 100),
			0);
	reserve(l, "many", many, 3);
	reserve(l, "none", many, 0);
	reserve(l, "one", many + 1, 1);
	if (here) {
		const struct tally_demand local = {5, MEMORY, 9};
		struct tally_credit credit;

		assert_int_equal(tally_ledger_add(l, machine_account(l, "one"),
						  EVENTS, 3),
				 0);
		reserve(l, "local", &local, 1);
		assert_int_equal(
			tally_limit_credit(l, machine_account(l, "credit"), 5,
					   MEMORY, &credit),
			0);
		assert_int_equal(tally_limit_take(&credit, 2), 0);
	}
	assert_int_equal(read_all(view, &f, 3), here ? 7 : 4);
	for (unsigned int i = 0; i < 2 * 5; i++) {
		f = all;
		f.zeros = i % 2 == 1;
		if (i / 2)
			f.node = tally_view_node(
				view, tally_view_nr_nodes(view) - i / 2);
		agrees(view, &f, 20);
		f.resource = MEMORY;
		agrees(view, &f, 20);
	}
	tally_view_close(view);
	tally_ledger_close(l);
}

static void reservations_on_many_machines(void **state)
{
	of_cluster(*state, true);
	of_cluster(*state, false);
}

/* ---- beside a writer ----------------------------------------------------- */

struct beside {
	struct tally_ledger *l;
	int64_t added; /* in each of three accounts */
	int stop;
};

#define NR_BESIDE 3

/* Folds move amounts all the time. */
static void *add_and_fold(void *arg)
{
	static const char *const keys[NR_BESIDE] = {"a0", "a63", "a64"};
	struct beside *b = arg;
	struct tally_account a[NR_BESIDE];
	struct tally_view *view;

	for (int i = 0; i < NR_BESIDE; i++)
		a[i] = machine_account(b->l, keys[i]);
	while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED)) {
		for (int i = 0; i < NR_BESIDE; i++)
			assert_int_equal(
				tally_ledger_add(b->l, a[i], EVENTS, 1), 0);
		__atomic_fetch_add(&b->added, 1, __ATOMIC_RELEASE);
		if (!tally_view_snapshot(b->l, 0, SECOND_NS, &view))
			tally_view_close(view);
	}
	return NULL;
}

static int64_t added(const struct beside *b)
{
	return __atomic_load_n(&b->added, __ATOMIC_ACQUIRE);
}

static void none_is_lost_or_twice_beside_folds(void **state)
{
	struct beside b = {.l = machine_ledger(*state, 0)};
	struct tally_view *view;
	pthread_t thread;
	char key[16];

	for (int i = 0; i < 70; i++) {
		snprintf(key, sizeof(key), "a%d", i);
		machine_account(b.l, key);
	}
	assert_int_equal(tally_view_open(b.l, &view), 0);
	assert_int_equal(pthread_create(&thread, NULL, add_and_fold, &b), 0);
	while (!added(&b))
		sched_yield();
	for (int i = 0; i < 3000; i++) {
		int64_t least = added(&b);
		uint64_t cursor = 0;
		int64_t sums[NR_BESIDE] = {0};
		size_t nr = 0;

		assert_int_equal(tally_view_read(view, NULL, &cursor, entries,
						 ROOM, &nr),
				 0);
		for (size_t e = 0; e < nr; e++) {
			uint32_t row = entries[e].account.row;

			sums[row == 63 ? 1 : 2 * (row == 64)] +=
				entries[e].amount;
		}
		for (int a = 0; a < NR_BESIDE; a++) {
			assert_true(sums[a] >= least);
			assert_true(sums[a] <= added(&b) + 1);
		}
	}
	__atomic_store_n(&b.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	tally_view_close(view);
	tally_ledger_close(b.l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(entries_are_what_accounts_have),
		MACHINE_TEST(a_reader_has_them_too),
		MACHINE_TEST(a_snapshot_stands_still),
		MACHINE_TEST(gone_accounts_are_left_out),
		MACHINE_TEST(keys_in_few_calls_or_many),
		MACHINE_TEST(wrong_filters_are_refused),
		MACHINE_TEST(an_account_has_to_fit),
		MACHINE_TEST(reservations_on_many_machines),
		MACHINE_TEST(none_is_lost_or_twice_beside_folds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
