// SPDX-License-Identifier: MIT
/* The ledgers of this machine: what a list of them tells, and what users may put
 * among them. */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <numatally/reader.h>
#include <numatally/registry.h>

#include "file/layout.h"
#include "support/child.h"
#include "support/fault.h"
#include "support/machine.h"
#include "support/others.h"

#define NOBODY	  65534
#define MANY	  3000
#define NO_USER	  4000000000u
#define USER_DIR  "/dev/shm/numatally-4000000000"
#define USER_FILE USER_DIR "/odd.ledger"

static struct tally_registry *registry;
static uint64_t cursor;

static int set_up(void **state)
{
	int err = machine_setup(state);
	struct machine *m = *state;

	return err || setenv("NUMATALLY_DIR", m->dir, 1);
}

static int tear_down(void **state)
{
	tally_registry_close(registry);
	registry = NULL;
	unsetenv("NUMATALLY_DIR");
	return machine_teardown(state);
}

#define REGISTRY_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void list(unsigned int flags)
{
	tally_registry_close(registry);
	registry = NULL;
	cursor = 0;
	assert_int_equal(tally_registry_open(flags, &registry), 0);
}

static struct tally_registry_entry next(void)
{
	struct tally_registry_entry e = {.size = sizeof(e)};

	assert_int_equal(tally_registry_next(registry, &cursor, &e), 0);
	return e;
}

static void no_more(void)
{
	struct tally_registry_entry e = {.size = sizeof(e)};

	assert_int_equal(tally_registry_next(registry, &cursor, &e), -ENOENT);
}

static struct tally_ledger *ledger(const struct machine *m, const char *name)
{
	struct tally_ledger *l;
	char path[128];

	assert_int_equal(tally_ledger_path(name, path, sizeof(path)), 0);
	assert_int_equal(tally_ledger_create(path, m->topo, machine_resources,
					     2, NULL, &l),
			 0);
	return l;
}

static void put(const struct machine *m, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", m->dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* ---- what an entry tells --------------------------------------------------- */

static void
an_entry_says_who_writes_since_when_and_how_many_accounts(void **state)
{
	struct tally_reader_info info = {.size = sizeof(info)};
	const struct machine *m = *state;
	struct tally_ledger *b = ledger(m, "b"), *a = ledger(m, "a");
	struct tally_registry_entry e;
	struct tally_reader *reader;

	machine_account(a, "one");
	machine_account(a, "two");
	tally_ledger_close(b);
	list(0);
	e = next();
	assert_string_equal(e.name, "a");
	assert_int_equal(tally_reader_open(e.path, &reader), 0);
	assert_int_equal(tally_reader_describe(reader, &info), 0);
	tally_reader_close(reader);
	assert_int_equal(e.error, 0);
	assert_int_equal(e.uid, geteuid());
	assert_true(e.resident_bytes > 0);
	assert_memory_equal(e.instance, info.instance, sizeof(e.instance));
	assert_true(e.created_ns == info.created_ns);
	assert_int_equal(e.nr_accounts, 2);
	assert_int_equal(e.nr_alive, 1);
	assert_int_equal(e.nr_dead, 0);
	assert_int_equal(e.nr_unknown, 0);
	assert_int_equal(e.stale, 0);
	assert_int_equal(e.saved, 0);
	e = next();
	assert_string_equal(e.name, "b");
	assert_int_equal(e.nr_accounts, 0);
	assert_int_equal(e.nr_alive, 0);
	no_more();
	no_more();
	/* As it is now: not when it was listed. */
	tally_ledger_close(a);
	cursor = 0;
	assert_int_equal(next().nr_alive, 0);
}

static void a_writer_that_was_killed_is_dead(void **state)
{
	const struct machine *m = *state;
	struct tally_registry_entry e;
	int said[2];
	pid_t pid;
	char c = 0;

	assert_int_equal(pipe(said), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ledger(m, "a");
		if (write(said[1], &c, 1) != 1)
			_exit(3);
		for (;;)
			pause();
	}
	assert_int_equal(read(said[0], &c, 1), 1);
	list(0);
	assert_int_equal(next().nr_alive, 1);
	child_end(pid);
	cursor = 0;
	e = next();
	assert_int_equal(e.nr_alive, 0);
	assert_int_equal(e.nr_dead, 1);
	close(said[0]);
	close(said[1]);
}

static void a_saved_ledger_says_so(void **state)
{
	const struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(*state, 0);
	struct tally_view *view;
	char path[128];

	snprintf(path, sizeof(path), "%s/saved.ledger", m->dir);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_reader_save(view, path, 0600), 0);
	tally_view_close(view);
	tally_ledger_close(l);
	unlink(m->path);
	list(0);
	assert_int_equal(next().saved, 1);
	no_more();
}

/* ---- what users may put there ---------------------------------------------- */

static void what_is_no_ledger_costs_its_own_entry_alone(void **state)
{
	const struct machine *m = *state;
	struct others others;
	char path[128 + 8];

	others_make(&others, m->dir);
	for (unsigned int i = 0; i < others.nr; i++) {
		snprintf(path, sizeof(path), "%s.ledger", others.paths[i]);
		assert_int_equal(rename(others.paths[i], path), 0);
		assert_true(strlen(path) < sizeof(others.paths[i]));
		strcpy(others.paths[i], path);
		assert_int_equal(lstat(path, &others.was[i]), 0);
	}
	tally_ledger_close(ledger(m, "a ledger"));
	tally_ledger_close(ledger(m, "zzz"));
	list(0);
	for (unsigned int i = 0; i < others.nr + 2; i++) {
		struct tally_registry_entry e = next();
		bool good = !strcmp(e.name, "a ledger") ||
			    !strcmp(e.name, "zzz");

		assert_int_equal(e.uid, geteuid());
		if (good)
			assert_int_equal(e.error, 0);
		else
			assert_true(e.error == -EBADMSG || e.error == -ELOOP);
		assert_int_equal(e.nr_accounts, 0);
	}
	no_more();
	others_assert_untouched(&others);
}

static void patch(const char *path, off_t at, uint32_t word)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, &word, sizeof(word), at), sizeof(word));
	close(fd);
}

static void damaged_cut_and_foreign_ledgers_have_errors(void **state)
{
	const struct machine *m = *state;
	const uint32_t version = LAYOUT_VERSION + 1;
	char path[128];

	for (char name[] = "a"; *name < 'e'; ++*name)
		tally_ledger_close(ledger(m, name));
	snprintf(path, sizeof(path), "%s/a.ledger", m->dir);
	patch(path, offsetof(struct layout_header, version), version);
	snprintf(path, sizeof(path), "%s/b.ledger", m->dir);
	assert_int_equal(truncate(path, 8192), 0);
	snprintf(path, sizeof(path), "%s/c.ledger", m->dir);
	patch(path, offsetof(struct layout_header, params), 1u << 31);
	list(0);
	assert_int_equal(next().error, -EPROTO);
	assert_int_equal(next().error, -EBADMSG);
	assert_int_equal(next().error, -EBADMSG);
	assert_int_equal(next().error, 0);
	no_more();
}

static void names_of_other_files_are_left_out(void **state)
{
	const struct machine *m = *state;

	put(m, ".hidden.ledger", "");
	put(m, ".ledger", "");
	put(m, "ledger", "");
	put(m, "x.ledgers", "");
	put(m, "x.ledger.new", "");
	put(m, "odd\n\033[31m\377.ledger", "");
	list(0);
	assert_string_equal(next().name, "odd\n\033[31m\377");
	no_more();
}

/* As a user, what is not permitted: 0, or the number of what is wrong. */
static int as_nobody(const struct machine *m, const char *path)
{
	struct tally_registry_entry e = {.size = sizeof(e)};

	if (seteuid(NOBODY))
		return 1;
	if (tally_registry_open(0, &registry))
		return 2;
	cursor = 0;
	if (tally_registry_next(registry, &cursor, &e) || !e.name ||
	    e.error != -EACCES || e.uid || !e.resident_bytes)
		return 3;
	if (tally_registry_next(registry, &cursor, &e) || e.error)
		return 4;
	tally_registry_close(registry);
	if (seteuid(0) || chmod(path, 0700) || seteuid(NOBODY) ||
	    tally_registry_open(0, &registry))
		return 5;
	cursor = 0;
	if (tally_registry_next(registry, &cursor, &e) || e.name ||
	    strcmp(e.path, m->dir) != 0 || e.error != -EACCES)
		return 6;
	return tally_registry_next(registry, &cursor, &e) == -ENOENT ? 0 : 7;
}

static void what_is_not_permitted_has_an_error(void **state)
{
	struct machine *m = *state;
	char path[128];
	int status;
	pid_t pid;

	if (geteuid())
		skip();
	tally_ledger_close(ledger(m, "closed"));
	tally_ledger_close(ledger(m, "open"));
	assert_int_equal(chmod(m->dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/closed.ledger", m->dir);
	assert_int_equal(chmod(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/open.ledger", m->dir);
	assert_int_equal(chmod(path, 0644), 0);
	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(as_nobody(m, m->dir));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void thousands_of_entries_are_in_order(void **state)
{
	const struct machine *m = *state;
	char name[32], path[128];
	struct tally_ledger *l = ledger(m, "zzz");

	for (int i = MANY; i--;) {
		snprintf(name, sizeof(name), "n%04d.ledger", i);
		put(m, name, "not a ledger");
	}
	list(0);
	for (int i = 0; i < MANY; i++) {
		struct tally_registry_entry e = next();

		snprintf(name, sizeof(name), "n%04d", i);
		assert_string_equal(e.name, name);
		assert_int_equal(e.error, -EBADMSG);
	}
	assert_int_equal(next().nr_alive, 1);
	no_more();
	tally_ledger_close(l);
	for (int i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "%s/n%04d.ledger", m->dir, i);
		unlink(path);
	}
}

/* ---- directories ----------------------------------------------------------- */

static void a_directory_that_is_missing_or_vanishes_has_no_ledgers(void **state)
{
	const struct machine *m = *state;
	char dir[96], path[128];

	snprintf(dir, sizeof(dir), "%s/ledgers", m->dir);
	setenv("NUMATALLY_DIR", dir, 1);
	list(0);
	no_more();
	assert_int_equal(mkdir(dir, 0700), 0);
	tally_ledger_close(ledger(m, "a"));
	tally_ledger_close(ledger(m, "b"));
	list(0);
	snprintf(path, sizeof(path), "%s/a.ledger", dir);
	unlink(path);
	assert_string_equal(next().name, "b");
	no_more();
	cursor = 0;
	snprintf(path, sizeof(path), "%s/b.ledger", dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	no_more();
}

static void a_directory_that_is_none_is_an_entry(void **state)
{
	const struct machine *m = *state;
	struct tally_registry_entry e;
	char path[128];

	put(m, "file", "");
	snprintf(path, sizeof(path), "%s/file", m->dir);
	setenv("NUMATALLY_DIR", path, 1);
	list(0);
	e = next();
	assert_null(e.name);
	assert_string_equal(e.path, path);
	assert_int_equal(e.error, -ENOTDIR);
	no_more();
}

/* The entry of a directory in /dev/shm, where others may have some, too. */
static int error_of(const char *path)
{
	struct tally_registry_entry e = {.size = sizeof(e)};

	list(TALLY_REGISTRY_NAMES);
	while (!tally_registry_next(registry, &cursor, &e))
		if (!strcmp(e.path, path))
			return e.error;
	return 1;
}

static void a_directory_that_is_not_its_users_own_is_an_entry(void **state)
{
	(void)state;
	if (geteuid() || mkdir(USER_DIR, 0755))
		skip();
	unsetenv("NUMATALLY_DIR");
	assert_int_equal(error_of(USER_DIR), -EPERM);
	assert_int_equal(close(open(USER_FILE, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(error_of(USER_FILE), 1);
	assert_int_equal(chown(USER_DIR, NO_USER, NO_USER), 0);
	assert_int_equal(error_of(USER_DIR), 1);
	assert_int_equal(error_of(USER_FILE), 0);
	unlink(USER_FILE);
	rmdir(USER_DIR);
	/* Not a directory, or a link to one: it has no ledgers. */
	assert_int_equal(close(open(USER_DIR, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(error_of(USER_DIR), 1);
	unlink(USER_DIR);
	assert_int_equal(symlink("/tmp", USER_DIR), 0);
	assert_int_equal(error_of(USER_DIR), 1);
	unlink(USER_DIR);
}

/* ---- calls ----------------------------------------------------------------- */

static void names_alone_open_no_ledger(void **state)
{
	const struct machine *m = *state;
	struct tally_ledger *l = ledger(m, "a");
	struct tally_registry_entry e;

	put(m, "b.ledger", "not a ledger");
	list(TALLY_REGISTRY_NAMES);
	e = next();
	assert_string_equal(e.name, "a");
	assert_int_equal(e.nr_alive, 0);
	assert_int_equal(e.resident_bytes, 0);
	e = next();
	assert_string_equal(e.name, "b");
	assert_int_equal(e.error, 0);
	no_more();
	tally_ledger_close(l);
}

static void wrong_arguments_are_refused(void **state)
{
	struct tally_registry_entry e = {.size = 0, .path = "as it was"};
	const struct machine *m = *state;

	assert_int_equal(tally_registry_open(2, &registry), -EINVAL);
	assert_null(registry);
	tally_registry_close(NULL);
	put(m, "a.ledger", "");
	list(0);
	assert_int_equal(tally_registry_next(registry, &cursor, &e), -EINVAL);
	e.size = sizeof(e) + 5000;
	assert_int_equal(tally_registry_next(registry, &cursor, &e), -EINVAL);
	assert_int_equal(cursor, 0);
	assert_string_equal(e.path, "as it was");
}

static int list_all(void *machine)
{
	struct tally_registry_entry e = {.size = sizeof(e)};
	struct tally_registry *r;
	uint64_t at = 0;
	int err = tally_registry_open(0, &r), nr = 0;

	(void)machine;
	if (err)
		return err;
	while (!(err = tally_registry_next(r, &at, &e)) && !e.error)
		nr++;
	/* What failed was a call for this entry alone. */
	if (!err)
		err = e.error;
	else if (err == -ENOENT)
		err = nr == 2 ? 0 : 1;
	tally_registry_close(r);
	return err;
}

static void each_failure_is_an_error_and_leaves_nothing(void **state)
{
	const struct machine *m = *state;

	machine_few_cpus(*state);
	tally_ledger_close(ledger(m, "a"));
	tally_ledger_close(ledger(m, "b"));
	fault_each_call(list_all, *state);
	fault_each_signal(list_all, *state);
	fault_each_allocation(list_all, *state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGISTRY_TEST(
			an_entry_says_who_writes_since_when_and_how_many_accounts),
		REGISTRY_TEST(a_writer_that_was_killed_is_dead),
		REGISTRY_TEST(a_saved_ledger_says_so),
		REGISTRY_TEST(what_is_no_ledger_costs_its_own_entry_alone),
		REGISTRY_TEST(damaged_cut_and_foreign_ledgers_have_errors),
		REGISTRY_TEST(names_of_other_files_are_left_out),
		REGISTRY_TEST(what_is_not_permitted_has_an_error),
		REGISTRY_TEST(thousands_of_entries_are_in_order),
		REGISTRY_TEST(
			a_directory_that_is_missing_or_vanishes_has_no_ledgers),
		REGISTRY_TEST(a_directory_that_is_none_is_an_entry),
		REGISTRY_TEST(
			a_directory_that_is_not_its_users_own_is_an_entry),
		REGISTRY_TEST(names_alone_open_no_ledger),
		REGISTRY_TEST(wrong_arguments_are_refused),
		REGISTRY_TEST(each_failure_is_an_error_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
