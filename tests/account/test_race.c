// SPDX-License-Identifier: MIT
/*
 * Threads of several processes open, pin, own, end and list accounts of a few
 * keys in a few rows, and are killed at random: for two seconds, or 30 with
 * NUMATALLY_LONG. A table beside the ledger knows the key of each handle: no
 * handle ever leads to another key. What was pinned stays, what was counted is
 * in the totals, and no row is lost.
 */
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <numatally/view.h>

#include "support/machine.h"
#include "support/values.h"

#define NR_ROWS	     24
#define NR_KEYS	     10
#define NR_PROCESSES 3
#define NR_THREADS   2
#define NR_NAMES     (1u << 14) /* generations of a row that are remembered */

struct counts {
	uint64_t begun, done; /* adds */
	uint64_t ends, opens, held;
};

struct shared {
	int failed; /* line */
	int stop;
	uint32_t names[NR_ROWS][NR_NAMES]; /* generation << 4 | key + 1 */
	struct counts counts[NR_PROCESSES * NR_THREADS];
};

struct thread {
	struct tally_ledger *ledger;
	struct tally_accounts *accounts;
	struct shared *shared;
	unsigned int number; /* the key is also that of its pin */
	unsigned int seed;
	struct tally_account last[NR_KEYS];
};

static void expect_at(const struct thread *t, int pins, int line)
{
	int none = 0;

	if (!pins)
		__atomic_compare_exchange_n(&t->shared->failed, &none, line,
					    false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
}
#define expect(t, pins) expect_at(t, pins, __LINE__)

static void key_text(unsigned int key, char text[32])
{
	snprintf(text, 32, "key-%u", key);
}

static void remember(const struct thread *t, struct tally_account a,
		     unsigned int key)
{
	uint32_t name = a.generation << 4 | (key + 1);
	uint32_t *at = &t->shared->names[a.row][a.generation / 2 % NR_NAMES];
	uint32_t old = __atomic_load_n(at, __ATOMIC_RELAXED);

	if (old >> 4 == name >> 4)
		expect(t, old == name);
	else
		__atomic_store_n(at, name, __ATOMIC_RELAXED);
}

/* What the directory shows for a handle of ours. */
static void check(const struct thread *t, struct tally_account a,
		  unsigned int key, bool held)
{
	char expected[32], text[192];
	int err = tally_account_key(t->accounts, a, text, sizeof(text));

	expect(t, !err || (!held && err == -ESTALE));
	key_text(key, expected);
	if (!err)
		expect(t, !strcmp(text, expected));
	remember(t, a, key);
}

static void add(struct thread *t, struct tally_account a)
{
	struct counts *c = &t->shared->counts[t->number];
	int err;

	__atomic_store_n(&c->begun, c->begun + 1, __ATOMIC_RELAXED);
	err = tally_ledger_add(t->ledger, a, 0, 1);
	expect(t, !err || err == -ESTALE);
	if (!err)
		__atomic_store_n(&c->done, c->done + 1, __ATOMIC_RELAXED);
}

static void open_one(struct thread *t, unsigned int key)
{
	struct tally_account a;
	char text[32];
	int err;

	key_text(key, text);
	err = tally_account_open(t->accounts, text, &a);
	expect(t, !err || err == -ENOSPC);
	if (err)
		return;
	t->shared->counts[t->number].opens++;
	check(t, a, key, false);
	t->last[key] = a;
	add(t, a);
}

/* Of two handles with one key the first is stale. */
static void find_one(struct thread *t, unsigned int key)
{
	struct tally_account a, last = t->last[key];
	char text[32];
	int err;

	key_text(key, text);
	err = tally_account_find(t->accounts, text, &a);
	expect(t, !err || err == -ENOENT);
	if (!err)
		check(t, a, key, false);
	if ((err || memcmp(&a, &last, sizeof(a))) && last.generation)
		expect(t, tally_account_phase(t->accounts, last) == -ESTALE);
	else if (!err)
		t->last[key] = a;
}

static void hold_one(struct thread *t, unsigned int key)
{
	struct tally_account a = t->last[key];
	int err = tally_account_pin(t->accounts, a, t->number);

	expect(t, !err || err == -ESTALE || err == -ESHUTDOWN);
	if (err)
		return;
	t->shared->counts[t->number].held++;
	check(t, a, key, true);
	add(t, a);
	find_one(t, key);
	check(t, a, key, true);
	expect(t, !tally_account_unpin(t->accounts, a, t->number));
}

static void own_one(struct thread *t, unsigned int key)
{
	struct tally_account a, owner = t->last[rand_r(&t->seed) % NR_KEYS];
	char text[32];
	int err;

	key_text(key, text);
	if (tally_account_declare(t->accounts, text, &a))
		return;
	check(t, a, key, false);
	err = tally_account_set_owner(t->accounts, a, owner);
	expect(t, !err || err == -ESTALE || err == -ESHUTDOWN ||
			  err == -EEXIST || err == -ELOOP);
	err = tally_account_ready(t->accounts, a);
	expect(t, !err || err == -ESTALE || err == -ESHUTDOWN);
	t->last[key] = a;
}

static void walk(struct thread *t)
{
	struct tally_account a;
	uint64_t cursor = 0;
	char text[192];

	while (!tally_account_next(t->accounts, &cursor, &a)) {
		unsigned int key;
		int err = tally_account_key(t->accounts, a, text, sizeof(text));

		expect(t, !err || err == -ESTALE);
		if (err)
			continue;
		expect(t, sscanf(text, "key-%u", &key) == 1);
		check(t, a, key, false);
	}
}

static void end_one(struct thread *t, unsigned int key)
{
	int err = tally_account_end(t->accounts, t->last[key]);

	expect(t, !err || err == -ESTALE);
	t->shared->counts[t->number].ends += !err;
}

/* Drops the pins of the killed process that this one replaces. */
static void drop_all(struct thread *t)
{
	struct tally_account a;
	uint64_t cursor = 0;

	while (!tally_account_next(t->accounts, &cursor, &a)) {
		int err = tally_account_unpin(t->accounts, a, t->number);

		expect(t, !err || err == -ESTALE);
	}
}

static void *live(void *arg)
{
	struct thread *t = arg;

	drop_all(t);
	while (!__atomic_load_n(&t->shared->stop, __ATOMIC_RELAXED)) {
		unsigned int key = (unsigned int)rand_r(&t->seed) % NR_KEYS;

		switch (rand_r(&t->seed) % 8) {
		case 0:
		case 1:
			open_one(t, key);
			break;
		case 2:
			find_one(t, key);
			break;
		case 3:
			hold_one(t, key);
			break;
		case 4:
			own_one(t, key);
			break;
		case 5:
			walk(t);
			break;
		default:
			end_one(t, key);
		}
	}
	return NULL;
}

static void run(const char *path, struct shared *shared, unsigned int process,
		unsigned int seed)
{
	struct thread threads[NR_THREADS] = {0};
	pthread_t ids[NR_THREADS];
	struct tally_ledger *ledger;

	if (tally_ledger_open(path, &ledger)) {
		shared->failed = __LINE__;
		return;
	}
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		threads[i].ledger = ledger;
		threads[i].accounts = tally_ledger_accounts(ledger);
		threads[i].shared = shared;
		threads[i].number = process * NR_THREADS + i;
		threads[i].seed = seed + i;
		if (pthread_create(&ids[i], NULL, live, &threads[i]))
			shared->failed = __LINE__;
	}
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(ids[i], NULL);
	tally_ledger_close(ledger);
}

static pid_t start(const char *path, struct shared *shared,
		   unsigned int process, unsigned int seed)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		/* No child outlives a failed test. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(path, shared, process, seed);
		_exit(0);
	}
	return pid;
}

/* A snapshot keeps its amounts while accounts end. */
static int see(void *arg, const struct value *value)
{
	unsigned int key;

	*(int64_t *)arg += value->amount;
	return sscanf(value->key, "key-%u", &key) != 1 || key >= NR_KEYS;
}

static int64_t look(struct tally_ledger *ledger)
{
	int64_t seen[2] = {0, 0}, amounts[2];
	struct tally_view *view;
	int err = tally_view_snapshot(ledger, 0, SECOND_NS, &view);

	if (err == -ENOSYS || err == -EAGAIN || err == -EBUSY)
		return 0;
	assert_int_equal(err, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(values_each(view, see, &seen[i]), 0);
		usleep(1000);
	}
	assert_int_equal(seen[0], seen[1]);
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_true(amounts[0] >= seen[0]);
	tally_view_close(view);
	return amounts[0];
}

static void check_counts(struct tally_ledger *ledger,
			 const struct shared *shared)
{
	struct counts all = {0};

	for (int i = 0; i < NR_PROCESSES * NR_THREADS; i++) {
		all.begun += shared->counts[i].begun;
		all.done += shared->counts[i].done;
		all.opens += shared->counts[i].opens;
		all.ends += shared->counts[i].ends;
		all.held += shared->counts[i].held;
	}
	print_message("# %" PRIu64 " opens, %" PRIu64 " ends, %" PRIu64
		      " holds, %" PRIu64 " adds\n",
		      all.opens, all.ends, all.held, all.done);
	assert_true(all.opens > 0 && all.ends > 0 && all.held > 0);
	assert_in_range(machine_total(ledger, 0), all.done, all.begun);
}

/* No row is lost, wherever a process was killed. */
static void use_all_rows(struct tally_ledger *ledger)
{
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_account a;
	uint64_t cursor = 0;
	uint32_t pins;
	char text[32];

	while (!tally_account_next(accounts, &cursor, &a)) {
		int err = tally_account_end(accounts, a);

		/* Its owner ended it. */
		if (err == -ESTALE || tally_account_pins(accounts, a, &pins))
			continue;
		for (unsigned int i = 0; pins >> i; i++)
			if (pins >> i & 1)
				assert_int_equal(
					tally_account_unpin(accounts, a, i), 0);
	}
	for (unsigned int i = 0; i < NR_ROWS; i++) {
		snprintf(text, sizeof(text), "again-%u", i);
		assert_int_equal(tally_account_declare(accounts, text, &a), 0);
	}
}

static void no_handle_leads_to_another_key(void **state)
{
	struct machine *m = *state;
	bool is_long = test_is_long();
	struct tally_ledger *ledger;
	struct shared *shared;
	unsigned int seed = (unsigned int)getpid();
	pid_t pids[NR_PROCESSES];
	int status, kills = 0;
	int64_t end, events = 0;

	machine_few_cpus(m);
	ledger = machine_ledger(m, NR_ROWS);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	print_message("# seed %u\n", seed);
	for (unsigned int i = 0; i < NR_PROCESSES; i++)
		pids[i] = start(m->path, shared, i, seed * 1000 + i * 100);
	end = now_ns() + (is_long ? 30 : 2) * SECOND_NS;
	while (now_ns() < end && !shared->failed) {
		unsigned int i = (unsigned int)rand_r(&seed) % NR_PROCESSES;
		int64_t before = events;

		usleep((unsigned int)rand_r(&seed) % 30000);
		kill(pids[i], SIGKILL);
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		kills++;
		pids[i] =
			start(m->path, shared, i, (unsigned int)rand_r(&seed));
		events = look(ledger);
		if (!events)
			events = before;
		assert_true(events >= before);
	}
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < NR_PROCESSES; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	print_message("# %d kills\n", kills);
	assert_int_equal(shared->failed, 0);
	check_counts(ledger, shared);
	use_all_rows(ledger);
	check_counts(ledger, shared);
	munmap(shared, sizeof(*shared));
	tally_ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_handle_leads_to_another_key,
						machine_setup,
						machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
