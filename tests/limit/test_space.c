// SPDX-License-Identifier: MIT
/* Processes of several PID namespaces, each of which has a process 1. */
#include "support/test.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <numatally/reader.h>

#include "support/calm.h"
#include "support/inside.h"
#include "support/limits.h"
#include "support/machine.h"

#define MEMORY	  1
#define NR_OTHERS 2
#define NR_ROUNDS 300000
#define MOST_LATE 5

/* The first process of a namespace. */
struct other {
	pid_t outer; /* in our namespace; waits for it */
	pid_t pid;   /* in our namespace */
	int fd;
};

static int reserve(struct tally_ledger *l, const char *key,
		   struct tally_token *t)
{
	const struct tally_demand demand = {0, MEMORY, 1};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_account a;
	int err = tally_account_open(tally_ledger_accounts(l), key, &a);

	return err ? err : tally_limit_reserve(l, a, &request, t, NULL);
}

/* In turn with others, each of which may have the whole capacity. */
static int reserve_often(struct tally_ledger *l, const char *key)
{
	int nr_late = 0; /* where a busy machine ran the others alone */
	struct tally_token t;

	for (int i = 0; i < NR_ROUNDS; i++) {
		int err = reserve(l, key, &t);

		if (!err)
			while ((err = tally_limit_cancel(l, t)) == -EAGAIN &&
			       nr_late++ < MOST_LATE)
				;
		if (err == -EAGAIN && nr_late++ < MOST_LATE)
			continue;
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
	case 'r': /* reserve, and keep it */
		return reserve(*l, "other", &t);
	case '0': /* many reserves, by this process or that */
		return reserve_often(*l, "first");
	case '1':
		return reserve_often(*l, "second");
	case 'l': /* lock */
		inside = inside_open(path);
		inside_lock_limits(inside, getpid());
		layout_limits(inside)->sequence |= 1;
		inside_close(inside);
		return 0;
	case 'w': /* wait for it */
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

/* False: namespaces are refused. */
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

/* The kernel kills every process of its namespace. */
static void stop(const struct other *o)
{
	kill(o->pid, SIGKILL);
	waitpid(o->outer, NULL, 0);
	close(o->fd);
}

/* 1 alive, 0 dead, -1 hidden: what a reader says of the other writer. */
static int alive(const char *path)
{
	struct tally_reader *reader;
	struct tally_writer writer = {.size = sizeof(writer)};
	uint64_t cursor = 0;
	int found = -2;

	assert_int_equal(tally_reader_open(path, &reader), 0);
	while (!tally_reader_writer_next(reader, &cursor, &writer))
		if (writer.pid != getpid())
			found = writer.alive;
	tally_reader_close(reader);
	return found;
}

static void they_take_turns(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
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

static void a_lock_is_taken_from_the_dead_alone(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
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
	began = calm_ns();
	assert_int_equal(reserve(l, "a", &t), 0);
	assert_true(calm_ns() - began < TALLY_LIMIT_WAIT_NS / 2);
	limits_agree(l);
	tally_ledger_close(l);
}

/* A process that waits for the lock is killed; it had the holder's number. */
static void two_processes_of_one_number(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
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

/* A child, which has its parent's files and is in another namespace,
 * lives on. */
static void a_process_that_leaves_a_child(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
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
			alarm(400);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(they_take_turns),
		MACHINE_TEST(a_lock_is_taken_from_the_dead_alone),
		MACHINE_TEST(two_processes_of_one_number),
		MACHINE_TEST(a_process_that_leaves_a_child),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
