// SPDX-License-Identifier: MIT
/* Resources that are declared in columns that were left spare. */
#include "support/test.h"

#include <signal.h>

#include <numatally/ledger_inline.h>
#include <numatally/limit.h>
#include <numatally/reader.h>

#include "file/column.h"
#include "support/declaring.h"
#include "support/inside.h"
#include "support/limits.h"
#include "support/machine.h"

/* A writer and a reader that opened the ledger before. */
static void is_found_by_all(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = create(m, 3), *other = open_again(m);
	struct tally_account a = machine_account(l, "a");
	const struct tally_resource *r;
	int64_t amounts[8] = {0}, canary = INT64_MAX;
	struct tally_reader *reader;
	struct tally_view *before, *after;

	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &before), 0);
	assert_int_equal(tally_view_nr_resources(before), 2);
	assert_int_equal(tally_ledger_add(other, a, FIRST, 1), -EINVAL);
	assert_int_equal(tally_ledger_add(other, a, FIRST, 0), -EINVAL);
	assert_int_equal(tally_ledger_resource(other, "faults"), -ENOENT);
	assert_int_equal(declare(l, &faults), FIRST);
	assert_int_equal(declare(l, &used), SECOND);
	assert_int_equal(tally_ledger_resource(other, "faults"), FIRST);
	assert_int_equal(tally_ledger_add(other, a, FIRST, 5), 0);
	assert_int_equal(tally_ledger_inline_add(l, a, FIRST, 6), 0);
	assert_int_equal(tally_ledger_add(other, a, SECOND + 1, 1), -EINVAL);

	/* As many amounts as it had when it was opened. */
	assert_int_equal(tally_view_nr_resources(before), 2);
	amounts[2] = canary;
	assert_int_equal(tally_view_totals(before, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(tally_view_account(before, a, 0, amounts), 0);
	assert_int_equal(tally_limit_holding(before, a, 0, amounts), 0);
	assert_true(amounts[2] == canary);
	assert_int_equal(tally_reader_view(reader, &after), 0);
	assert_int_equal(tally_view_nr_resources(after), 4);
	r = tally_view_resource(after, SECOND);
	assert_string_equal(r->name, "used");
	assert_string_equal(r->unit, "bytes");
	assert_int_equal(r->kind, TALLY_GAUGE);
	assert_int_equal(tally_view_totals(after, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[FIRST], 11);
	tally_view_close(before);
	tally_view_close(after);
	tally_reader_close(reader);
	tally_ledger_close(other);
	tally_ledger_close(l);
	l = open_again(m);
	assert_int_equal(tally_ledger_resource(l, "used"), SECOND);
	assert_int_equal(tally_ledger_add(l, a, SECOND, -3), 0);
	assert_int_equal(machine_total(l, SECOND), -3);
	tally_ledger_close(l);
}

/* By each way to add. */
static void each_kind_holds(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = create(m, 4);
	const struct tally_amount counted = {FIRST, 1}, negative = {FIRST, -1};
	const struct tally_amount set = {SECOND, 40};
	struct tally_account a = machine_account(l, "a");
	const struct tally_entry entry = {a, 5, FIRST, 2};
	const struct tally_amount two[] = {{FIRST, 3}, {SECOND, -5}};
	const struct tally_amount four[] = {
		{FIRST, 1}, {SECOND, 1}, {SECOND + 1, 0}, {SECOND + 2, 1}};
	struct tally_ledger *others[4];

	for (int i = 0; i < 4; i++)
		others[i] = open_again(m);
	assert_int_equal(declare(l, &faults), FIRST);
	assert_int_equal(declare(l, &used), SECOND);
	assert_int_equal(tally_ledger_charge(others[0], a, 5, &counted, 1), 0);
	assert_int_equal(
		tally_ledger_charge(others[1], a, TALLY_NODE_LOCAL, two, 2), 0);
	assert_int_equal(tally_ledger_post(others[2], &entry, 1), 0);
	assert_int_equal(
		tally_ledger_charge(others[3], a, TALLY_NODE_LOCAL, four, 4),
		-EINVAL);
	assert_int_equal(machine_total(l, FIRST), 6);
	assert_int_equal(machine_total(l, SECOND), -5);
	assert_int_equal(tally_ledger_set(others[3], a, 9, &set, 1), 0);
	assert_int_equal(machine_amount(l, a, 9, SECOND), 40);
	assert_int_equal(tally_ledger_set(l, a, 9, &counted, 1), -EINVAL);
	assert_int_equal(tally_ledger_charge(l, a, 5, &negative, 1), -EINVAL);
	assert_int_equal(tally_ledger_add(l, a, FIRST, -1), -EINVAL);
	assert_int_equal(declare(l, &gpus), SECOND + 1);
	assert_int_equal(tally_ledger_add(l, a, SECOND + 1, 1), -EINVAL);
	assert_int_equal(tally_ledger_add(others[0], a, SECOND + 1, 1),
			 -EINVAL);
	assert_int_equal(tally_limit_set_capacity(l, 5, FIRST, 1), -EINVAL);
	for (int i = 0; i < 4; i++)
		tally_ledger_close(others[i]);
	tally_ledger_close(l);
}

/* A gone account's counters stay in the totals, its gauges don't. */
static void survives_its_accounts(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = create(m, 2), *other = open_again(m);
	struct tally_account a = machine_account(l, "a");

	assert_int_equal(declare(l, &faults), FIRST);
	assert_int_equal(declare(l, &used), SECOND);
	assert_int_equal(tally_ledger_add(l, a, FIRST, 7), 0);
	assert_int_equal(tally_ledger_add(l, a, SECOND, 8), 0);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
	assert_int_equal(machine_total(l, FIRST), 7);
	assert_int_equal(machine_total(l, SECOND), 0);
	machine_reclaim(other);
	assert_int_equal(machine_total(l, FIRST), 7);
	assert_int_equal(machine_total(l, SECOND), 0);
	tally_ledger_close(other);
	tally_ledger_close(l);
}

static void has_capacities_from_the_start(void **state)
{
	const struct tally_capacity some[] = {{5, 77, 4}, {0, 0, 0}};
	struct tally_capacity more = {5, FIRST, 6};
	struct machine *m = *state;
	struct tally_ledger *l = create(m, 1), *other = open_again(m);
	struct tally_account a = machine_account(l, "a");
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_credit credit;
	unsigned int resource;
	struct tally_view *view;
	uint64_t cursor = 0;
	int node;

	assert_int_equal(reserve(l, "a", 5, FIRST, 1), -EINVAL);
	assert_int_equal(tally_limit_set_capacity(l, 5, FIRST, 1), -EINVAL);
	assert_int_equal(tally_ledger_declare(l, &gpus, some, 2), FIRST);
	assert_int_equal(reserve(other, "a", 0, FIRST, 1), -ENOSPC);
	assert_int_equal(reserve(other, "a", 5, FIRST, 5), -ENOSPC);
	assert_int_equal(reserve(other, "a", 5, FIRST, 4), 0);
	assert_int_equal(reserve(other, "b", 9, FIRST, 1000), 0);
	/* It keeps its own, and changes by the other calls. */
	assert_int_equal(tally_ledger_declare(other, &gpus, &more, 1), FIRST);
	assert_int_equal(reserve(other, "c", 5, FIRST, 1), -ENOSPC);
	assert_int_equal(tally_limit_exchange(other, &more, 1, NULL, 0), 0);
	assert_int_equal(more.capacity, 4);
	assert_int_equal(reserve(l, "c", 5, FIRST, 1), 0);
	assert_int_equal(
		tally_limit_set_quota(l, machine_account(l, "d"), FIRST, 0), 0);
	assert_int_equal(reserve(l, "d", 5, FIRST, 1), -EDQUOT);
	assert_int_equal(tally_limit_credit(l, a, 5, FIRST, &credit), 0);
	assert_int_equal(tally_limit_take(&credit, 1), 0);
	assert_int_equal(tally_limit_take(&credit, 1), -ENOSPC);
	assert_int_equal(tally_view_open(other, &view), 0);
	assert_int_equal(tally_limit_node(view, 5, FIRST, &limit), 0);
	assert_int_equal(limit.held, 6);
	assert_int_equal(tally_limit_capacity_next(view, &cursor, &node,
						   &resource, &limit),
			 0);
	assert_int_equal(node, 0);
	assert_int_equal(resource, FIRST);
	assert_int_equal(machine_amount(l, a, 5, FIRST), 5);
	tally_view_close(view);
	limits_agree(l);
	tally_ledger_close(other);
	tally_ledger_close(l);
}

/* ---- errors -------------------------------------------------------------- */

static void refused(struct tally_ledger *l, int err,
		    struct tally_resource resource, struct tally_capacity c,
		    unsigned int nr)
{
	assert_int_equal(tally_ledger_declare(l, &resource, &c, nr), err);
	assert_int_equal(declare(l, &machine_reservables[MEMORY]), MEMORY);
	assert_int_equal(tally_ledger_resource(l, "new"), -ENOENT);
}

static void each_error(void **state)
{
	const struct tally_resource other = {"faults", "pages", TALLY_COUNTER};
	const struct tally_capacity c = {5, 0, 1}, no_node = {1, 0, 1};
	const struct tally_capacity negative = {5, 0, -1};
	const struct tally_ledger_options too_many = {.size = sizeof(too_many),
						      .nr_spare = 511};
	struct machine *m = *state;
	struct tally_ledger *l = create(m, 1);
	struct tally_resource r = gpus;

	r.name = "new";
	refused(l, -ENOENT, r, no_node, 1);
	refused(l, -EINVAL, r, negative, 1);
	r.kind = TALLY_GAUGE;
	refused(l, -EINVAL, r, c, 1);
	r.kind = (enum tally_kind)4;
	refused(l, -EINVAL, r, c, 0);
	r.kind = (enum tally_kind)0;
	refused(l, -EINVAL, r, c, 0);
	r = gpus;
	r.name = "";
	refused(l, -EINVAL, r, c, 0);
	r.name = "a-b";
	refused(l, -EINVAL, r, c, 0);
	r.name = "a23456789012345678901234567890123";
	refused(l, -EINVAL, r, c, 0);
	r.name = "new";
	r.unit = "12345678901234567";
	refused(l, -EINVAL, r, c, 0);
	r = machine_reservables[MEMORY];
	r.unit = "pages";
	refused(l, -EEXIST, r, c, 0);

	assert_int_equal(declare(l, &faults), FIRST);
	assert_int_equal(declare(l, &faults), FIRST);
	assert_int_equal(declare(l, &other), -EEXIST);
	assert_int_equal(declare(l, &used), -ENOSPC);
	tally_ledger_close(l);
	l = create(m, 0);
	assert_int_equal(declare(l, &faults), -ENOSPC);
	tally_ledger_close(l);
	l = create(m, 510);
	tally_ledger_close(l);
	unlink(m->path);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 2, &too_many,
					     &l),
			 -EINVAL);
}

/* Of an exclusive ledger the one writer declares, not its child. */
static void a_child_of_an_exclusive_ledger(void **state)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options), .exclusive = 1, .nr_spare = 1};
	struct machine *m = *state;
	struct tally_ledger *l;
	int status;

	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_resources, 2, &options,
					     &l),
			 0);
	if (!fork())
		_exit(declare(l, &faults) == -EPERM ? 0 : 1);
	wait(&status);
	assert_int_equal(status, 0);
	assert_int_equal(declare(l, &faults), FIRST);
	assert_int_equal(tally_ledger_add(l, machine_account(l, "a"), FIRST, 1),
			 0);
	assert_int_equal(machine_total(l, FIRST), 1);
	tally_ledger_close(l);
}

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	if (!tally_reader_sigbus(info))
		_exit(1);
}

/* Each byte of what was declared: an error to open, and where it is open. */
static void damage_is_an_error(void **state)
{
	struct sigaction action = {.sa_sigaction = on_sigbus,
				   .sa_flags = SA_SIGINFO},
			 former;
	struct machine *m = *state;
	struct tally_ledger *l = create(m, 3);
	struct tally_reader *reader, *late;
	struct tally_view *view;
	struct layout *inside;
	unsigned char *bytes;
	uint64_t *nr;

	assert_int_equal(declare(l, &faults), FIRST);
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	inside = inside_open(m->path);
	bytes = (unsigned char *)inside->origin + inside->plan->spares.offset;
	for (size_t i = 0; i < sizeof(struct layout_spare); i++) {
		bytes[i] ^= 0x20;
		assert_int_equal(tally_reader_open(m->path, &late), -EBADMSG);
		assert_int_equal(tally_reader_view(reader, &view), -EBADMSG);
		assert_int_equal(tally_view_open(l, &view), -EBADMSG);
		assert_int_equal(tally_ledger_resource(l, "none"), -EBADMSG);
		assert_int_equal(declare(l, &used), -EBADMSG);
		bytes[i] ^= 0x20;
	}
	nr = &layout_limits(inside)->nr_declared;
	for (uint64_t n = 4; n; n <<= 1) {
		*nr = n;
		assert_int_equal(tally_reader_open(m->path, &late), -EBADMSG);
		assert_int_equal(tally_reader_view(reader, &view), -EBADMSG);
		assert_int_equal(declare(l, &used), -EBADMSG);
		assert_int_equal(
			tally_ledger_add(l, machine_account(l, "a"), SECOND, 1),
			-EINVAL);
	}
	*nr = 2;
	assert_int_equal(declare(l, &used), SECOND);
	inside_close(inside);
	sigaction(SIGBUS, &action, &former);
	assert_int_equal(truncate(m->path, 8192), 0);
	assert_int_equal(tally_reader_view(reader, &view), -EBADMSG);
	assert_int_equal(tally_ledger_resource(l, "used"), -EBADMSG);
	sigaction(SIGBUS, &former, NULL);
	tally_reader_close(reader);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(is_found_by_all),
		MACHINE_TEST(each_kind_holds),
		MACHINE_TEST(survives_its_accounts),
		MACHINE_TEST(has_capacities_from_the_start),
		MACHINE_TEST(each_error),
		MACHINE_TEST(a_child_of_an_exclusive_ledger),
		MACHINE_TEST(damage_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
