// SPDX-License-Identifier: MIT
/*
 * A process that declares a resource is killed at each instruction: readers of
 * what it left find the resource whole, or none; and the next process that declares
 * it has all of its own capacities and quotas, or all of the dead one's.
 */
#include "support/test.h"

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/image.h"
#include "support/limits.h"
#include "support/machine.h"

#define NUMBER 2 /* of the resource */

static const struct tally_resource gpus = {"gpus", "cards", TALLY_RESERVABLE};
static const struct tally_capacity its[] = {{0, 0, 7}, {5, 0, 7}};
static const struct tally_capacity ours[] = {{9, 0, 8}};
static const struct tally_quota its_quotas[] = {{"batch/", 0, 5}, {"c", 0, 3}};
static const struct tally_quota our_quotas[] = {{"d", 0, 4}};

static struct tally_ledger *create(struct machine *m)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options), .max_accounts = 64, .nr_spare = 2};
	struct tally_ledger *l = NULL;

	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 2, &options,
					     &l),
			 0);
	return l;
}

static int child(const char *path)
{
	struct tally_ledger *l;

	if (tally_ledger_open(path, &l))
		return 1;
	if (inside_stop())
		return 2;
	return tally_ledger_declare_limited(l, &gpus, its, 2, its_quotas, 2) ==
			       NUMBER
		       ? 0
		       : 3;
}

/* How many a reader finds. */
static unsigned int nr_found(const char *path)
{
	struct tally_reader *reader;
	struct tally_view *view;
	unsigned int nr;

	assert_int_equal(tally_reader_open(path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	nr = tally_view_nr_resources(view);
	if (nr > NUMBER) {
		const struct tally_resource *r =
			tally_view_resource(view, NUMBER);

		assert_string_equal(r->name, gpus.name);
		assert_string_equal(r->unit, gpus.unit);
		assert_int_equal(r->kind, gpus.kind);
	}
	tally_view_close(view);
	tally_reader_close(reader);
	return nr;
}

static int64_t capacity(const struct tally_view *view, int node)
{
	struct tally_limit limit = {.size = sizeof(limit)};

	assert_int_equal(tally_limit_node(view, node, NUMBER, &limit), 0);
	return limit.limit;
}

static int64_t quota(const struct tally_view *view, const char *key)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_account account;

	if (tally_account_find(tally_view_accounts(view), key, &account))
		return TALLY_LIMIT_NONE;
	assert_int_equal(tally_limit_account(view, account, NUMBER, &limit), 0);
	return limit.limit;
}

/* What a dead process had decided on, the next one that takes the lock ends, as
 * it does when it opens the ledger. Return whether the resource was there. */
static bool come_next(const char *path)
{
	unsigned int nr = nr_found(path);
	bool done;
	int64_t none = TALLY_LIMIT_NONE;
	struct tally_ledger *l;
	struct tally_view *view;

	assert_in_range(nr, NUMBER, NUMBER + 1);
	assert_int_equal(tally_ledger_open(path, &l), 0);
	done = nr_found(path) > NUMBER;
	assert_true(done || nr == NUMBER);
	assert_int_equal(tally_ledger_resource(l, gpus.name),
			 done ? NUMBER : -ENOENT);
	assert_int_equal(
		tally_ledger_declare_limited(l, &gpus, ours, 1, our_quotas, 1),
		NUMBER);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_true(capacity(view, 0) == (done ? 7 : none));
	assert_true(capacity(view, 5) == (done ? 7 : none));
	assert_true(capacity(view, 9) == (done ? none : 8));
	assert_true(quota(view, "batch/") == (done ? 5 : none));
	assert_true(quota(view, "c") == (done ? 3 : none));
	assert_true(quota(view, "d") == (done ? none : 4));
	tally_view_close(view);
	limits_agree(l);
	tally_ledger_close(l);
	return done;
}

static void killed_at_each_instruction(void **state)
{
	struct machine *m = *state;
	unsigned int nr_states = 0, nr_done = 0;
	struct image image;
	struct tally_ledger *l;
	char copy[128];
	pid_t pid;

	if (test_in_guest() || TEST_SANITIZED)
		skip();
	machine_few_cpus(m);
	snprintf(copy, sizeof(copy), "%s/copy", m->dir);
	l = create(m);
	image_open(&image, m->path);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(child(m->path));
	if (!inside_wait(pid))
		skip();
	do {
		if (!image_changed(&image))
			continue;
		nr_states++;
		image_write(&image, copy);
		if (come_next(copy))
			nr_done++;
		else
			assert_int_equal(nr_done, 0);
	} while (inside_step(pid));
	assert_true(WIFEXITED(inside_status));
	assert_int_equal(WEXITSTATUS(inside_status), 0);
	assert_true(nr_done && nr_done < nr_states);
	print_message("# %u states, done in %u\n", nr_states, nr_done);
	assert_int_equal(nr_found(m->path), NUMBER + 1);
	image_close(&image);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(killed_at_each_instruction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
