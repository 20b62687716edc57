// SPDX-License-Identifier: MIT
/* Reservations by processes of several PID namespaces. */
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
#include <unistd.h>
#include <cmocka.h>

#include "limits.h"
#include "machine.h"

#define MEMORY	1
#define SKIPPED 1000

/* A process that reserves when it is asked to, in a namespace of its own. */
struct other {
	pid_t outer; /* in ours, waits for it */
	int fd;
};

static int reserve(struct tally_ledger *l, const char *key)
{
	const struct tally_hold hold = {0, MEMORY, 1};
	const struct tally_request request = {.holds = &hold, .nr_holds = 1};
	struct tally_account a;
	struct tally_token t;
	int err = tally_account_open(tally_ledger_accounts(l), key, &a);

	if (!err)
		err = tally_limit_reserve(l, a, &request, &t, NULL);
	return err ? err : tally_limit_cancel(l, t);
}

/* With the handle that it has from its parent, or one of its own. */
static void serve(const struct machine *m, struct tally_ledger *l, int fd)
{
	int err = l ? 0 : tally_ledger_open(m->path, &l);
	char c;

	while (read(fd, &c, 1) == 1) {
		if (!err)
			err = reserve(l, "other");
		if (write(fd, &err, sizeof(err)) != sizeof(err))
			break;
		err = 0;
	}
	_exit(0);
}

static bool leave_space(void)
{
	return !unshare(CLONE_NEWPID) || !unshare(CLONE_NEWUSER | CLONE_NEWPID);
}

static struct other start(const struct machine *m, struct tally_ledger *l,
			  bool apart)
{
	struct other o;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	o.outer = fork();
	assert_true(o.outer >= 0);
	if (!o.outer) {
		pid_t inner;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		if (apart && !leave_space())
			_exit(1);
		inner = fork();
		if (!inner) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(m, l, fds[1]);
		}
		close(fds[1]);
		waitpid(inner, NULL, 0);
		_exit(0);
	}
	close(fds[1]);
	o.fd = fds[0];
	return o;
}

static int ask(const struct other *o)
{
	int err = SKIPPED;

	if (write(o->fd, "?", 1) != 1 ||
	    read(o->fd, &err, sizeof(err)) != sizeof(err))
		return SKIPPED;
	return err;
}

static void stop(const struct other *o)
{
	shutdown(o->fd, SHUT_RDWR); /* others may have it, too */
	close(o->fd);
	waitpid(o->outer, NULL, 0);
}

static void one_namespace_at_a_time(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct other o, p;
	int first;

	/* Whoever comes first, as long as it has the ledger open. */
	o = start(m, NULL, true);
	first = ask(&o);
	if (first == SKIPPED) {
		stop(&o);
		tally_ledger_close(l);
		skip();
	}
	assert_int_equal(first, 0);
	assert_int_equal(reserve(l, "a"), -EXDEV);
	assert_int_equal(tally_limit_reap(l), -EXDEV);
	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 5), -EXDEV);
	/* All else goes on, and it may be looked at. */
	assert_int_equal(tally_ledger_add(l, machine_account(l, "a"), 0, 3), 0);
	assert_int_equal(machine_total(l, 0), 3);
	assert_int_equal(limits_of_node(l, 0).limit, TALLY_LIMIT_NONE);
	assert_int_equal(ask(&o), 0);
	stop(&o);
	assert_int_equal(reserve(l, "a"), 0);

	o = start(m, NULL, true);
	p = start(m, NULL, false);
	assert_int_equal(ask(&o), -EXDEV);
	assert_int_equal(ask(&p), 0);
	tally_ledger_close(l);
	assert_int_equal(ask(&o), -EXDEV);
	stop(&p);
	assert_int_equal(ask(&o), 0);
	stop(&o);
}

/* What it has from its parent is not its own. */
static void a_child_in_another_namespace(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct other o, p;

	assert_int_equal(reserve(l, "a"), 0);
	p = start(m, l, false);
	o = start(m, l, true);
	if (ask(&o) == SKIPPED) {
		stop(&o);
		stop(&p);
		tally_ledger_close(l);
		skip();
	}
	assert_int_equal(ask(&o), -EXDEV);
	assert_int_equal(ask(&p), 0);
	assert_int_equal(reserve(l, "a"), 0);
	tally_ledger_close(l);
	assert_int_equal(ask(&o), -EXDEV);
	stop(&p);
	assert_int_equal(ask(&o), 0);
	stop(&o);
}

/* Somebody who opens it for something else is in nobody's way. */
static void whoever_reserves_nothing(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0), *idle;
	const struct tally_hold hold = {0, MEMORY, 1};
	const struct tally_request request = {.holds = &hold, .nr_holds = 1};
	struct tally_token t;
	struct other o;
	int err;

	assert_int_equal(tally_limit_reserve(l, machine_account(l, "a"),
					     &request, &t, NULL),
			 0);
	/* It reaps, as it comes. */
	assert_int_equal(tally_ledger_open(m->path, &idle), 0);
	tally_ledger_close(l);
	o = start(m, NULL, true);
	err = ask(&o);
	stop(&o);
	tally_ledger_close(idle);
	if (err == SKIPPED)
		skip();
	assert_int_equal(err, 0);
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_namespace_at_a_time),
		T(a_child_in_another_namespace),
		T(whoever_reserves_nothing),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
