// SPDX-License-Identifier: MIT
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/topo.h>

#include "topo_memory.h"
#include "topo_sysfs.h"

#define CPU_DIR	 "sys/devices/system/cpu"
#define NODE_DIR "sys/devices/system/node"

/* How often a topology that changes while it is read is read again. */
#define TRIES 5

struct tally_topo {
	struct tally_node *nodes;
	unsigned int nr_nodes;
	unsigned int nr_cpus;
	int *cpu_nodes; /* -ENOENT: not known */
	bool *cpus_online;
	int *cpus;	/* what the nodes' lists of CPUs lie in */
	int *distances; /* nr_nodes rows of nr_nodes */
};

/* What is there to be described. */
struct inventory {
	struct topo_set possible;
	struct topo_set online;
	struct topo_set listed; /* nodes that the kernel calls online */
	struct topo_set nodes;	/* of these, those with a directory */
};

/* Without NUMA in the kernel, sysfs has no nodes. */
static bool has_numa(const struct inventory *inv)
{
	return topo_set_next(&inv->nodes, 0) >= 0;
}

/* Without a list, a CPU is online unless its own file says otherwise. */
static int guess_online(struct topo_tree *tree, const struct topo_set *present,
			struct topo_set *online)
{
	*online = *present;
	topo_set_each(present, cpu) {
		int err = topo_read(tree, CPU_DIR "/cpu%d/online", cpu);

		if (topo_fatal(err))
			return err;
		if (!err && tree->text[0] == '0')
			topo_set_remove(online, cpu);
	}
	return 0;
}

static int list_cpus(struct topo_tree *tree, struct inventory *inv)
{
	struct topo_set present;
	int err = topo_read_names(tree, &present, "cpu", CPU_DIR);

	if (err)
		return err;
	err = topo_read_list(tree, &inv->online, CPU_DIR "/online");
	if (topo_fatal(err))
		return err;
	if (err || topo_set_next(&inv->online, 0) < 0)
		err = guess_online(tree, &present, &inv->online);
	if (err)
		return err;
	if (topo_set_next(&inv->online, 0) < 0)
		return -ENOENT;
	err = topo_read_list(tree, &inv->possible, CPU_DIR "/possible");
	if (topo_fatal(err))
		return err;
	if (err)
		memset(&inv->possible, 0, sizeof(inv->possible));
	for (size_t i = 0; i < TOPO_IDS / 64; i++)
		inv->possible.words[i] |= inv->online.words[i] |
					  present.words[i];
	return 0;
}

static int list_nodes(struct topo_tree *tree, struct inventory *inv)
{
	struct topo_set present;
	int err = topo_read_names(tree, &present, "node", NODE_DIR);

	if (err)
		return err == -ENOENT || err == -ENOTDIR ? 0 : err;
	err = topo_read_list(tree, &inv->listed, NODE_DIR "/online");
	if (topo_fatal(err))
		return err;
	if (err || topo_set_next(&inv->listed, 0) < 0)
		inv->listed = present;
	for (size_t i = 0; i < TOPO_IDS / 64; i++)
		inv->nodes.words[i] = inv->listed.words[i] & present.words[i];
	return 0;
}

static int take_inventory(struct topo_tree *tree, struct inventory *inv)
{
	int err;

	memset(inv, 0, sizeof(*inv));
	err = list_cpus(tree, inv);
	return err ? err : list_nodes(tree, inv);
}

/* The node's own list; old kernels have only the mask. */
static int read_node_cpus(struct topo_tree *tree, struct tally_topo *topo,
			  int node)
{
	struct topo_set cpus;
	int err = topo_read_list(tree, &cpus, NODE_DIR "/node%d/cpulist", node);

	if (err && !topo_fatal(err))
		err = topo_read_mask(tree, &cpus, NODE_DIR "/node%d/cpumap",
				     node);
	if (err)
		return topo_fatal(err) ? err : 0;
	topo_set_each(&cpus, cpu) {
		if ((unsigned int)cpu < topo->nr_cpus &&
		    topo->cpu_nodes[cpu] < 0)
			topo->cpu_nodes[cpu] = node;
	}
	return 0;
}

/* Offline CPUs are in no node's list, but may still be linked to one. */
static int read_cpu_links(struct topo_tree *tree, struct tally_topo *topo,
			  const struct inventory *inv)
{
	struct topo_set links;

	for (unsigned int cpu = 0; cpu < topo->nr_cpus; cpu++) {
		int err;

		if (topo->cpu_nodes[cpu] >= 0)
			continue;
		err = topo_read_names(tree, &links, "node", CPU_DIR "/cpu%u",
				      cpu);
		if (topo_fatal(err))
			return err;
		if (err)
			continue;
		topo_set_each(&links, node) {
			if (topo_set_has(&inv->nodes, node)) {
				topo->cpu_nodes[cpu] = node;
				break;
			}
		}
	}
	return 0;
}

/* Gives each node the list of its online CPUs. */
static void hand_out_cpus(struct tally_topo *topo)
{
	int *next = topo->cpus;

	for (unsigned int i = 0; i < topo->nr_nodes; i++) {
		struct tally_node *node = &topo->nodes[i];

		node->cpus = next;
		for (unsigned int cpu = 0; cpu < topo->nr_cpus; cpu++)
			if (topo->cpus_online[cpu] &&
			    topo->cpu_nodes[cpu] == node->id)
				*next++ = (int)cpu;
		node->nr_cpus = (unsigned int)(next - node->cpus);
	}
}

/*
 * A row has an entry for each node that was listed, in order; entries of those
 * that were dropped are passed over. A row of another length means nothing.
 */
static int read_distances(struct topo_tree *tree, struct tally_topo *topo,
			  const struct inventory *inv)
{
	unsigned int nr_listed = topo_set_count(&inv->listed);
	int *listed = malloc(nr_listed * sizeof(*listed));

	if (!listed)
		return -ENOMEM;
	for (unsigned int i = 0; i < topo->nr_nodes; i++) {
		struct tally_node *node = &topo->nodes[i];
		int *row = topo->distances + (size_t)i * topo->nr_nodes;
		unsigned int from = 0, to = 0;
		int err = topo_read_distances(tree, listed, nr_listed,
					      NODE_DIR "/node%d/distance",
					      node->id);

		if (topo_fatal(err)) {
			free(listed);
			return err;
		}
		if (err)
			continue;
		topo_set_each(&inv->listed, id) {
			if (topo_set_has(&inv->nodes, id))
				row[to++] = listed[from];
			from++;
		}
		node->distances = row;
	}
	free(listed);
	return 0;
}

static int read_nodes(struct topo_tree *tree, struct tally_topo *topo,
		      const struct inventory *inv)
{
	for (unsigned int i = 0; i < topo->nr_nodes; i++) {
		struct tally_node *node = &topo->nodes[i];
		int err = read_node_cpus(tree, topo, node->id);

		if (!err)
			err = topo_read_memory(tree, &node->memory_bytes,
					       NODE_DIR "/node%d/meminfo",
					       node->id);
		if (topo_fatal(err))
			return err;
	}
	return read_distances(tree, topo, inv);
}

/* A kernel without NUMA: one node with everything. */
static int describe_whole(struct topo_tree *tree, struct tally_topo *topo)
{
	int err = topo_read_memory(tree, &topo->nodes[0].memory_bytes,
				   "proc/meminfo");

	for (unsigned int cpu = 0; cpu < topo->nr_cpus; cpu++)
		topo->cpu_nodes[cpu] = 0;
	return topo_fatal(err) ? err : 0;
}

static struct tally_topo *allocate(const struct inventory *inv)
{
	struct tally_topo *topo = calloc(1, sizeof(*topo));
	size_t nr_nodes = has_numa(inv) ? topo_set_count(&inv->nodes) : 1;
	unsigned int i = 0;

	if (!topo)
		return NULL;
	topo_set_each(&inv->possible, cpu)
		topo->nr_cpus = (unsigned int)cpu + 1;
	topo->nr_nodes = (unsigned int)nr_nodes;
	topo->nodes = calloc(nr_nodes, sizeof(*topo->nodes));
	topo->distances = calloc(nr_nodes * nr_nodes, sizeof(int));
	topo->cpu_nodes = calloc(topo->nr_cpus + 1, sizeof(int));
	topo->cpus = calloc(topo->nr_cpus + 1, sizeof(int));
	topo->cpus_online = calloc(topo->nr_cpus + 1, sizeof(bool));
	if (!topo->nodes || !topo->distances || !topo->cpu_nodes ||
	    !topo->cpus || !topo->cpus_online) {
		tally_topo_close(topo);
		return NULL;
	}
	topo_set_each(&inv->nodes, id)
		topo->nodes[i++].id = id;
	for (i = 0; i < nr_nodes; i++) {
		topo->nodes[i].tier = -1;
		topo->nodes[i].memory_bytes = -1;
	}
	for (i = 0; i < topo->nr_cpus; i++) {
		topo->cpu_nodes[i] = -ENOENT;
		topo->cpus_online[i] = topo_set_has(&inv->online, (int)i);
	}
	return topo;
}

static int describe(struct topo_tree *tree, const char *root,
		    const struct inventory *inv, struct tally_topo *topo)
{
	int err = has_numa(inv) ? read_nodes(tree, topo, inv)
				: describe_whole(tree, topo);

	if (!err && has_numa(inv))
		err = read_cpu_links(tree, topo, inv);
	if (!err)
		err = topo_read_kinds(tree, root, topo->nodes, topo->nr_nodes);
	if (!err)
		hand_out_cpus(topo);
	return err;
}

/* -EAGAIN: nodes or CPUs came or went meanwhile. */
static int try_open(struct topo_tree *tree, const char *root,
		    struct tally_topo **topo)
{
	struct inventory before, after;
	struct tally_topo *t;
	int err = take_inventory(tree, &before);

	if (err)
		return err;
	t = allocate(&before);
	if (!t)
		return -ENOMEM;
	err = describe(tree, root, &before, t);
	if (!err)
		err = take_inventory(tree, &after);
	if (!err && memcmp(&before, &after, sizeof(before)) != 0)
		err = -EAGAIN;
	if (err) {
		tally_topo_close(t);
		return err;
	}
	*topo = t;
	return 0;
}

int tally_topo_open(const char *root, struct tally_topo **topo)
{
	struct topo_tree *tree;
	int err = topo_tree_open(root, &tree);

	if (err)
		return err;
	for (int i = 0; i < TRIES; i++) {
		err = try_open(tree, root, topo);
		if (err != -EAGAIN)
			break;
	}
	topo_tree_close(tree);
	return err;
}

void tally_topo_close(struct tally_topo *topo)
{
	if (!topo)
		return;
	free(topo->nodes);
	free(topo->distances);
	free(topo->cpu_nodes);
	free(topo->cpus);
	free(topo->cpus_online);
	free(topo);
}

unsigned int tally_topo_nr_nodes(const struct tally_topo *topo)
{
	return topo->nr_nodes;
}

const struct tally_node *tally_topo_node(const struct tally_topo *topo,
					 unsigned int index)
{
	assert(index < topo->nr_nodes);
	return &topo->nodes[index];
}

int tally_topo_index(const struct tally_topo *topo, int node)
{
	unsigned int low = 0, high = topo->nr_nodes;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (topo->nodes[middle].id == node)
			return (int)middle;
		if (topo->nodes[middle].id < node)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}

unsigned int tally_topo_nr_cpus(const struct tally_topo *topo)
{
	return topo->nr_cpus;
}

int tally_topo_cpu_node(const struct tally_topo *topo, int cpu)
{
	if (cpu < 0 || (unsigned int)cpu >= topo->nr_cpus)
		return -ENOENT;
	return topo->cpu_nodes[cpu];
}

bool tally_topo_cpu_online(const struct tally_topo *topo, int cpu)
{
	return cpu >= 0 && (unsigned int)cpu < topo->nr_cpus &&
	       topo->cpus_online[cpu];
}
