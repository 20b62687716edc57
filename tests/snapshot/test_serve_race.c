// SPDX-License-Identifier: MIT
/*
 * Two readers take snapshots as fast as they can while threads of processes
 * give amounts from account to account: 50,000 times, or a million with
 * NUMATALLY_LONG. Every snapshot sums to zero and has no effect without its
 * cause.
 */
#include "support/served.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "support/giving.h"

#define NR_SHORT      50000
#define NR_LONG	      1000000
#define NR_SNAPSHOTS  50 /* at least, of each reader */
#define NR_LONG_TAKEN 1000
#define NR_READERS    2
#define NR_PROCESSES  2 /* that write, where several may */
#define NR_THREADS    4 /* of all of them */
#define KEEP_NS	      (3600 * SECOND_NS)

/* What the processes report. */
struct said {
	int stop;
	int64_t given[NR_PROCESSES];
	int64_t taken[NR_READERS], epochs[NR_READERS];
	int64_t longest_ns[NR_READERS];
	int failed;
};

static int64_t load(const int64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static _Noreturn void end_badly(struct said *said, int how)
{
	__atomic_store_n(&said->failed, how, __ATOMIC_RELAXED);
	_exit(1);
}

static _Noreturn void give(const char *path, struct said *said, int i,
			   unsigned int nr_threads)
{
	struct giving giving;
	struct tally_ledger *l;
	int err;

	do
		err = tally_ledger_open(path, &l);
	while (err == -EAGAIN);
	if (err || tally_ledger_serve(l, KEEP_NS))
		end_badly(said, 1000);
	giving_start(&giving, l, nr_threads);
	while (!__atomic_load_n(&said->stop, __ATOMIC_RELAXED)) {
		const struct timespec nap = {0, 1000000};

		__atomic_store_n(&said->given[i], giving_nr(&giving),
				 __ATOMIC_RELAXED);
		nanosleep(&nap, NULL);
	}
	said->given[i] = giving_stop(&giving);
	tally_ledger_close(l);
	_exit(0);
}

static void read_one(struct tally_reader *reader, struct said *said, int i,
		     int64_t *last, uint64_t *epoch)
{
	/* One that is joined is not a new one. */
	unsigned int flags = said->taken[i] % 2 ? TALLY_SNAPSHOT_JOIN : 0;
	int64_t start = now_ns(), took;
	struct tally_view *view;
	int err = tally_reader_snapshot(reader, flags, served_ns(), &view);

	took = now_ns() - start;
	/* Some containers refuse membarrier(2); or none has opened it yet. */
	if (err == -ENOSYS)
		_exit(77);
	if (err == -ESRCH || err == -EAGAIN || err == -EBUSY) {
		sched_yield();
		return;
	}
	if (err)
		end_badly(said, err);
	err = giving_check(view, NR_THREADS, last);
	if (err)
		end_badly(said, err);
	if (tally_view_snapshot_info(view)->epoch != *epoch)
		said->epochs[i]++;
	*epoch = tally_view_snapshot_info(view)->epoch;
	tally_view_close(view);
	if (took > said->longest_ns[i])
		said->longest_ns[i] = took;
	__atomic_fetch_add(&said->taken[i], 1, __ATOMIC_RELAXED);
}

static _Noreturn void read_all(const char *path, struct said *said, int i)
{
	struct tally_reader *reader;
	uint64_t epoch = 0;
	int64_t last = 0;

	if (!served_be_nobody() || tally_reader_open(path, &reader))
		end_badly(said, 2000);
	while (!__atomic_load_n(&said->stop, __ATOMIC_RELAXED))
		read_one(reader, said, i, &last, &epoch);
	tally_reader_close(reader);
	_exit(0);
}

/* So many were given, and seen by each reader. */
static bool is_enough(const struct said *said)
{
	int64_t least = test_is_long() ? NR_LONG_TAKEN : NR_SNAPSHOTS;
	int64_t given = 0;

	for (int i = 0; i < NR_PROCESSES; i++)
		given += load(&said->given[i]);
	for (int i = 0; i < NR_READERS; i++)
		if (load(&said->taken[i]) < least)
			return false;
	return given >= (test_is_long() ? NR_LONG : NR_SHORT);
}

static pid_t start(const struct machine *m, struct said *said, int i,
		   int nr_writers)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (i < nr_writers)
		give(m->path, said, i, (unsigned int)(NR_THREADS / nr_writers));
	read_all(m->path, said, i - nr_writers);
}

static void tell(const char *name, const struct said *said, int64_t given)
{
	int64_t taken = 0, epochs = 0, longest = 0;

	for (int i = 0; i < NR_READERS; i++) {
		taken += said->taken[i];
		epochs += said->epochs[i];
		if (longest < said->longest_ns[i])
			longest = said->longest_ns[i];
	}
	print_message("# %s: %" PRId64 " transfers, %" PRId64
		      " snapshots of %" PRId64 " epochs, all whole, the "
		      "longest in %" PRId64 " us\n",
		      name, given, taken, epochs, longest / 1000);
}

static bool has_ended(void)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) ||
	       info.si_pid;
}

static void race(struct machine *m, bool exclusive)
{
	int nr_writers = exclusive ? 1 : NR_PROCESSES, nr = 0;
	pid_t pids[NR_PROCESSES + NR_READERS];
	bool refused = false;
	struct said *said;
	int64_t given = 0;

	tally_ledger_close(served_ledger(m, exclusive));
	said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(said, MAP_FAILED);
	for (int i = 0; i < nr_writers + NR_READERS; i++)
		pids[nr++] = start(m, said, i, nr_writers);
	while (!is_enough(said) && !has_ended())
		sched_yield();
	__atomic_store_n(&said->stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < nr; i++)
		refused = served_status(pids[i]) == 77 || refused;
	if (refused)
		skip();
	assert_int_equal(said->failed, 0);
	for (int i = 0; i < nr_writers; i++)
		given += said->given[i];
	tell(exclusive ? "exclusive" : "shared", said, given);
	munmap(said, sizeof(*said));
	unlink(m->path);
}

static void transfers_race_with_readers(void **state)
{
	race(*state, false);
	race(*state, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(transfers_race_with_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
