// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/proc/page.h"

/* The most processes of a captured machine that are asked. */
#define MOST_PROCESSES 32

/* Amounts that one file has in KiB and another in pages, summed. Each file may
 * have been captured at another time. */
struct sizes {
	double kib;
	double pages;
};

static int64_t number_after(const char *text, const char *label)
{
	const char *p = strstr(text, label);

	return p ? strtol(p + strlen(label), NULL, 10) : 0;
}

static void add(struct sizes *sum, int64_t kib, int64_t pages)
{
	if (kib <= 0 || pages <= 0)
		return;
	sum->kib += (double)kib;
	sum->pages += (double)pages;
}

static void add_node(struct topo_tree *tree, const char *meminfo,
		     const char *vmstat, struct sizes *sum)
{
	static const char *const names[][2] = {
		{"MemFree:", "nr_free_pages "},
		{"FilePages:", "nr_file_pages "},
		{"AnonPages:", "nr_anon_pages "},
	};
	size_t nr = sizeof(names) / sizeof(names[0]);
	int64_t kib[sizeof(names) / sizeof(names[0])];

	if (topo_read(tree, "%s", meminfo))
		return;
	for (size_t i = 0; i < nr; i++)
		kib[i] = number_after(tree->text, names[i][0]);
	if (topo_read(tree, "%s", vmstat))
		return;
	for (size_t i = 0; i < nr; i++)
		add(sum, kib[i], number_after(tree->text, names[i][1]));
}

/* VmRSS, and the 24th field of stat, the 22nd behind the name. */
static void add_process(struct topo_tree *tree, int pid, struct sizes *sum)
{
	const char *at;
	int64_t kib;

	if (topo_read(tree, "proc/%d/status", pid))
		return;
	kib = number_after(tree->text, "\nVmRSS:");
	if (topo_read(tree, "proc/%d/stat", pid))
		return;
	at = strrchr(tree->text, ')');
	for (int i = 0; at && i < 22; i++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	if (at)
		add(sum, kib, strtol(at, NULL, 10));
}

/* The page size is the power of two nearest to the ratio. */
static int64_t ratio(const struct sizes *sum)
{
	for (int kib = 4; kib <= 1024; kib *= 2)
		if (sum->kib > 0.75 * sum->pages * kib &&
		    sum->kib < 1.5 * sum->pages * kib)
			return kib * INT64_C(1024);
	return 0;
}

/* A kernel writes the size in numa_maps, of huge pages as well. */
static int64_t smallest(struct topo_tree *tree, int pid)
{
	static const char label[] = "kernelpagesize_kB=";
	int64_t least = 0;

	if (topo_read(tree, "proc/%d/numa_maps", pid))
		return 0;
	for (const char *at = tree->text; (at = strstr(at, label));) {
		int64_t kib;

		at += sizeof(label) - 1;
		kib = strtol(at, NULL, 10);
		if (kib > 0 && kib <= 1024 && (!least || kib < least))
			least = kib;
	}
	return least * 1024;
}

static int64_t ask_processes(struct topo_tree *tree)
{
	struct sizes sum = {0, 0};
	struct topo_set pids;
	int64_t bytes = 0;
	int nr = 0;

	if (topo_read_names(tree, &pids, "", "proc"))
		return 0;
	topo_set_each(&pids, pid) {
		bytes = smallest(tree, pid);
		if (bytes || nr++ == MOST_PROCESSES)
			break;
		add_process(tree, pid, &sum);
	}
	return bytes ? bytes : ratio(&sum);
}

/* Pages of a captured machine may be larger than ours, and no file is there to
 * tell their size. */
static int64_t guess(struct topo_tree *tree)
{
	struct sizes sum = {0, 0};
	struct topo_set nodes;
	char meminfo[64], vmstat[64];
	int64_t bytes;

	add_node(tree, "proc/meminfo", "proc/vmstat", &sum);
	if (topo_read_names(tree, &nodes, "node", TOPO_NODE_DIR) == 0)
		topo_set_each(&nodes, id) {
			snprintf(meminfo, sizeof(meminfo),
				 TOPO_NODE_DIR "/node%d/meminfo", id);
			snprintf(vmstat, sizeof(vmstat),
				 TOPO_NODE_DIR "/node%d/vmstat", id);
			add_node(tree, meminfo, vmstat, &sum);
		}
	bytes = ratio(&sum);
	return bytes ? bytes : ask_processes(tree);
}

int64_t kernel_page_bytes(struct topo_tree *tree, bool live)
{
	return live ? (int64_t)sysconf(_SC_PAGESIZE) : guess(tree);
}

int64_t kernel_page_bytes_of(const char *root)
{
	struct topo_tree *tree;
	int64_t bytes;

	if (!root)
		return (int64_t)sysconf(_SC_PAGESIZE);
	if (topo_tree_open(root, &tree))
		return 0;
	bytes = guess(tree);
	topo_tree_close(tree);
	return bytes;
}
