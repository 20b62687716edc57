// SPDX-License-Identifier: MIT
/*
 * Limits that a ledger has from the start: no process sees it without them, in
 * 60 races to create one, or 1,000 with NUMATALLY_LONG.
 */
#include "support/test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <numatally/limit.h>

#include "support/limits.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

static const struct tally_capacity capacities[] = {{5, MEMORY, 4},
						   {0, MEMORY, 0}};
static const struct tally_quota quotas[] = {{"team/", MEMORY, 3}};

static struct tally_ledger_options options(void)
{
	return (struct tally_ledger_options){
		.size = sizeof(struct tally_ledger_options),
		.capacities = capacities,
		.nr_capacities = 2,
		.quotas = quotas,
		.nr_quotas = 1,
	};
}

static int create(struct machine *m, const struct tally_ledger_options *o,
		  struct tally_ledger **l)
{
	return tally_ledger_create(m->path, m->topo, machine_reservables, 2, o,
				   l);
}

static int reserve(struct tally_ledger *l, const char *key, int node,
		   int64_t amount)
{
	const struct tally_demand demand = {node, MEMORY, amount};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_account a;
	struct tally_token t;
	int err = tally_account_open(tally_ledger_accounts(l), key, &a);

	if (!err)
		err = tally_limit_reserve(l, a, &request, &t, NULL);
	return err ? err : tally_limit_commit(l, t);
}

static void from_the_start(void **state)
{
	const struct tally_ledger_options o = options();
	struct tally_ledger *l;

	assert_int_equal(create(*state, &o, &l), 0);
	assert_int_equal(reserve(l, "a", 0, 1), -ENOSPC);
	assert_int_equal(reserve(l, "a", 5, 5), -ENOSPC);
	assert_int_equal(reserve(l, "team/a", 5, 4), -EDQUOT);
	assert_int_equal(reserve(l, "team/a", 5, 3), 0);
	assert_int_equal(limits_of_node(l, 5).limit, 4);
	limits_agree(l);
	tally_ledger_close(l);
}

/* One limit of which is wrong: there is no ledger. */
static void refused(struct machine *m, int err, struct tally_capacity capacity,
		    struct tally_quota quota)
{
	const struct tally_capacity some[] = {{5, MEMORY, 4}, capacity};
	struct tally_ledger_options o = options();
	struct tally_ledger *l = (struct tally_ledger *)1;

	o.capacities = some;
	o.quotas = &quota;
	assert_int_equal(create(m, &o, &l), err);
	assert_ptr_equal(l, (struct tally_ledger *)1);
	assert_int_equal(access(m->path, F_OK), -1);
}

static void each_error(void **state)
{
	const struct tally_capacity good = {5, MEMORY, 4};
	const struct tally_quota allowed = {"a", MEMORY, 4};

	refused(*state, -ENOENT, (struct tally_capacity){1, MEMORY, 4},
		allowed);
	refused(*state, -EINVAL, (struct tally_capacity){5, EVENTS, 4},
		allowed);
	refused(*state, -EINVAL, (struct tally_capacity){5, MEMORY, -1},
		allowed);
	refused(*state, -EINVAL, good, (struct tally_quota){"a", EVENTS, 4});
	refused(*state, -EINVAL, good, (struct tally_quota){"a", MEMORY, -1});
	refused(*state, -EINVAL, good, (struct tally_quota){"", MEMORY, 1});
}

/* A ledger that is opened keeps its own limits. */
static void an_opened_ledger_keeps_its_own(void **state)
{
	struct machine *m = *state;
	const struct tally_ledger_options o = options();
	struct tally_ledger *l = machine_limit_ledger(m, 0), *other;

	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 9), 0);
	assert_int_equal(tally_ledger_open_or_create(m->path, m->topo,
						     machine_reservables, 2, &o,
						     &other, NULL),
			 0);
	assert_int_equal(limits_of_node(other, 5).limit, 9);
	tally_ledger_close(other);
	tally_ledger_close(l);
}

#define NR_CHILDREN 6

/* What joiners were granted and committed, as they count it themselves. */
static int64_t *granted;

static bool take(struct tally_ledger *l, const char *key, int node,
		 int64_t amount)
{
	int err = reserve(l, key, node, amount);

	if (!err)
		__atomic_fetch_add(granted, amount, __ATOMIC_RELAXED);
	return !err;
}

/* Opens or creates the ledger, or waits for it, and takes what it gets. */
static _Noreturn void join(const struct machine *m, int number)
{
	const struct tally_ledger_options o = options();
	struct tally_ledger *l;
	char key[16];
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(key, sizeof(key), "a%d", number);
	if (number < NR_CHILDREN / 2)
		err = tally_ledger_open_or_create(
			m->path, m->topo, machine_reservables, 2, &o, &l, NULL);
	else
		while ((err = tally_ledger_open(m->path, &l)))
			;
	if (!err) {
		if (take(l, key, 0, 1) || take(l, key, 5, 5))
			_exit(2);
		while (take(l, key, 5, 1))
			key[0]++;
	}
	_exit(0);
}

/* Processes that create it at once, some of which are killed, are never granted
 * more than the capacity. */
static void joiners_are_never_over(void **state)
{
	const struct tally_ledger_options o = options();
	struct machine *m = *state;
	int rounds = test_is_long() ? 1000 : 60;
	unsigned int seed = 1;
	int64_t nr_granted = 0;

	granted = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(granted, MAP_FAILED);
	for (int round = 0; round < rounds; round++) {
		pid_t pids[NR_CHILDREN];
		struct tally_ledger *l;

		unlink(m->path);
		*granted = 0;
		for (int i = 0; i < NR_CHILDREN; i++) {
			pids[i] = fork();
			assert_true(pids[i] >= 0);
			if (!pids[i])
				join(m, i);
		}
		usleep((unsigned int)rand_r(&seed) % 4000);
		for (int i = round % 2; i < NR_CHILDREN / 2; i++)
			kill(pids[i], SIGKILL);
		assert_int_equal(tally_ledger_open_or_create(
					 m->path, m->topo, machine_reservables,
					 2, &o, &l, NULL),
				 0);
		tally_ledger_close(l);
		for (int i = 0; i < NR_CHILDREN; i++) {
			int status;

			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_true(WIFSIGNALED(status) ||
				    !WEXITSTATUS(status));
		}
		assert_int_equal(tally_ledger_open(m->path, &l), 0);
		assert_int_equal(limits_of_node(l, 5).limit, 4);
		assert_true(limits_of_node(l, 5).held <= 4);
		assert_true(*granted <= limits_of_node(l, 5).held);
		nr_granted += *granted;
		assert_int_equal(limits_of_node(l, 0).held, 0);
		limits_agree(l);
		tally_ledger_close(l);
	}
	printf("# %d races, %lld granted\n", rounds, (long long)nr_granted);
	munmap(granted, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(from_the_start),
		MACHINE_TEST(each_error),
		MACHINE_TEST(an_opened_ledger_keeps_its_own),
		MACHINE_TEST(joiners_are_never_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
