// SPDX-License-Identifier: MIT
/* Figures of this machine and of captured ones, compared with a simpler reading
 * of the same files; and the cost of a second reading. */
#include "support/test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>

#include "support/captured.h"
#include "support/node_trees.h"

#if !TEST_SANITIZED
/* Counts the library's allocations and opens; can make a node's files fail. */
static unsigned int nr_allocations, nr_opens;
static int failing_fd = -1, nr_failing; /* how many of its reads fail */

#define COUNTED __attribute__((visibility("default")))

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c) */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t nr, size_t size);
extern void *__libc_realloc(void *p, size_t size);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c) */

COUNTED void *malloc(size_t size)
{
	nr_allocations++;
	return __libc_malloc(size);
}

COUNTED void *calloc(size_t nr, size_t size)
{
	nr_allocations++;
	return __libc_calloc(nr, size);
}

COUNTED void *realloc(void *p, size_t size)
{
	nr_allocations++;
	return __libc_realloc(p, size);
}

COUNTED void *reallocarray(void *p, size_t nr, size_t size)
{
	nr_allocations++;
	return __libc_realloc(p, nr * size);
}

COUNTED int openat64(int dir, const char *path, int flags, ...)
{
	int (*real)(int, const char *, int, ...) = (int (*)(
		int, const char *, int, ...))dlsym(RTLD_NEXT, "openat64");

	nr_opens++;
	return real(dir, path, flags);
}

COUNTED int openat(int dir, const char *path, int flags, ...)
{
	return openat64(dir, path, flags);
}

COUNTED ssize_t pread64(int fd, void *buf, size_t size, off64_t offset)
{
	ssize_t (*real)(int, void *, size_t, off64_t) = (ssize_t(*)(
		int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");

	if (fd == failing_fd && nr_failing > 0) {
		nr_failing--;
		errno = ENODEV;
		return -1;
	}
	return real(fd, buf, size, offset);
}

COUNTED ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
	return pread64(fd, buf, size, offset);
}
#endif

/* ---- a simpler reading --------------------------------------------------- */

/* The value of the line that begins so; -1: no such line. */
static int64_t simple(const char *path, const char *begin)
{
	FILE *f = fopen(path, "r");
	char line[4096];
	int64_t value = -1;

	assert_non_null(f);
	while (value < 0 && fgets(line, sizeof(line), f))
		if (strncmp(line, begin, strlen(begin)) == 0)
			value = strtoll(line + strlen(begin), NULL, 10);
	fclose(f);
	return value;
}

static unsigned int nr_lines(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[4096];
	unsigned int nr = 0;

	while (f && fgets(line, sizeof(line), f))
		nr += line[0] != '\n';
	if (f)
		fclose(f);
	return nr;
}

static bool has_file(const char *root, int node, const char *name,
		     char path[512])
{
	snprintf(path, 512, "%s/" NODE "/node%d/%s", root, node, name);
	return access(path, R_OK) == 0;
}

/* Every line of a node's files is a figure with that value. */
static void assert_file(const struct tally_node_stats *nodes, const char *root,
			int node, enum tally_source source, const char *name,
			bool frozen)
{
	unsigned int nr = tally_kernel_nodes_nr_figures(nodes), known = 0;
	char path[512], begin[128];

	if (!has_file(root, node, name, path)) {
		assert_int_equal(err_of(nodes, node, source), -ENODATA);
		return;
	}
	assert_int_equal(err_of(nodes, node, source), 0);
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_figure *f =
			tally_kernel_nodes_figure(nodes, i);
		int64_t value = row_of(nodes, node)->values[i], expected;

		if (f->source != source || value == TALLY_UNKNOWN)
			continue;
		known++;
		if (source == TALLY_SOURCE_MEMINFO)
			snprintf(begin, sizeof(begin), "Node %d %s:", node,
				 f->name);
		else
			snprintf(begin, sizeof(begin), "%s ", f->name);
		expected = simple(path, begin);
		assert_true(expected >= 0);
		if (f->unit == TALLY_UNIT_BYTES)
			expected *= 1024;
		if (frozen || strcmp(f->name, "MemTotal") == 0)
			assert_int_equal(value, expected);
	}
	assert_int_equal(known, nr_lines(path));
}

/* The CPUs of each node, by links or masks, with their times summed. */
static void assert_cpu_time(const struct tally_node_stats *nodes,
			    const char *root)
{
	char path[512];
	int64_t sum = 0, expected;

	snprintf(path, sizeof(path), "%s/proc/stat", root);
	if (access(path, R_OK)) {
		for (unsigned int i = 0; i < tally_kernel_nodes_nr(nodes); i++)
			assert_int_equal(tally_kernel_nodes_row(nodes, i)
						 ->err[TALLY_SOURCE_CPU],
					 -ENODATA);
		return;
	}
	for (unsigned int i = 0; i < tally_kernel_nodes_nr(nodes); i++) {
		int id = tally_kernel_nodes_row(nodes, i)->node;
		int64_t value = value_of(nodes, id, TALLY_SOURCE_CPU, "user");

		if (value != TALLY_UNKNOWN)
			sum += value;
	}
	/* Captured trees lack some CPUs; no line has their sum. */
	expected = simple(path, "cpu ") * 10000000;
	if (*root) {
		assert_true(sum > 0 && sum <= expected + 2000000000);
		return;
	}
	assert_true(sum >= expected - expected / 10 - 2000000000);
	assert_true(sum <= expected + 2000000000);
}

static void assert_hugepages(const struct tally_node_stats *nodes,
			     const char *root, int node)
{
	char path[512], name[600], file[1024];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/" NODE "/node%d/hugepages", root,
		 node);
	dir = opendir(path);
	if (!dir) {
		assert_int_equal(err_of(nodes, node, TALLY_SOURCE_HUGEPAGES),
				 -ENODATA);
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s nr", entry->d_name);
		snprintf(file, sizeof(file), "%s/%s/nr_hugepages", path,
			 entry->d_name);
		assert_int_equal(
			value_of(nodes, node, TALLY_SOURCE_HUGEPAGES, name),
			simple(file, ""));
		assert_int_equal(figure_of(nodes, TALLY_SOURCE_HUGEPAGES, name)
					 ->page_bytes,
				 strtoll(entry->d_name + strlen("hugepages-"),
					 NULL, 10) *
					 1024);
	}
	closedir(dir);
}

static void assert_machine(const char *root)
{
	struct tally_node_stats *nodes = NULL;

	print_message("# %s\n", *root ? root : "this machine");
	assert_int_equal(tally_kernel_nodes_open(*root ? root : NULL,
						 TALLY_SOURCES_ALL, &nodes),
			 0);
	/* The second reading uses open files and returns the same. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tally_kernel_nodes_read(nodes), 0);
		assert_true(tally_kernel_nodes_nr(nodes) > 0);
		for (unsigned int j = 0; j < tally_kernel_nodes_nr(nodes);
		     j++) {
			int id = tally_kernel_nodes_row(nodes, j)->node;

			assert_file(nodes, root, id, TALLY_SOURCE_MEMINFO,
				    "meminfo", *root);
			assert_file(nodes, root, id, TALLY_SOURCE_NUMASTAT,
				    "numastat", *root);
			assert_file(nodes, root, id, TALLY_SOURCE_VMSTAT,
				    "vmstat", *root);
			assert_hugepages(nodes, root, id);
		}
		assert_cpu_time(nodes, root);
	}
	tally_kernel_nodes_close(nodes);
}

static void this_machine(void **state)
{
	(void)state;
	if (access("/" NODE, F_OK)) {
		print_message("# no nodes in this machine's sysfs\n");
		skip();
		return;
	}
	assert_machine("");
}

/*
 * With one node, the kernel itself says what is available. In a virtual machine
 * the host can own the free part, so only the rest is compared.
 */
static void available_as_the_kernel_says(void **state)
{
	static const char file[] = "/proc/meminfo";
	int64_t ours, kernels, total;
	struct tally_node_stats *nodes;
	int node;

	(void)state;
	assert_int_equal(
		tally_kernel_nodes_open(NULL, TALLY_SOURCES_ALL, &nodes), 0);
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	node = tally_kernel_nodes_row(nodes, 0)->node;
	if (tally_kernel_nodes_nr(nodes) > 1 ||
	    err_of(nodes, node, TALLY_SOURCE_ESTIMATE) ||
	    simple(file, "MemAvailable:") < 0) {
		tally_kernel_nodes_close(nodes);
		print_message("# nothing to compare with\n");
		skip();
		return;
	}
	ours = value_of(nodes, node, TALLY_SOURCE_ESTIMATE, "MemAvailable") -
	       value_of(nodes, node, TALLY_SOURCE_MEMINFO, "MemFree");
	total = value_of(nodes, node, TALLY_SOURCE_MEMINFO, "MemTotal");
	kernels = (simple(file, "MemAvailable:") - simple(file, "MemFree:")) *
		  1024;
	print_message("# %jd here, %jd there\n", (intmax_t)ours,
		      (intmax_t)kernels);
	/* Other processes allocate and free meanwhile. */
	assert_true(ours >= kernels - total / 50);
	assert_true(ours <= kernels + total / 50);
	tally_kernel_nodes_close(nodes);
}

static void assert_particulars(const char *root)
{
	const char *name = strrchr(root, '/') + 1;
	struct tally_node_stats *nodes;

	assert_int_equal(
		tally_kernel_nodes_open(root, TALLY_SOURCES_ALL, &nodes), 0);
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	if (strcmp(name, "256ia64-64n2s2c") == 0) {
		assert_int_equal(tally_kernel_nodes_nr(nodes), 64);
	} else if (strcmp(name, "48amd64-4d2n6c-sparse") == 0) {
		assert_int_equal(tally_kernel_nodes_row(nodes, 7)->node, 73);
		assert_int_equal(tally_kernel_nodes_row(nodes, 3)->node, 33);
	} else if (strcmp(name, "nvidiagpunumanodes") == 0) {
		assert_int_equal(
			figure_of(nodes, TALLY_SOURCE_VMSTAT, "nr_free_pages")
				->page_bytes,
			65536);
		/* A node of memory only. */
		assert_int_equal(value_of(nodes, 250, TALLY_SOURCE_CPU, "user"),
				 0);
	} else if (strcmp(name, "offline-cpu0-node0") == 0) {
		assert_int_equal(tally_kernel_nodes_nr(nodes), 1);
		assert_int_equal(
			figure_of(nodes, TALLY_SOURCE_VMSTAT, "nr_kernel_stack")
				->unit,
			TALLY_UNIT_OBJECTS);
	} else if (strcmp(name, "fakeheteromemtiers") == 0) {
		/* Linux 5.18 has them per node. */
		assert_int_equal(value_of(nodes, 9, TALLY_SOURCE_VMSTAT,
					  "pgpromote_success"),
				 0);
	}
	tally_kernel_nodes_close(nodes);
}

static void check_machine(const char *root)
{
	assert_machine(root);
	assert_particulars(root);
}

static void captured_machines(void **state)
{
	captured_each(*state, check_machine);
}

#if !TEST_SANITIZED
static unsigned int nr_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	assert_non_null(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

/* A reading of unchanged files. */
static void assert_steady(const char *root)
{
	struct tally_node_stats *nodes;
	unsigned int allocations, opens, files = nr_files(), during;

	opens = nr_opens;
	assert_int_equal(
		tally_kernel_nodes_open(root, TALLY_SOURCES_ALL, &nodes), 0);
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_true(nr_opens > opens + 3); /* the counting itself works */
	during = nr_files();
	assert_true(during > files + 3);
	allocations = nr_allocations;
	opens = nr_opens;
	for (int i = 0; i < 100; i++)
		assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(nr_allocations, allocations);
	assert_int_equal(nr_opens, opens);
	assert_int_equal(nr_files(), during);
	tally_kernel_nodes_close(nodes);
	assert_true(nr_allocations > 0);
	assert_int_equal(nr_files(), files);
}

static void steady(void **state)
{
	struct tree *tree = *state;

	put_machine(tree);
	assert_steady(tree->root);
	assert_steady(NULL);
}

/* The files open are of the node that went, until they are opened again. */
static void node_went_and_came(void **state)
{
	struct tally_node_stats *nodes;
	struct tree *tree = *state;
	char path[256];
	struct stat st, of;

	put_machine(tree);
	assert_int_equal(
		tally_kernel_nodes_open(tree->root, TALLY_SOURCES_ALL, &nodes),
		0);
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	tree_path(tree, NODE "/node7/meminfo", path);
	assert_int_equal(stat(path, &st), 0);
	for (int fd = 3; fd < 256 && failing_fd < 0; fd++)
		if (fstat(fd, &of) == 0 && of.st_ino == st.st_ino &&
		    of.st_dev == st.st_dev)
			failing_fd = fd;
	assert_true(failing_fd >= 0);
	/* A file opened again gets the failing file's number. */
	nr_failing = 1;
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(nr_failing, 0);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_MEMINFO, "MemFree"),
			 800000 * INT64_C(1024));
	nr_failing = 2;
	assert_int_equal(tally_kernel_nodes_read(nodes), -ENODEV);
	assert_int_equal(err_of(nodes, 7, TALLY_SOURCE_MEMINFO), -ENODEV);
	assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_MEMINFO), 0);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_NUMASTAT, "numa_hit"),
			 100);
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_MEMINFO, "MemFree"),
			 800000 * INT64_C(1024));
	tally_kernel_nodes_close(nodes);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(this_machine),
		TREE_TEST(available_as_the_kernel_says),
		TREE_TEST(captured_machines),
#if !TEST_SANITIZED
		TREE_TEST(steady),
		TREE_TEST(node_went_and_came),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
