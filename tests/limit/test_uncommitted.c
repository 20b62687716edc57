// SPDX-License-Identifier: MIT
/* Uncommitted reservations end with their lease and their process, however many
 * there are, and cost nobody else anything. */
#include "support/test.h"

#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include <numatally/limit.h>

#include "support/inside.h"
#include "support/limits.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

static int reserve_as(struct tally_ledger *l, struct tally_account a,
		      int64_t amount, int64_t lease_ns, struct tally_token *t)
{
	const struct tally_demand demand = {0, MEMORY, amount};
	const struct tally_request request = {.size = sizeof(request),
					      .demands = &demand,
					      .nr_demands = 1,
					      .lease_ns = lease_ns};

	return tally_limit_reserve(l, a, &request, t, NULL);
}

static int reserve(struct tally_ledger *l, int key, int64_t amount,
		   int64_t lease_ns, struct tally_token *t)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", key);
	return reserve_as(l, machine_account(l, name), amount, lease_ns, t);
}

static void reserve_many(struct tally_ledger *l, int first, int nr,
			 int64_t lease_ns)
{
	struct tally_token t;

	for (int i = first; i < first + nr; i++)
		assert_int_equal(reserve(l, i, 1, lease_ns, &t), 0);
}

/* ---- what a refusal costs ------------------------------------------------ */

static int refused(const char *path)
{
	struct tally_account a;
	struct tally_ledger *l;
	struct tally_token t;

	if (tally_ledger_open(path, &l) ||
	    tally_account_find(tally_ledger_accounts(l), "0", &a) ||
	    reserve_as(l, a, INT64_MAX / 2, 0, &t) != -ENOSPC)
		return 1;
	if (inside_stop())
		return 2;
	_exit(reserve_as(l, a, INT64_MAX / 2, 0, &t) == -ENOSPC ? 0 : 3);
}

/* The instructions of a refused request, in a process of its own. */
static long refusal_takes(const char *path)
{
	long nr = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(refused(path));
	if (!inside_wait(pid))
		skip();
	while (inside_step(pid))
		nr++;
	return nr;
}

/* Some look whether processes live, and some don't. */
static long least_that_refusal_takes(const char *path)
{
	long least = LONG_MAX;

	for (int i = 0; i < 3; i++) {
		long nr = refusal_takes(path);

		least = nr < least ? nr : least;
	}
	return least;
}

static void a_refusal_does_not_look_at_those_of_others(void **state)
{
	enum { NR = 1000 };
	struct machine *m = *state;
	struct tally_ledger *l;
	long none, many;

	if (TEST_TSAN)
		skip();
	machine_few_cpus(m);
	l = machine_limit_ledger(m, 2 * NR + 100);
	machine_account(l, "0");
	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 10 * NR), 0);
	none = least_that_refusal_takes(m->path);
	reserve_many(l, 1, NR, 0);
	reserve_many(l, 1 + NR, NR, 3600 * SECOND_NS);
	many = least_that_refusal_takes(m->path);
	print_message("# instructions of a refusal: %ld; beside %d others: "
		      "%ld\n",
		      none, 2 * NR, many);
	assert_true(many < none + none / 5 + NR / 4);
	limits_agree(l);
	tally_ledger_close(l);
}

/* ---- leases --------------------------------------------------------------- */

/* What has lapsed can be had at once, and no more. */
static void leases_end_in_their_order(void **state)
{
	enum { NR = 300 };
	struct tally_ledger *l = machine_limit_ledger(*state, 2 * NR);
	struct tally_token tokens[NR], t;
	uint64_t random = 1;
	int nr_short = 0;

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, NR), 0);
	for (int i = 0; i < NR; i++) {
		bool is_short = false;
		int64_t lease_ns;

		random = random * UINT64_C(6364136223846793005) + 1;
		is_short = random >> 40 & 1;
		lease_ns = is_short ? 1 + (int64_t)(random >> 41) % 10
				    : (int64_t)(random >> 34) * SECOND_NS;
		nr_short += is_short;
		assert_int_equal(reserve(l, i, 1, lease_ns + 1, &tokens[i]), 0);
	}
	limits_agree(l);
	limits_lapse(11);
	assert_int_equal(reserve(l, NR, nr_short + 1, 0, &t), -ENOSPC);
	assert_int_equal(reserve(l, NR, nr_short, 0, &t), 0);
	limits_agree(l);
	tally_ledger_close(l);
}

/* One step of a random walk over a few hundred reservations. */
static void walk(struct tally_ledger *l, struct tally_token *tokens, int i,
		 uint64_t random)
{
	struct tally_request request = {.size = sizeof(request)};
	int64_t lease_ns = (int64_t)(random % 100) * SECOND_NS;

	switch (random >> 20 & 7) {
	case 0:
		(void)!tally_limit_commit(l, tokens[i]);
		(void)!tally_limit_release(l, tokens[i], NULL, 0);
		break;
	case 1:
		(void)!tally_limit_cancel(l, tokens[i]);
		break;
	case 2:
		request.lease_ns = lease_ns;
		(void)!tally_limit_change(l, tokens[i], &request, NULL);
		break;
	case 3: /* so long that there is none */
		request.lease_ns = INT64_MAX;
		(void)!tally_limit_change(l, tokens[i], &request, NULL);
		break;
	default:
		(void)!reserve(l, i, 1, lease_ns, &tokens[i]);
		break;
	}
}

static void leases_stay_a_heap(void **state)
{
	enum { NR = 600 };
	struct tally_ledger *l = machine_limit_ledger(*state, NR);
	struct tally_token tokens[NR] = {{0}};
	uint64_t random = 7;

	for (int i = 0; i < 20 * NR; i++) {
		random = random * UINT64_C(6364136223846793005) + 1;
		walk(l, tokens, (int)((random >> 33) % NR), random >> 24);
		if (i % 40 == 0)
			limits_agree(l);
	}
	for (int i = 0; i < NR; i++) {
		(void)!tally_limit_cancel(l, tokens[i]);
		if (i % 40 == 0)
			limits_agree(l);
	}
	limits_agree(l);
	tally_ledger_close(l);
}

/* ---- processes ------------------------------------------------------------ */

/* A process that reserves, and waits for its end. */
static pid_t holder(const struct machine *m, int first, int nr,
		    int64_t lease_ns)
{
	struct tally_ledger *l;
	struct tally_token t;
	int ready[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (tally_ledger_open(m->path, &l))
			_exit(1);
		for (int i = first; i < first + nr; i++)
			if (reserve(l, i, 1, lease_ns, &t))
				_exit(2);
		if (write(ready[1], "", 1) != 1)
			_exit(3);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* Refused until a look at processes finds what is free. */
static int reserve_soon(struct tally_ledger *l, int key, int64_t amount)
{
	int64_t until = shared_ns() + 3 * SHARED_STEP_NS;
	struct tally_token t;
	bool last;
	int err;

	do {
		last = shared_ns() >= until;
		err = reserve(l, key, amount, 0, &t);
	} while (err == -ENOSPC && !last);
	return err ? err : tally_limit_cancel(l, t);
}

static void those_of_the_dead_alone_end(void **state)
{
	enum { NR = 5, EACH = 40 };
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 2 * NR * EACH);
	pid_t pids[NR];

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, NR * EACH), 0);
	for (int i = 0; i < NR; i++)
		pids[i] =
			holder(m, i * EACH, EACH, i % 2 ? 0 : 3600 * SECOND_NS);
	limits_agree(l);
	assert_int_equal(reserve_soon(l, NR * EACH, 1), -ENOSPC);
	for (int i = 0; i < NR; i++) {
		int64_t free = (int64_t)(i + 1) * EACH;

		inside_kill(m->path, pids[(i + 2) % NR]);
		assert_int_equal(reserve_soon(l, NR * EACH, free), 0);
		assert_int_equal(reserve_soon(l, NR * EACH, free + 1), -ENOSPC);
		limits_agree(l);
	}
	tally_ledger_close(l);
}

/* Every slot seems to be a dead process's, so that the next process takes the
 * first of these. */
static void use_all_slots(const struct layout *inside)
{
	const struct layout_table *table = &inside->plan->writers;

	for (uint64_t i = 1; i < table->count; i++) {
		struct layout_writer *w =
			(struct layout_writer *)(inside->origin +
						 table->offset +
						 i * table->stride);

		w->pid = 1;
	}
}

/* While another process had the lock, opening the ledger did not end them. */
static void a_slot_is_taken_before_its_last_owner_is_missed(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 200);
	struct layout *inside = inside_open(m->path);
	uint64_t *lock = &layout_limits(inside)->lock;
	int status;
	pid_t pid;

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 100), 0);
	inside_kill(m->path, holder(m, 0, 60, 0));
	use_all_slots(inside);
	inside_lock_limits(inside, getpid());
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct tally_ledger *next;
		struct tally_token t;

		if (tally_ledger_open(m->path, &next))
			_exit(1);
		__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
		if (layout_uncommitted(inside, 1)->first == 0)
			_exit(2);
		if (inside_owner(inside, getpid()) << 32 >> 32 != 2)
			_exit(3);
		/* In the list before those of the dead process. */
		if (reserve(next, 100, 40, 0, &t) ||
		    reserve(next, 101, 60, 0, &t))
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	limits_agree(l);
	inside_close(inside);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(leases_end_in_their_order),
		MACHINE_TEST(leases_stay_a_heap),
		MACHINE_TEST(those_of_the_dead_alone_end),
		MACHINE_TEST(a_slot_is_taken_before_its_last_owner_is_missed),
		MACHINE_TEST(a_refusal_does_not_look_at_those_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
