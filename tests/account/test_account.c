// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <pthread.h>

#include <numatally/account.h>
#include <numatally/reader.h>

#include "support/machine.h"

static void a_key_has_one_row(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_account a = machine_account(ledger, "batch/job-1");
	struct tally_account b = machine_account(ledger, "batch/job-2");
	struct tally_account again = machine_account(ledger, "batch/job-1");

	assert_int_equal(a.row, again.row);
	assert_int_equal(a.generation, again.generation);
	assert_int_not_equal(a.row, b.row);
	assert_int_equal(tally_account_find(tally_ledger_accounts(ledger),
					    "batch/job-2", &again),
			 0);
	assert_int_equal(again.row, b.row);
	assert_int_equal(tally_account_phase(tally_ledger_accounts(ledger), a),
			 TALLY_PHASE_READY);
	tally_ledger_close(ledger);
}

static void keys_that_cannot_be(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 2);
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_account account = {77, 77};
	char key[256], small[4];

	assert_int_equal(tally_account_open(accounts, "", &account), -EINVAL);
	assert_int_equal(tally_account_key_bytes(accounts), 192);
	memset(key, 'k', 192);
	key[192] = '\0';
	assert_int_equal(tally_account_open(accounts, key, &account),
			 -ENAMETOOLONG);
	assert_int_equal(tally_account_find(accounts, key, &account), -ENOENT);
	key[191] = '\0';
	assert_int_equal(account.row, 77);
	assert_int_equal(tally_account_open(accounts, key, &account), 0);
	assert_int_equal(tally_account_key(accounts, account, small, 4),
			 -ERANGE);
	assert_int_equal(tally_account_key(accounts, account, key, 192), 0);
	assert_int_equal(strlen(key), 191);
	machine_account(ledger, "second");
	assert_int_equal(tally_account_open(accounts, "third", &account),
			 -ENOSPC);
	machine_account(ledger, "second");
	tally_ledger_close(ledger);
}

static void a_handle_of_another_account_is_stale(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_account account = machine_account(ledger, "a");
	char key[192];

	account.generation++;
	assert_int_equal(tally_account_key(accounts, account, key, 192),
			 -ESTALE);
	assert_int_equal(tally_account_phase(accounts, account), -ESTALE);
	account.row = 1000;
	assert_int_equal(tally_account_key(accounts, account, key, 192),
			 -ESTALE);
	tally_ledger_close(ledger);
}

static void a_walk_meets_every_account(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 2000);
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_account account;
	uint64_t cursor = 0, keys = 0;
	char key[192];

	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "job-%d", i);
		machine_account(ledger, key);
	}
	for (int i = 0; i < 2000; i++) {
		int n;

		assert_int_equal(
			tally_account_next(accounts, &cursor, &account), 0);
		assert_int_equal(
			tally_account_key(accounts, account, key, sizeof(key)),
			0);
		assert_int_equal(sscanf(key, "job-%d", &n), 1);
		keys += (uint64_t)n;
	}
	assert_int_equal(keys, 1999 * 1000);
	assert_int_equal(tally_account_next(accounts, &cursor, &account),
			 -ENOENT);
	tally_ledger_close(ledger);
}

static void a_reader_finds_and_does_not_add(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	struct tally_account account, found;
	struct tally_reader *reader;
	struct tally_view *view;
	struct tally_accounts *accounts;

	account = machine_account(ledger, "here");
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	accounts = (struct tally_accounts *)tally_view_accounts(view);
	assert_int_equal(tally_account_open(accounts, "here", &found), 0);
	assert_int_equal(found.row, account.row);
	assert_int_equal(tally_account_open(accounts, "new", &found), -EROFS);
	assert_int_equal(tally_account_find(accounts, "new", &found), -ENOENT);
	machine_account(ledger, "new");
	assert_int_equal(tally_account_find(accounts, "new", &found), 0);
	tally_view_close(view);
	tally_reader_close(reader);
	tally_ledger_close(ledger);
}

/* Threads of several processes add the same keys, so that they race to claim a
 * row. The loser gives its row back. */
#define RACE_KEYS 500

static void *add_all(void *arg)
{
	struct tally_ledger *ledger = arg;
	char key[32];

	for (int i = 0; i < RACE_KEYS; i++) {
		struct tally_account account;

		snprintf(key, sizeof(key), "key-%d", i);
		if (tally_account_open(tally_ledger_accounts(ledger), key,
				       &account))
			return arg;
	}
	return NULL;
}

static int add_from_threads(const char *path)
{
	pthread_t threads[2];
	struct tally_ledger *ledger;
	void *failed;
	int result = 0;

	if (tally_ledger_open(path, &ledger))
		return 1;
	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, add_all, ledger))
			return 1;
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], &failed);
		result |= failed != NULL;
	}
	tally_ledger_close(ledger);
	return result;
}

static void processes_that_race_for_keys_agree(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, RACE_KEYS + 8);
	uint8_t seen[RACE_KEYS + 8] = {0};
	struct tally_account account;
	pid_t pids[3];
	uint64_t cursor = 0;
	char key[32];
	int status, nr = 0;

	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (!pids[i])
			_exit(add_from_threads(m->path));
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < RACE_KEYS; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		assert_int_equal(
			tally_account_find(tally_ledger_accounts(ledger), key,
					   &account),
			0);
		assert_false(seen[account.row]++);
	}
	while (!tally_account_next(tally_ledger_accounts(ledger), &cursor,
				   &account))
		nr++;
	assert_int_equal(nr, RACE_KEYS);
	tally_ledger_close(ledger);
}

/* The chain of a key in a directory of this size, as the file has it. */
static uint64_t chain_of(const char *key, uint64_t nr_chains)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
	return (hash ^ hash >> 32) & (nr_chains - 1);
}

/* The keys are chosen so that they fall into one chain. It is cut before a
 * search of it takes long, and all other keys still work. */
static void chosen_keys(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 512);
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_account account, first;
	unsigned int nr = 0;
	char key[16];
	int err = 0;

	for (unsigned int i = 0; !err && nr < 500; i++) {
		snprintf(key, sizeof(key), "%u", i);
		if (chain_of(key, 256))
			continue;
		err = tally_account_open(accounts, key, &account);
		if (!nr++)
			first = account;
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(nr, 128 + 1);
	for (unsigned int i = 0; nr > 1; i++) {
		snprintf(key, sizeof(key), "%u", i);
		if (chain_of(key, 256))
			continue;
		assert_int_equal(tally_account_find(accounts, key, &account),
				 0);
		assert_true(account.row >= first.row);
		nr--;
	}
	for (unsigned int i = 0; nr < 100; i++) {
		snprintf(key, sizeof(key), "%u", i);
		if (!chain_of(key, 256))
			continue;
		assert_int_equal(tally_account_open(accounts, key, &account),
				 0);
		nr++;
	}
	tally_ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_key_has_one_row, machine_setup, machine_teardown),
		cmocka_unit_test_setup_teardown(
			keys_that_cannot_be, machine_setup, machine_teardown),
		cmocka_unit_test_setup_teardown(
			a_handle_of_another_account_is_stale, machine_setup,
			machine_teardown),
		cmocka_unit_test_setup_teardown(a_walk_meets_every_account,
						machine_setup,
						machine_teardown),
		cmocka_unit_test_setup_teardown(a_reader_finds_and_does_not_add,
						machine_setup,
						machine_teardown),
		cmocka_unit_test_setup_teardown(
			processes_that_race_for_keys_agree, machine_setup,
			machine_teardown),
		cmocka_unit_test_setup_teardown(chosen_keys, machine_setup,
						machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
