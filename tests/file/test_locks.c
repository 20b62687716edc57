// SPDX-License-Identifier: MIT
/* The lock that tells whether a writer lives: what keeps it, and what does not. */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <numatally/reader.h>

#include "file/layout.h"
#include "support/inside.h"
#include "support/machine.h"
#include "support/refusal.h"

/* Whether a writer is listed as alive, 1, 0 or -1; -2: it is not listed. */
static int alive(struct tally_reader *reader, pid_t pid)
{
	struct tally_writer writer = {.size = sizeof(writer)};
	uint64_t cursor = 0;

	while (!tally_reader_writer_next(reader, &cursor, &writer))
		if (writer.pid == pid)
			return writer.alive;
	return -2;
}

/* A writer that waits until it is killed. With a child of its own, which lives
 * until the other end of *fd is closed. */
static pid_t start_writer(const struct machine *m, bool has_child, int *fd)
{
	struct tally_ledger *ledger;
	int ready[2], life[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(life), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(life[1]);
		if (tally_ledger_open(m->path, &ledger))
			_exit(1);
		if (has_child && !fork()) {
			close(ready[1]);
			(void)!read(life[0], &c, 1);
			_exit(0);
		}
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)!write(ready[1], "", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	close(life[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	*fd = life[1];
	return pid;
}

static struct tally_reader *open_reader(const struct machine *m)
{
	struct tally_reader *reader;

	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	return reader;
}

/* Also if it is not waited for yet. */
static void a_child_keeps_nothing(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 64);
	struct tally_reader *reader = open_reader(m);
	siginfo_t info;
	pid_t pid;
	int fd;

	pid = start_writer(m, true, &fd);
	assert_int_equal(alive(reader, pid), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(alive(reader, pid), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(alive(reader, pid), 0);
	close(fd);
	tally_reader_close(reader);
	tally_ledger_close(ledger);
}

static void a_readers_lock_is_nobodys(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 64), *another;
	struct tally_reader *reader = open_reader(m);
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	int locked, fd;
	pid_t pid;

	pid = start_writer(m, false, &fd);
	inside_kill(m->path, pid);
	close(fd);
	locked = open(m->path, O_RDONLY | O_CLOEXEC);
	assert_true(locked >= 0);
	/* Of all slots but this process's, the first. */
	lock.l_start = (off_t)(LAYOUT_LOCKS + (UINT64_C(1) << 32));
	assert_int_equal(fcntl(locked, F_OFD_SETLK, &lock), 0);
	assert_int_equal(alive(reader, getpid()), 1);
	assert_int_equal(alive(reader, pid), 0);
	assert_int_equal(tally_ledger_open(m->path, &another), 0);
	tally_ledger_close(another);
	close(locked);
	tally_reader_close(reader);
	tally_ledger_close(ledger);
}

static void what_is_not_told_is_not_death(void **state)
{
	const int calls[1] = {SYS_fcntl};
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 64);
	struct tally_reader *reader = open_reader(m);
	pid_t pid, parent = getpid();
	int status;

	assert_int_equal(alive(reader, parent), 1);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (refusal_start(calls, 1, EPERM))
			_exit(77);
		_exit(alive(reader, parent) == -1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	tally_reader_close(reader);
	tally_ledger_close(ledger);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_child_keeps_nothing),
		MACHINE_TEST(a_readers_lock_is_nobodys),
		MACHINE_TEST(what_is_not_told_is_not_death),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
