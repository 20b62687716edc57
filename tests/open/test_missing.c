// SPDX-License-Identifier: MIT
/* Where what opening takes is missing, or the program closes it: locks, /proc,
 * descriptors, permissions. */
#include "support/test.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/inside.h"
#include "support/openers.h"
#include "support/spaces.h"

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

/* ---- what is missing ----------------------------------------------------- */

/* As before Linux 3.15. */
static bool refuse_locks(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, F_OFD_GETLK, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, F_OFD_SETLKW, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int without_locks(struct machine *m)
{
	struct tally_writer writer = {.size = sizeof(writer)};
	struct tally_reader *reader;
	struct tally_ledger *l;
	struct tally_view *view;
	uint64_t cursor = 0;
	char path[128];

	if (!refuse_locks())
		return 77;
	if (tally_ledger_open(m->path, &l) != -EOPNOTSUPP)
		return 1;
	if (tally_ledger_create(NULL, m->topo, machine_reservables, 2, NULL,
				&l) != -EOPNOTSUPP)
		return 2;
	/* To read, and to save what is read, takes none. */
	if (tally_reader_open(m->path, &reader) ||
	    tally_reader_writer_next(reader, &cursor, &writer) ||
	    writer.alive != -1)
		return 3;
	snprintf(path, sizeof(path), "%s/saved", m->dir);
	if (tally_reader_view(reader, &view) ||
	    tally_reader_save(view, path, 0400))
		return 4;
	tally_view_close(view);
	tally_reader_close(reader);
	return 0;
}

static void a_kernel_without_such_locks(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l;
	pid_t pid;
	int got;

	make(m);
	pid = holder(m);
	got = result_of(child_of(without_locks, m));
	inside_kill(m->path, pid);
	if (got == 77)
		skip();
	assert_int_equal(got, 0);
	assert_int_equal(tally_ledger_open(m->path, &l), 0);
	tally_ledger_close(l);
}

static int add_in_child(struct tally_ledger *l, struct tally_account a)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(-tally_ledger_add(l, a, 0, 1));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : 1;
}

static int without_proc(struct machine *m)
{
	struct tally_account a;
	struct tally_ledger *l;

	if (!spaces_without_proc())
		return 77;
	if (tally_ledger_create(NULL, m->topo, machine_reservables, 2, NULL,
				&l) != -ENOSYS)
		return 1;
	l = create(m, 0, 0);
	if (tally_account_open(tally_ledger_accounts(l), "a", &a) ||
	    add_in_child(l, a))
		return 2;
	if (unlink(m->path) || add_in_child(l, a) != -ENOSYS ||
	    tally_ledger_add(l, a, 0, 1))
		return 3;
	tally_ledger_close(l);
	return 0;
}

static void a_machine_without_proc(void **state)
{
	int got = result_of(child_of(without_proc, *state));

	if (got == 77)
		skip();
	assert_int_equal(got, 0);
}

static int without_descriptors(struct machine *m)
{
	struct rlimit limit;
	struct tally_ledger *l;
	int lowest = dup(0), err = -EMFILE, nr_failed = 0;

	close(lowest);
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	limit.rlim_cur = (rlim_t)lowest;
	/* It takes the file, and the file once more. */
	for (; err == -EMFILE && limit.rlim_cur < 100; limit.rlim_cur++) {
		if (setrlimit(RLIMIT_NOFILE, &limit))
			return 2;
		err = tally_ledger_open(m->path, &l);
		nr_failed += err == -EMFILE;
	}
	if (err || nr_failed < 2)
		return 3;
	if (dup(0) < 0) /* one of them is free again */
		return 4;
	tally_ledger_close(l);
	return 0;
}

static void no_descriptor_is_left(void **state)
{
	make(*state);
	assert_int_equal(result_of(child_of(without_descriptors, *state)), 0);
}

/* A file that its owner may not open. */
static int with_a_mode(struct machine *m)
{
	struct tally_ledger *l;
	struct stat st;

	if (!geteuid() &&
	    (chmod(m->dir, 0777) || setgid(65534) || setuid(65534)))
		return 77;
	l = create(m, 0, 0044);
	if (stat(m->path, &st) || st.st_mode % 01000 != 0044)
		return 1;
	if (reserve(l, "a"))
		return 2;
	tally_ledger_close(l);
	return tally_ledger_open(m->path, &l) == -EACCES ? 0 : 3;
}

static void a_mode_without_the_owner(void **state)
{
	int got = result_of(child_of(with_a_mode, *state));

	if (got == 77)
		skip();
	assert_int_equal(got, 0);
}

/* ---- descriptors that the program closes --------------------------------- */

#define NR_FOREIGN 8

/* Replace every descriptor by another file's. */
static bool replace_all(const char *path, int *fds)
{
	syscall(SYS_close_range, 3, ~0u, 0);
	for (int i = 0; i < NR_FOREIGN; i++) {
		fds[i] = open(path, O_CREAT | O_RDWR, 0600);
		if (fds[i] != 3 + i || lseek(fds[i], 5, SEEK_SET) != 5)
			return false;
	}
	return true;
}

static bool are_untouched(const int *fds)
{
	struct stat st;

	for (int i = 0; i < NR_FOREIGN; i++)
		if (fstat(fds[i], &st) || st.st_size || st.st_blocks ||
		    lseek(fds[i], 0, SEEK_CUR) != 5)
			return false;
	return true;
}

static int add_to_many(struct tally_ledger *l, int from)
{
	char key[16];

	for (int i = from; i < from + 500; i++) {
		struct tally_account a;
		int err;

		snprintf(key, sizeof(key), "%d", i);
		err = tally_account_open(tally_ledger_accounts(l), key, &a);
		if (!err)
			err = tally_ledger_add(l, a, 0, 1);
		if (err)
			return err;
	}
	return 0;
}

static int close_all(struct machine *m)
{
	struct tally_reader *reader;
	struct tally_ledger *l;
	struct tally_view *view;
	int fds[NR_FOREIGN];
	char path[128];

	snprintf(path, sizeof(path), "%s/foreign", m->dir);
	if (tally_ledger_open(m->path, &l) ||
	    tally_reader_open(m->path, &reader) || add_to_many(l, 0))
		return 1;
	if (!replace_all(path, fds))
		return 2;
	if (add_to_many(l, 500) || reserve(l, "a") ||
	    tally_reader_view(reader, &view))
		return 3;
	tally_view_close(view);
	view = NULL;
	if (tally_view_snapshot(l, 0, SECOND_NS, &view) == -EAGAIN)
		return 4;
	tally_view_close(view);
	if (add_in_child(l, machine_account(l, "0")))
		return 5;
	/* Without a path there is no way back. */
	if (unlink(m->path) || !replace_all(path, fds))
		return 6;
	if (add_to_many(l, 1000) != -EBADF)
		return 7;
	if (!are_untouched(fds))
		return 8;
	tally_reader_close(reader);
	tally_ledger_close(l);
	return are_untouched(fds) ? 0 : 9;
}

static void a_program_closes_every_descriptor(void **state)
{
	make(*state);
	assert_int_equal(result_of(child_of(close_all, *state)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_kernel_without_such_locks),
		MACHINE_TEST(a_machine_without_proc),
		MACHINE_TEST(no_descriptor_is_left),
		MACHINE_TEST(a_mode_without_the_owner),
		MACHINE_TEST(a_program_closes_every_descriptor),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
