// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <sys/stat.h>

#include <numatally/kernel_tree.h>

#include "support/child.h"

static bool has(const struct tally_tree *tree, pid_t pid)
{
	pid_t before = 0, now;
	bool found = false;

	for (unsigned int i = 0; i < tally_kernel_tree_nr(tree); i++) {
		now = tally_kernel_tree_row(tree, i)->pid;
		assert_true(before < now);
		found |= now == pid;
		before = now;
	}
	return found;
}

/* A child whose child writes its number to one pipe, and ends when the other
 * pipe closes. */
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
	/* One tree saw the grandchild; the other finds it through the child. */
	assert_int_equal(tally_kernel_tree_refresh(tree), 0);
	assert_int_equal(tally_kernel_tree_refresh(without), 0);
	assert_false(has(tree, child));
	assert_true(has(tree, grandchild));
	assert_true(has(without, grandchild));
	assert_false(has(without, getpid()));
	child_end(grandchild);
	assert_int_equal(tally_kernel_tree_refresh(tree), 0);
	assert_false(has(tree, grandchild));
	tally_kernel_tree_destroy(tree);
	tally_kernel_tree_destroy(without);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void tree_of_no_process(void **state)
{
	struct tally_tree *tree = NULL;
	pid_t pid = child_that_waits();

	(void)state;
	child_end(pid);
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

static void put_threads(const char *root, pid_t pid, pid_t ppid,
			unsigned int start, const char *name, int nr_threads)
{
	char text[512];

	snprintf(text, sizeof(text), "%s/proc/%d", root, pid);
	mkdir(text, 0755);
	snprintf(text, sizeof(text),
		 "%d (%s) S %d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 %d 0 %u 0 1\n",
		 pid, name, ppid, nr_threads, start);
	put(root, pid, "stat", text);
}

static void put_process(const char *root, pid_t pid, pid_t ppid,
			unsigned int start, const char *name)
{
	put_threads(root, pid, ppid, start, name, 1);
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
	/* 1 adopts 50; 200 is another process now; so is the root. */
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

/* A thread's children file; the process may exist or not. */
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
	unsigned int i;
	char root[32], *many;
	int n = 0;

	(void)state;
	make_root(root);
	put_threads(root, 100, 1, 5, "root", 2);
	put_process(root, 200, 100, 6, "by the second thread");
	put_process(root, 300, 200, 7, "its child");
	/* Its parent does not list it. */
	put_process(root, 400, 100, 8, "stranger");
	put_children(root, 100, 100, "250 ");
	put_children(root, 100, 101, "200 ");
	put_children(root, 200, 200, "300 100 200 ");
	assert_int_equal(tally_kernel_tree_create(root, 100, true, &tree), 0);
	assert_int_equal(tally_kernel_tree_refresh(tree), 0);
	assert_int_equal(tally_kernel_tree_nr(tree), 3);
	assert_true(has(tree, 100));
	assert_true(has(tree, 200));
	assert_true(has(tree, 300));
	assert_int_equal(tally_kernel_tree_row(tree, 0)->nr_threads, 2);
	assert_int_equal(tally_kernel_tree_row(tree, 1)->nr_threads, 1);
	/* More children than one read returns, and then nonsense. */
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
		cmocka_unit_test(tree_keeps_orphans),
		cmocka_unit_test(tree_of_no_process),
		cmocka_unit_test(tree_of_files),
		cmocka_unit_test(tree_of_children_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
