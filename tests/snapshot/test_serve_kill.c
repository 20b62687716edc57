// SPDX-License-Identifier: MIT
/*
 * Kills processes that serve readers, and readers, at random: 60 times, or 1,000
 * with NUMATALLY_LONG. Every snapshot is whole but for what it reports as in
 * doubt; no call takes longer than its caller allows; nothing is lost.
 */
#include "support/test.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <numatally/reader.h>

#include "base/clock.h"
#include "support/machine.h"

#define NR_KILLS     60
#define NR_LONG	     1000
#define NR_SERVERS   2
#define NR_READERS   2
#define NR_CHILDREN  (NR_SERVERS + NR_READERS)
#define MAX_DELAY_NS 3000000
#define TIMEOUT_NS   SECOND_NS
#define AMOUNT	     7
#define NOBODY	     65534

/* What the children report. */
struct said {
	int64_t given, giving; /* acknowledged; begun */
	int64_t nr_snapshots;
	int64_t nr_lost;    /* given up by a process that was killed then */
	int64_t longest_ns; /* that a reader's call took */
	int failed;
};

static void serve(const char *path, struct said *said)
{
	struct tally_ledger *l;
	int err;

	do
		err = tally_ledger_open(path, &l);
	while (err == -EAGAIN);
	if (!err)
		err = tally_ledger_serve(l, 0);
	if (!err) {
		const struct tally_entry entries[] = {
			{machine_account(l, "from"), 5, 1, -AMOUNT},
			{machine_account(l, "to"), TALLY_NODE_LOCAL, 1, AMOUNT},
			{machine_account(l, "to"), TALLY_NODE_LOCAL, 0, 1},
		};

		while (!err) {
			__atomic_fetch_add(&said->giving, 1, __ATOMIC_RELEASE);
			err = tally_ledger_post(l, entries, 3);
			__atomic_fetch_add(&said->given, 1, __ATOMIC_RELEASE);
		}
	}
	said->failed = err;
	_exit(1);
}

/* -ERANGE: it isn't whole. */
static int check(const struct tally_view *view)
{
	uint64_t nr = tally_view_snapshot_info(view)->nr_in_doubt;
	int64_t amounts[2];
	int err = tally_view_totals(view, TALLY_VIEW_ALL, amounts);

	if (!err && (uint64_t)llabs(amounts[1]) > nr * AMOUNT)
		err = -ERANGE;
	return err;
}

static void read_all(const char *path, struct said *said)
{
	struct tally_reader *reader;

	if (!geteuid() && (setgid(NOBODY) || setuid(NOBODY)))
		_exit(77);
	if (tally_reader_open(path, &reader))
		goto fail;
	for (;;) {
		int64_t start = now_ns(), took;
		struct tally_view *view;
		int err = tally_reader_snapshot(reader, TALLY_SNAPSHOT_JOIN,
						TIMEOUT_NS, &view);

		took = now_ns() - start;
		if (took > said->longest_ns)
			said->longest_ns = took;
		if (err == -EAGAIN || err == -ESRCH)
			continue;
		if (!err)
			err = check(view);
		if (err && err != -ESTALE)
			goto fail;
		tally_view_close(view);
		__atomic_fetch_add(err ? &said->nr_lost : &said->nr_snapshots,
				   1, __ATOMIC_RELAXED);
	}
fail:
	said->failed = 1000;
	_exit(1);
}

static pid_t start(const char *path, struct said *said, int which)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (which < NR_SERVERS)
		serve(path, said);
	else
		read_all(path, said);
	_exit(1);
}

static void end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* Some containers refuse membarrier(2), or another user. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFSIGNALED(status));
}

static void readers_and_servers_are_killed(void **state)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .mode = 0644};
	int nr = test_is_long() ? NR_LONG : NR_KILLS;
	struct machine *m = *state;
	struct tally_ledger *l;
	struct tally_view *view;
	unsigned int seed = 1;
	struct said *said;
	pid_t pids[NR_CHILDREN];

	machine_few_cpus(m);
	said = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(said, MAP_FAILED);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_resources, 2, &options,
					     &l),
			 0);
	tally_ledger_close(l);
	assert_int_equal(chmod(m->dir, 0755), 0);
	for (int i = 0; i < NR_CHILDREN; i++)
		pids[i] = start(m->path, said, i);
	for (int i = 0; i < nr && !said->failed; i++) {
		const struct timespec delay = {0, rand_r(&seed) % MAX_DELAY_NS};
		int which = rand_r(&seed) % NR_CHILDREN;

		nanosleep(&delay, NULL);
		end(pids[which]);
		pids[which] = start(m->path, said, which);
	}
	/* Also on a host that left no time for it so far. */
	while (!said->failed &&
	       !__atomic_load_n(&said->nr_snapshots, __ATOMIC_RELAXED))
		sched_yield();
	assert_int_equal(said->failed, 0);
	for (int i = 0; i < NR_CHILDREN; i++)
		end(pids[i]);
	print_message("# %lld snapshots, the longest in %lld us\n",
		      (long long)said->nr_snapshots,
		      (long long)said->longest_ns / 1000);
	assert_true(said->nr_lost <= nr);
	assert_true(said->longest_ns < 30 * TIMEOUT_NS);
	assert_int_equal(tally_ledger_open(m->path, &l), 0);
	assert_int_equal(tally_view_snapshot(l, 0, 30 * SECOND_NS, &view), 0);
	assert_int_equal(check(view), 0);
	assert_true(machine_total(l, 0) <= said->giving);
	assert_true(machine_total(l, 0) +
			    (int64_t)tally_view_nr_in_doubt(view) >=
		    said->given);
	tally_view_close(view);
	tally_ledger_close(l);
	munmap(said, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(readers_and_servers_are_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
