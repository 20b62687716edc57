/* SPDX-License-Identifier: MIT */
/* What a user wishes by --numatally=. */
#ifndef NUMATALLY_SLURM_WISH_H
#define NUMATALLY_SLURM_WISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/place.h>

#define WISH_MAX_NODES 1024 /* as many as Linux has */

struct wish {
	enum tally_place_policy policy;
	bool has_nodes; /* else all */
	uint64_t nodes[WISH_MAX_NODES / 64];
};

/* "single-numa-node" and so on; "" without a policy. */
const char *wish_policy(const struct wish *wish);

bool wish_has_node(const struct wish *wish, int node);

/* Parse "POLICY", "nodes=LIST" or both, as "restricted,nodes=0,2-3". -EINVAL: it
 * is wrong, and @why[0 .. bytes) says so. */
int wish_parse(const char *text, struct wish *wish, char *why, size_t bytes);

#endif
