// SPDX-License-Identifier: MIT
/*
 * A crowd of readers, each with an open file of its own, has snapshots of one
 * ledger: 256 readers, or 10,000 with NUMATALLY_LONG. All of them pin a snapshot
 * before the first lets go. Each one is whole, or the call says that there was
 * none in time, and no call waits much longer than it may.
 */
#include "support/served.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#include "support/calm.h"
#include "support/giving.h"

#define NR_SHORT     256
#define NR_LONG	     10000
#define NR_PROCESSES 8
#define NR_LONG_PROC 100
#define MOST_OF_ONE  100 /* readers of a process */
#define NR_ROUNDS    2
#define NR_GIVERS    2
#define KEEP_NS	     (3600 * SECOND_NS)
#define LATE_NS	     (30 * SECOND_NS) /* beyond what a call may wait */

/* What all of them report. */
struct crowd {
	int nr_open;
	int nr_held[NR_ROUNDS], nr_done[NR_ROUNDS]; /* processes */
	int64_t taken, joined, again;
	int64_t longest_ns;
	int failed;
};

struct reading {
	struct tally_reader *reader;
	struct tally_view *view;
	int64_t last;
};

static void note_time(struct crowd *c, int64_t ns)
{
	int64_t most = __atomic_load_n(&c->longest_ns, __ATOMIC_RELAXED);

	while (ns > most &&
	       !__atomic_compare_exchange_n(&c->longest_ns, &most, ns, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static _Noreturn void end_badly(struct crowd *c, int how)
{
	__atomic_store_n(&c->failed, how, __ATOMIC_RELAXED);
	_exit(1);
}

static int take(struct crowd *c, struct reading *r, unsigned int flags)
{
	int64_t start = calm_ns();
	int err =
		tally_reader_snapshot(r->reader, flags, served_ns(), &r->view);

	note_time(c, calm_ns() - start);
	return err;
}

/* A new snapshot, or the one that others have. */
static void have(struct crowd *c, struct reading *r)
{
	unsigned int flags = 0;
	int err = take(c, r, flags);

	if (err == -EBUSY) {
		flags = TALLY_SNAPSHOT_JOIN;
		err = take(c, r, flags);
	}
	/* Some containers refuse membarrier(2). */
	if (err == -ENOSYS)
		_exit(77);
	if (err == -EAGAIN) {
		__atomic_fetch_add(&c->again, 1, __ATOMIC_RELAXED);
		r->view = NULL;
		return;
	}
	if (!err)
		err = giving_check(r->view, NR_GIVERS, &r->last);
	if (err)
		end_badly(c, err);
	__atomic_fetch_add(flags ? &c->joined : &c->taken, 1, __ATOMIC_RELAXED);
}

/* Until all processes have come so far. */
static void meet(struct crowd *c, int *nr_there, int nr)
{
	const struct timespec nap = {0, 10000000};

	__atomic_fetch_add(nr_there, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(nr_there, __ATOMIC_ACQUIRE) < nr &&
	       !__atomic_load_n(&c->failed, __ATOMIC_RELAXED))
		nanosleep(&nap, NULL);
}

static _Noreturn void be_many(const struct machine *m, struct crowd *c, int nr,
			      int nr_processes)
{
	static struct reading all[MOST_OF_ONE];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < nr; i++) {
		int err = tally_reader_open(m->path, &all[i].reader);

		if (err)
			end_badly(c, err);
	}
	meet(c, &c->nr_open, nr_processes + 1);
	for (int round = 0; round < NR_ROUNDS; round++) {
		for (int i = 0; i < nr; i++)
			have(c, &all[i]);
		meet(c, &c->nr_held[round], nr_processes);
		for (int i = 0; i < nr; i++)
			tally_view_close(all[i].view);
		meet(c, &c->nr_done[round], nr_processes);
	}
	for (int i = 0; i < nr; i++)
		tally_reader_close(all[i].reader);
	_exit(0);
}

static void tell(const struct crowd *c, const char *name, int nr, int64_t ns)
{
	print_message("# %s: %d readers in %" PRId64 " ms: %" PRId64
		      " took a snapshot, %" PRId64 " joined, %" PRId64
		      " had none in time; the longest took %" PRId64 " ms\n",
		      name, nr, ns / 1000000, c->taken, c->joined, c->again,
		      c->longest_ns / 1000000);
}

static void a_crowd(struct machine *m, bool exclusive)
{
	int nr_processes = test_is_long() ? NR_LONG_PROC : NR_PROCESSES;
	int nr = test_is_long() ? NR_LONG : NR_SHORT;
	struct tally_ledger *l = served_ledger(m, exclusive);
	pid_t pids[NR_LONG_PROC];
	struct tally_view *view;
	struct giving giving;
	bool refused = false;
	struct crowd *c;
	int64_t start;

	c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(c, MAP_FAILED);
	for (int i = 0; i < nr_processes; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (!pids[i])
			be_many(m, c, nr / nr_processes, nr_processes);
	}
	assert_int_equal(tally_ledger_serve(l, KEEP_NS), 0);
	giving_start(&giving, l, NR_GIVERS);
	meet(c, &c->nr_open, nr_processes + 1);
	start = now_ns();
	for (int i = 0; i < nr_processes; i++)
		refused = served_status(pids[i]) == 77 || refused;
	tell(c, exclusive ? "exclusive" : "shared", nr, now_ns() - start);
	giving_stop(&giving);
	if (refused)
		skip();
	assert_int_equal(c->failed, 0);
	assert_true(c->taken + c->joined > 0);
	assert_true(c->longest_ns < served_ns() + LATE_NS);
	/* None of them is in the way any more. */
	assert_int_equal(tally_view_snapshot(l, 0, served_ns(), &view), 0);
	assert_int_equal(served_total(view, 1), 0);
	tally_view_close(view);
	tally_ledger_close(l);
	unlink(m->path);
	munmap(c, sizeof(*c));
}

static void many_readers_at_once(void **state)
{
	a_crowd(*state, false);
	a_crowd(*state, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(many_readers_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
