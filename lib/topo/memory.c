// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdlib.h>

#include "topo/hwloc.h"
#include "topo/memory.h"

#define TIER_DIR "sys/devices/virtual/memory_tiering"

struct nodes {
	struct tally_node *nodes;
	unsigned int nr_nodes;
};

static struct tally_node *find(const struct nodes *all, int id)
{
	for (unsigned int i = 0; i < all->nr_nodes; i++)
		if (all->nodes[i].id == id)
			return &all->nodes[i];
	return NULL;
}

/* The kernel's own tiers: memory_tierN; the lowest N is the fastest. */
static int read_tiers(struct topo_tree *tree, struct nodes *all, bool *found)
{
	struct topo_set tiers, nodes;
	int rank = 0;
	int err = topo_read_names(tree, &tiers, "memory_tier", TIER_DIR);

	if (err)
		return topo_fatal(err) ? err : 0;
	topo_set_each(&tiers, tier) {
		bool used = false;

		err = topo_read_list(tree, &nodes,
				     TIER_DIR "/memory_tier%d/nodelist", tier);
		if (topo_fatal(err))
			return err;
		if (err)
			continue;
		for (unsigned int i = 0; i < all->nr_nodes; i++) {
			struct tally_node *node = &all->nodes[i];

			if (!topo_set_has(&nodes, node->id) || node->tier >= 0)
				continue;
			node->tier = rank;
			used = true;
		}
		rank += used;
	}
	*found = rank > 0;
	return 0;
}

void topo_rank_by_bandwidth(struct tally_node *nodes, unsigned int nr,
			    const uint64_t *bandwidths)
{
	uint64_t below = UINT64_MAX, last = 0;
	int tier = 0;

	for (;;) {
		uint64_t best = 0;

		for (unsigned int i = 0; i < nr; i++)
			if (bandwidths[i] < below && bandwidths[i] > best)
				best = bandwidths[i];
		if (!best)
			return;
		if (last && best < last - last / 4)
			tier++;
		for (unsigned int i = 0; i < nr; i++)
			if (bandwidths[i] == best)
				nodes[i].tier = tier;
		last = below = best;
	}
}

/* hwloc leaves out the memory of NVIDIA's GPUs unless its environment asks. */
static int find_gpu_memory(struct topo_tree *tree, struct nodes *all)
{
	struct topo_set gpus;
	int err = topo_read_gpus(tree, &gpus);

	if (err)
		return topo_fatal(err) ? err : 0;
	topo_set_each(&gpus, id) {
		struct tally_node *node = find(all, id);

		if (node)
			node->memory = "GPU";
	}
	return 0;
}

static int ask_hwloc(const char *root, struct nodes *all, bool want_tiers)
{
	uint64_t *bandwidths = calloc(all->nr_nodes, sizeof(*bandwidths));
	struct topo_memory *memory;
	unsigned int nr;
	int err;

	if (!bandwidths)
		return -ENOMEM;
	err = topo_ask_hwloc(root, &memory, &nr);
	if (err) {
		free(bandwidths);
		return err;
	}
	for (unsigned int i = 0; i < nr; i++) {
		struct tally_node *node = find(all, memory[i].node);

		if (!node)
			continue;
		node->memory = topo_kind_name(memory[i].kind);
		bandwidths[node - all->nodes] = memory[i].bandwidth;
	}
	if (want_tiers)
		topo_rank_by_bandwidth(all->nodes, all->nr_nodes, bandwidths);
	free(bandwidths);
	free(memory);
	return 0;
}

int topo_read_kinds(struct topo_tree *tree, const char *root,
		    struct tally_node *nodes, unsigned int nr)
{
	struct nodes all = {nodes, nr};
	bool tiers = false;
	int err = read_tiers(tree, &all, &tiers);

	if (!err)
		err = ask_hwloc(root, &all, !tiers);
	return err ? err : find_gpu_memory(tree, &all);
}
