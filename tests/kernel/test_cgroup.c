// SPDX-License-Identifier: MIT
/* Cgroups of both versions, in made-up trees and on this machine. */
#include "support/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "support/group_trees.h"

#define MOUNTS_V1                                                           \
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw\n"        \
	"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"       \
	"35 31 0:32 / /sys/fs/cgroup/memory rw shared:1 master:2 - cgroup " \
	"cgroup rw,memory\n"

static void version_1(void **state)
{
	const struct tally_figure *f;

	(void)state;
	put_mounts(MOUNTS_V1);
	tree_put(tree, "proc/7/numa_maps",
		 "1000 default anon=1 N0=1 kernelpagesize_kB=64\n");
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
	assert_int_equal(tally_kernel_groups_nr_figures(groups), 4);
	f = tally_kernel_groups_figure(groups, 3);
	assert_string_equal(f->name, "hierarchical_total");
	f = tally_kernel_groups_figure(groups, 0);
	assert_string_equal(f->name, "total");
	assert_int_equal(f->unit, TALLY_UNIT_PAGES);
	assert_int_equal(f->source, TALLY_SOURCE_CGROUP);
	assert_int_equal(f->page_bytes, 65536);
	assert_false(f->counter || f->estimate);
	assert_int_equal(tally_kernel_groups_find_figure(groups, "tota"),
			 -ENOENT);
	assert_int_equal(tally_kernel_groups_find(groups, "/c"), -ENOENT);
	assert_true(tally_kernel_groups_time_ns(groups) > 0);
}

static void version_2(void **state)
{
	const struct tally_figure *f;

	(void)state;
	put_mounts(MOUNTS_V2);
	tree_put(tree, V2 "/cgroup.controllers", "cpuset cpu io memory\n");
	put(V2, "a",
	    "anon N0=4096 N1=9223372036854775807\n"
	    "workingset_refault_anon N0=3 N1=4\npgdemote_kswapd N0=1 N1=1\n");
	tree_mkdir(tree, V2 "/a/no-controller");
	assert_int_equal(open_groups(NULL, 0), 0);
	assert_int_equal(tally_kernel_groups_version(groups), 2);
	/* A missing file is no failure: the root has none, and neither has a
	 * cgroup without the controller. */
	read_groups(0);
	has_paths("/ /a /a/no-controller ");
	assert_int_equal(row("/")->err, -ENOENT);
	assert_null(row("/")->values);
	assert_int_equal(row("/a/no-controller")->err, -ENOENT);
	assert_true(value("/a", 1, "anon") == INT64_MAX);
	f = tally_kernel_groups_figure(groups, 0);
	assert_int_equal(f->unit, TALLY_UNIT_BYTES);
	assert_int_equal(f->page_bytes, 0);
	assert_false(f->counter);
	f = tally_kernel_groups_figure(groups, 1);
	assert_int_equal(f->unit, TALLY_UNIT_EVENTS);
	assert_true(f->counter);
	f = tally_kernel_groups_figure(groups, 2);
	assert_int_equal(f->unit, TALLY_UNIT_EVENTS);
}

/* Both versions are mounted; one of them has the controller. */
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
	/* Now version 2 has it, and version 1 has another. */
	put_mounts("35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup "
		   "rw,name=memory,memory_not\n"
		   "38 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 none "
		   "rw\n");
	tree_put(tree, V2 "/unified/cgroup.controllers", "io memory\n");
	assert_int_equal(open_groups(NULL, 0), 0);
	assert_int_equal(tally_kernel_groups_version(groups), 2);
	read_groups(0);
	has_paths("/ /u ");
	/* Now neither has it. */
	tree_put(tree, V2 "/unified/cgroup.controllers", "io memory2\n");
	tree_remove(tree, V2 "/memory");
	assert_int_equal(open_groups(NULL, 0), -ENOENT);
}

static int mounted(const char *v1, const char *v2, int version,
		   const char *point, const char *prefix)
{
	struct tally_group_mount mount = {.size = sizeof(mount)};
	int err = tally_kernel_groups_mount(tree->root, v1, v2, &mount);

	if (err)
		return err;
	assert_int_equal(mount.size, sizeof(mount));
	assert_int_equal(mount.version, version);
	assert_string_equal(mount.point, point);
	assert_string_equal(mount.prefix, prefix);
	free(mount.point);
	free(mount.prefix);
	return mount.number;
}

static void mounts_of_any_controller(void **state)
{
	struct tally_group_mount mount = {.size = 0};

	(void)state;
	put_mounts(
		"30 23 0:27 /pod /v2 rw - cgroup2 none rw\n"
		"31 23 0:28 /../x /cp\\040u rw - cgroup none rw,cpuacct,cpu\n"
		"32 23 0:29 /.. /cpuset rw - cgroup none rw,cpuset\n");
	tree_put(tree, "v2/cgroup.controllers", "io\n");
	tree_mkdir(tree, "cp u");
	tree_mkdir(tree, "cpuset");
	tree_put(tree, "proc/self/cgroup",
		 "12:cpuset:/pod\n7:cpu,cpuacct:/pod\n0::/pod\n");
	assert_int_equal(mounted("cpuacct", "", 1, "/cp u", "/../x"), 7);
	assert_int_equal(mounted("cpuset", NULL, 1, "/cpuset", ""), 12);
	assert_int_equal(mounted(NULL, "", 2, "/v2", "/pod"), 0);
	assert_int_equal(mounted("pids", "io", 2, "/v2", "/pod"), 0);
	assert_int_equal(mounted("pids", "memory", 0, "", ""), -ENOENT);
	assert_int_equal(mounted("pids", NULL, 0, "", ""), -ENOENT);
	tree_put(tree, "proc/self/cgroup", "12:cpuset:/pod\n0::/pod\n");
	assert_int_equal(mounted("cpuacct", "", 0, "", ""), -ENOENT);
	assert_int_equal(
		tally_kernel_groups_mount(tree->root, "cpuacct", "", &mount),
		-EINVAL);
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
	assert_int_equal(mounted("memory", "", 2, "/sys/fs/cgroup", ""), 0);
	assert_int_equal(tally_kernel_groups_open("/nowhere", NULL, 0, &groups),
			 -ENOENT);
	tally_kernel_groups_close(NULL);
}

/* Names are as /proc/PID/cgroup has them in a container. */
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
}

/* The later of two mounts at one place hides the other. */
static void a_mount_is_hidden(void **state)
{
	(void)state;
	put_mounts("30 23 0:27 /outer /cg rw - cgroup2 none rw\n"
		   "31 23 0:27 /other /elsewhere rw - cgroup2 none rw\n"
		   "32 30 0:27 / /cg rw - cgroup2 none rw\n");
	tree_mkdir(tree, "elsewhere");
	put("cg", "in", "anon N0=2\n");
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

/* A slash sorts before every character of a name. */
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
	has_paths("/ /.hidden /a /a/b /a\x01 /a\x01/b /a-b /a.b /a.b/z ");
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
	char path[64], fifo[256];

	(void)state;
	put_mounts(MOUNTS_V2);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(path, sizeof(path), "g%02zu", i);
		put(V2, path, texts[i]);
	}
	tree_put_bytes(tree, V2 "/null/memory.numa_stat", "an\0on N0=1\n", 11);
	tree_mkdir(tree, V2 "/not-a-file/memory.numa_stat");
	put(V2, "ok", "anon N0=1 N3=5\nnew\n");
	tree_path(tree, V2 "/fifo", fifo);
	assert_int_equal(mkdir(fifo, 0755), 0);
	tree_path(tree, V2 "/fifo/memory.numa_stat", fifo);
	assert_int_equal(mkfifo(fifo, 0644), 0);
	assert_int_equal(open_groups(NULL, 0), 0);
	for (int again = 0; again < 2; again++) {
		read_groups(-EBADMSG);
		assert_int_equal(value("/ok", 3, "anon"), 5);
		assert_int_equal(tally_kernel_groups_find_figure(groups, "new"),
				 -ENOENT);
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
			snprintf(path, sizeof(path), "/g%02zu", i);
			if (row(path)->err != -EBADMSG)
				fail_msg("%s: %d", texts[i], row(path)->err);
			assert_null(row(path)->values);
		}
		assert_int_equal(row("/null")->err, -EBADMSG);
		assert_int_equal(row("/not-a-file")->err, -EISDIR);
		assert_int_equal(row("/fifo")->err, -EBADMSG);
	}
	/* A file that is right again. */
	put(V2, "g00", "anon N0=7\n");
	read_groups(-EBADMSG);
	assert_int_equal(value("/g00", 0, "anon"), 7);
}

/* A line that makes no sense costs its figure; one with an unknown name, of a
 * kernel to come, nothing. */
static void odd_lines(void **state)
{
	static const char *const harmless[] = {
		"new\n", "new 12\n", "new N0=x\n",   "new N0=1 N1\n", "N0=1\n",
		"\n",	 " \n",	     "n\xff N0=1\n", "new",
	};
	static const char *const odd[] = {
		"file\n",
		"file \n",
		"file N0\n",
		"file N0=-1\n",
		"file N0=1 N0=2\n",
		"file N0=1\nfile N0=1\n",
		"file N0=2 N1\n",
		"file=x N0=1\n",
		"file N0=99999999999999999999\n",
	};
	char text[128];

	(void)state;
	put_mounts(MOUNTS_V2);
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		print_message("# %s\n", harmless[i]);
		snprintf(text, sizeof(text), "file N0=2 N3=4\nanon N0=1\n%s",
			 harmless[i]);
		put(V2, "a", text);
		assert_int_equal(open_groups(NULL, 0), 0);
		read_groups(0);
		assert_int_equal(value("/a", 3, "file"), 4);
		assert_int_equal(value("/a", 0, "anon"), 1);
		assert_int_equal(tally_kernel_groups_nr_figures(groups), 2);
	}
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		print_message("# %s\n", odd[i]);
		snprintf(text, sizeof(text), "anon N0=1 N3=3\n%sshmem N0=2\n",
			 odd[i]);
		put(V2, "a", text);
		assert_int_equal(open_groups(NULL, 0), 0);
		read_groups(-EBADMSG);
		assert_int_equal(row("/a")->err, -EBADMSG);
		assert_non_null(row("/a")->values);
		assert_int_equal(row("/a")->values[0], 1);
		assert_int_equal(
			tally_kernel_groups_find_figure(groups, "file"), 1);
		assert_true(row("/a")->values[1] == TALLY_UNKNOWN);
		assert_int_equal(row("/a")->values[2], 2);
	}
	/* The last line was cut off. */
	put(V2, "a", "anon N0=1\nfile N0=");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(-EBADMSG);
	assert_int_equal(row("/a")->values[0], 1);
	/* As tar(1) pads it. */
	tree_put_bytes(tree, V2 "/a/memory.numa_stat", "anon N0=1\n\0\0\0\0",
		       14);
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	assert_int_equal(value("/a", 0, "anon"), 1);
}

/* What v1 counts in pages has no size if nothing in the tree tells it. */
static void unknown_page_size(void **state)
{
	(void)state;
	put_mounts(MOUNTS_V1);
	put(V1, "", "total=30 N0=30\n");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	assert_int_equal(tally_kernel_groups_figure(groups, 0)->page_bytes, 0);
	tree_put(tree, "proc/7/status", "Name:\tx\nVmRSS:\t  1024 kB\n");
	tree_put(
		tree, "proc/7/stat",
		"7 (x ) y) S 1 1 1 0 -1 4 0 0 0 0 1 1 0 0 20 0 1 0 100 1000 64 "
		"18446744073709551615\n");
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	assert_int_equal(tally_kernel_groups_figure(groups, 0)->page_bytes,
			 16384);
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

/* Cgroups, nodes and figures. */
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
	/* Only the file goes. */
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

/* A cgroup that goes after it was listed has no row, rather than a row without
 * an account. */
static void goes_meanwhile(void **state)
{
	struct mover m = {.stop = false};
	pthread_t thread;
	unsigned int seen = 0;
	/* The tree is made up, and an emulated machine slow. */
	int nr = getenv("NUMATALLY_GUEST") ? 100 : 2000;

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
	for (int i = 0; i < nr; i++) {
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
	print_message("# seen %u times of %d\n", seen, nr);
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
		nr_figures = tally_kernel_groups_nr_figures(groups);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(version_1),
		WITH_TREE(version_2),
		WITH_TREE(hybrid),
		WITH_TREE(mounts_of_any_controller),
		WITH_TREE(captured_without_mounts),
		WITH_TREE(a_part_is_mounted),
		WITH_TREE(a_mount_is_hidden),
		WITH_TREE(a_part_is_asked_for),
		WITH_TREE(order),
		WITH_TREE(garbage),
		WITH_TREE(odd_lines),
		WITH_TREE(unknown_page_size),
		WITH_TREE(too_many_figures),
		WITH_TREE(come_and_go),
		WITH_TREE(goes_meanwhile),
		WITH_TREE(this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
