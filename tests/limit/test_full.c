// SPDX-License-Identifier: MIT
/*
 * Reservations without memory for them, without a row, without permission to
 * write, or beyond the limit of file sizes: a clear error, and all is as
 * before.
 */
#include "support/test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <numatally/reader.h>

#include "support/limits.h"
#include "support/machine.h"

#define MEMORY	  1
#define FULL_SIZE "size=16m"
#define MAX_PAGES 64

enum { SKIPPED = 77 };

static int reserve(struct tally_ledger *l, struct tally_account a,
		   struct tally_token *t, struct tally_refusal *why)
{
	const struct tally_demand demands[2] = {{0, MEMORY, 2}, {5, MEMORY, 3}};
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = 2};

	return tally_limit_reserve(l, a, &request, t, why);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static bool become_apart(void)
{
	char users[64], groups[64];

	if (!unshare(CLONE_NEWNS))
		return true;
	snprintf(users, sizeof(users), "0 %d 1", (int)getuid());
	snprintf(groups, sizeof(groups), "0 %d 1", (int)getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return false;
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", users);
	write_file("/proc/self/gid_map", groups);
	return true;
}

/* A mount namespace with a file system on the test's directory. */
static bool mount_small(const struct machine *m)
{
	if (!become_apart())
		return false;
	return !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("tmpfs", m->dir, "tmpfs", 0, FULL_SIZE);
}

/* Calls run in a process that may mount. */
static void apart(void **state, void (*what)(struct machine *m))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (!mount_small(*state))
			_exit(SKIPPED);
		what(*state);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_int_equal(status, 0);
}

/* In that process a failure is an exit status. */
static void expect(bool good, int line)
{
	if (good)
		return;
	print_error("line %d\n", line);
	_exit(1);
}
#define EXPECT(good) expect(good, __LINE__)

/* ---- a full file system -------------------------------------------------- */

/* Takes all free memory, and returns the file. */
static int fill(const struct machine *m, off_t *bytes)
{
	long page = sysconf(_SC_PAGESIZE);
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/filler", m->dir);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	EXPECT(fd >= 0);
	*bytes = 0;
	while (!posix_fallocate(fd, *bytes, page))
		*bytes += page;
	return fd;
}

static void expect_untouched(struct tally_ledger *l, int64_t held)
{
	struct tally_limit limit = limits_of_node(l, 5);

	EXPECT(limit.held == held && limit.limit == 100);
	EXPECT(limit.nr_refused == 0);
	limits_agree(l);
}

/* With as many pages as it needs, counted up from none. */
static int try_with_more(struct tally_ledger *l, struct tally_account a, int fd,
			 off_t *bytes, struct tally_token *t)
{
	long page = sysconf(_SC_PAGESIZE);
	int64_t held = limits_of_node(l, 5).held;

	for (int pages = 0; pages < MAX_PAGES; pages++) {
		struct tally_refusal why;
		int err;

		memset(&why, 0xff, sizeof(why));
		why.size = sizeof(why);
		*t = (struct tally_token){7, 7};
		err = reserve(l, a, t, &why);
		if (!err)
			return pages;
		EXPECT(err == -ENOSPC);
		EXPECT(why.node == 0 && why.resource == 0 && why.asked == 0 &&
		       why.free == 0 && why.account.row == 0);
		EXPECT(t->row == 7 && t->generation == 7);
		expect_untouched(l, held);
		*bytes -= page;
		EXPECT(!ftruncate(fd, *bytes));
	}
	EXPECT(false);
	return 0;
}

static struct tally_ledger *make(const struct machine *m)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .max_accounts = 1000};
	struct tally_ledger *l = NULL;

	EXPECT(!tally_ledger_create(m->path, m->topo, machine_reservables, 2,
				    &options, &l));
	EXPECT(!tally_limit_set_capacity(l, 5, MEMORY, 100));
	return l;
}

static struct tally_account account(struct tally_ledger *l, int i)
{
	struct tally_account a;
	char key[16];

	snprintf(key, sizeof(key), "a%d", i);
	EXPECT(!tally_account_open(tally_ledger_accounts(l), key, &a));
	return a;
}

static void fill_and_reserve(struct machine *m)
{
	struct tally_ledger *l;
	struct tally_token t, u;
	off_t bytes;
	int fd, pages;

	l = make(m);
	for (int i = 0; i < 1000; i++)
		account(l, i);
	fd = fill(m, &bytes);
	EXPECT(tally_limit_set_quota(l, account(l, 0), MEMORY, 9) == -ENOSPC);
	pages = try_with_more(l, account(l, 0), fd, &bytes, &t);
	EXPECT(pages > 1);
	/* What exists needs no more memory. */
	EXPECT(!tally_limit_set_quota(l, account(l, 1), MEMORY, 9));
	EXPECT(!reserve(l, account(l, 1), &u, NULL));
	EXPECT(!tally_limit_commit(l, t));
	EXPECT(!tally_limit_cancel(l, u));
	EXPECT(!tally_limit_reap(l));
	/* The same again, for a bucket far behind. */
	EXPECT(try_with_more(l, account(l, 999), fd, &bytes, &u) > 1);
	EXPECT(!tally_limit_release(l, t, NULL, 0));
	EXPECT(!tally_limit_release(l, u, NULL, 0));
	expect_untouched(l, 0);
	tally_ledger_close(l);
}

static void a_full_file_system(void **state)
{
	machine_few_cpus(*state);
	apart(state, fill_and_reserve);
}

/* ---- a read-only file system --------------------------------------------- */

static void read_only(struct machine *m)
{
	struct tally_reader *reader;
	struct tally_ledger *l = make(m);
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_view *view;
	struct tally_token t;

	EXPECT(!reserve(l, account(l, 0), &t, NULL));
	EXPECT(!tally_limit_commit(l, t));
	tally_ledger_close(l);
	EXPECT(!mount(NULL, m->dir, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	EXPECT(tally_ledger_open(m->path, &l) == -EROFS);
	EXPECT(!tally_reader_open(m->path, &reader));
	EXPECT(!tally_reader_view(reader, &view));
	EXPECT(!tally_limit_node(view, 5, MEMORY, &limit));
	EXPECT(limit.held == 3 && limit.limit == 100);
	tally_view_close(view);
	tally_reader_close(reader);
}

static void a_read_only_file_system(void **state)
{
	machine_few_cpus(*state);
	apart(state, read_only);
}

/* ---- other limits -------------------------------------------------------- */

static void a_limit_to_the_size_of_files(void **state)
{
	const struct rlimit small = {4096, RLIM_INFINITY};
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct rlimit old;
	struct tally_token t;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	/* The file does not grow, so the limit does not matter. */
	assert_int_equal(tally_limit_set_quota(l, a, MEMORY, 9), 0);
	assert_int_equal(reserve(l, a, &t, NULL), 0);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	limits_agree(l);
	tally_ledger_close(l);
}

/* The tables end inside the last bucket. */
static void no_more_rows(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 70);
	struct tally_account a;
	struct tally_token t[70];
	char key[16];

	for (int i = 0; i < 70; i++) {
		snprintf(key, sizeof(key), "a%d", i);
		a = machine_account(l, key);
		assert_int_equal(tally_limit_set_quota(l, a, MEMORY, 5), 0);
		assert_int_equal(reserve(l, a, &t[i], NULL), 0);
	}
	assert_int_equal(
		tally_account_open(tally_ledger_accounts(l), "more", &a),
		-ENOSPC);
	assert_int_equal(limits_of_node(l, 5).held, 210);
	limits_agree(l);
	for (int i = 0; i < 70; i++)
		assert_int_equal(tally_limit_release(l, t[i], NULL, 0), 0);
	assert_int_equal(limits_of_node(l, 5).held, 0);
	limits_agree(l);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_full_file_system),
		MACHINE_TEST(a_read_only_file_system),
		MACHINE_TEST(a_limit_to_the_size_of_files),
		MACHINE_TEST(no_more_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
