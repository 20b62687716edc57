// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <sys/syscall.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/inside.h"
#include "support/limits.h"
#include "support/machine.h"
#include "support/others.h"

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

static void amounts_also_of_accounts_that_ended(void **state)
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
	uint32_t pins;
	struct saved s;

	assert_int_equal(tally_account_declare(accounts, "new", &pending), 0);
	assert_int_equal(tally_account_set_owner(accounts, low, top), 0);
	assert_int_equal(tally_account_pin(accounts, low, 3), 0);
	assert_int_equal(tally_account_pin(accounts, low, 0), 0);
	assert_int_equal(
		tally_account_pin(accounts, low, TALLY_ACCOUNT_PINS - 1), 0);
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
	assert_int_equal(tally_account_pins(s.accounts, find(&s, "low"), &pins),
			 0);
	assert_int_equal(pins, 1u | 1u << 3 | 1u << (TALLY_ACCOUNT_PINS - 1));
	close_saved(&s);
	tally_ledger_close(l);
}

/* In place of the C library's. */
static bool no_sync;

__attribute__((visibility("default"))) int fsync(int fd)
{
	if (no_sync) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

static void what_may_not_be_on_disk(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_view *view;
	char path[192];

	snprintf(path, sizeof(path), "%s/saved", m->dir);
	assert_int_equal(tally_view_open(l, &view), 0);
	no_sync = true;
	assert_int_equal(tally_reader_save(view, path, 0600), -EIO);
	no_sync = false;
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(tally_reader_save(view, path, 0600), 0);
	tally_view_close(view);
	tally_ledger_close(l);
}

static int problem(void *arg, const char *text)
{
	(void)arg;
	fail_msg("%s", text);
	return 0;
}

static void limits_and_holdings(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	struct tally_account a = machine_account(l, "q/a");
	struct tally_account b = machine_account(l, "q/b");
	struct tally_account q = machine_account(l, "q/");
	const struct tally_demand demands[2] = {{0, MEMORY, 5}, {9, MEMORY, 6}};
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = 2};
	struct tally_reservation found = {.size = sizeof(found)};
	struct tally_credit credit;
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_token t, u;
	struct tally_view *view;
	int64_t amounts[2], peaks[2];
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
	add(l, a, 0, 1, 0);
	/* Held before, and given back. */
	assert_int_equal(tally_limit_take(&credit, 4), 0);
	assert_int_equal(tally_limit_give(&credit, 4), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_node(view, 0, MEMORY, &limit), 0);
	peaks[0] = limit.peak;
	assert_int_equal(tally_limit_account(view, q, MEMORY, &limit), 0);
	peaks[1] = limit.peak;
	tally_view_close(view);
	/* More than there is room for. */
	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 10), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	save(&s, m, view);

	assert_amounts(&s, "q/a", 0, 1, 8);
	assert_int_equal(
		tally_limit_holding(s.view, find(&s, "q/a"), 0, amounts), 0);
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
	assert_true(peaks[0] >= 17);
	assert_int_equal(limit.peak, peaks[0]);
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

/* As if it were made before the machine booted. */
static void boot_again(const char *path)
{
	struct layout *inside = inside_open(path);

	((struct layout_header *)inside->origin)->boot_id[3] ^= 1;
	inside_sign(inside);
	inside_seal(inside);
	inside_close(inside);
}

/* On a machine that has booted since, or on another one. */
static void a_file_of_another_boot(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0), *again;
	struct tally_reader_info info = {.size = sizeof(info)};
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
	assert_int_equal(tally_ledger_open(s.path, &again), -EROFS);
	close_saved(&s);
	tally_ledger_close(l);
}

static void a_path_that_cannot_be_written(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_view *view;
	char path[128];

	snprintf(path, sizeof(path), "%s/no/such", m->dir);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_reader_save(view, path, 0600), -ENOENT);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void nothing_but_a_ledger_is_replaced(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_view *view;
	struct others o;

	others_make(&o, m->dir);
	assert_int_equal(tally_view_open(l, &view), 0);
	for (unsigned int i = 0; i < o.nr; i++)
		assert_int_equal(tally_reader_save(view, o.paths[i], 0600),
				 -EEXIST);
	others_assert_untouched(&o);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void nothing_else_is_opened(void **state)
{
	struct machine *m = *state;
	struct tally_reader *reader;
	struct tally_ledger *ledger;
	struct others o;

	others_make(&o, m->dir);
	for (unsigned int i = 0; i < o.nr; i++) {
		int err = S_ISLNK(o.was[i].st_mode) ? -ELOOP : -EBADMSG;

		assert_int_equal(tally_reader_open(o.paths[i], &reader), err);
		assert_int_equal(tally_ledger_open(o.paths[i], &ledger), err);
	}
	others_assert_untouched(&o);
}

static void the_ledger_itself_is_not_replaced(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_reader *reader;
	struct tally_view *view;
	char hard[128];

	snprintf(hard, sizeof(hard), "%s/hard link", m->dir);
	assert_int_equal(link(m->path, hard), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_reader_save(view, m->path, 0600), -EBUSY);
	assert_int_equal(tally_reader_save(view, hard, 0600), -EBUSY);
	tally_view_close(view);
	tally_ledger_close(l);
	/* Nor without a writer. */
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	assert_int_equal(tally_reader_save(view, m->path, 0600), -EBUSY);
	tally_view_close(view);
	tally_reader_close(reader);
	assert_int_equal(tally_ledger_open(m->path, &l), 0);
	tally_ledger_close(l);
}

static void a_ledger_that_is_written_to_is_not_replaced(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0), *other;
	struct tally_view *view;
	struct saved s;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/saved", m->dir);
	assert_int_equal(tally_ledger_create(path, m->topo, machine_resources,
					     2, NULL, &other),
			 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_reader_save(view, path, 0600), -EBUSY);
	tally_ledger_close(other);
	/* Another process is about to replace it. */
	fd = open(path, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(tally_reader_save(view, path, 0600), -EAGAIN);
	close(fd);
	add(l, machine_account(l, "a"), 0, 1, 2);
	save(&s, m, view);
	assert_amounts(&s, "a", 0, 1, 2);
	close_saved(&s);
	/* A damaged ledger is one, too. */
	assert_int_equal(truncate(path, 100), 0);
	save(&s, m, view);
	close_saved(&s);
	tally_view_close(view);
	tally_ledger_close(l);
}

static int nr_entries(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int nr = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		nr += entry->d_name[0] != '.';
	closedir(dir);
	return nr;
}

/* Whether it succeeds or not. */
static void no_file_is_left_beside_it(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_view *view;
	struct saved s;
	int nr = nr_entries(m->dir);

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_reader_save(view, m->path, 0600), -EBUSY);
	assert_int_equal(tally_reader_save(view, m->dir, 0600), -EEXIST);
	assert_int_equal(nr_entries(m->dir), nr);
	save(&s, m, view);
	assert_int_equal(nr_entries(m->dir), nr + 1);
	close_saved(&s);
	tally_view_close(view);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(amounts_also_of_accounts_that_ended),
		MACHINE_TEST(a_snapshot_as_it_stands),
		MACHINE_TEST(lives),
		MACHINE_TEST(what_may_not_be_on_disk),
		MACHINE_TEST(limits_and_holdings),
		MACHINE_TEST(a_file_of_another_boot),
		MACHINE_TEST(a_path_that_cannot_be_written),
		MACHINE_TEST(nothing_but_a_ledger_is_replaced),
		MACHINE_TEST(nothing_else_is_opened),
		MACHINE_TEST(the_ledger_itself_is_not_replaced),
		MACHINE_TEST(a_ledger_that_is_written_to_is_not_replaced),
		MACHINE_TEST(no_file_is_left_beside_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
