// SPDX-License-Identifier: MIT
/*
 * Kills a process at random while it adds, charges and takes snapshots: 50
 * times, or 1000 with NUMATALLY_LONG. The next snapshot has every call that was
 * acknowledged; one that had begun is in it, or not; one that is there in part
 * is reported as in doubt.
 */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include <numatally/ledger_inline.h>
#include <numatally/view.h>

#include "support/inside.h"
#include "support/machine.h"

#define NR_KILLS     50
#define NR_LONG	     1000
#define MAX_DELAY_NS 3000000

/* What the process reports of its own progress. */
struct said {
	int64_t added, adding; /* acknowledged; begun */
	int64_t given, giving;
	int64_t snapshots;
	int failed;
};

struct victim {
	struct tally_ledger *ledger;
	struct said *said;
};

static void say(int64_t *what)
{
	__atomic_store_n(what, *what + 1, __ATOMIC_RELEASE);
}

static void *add(void *arg)
{
	const struct victim *v = arg;
	struct tally_account a = machine_account(v->ledger, "added");

	for (;;) {
		say(&v->said->adding);
		if (tally_ledger_inline_add(v->ledger, a, 0, 1))
			v->said->failed = 1;
		say(&v->said->added);
	}
	return NULL;
}

static void *give(void *arg)
{
	const struct victim *v = arg;
	const struct tally_entry entries[] = {
		{machine_account(v->ledger, "from"), 5, 1, -7},
		{machine_account(v->ledger, "to"), TALLY_NODE_LOCAL, 1, 7},
	};

	for (;;) {
		say(&v->said->giving);
		if (tally_ledger_post(v->ledger, entries, 2))
			v->said->failed = 1;
		say(&v->said->given);
	}
	return NULL;
}

static void be_killed(const char *path, struct said *said)
{
	struct victim v = {.said = said};
	pthread_t threads[2];

	if (tally_ledger_open(path, &v.ledger) ||
	    pthread_create(&threads[0], NULL, add, &v) ||
	    pthread_create(&threads[1], NULL, give, &v)) {
		said->failed = 1;
		return;
	}
	for (;;) {
		struct tally_view *view;
		int err = tally_view_snapshot(v.ledger, 0, SECOND_NS, &view);

		if (err && err != -EAGAIN && err != -ENOSYS)
			said->failed = 1;
		if (err)
			continue;
		say(&said->snapshots);
		tally_view_close(view);
	}
}

/* What the ledger must hold after a kill. */
struct found {
	int64_t added, from, to;
	uint64_t nr_in_doubt;
};

static int64_t amount(const struct tally_view *view, struct tally_account a,
		      unsigned int resource)
{
	int64_t amounts[2];

	assert_int_equal(tally_view_account(view, a, TALLY_VIEW_ALL, amounts),
			 0);
	return amounts[resource];
}

static struct found find(struct tally_ledger *ledger)
{
	struct tally_view *view;
	struct found f;
	int err = tally_view_snapshot(ledger, 0, 30 * SECOND_NS, &view);

	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	f.added = amount(view, machine_account(ledger, "added"), 0);
	f.from = -amount(view, machine_account(ledger, "from"), 1);
	f.to = amount(view, machine_account(ledger, "to"), 1);
	f.nr_in_doubt = tally_view_nr_in_doubt(view);
	tally_view_close(view);
	return f;
}

/* Whether the entries in doubt, from the index-th on, name this account and
 * this process. */
static bool is_named(struct tally_ledger *ledger, uint64_t index, pid_t pid,
		     const char *key)
{
	uint32_t row = machine_account(ledger, key).row;
	struct tally_in_doubt d = {.size = sizeof(d)};
	struct tally_view *view;
	bool named = false;

	assert_int_equal(tally_view_open(ledger, &view), 0);
	for (; !tally_view_in_doubt(view, index, &d); index++)
		for (unsigned int i = 0;
		     i < d.nr_accounts && i < TALLY_IN_DOUBT_ACCOUNTS; i++)
			named |= d.pid == pid && d.accounts[i].row == row;
	tally_view_close(view);
	return named;
}

static void check(struct tally_ledger *ledger, const struct said *said,
		  pid_t pid, const struct found *before,
		  const struct found *after)
{
	int64_t added = after->added - before->added;
	int64_t from = after->from - before->from;
	int64_t to = after->to - before->to;

	assert_int_equal(said->failed, 0);
	assert_in_range(added, said->added, said->adding);
	assert_int_equal(from % 7, 0);
	assert_int_equal(to % 7, 0);
	assert_in_range(from / 7, said->given, said->giving);
	assert_in_range(to / 7, said->given, said->giving);
	if (from == to)
		return;
	assert_true(is_named(ledger, before->nr_in_doubt, pid, "from"));
	assert_true(is_named(ledger, before->nr_in_doubt, pid, "to"));
}

static void killed_at_random(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	struct said *said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int nr = test_is_long() ? NR_LONG : NR_KILLS;
	unsigned int seed = (unsigned int)getpid();
	struct found before, after;
	int64_t charges = 0, snapshots = 0;

	assert_ptr_not_equal(said, MAP_FAILED);
	machine_account(ledger, "added");
	machine_account(ledger, "from");
	machine_account(ledger, "to");
	before = find(ledger);
	print_message("# seed %u\n", seed);
	for (int i = 0; i < nr; i++) {
		const struct timespec delay = {
			.tv_nsec = rand_r(&seed) % MAX_DELAY_NS,
		};
		int status;
		pid_t pid;

		*said = (struct said){0};
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			be_killed(m->path, said);
			_exit(1);
		}
		/* Every other time, kill it only after it has begun. */
		while (i % 2 &&
		       !__atomic_load_n(&said->given, __ATOMIC_ACQUIRE) &&
		       !waitpid(pid, &status, WNOHANG))
			sched_yield();
		nanosleep(&delay, NULL);
		inside_kill(m->path, pid);
		after = find(ledger);
		check(ledger, said, pid, &before, &after);
		before = after;
		charges += said->added + said->given;
		snapshots += said->snapshots;
	}
	print_message("# %d kills, %" PRId64 " charges, %" PRId64
		      " snapshots, %" PRIu64 " doubts\n",
		      nr, charges, snapshots, after.nr_in_doubt);
	munmap(said, sizeof(*said));
	tally_ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed_at_random, machine_setup,
						machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
