// SPDX-License-Identifier: MIT
/* Names of cgroups in and around a cgroup namespace: each has one, the one that
 * /proc/PID/cgroup has. */
#include "support/test.h"

#include <sched.h>
#include <sys/wait.h>

#include "support/group_trees.h"

#define MOUNTED(root)	 "30 23 0:27 " root " /cg rw - cgroup2 none rw\n"
#define MOUNTED_V1(root) "30 23 0:27 " root " /cg rw - cgroup none rw,memory\n"

/* A cgroup, "" or "/a/b", with a process that has this name. */
static void put_group(const char *path, const char *file, int pid,
		      const char *name)
{
	char at[192], text[192];

	snprintf(at, sizeof(at), "cg%s/memory.numa_stat", path);
	snprintf(text, sizeof(text), "anon N0=%d\n", pid);
	tree_put(tree, at, text);
	snprintf(at, sizeof(at), "cg%s/%s", path, file);
	snprintf(text, sizeof(text), "0\n99%d\n%d\n", pid, pid);
	tree_put(tree, at, name ? text : "");
	if (!name)
		return;
	snprintf(at, sizeof(at), "proc/%d/cgroup", pid);
	snprintf(text, sizeof(text), "3:cpu:/cpu\n2:memory:%s\n0::%s\n", name,
		 name);
	tree_put(tree, at, text);
}

static void each_is_found(void)
{
	for (unsigned int i = 0; i < tally_kernel_groups_nr(groups); i++)
		assert_int_equal(
			tally_kernel_groups_find(
				groups,
				tally_kernel_groups_row(groups, i)->path),
			i);
}

static void the_mount_is_above(void **state)
{
	static const char *const files[] = {"tasks", "cgroup.threads",
					    "cgroup.procs"};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		put_mounts(i ? MOUNTED("/../..") : MOUNTED_V1("/../.."));
		put_group("", files[i], 1, "/../..");
		put_group("/a", files[i], 2, "/../../a");
		put_group("/p", files[i], 3, NULL);
		put_group("/p/q", files[i], 4, NULL);
		put_group("/p/q/r", files[i], 5, "/r");
		put_group("/p/q.s/r", files[i], 6, "/../q.s/r");
		put_group("/p/z", files[i], 7, "/../z");
		assert_int_equal(open_groups(NULL, 0), 0);
		for (int again = 0; again < 2; again++) {
			read_groups(0);
			has_paths("/../.. /../../a /.. / /r /../q.s /../q.s/r "
				  "/../z ");
			each_is_found();
		}
		assert_int_equal(value("/", 0, "anon"), 4);
		assert_int_equal(value("/../z", 0, "anon"), 7);
		assert_int_equal(row("/../..")->depth, 0);
		assert_int_equal(row("/")->depth, 2);
		/* These would be second names. */
		assert_int_equal(tally_kernel_groups_find(groups, "/../q"),
				 -ENOENT);
		assert_int_equal(tally_kernel_groups_find(groups, "/../../p"),
				 -ENOENT);
		assert_int_equal(tally_kernel_groups_find(groups, "/../../.."),
				 -ENOENT);
		tree_remove(tree, "cg");
	}
}

static void a_part_of_it(void **state)
{
	(void)state;
	put_mounts(MOUNTED("/../.."));
	put_group("", "cgroup.procs", 1, "/../..");
	put_group("/p/q", "cgroup.procs", 4, "/");
	put_group("/p/q/r", "cgroup.procs", 5, "/r");
	put_group("/p/z", "cgroup.procs", 7, "/../z");
	put_group("/x/y", "cgroup.procs", 8, "/../../x/y");
	assert_int_equal(open_groups("/..", 0), 0);
	read_groups(0);
	has_paths("/.. / /r /../z ");
	assert_int_equal(row("/..")->depth, 0);
	assert_int_equal(open_groups("/../z", 0), 0);
	read_groups(0);
	has_paths("/../z ");
	assert_int_equal(open_groups("/../../x", 0), 0);
	read_groups(0);
	has_paths("/../../x /../../x/y ");
	assert_int_equal(open_groups("/../..", 0), 0);
	read_groups(0);
	assert_int_equal(tally_kernel_groups_nr(groups), 7);
	assert_int_equal(open_groups("/../n", 0), -ENOENT);
	assert_int_equal(open_groups("/../../..", 0), -ENOENT);
	assert_int_equal(open_groups("/../z/../../..", 0), -ENOENT);
	assert_int_equal(open_groups("/r/..", 0), -ENOENT);
}

/* Each name that a process has is right; of the others none is twice. */
static void no_process_is_inside(void **state)
{
	(void)state;
	put_mounts(MOUNTED("/../../.."));
	put_group("", "cgroup.procs", 1, "/../../..");
	put_group("/p", "cgroup.procs", 2, NULL);
	put_group("/p/q/r", "cgroup.procs", 3, NULL);
	put_group("/p/q/s", "cgroup.procs", 4, NULL);
	put_group("/p/x", "cgroup.procs", 5, "/../../x");
	put_group("/x", "cgroup.procs", 6, "/../../../x");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	has_paths("/../../.. /../.. /../../q /../../q/r /../../q/s /../../x "
		  "/../../../x ");
	each_is_found();
	/* One comes. */
	put_group("/p/q/s", "cgroup.procs", 4, "/");
	read_groups(0);
	has_paths("/../../.. /../.. /.. /../r / /../../x /../../../x ");
	each_is_found();
}

static void captured_without_tasks(void **state)
{
	(void)state;
	put_mounts(MOUNTED("/../.."));
	tree_mkdir(tree, "cg/a");
	tree_mkdir(tree, "cg/p/q/r");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	has_paths("/../.. /../../a /.. / /r ");
	/* Two may be the root of the namespace. */
	tree_mkdir(tree, "cg/p/s");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	has_paths("/../.. /../../a /../../p /../../p/q /../../p/q/r "
		  "/../../p/s ");
	each_is_found();
}

/* A cgroup beside the namespace is mounted: it is on no way. */
static void the_mount_is_beside(void **state)
{
	(void)state;
	put_mounts(MOUNTED("/../../x\\040y"));
	put_group("", "cgroup.procs", 1, "/../../x y");
	put_group("/in", "cgroup.procs", 2, "/../../x y/in");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	has_paths("/../../x y /../../x y/in ");
	each_is_found();
	assert_int_equal(value("/../../x y/in", 0, "anon"), 2);
	assert_int_equal(open_groups("/../../x y/in", 0), 0);
	read_groups(0);
	assert_int_equal(tally_kernel_groups_nr(groups), 1);
	assert_int_equal(open_groups("/../x y", 0), -ENOENT);
	assert_int_equal(open_groups("/x y", 0), -ENOENT);
	assert_int_equal(open_groups("/../../x y/..", 0), -ENOENT);
}

/* What a process says that is elsewhere by now, or a hostile tree. */
static void odd_tasks(void **state)
{
	(void)state;
	put_mounts(MOUNTED("/.."));
	put_group("", "cgroup.procs", 1, "/../..");
	put_group("/a", "cgroup.procs", 2, "/b");
	put_group("/b", "cgroup.procs", 3, "/../a");
	put_group("/c", "cgroup.procs", 4, "no path");
	put_group("/d", "cgroup.procs", 5, "/../d/");
	tree_put(tree, "cg/e/cgroup.procs", "99999999999999999999\n");
	tree_put(tree, "cg/f/cgroup.procs", "12");
	tree_mkdir(tree, "cg/g/tasks");
	put_group("/h", "cgroup.procs", 6, "/");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	has_paths("/.. /../a /../b /../c /../d /../e /../f /../g "
		  "/../g/tasks / ");
	each_is_found();
}

/* ---- this machine --------------------------------------------------------- */

/* Read the name of a process in the hierarchy. */
static bool name_of(const char *pid, char name[4096])
{
	const char *key = tally_kernel_groups_version(groups) == 1 ? ":memory:"
								   : "0::";
	char path[300], line[4200], *at;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/cgroup", pid);
	f = fopen(path, "r");
	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		at = strstr(line, key);
		if (!at)
			continue;
		found = true;
		snprintf(name, 4096, "%s", at + strlen(key));
	}
	if (f)
		fclose(f);
	return found;
}

static void in_a_namespace(const char *mounted)
{
	char name[4096];

	assert_true(name_of("self", name));
	assert_string_equal(name, "/");
	read_groups(0);
	each_is_found();
	row("/");
	assert_string_equal(tally_kernel_groups_row(groups, 0)->path, mounted);
	/* The first process lives, and stays where it is. */
	if (name_of("1", name))
		row(name);
	tally_kernel_groups_close(groups);
	assert_int_equal(tally_kernel_groups_open(NULL, "/", 0, &groups), 0);
	read_groups(0);
	assert_string_equal(tally_kernel_groups_row(groups, 0)->path, "/");
}

static void a_namespace_of_this_machine(void **state)
{
	char name[4096] = "", mounted[4096] = "";
	int status;
	pid_t pid;

	(void)state;
	if (tally_kernel_groups_open(NULL, NULL, 0, &groups)) {
		print_message("# no memory controller\n");
		skip();
	}
	assert_true(name_of("self", name));
	for (char *at = name; *at && at[1]; at += 1 + strcspn(at + 1, "/"))
		strcat(mounted, "/..");
	if (!*mounted) {
		print_message("# this process is in the root cgroup\n");
		skip();
	}
	tally_kernel_groups_close(groups);
	groups = NULL;
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWCGROUP))
			_exit(77);
		if (tally_kernel_groups_open(NULL, NULL, 0, &groups))
			_exit(1);
		in_a_namespace(mounted);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("# unshare(2) is refused\n");
		skip();
	}
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(the_mount_is_above),
		WITH_TREE(a_part_of_it),
		WITH_TREE(no_process_is_inside),
		WITH_TREE(captured_without_tasks),
		WITH_TREE(the_mount_is_beside),
		WITH_TREE(odd_tasks),
		WITH_TREE(a_namespace_of_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
