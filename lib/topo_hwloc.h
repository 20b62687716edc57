/* SPDX-License-Identifier: MIT */
/* What hwloc knows of the memory of nodes, which sysfs has no plain file for.*/
#ifndef TOPO_HWLOC_H
#define TOPO_HWLOC_H

#include <stdint.h>

struct topo_memory {
	int32_t node;	    /* sysfs's number */
	int32_t kind;	    /* for topo_kind_name(); 0: not known */
	uint64_t bandwidth; /* best of any initiator, MiB/s; 0: not known */
};

/* "HBM", ...; NULL for 0. */
const char *topo_kind_name(int kind);

/*
 * Asks about this machine, or the captured one below root. The caller frees
 * *memory, an array of *nr, in no order. 0, also where hwloc knows nothing
 * (then *nr is 0), or a -errno that topo_fatal() recognises.
 *
 * hwloc takes a root from its process's environment only, and trusts what it
 * reads there; so a captured machine is read by a child process, whose end,
 * of whatever kind, costs us no more than the answer.
 */
int topo_ask_hwloc(const char *root, struct topo_memory **memory,
		   unsigned int *nr);

#endif
