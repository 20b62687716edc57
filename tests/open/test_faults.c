// SPDX-License-Identifier: MIT
/*
 * Ledgers are created, opened, read, saved and replaced while each call of the
 * kernel, and each allocation, fails once: an error, nothing is left, and the
 * next try succeeds.
 */
#include "support/test.h"

#include <sys/stat.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/fault.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

/* Something is wrong. */
#define BAD 1

static const struct tally_capacity capacities[] = {{0, MEMORY, 4},
						   {5, MEMORY, 6}};
static const struct tally_quota quotas[] = {{"team/", MEMORY, 3}};

static const struct tally_ledger_options options = {
	.size = sizeof(options),
	.max_accounts = 100,
	.capacities = capacities,
	.nr_capacities = 2,
	.quotas = quotas,
	.nr_quotas = 1,
};

/* ---- what each does with a ledger ---------------------------------------- */

static int fill(struct tally_ledger *l)
{
	const struct tally_amount amount = {EVENTS, 7};
	const struct tally_demand demand = {5, MEMORY, 2};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_account a;
	struct tally_token t;
	int err = tally_account_open(tally_ledger_accounts(l), "team/a", &a);

	if (!err)
		err = tally_ledger_charge(l, a, 0, &amount, 1);
	if (!err)
		err = tally_limit_reserve(l, a, &request, &t, NULL);
	return err ? err : tally_limit_commit(l, t);
}

/* Whether the view shows what fill() did. */
static int look(const struct tally_view *view)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_account a;
	int64_t sums[2];
	int err = tally_account_find(tally_view_accounts(view), "team/a", &a);

	if (!err)
		err = tally_view_account(view, a, TALLY_VIEW_ALL, sums);
	if (!err)
		err = tally_limit_node(view, 5, MEMORY, &limit);
	if (err)
		return err;
	return sums[EVENTS] == 7 && sums[MEMORY] == 2 && limit.limit == 6 &&
			       limit.held == 2
		       ? 0
		       : BAD;
}

static int look_at(struct tally_ledger *l)
{
	struct tally_view *view;
	int err = tally_view_open(l, &view);

	if (err)
		return err;
	err = look(view);
	tally_view_close(view);
	return err;
}

static int fill_and_close(struct tally_ledger *l)
{
	int err = fill(l);

	if (!err)
		err = look_at(l);
	tally_ledger_close(l);
	return err;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* ---- the tasks ----------------------------------------------------------- */

static int create(void *machine)
{
	const struct machine *m = machine;
	struct tally_ledger *l = NULL;
	int err = tally_ledger_create(m->path, m->topo, machine_reservables, 2,
				      &options, &l);

	/* None is left that lacks its limits. */
	if (err)
		return l || exists(m->path) ? BAD : err;
	err = fill_and_close(l);
	return unlink(m->path) ? BAD : err;
}

static int create_unnamed(void *machine)
{
	const struct machine *m = machine;
	struct tally_ledger_options exclusive = options;
	struct tally_ledger *l;
	int err;

	exclusive.exclusive = 1;
	err = tally_ledger_create(NULL, m->topo, machine_reservables, 2,
				  &exclusive, &l);
	return err ? err : fill_and_close(l);
}

/* A mode that does not let its owner open it again. */
static int create_closed(void *machine)
{
	const struct machine *m = machine;
	struct tally_ledger_options closed = options;
	struct tally_ledger *l;
	struct stat st;
	int err;

	closed.mode = 0040;
	err = tally_ledger_create(m->path, m->topo, machine_reservables, 2,
				  &closed, &l);
	if (err)
		return exists(m->path) ? BAD : err;
	if (stat(m->path, &st))
		err = -errno;
	else if ((st.st_mode & 0777) != 0040)
		err = BAD;
	tally_ledger_close(l);
	return unlink(m->path) ? BAD : err;
}

static int open_again(void *machine)
{
	const struct machine *m = machine;
	struct tally_ledger *l;
	int err = tally_ledger_open(m->path, &l);

	if (err)
		return err;
	err = look_at(l);
	tally_ledger_close(l);
	return err;
}

static int read_only(void *machine)
{
	const struct machine *m = machine;
	struct tally_reader_info info = {.size = sizeof(info)};
	struct tally_reader *r;
	struct tally_view *view;
	int err = tally_reader_open(m->path, &r);

	if (err)
		return err;
	err = tally_reader_describe(r, &info);
	if (!err && info.nr_accounts != 2)
		err = BAD;
	if (!err)
		err = tally_reader_view(r, &view);
	if (!err) {
		err = look(view);
		tally_view_close(view);
	}
	tally_reader_close(r);
	return err;
}

/* A temporary file is left nowhere. */
static bool is_clean(const struct machine *m)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/saved.%ld.tmp", m->dir,
		 (long)getpid());
	return !exists(path);
}

static int look_at_saved(const char *path)
{
	struct tally_view *view;
	struct tally_reader *r;
	int err = tally_reader_open(path, &r);

	if (err)
		return err;
	err = tally_reader_view(r, &view);
	if (!err) {
		err = look(view);
		tally_view_close(view);
	}
	tally_reader_close(r);
	return err;
}

/* Where there is none, and in the place of one, which stays until then. */
static int save_twice(const struct tally_view *view, const char *path)
{
	int err = tally_reader_save(view, path, 0600);

	if (err)
		return exists(path) ? BAD : err;
	err = tally_reader_save(view, path, 0600);
	if (!err)
		return look_at_saved(path);
	fault_over();
	return look_at_saved(path) ? BAD : err;
}

static int save(void *machine)
{
	const struct machine *m = machine;
	struct tally_reader *r;
	struct tally_view *view;
	char path[128];
	int err = tally_reader_open(m->path, &r);

	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/saved", m->dir);
	err = tally_reader_view(r, &view);
	if (!err) {
		err = save_twice(view, path);
		tally_view_close(view);
	}
	tally_reader_close(r);
	unlink(path);
	return is_clean(m) ? err : BAD;
}

/* ---- the tests ----------------------------------------------------------- */

static void make(struct machine *m)
{
	struct tally_ledger *l;

	machine_few_cpus(m);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 2, &options,
					     &l),
			 0);
	assert_int_equal(fill_and_close(l), 0);
}

static void each(int (*task)(void *arg), struct machine *m)
{
	fault_each_call(task, m);
	fault_each_signal(task, m);
	fault_each_allocation(task, m);
}

static void creating(void **state)
{
	machine_few_cpus(*state);
	each(create, *state);
}

static void creating_without_a_name(void **state)
{
	machine_few_cpus(*state);
	each(create_unnamed, *state);
}

static void creating_what_its_owner_may_not_open(void **state)
{
	machine_few_cpus(*state);
	each(create_closed, *state);
}

static void opening(void **state)
{
	make(*state);
	each(open_again, *state);
}

static void reading(void **state)
{
	make(*state);
	each(read_only, *state);
}

static void saving(void **state)
{
	make(*state);
	each(save, *state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(creating),
		MACHINE_TEST(creating_without_a_name),
		MACHINE_TEST(creating_what_its_owner_may_not_open),
		MACHINE_TEST(opening),
		MACHINE_TEST(reading),
		MACHINE_TEST(saving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
