// SPDX-License-Identifier: MIT
/*
 * Which writers live: the table of lib/README.md, of which each cell is tried.
 * A subject has a ledger open, and holds all of a node; what becomes of it is
 * told right by the library, always, and by other means only where the table
 * says so.
 */
#include "support/test.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/machine.h"
#include "support/spaces.h"

#define MEMORY	 1
#define GONE_NS	 (20 * SECOND_NS)
#define NR_TRIES 200 /* for a PID within a tick of the clock */

/* Means to tell whether a process lives. */
enum {
	PID_START,   /* its PID and start time in /proc */
	RECORD_LOCK, /* fcntl(2), F_SETLK */
	DESCRIPTOR,  /* F_OFD_SETLK; a descriptor keeps the description */
	LIBRARY,     /* the same, kept by a mapping that no child gets */
	NR_MEANS,
};

struct subject {
	pid_t pid;	/* in its own namespace */
	pid_t outer;	/* in ours */
	pid_t child;	/* that it leaves */
	uint64_t start; /* 0: it could not be read */
	int ready;	/* 1; -1: refused here */
	int acted;
};

struct scene {
	const char *path, *side; /* the ledger; a file for other locks */
	struct subject *subject; /* shared */
};

struct row {
	const char *name;
	bool (*enter)(void); /* by the subject; the asker */
	bool (*ask_from)(void);
	void (*act)(const struct scene *s);
	enum { LIVES, ACTS_AND_DIES, IS_KILLED, IS_REPLACED } end;
	bool right[NR_MEANS];
};

/* ---- the subject --------------------------------------------------------- */

struct stat_line {
	char state;
	int nr_threads;
	uint64_t start; /* 0: /proc does not tell */
};

/* 0: of this process. */
static struct stat_line stat_of(pid_t pid)
{
	char path[32], text[1024] = "", *p;
	struct stat_line got = {0};
	FILE *f;

	strcpy(path, "/proc/self/stat");
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return got;
	p = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	fclose(f);
	if (p)
		sscanf(p + 1,
		       " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		       "%*s %*s %*s %*s %d %*s %" SCNu64,
		       &got.state, &got.nr_threads, &got.start);
	return got;
}

static int lock(int fd, int command, short type, off_t byte, short *found)
{
	struct flock lock = {.l_type = type, .l_start = byte, .l_len = 1};
	int err = fcntl(fd, command, &lock);

	if (found)
		*found = lock.l_type;
	return err;
}

static int reserve(const char *path, const char *key, struct tally_ledger **l)
{
	const struct tally_demand demand = {0, MEMORY, 1};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_account a;
	struct tally_token t;
	int err = tally_ledger_open(path, l);

	if (!err)
		err = tally_account_open(tally_ledger_accounts(*l), key, &a);
	return err ? err : tally_limit_reserve(*l, a, &request, &t, NULL);
}

static bool be_seen(const struct scene *s)
{
	int side = open(s->side, O_RDWR | O_CLOEXEC);
	int kept = open(s->side, O_RDWR | O_CLOEXEC);
	int64_t end = now_ns() + GONE_NS;
	struct tally_ledger *l;
	int err;

	s->subject->pid = getpid();
	s->subject->start = stat_of(0).start;
	/* While another process reads of one in /proc, its memory stays; and a
	 * killed child of the last subject may not have closed its files. */
	while ((err = reserve(s->path, "subject", &l)) == -ENOSPC &&
	       now_ns() < end) {
		tally_ledger_close(l);
		usleep(1000);
	}
	while ((lock(side, F_SETLK, F_WRLCK, 0, NULL) ||
		lock(kept, F_OFD_SETLK, F_WRLCK, 1, NULL)) &&
	       now_ns() < end)
		usleep(1000);
	return !err && now_ns() < end;
}

static void be_subject(const struct scene *s, const struct row *row)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(600);
	s->subject->ready = be_seen(s) ? 1 : -2;
	if (row->act)
		row->act(s);
	s->subject->acted = 1;
	for (;;)
		pause();
}

/* Its parent, which reaps it when it is told to. */
static void keep_subject(const struct scene *s, const struct row *row, int fd)
{
	pid_t pid;
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (row->enter && !row->enter()) {
		s->subject->ready = -1;
		_exit(0);
	}
	pid = fork();
	if (!pid)
		be_subject(s, row);
	__atomic_store_n(&s->subject->outer, pid, __ATOMIC_RELEASE);
	if (read(fd, &c, 1) == 1)
		waitpid(pid, NULL, 0);
	_exit(0);
}

/* ---- the asker ----------------------------------------------------------- */

static bool lives_by_pid(const struct subject *subject)
{
	struct stat_line line;

	if (kill(subject->pid, 0) && errno == ESRCH)
		return false;
	line = stat_of(subject->pid);
	if (!line.start)
		return true;
	return (line.state != 'Z' || line.nr_threads > 1) &&
	       (!subject->start || line.start == subject->start);
}

/* What a reader is told, and what happens to the reservation: the same. */
static bool lives_by_library(const char *path)
{
	struct tally_writer writer = {.size = sizeof(writer)};
	struct tally_reader *reader;
	struct tally_ledger *l;
	uint64_t cursor = 0;
	bool alive;
	int err;

	if (tally_reader_open(path, &reader))
		_exit(101);
	alive = !tally_reader_writer_next(reader, &cursor, &writer) &&
		writer.alive;
	tally_reader_close(reader);
	err = reserve(path, "asker", &l);
	if (err && err != -ENOSPC)
		_exit(102);
	tally_ledger_close(l);
	/* It may have died in between. */
	if (err && !alive)
		_exit(103);
	return err != 0;
}

static void be_asker(const struct scene *s, const struct row *row)
{
	int fd = open(s->side, O_RDWR | O_CLOEXEC), lives = 0;
	short type;

	if (row->ask_from && !row->ask_from())
		_exit(100);
	/* First: the kernel drops this lock last. */
	if (lives_by_library(s->path))
		lives |= 1 << LIBRARY;
	if (lives_by_pid(s->subject))
		lives |= 1 << PID_START;
	if (!lock(fd, F_GETLK, F_WRLCK, 0, &type) && type != F_UNLCK)
		lives |= 1 << RECORD_LOCK;
	if (!lock(fd, F_OFD_GETLK, F_WRLCK, 1, &type) && type != F_UNLCK)
		lives |= 1 << DESCRIPTOR;
	_exit(lives);
}

/* A set of means by which it lives; -1: the asker's namespaces are refused. */
static int ask(const struct scene *s, const struct row *row)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		be_asker(s, row);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 100)
		return -1;
	assert_true(WEXITSTATUS(status) < 1 << NR_MEANS);
	return WEXITSTATUS(status);
}

/* Until the library says so: the kernel takes a while to end a process. */
static int ask_until_gone(const struct scene *s, const struct row *row)
{
	int64_t end = now_ns() + GONE_NS;
	int lives;

	while ((lives = ask(s, row)) > 0 && lives & 1 << LIBRARY) {
		if (now_ns() > end)
			fail_msg("%s: still lives", row->name);
		usleep(1000);
	}
	return lives;
}

/* ---- what subjects do ---------------------------------------------------- */

static void stop(const struct scene *s)
{
	(void)s;
	raise(SIGSTOP);
}

static void close_all(const struct scene *s)
{
	(void)s;
	syscall(SYS_close_range, 3, ~0u, 0);
}

static void close_others(const struct scene *s)
{
	close(open(s->side, O_RDONLY | O_CLOEXEC));
	close(open(s->path, O_RDONLY | O_CLOEXEC));
}

static void execute(const struct scene *s)
{
	(void)s;
	execlp("sleep", "sleep", "120", NULL);
	_exit(1);
}

static void leave_a_child(const struct scene *s)
{
	pid_t pid = fork();

	if (!pid) {
		alarm(600);
		for (;;)
			pause();
	}
	s->subject->child = pid;
}

static void *act_alone(void *arg)
{
	struct subject *subject = arg;

	while (stat_of(subject->pid).state != 'Z')
		sched_yield();
	subject->acted = 1;
	for (;;)
		pause();
	return NULL;
}

static void end_first_thread(const struct scene *s)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, act_alone, s->subject))
		_exit(1);
	pthread_exit(NULL);
}

static bool enter_pids(void)
{
	return spaces_leave(CLONE_NEWPID);
}

static bool enter_time(void)
{
	return spaces_leave(CLONE_NEWTIME);
}

static bool enter_users(void)
{
	return spaces_leave(CLONE_NEWUSER);
}

/* Another user, from whom /proc hides the subject. */
static bool see_nothing(void)
{
	return geteuid() == 0 && spaces_hide_processes() && !setgid(65534) &&
	       !setuid(65534);
}

/* ---- the table ----------------------------------------------------------- */

static const struct row rows[] = {
	{"runs", NULL, NULL, NULL, LIVES, {1, 1, 1, 1}},
	{"is stopped", NULL, NULL, stop, LIVES, {1, 1, 1, 1}},
	{"lost its first thread",
	 NULL,
	 NULL,
	 end_first_thread,
	 LIVES,
	 {1, 1, 1, 1}},
	{"other PID namespace", enter_pids, NULL, NULL, LIVES, {0, 1, 1, 1}},
	{"other time namespace", enter_time, NULL, NULL, LIVES, {0, 1, 1, 1}},
	{"other user namespace", enter_users, NULL, NULL, LIVES, {1, 1, 1, 1}},
	{"other mount namespace, without /proc",
	 spaces_without_proc,
	 NULL,
	 NULL,
	 LIVES,
	 {1, 1, 1, 1}},
	{"closefrom", NULL, NULL, close_all, LIVES, {1, 0, 0, 1}},
	{"opened and closed the file again",
	 NULL,
	 NULL,
	 close_others,
	 LIVES,
	 {1, 0, 1, 1}},
	{"is a zombie", NULL, NULL, NULL, IS_KILLED, {1, 1, 1, 1}},
	{"is a zombie, and hidden",
	 NULL,
	 see_nothing,
	 NULL,
	 IS_KILLED,
	 {0, 1, 1, 1}},
	{"execve", NULL, NULL, execute, ACTS_AND_DIES, {0, 1, 1, 1}},
	{"left a child", NULL, NULL, leave_a_child, IS_KILLED, {1, 1, 0, 1}},
	{"its PID is used again", NULL, NULL, NULL, IS_REPLACED, {0, 1, 1, 1}},
};

static void compare(const struct row *row, int lives, bool expected)
{
	for (int i = 0; i < NR_MEANS; i++)
		if ((((lives >> i & 1) != 0) == expected) != row->right[i])
			fail_msg("%s: means %d says %d", row->name, i,
				 lives >> i & 1);
}

static void end(const struct scene *s, pid_t keeper, int fd)
{
	if (s->subject->outer > 0)
		kill(s->subject->outer, SIGKILL);
	if (s->subject->child > 0)
		kill(s->subject->child, SIGKILL);
	/* A keeper that was refused its namespaces has ended. */
	assert_true(write(fd, "", 1) == 1 || s->subject->ready == -1);
	assert_int_equal(waitpid(keeper, NULL, 0), keeper);
	close(fd);
}

/* The next process with that PID, or -1. */
static pid_t replace(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&pid,
		.set_tid_size = 1,
	};
	long got = syscall(SYS_clone3, &args, sizeof(args));

	if (got)
		return (pid_t)got;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static pid_t start(const struct scene *s, const struct row *row, int *fd)
{
	struct subject *subject = s->subject;
	pid_t keeper;
	int fds[2];

	memset(s->subject, 0, sizeof(*s->subject));
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	keeper = fork();
	assert_true(keeper >= 0);
	if (!keeper) {
		close(fds[1]);
		keep_subject(s, row, fds[0]);
	}
	close(fds[0]);
	*fd = fds[1];
	while (!__atomic_load_n(&subject->ready, __ATOMIC_ACQUIRE) ||
	       (subject->ready != -1 &&
		!__atomic_load_n(&subject->outer, __ATOMIC_ACQUIRE)))
		usleep(100);
	return keeper;
}

/* Whether the new process has the old one's start time, too. */
static bool try_replaced(const struct scene *s, const struct row *row)
{
	int fd, lives;
	pid_t keeper = start(s, row, &fd), pid;
	bool same;

	assert_int_equal(s->subject->ready, 1);
	end(s, keeper, fd);
	pid = replace(s->subject->pid);
	if (pid < 0) {
		print_message("# %s: refused\n", row->name);
		return true;
	}
	same = stat_of(pid).start == s->subject->start;
	if (same) {
		lives = ask_until_gone(s, row);
		compare(row, lives, false);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return same;
}

static void try(const struct scene *s, const struct row *row)
{
	int fd, lives;
	pid_t keeper = start(s, row, &fd);

	if (s->subject->ready != 1) {
		assert_int_equal(s->subject->ready, -1);
		print_message("# %s: refused\n", row->name);
		end(s, keeper, fd);
		return;
	}
	if (row->end == IS_KILLED || row->end == LIVES)
		while (row->act != stop &&
		       !__atomic_load_n(&s->subject->acted, __ATOMIC_ACQUIRE))
			usleep(100);
	if (row->end == IS_KILLED)
		kill(s->subject->outer, SIGKILL);
	lives = row->end == LIVES ? ask(s, row) : ask_until_gone(s, row);
	if (lives < 0)
		print_message("# %s: refused\n", row->name);
	else
		compare(row, lives, row->end == LIVES);
	kill(s->subject->outer, SIGKILL);
	ask_until_gone(s, row);
	end(s, keeper, fd);
}

static void each_cell(void **state)
{
	struct machine *m = *state;
	char path[128], side[128];
	struct scene s = {path, side, NULL};

	s.subject = mmap(NULL, sizeof(*s.subject), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(s.subject, MAP_FAILED);
	assert_int_equal(chmod(m->dir, 0755), 0);
	snprintf(path, sizeof(path), "%s", m->path);
	snprintf(side, sizeof(side), "%s/side", m->dir);
	close(open(side, O_CREAT | O_RDWR | O_CLOEXEC, 0666));
	assert_int_equal(chmod(side, 0666), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tally_ledger *l = machine_limit_ledger(m, 0);
		int tries = NR_TRIES;

		assert_int_equal(chmod(path, 0666), 0);
		assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 1), 0);
		tally_ledger_close(l);
		if (rows[i].end != IS_REPLACED)
			try(&s, &rows[i]);
		else
			while (!try_replaced(&s, &rows[i]) && --tries)
				;
		if (!tries)
			print_message("# %s: never within a tick\n",
				      rows[i].name);
		assert_int_equal(unlink(path), 0);
	}
	munmap(s.subject, sizeof(*s.subject));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(each_cell),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
