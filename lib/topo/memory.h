/* SPDX-License-Identifier: MIT */
#ifndef TOPO_MEMORY_H
#define TOPO_MEMORY_H

#include <numatally/topo.h>

#include "topo/sysfs.h"

/* Set the tier and the kind of memory of each node, as far as they are known.
 * Returns 0 or a -errno that topo_fatal() recognises. */
int topo_read_kinds(struct topo_tree *tree, const char *root,
		    struct tally_node *nodes, unsigned int nr);

/*
 * Rank nodes by bandwidth where the kernel has no tiers. A tier ends where the
 * next node has less than three quarters of the bandwidth of the node before
 * it. Nodes without a figure (0) are in no tier.
 */
void topo_rank_by_bandwidth(struct tally_node *nodes, unsigned int nr,
			    const uint64_t *bandwidths);

#endif
