// SPDX-License-Identifier: MIT
/* execve(2): the new program has no ledger open, whatever the old one did. */
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/limits.h"
#include "support/machine.h"

#define EVENTS	    0
#define MEMORY	    1
#define NR_WRAPPERS 270 /* more than a ledger has slots */
#define NR_THREADS  8
#define NR_ROUNDS   5

static int reserve(struct tally_ledger *l, const char *key, int64_t amount,
		   struct tally_token *t)
{
	const struct tally_demand demand = {0, MEMORY, amount};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_account a;
	int err = tally_account_open(tally_ledger_accounts(l), key, &a);

	return err ? err : tally_limit_reserve(l, a, &request, t, NULL);
}

static void be_another_program(void)
{
	execlp("sleep", "sleep", "200", NULL);
	_exit(1);
}

/* A child that runs it; then a program that lives on. */
static pid_t wrapper(void (*run)(const char *path, int i), const char *path,
		     int i)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(path, i);
		be_another_program();
	}
	return pid;
}

static void end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static struct tally_ledger *ledger_of(struct machine *m, int64_t capacity)
{
	struct tally_ledger *l = machine_limit_ledger(m, 0);

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, capacity), 0);
	return l;
}

/* What it holds stays until it is released. */
static void reserve_and_commit(const char *path, int i)
{
	struct tally_ledger *l;
	struct tally_token t = {0};
	char key[16];

	snprintf(key, sizeof(key), "job%d", i);
	if (tally_ledger_open(path, &l) || reserve(l, key, 1, &t) ||
	    tally_limit_commit(l, t))
		_exit(1);
}

static void wrappers_are_without_number(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = ledger_of(m, NR_WRAPPERS + 1);
	struct tally_writer writer = {.size = sizeof(writer)};
	struct tally_reader *reader;
	pid_t pids[NR_WRAPPERS];
	struct tally_token t = {0};
	uint64_t cursor = 0;
	int nr_alive = 0;

	for (int i = 0; i < NR_WRAPPERS; i++)
		pids[i] = wrapper(reserve_and_commit, m->path, i);
	while (limits_of_node(l, 0).held < NR_WRAPPERS)
		usleep(1000);
	assert_int_equal(reserve(l, "ours", 2, &t), -ENOSPC);
	assert_int_equal(reserve(l, "ours", 1, &t), 0);
	limits_agree(l);
	/* The last ones may be on their way. */
	do {
		nr_alive = 0;
		cursor = 0;
		assert_int_equal(tally_reader_open(m->path, &reader), 0);
		while (!tally_reader_writer_next(reader, &cursor, &writer))
			nr_alive += writer.alive;
		tally_reader_close(reader);
	} while (nr_alive > 1);
	for (int i = 0; i < NR_WRAPPERS; i++)
		end(pids[i]);
	assert_int_equal(limits_of_node(l, 0).held, NR_WRAPPERS + 1);
	tally_ledger_close(l);
}

static void reserve_alone(const char *path, int i)
{
	struct tally_ledger *l;
	struct tally_token t = {0};

	(void)i;
	if (tally_ledger_open(path, &l) || reserve(l, "other", 10, &t))
		_exit(1);
}

static void what_is_not_committed_is_given_back(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = ledger_of(m, 10);
	pid_t pid = wrapper(reserve_alone, m->path, 0);
	struct tally_token t = {0};

	while (limits_of_node(l, 0).peak < 10)
		usleep(1000);
	while (limits_of_node(l, 0).held) {
		assert_int_equal(tally_limit_reap(l), 0);
		usleep(1000);
	}
	assert_int_equal(reserve(l, "ours", 10, &t), 0);
	limits_agree(l);
	end(pid);
	tally_ledger_close(l);
}

static struct tally_ledger *theirs;

static void *reserve_often(void *key)
{
	struct tally_token t = {0};

	for (;;)
		if (!reserve(theirs, key, 1, &t) &&
		    tally_limit_cancel(theirs, t))
			_exit(1);
	return NULL;
}

static void *charge_often(void *key)
{
	const struct tally_amount amounts[2] = {{EVENTS, 1}, {EVENTS, 1}};
	struct tally_account a;

	if (tally_account_open(tally_ledger_accounts(theirs), key, &a))
		_exit(1);
	for (;;)
		if (tally_ledger_charge(theirs, a, 0, amounts, 2))
			_exit(1);
	return NULL;
}

static void *end_often(void *key)
{
	struct tally_accounts *accounts = tally_ledger_accounts(theirs);
	struct tally_account a;

	for (;;)
		if (!tally_account_open(accounts, key, &a))
			(void)!tally_account_end(accounts, a);
	return NULL;
}

/* Threads that are somewhere in calls. */
static void be_busy(const char *path, int i)
{
	static char keys[NR_THREADS][16];
	void *(*const what[])(void *key) = {reserve_often, charge_often,
					    end_often, reserve_often};
	pthread_t thread;

	if (tally_ledger_open(path, &theirs))
		_exit(1);
	for (int k = 0; k < NR_THREADS; k++) {
		snprintf(keys[k], sizeof(keys[k]), "t%d", k);
		if (pthread_create(&thread, NULL, what[k % 4], keys[k]))
			_exit(1);
	}
	usleep(5000 + 777 * (useconds_t)i);
}

/* Until nothing is held: while another process reads of one in /proc, its memory
 * stays, and it counts as alive. */
static void reap_all(struct tally_ledger *l)
{
	do {
		assert_int_equal(tally_limit_reap(l), 0);
		usleep(1000);
	} while (limits_of_node(l, 0).held);
}

/* Calls of the others go on, each within its bound, while the new program
 * runs. */
static void threads_were_in_calls(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = ledger_of(m, NR_THREADS + 1);
	struct tally_account a = machine_account(l, "ours");

	for (int i = 0; i < NR_ROUNDS; i++) {
		pid_t pid = wrapper(be_busy, m->path, i);
		struct tally_view *view;
		struct tally_token t = {0};
		char name[16];
		int err;

		do { /* until it is another program */
			char path[32];
			FILE *f;

			snprintf(path, sizeof(path), "/proc/%d/comm", pid);
			f = fopen(path, "r");
			if (!f || !fgets(name, sizeof(name), f))
				name[0] = '\0';
			if (f)
				fclose(f);
		} while (strcmp(name, "sleep\n") != 0);
		err = reserve(l, "ours", 1, &t);
		assert_int_equal(err, 0);
		assert_int_equal(tally_limit_cancel(l, t), 0);
		reap_all(l);
		assert_int_equal(tally_ledger_add(l, a, EVENTS, 1), 0);
		assert_int_equal(tally_account_end(tally_ledger_accounts(l), a),
				 0);
		a = machine_account(l, "ours");
		err = tally_view_snapshot(l, 0, SECOND_NS, &view);
		if (err != -ENOSYS)
			assert_int_equal(err, 0);
		if (!err)
			tally_view_close(view);
		limits_agree(l);
		end(pid);
	}
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(wrappers_are_without_number),
		MACHINE_TEST(what_is_not_committed_is_given_back),
		MACHINE_TEST(threads_were_in_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
