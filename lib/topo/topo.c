// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <numatally/topo.h>

#include "base/uncancelled.h"
#include "topo/internal.h"
#include "topo/memory.h"
#include "topo/sysfs.h"

/* Readings of a topology that changes while it is read. */
#define TRIES 5

/* What to describe. */
struct inventory {
	struct topo_set possible;
	struct topo_set online;
	struct topo_set listed; /* nodes that the kernel lists as online */
	struct topo_set nodes;	/* those of them with a directory */
};

/* In a kernel without NUMA, sysfs has no nodes. */
static bool has_numa(const struct inventory *inv)
{
	return topo_set_next(&inv->nodes, 0) >= 0;
}

/* Containers hide the CPUs in sysfs: take those of proc, or of nodes. */
static int list_hidden_cpus(struct topo_tree *tree, struct topo_set *online)
{
	struct topo_set nodes, cpus;
	int err = topo_read_proc_cpus(tree, online);

	if (err != -ENOENT)
		return err;
	if (topo_read_names(tree, &nodes, "node", TOPO_NODE_DIR))
		return -ENOENT;
	topo_set_each(&nodes, node) {
		if (topo_read_cpus(tree, &cpus, node))
			continue;
		for (size_t i = 0; i < TOPO_IDS / 64; i++)
			online->words[i] |= cpus.words[i];
	}
	return topo_set_next(online, 0) < 0 ? -ENOENT : 0;
}

/* Without a list, a CPU is online unless its own file tells otherwise. */
static int guess_online(struct topo_tree *tree, const struct topo_set *present,
			struct topo_set *online)
{
	*online = *present;
	topo_set_each(present, cpu) {
		int err = topo_read(tree, TOPO_CPU_DIR "/cpu%d/online", cpu);

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
	int err = topo_read_names(tree, &present, "cpu", TOPO_CPU_DIR);

	if (topo_fatal(err))
		return err;
	if (!err)
		err = topo_read_list(tree, &inv->online,
				     TOPO_CPU_DIR "/online");
	if (topo_fatal(err))
		return err;
	if (err || topo_set_next(&inv->online, 0) < 0)
		err = guess_online(tree, &present, &inv->online);
	if (!err && topo_set_next(&inv->online, 0) < 0)
		err = list_hidden_cpus(tree, &inv->online);
	if (err)
		return err;
	err = topo_read_list(tree, &inv->possible, TOPO_CPU_DIR "/possible");
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
	int err = topo_read_names(tree, &present, "node", TOPO_NODE_DIR);

	if (err)
		return topo_fatal(err) ? err : 0;
	err = topo_read_list(tree, &inv->listed, TOPO_NODE_DIR "/online");
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
			  int node, bool *known)
{
	struct topo_set cpus;
	int err = topo_read_cpus(tree, &cpus, node);

	if (err)
		return topo_fatal(err) ? err : 0;
	*known = true;
	topo_set_each(&cpus, cpu) {
		if ((unsigned int)cpu >= topo->nr_cpus)
			break;
		if (topo->cpu_nodes[cpu] < 0)
			topo->cpu_nodes[cpu] = node;
		else
			topo->cpus_shared[cpu] = true;
	}
	return 0;
}

/* Offline CPUs are in no node's list, but may still be linked to a node. Of nodes
 * that list a CPU, the kernel links it to the one whose memory it prefers. */
static int read_cpu_links(struct topo_tree *tree, struct tally_topo *topo,
			  const struct inventory *inv)
{
	struct topo_set links;

	for (unsigned int cpu = 0; cpu < topo->nr_cpus; cpu++) {
		int err, only;

		if (topo->cpus_shared[cpu]) {
			err = topo_read_link(tree, (int)cpu, &only);
			if (topo_fatal(err))
				return err;
			if (!err && topo_set_has(&inv->nodes, only))
				topo->cpu_nodes[cpu] = only;
		}
		if (topo->cpu_nodes[cpu] >= 0)
			continue;
		err = topo_read_names(tree, &links, "node",
				      TOPO_CPU_DIR "/cpu%u", cpu);
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

/* Give each node the list of its online CPUs. */
static void hand_out_cpus(struct tally_topo *topo)
{
	int *next = topo->cpus;
	bool strays = false;

	for (unsigned int cpu = 0; cpu < topo->nr_cpus; cpu++)
		strays |= topo->cpus_online[cpu] && topo->cpu_nodes[cpu] < 0;

	for (unsigned int i = 0; i < topo->nr_nodes; i++) {
		struct tally_node *node = &topo->nodes[i];

		const int *first = next;

		for (unsigned int cpu = 0; cpu < topo->nr_cpus; cpu++)
			if (topo->cpus_online[cpu] &&
			    topo->cpu_nodes[cpu] == node->id)
				*next++ = (int)cpu;
		node->nr_cpus = (unsigned int)(next - first);
		/* Without a list, they may be among those of no node. */
		if (node->cpus || node->nr_cpus || !strays)
			node->cpus = first;
	}
}

/*
 * A row has an entry for each listed node, in order; skip the entries of
 * dropped nodes. A row of another length means nothing.
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
					      TOPO_NODE_DIR "/node%d/distance",
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
		bool known = false;
		int err = read_node_cpus(tree, topo, node->id, &known);

		node->cpus = known ? topo->cpus : NULL;
		if (!err)
			err = topo_read_memory(tree, &node->memory_bytes,
					       TOPO_NODE_DIR "/node%d/meminfo",
					       node->id);
		if (topo_fatal(err))
			return err;
	}
	return read_distances(tree, topo, inv);
}

/* Describe a kernel without NUMA: one node with everything. */
static int describe_whole(struct topo_tree *tree, struct tally_topo *topo)
{
	int err = topo_read_memory(tree, &topo->nodes[0].memory_bytes,
				   "proc/meminfo");

	for (unsigned int cpu = 0; cpu < topo->nr_cpus; cpu++)
		topo->cpu_nodes[cpu] = 0;
	topo->nodes[0].cpus = topo->cpus;
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
	topo->nr_machines = 1;
	topo->machines = calloc(1, sizeof(*topo->machines));
	topo->nodes = calloc(nr_nodes, sizeof(*topo->nodes));
	topo->distances = calloc(nr_nodes * nr_nodes, sizeof(int));
	topo->cpu_nodes = calloc(topo->nr_cpus + 1, sizeof(int));
	topo->cpus = calloc(topo->nr_cpus + 1, sizeof(int));
	topo->cpus_online = calloc(topo->nr_cpus + 1, sizeof(bool));
	topo->cpus_shared = calloc(topo->nr_cpus + 1, sizeof(bool));
	if (!topo->machines || !topo->nodes || !topo->distances ||
	    !topo->cpu_nodes || !topo->cpus || !topo->cpus_online ||
	    !topo->cpus_shared) {
		tally_topo_close(topo);
		return NULL;
	}
	topo_set_each(&inv->nodes, id)
		topo->nodes[i++].id = id;
	topo->machines[0] = (struct tally_machine){
		.size = sizeof(struct tally_machine),
		.nodes = topo->nodes,
		.nr_nodes = topo->nr_nodes,
		.here = true,
	};
	for (i = 0; i < nr_nodes; i++) {
		topo->nodes[i].size = sizeof(struct tally_node);
		topo->nodes[i].tier = -1;
		topo->nodes[i].memory_bytes = -1;
	}
	for (i = 0; i < topo->nr_cpus; i++) {
		topo->cpu_nodes[i] = -ENOENT;
		topo->cpus_online[i] = topo_set_has(&inv->online, (int)i);
	}
	return topo;
}

static int describe(struct topo_tree *tree, const char *root, bool kinds,
		    const struct inventory *inv, struct tally_topo *topo)
{
	int err = has_numa(inv) ? read_nodes(tree, topo, inv)
				: describe_whole(tree, topo);

	if (!err && has_numa(inv))
		err = read_cpu_links(tree, topo, inv);
	if (!err && kinds)
		err = topo_read_kinds(tree, root, topo->nodes, topo->nr_nodes);
	if (!err)
		hand_out_cpus(topo);
	return err;
}

/*
 * -EAGAIN: nodes or CPUs came or went meanwhile.
 */
static int try_open(struct topo_tree *tree, const char *root, bool kinds,
		    struct inventory *before, struct inventory *after,
		    struct tally_topo **topo)
{
	struct tally_topo *t;
	int err = take_inventory(tree, before);

	if (err)
		return err;
	t = allocate(before);
	if (!t)
		return -ENOMEM;
	err = describe(tree, root, kinds, before, t);
	if (!err)
		err = take_inventory(tree, after);
	if (!err && memcmp(before, after, sizeof(*before)) != 0)
		err = -EAGAIN;
	if (err) {
		tally_topo_close(t);
		return err;
	}
	*topo = t;
	return 0;
}

static int open_topo(const char *root, bool kinds, struct tally_topo **topo)
{
	/* A thread's stack may be small. */
	struct inventory *looks = malloc(2 * sizeof(*looks));
	struct topo_tree *tree;
	int err = looks ? topo_tree_open(root, &tree) : -ENOMEM;

	if (err) {
		free(looks);
		return err;
	}
	for (int i = 0; i < TRIES; i++) {
		err = try_open(tree, root, kinds, &looks[0], &looks[1], topo);
		if (err != -EAGAIN)
			break;
	}
	topo_tree_close(tree);
	free(looks);
	return err;
}

int tally_topo_open(const char *root, struct tally_topo **topo)
{
	UNCANCELLED;

	return open_topo(root, true, topo);
}

int tally_topo_open_plain(const char *root, struct tally_topo **topo)
{
	UNCANCELLED;

	return open_topo(root, false, topo);
}
