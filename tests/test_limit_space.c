// SPDX-License-Identifier: MIT
/* Processes of several PID namespaces: each has a process 1. */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <numatally/reader.h>

#include "inside.h"
#include "limits.h"
#include "machine.h"

#define MEMORY	  1
#define NR_OTHERS 2
#define NR_ROUNDS 300000

/* The first process of a namespace of its own. */
struct other {
	pid_t outer; /* in ours, waits for it */
	pid_t pid;   /* in ours */
	int fd;
};

static int reserve(struct tally_ledger *l, const char *key,
		   struct tally_token *t)
{
	const struct tally_hold hold = {0, MEMORY, 1};
	const struct tally_request request = {.holds = &hold, .nr_holds = 1};
	struct tally_account a;
	int err = tally_account_open(tally_ledger_accounts(l), key, &a);

	return err ? err : tally_limit_reserve(l, a, &request, t, NULL);
}

/* By turns with others, each of which may have all that there is. */
static int reserve_often(struct tally_ledger *l, const char *key)
{
	struct tally_token t;

	for (int i = 0; i < NR_ROUNDS; i++) {
		int err = reserve(l, key, &t);

		if (!err)
			err = tally_limit_cancel(l, t);
		if (err && err != -ENOSPC)
			return err;
	}
	return 0;
}

static int obey(char c, const char *path, struct tally_ledger **l)
{
	struct layout *inside;
	struct tally_token t;

	switch (c) {
	case 'o':
		return tally_ledger_open(path, l);
	case 'r': /* eserve, and keep it */
		return reserve(*l, "other", &t);
	case '0': /* many reserves, by this one or that */
		return reserve_often(*l, "first");
	case '1':
		return reserve_often(*l, "second");
	case 'l': /* ock */
		inside = inside_open(path);
		inside_lock_limits(inside, getpid());
		layout_limits(inside)->sequence |= 1;
		inside_close(inside);
		return 0;
	case 'w': /* ait for it */
		return tally_limit_reap(*l);
	default:
		return -EINVAL;
	}
}

static void serve(const char *path, int fd)
{
	struct tally_ledger *l = NULL;
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(fd, &c, 1) == 1) {
		int err = obey(c, path, &l);

		if (write(fd, &err, sizeof(err)) != sizeof(err))
			break;
	}
	_exit(0);
}

static bool leave_space(void)
{
	return !unshare(CLONE_NEWPID) || !unshare(CLONE_NEWUSER | CLONE_NEWPID);
}

static void be_outer(const char *path, int fd)
{
	pid_t inner;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	inner = leave_space() ? fork() : -1;
	if (!inner)
		serve(path, fd);
	if (write(fd, &inner, sizeof(inner)) == sizeof(inner) && inner > 0)
		waitpid(inner, NULL, 0);
	_exit(0);
}

static void order(const struct other *o, char c)
{
	assert_int_equal(write(o->fd, &c, 1), 1);
}

static int answer(const struct other *o)
{
	int err = 1;

	assert_int_equal(read(o->fd, &err, sizeof(err)), sizeof(err));
	return err;
}

static int ask(const struct other *o, char c)
{
	order(o, c);
	return answer(o);
}

/* False: there can be none. */
static bool start(const char *path, struct other *o)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	o->outer = fork();
	assert_true(o->outer >= 0);
	if (!o->outer) {
		close(fds[0]);
		be_outer(path, fds[1]);
	}
	close(fds[1]);
	o->fd = fds[0];
	o->pid = answer(o);
	if (o->pid < 0) {
		waitpid(o->outer, NULL, 0);
		close(o->fd);
		return false;
	}
	assert_int_equal(ask(o, 'o'), 0);
	return true;
}

/* The kernel kills all others of its namespace. */
static void stop(const struct other *o)
{
	kill(o->pid, SIGKILL);
	waitpid(o->outer, NULL, 0);
	close(o->fd);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* 1, 0 or -1, as a reader has it of the writer other than us. */
static int alive(const char *path)
{
	struct tally_reader *reader;
	struct tally_writer writer;
	uint32_t cursor = 0;
	int found = -2;

	assert_int_equal(tally_reader_open(path, &reader), 0);
	while (!tally_reader_writer(reader, &cursor, &writer))
		if (writer.pid != getpid())
			found = writer.alive;
	tally_reader_close(reader);
	return found;
}

static void they_take_turns(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct other o[NR_OTHERS];
	struct tally_token t;

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 1), 0);
	if (!start(m->path, &o[0])) {
		tally_ledger_close(l);
		skip();
	}
	assert_true(start(m->path, &o[1]));
	for (int i = 0; i < NR_OTHERS; i++)
		order(&o[i], (char)('0' + i));
	assert_int_equal(reserve_often(l, "ours"), 0);
	for (int i = 0; i < NR_OTHERS; i++)
		assert_int_equal(answer(&o[i]), 0);
	limits_agree(l);
	assert_int_equal(limits_of_node(l, 0).peak, 1);
	assert_int_equal(reserve(l, "ours", &t), 0);
	for (int i = 0; i < NR_OTHERS; i++)
		stop(&o[i]);
	tally_ledger_close(l);
}

static void one_that_is_stopped_and_killed(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_token t;
	struct other o;
	int64_t began;

	if (!start(m->path, &o)) {
		tally_ledger_close(l);
		skip();
	}
	/* What it had not committed goes with it. */
	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 1), 0);
	assert_int_equal(ask(&o, 'r'), 0);
	assert_int_equal(reserve(l, "a", &t), -ENOSPC);
	assert_int_equal(alive(m->path), 1);
	assert_int_equal(ask(&o, 'l'), 0);
	assert_int_equal(reserve(l, "a", &t), -EAGAIN);
	stop(&o);
	assert_int_equal(alive(m->path), 0);
	began = now_ns();
	assert_int_equal(reserve(l, "a", &t), 0);
	assert_true(now_ns() - began < TALLY_LIMIT_WAIT_NS / 2);
	limits_agree(l);
	tally_ledger_close(l);
}

/* One that waits is killed, and has the number of the one that it waits for. */
static void two_of_one_number(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct other holder, other;
	struct tally_token t;

	if (!start(m->path, &holder)) {
		tally_ledger_close(l);
		skip();
	}
	assert_true(start(m->path, &other));
	assert_int_equal(ask(&holder, 'l'), 0);
	order(&other, 'w');
	usleep(50000);
	stop(&other);
	assert_int_equal(reserve(l, "a", &t), -EAGAIN);
	stop(&holder);
	assert_int_equal(reserve(l, "a", &t), 0);
	tally_ledger_close(l);
}

/* A child lives on, that has its parent's files and is in another namespace. */
static void one_that_leaves_a_child(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_token t;
	struct other o;
	pid_t pid, child;
	int fds[2];

	if (!start(m->path, &o)) {
		tally_ledger_close(l);
		skip();
	}
	stop(&o);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct layout *inside = inside_open(m->path);
		struct tally_ledger *own;

		if (!tally_ledger_open(m->path, &own) && leave_space())
			child = fork();
		else
			child = -1;
		if (!child) {
			alarm(60);
			for (;;)
				pause();
		}
		inside_lock_limits(inside, getpid());
		if (write(fds[1], &child, sizeof(child)) == sizeof(child))
			for (;;)
				pause();
		_exit(1);
	}
	assert_int_equal(read(fds[0], &child, sizeof(child)), sizeof(child));
	assert_true(child > 0);
	assert_true(start(m->path, &o));
	assert_int_equal(ask(&o, 'w'), -EAGAIN);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(ask(&o, 'w'), 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(reserve(l, "a", &t), 0);
	stop(&o);
	close(fds[0]);
	close(fds[1]);
	tally_ledger_close(l);
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(they_take_turns),
		T(one_that_is_stopped_and_killed),
		T(two_of_one_number),
		T(one_that_leaves_a_child),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
