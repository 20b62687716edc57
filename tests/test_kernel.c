// SPDX-License-Identifier: MIT
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <numatally/kernel.h>

#define FIELDS                                                                   \
	"S 17 4242 4242 0 -1 4194560 111 222 33 44 150 25 6 7 20 0 3 0 "         \
	"987654321 3000000 512 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 " \
	"17 5 0 0 0 0 0\n"

static void parse_stat(void **state)
{
	const char *text = "4242 (make) " FIELDS;
	struct tally_stat s;
	int64_t tick = 1000000000 / sysconf(_SC_CLK_TCK);

	(void)state;
	assert_int_equal(tally_kernel_stat_parse(text, strlen(text), &s), 0);
	assert_int_equal(s.pid, 4242);
	assert_int_equal(s.ppid, 17);
	assert_int_equal(s.state, 'S');
	assert_string_equal(s.name, "make");
	assert_int_equal(s.minor_faults, 111);
	assert_int_equal(s.major_faults, 33);
	assert_int_equal(s.user_ns, 150 * tick);
	assert_int_equal(s.system_ns, 25 * tick);
	assert_int_equal(s.nr_threads, 3);
	assert_int_equal(s.start_ticks, 987654321);
	assert_int_equal(s.rss_bytes, 512 * sysconf(_SC_PAGESIZE));
	assert_int_equal(s.cpu, 5);
}

static void parse_stat_names(void **state)
{
	static const char *const names[] = {
		"", "a b", ") S 1 (", "((", "))", "x) R 1 2 3 4", "\n", "\xff",
	};
	char text[512];
	struct tally_stat s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(text, sizeof(text), "1 (%s) " FIELDS, names[i]);
		assert_int_equal(
			tally_kernel_stat_parse(text, strlen(text), &s), 0);
		assert_string_equal(s.name, names[i]);
		assert_int_equal(s.ppid, 17);
	}
}

/* Cut anywhere: an error, or, past the start time, what was there. */
static void parse_stat_cut(void **state)
{
	const char *text = "4242 (make) " FIELDS;
	size_t start = (size_t)(strstr(text, "987654321") - text);
	size_t len;

	(void)state;
	for (len = 0; len <= strlen(text); len++) {
		struct tally_stat s = {.pid = -7};
		char *copy = malloc(len + 1);
		int err;

		memcpy(copy, text, len);
		err = tally_kernel_stat_parse(copy, len, &s);
		free(copy);
		if (len <= start) {
			assert_int_equal(err, -EBADMSG);
			assert_int_equal(s.pid, -7);
		} else {
			assert_int_equal(err, 0);
		}
	}
}

static void read_own_stat(void **state)
{
	struct tally_stat s, t;

	(void)state;
	assert_int_equal(tally_kernel_stat_read(NULL, getpid(), 0, &s), 0);
	assert_int_equal(s.pid, getpid());
	assert_int_equal(s.ppid, getppid());
	assert_true(s.rss_bytes > 0);
	assert_int_equal(tally_kernel_stat_read(NULL, getpid(), getpid(), &t),
			 0);
	assert_int_equal(t.start_ticks, s.start_ticks);
	assert_int_equal(tally_kernel_stat_read("/nowhere", 1, 0, &s), -ENOENT);
}

static pid_t child_that_waits(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

static void reap(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void read_ended(void **state)
{
	pid_t pid = child_that_waits();
	struct tally_stat s;

	(void)state;
	reap(pid);
	assert_int_equal(tally_kernel_stat_read(NULL, pid, 0, &s), -ESRCH);
}

static int count_thread(void *arg, const struct tally_thread *t)
{
	unsigned int *nr = arg;

	assert_true(t->cpu_ns >= 0);
	assert_true(t->context_switches >= 0);
	assert_true(t->stat.cpu >= 0);
	++*nr;
	return 0;
}

static int stop_with_7(void *arg, const struct tally_thread *t)
{
	(void)arg;
	(void)t;
	return 7;
}

static void read_threads(void **state)
{
	unsigned int nr = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(
		tally_kernel_threads(NULL, getpid(), count_thread, &nr), 0);
	assert_true(nr >= 1);
	assert_int_equal(
		tally_kernel_threads(NULL, getpid(), stop_with_7, NULL), 7);
	pid = child_that_waits();
	reap(pid);
	assert_int_equal(tally_kernel_threads(NULL, pid, count_thread, &nr),
			 -ESRCH);
}

/* ---- trees ---------------------------------------------------------------- */

static bool has(const struct tally_tree *tree, pid_t pid)
{
	const struct tally_process *p;
	unsigned int i, nr;
	bool found = false;

	p = tally_kernel_tree_processes(tree, &nr);
	for (i = 0; i < nr; i++) {
		assert_true(!i || p[i - 1].pid < p[i].pid);
		found |= p[i].pid == pid;
	}
	return found;
}

/* A child that makes a child, writes its number to the pipe, and ends when
 * the other pipe does. */
static pid_t parent_of_one(int to[2], pid_t *grandchild)
{
	int from[2];
	pid_t pid;

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	pid = fork();
	if (!pid) {
		pid_t other;
		char c;

		close(to[1]);
		other = fork();
		if (!other) {
			prctl(PR_SET_PDEATHSIG, 0);
			close(from[0]);
			close(from[1]);
			close(to[0]);
			for (;;)
				pause();
		}
		if (write(from[1], &other, sizeof(other)) != sizeof(other) ||
		    read(to[0], &c, 1))
			_exit(1);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	assert_int_equal(read(from[0], grandchild, sizeof(*grandchild)),
			 sizeof(*grandchild));
	close(from[0]);
	return pid;
}

static void tree_keeps_orphans(void **state)
{
	struct tally_tree *tree, *without;
	pid_t child, grandchild;
	int to[2];

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	child = parent_of_one(to, &grandchild);
	assert_int_equal(tally_kernel_tree_create(NULL, child, true, &tree), 0);
	assert_int_equal(
		tally_kernel_tree_create(NULL, getpid(), false, &without), 0);
	assert_false(has(tree, child));
	assert_int_equal(tally_kernel_tree_refresh(tree), 0);
	assert_true(has(tree, child));
	assert_true(has(tree, grandchild));
	assert_false(has(tree, getpid()));
	close(to[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	/* One tree saw the grandchild; the other finds it as a child. */
	assert_int_equal(tally_kernel_tree_refresh(tree), 0);
	assert_int_equal(tally_kernel_tree_refresh(without), 0);
	assert_false(has(tree, child));
	assert_true(has(tree, grandchild));
	assert_true(has(without, grandchild));
	assert_false(has(without, getpid()));
	reap(grandchild);
	assert_int_equal(tally_kernel_tree_refresh(tree), 0);
	assert_false(has(tree, grandchild));
	tally_kernel_tree_destroy(tree);
	tally_kernel_tree_destroy(without);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void tree_of_nobody(void **state)
{
	struct tally_tree *tree = NULL;
	pid_t pid = child_that_waits();

	(void)state;
	reap(pid);
	assert_int_equal(tally_kernel_tree_create(NULL, pid, true, &tree),
			 -ESRCH);
	assert_int_equal(tally_kernel_tree_create("/nowhere", pid, true, &tree),
			 -ENOENT);
	assert_null(tree);
	tally_kernel_tree_destroy(NULL);
}

/* Captured processes, as files. */
static void put(const char *root, pid_t pid, const char *file, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/%d/%s", root, pid, file);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void put_process(const char *root, pid_t pid, pid_t ppid,
			unsigned int start, const char *name)
{
	char text[512];

	snprintf(text, sizeof(text), "%s/proc/%d", root, pid);
	mkdir(text, 0755);
	snprintf(text, sizeof(text),
		 "%d (%s) S %d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 %u 0 1\n", pid,
		 name, ppid, start);
	put(root, pid, "stat", text);
}

static void make_root(char *root)
{
	char path[64];

	strcpy(root, "numatally-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/proc", root);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void drop_root(const char *root)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	assert_int_equal(system(command), 0);
}

static void tree_of_files(void **state)
{
	struct tally_tree *tree;
	char root[32];

	(void)state;
	make_root(root);
	put_process(root, 100, 1, 5, "root");
	put_process(root, 200, 100, 6, "a (b) R 1");
	put_process(root, 50, 200, 7, "wrapped");
	put_process(root, 30, 50, 8, "wrapped again");
	put_process(root, 300, 1, 9, "stranger");
	put_process(root, 400, 100, 9, "cut");
	put(root, 400, "stat", "400 (cut");
	assert_int_equal(tally_kernel_tree_create(root, 100, true, &tree), 0);
	assert_int_equal(tally_kernel_tree_refresh(tree), 0);
	assert_true(has(tree, 100));
	assert_true(has(tree, 200));
	assert_true(has(tree, 50));
	assert_true(has(tree, 30));
	assert_false(has(tree, 300));
	assert_false(has(tree, 400));
	/* 50 is adopted by 1; 200 is another process now; so is the root. */
	put_process(root, 50, 1, 7, "wrapped");
	put_process(root, 200, 1, 10, "new");
	put_process(root, 100, 1, 11, "new");
	put_process(root, 500, 100, 12, "child of the new one");
	assert_int_equal(tally_kernel_tree_refresh(tree), 0);
	assert_false(has(tree, 100));
	assert_false(has(tree, 200));
	assert_true(has(tree, 50));
	assert_true(has(tree, 30));
	assert_false(has(tree, 500));
	tally_kernel_tree_destroy(tree);
	drop_root(root);
}

/* A children file of a thread; the process may be there or not. */
static void put_children(const char *root, pid_t pid, pid_t tid,
			 const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/proc/%d/task", root, pid);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/proc/%d/task/%d", root, pid, tid);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "task/%d/children", tid);
	put(root, pid, path, text);
}

static void tree_of_children_files(void **state)
{
	struct tally_tree *tree;
	unsigned int i, nr;
	char root[32], *many;
	int n = 0;

	(void)state;
	make_root(root);
	put_process(root, 100, 1, 5, "root");
	put_process(root, 200, 100, 6, "by the second thread");
	put_process(root, 300, 200, 7, "its child");
	/* Its parent doesn't name it. */
	put_process(root, 400, 100, 8, "stranger");
	put_children(root, 100, 100, "250 ");
	put_children(root, 100, 101, "200 ");
	put_children(root, 200, 200, "300 100 200 ");
	assert_int_equal(tally_kernel_tree_create(root, 100, true, &tree), 0);
	assert_int_equal(tally_kernel_tree_refresh(tree), 0);
	tally_kernel_tree_processes(tree, &nr);
	assert_int_equal(nr, 3);
	assert_true(has(tree, 100));
	assert_true(has(tree, 200));
	assert_true(has(tree, 300));
	/* More children than fit into any one read, and then nonsense. */
	many = malloc(65536);
	for (i = 0; i < 1000; i++)
		n += sprintf(many + n, "%u ", 10000000 + i);
	sprintf(many + n, "400 ");
	put_children(root, 100, 101, many);
	assert_int_equal(tally_kernel_tree_refresh(tree), 0);
	assert_true(has(tree, 400));
	memset(many, 'x', 65535);
	many[65535] = '\0';
	put_children(root, 100, 101, many);
	assert_int_equal(tally_kernel_tree_refresh(tree), 0);
	free(many);
	assert_true(has(tree, 300));
	tally_kernel_tree_destroy(tree);
	drop_root(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_stat),
		cmocka_unit_test(parse_stat_names),
		cmocka_unit_test(parse_stat_cut),
		cmocka_unit_test(read_own_stat),
		cmocka_unit_test(read_ended),
		cmocka_unit_test(read_threads),
		cmocka_unit_test(tree_keeps_orphans),
		cmocka_unit_test(tree_of_nobody),
		cmocka_unit_test(tree_of_files),
		cmocka_unit_test(tree_of_children_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
