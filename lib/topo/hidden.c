// SPDX-License-Identifier: MIT
/* What can be told of a machine whose sysfs is hidden, as containers do. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numatally/topo.h>

#include "topo/sysfs.h"
#include "base/regular.h"

/* A longer file is another kind of file. */
#define MOST_TEXT (64u << 20)

/* Add the CPUs of lines that begin so and go on with a number, behind any of
 * these separators. */
static int add_cpus(struct topo_tree *tree, const char *path, const char *label,
		    const char *separators, struct topo_set *set)
{
	char *text, *line, *save = NULL;
	size_t len, n = strlen(label);
	int err = regular_read(tree->fd, path, MOST_TEXT, &text, &len);

	if (err)
		return err;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *end;
		long cpu;

		if (strncmp(line, label, n) != 0)
			continue;
		line += n + strspn(line + n, separators);
		if (*line < '0' || *line > '9')
			continue;
		cpu = strtol(line, &end, 10);
		if (cpu < TOPO_IDS)
			topo_set_add(set, (int)cpu);
	}
	free(text);
	return 0;
}

int topo_read_proc_cpus(struct topo_tree *tree, struct topo_set *set)
{
	int err;

	memset(set, 0, sizeof(*set));
	/* In the first line, a time follows: of all CPUs. */
	err = add_cpus(tree, "proc/stat", "cpu", "", set);
	if (!topo_fatal(err) && topo_set_next(set, 0) < 0)
		err = add_cpus(tree, "proc/cpuinfo", "processor", "\t :", set);
	if (topo_fatal(err))
		return err;
	return topo_set_next(set, 0) < 0 ? -ENOENT : 0;
}

/* An error that leaves open whether nodes are hidden: opening the topology fails
 * with it. */
static bool tells_nothing(int err)
{
	return topo_fatal(err) || err == -EIO;
}

/* A kernel with NUMA links CPUs to nodes, and has numa_maps. */
static bool has_numa(struct topo_tree *tree, const struct topo_set *cpus,
		     bool live)
{
	struct topo_set nodes;
	int cpu = topo_set_next(cpus, 0);
	int err = topo_read_names(tree, &nodes, "node", TOPO_CPU_DIR "/cpu%d",
				  cpu);

	if (tells_nothing(err))
		return false;
	if (!err && topo_set_next(&nodes, 0) >= 0)
		return true;
	return live && faccessat(tree->fd, "proc/self/numa_maps", F_OK, 0) == 0;
}

/* Returns an error that leaves open whether there is any. */
static int find_cpus(struct topo_tree *tree, struct topo_set *cpus)
{
	int err = topo_read_list(tree, cpus, TOPO_CPU_DIR "/online");

	if (tells_nothing(err) || (!err && topo_set_next(cpus, 0) >= 0))
		return err;
	err = topo_read_names(tree, cpus, "cpu", TOPO_CPU_DIR);
	return tells_nothing(err) ? err : 0;
}

static bool is_hidden(struct topo_tree *tree, bool live)
{
	struct topo_set nodes, cpus;
	int err = topo_read_names(tree, &nodes, "node", TOPO_NODE_DIR);

	if (tells_nothing(err) || (!err && topo_set_next(&nodes, 0) >= 0) ||
	    find_cpus(tree, &cpus))
		return false;
	if (topo_set_next(&cpus, 0) >= 0)
		return has_numa(tree, &cpus, live);
	return faccessat(tree->fd, "proc/meminfo", F_OK, 0) == 0 ||
	       faccessat(tree->fd, "proc/stat", F_OK, 0) == 0;
}

bool tally_topo_hidden(const char *root)
{
	struct topo_tree *tree;
	bool hidden;

	if (topo_tree_open(root, &tree))
		return false;
	hidden = is_hidden(tree, !root);
	topo_tree_close(tree);
	return hidden;
}
