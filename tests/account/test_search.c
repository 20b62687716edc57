// SPDX-License-Identifier: MIT
/*
 * Stops a search at every 31st of its instructions, or at each with
 * NUMATALLY_LONG, and meanwhile gives a row on its way to another account: in
 * another chain, or at the head of the same one.
 */
#include "support/test.h"

#include <sys/mman.h>
#include <sys/ptrace.h>

#include <numatally/view.h>

#include "support/inside.h"
#include "support/machine.h"

#define NR_ROWS	  3 /* in two chains */
#define MAX_STEPS 5000

/* The key that is searched for, and the key that gets the row. */
struct race {
	int (*search)(struct tally_ledger *ledger, const char *key,
		      struct tally_account *account);
	const char *key, *ends, *comes;
};

/* What the stopped process found; shared. */
struct answer {
	int err;
	struct tally_account account;
};

static char keys[3][16]; /* of chain 0, 0, 1 */

/* As the directory does. */
static unsigned int chain_of(const char *key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
	return (unsigned int)(hash ^ hash >> 32) & 1;
}

static void choose_keys(void)
{
	unsigned int nr[2] = {0, 0};

	for (int i = 0; nr[0] < 2 || nr[1] < 1; i++) {
		char key[16];
		unsigned int chain;

		snprintf(key, sizeof(key), "key-%d", i);
		chain = chain_of(key);
		if (chain ? nr[1] < 1 : nr[0] < 2)
			strcpy(keys[chain ? 2 : nr[0]], key);
		nr[chain]++;
	}
}

static int stride(void)
{
	return test_is_long() ? 1 : 31;
}

static int find(struct tally_ledger *ledger, const char *key,
		struct tally_account *account)
{
	return tally_account_find(tally_ledger_accounts(ledger), key, account);
}

static int add(struct tally_ledger *ledger, const char *key,
	       struct tally_account *account)
{
	return tally_account_open(tally_ledger_accounts(ledger), key, account);
}

static int be_stopped(struct tally_ledger *ledger, const struct race *r,
		      struct answer *answer)
{
	struct tally_account warm;

	/* Resolve symbols and take a writer slot now, not while
	 * being stepped. */
	r->search(ledger, keys[1], &warm);
	(void)!tally_account_ready(tally_ledger_accounts(ledger), warm);
	if (inside_stop())
		return 2;
	answer->err = r->search(ledger, r->key, &answer->account);
	_exit(0);
}

static void end(struct tally_ledger *ledger, const char *key)
{
	struct tally_account a;

	if (!find(ledger, key, &a))
		assert_int_equal(
			tally_account_end(tally_ledger_accounts(ledger), a), 0);
}

/* False: the search ended before so many steps. */
static bool stop_after(struct tally_ledger *ledger, const struct race *r,
		       int steps, struct answer *answer,
		       struct tally_account accounts[3])
{
	bool stepping = true;
	int status;
	pid_t pid;

	end(ledger, r->comes);
	end(ledger, r->ends);
	machine_reclaim(ledger);
	/* keys[1] lies behind keys[0]. */
	accounts[1] = machine_account(ledger, keys[1]);
	accounts[0] = machine_account(ledger, keys[0]);
	memset(answer, 0, sizeof(*answer));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(be_stopped(ledger, r, answer));
	if (!inside_wait(pid))
		skip();
	for (int i = 0; i < steps && stepping; i++)
		stepping = inside_step(pid);
	if (!stepping)
		return false;
	end(ledger, r->ends);
	machine_reclaim(ledger);
	accounts[2] = machine_account(ledger, r->comes);
	assert_int_equal(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return true;
}

static struct answer *share_answer(struct machine *m)
{
	struct answer *answer;

	/* Under emulation these instructions take minutes; a sanitizer adds
	 * many more. */
	if (test_in_guest() || TEST_SANITIZED)
		skip();
	machine_few_cpus(m);
	choose_keys();
	answer = mmap(NULL, sizeof(*answer), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(answer, MAP_FAILED);
	return answer;
}

static bool is(const struct answer *answer, struct tally_account account)
{
	return !answer->err &&
	       !memcmp(&answer->account, &account, sizeof(account));
}

/* A key behind the row is found, wherever the row leads by then. */
static void a_search_finds_what_lies_behind_the_row(void **state)
{
	const struct race r = {find, keys[1], keys[0], keys[2]};
	struct answer *answer = share_answer(*state);
	struct tally_ledger *ledger = machine_ledger(*state, NR_ROWS);
	struct tally_account accounts[3];
	int steps = 1;

	for (; stop_after(ledger, &r, steps, answer, accounts);
	     steps += stride()) {
		assert_true(steps < MAX_STEPS);
		assert_true(is(answer, accounts[1]));
	}
	assert_true(steps > 20);
	print_message("# %d instructions\n", steps);
	tally_ledger_close(ledger);
	munmap(answer, sizeof(*answer));
}

/* The ending account may be found or not; the search never takes the other
 * account for it. */
static void a_search_never_finds_another_key(void **state)
{
	struct race r = {find, keys[0], keys[0], keys[2]};
	struct answer *answer = share_answer(*state);
	struct tally_ledger *ledger = machine_ledger(*state, NR_ROWS);
	struct tally_account accounts[3];

	int steps = 1;

	for (int key = 0; key < 3; key += 2) {
		int nr_found = 0;

		steps = 1;
		r.key = keys[key];
		for (; stop_after(ledger, &r, steps, answer, accounts);
		     steps += stride()) {
			assert_true(steps < MAX_STEPS);
			assert_true(answer->err == -ENOENT ||
				    is(answer, accounts[key]));
			nr_found += !answer->err;
		}
		assert_true(nr_found > 0 && nr_found < steps);
	}
	print_message("# %d instructions\n", steps);
	tally_ledger_close(ledger);
	munmap(answer, sizeof(*answer));
}

/* Two threads that add one key get one account, even if the head of its chain
 * is the same row before and after. */
static void two_adds_of_a_key_get_one_account(void **state)
{
	struct race r = {add, "", keys[0], ""};
	struct answer *answer = share_answer(*state);
	struct tally_ledger *ledger = machine_ledger(*state, NR_ROWS);
	struct tally_account accounts[3];
	char key[16];
	int i = 100, steps = 1;

	do
		snprintf(key, sizeof(key), "key-%d", i++);
	while (chain_of(key));
	r.key = key;
	r.comes = key;
	for (; stop_after(ledger, &r, steps, answer, accounts);
	     steps += stride()) {
		assert_true(steps < MAX_STEPS);
		assert_true(is(answer, accounts[2]));
	}
	assert_true(steps > 20);
	print_message("# %d instructions\n", steps);
	tally_ledger_close(ledger);
	munmap(answer, sizeof(*answer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_search_finds_what_lies_behind_the_row),
		MACHINE_TEST(a_search_never_finds_another_key),
		MACHINE_TEST(two_adds_of_a_key_get_one_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
