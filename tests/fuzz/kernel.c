// SPDX-License-Identifier: MIT
/*
 * Any bytes as a file of sysfs or procfs, read by each of the library's parsers:
 *
 *  ┌────────┬─────┬───────────────────────┬──────────────────
 *  │ parser │ cut │ text, of which a part │ … and then all
 *  │ u8     │ u8  │ is read first: cut/256│
 *  └────────┴─────┴───────────────────────┴──────────────────
 *
 * The parser's number is taken modulo their number; add new ones at the end of
 * the table.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numatally/kernel_group.h>
#include <numatally/kernel_node.h>
#include <numatally/kernel_process.h>

#include "fuzz/fuzz.h"

#define NODE "sys/devices/system/node"

/* What is true of every result, even of wrong text. */
#define HOLDS(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* ---- a machine ---------------------------------------------------------- */

static char root[64];

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_root(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *path, const void *bytes, size_t size)
{
	char full[256];
	int fd;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	HOLDS(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

static void put_text(const char *path, const char *text)
{
	put(path, text, strlen(text));
}

static const char meminfo_1[] = "Node 1 MemTotal: 2048 kB\n"
				"Node 1 MemFree: 1024 kB\n"
				"Node 1 Active(file): 5 kB\n"
				"Node 1 Inactive(file): 6 kB\n"
				"Node 1 SReclaimable: 7 kB\n";

/* Nodes 0 and 1; the second stays as it is. */
static void make_machine(void)
{
	snprintf(root, sizeof(root), "%s/tally-fuzz-%d",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", getpid());
	remove_root();
	HOLDS(!mkdir(root, 0700));
	atexit(remove_root);
	put_text(NODE "/node0/cpulist", "0-1\n");
	put_text(NODE "/node1/cpulist", "2\n");
	put_text(NODE "/node1/meminfo", meminfo_1);
	put_text(NODE "/node1/numastat", "numa_hit 5\n");
	put_text(NODE "/node1/vmstat", "nr_free_pages 256\n");
}

static void make_rest(void)
{
	put_text(NODE "/online", "0-1\n");
	put_text(NODE "/node0/cpulist", "0-1\n");
	put_text(NODE "/node0/meminfo", "Node 0 MemFree: 1024 kB\n");
	put_text(NODE "/node0/numastat", "numa_hit 5\n");
	put_text(NODE "/node0/vmstat", "nr_free_pages 256\n");
	put_text(NODE "/node0/hugepages/hugepages-2048kB/nr_hugepages", "1\n");
	put_text("proc/stat", "cpu 1\ncpu0 1 2 3\ncpu2 4 5 6\n");
	put_text("proc/zoneinfo", "Node 1, zone Normal\n  low 5\n  high 6\n"
				  "  managed 512\n");
	put_text("proc/meminfo", "MemTotal: 1 kB\nHugepagesize: 2048 kB\n");
}

/* ---- figures of nodes --------------------------------------------------- */

static void check_figures(const struct tally_node_stats *nodes)
{
	unsigned int nr = tally_kernel_nodes_nr_figures(nodes);

	HOLDS(nr <= 8192);
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_figure *f =
			tally_kernel_nodes_figure(nodes, i);

		HOLDS(*f->name && strlen(f->name) < 64);
		for (const char *p = f->name; *p; p++)
			HOLDS(*p >= ' ' && *p < 127);
		HOLDS(f->source < TALLY_NR_SOURCES);
		HOLDS(f->page_bytes >= 0);
		HOLDS(f->unit == TALLY_UNIT_PAGES || !f->page_bytes);
	}
}

/* A value that no source has is unknown, and none is negative. An odd line costs
 * its own value alone. */
static void check_row(const struct tally_node_stats *nodes,
		      const struct tally_node_figures *row)
{
	unsigned int nr = tally_kernel_nodes_nr_figures(nodes);

	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_figure *f =
			tally_kernel_nodes_figure(nodes, i);
		int err = row->err[f->source];

		HOLDS(err <= 0);
		HOLDS(row->values[i] >= 0 || row->values[i] == TALLY_UNKNOWN);
		if (err && f->source <= TALLY_SOURCE_VMSTAT && err != -ERANGE &&
		    err != -EBADMSG)
			HOLDS(row->values[i] == TALLY_UNKNOWN);
	}
}

/* The other node's damage does not reach this one. */
static void check_other(const struct tally_node_stats *nodes,
			const struct tally_node_figures *row)
{
	int figure = tally_kernel_nodes_find_figure(nodes, TALLY_SOURCE_MEMINFO,
						    "MemFree");

	HOLDS(!row->err[TALLY_SOURCE_MEMINFO] ||
	      row->err[TALLY_SOURCE_MEMINFO] == -EFBIG);
	if (!row->err[TALLY_SOURCE_MEMINFO])
		HOLDS(figure >= 0 && row->values[figure] == 1024 * 1024);
}

static void read_nodes(struct tally_node_stats *nodes)
{
	unsigned int nr;
	int err;

	err = tally_kernel_nodes_read(nodes);
	HOLDS(err <= 0);
	nr = tally_kernel_nodes_nr(nodes);
	check_figures(nodes);
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_node_figures *row =
			tally_kernel_nodes_row(nodes, i);

		HOLDS(row->node >= 0);
		if (i)
			HOLDS(row->node >
			      tally_kernel_nodes_row(nodes, i - 1)->node);
		check_row(nodes, row);
		if (row->node == 1)
			check_other(nodes, row);
	}
}

static void fuzz_file(const char *path, const char *text, size_t cut,
		      size_t size)
{
	struct tally_node_stats *nodes;

	make_rest();
	put(path, text, cut);
	HOLDS(!tally_kernel_nodes_open(root, TALLY_SOURCES_ALL, &nodes));
	read_nodes(nodes);
	put(path, text, size);
	read_nodes(nodes);
	read_nodes(nodes);
	tally_kernel_nodes_close(nodes);
}

/* ---- processes ---------------------------------------------------------- */

/* Amounts of memory agree with each other, whatever they are. */
static void check_memory(const struct tally_process_node *n)
{
	const struct tally_mem_figure *figures[] = {n->memory, n->own,
						    n->common};

	for (int i = 0; i < 3; i++)
		for (int k = 0; k < TALLY_NR_MEM; k++) {
			const struct tally_mem_figure *f = &figures[i][k];

			HOLDS(0 <= f->lower_bytes);
			HOLDS(f->lower_bytes <= f->bytes);
			HOLDS(f->bytes <= f->upper_bytes);
		}
	HOLDS(n->total.bytes >= 0 && n->cpu_ns >= 0);
}

static void check_nodes(const struct tally_process_node *nodes, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		HOLDS(nodes[i].node >= 0 &&
		      nodes[i].node < TALLY_MEM_MAX_NODES);
		HOLDS(!i || nodes[i].node > nodes[i - 1].node);
		check_memory(&nodes[i]);
	}
}

static void check_process(const struct tally_process_row *row)
{
	HOLDS(row->pid > 0 && row->err <= 0);
	HOLDS(row->cpu_ns >= 0);
	HOLDS(row->swap_bytes >= 0 || row->swap_bytes == TALLY_UNKNOWN);
	HOLDS(strlen(row->name) < sizeof(row->name));
	HOLDS(!*row->cgroup || *row->cgroup == '/');
	check_nodes(row->nodes, row->nr_nodes);
	check_memory(&row->all);
	check_memory(&row->unknown);
	/* The undamaged process. */
	if (row->pid == 6) {
		HOLDS(!row->err && row->uid == 33);
		HOLDS(row->all.own[TALLY_MEM_ANONYMOUS].bytes == 9 * 4096);
	}
}

static void read_processes(struct tally_process_stats *l)
{
	HOLDS(tally_kernel_processes_read(l) <= 0);
	HOLDS(tally_kernel_processes_find(l, 6) >= 0);
	for (unsigned int i = 0; i < tally_kernel_processes_nr(l); i++)
		check_process(tally_kernel_processes_row(l, i));
	for (int by = 0; by < TALLY_NR_BY; by++) {
		HOLDS(!tally_kernel_processes_sum(l,
						  (enum tally_process_by)by));
		for (unsigned int i = 0; i < tally_kernel_processes_nr_sums(l);
		     i++) {
			const struct tally_process_sum *s =
				tally_kernel_processes_sum_at(l, i);

			HOLDS(s->nr_processes && s->cpu_ns >= 0);
			check_nodes(s->nodes, s->nr_nodes);
			check_memory(&s->all);
		}
	}
}

static void make_process(const char *pid)
{
	static const char *const files[][2] = {
		{"stat", "6 (x) S 1 0 0 0 0 0 0 0 0 0 3 4 0 0 0 0 2 0 5 0 9 "
			 "0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0\n"},
		{"task/6/stat",
		 "6 (x) S 1 0 0 0 0 0 0 0 0 0 3 4 0 0 0 0 2 0 5\n"},
		{"status", "Name:\tx\nUid:\t33\t33\t33\t33\nVmSize:\t9 kB\n"
			   "RssAnon:\t9 kB\nRssFile:\t0 kB\nRssShmem:\t0 kB\n"},
		{"cgroup", "3:memory:/a\n0::/b\n"},
		{"cmdline", "x"},
		{"maps", "1000-9000 rw-p 00000000 00:00 0 \n"
			 "10000-20000 r-xp 00001000 08:01 77 /bin/x\n"},
		{"numa_maps",
		 "1000 default anon=9 dirty=9 N0=4 N1=5 "
		 "kernelpagesize_kB=4\n"
		 "10000 default file=/bin/x mapped=5 mapmax=3 N0=5 "
		 "kernelpagesize_kB=4\n"},
	};
	char path[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "proc/%s/%s", pid, files[i][0]);
		put_text(path, files[i][1]);
	}
}

static void fuzz_process(const char *file, const char *text, size_t cut,
			 size_t size)
{
	static const char *const commands[] = {"x", "of"};
	struct tally_process_filter filter = {
		.size = sizeof(filter), .commands = commands, .nr_commands = 2};
	struct tally_mem_options o = {.size = sizeof(o), .budget_ppm = 1000000};
	struct tally_process_stats *l;
	char path[64];

	snprintf(path, sizeof(path), "proc/5/%s", file);
	make_process("5");
	make_process("6");
	put(path, text, cut);
	HOLDS(!tally_kernel_processes_open(root, NULL, &filter, &o, &l));
	read_processes(l);
	put(path, text, size);
	read_processes(l);
	read_processes(l);
	tally_kernel_processes_close(l);
}

/* ---- cgroups ------------------------------------------------------------ */

static void read_groups(struct tally_groups *l)
{
	unsigned int nr_nodes, nr_figures;
	const int *nodes;

	HOLDS(tally_kernel_groups_read(l) <= 0);
	nodes = tally_kernel_groups_nodes(l, &nr_nodes);
	nr_figures = tally_kernel_groups_nr_figures(l);
	for (unsigned int i = 0; i < nr_nodes; i++)
		HOLDS(nodes[i] >= 0 && (!i || nodes[i] > nodes[i - 1]));
	for (unsigned int i = 0; i < nr_figures; i++) {
		const char *name = tally_kernel_groups_figure(l, i)->name;

		HOLDS(*name && strlen(name) <= 64);
	}
	for (unsigned int i = 0; i < tally_kernel_groups_nr(l); i++) {
		const struct tally_group_row *row =
			tally_kernel_groups_row(l, i);

		HOLDS(*row->path == '/' && row->err <= 0);
		HOLDS(row->values || row->err);
		for (unsigned int v = 0;
		     row->values && v < nr_nodes * nr_figures; v++)
			HOLDS(row->values[v] >= 0 ||
			      row->values[v] == TALLY_UNKNOWN);
		if (!strcmp(row->path, "/b"))
			HOLDS(!row->err);
	}
}

static void fuzz_group_file(const char *path, const char *text, size_t cut,
			    size_t size)
{
	struct tally_groups *l;

	put_text("proc/self/mountinfo",
		 "30 23 0:27 / /cg rw - cgroup2 cgroup2 rw\n");
	put_text("cg/a/memory.numa_stat", "anon N0=1\n");
	put_text("cg/b/memory.numa_stat", "anon N0=1 N7=8\n");
	put(path, text, cut);
	if (tally_kernel_groups_open(root, NULL, 0, &l))
		return;
	read_groups(l);
	put(path, text, size);
	read_groups(l);
	read_groups(l);
	tally_kernel_groups_close(l);
}

/* ---- the parsers -------------------------------------------------------- */

#define FILE_OF_NODES(name, path)                                   \
	static void name(const char *text, size_t cut, size_t size) \
	{                                                           \
		fuzz_file(path, text, cut, size);                   \
	}

FILE_OF_NODES(fuzz_meminfo, NODE "/node0/meminfo")
FILE_OF_NODES(fuzz_numastat, NODE "/node0/numastat")
FILE_OF_NODES(fuzz_vmstat, NODE "/node0/vmstat")
FILE_OF_NODES(fuzz_stat, "proc/stat")
FILE_OF_NODES(fuzz_zoneinfo, "proc/zoneinfo")
FILE_OF_NODES(fuzz_online, NODE "/online")
FILE_OF_NODES(fuzz_cpulist, NODE "/node0/cpulist")
FILE_OF_NODES(fuzz_hugepages,
	      NODE "/node0/hugepages/hugepages-2048kB/nr_hugepages")
FILE_OF_NODES(fuzz_sizes, "proc/meminfo")

#define FILE_OF_PROCESS(name, file)                                 \
	static void name(const char *text, size_t cut, size_t size) \
	{                                                           \
		fuzz_process(file, text, cut, size);                \
	}

FILE_OF_PROCESS(fuzz_numa_maps, "numa_maps")
FILE_OF_PROCESS(fuzz_maps, "maps")
FILE_OF_PROCESS(fuzz_process_stat, "stat")
FILE_OF_PROCESS(fuzz_thread_stat, "task/6/stat")
FILE_OF_PROCESS(fuzz_status, "status")
FILE_OF_PROCESS(fuzz_cgroup, "cgroup")
FILE_OF_PROCESS(fuzz_cmdline, "cmdline")

static void fuzz_numa_stat(const char *text, size_t cut, size_t size)
{
	fuzz_group_file("cg/a/memory.numa_stat", text, cut, size);
}

static void fuzz_mountinfo(const char *text, size_t cut, size_t size)
{
	fuzz_group_file("proc/self/mountinfo", text, cut, size);
}

static void (*const parsers[])(const char *text, size_t cut, size_t size) = {
	fuzz_meminfo,	  fuzz_numastat,  fuzz_vmstat,	fuzz_stat,
	fuzz_zoneinfo,	  fuzz_online,	  fuzz_cpulist, fuzz_hugepages,
	fuzz_sizes,	  fuzz_numa_maps, fuzz_maps,	fuzz_process_stat,
	fuzz_thread_stat, fuzz_status,	  fuzz_cgroup,	fuzz_cmdline,
	fuzz_numa_stat,	  fuzz_mountinfo,
};

#define NR_PARSERS (sizeof(parsers) / sizeof(parsers[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const char *text;
	size_t size;

	if (!*root)
		make_machine();
	if (bytes < 2)
		return 0;
	size = bytes - 2;
	text = (const char *)data + 2;
	parsers[data[0] % NR_PARSERS](text, size * data[1] / 256, size);
	return 0;
}
