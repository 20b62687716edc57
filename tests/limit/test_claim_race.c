// SPDX-License-Identifier: MIT
/* Threads of several processes race for claims, and processes are killed. */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <numatally/limit_claim.h>

#include "support/inside.h"
#include "support/reserving.h"

#define NR_PROCESSES 3
#define NR_THREADS   3
#define NR_ACCOUNTS  60
#define NR_LIVES     4096 /* of processes, one after another */

/* What all processes see. A life is a process, from 1. */
struct shared {
	uint32_t holder[NR_ACCOUNTS]; /* life << 8 | thread that has claimed it */
	uint32_t placed[NR_ACCOUNTS]; /* by how many */
	uint32_t dead[NR_LIVES];
	uint32_t kills; /* of processes that had a claim */
	uint32_t claims, busy;
	uint32_t nr_started;
	uint32_t failed; /* line */
};

struct worker {
	const struct machine *machine;
	struct tally_ledger *ledger;
	struct shared *shared;
	uint32_t life;
	uint32_t thread;
	bool places; /* each account, once; else gives each claim back */
};

static void check(struct worker *w, bool holds, uint32_t line)
{
	uint32_t none = 0;

	if (!holds)
		__atomic_compare_exchange_n(&w->shared->failed, &none, line,
					    false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
}
#define CHECK(w, holds) check(w, holds, __LINE__)

/* The claim is ours: the one before has given it back, or died with it. */
static void hold(struct worker *w, int i)
{
	uint32_t *holder = &w->shared->holder[i];
	uint32_t before = __atomic_exchange_n(holder, w->life << 8 | w->thread,
					      __ATOMIC_ACQ_REL);
	int64_t until = now_ns() + 60 * SECOND_NS;

	/* It is dead already, but its parent may be about to say so. */
	while (before &&
	       !__atomic_load_n(&w->shared->dead[before >> 8],
				__ATOMIC_ACQUIRE) &&
	       now_ns() < until)
		sched_yield();
	CHECK(w, !before || __atomic_load_n(&w->shared->dead[before >> 8],
					    __ATOMIC_ACQUIRE));
	if (before)
		__atomic_fetch_add(&w->shared->kills, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&w->shared->claims, 1, __ATOMIC_RELAXED);
}

static void let_go(struct worker *w, int i)
{
	uint32_t us =
		__atomic_exchange_n(&w->shared->holder[i], 0, __ATOMIC_ACQ_REL);

	CHECK(w, us == (w->life << 8 | w->thread));
}

static void place(struct worker *w, int i, struct tally_token t)
{
	const struct tally_demand one = {0, MEMORY, 1};
	const struct tally_request request = request_of(&one, 1);

	CHECK(w, !tally_limit_change(w->ledger, t, &request, NULL));
	__atomic_fetch_add(&w->shared->placed[i], 1, __ATOMIC_RELAXED);
	let_go(w, i);
	CHECK(w, !tally_limit_commit(w->ledger, t));
}

/* Return whether the account is committed. */
static bool try(struct worker *w, int i)
{
	struct tally_account a;
	struct tally_token t;
	char key[16];
	int err;

	sprintf(key, "%d", i);
	err = tally_account_open(tally_ledger_accounts(w->ledger), key, &a);
	CHECK(w, !err);
	if (!err)
		err = tally_limit_claim(w->ledger, a, 0, &t);
	CHECK(w, !err || err == -EBUSY || err == -EEXIST);
	if (err == -EBUSY)
		__atomic_fetch_add(&w->shared->busy, 1, __ATOMIC_RELAXED);
	if (err)
		return err == -EEXIST;
	hold(w, i);
	if (w->places) {
		place(w, i, t);
		return true;
	}
	sched_yield();
	let_go(w, i);
	CHECK(w, !tally_limit_cancel(w->ledger, t));
	return false;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int left = NR_ACCOUNTS;

	while (left && !__atomic_load_n(&w->shared->failed, __ATOMIC_RELAXED)) {
		left = 0;
		for (int k = 0; k < NR_ACCOUNTS; k++)
			left += !try(w, (k + (int)w->thread * 7) % NR_ACCOUNTS);
	}
	return NULL;
}

static void be_a_process(const struct worker *model)
{
	struct worker workers[NR_THREADS];
	pthread_t threads[NR_THREADS];
	struct tally_ledger *l;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (tally_ledger_open(model->machine->path, &l))
		_exit(1);
	__atomic_fetch_add(&model->shared->nr_started, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&model->shared->nr_started, __ATOMIC_ACQUIRE) <
	       NR_PROCESSES)
		sched_yield();
	for (uint32_t i = 0; i < NR_THREADS; i++) {
		workers[i] = *model;
		workers[i].ledger = l;
		workers[i].thread = i + 1;
		if (pthread_create(&threads[i], NULL, work, &workers[i]))
			_exit(1);
	}
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	tally_ledger_close(l);
	_exit(0);
}

static pid_t start(struct worker *w)
{
	pid_t pid;

	w->life++;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		be_a_process(w);
	return pid;
}

static struct worker setup(struct machine *m, bool places)
{
	struct worker w = {
		.machine = m,
		.ledger = machine_limit_ledger(m, 0),
		.places = places,
	};

	w.shared = mmap(NULL, sizeof(*w.shared), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(w.shared, MAP_FAILED);
	return w;
}

static void teardown(struct worker *w)
{
	assert_int_equal(w->shared->failed, 0);
	limits_agree(w->ledger);
	print_message("# %u claims, %u of them of dead processes; busy %u\n",
		      w->shared->claims, w->shared->kills, w->shared->busy);
	munmap(w->shared, sizeof(*w->shared));
	tally_ledger_close(w->ledger);
}

static void each_account_is_taken_once(void **state)
{
	struct worker w = setup(*state, true);
	pid_t pids[NR_PROCESSES];

	for (int i = 0; i < NR_PROCESSES; i++)
		pids[i] = start(&w);
	for (int i = 0; i < NR_PROCESSES; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < NR_ACCOUNTS; i++)
		assert_int_equal(w.shared->placed[i], 1);
	assert_int_equal(limits_of_node(w.ledger, 0).held, NR_ACCOUNTS);
	assert_int_equal(w.shared->claims, NR_ACCOUNTS);
	teardown(&w);
}

static void a_claim_is_of_one_until_it_dies(void **state)
{
	struct worker w = setup(*state, false);
	uint32_t nr = test_is_long() ? NR_LIVES - NR_PROCESSES - 1 : 60;
	uint32_t lives[NR_PROCESSES];
	pid_t pids[NR_PROCESSES];
	struct tally_token t;

	for (int i = 0; i < NR_PROCESSES; i++) {
		pids[i] = start(&w);
		lives[i] = w.life;
	}
	/* Until some died with a claim, on a host that gives them little time. */
	for (uint32_t k = 0;
	     k < nr || (!w.shared->kills && w.life < NR_LIVES - 1); k++) {
		uint32_t i = k % NR_PROCESSES;

		usleep(1000 + k * 7919 % 20000);
		inside_kill(w.machine->path, pids[i]);
		__atomic_store_n(&w.shared->dead[lives[i]], 1,
				 __ATOMIC_RELEASE);
		assert_int_equal(w.shared->failed, 0);
		pids[i] = start(&w);
		lives[i] = w.life;
	}
	for (int i = 0; i < NR_PROCESSES; i++)
		inside_kill(w.machine->path, pids[i]);
	assert_true(w.shared->kills > 0);
	for (int i = 0; i < NR_ACCOUNTS; i++) {
		char key[16];

		sprintf(key, "%d", i);
		assert_int_equal(tally_limit_claim(
					 w.ledger,
					 machine_account(w.ledger, key), 0, &t),
				 0);
	}
	teardown(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(each_account_is_taken_once),
		MACHINE_TEST(a_claim_is_of_one_until_it_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
