/* SPDX-License-Identifier: MIT */
#ifndef TOPO_MEMORY_H
#define TOPO_MEMORY_H

#include <numatally/topo.h>

#include "topo_sysfs.h"

/* Sets the tier and the kind of memory of each node, as far as they are known.
 * 0 or a -errno that topo_fatal() recognises. */
int topo_read_kinds(struct topo_tree *tree, const char *root,
		    struct tally_node *nodes, unsigned int nr);

#endif
