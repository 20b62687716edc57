// SPDX-License-Identifier: MIT
/*
 * Readers in namespaces of their own, as in a container: of users, PIDs, time,
 * and of mounts, where the ledger is bound to another path. Their snapshots are
 * whole while others write, pin what they show, and end with them.
 */
#include "support/served.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "support/giving.h"
#include "support/spaces.h"

#define NR_SNAPSHOTS 50
#define NR_GIVERS    2
#define KEEP_NS	     (3600 * SECOND_NS)
#define DAY_NS	     (24 * 3600 * SECOND_NS)

/* A process in a namespace, which obeys. */
struct inner {
	pid_t outer; /* waits for it */
	pid_t pid;   /* in our PID namespace */
	int fd;
};

/* What it has. */
struct held {
	const char *path;
	struct tally_reader *reader;
	struct tally_view *view;
};

static int take(struct held *h)
{
	return tally_reader_snapshot(h->reader, 0, served_ns(), &h->view);
}

static int take_many(struct held *h)
{
	int64_t last = 0;
	int err = 0;

	for (int i = 0; i < NR_SNAPSHOTS && !err; i++) {
		const struct tally_snapshot_info *info;

		err = take(h);
		if (err)
			return err;
		err = giving_check(h->view, NR_GIVERS, &last);
		info = tally_view_snapshot_info(h->view);
		if (info->age_ns < 0 || info->age_ns > DAY_NS)
			err = -ERANGE;
		tally_view_close(h->view);
	}
	return err;
}

static int obey(struct held *h, char c)
{
	switch (c) {
	case 'o':
		tally_reader_close(h->reader);
		return tally_reader_open(h->path, &h->reader);
	case 'm':
		return take_many(h);
	case 'k': /* and keep it */
		return take(h);
	default:
		return -EINVAL;
	}
}

static _Noreturn void serve(const char *path, int fd)
{
	struct held h = {.path = path};
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(fd, &c, 1) == 1) {
		int err = obey(&h, c);

		if (write(fd, &err, sizeof(err)) != sizeof(err))
			break;
	}
	_exit(0);
}

/* Only a child is in the new namespace of PIDs, or of time. */
static _Noreturn void be_outer(const char *path, bool (*leave)(const char *),
			       bool as_nobody, int fd)
{
	pid_t pid = -1;

	if (!as_nobody || served_be_nobody()) {
		/* A change of users took /proc/self from this one. */
		prctl(PR_SET_DUMPABLE, 1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pid = leave(path) ? fork() : -1;
	}
	if (!pid)
		serve(path, fd);
	if (write(fd, &pid, sizeof(pid)) == sizeof(pid) && pid > 0)
		waitpid(pid, NULL, 0);
	_exit(0);
}

static int answer(const struct inner *in)
{
	int err = 1;

	assert_int_equal(read(in->fd, &err, sizeof(err)), sizeof(err));
	return err;
}

static int ask(const struct inner *in, char c)
{
	assert_int_equal(write(in->fd, &c, 1), 1);
	return answer(in);
}

static void stop(const struct inner *in)
{
	if (in->pid > 0)
		kill(in->pid, SIGKILL);
	assert_int_equal(waitpid(in->outer, NULL, 0), in->outer);
	close(in->fd);
}

/* False: the namespace is refused. */
static bool start_as(const char *path, bool (*leave)(const char *),
		     bool as_nobody, struct inner *in)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	in->outer = fork();
	assert_true(in->outer >= 0);
	if (!in->outer) {
		close(fds[0]);
		be_outer(path, leave, as_nobody, fds[1]);
	}
	close(fds[1]);
	in->fd = fds[0];
	in->pid = answer(in);
	if (in->pid < 0)
		stop(in);
	return in->pid > 0;
}

/* As another user, where it may. */
static bool start(const char *path, bool (*leave)(const char *),
		  struct inner *in)
{
	return start_as(path, leave, true, in) ||
	       start_as(path, leave, false, in);
}

/* Skip: the kernel refuses the namespace. */
static void reads_from(struct machine *m, bool exclusive, const char *path,
		       bool (*leave)(const char *))
{
	struct tally_ledger *l = served_ledger(m, exclusive);
	struct tally_view *view = NULL;
	struct giving giving;
	struct inner in;
	int64_t nr;

	if (!start(path, leave, &in)) {
		print_message("# the kernel refuses the namespace\n");
		tally_ledger_close(l);
		skip();
	}
	assert_int_equal(ask(&in, 'o'), 0);
	assert_int_equal(tally_ledger_serve(l, KEEP_NS), 0);
	giving_start(&giving, l, NR_GIVERS);
	assert_int_equal(ask(&in, 'm'), 0);
	nr = giving_stop(&giving);
	assert_int_equal(machine_total(l, 0), nr);
	assert_int_equal(ask(&in, 'k'), 0);
	assert_int_equal(tally_view_snapshot(l, 0, served_ns(), &view), -EBUSY);
	stop(&in);
	assert_int_equal(tally_view_snapshot(l, 0, served_ns(), &view), 0);
	tally_view_close(view);
	tally_ledger_close(l);
	unlink(m->path);
}

static void reads_both(struct machine *m, bool (*leave)(const char *))
{
	reads_from(m, false, m->path, leave);
	reads_from(m, true, m->path, leave);
}

static bool leave_users(const char *path)
{
	(void)path;
	return !unshare(CLONE_NEWUSER);
}

static void another_user_namespace(void **state)
{
	reads_both(*state, leave_users);
}

static bool leave_pids(const char *path)
{
	(void)path;
	return spaces_leave(CLONE_NEWPID);
}

static void another_pid_namespace(void **state)
{
	reads_both(*state, leave_pids);
}

static bool leave_time(const char *path)
{
	(void)path;
	return spaces_leave(CLONE_NEWTIME);
}

static void another_time_namespace(void **state)
{
	reads_both(*state, leave_time);
}

/* The ledger lies beside it. */
static bool leave_mounts(const char *path)
{
	char ledger[128];

	snprintf(ledger, sizeof(ledger), "%.*sledger",
		 (int)(strrchr(path, '/') + 1 - path), path);
	return spaces_bind(ledger, path);
}

static void bound_path(const struct machine *m, char *path, size_t size)
{
	FILE *f;

	snprintf(path, size, "%s/bound", m->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
}

static void a_bound_file(void **state)
{
	struct machine *m = *state;
	char path[128];

	bound_path(m, path, sizeof(path));
	reads_from(m, false, path, leave_mounts);
	reads_from(m, true, path, leave_mounts);
}

/* The mount keeps the file, but it has no name any more. */
static void a_bound_file_that_was_removed(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = served_ledger(m, false);
	struct inner in;
	char path[128];

	bound_path(m, path, sizeof(path));
	if (!start(path, leave_mounts, &in)) {
		print_message("# the kernel refuses the namespace\n");
		tally_ledger_close(l);
		skip();
	}
	assert_int_equal(tally_ledger_serve(l, 0), 0);
	assert_int_equal(ask(&in, 'o'), 0);
	assert_int_equal(tally_ledger_remove(m->path, TALLY_REMOVE_IN_USE), 0);
	assert_int_equal(ask(&in, 'm'), -EIDRM);
	assert_int_equal(ask(&in, 'o'), 0);
	assert_int_equal(ask(&in, 'm'), -EIDRM);
	stop(&in);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(another_user_namespace),
		MACHINE_TEST(another_pid_namespace),
		MACHINE_TEST(another_time_namespace),
		MACHINE_TEST(a_bound_file),
		MACHINE_TEST(a_bound_file_that_was_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
