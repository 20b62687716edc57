// SPDX-License-Identifier: MIT
/* What comes in the way of every change of reservations: others who are at it,
 * damage, forks, another C library. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <numatally/reader.h>

#include "inside.h"
#include "limits.h"
#include "machine.h"

#define MEMORY 1

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int reserve(struct tally_ledger *l, const char *key,
		   struct tally_token *t)
{
	const struct tally_hold hold = {0, MEMORY, 2};
	const struct tally_request request = {.holds = &hold, .nr_holds = 1};

	return tally_limit_reserve(l, machine_account(l, key), &request, t,
				   NULL);
}

/* Takes the lock and does not go on. */
static void hold_it(const char *path, int fd)
{
	struct layout *inside = inside_open(path);
	struct tally_ledger *l;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	err = tally_ledger_open(path, &l);
	inside_lock_limits(inside, getpid());
	layout_limits(inside)->sequence |= 1;
	if (write(fd, &err, sizeof(err)) == sizeof(err))
		for (;;)
			pause();
	_exit(1);
}

static pid_t start_holder(const char *path)
{
	int fds[2], err = -1;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		hold_it(path, fds[1]);
	assert_int_equal(read(fds[0], &err, sizeof(err)), sizeof(err));
	assert_int_equal(err, 0);
	close(fds[0]);
	close(fds[1]);
	return pid;
}

static void somebody_does_not_go_on(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0), *next;
	struct tally_account a = machine_account(l, "a");
	struct tally_reservation found;
	struct tally_limit limit;
	struct tally_view *view;
	struct tally_token t, u;
	int64_t amounts[2], start;
	pid_t pid;

	assert_int_equal(reserve(l, "a", &t), 0);
	pid = start_holder(m->path);
	start = now_ns();
	assert_int_equal(reserve(l, "b", &u), -EAGAIN);
	assert_in_range(now_ns() - start, TALLY_LIMIT_WAIT_NS * 9 / 10,
			TALLY_LIMIT_WAIT_NS * 3);
	assert_int_equal(tally_limit_commit(l, t), -EAGAIN);
	/* An opener does not wait for it, and a reader not as long. */
	start = now_ns();
	assert_int_equal(tally_ledger_open(m->path, &next), 0);
	assert_true(now_ns() - start < TALLY_LIMIT_WAIT_NS);
	assert_int_equal(tally_view_open(next, &view), 0);
	start = now_ns();
	assert_int_equal(tally_limit_node(view, 0, MEMORY, &limit), -EAGAIN);
	assert_int_equal(tally_limit_account(view, a, MEMORY, &limit), -EAGAIN);
	assert_int_equal(tally_limit_held(view, a, 0, amounts), -EAGAIN);
	assert_int_equal(tally_limit_find(view, a, &found), -EAGAIN);
	assert_int_equal(tally_view_totals(view, 0, amounts), -EAGAIN);
	assert_true(now_ns() - start < 5 * TALLY_LIMIT_WAIT_NS);
	/* Once it is dead, at once. */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(reserve(next, "b", &u), 0);
	assert_int_equal(tally_limit_node(view, 0, MEMORY, &limit), 0);
	assert_int_equal(limit.held, 4);
	assert_int_equal(tally_limit_commit(l, t), 0);
	limits_agree(l);
	tally_view_close(view);
	tally_ledger_close(next);
	tally_ledger_close(l);
}

static void a_damaged_file(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct layout *inside = inside_open(m->path);
	struct layout_limits *limits = layout_limits(inside);
	struct layout_undo *undo =
		(struct layout_undo *)(inside->origin +
				       inside->plan->undo.offset);
	struct tally_token t, u;

	assert_int_equal(reserve(l, "a", &t), 0);
	limits->nr_undo = LAYOUT_NR_UNDO + 1;
	assert_int_equal(reserve(l, "b", &u), -EBADMSG);
	assert_int_equal(tally_limit_reap(l), -EBADMSG);
	limits->nr_undo = 0;
	/* What would be put back where no reservations are. */
	limits->nr_undo = 1;
	*undo = (struct layout_undo){inside->plan->nodes.offset, 7};
	assert_int_equal(reserve(l, "b", &u), -EBADMSG);
	assert_int_equal(limits->nr_undo, 0);
	limits->nr_undo = 1;
	*undo = (struct layout_undo){inside->header.file_bytes, 7};
	assert_int_equal(reserve(l, "b", &u), -EBADMSG);
	assert_int_equal(reserve(l, "b", &u), 0);
	limits->first_uncommitted = UINT64_MAX;
	assert_int_equal(tally_limit_reap(l), -EBADMSG);
	limits->first_uncommitted = u.row + 1;
	assert_int_equal(tally_limit_reap(l), 0);
	limits_agree(l);
	inside_close(inside);
	tally_ledger_close(l);
}

/* Whoever it says has it: nobody that there is, or one that has not. */
static void a_lock_that_is_damaged(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0), *next;
	struct layout *inside = inside_open(m->path);
	struct tally_token t;

	layout_limits(inside)->owner = UINT64_MAX;
	assert_int_equal(reserve(l, "a", &t), 0);
	layout_limits(inside)->owner = LAYOUT_NR_WRITERS;
	assert_int_equal(tally_limit_commit(l, t), 0);
	inside_lock_limits(inside, getpid());
	assert_int_equal(tally_limit_reap(l), -EAGAIN);
	assert_int_equal(tally_ledger_open(m->path, &next), 0);
	assert_int_equal(limits_of_node(next, 0).held, 2);
	tally_ledger_close(next);
	layout_limits(inside)->owner = 0;
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	inside_close(inside);
	tally_ledger_close(l);
}

/* What a child of fork(2) is told, that tries. */
static int forked(struct tally_ledger *l, struct tally_token t)
{
	int status, err;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct tally_token u;

		err = reserve(l, "child", &u);
		if (err)
			_exit(-err);
		/* Its parent's is there for all. */
		_exit(-tally_limit_release(l, t, NULL, 0));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void a_child_of_fork(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0), *others[255];
	struct tally_token t;

	assert_int_equal(reserve(l, "a", &t), 0);
	assert_int_equal(forked(l, t), 0);
	assert_int_equal(tally_limit_commit(l, t), -ESTALE);
	/* What it had not committed went with it. */
	assert_int_equal(tally_limit_reap(l), 0);
	assert_int_equal(limits_of_node(l, 0).held, 0);
	assert_int_equal(reserve(l, "a", &t), 0);
	for (int i = 0; i < 255; i++)
		assert_int_equal(tally_ledger_open(m->path, &others[i]), 0);
	assert_int_equal(forked(l, t), -EUSERS);
	assert_int_equal(tally_limit_commit(l, t), 0);
	for (int i = 0; i < 255; i++)
		tally_ledger_close(others[i]);
	limits_agree(l);
	tally_ledger_close(l);
}

static void a_child_of_the_only_one(void **state)
{
	const struct tally_ledger_options options = {.exclusive = true};
	struct machine *m = *state;
	struct tally_ledger *l;
	struct tally_token t;

	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_resources, 2, &options,
					     &l),
			 0);
	assert_int_equal(reserve(l, "a", &t), 0);
	assert_int_equal(forked(l, t), -EPERM);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	tally_ledger_close(l);
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(somebody_does_not_go_on), T(a_damaged_file),
		T(a_lock_that_is_damaged),  T(a_child_of_fork),
		T(a_child_of_the_only_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
