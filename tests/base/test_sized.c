// SPDX-License-Identifier: MIT
/* Structures that begin with their size: of older and of newer programs. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <numatally.h>

#include "base/sized.h"
#include "support/machine.h"

/* Three versions of one structure. */
struct first {
	size_t size;
	int64_t a;
};
struct second {
	size_t size;
	int64_t a, b;
};
struct third {
	size_t size;
	int64_t a, b, c;
};

static int get(const void *from, struct second *to)
{
	return sized_get(to, sizeof(*to), sized_upto(struct second, a), from);
}

static void what_an_older_caller_lacks_is_0(void **state)
{
	const struct first older = {sizeof(older), 1};
	struct second own = {0, 7, 7};

	(void)state;
	assert_int_equal(get(&older, &own), 0);
	assert_int_equal(own.size, sizeof(own));
	assert_int_equal(own.a, 1);
	assert_int_equal(own.b, 0);
}

static void a_newer_caller_sets_nothing_unknown(void **state)
{
	static struct third newer = {sizeof(newer), 1, 2, 0};
	struct second own = {0};

	(void)state;
	assert_int_equal(get(&newer, &own), 0);
	assert_int_equal(own.b, 2);
	newer.c = 3;
	assert_int_equal(get(&newer, &own), -E2BIG);
}

static void what_is_no_size_is_refused(void **state)
{
	const size_t bad[] = {
		0, 1, sizeof(struct first) - 1, SIZED_MOST + 1, SIZE_MAX,
	};
	struct second own = {0, 7, 7};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		static union {
			struct third first;
			char bytes[SIZED_MOST + 1];
		} from;

		from.first = (struct third){bad[i], 1, 2, 3};
		assert_int_equal(get(&from, &own), -EINVAL);
		assert_int_equal(own.a, 7);
	}
}

static void nothing_is_written_behind_a_caller(void **state)
{
	const struct second own = {sizeof(own), 1, 2};
	struct third to = {sizeof(struct first), 7, 7, 7};

	(void)state;
	sized_put(&to, &own, sizeof(own));
	assert_int_equal(to.size, sizeof(struct first));
	assert_int_equal(to.a, 1);
	assert_int_equal(to.b, 7);
	to = (struct third){sizeof(to), 7, 7, 7};
	sized_put(&to, &own, sizeof(own));
	assert_int_equal(to.size, sizeof(to));
	assert_int_equal(to.b, 2);
	assert_int_equal(to.c, 0);
}

/* Each function that takes such a structure, with one of the given size. */
static void expect_refused(const struct machine *m, size_t size)
{
	const struct tally_demand demand = {0, 0, 1};
	const struct tally_request request = {size, &demand, 1, 0};
	const struct tally_request right = {sizeof(right), &demand, 1, 0};
	const struct tally_ledger_options options = {.size = size};
	struct tally_refusal refusal = {.size = size};
	struct tally_limit limit = {.size = size};
	struct tally_reservation reservation = {.size = size};
	struct tally_in_doubt doubt = {.size = size};
	const struct tally_filter filter = {.size = size};
	struct tally_entry entry;
	uint64_t cursor = 0;
	size_t nr;
	struct tally_ledger *l = NULL, *other = NULL;
	struct tally_account a;
	struct tally_token token;
	struct tally_view *view;

	assert_int_equal(tally_ledger_create(NULL, m->topo, machine_reservables,
					     1, NULL, &l),
			 0);
	a = machine_account(l, "a");
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_ledger_create(NULL, m->topo, machine_reservables,
					     1, &options, &other),
			 -EINVAL);
	assert_int_equal(tally_limit_reserve(l, a, &request, &token, NULL),
			 -EINVAL);
	assert_int_equal(tally_limit_adopt(l, a, &request, &token), -EINVAL);
	assert_int_equal(tally_limit_reserve(l, a, &right, &token, &refusal),
			 -EINVAL);
	assert_int_equal(tally_limit_node(view, 0, 0, &limit), -EINVAL);
	assert_int_equal(tally_limit_account(view, a, 0, &limit), -EINVAL);
	assert_int_equal(tally_limit_find(view, a, &reservation), -EINVAL);
	assert_int_equal(tally_view_in_doubt(view, 0, &doubt), -EINVAL);
	assert_int_equal(
		tally_view_read(view, &filter, &cursor, &entry, 1, &nr),
		-EINVAL);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void every_function_looks_at_the_size(void **state)
{
	expect_refused(*state, 0);
	expect_refused(*state, sizeof(size_t));
	expect_refused(*state, SIZE_MAX);
}

static void a_reader_looks_at_the_size(void **state)
{
	const struct machine *m = *state;
	struct tally_reader_info info = {.size = 0, .version = 99};
	struct tally_writer writer = {.size = 0};
	struct tally_reader *reader;
	struct tally_ledger *l;
	uint64_t cursor = 0;

	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 1, NULL, &l),
			 0);
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_describe(reader, &info), -EINVAL);
	assert_int_equal(info.version, 99);
	assert_int_equal(tally_reader_writer_next(reader, &cursor, &writer),
			 -EINVAL);
	assert_int_equal(cursor, 0);
	info.size = sizeof(info);
	writer.size = sizeof(writer);
	assert_int_equal(tally_reader_describe(reader, &info), 0);
	assert_int_equal(info.size, sizeof(info));
	assert_int_equal(tally_reader_writer_next(reader, &cursor, &writer), 0);
	assert_int_equal(writer.alive, 1);
	tally_reader_close(reader);
	tally_ledger_close(l);
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_older_caller_lacks_is_0),
		cmocka_unit_test(a_newer_caller_sets_nothing_unknown),
		cmocka_unit_test(what_is_no_size_is_refused),
		cmocka_unit_test(nothing_is_written_behind_a_caller),
		T(every_function_looks_at_the_size),
		T(a_reader_looks_at_the_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
