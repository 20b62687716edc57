// SPDX-License-Identifier: MIT
/* A writer's slot: how it is got, and what readers lock. */
#include "support/test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <numatally/limit.h>

#include "support/inside.h"
#include "support/limits.h"
#include "support/openers.h"

#define NR_OPENERS 16
#define NR_OPENS   40

/* ---- several openers ----------------------------------------------------- */

static int *had; /* by slot: processes that have it */

static int open_often(struct machine *m)
{
	struct layout *inside = inside_open(m->path);

	for (int i = 0; i < NR_OPENS; i++) {
		struct tally_ledger *l;
		uint32_t slot;

		if (tally_ledger_open(m->path, &l))
			return 1;
		slot = (uint32_t)inside_owner(inside, getpid()) - 1;
		if (slot >= LAYOUT_NR_WRITERS ||
		    __atomic_fetch_add(&had[slot], 1, __ATOMIC_SEQ_CST))
			return 2;
		sched_yield();
		__atomic_fetch_sub(&had[slot], 1, __ATOMIC_SEQ_CST);
		/* Every third one dies with it. */
		if (i % 3 == 2 && !fork()) {
			struct tally_ledger *own;

			_exit(tally_ledger_open(m->path, &own) != 0);
		}
		tally_ledger_close(l);
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
	return 0;
}

static void a_slot_has_one_process(void **state)
{
	struct machine *m = *state;
	pid_t pids[NR_OPENERS];

	had = mmap(NULL, LAYOUT_NR_WRITERS * sizeof(*had),
		   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(had, MAP_FAILED);
	make(m);
	for (int i = 0; i < NR_OPENERS; i++)
		pids[i] = child_of(open_often, m);
	for (int i = 0; i < NR_OPENERS; i++)
		assert_int_equal(result_of(pids[i]), 0);
	munmap(had, LAYOUT_NR_WRITERS * sizeof(*had));
}

static int nr_tried_fd[2], go_fd[2];

/* Keeps it open until all have tried. */
static int try_to_open(struct machine *m)
{
	struct tally_ledger *l;
	int err = tally_ledger_open(m->path, &l);
	char c;

	close(go_fd[1]);
	if (write(nr_tried_fd[1], "", 1) != 1 || read(go_fd[0], &c, 1) != 0)
		return 3;
	if (!err)
		tally_ledger_close(l);
	return err == -EBUSY ? 1 : err ? 2 : 0;
}

static void an_exclusive_one_has_one_writer(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = create(m, 1, 0), *again;
	pid_t pids[NR_OPENERS];
	int nr_open = 0;
	char c;

	assert_int_equal(tally_ledger_open(m->path, &again), -EBUSY);
	tally_ledger_close(l);
	assert_int_equal(pipe(nr_tried_fd), 0);
	assert_int_equal(pipe(go_fd), 0);
	for (int i = 0; i < NR_OPENERS; i++)
		pids[i] = child_of(try_to_open, m);
	for (int i = 0; i < NR_OPENERS; i++)
		assert_int_equal(read(nr_tried_fd[0], &c, 1), 1);
	close(go_fd[1]);
	for (int i = 0; i < NR_OPENERS; i++) {
		int got = result_of(pids[i]);

		assert_true(got < 2);
		nr_open += !got;
	}
	assert_int_equal(nr_open, 1);
	close(go_fd[0]);
	close(nr_tried_fd[0]);
	close(nr_tried_fd[1]);
	assert_int_equal(tally_ledger_open(m->path, &again), 0);
	tally_ledger_close(again);
}

static void one_process_opens_it_twice(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *a, *b;

	make(m);
	assert_int_equal(tally_ledger_open(m->path, &a), 0);
	assert_int_equal(tally_ledger_open(m->path, &b), 0);
	assert_int_equal(reserve(a, "a"), 0);
	assert_int_equal(reserve(b, "b"), -ENOSPC);
	tally_ledger_close(b);
	assert_int_equal(tally_ledger_open(m->path, &b), 0);
	assert_int_equal(reserve(b, "b"), -ENOSPC);
	tally_ledger_close(a);
	assert_int_equal(tally_limit_reap(b), 0);
	assert_int_equal(reserve(b, "b"), 0);
	limits_agree(b);
	tally_ledger_close(b);
}

/* ---- readers' locks ------------------------------------------------------ */

/* All that may be locked, by a process without write permission. */
static int read_lock_all(const char *path)
{
	struct flock lock = {.l_type = F_RDLCK};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	if (fcntl(fd, F_OFD_SETLK, &lock)) {
		/* A living writer has its byte: behind it, then. */
		lock.l_start = (off_t)(LAYOUT_LOCKS + 2);
		assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	}
	return fd;
}

static int holding_fd[2];

static int hold(struct machine *m)
{
	struct tally_ledger *l;

	if (tally_ledger_open(m->path, &l) || reserve(l, "holder") ||
	    write(holding_fd[1], "", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static pid_t holder(struct machine *m)
{
	pid_t pid;
	char c;

	assert_int_equal(pipe(holding_fd), 0);
	pid = child_of(hold, m);
	close(holding_fd[1]);
	assert_int_equal(read(holding_fd[0], &c, 1), 1);
	close(holding_fd[0]);
	return pid;
}

static void a_readers_lock_does_not_count(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l;
	pid_t pid;
	int fd;

	make(m);
	pid = holder(m);
	inside_kill(m->path, pid);
	fd = read_lock_all(m->path);
	assert_int_equal(tally_ledger_open(m->path, &l), 0);
	assert_int_equal(reserve(l, "a"), 0);
	tally_ledger_close(l);
	close(fd);
}

static void a_readers_lock_keeps_no_writer_out(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l, *other;
	pid_t pid;
	int fd;

	make(m);
	fd = read_lock_all(m->path);
	pid = holder(m);
	assert_int_equal(tally_ledger_open(m->path, &l), 0);
	assert_int_equal(reserve(l, "a"), -ENOSPC);
	assert_int_equal(tally_ledger_open(m->path, &other), 0);
	inside_kill(m->path, pid);
	assert_int_equal(tally_limit_reap(l), 0);
	/* Whose lock is left can't be told. */
	assert_int_equal(reserve(l, "a"), -ENOSPC);
	close(fd);
	assert_int_equal(tally_limit_reap(l), 0);
	assert_int_equal(reserve(l, "a"), 0);
	tally_ledger_close(other);
	assert_int_equal(tally_limit_reap(l), 0);
	tally_ledger_close(l);
	/* And no one writer. */
	assert_int_equal(unlink(m->path), 0);
	tally_ledger_close(create(m, 1, 0));
	fd = read_lock_all(m->path);
	assert_int_equal(tally_ledger_open(m->path, &l), 0);
	assert_int_equal(tally_ledger_open(m->path, &other), -EBUSY);
	tally_ledger_close(l);
	close(fd);
	assert_int_equal(tally_ledger_open(m->path, &l), 0);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_slot_has_one_process),
		MACHINE_TEST(an_exclusive_one_has_one_writer),
		MACHINE_TEST(one_process_opens_it_twice),
		MACHINE_TEST(a_readers_lock_does_not_count),
		MACHINE_TEST(a_readers_lock_keeps_no_writer_out),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
