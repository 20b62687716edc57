// SPDX-License-Identifier: MIT
/* Cgroups of both versions, in made-up trees and on this machine. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <cmocka.h>

#include <numatally/kernel_group.h>

#include "allocations.h"
#include "trees.h"

#define V1 "sys/fs/cgroup/memory"
#define V2 "sys/fs/cgroup"

static const struct tree *tree;
static struct tally_groups *groups;

static int set_up(void **state)
{
	int err = tree_setup(state);

	tree = *state;
	return err;
}

static int tear_down(void **state)
{
	tally_kernel_groups_close(groups);
	groups = NULL;
	return tree_teardown(state);
}

static void put_mounts(const char *text)
{
	tree_put(tree, "proc/self/mountinfo", text);
}

/* "" is the mount point itself. */
static void put(const char *base, const char *group, const char *text)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s/memory.numa_stat", base, group);
	tree_put(tree, path, text);
}

static int open_groups(const char *path, unsigned int max_fds)
{
	tally_kernel_groups_close(groups);
	groups = NULL;
	return tally_kernel_groups_open(tree->root, path, max_fds, &groups);
}

static void read_groups(int err)
{
	assert_int_equal(tally_kernel_groups_read(groups), err);
}

static const struct tally_group_row *row(const char *path)
{
	int i = tally_kernel_groups_find(groups, path);

	if (i < 0)
		fail_msg("no group %s", path);
	return tally_kernel_groups_row(groups, (unsigned int)i);
}

/* The paths, each with a space behind it. */
static void has_paths(const char *expected)
{
	char text[1024] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < tally_kernel_groups_nr(groups); i++)
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "%s ",
			tally_kernel_groups_row(groups, i)->path);
	assert_string_equal(text, expected);
}

static int64_t value(const char *path, int node, const char *name)
{
	const struct tally_group_row *r = row(path);
	int f = tally_kernel_groups_figure(groups, name);
	unsigned int nr_nodes, nr_figures, n = 0;
	const int *nodes = tally_kernel_groups_nodes(groups, &nr_nodes);

	assert_non_null(tally_kernel_groups_figures(groups, &nr_figures));
	assert_int_equal(r->err, 0);
	assert_non_null(r->values);
	assert_true(f >= 0);
	while (n < nr_nodes && nodes[n] != node)
		n++;
	assert_true(n < nr_nodes);
	return r->values[n * nr_figures + (unsigned int)f];
}

#define MOUNTS_V1                                                           \
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw\n"        \
	"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"       \
	"35 31 0:32 / /sys/fs/cgroup/memory rw shared:1 master:2 - cgroup " \
	"cgroup rw,memory\n"
#define MOUNTS_V2 \
	"30 23 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

static void version_1(void **state)
{
	const struct tally_figure *f;
	unsigned int nr;

	(void)state;
	put_mounts(MOUNTS_V1);
	put(V1, "",
	    "total=30 N0=10 N8=20\nfile=7 N0=3 N8=4\nanon=0 N0=0 N8=0\n"
	    "hierarchical_total=50 N0=25 N8=25\n");
	put(V1, "b", "total=5 N0=1 N8=4\nhierarchical_total=6 N0=2 N8=4\n");
	put(V1, "b/c", "total=1 N0=1 N8=0\n");
	put(V1, "a", "total=0 N0=0 N8=0\n");
	assert_int_equal(open_groups(NULL, 0), 0);
	assert_int_equal(tally_kernel_groups_version(groups), 1);
	assert_int_equal(tally_kernel_groups_nr(groups), 0);
	read_groups(0);
	has_paths("/ /a /b /b/c ");
	assert_int_equal(row("/")->depth, 0);
	assert_int_equal(row("/b/c")->depth, 2);
	assert_int_equal(value("/", 8, "total"), 20);
	assert_int_equal(value("/", 0, "file"), 3);
	assert_int_equal(value("/b", 8, "hierarchical_total"), 4);
	assert_int_equal(value("/b/c", 0, "total"), 1);
	assert_true(value("/b/c", 0, "file") == TALLY_UNKNOWN);
	f = tally_kernel_groups_figures(groups, &nr);
	assert_int_equal(nr, 4);
	assert_string_equal(f[0].name, "total");
	assert_string_equal(f[3].name, "hierarchical_total");
	assert_int_equal(f[0].unit, TALLY_UNIT_PAGES);
	assert_int_equal(f[0].source, TALLY_SOURCE_CGROUP);
	assert_int_equal(f[0].page_bytes, sysconf(_SC_PAGESIZE));
	assert_false(f[0].counter || f[0].estimate);
	assert_int_equal(tally_kernel_groups_figure(groups, "tota"), -ENOENT);
	assert_int_equal(tally_kernel_groups_find(groups, "/c"), -ENOENT);
	assert_true(tally_kernel_groups_time_ns(groups) > 0);
}

static void version_2(void **state)
{
	const struct tally_figure *f;
	unsigned int nr;

	(void)state;
	put_mounts(MOUNTS_V2);
	tree_put(tree, V2 "/cgroup.controllers", "cpuset cpu io memory\n");
	put(V2, "a",
	    "anon N0=4096 N1=9223372036854775807\n"
	    "workingset_refault_anon N0=3 N1=4\npgdemote_kswapd N0=1 N1=1\n");
	tree_mkdir(tree, V2 "/a/no-controller");
	assert_int_equal(open_groups(NULL, 0), 0);
	assert_int_equal(tally_kernel_groups_version(groups), 2);
	/* The root and who has no such file are no failure. */
	read_groups(0);
	has_paths("/ /a /a/no-controller ");
	assert_int_equal(row("/")->err, -ENOENT);
	assert_null(row("/")->values);
	assert_int_equal(row("/a/no-controller")->err, -ENOENT);
	assert_true(value("/a", 1, "anon") == INT64_MAX);
	f = tally_kernel_groups_figures(groups, &nr);
	assert_int_equal(f[0].unit, TALLY_UNIT_BYTES);
	assert_int_equal(f[0].page_bytes, 0);
	assert_false(f[0].counter);
	assert_int_equal(f[1].unit, TALLY_UNIT_EVENTS);
	assert_true(f[1].counter);
	assert_int_equal(f[2].unit, TALLY_UNIT_EVENTS);
}

/* Both are mounted: one of them has the controller. */
static void hybrid(void **state)
{
	(void)state;
	put_mounts("38 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 "
		   "rw\n" MOUNTS_V1);
	tree_put(tree, V2 "/unified/cgroup.controllers", "\n");
	tree_mkdir(tree, V2 "/unified/u");
	put(V1, "m", "total=1 N0=1\n");
	assert_int_equal(open_groups(NULL, 0), 0);
	assert_int_equal(tally_kernel_groups_version(groups), 1);
	read_groups(0);
	has_paths("/ /m ");
	/* Now version 2 has it, and version 1 another. */
	put_mounts("35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup "
		   "rw,name=memory,memory_not\n"
		   "38 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 none "
		   "rw\n");
	tree_put(tree, V2 "/unified/cgroup.controllers", "io memory\n");
	assert_int_equal(open_groups(NULL, 0), 0);
	assert_int_equal(tally_kernel_groups_version(groups), 2);
	read_groups(0);
	has_paths("/ /u ");
	/* Or nobody. */
	tree_put(tree, V2 "/unified/cgroup.controllers", "io memory2\n");
	tree_remove(tree, V2 "/memory");
	assert_int_equal(open_groups(NULL, 0), -ENOENT);
}

static void captured_without_mounts(void **state)
{
	(void)state;
	assert_int_equal(open_groups(NULL, 0), -ENOENT);
	put(V1, "a", "total=1 N0=1\n");
	assert_int_equal(open_groups(NULL, 0), 0);
	assert_int_equal(tally_kernel_groups_version(groups), 1);
	tree_put(tree, V2 "/cgroup.controllers", "memory\n");
	tree_put(tree, V2 "/memory/cgroup.controllers", "memory\n");
	assert_int_equal(open_groups(NULL, 0), 0);
	assert_int_equal(tally_kernel_groups_version(groups), 2);
	assert_int_equal(tally_kernel_groups_open("/nowhere", NULL, 0, &groups),
			 -ENOENT);
	tally_kernel_groups_close(NULL);
}

/* What a container sees is named as /proc/PID/cgroup names it. */
static void a_part_is_mounted(void **state)
{
	(void)state;
	put_mounts("30 23 0:27 /docker/x\\040y /my\\040cgroups rw - cgroup2 "
		   "none rw\n");
	tree_mkdir(tree, "my cgroups");
	put("my cgroups", "", "anon N0=1\n");
	put("my cgroups", "in", "anon N0=2\n");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	assert_int_equal(value("/docker/x y", 0, "anon"), 1);
	assert_int_equal(value("/docker/x y/in", 0, "anon"), 2);
	assert_int_equal(open_groups("/docker/x y/in", 0), 0);
	read_groups(0);
	assert_int_equal(tally_kernel_groups_nr(groups), 1);
	assert_int_equal(open_groups("/docker", 0), -ENOENT);
	assert_int_equal(open_groups("/docker/x yz", 0), -ENOENT);
	assert_int_equal(open_groups("/docker/x y/in/not", 0), -ENOENT);
	/* A namespace of its own, seen from inside and from outside. */
	put_mounts("30 23 0:27 /../../x /my\\040cgroups rw - cgroup2 none "
		   "rw\n");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	has_paths("/ /in ");
}

static void a_part_is_asked_for(void **state)
{
	(void)state;
	put_mounts(MOUNTS_V2);
	put(V2, "a/b/c", "anon N0=1\n");
	put(V2, "a/d", "anon N0=1\n");
	put(V2, "ab", "anon N0=1\n");
	assert_int_equal(open_groups("/a/", 0), 0);
	read_groups(0);
	has_paths("/a /a/b /a/b/c /a/d ");
	assert_int_equal(row("/a")->depth, 0);
	assert_int_equal(row("/a/b/c")->depth, 2);
	assert_int_equal(open_groups("/", 0), 0);
	read_groups(0);
	has_paths("/ /a /a/b /a/b/c /a/d /ab ");
	assert_int_equal(open_groups("/nobody", 0), -ENOENT);
	assert_int_equal(open_groups("a", 0), -ENOENT);
	assert_int_equal(open_groups("/a/../..", 0), -ENOENT);
	assert_int_equal(open_groups("/../../proc", 0), -ENOENT);
}

/* A slash stands before all that a name can have. */
static void order(void **state)
{
	(void)state;
	put_mounts(MOUNTS_V2);
	tree_mkdir(tree, V2 "/a.b/z");
	tree_mkdir(tree, V2 "/a/b");
	tree_mkdir(tree, V2 "/a\x01/b");
	tree_mkdir(tree, V2 "/a-b");
	tree_mkdir(tree, V2 "/.hidden");
	tree_put(tree, V2 "/file", "");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	has_paths("/ /a /a/b /a\x01 /a\x01/b /a-b /a.b /a.b/z ");
	for (unsigned int i = 0; i < tally_kernel_groups_nr(groups); i++)
		assert_int_equal(
			tally_kernel_groups_find(
				groups,
				tally_kernel_groups_row(groups, i)->path),
			i);
}

static void garbage(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"anon",
		"anon N0=1",
		"anon N0=1\nfile N0=",
		"anon N0=1\nfile N0=2 N1\n",
		"anon N0=1 N=2\n",
		"anon N0=1  N1=2\n",
		"anon N0=1 N1=2 \n",
		"anon N0=-1\n",
		"anon N4096=1\n",
		"anon N0=9223372036854775808\n",
		"anon N99999999999999999999=1\n",
		"anon= N0=1\n",
		"anon=x N0=1\n",
		" N0=1\n",
		"N0=1 N1=1\nN0\0=1\n",
		"a_name_longer_than_any_that_the_kernel_has_is_no_name_at_all_to_us N0=1\n",
	};
	char path[64];

	(void)state;
	put_mounts(MOUNTS_V2);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(path, sizeof(path), "g%02zu", i);
		put(V2, path, texts[i]);
	}
	tree_put_bytes(tree, V2 "/null/memory.numa_stat", "an\0on N0=1\n", 11);
	tree_mkdir(tree, V2 "/not-a-file/memory.numa_stat");
	put(V2, "ok", "anon N0=1 N3=5\nnew\n");
	assert_int_equal(open_groups(NULL, 0), 0);
	for (int again = 0; again < 2; again++) {
		read_groups(-EBADMSG);
		assert_int_equal(value("/ok", 3, "anon"), 5);
		assert_true(value("/ok", 3, "new") == TALLY_UNKNOWN);
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
			snprintf(path, sizeof(path), "/g%02zu", i);
			if (row(path)->err != -EBADMSG)
				fail_msg("%s: %d", texts[i], row(path)->err);
			assert_null(row(path)->values);
		}
		assert_int_equal(row("/null")->err, -EBADMSG);
		assert_int_equal(row("/not-a-file")->err, -EISDIR);
	}
	/* One that makes sense again. */
	put(V2, "g00", "anon N0=7\n");
	read_groups(-EBADMSG);
	assert_int_equal(value("/g00", 0, "anon"), 7);
}

static void too_many_figures(void **state)
{
	char *text = calloc(1, 20000), *at = text;

	(void)state;
	assert_non_null(text);
	put_mounts(MOUNTS_V2);
	for (int i = 0; i < 600; i++)
		at += snprintf(at, 32, "figure%d N0=%d\n", i, i);
	put(V2, "b", text);
	put(V2, "a", "anon N0=1\n");
	free(text);
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(-EBADMSG);
	assert_int_equal(row("/b")->err, -EBADMSG);
	assert_int_equal(value("/a", 0, "anon"), 1);
}

/* Groups, nodes and figures. */
static void come_and_go(void **state)
{
	unsigned int nr;

	(void)state;
	put_mounts(MOUNTS_V2);
	put(V2, "a", "anon N0=1\n");
	put(V2, "b", "anon N0=2\n");
	put(V2, "b/c", "anon N0=3\n");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	tree_remove(tree, V2 "/b");
	put(V2, "aa", "file N5=4\nanon N5=5\n");
	read_groups(0);
	has_paths("/ /a /aa ");
	assert_int_equal(value("/a", 0, "anon"), 1);
	assert_true(value("/a", 5, "anon") == TALLY_UNKNOWN);
	assert_true(value("/a", 0, "file") == TALLY_UNKNOWN);
	assert_int_equal(value("/aa", 5, "anon"), 5);
	put(V2, "b", "anon N2=9\n");
	put(V2, "a", "anon N0=10\n");
	read_groups(0);
	assert_int_equal(tally_kernel_groups_nodes(groups, &nr)[1], 2);
	assert_int_equal(nr, 3);
	assert_int_equal(value("/b", 2, "anon"), 9);
	assert_int_equal(value("/a", 0, "anon"), 10);
	assert_int_equal(value("/aa", 5, "file"), 4);
	/* The file alone goes. */
	tree_remove(tree, V2 "/b/memory.numa_stat");
	tree_remove(tree, V2 "/a");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	assert_int_equal(row("/b")->err, -ENOENT);
	assert_int_equal(open_groups("/aa", 0), 0);
	read_groups(0);
	assert_int_equal(tally_kernel_groups_nr(groups), 1);
	tree_remove(tree, V2 "/aa");
	read_groups(0);
	assert_int_equal(tally_kernel_groups_nr(groups), 0);
}

struct mover {
	char in[256], out[256];
	atomic_bool stop;
};

static void *move(void *arg)
{
	struct mover *m = arg;

	while (!m->stop && !rename(m->out, m->in)) {
		usleep(100);
		if (rename(m->in, m->out))
			break;
		usleep(100);
	}
	return NULL;
}

/* One that goes between being listed and being read is no row, rather than one
 * without an account. */
static void goes_meanwhile(void **state)
{
	struct mover m = {.stop = false};
	pthread_t thread;
	unsigned int seen = 0;

	(void)state;
	put_mounts(MOUNTS_V2);
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "b%02d", i);
		put(V2, name, "anon N0=1\n");
	}
	put("out", "x", "anon N0=7\n");
	tree_path(tree, V2 "/x", m.in);
	tree_path(tree, "out/x", m.out);
	assert_int_equal(open_groups(NULL, 5), 0);
	assert_int_equal(pthread_create(&thread, NULL, move, &m), 0);
	for (int i = 0; i < 2000; i++) {
		int at;

		read_groups(0);
		at = tally_kernel_groups_find(groups, "/x");
		if (at < 0)
			continue;
		assert_int_equal(
			tally_kernel_groups_row(groups, (unsigned int)at)->err,
			0);
		seen++;
	}
	m.stop = true;
	pthread_join(thread, NULL);
	print_message("# seen %u times of 2000\n", seen);
}

/* ---- file descriptors ----------------------------------------------------- */

static unsigned int nr_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int nr = 0;

	assert_non_null(d);
	while (readdir(d))
		nr++;
	closedir(d);
	return nr;
}

static void put_many(int nr)
{
	char path[32], text[64];

	put_mounts(MOUNTS_V2);
	for (int i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "many/g%03d", i);
		snprintf(text, sizeof(text), "anon N0=%d N1=%d\n", i, 2 * i);
		put(V2, path, text);
	}
}

static void check_many(int nr)
{
	char path[32];

	for (int i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "/many/g%03d", i);
		assert_int_equal(value(path, 1, "anon"), 2 * i);
	}
}

static void files_are_kept_open(void **state)
{
	unsigned int before;

	(void)state;
	put_many(100);
	assert_int_equal(open_groups(NULL, 10), 0);
	before = nr_open();
	for (int i = 0; i < 3; i++) {
		read_groups(0);
		assert_int_equal(nr_open(), before + 10);
		check_many(100);
	}
	/* They are given back with their cgroups. */
	tree_remove(tree, V2 "/many");
	read_groups(0);
	assert_int_equal(nr_open(), before);
	put_many(5);
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	assert_int_equal(nr_open(), before + 5);
}

/* Where there are no more, those that are kept serve the others. */
static void too_few_descriptors(void **state)
{
	struct rlimit old, low;

	(void)state;
	put_many(100);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(open_groups(NULL, 1000), 0);
	low = old;
	low.rlim_cur = 40;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (int i = 0; i < 3; i++) {
		read_groups(0);
		check_many(100);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(tally_kernel_groups_nr(groups), 102);
}

static void allocates_only_to_grow(void **state)
{
	(void)state;
#ifdef COUNT_ALLOCATIONS
	unsigned int before;

	put_many(100);
	assert_int_equal(open_groups(NULL, 50), 0);
	read_groups(0);
	read_groups(0);
	before = allocations;
	for (int i = 0; i < 10; i++)
		read_groups(0);
	assert_int_equal(allocations, before);
#else
	print_message("# the sanitizer has its own malloc\n");
#endif
}

/* ---- this machine --------------------------------------------------------- */

static void this_machine(void **state)
{
	unsigned int nr_figures, nr_nodes, nr_values = 0;
	int err = tally_kernel_groups_open(NULL, NULL, 0, &groups);

	(void)state;
	if (err == -ENOENT) {
		print_message("# no memory controller\n");
		skip();
	}
	assert_int_equal(err, 0);
	for (int i = 0; i < 3; i++) {
		read_groups(0);
		assert_true(tally_kernel_groups_nr(groups) >= 1);
		tally_kernel_groups_figures(groups, &nr_figures);
		tally_kernel_groups_nodes(groups, &nr_nodes);
		for (unsigned int j = 0; j < tally_kernel_groups_nr(groups);
		     j++) {
			const struct tally_group_row *r =
				tally_kernel_groups_row(groups, j);

			assert_true(r->path[0] == '/');
			assert_true(!r->err || r->err == -ENOENT);
			for (unsigned int v = 0;
			     r->values && v < nr_nodes * nr_figures; v++) {
				assert_true(r->values[v] >= 0);
				nr_values++;
			}
		}
	}
	print_message("# version %d, %u cgroups, %u values\n",
		      tally_kernel_groups_version(groups),
		      tally_kernel_groups_nr(groups), nr_values / 3);
}

#define WITH_TREE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(version_1),
		WITH_TREE(version_2),
		WITH_TREE(hybrid),
		WITH_TREE(captured_without_mounts),
		WITH_TREE(a_part_is_mounted),
		WITH_TREE(a_part_is_asked_for),
		WITH_TREE(order),
		WITH_TREE(garbage),
		WITH_TREE(too_many_figures),
		WITH_TREE(come_and_go),
		WITH_TREE(goes_meanwhile),
		WITH_TREE(files_are_kept_open),
		WITH_TREE(too_few_descriptors),
		WITH_TREE(allocates_only_to_grow),
		WITH_TREE(this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
