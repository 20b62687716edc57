// SPDX-License-Identifier: MIT
/* What a caller may ask for, at each bound: the last that is allowed, and the
 * first that is not. */
#include "support/test.h"

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/machine.h"

#define NAME_BYTES    31
#define UNIT_BYTES    15
#define MOST_COLUMNS  512
#define MOST_KEY      4095
#define MOST_ACCOUNTS (1u << 26)

static int create_with(const struct machine *m,
		       const struct tally_resource *resources, unsigned int nr,
		       uint32_t max_accounts, uint32_t max_key_bytes)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = max_accounts,
		.max_key_bytes = max_key_bytes,
	};
	struct tally_ledger *l;
	int err =
		tally_ledger_create(NULL, m->topo, resources, nr, &options, &l);

	if (!err)
		tally_ledger_close(l);
	return err;
}

static int named(const struct machine *m, const char *name, const char *unit,
		 enum tally_kind kind)
{
	const struct tally_resource r = {
		.name = name, .unit = unit, .kind = kind};

	return create_with(m, &r, 1, 10, 0);
}

static bool is_letter(int c)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Each byte, at the beginning and behind it. */
static void bytes_of_names(void **state)
{
	for (int c = 1; c < 256; c++) {
		const char first[] = {(char)c, 'x', '\0'};
		const char second[] = {'x', (char)c, '\0'};
		bool digit = c >= '0' && c <= '9';

		assert_int_equal(named(*state, first, "", TALLY_COUNTER),
				 is_letter(c) ? 0 : -EINVAL);
		assert_int_equal(named(*state, second, first, TALLY_COUNTER),
				 is_letter(c) ? 0 : -EINVAL);
		assert_int_equal(named(*state, second, "u", TALLY_COUNTER),
				 is_letter(c) || digit ? 0 : -EINVAL);
	}
}

static void lengths_of_names(void **state)
{
	char text[NAME_BYTES + 2] = "";

	for (int n = 0; n <= NAME_BYTES + 1; n++) {
		int name = n && n <= NAME_BYTES ? 0 : -EINVAL;
		int unit = n <= UNIT_BYTES ? 0 : -EINVAL;

		memset(text, 'x', (size_t)n);
		assert_int_equal(named(*state, text, "", TALLY_GAUGE), name);
		assert_int_equal(named(*state, "x", text, TALLY_GAUGE), unit);
	}
	assert_int_equal(named(*state, "x", "", TALLY_RESERVABLE), 0);
	assert_int_equal(named(*state, "x", "", 0), -EINVAL);
	assert_int_equal(named(*state, "x", "", TALLY_RESERVABLE + 1), -EINVAL);
}

static void numbers_of_resources(void **state)
{
	static struct tally_resource many[MOST_COLUMNS + 1];
	static char names[MOST_COLUMNS + 1][8];

	for (unsigned int i = 0; i <= MOST_COLUMNS; i++) {
		snprintf(names[i], sizeof(names[i]), "r%u", i);
		many[i] = (struct tally_resource){
			.name = names[i], .unit = "", .kind = TALLY_COUNTER};
	}
	assert_int_equal(create_with(*state, many, 0, 10, 0), -EINVAL);
	assert_int_equal(create_with(*state, many, MOST_COLUMNS, 10, 0), 0);
	assert_int_equal(create_with(*state, many, MOST_COLUMNS + 1, 10, 0),
			 -EINVAL);
	/* The first and the last have one name. */
	many[MOST_COLUMNS - 1].name = "r0";
	assert_int_equal(create_with(*state, many, MOST_COLUMNS, 10, 0),
			 -EEXIST);
}

static void sizes_of_ledgers(void **state)
{
	assert_int_equal(create_with(*state, machine_resources, 2, 1, 1), 0);
	assert_int_equal(
		create_with(*state, machine_resources, 2, 10, MOST_KEY), 0);
	assert_int_equal(
		create_with(*state, machine_resources, 2, 10, MOST_KEY + 1),
		-EINVAL);
	assert_int_equal(
		create_with(*state, machine_resources, 2, MOST_ACCOUNTS + 1, 0),
		-EINVAL);
}

/* Opened, and found, in keys of each length around the longest. */
static void lengths_of_keys(void **state)
{
	const struct machine *m = *state;

	for (uint32_t most = 1; most < 34; most++) {
		const struct tally_ledger_options options = {
			.size = sizeof(options),
			.max_accounts = 10,
			.max_key_bytes = most,
		};
		struct tally_account a, found;
		struct tally_accounts *in;
		char key[64], copy[64];
		struct tally_ledger *l;

		assert_int_equal(tally_ledger_create(NULL, m->topo,
						     machine_resources, 2,
						     &options, &l),
				 0);
		in = tally_ledger_accounts(l);
		memset(key, 'k', sizeof(key));
		key[most + 1] = '\0';
		assert_int_equal(tally_account_open(in, key, &a),
				 -ENAMETOOLONG);
		assert_int_equal(tally_account_find(in, key, &a), -ENOENT);
		key[most] = '\0';
		assert_int_equal(tally_account_open(in, key, &a), 0);
		assert_int_equal(tally_account_open(in, key, &found), 0);
		assert_int_equal(found.row, a.row);
		assert_int_equal(tally_account_find(in, key, &found), 0);
		assert_int_equal(found.row, a.row);
		assert_int_equal(tally_account_key_bytes(in), most + 1);
		assert_int_equal(tally_account_key(in, a, copy, most + 1), 0);
		assert_string_equal(copy, key);
		assert_int_equal(tally_account_key(in, a, copy, most), -ERANGE);
		assert_int_equal(tally_account_open(in, "", &a), -EINVAL);
		tally_ledger_close(l);
	}
}

/* The last row, also where it is the last or first of a bucket. */
static void numbers_of_accounts(void **state)
{
	static const uint32_t numbers[] = {1, 2, 63, 64, 65, 127, 128, 129};
	const struct tally_amount one = {0, 1};
	struct machine *m = *state;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct tally_ledger *l = machine_ledger(m, numbers[i]);
		struct tally_accounts *in = tally_ledger_accounts(l);
		struct tally_reader_info info = {.size = sizeof(info)};
		struct tally_reader *r;
		struct tally_account a;
		char key[16];

		for (uint32_t k = 0; k < numbers[i]; k++) {
			snprintf(key, sizeof(key), "a%u", k);
			a = machine_account(l, key);
			assert_int_equal(tally_ledger_charge(l, a, 5, &one, 1),
					 0);
		}
		assert_int_equal(tally_account_open(in, "more", &a), -ENOSPC);
		assert_int_equal(machine_total(l, 0), numbers[i]);
		assert_int_equal(tally_reader_open(m->path, &r), 0);
		assert_int_equal(tally_reader_describe(r, &info), 0);
		assert_int_equal(info.nr_accounts, numbers[i]);
		assert_int_equal(info.max_accounts, numbers[i]);
		tally_reader_close(r);
		tally_ledger_close(l);
		unlink(m->path);
	}
}

/* Two ledgers differ in what tells them apart. */
static void instances(void **state)
{
	struct tally_reader_info info[2];
	struct machine *m = *state;

	for (int i = 0; i < 2; i++) {
		struct tally_reader *r;

		info[i].size = sizeof(info[i]);
		memset(info[i].instance, 0, sizeof(info[i].instance));
		tally_ledger_close(machine_ledger(m, 10));
		assert_int_equal(tally_reader_open(m->path, &r), 0);
		assert_int_equal(tally_reader_describe(r, &info[i]), 0);
		tally_reader_close(r);
		unlink(m->path);
	}
	assert_memory_not_equal(info[0].instance, info[1].instance, 16);
	assert_int_equal(info[0].nr_nodes, 3);
	assert_int_equal(info[0].nr_lanes, MACHINE_LANES);
	assert_int_equal(info[0].stale, 0);
	assert_true(info[0].created_ns > 0 &&
		    info[0].created_ns <= info[1].created_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(bytes_of_names),
		MACHINE_TEST(lengths_of_names),
		MACHINE_TEST(numbers_of_resources),
		MACHINE_TEST(sizes_of_ledgers),
		MACHINE_TEST(lengths_of_keys),
		MACHINE_TEST(numbers_of_accounts),
		MACHINE_TEST(instances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
