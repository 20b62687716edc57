// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <numatally/ledger.h>

#define SYSTEM "/dev/shm/numatally"
#define NOBODY 65534

static char dir[32] = "/tmp/tally-path-XXXXXX";

static void touch(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0640);

	assert_true(fd >= 0);
	close(fd);
}

static void the_directory_of_NUMATALLY_DIR(void **state)
{
	char path[128], expected[128];

	(void)state;
	setenv("NUMATALLY_DIR", dir, 1);
	snprintf(expected, sizeof(expected), "%s/a.ledger", dir);
	assert_int_equal(tally_ledger_path("a", path, sizeof(path)), 0);
	assert_string_equal(path, expected);
	strcpy(path, "as it was");
	assert_int_equal(tally_ledger_find("a", path, sizeof(path)), -ENOENT);
	assert_int_equal(tally_ledger_find(".a", path, sizeof(path)), -EINVAL);
	assert_int_equal(tally_ledger_find("", path, sizeof(path)), -EINVAL);
	touch(expected);
	assert_int_equal(tally_ledger_find("a", path, 8), -ENAMETOOLONG);
	assert_string_equal(path, "as it was");
	assert_int_equal(tally_ledger_find("a", path, sizeof(path)), 0);
	assert_string_equal(path, expected);
	assert_int_equal(tally_ledger_find("/no/such", path, sizeof(path)), 0);
	assert_string_equal(path, "/no/such");
	unlink(expected);
	assert_int_equal(tally_ledger_make_dir(), 0);
	/* Where its group may write, or all others. */
	assert_int_equal(chmod(dir, 0775), 0);
	assert_int_equal(tally_ledger_make_dir(), -EPERM);
	assert_int_equal(chmod(dir, 0757), 0);
	assert_int_equal(tally_ledger_make_dir(), -EPERM);
	assert_int_equal(chmod(dir, 0700), 0);
	/* Of another user. */
	if (!geteuid()) {
		assert_int_equal(chown(dir, NOBODY, NOBODY), 0);
		assert_int_equal(tally_ledger_make_dir(), -EPERM);
		assert_int_equal(chown(dir, 0, 0), 0);
	}
	unsetenv("NUMATALLY_DIR");
}

/* Another user finds root's ledgers. */
static int find_as_nobody(const char *name, const char *expected)
{
	char path[128];
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (setresgid(NOBODY, NOBODY, NOBODY) ||
		    setresuid(NOBODY, NOBODY, NOBODY))
			_exit(2);
		_exit(tally_ledger_find(name, path, sizeof(path)) ||
		      strcmp(path, expected) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void the_systems_directory(void **state)
{
	char name[64], expected[128];

	(void)state;
	if (geteuid() || access("/dev/shm", W_OK) || tally_ledger_make_dir())
		skip();
	snprintf(name, sizeof(name), "test-path-%ld", (long)getpid());
	snprintf(expected, sizeof(expected), SYSTEM "/%s.ledger", name);
	assert_int_equal(find_as_nobody(name, expected), 1);
	touch(expected);
	assert_int_equal(find_as_nobody(name, expected), 0);
	unlink(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_directory_of_NUMATALLY_DIR),
		cmocka_unit_test(the_systems_directory),
	};
	int failed;

	if (!mkdtemp(dir))
		return 99;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return failed;
}
