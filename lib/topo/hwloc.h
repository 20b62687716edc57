/* SPDX-License-Identifier: MIT */
/* What hwloc knows about the memory of nodes, and no plain file of sysfs. */
#ifndef TOPO_HWLOC_H
#define TOPO_HWLOC_H

#include <stdint.h>

struct topo_memory {
	int32_t node;	    /* sysfs's number */
	int32_t kind;	    /* for topo_kind_name(); 0: not known */
	uint64_t bandwidth; /* the best of any initiator, MiB/s; 0: not known */
};

/* "HBM", ...; NULL for kind 0. */
const char *topo_kind_name(int kind);

/* That word, as it lasts; NULL: it is none of them. */
const char *topo_kind_named(const char *name);

/* The kind of a node that hwloc gives this subtype. */
int topo_kind_of(const char *subtype);

/*
 * Ask hwloc about this machine, or about the captured one below root. The
 * caller frees *memory, an array of *nr in no order. Returns 0, also if hwloc
 * knows nothing (*nr is then 0), or a -errno that topo_fatal() recognises.
 *
 * hwloc prints on stderr, trusts what it reads, and takes a root from the
 * environment of its process. So a child process runs it: if it crashes, only
 * the answer is lost.
 */
int topo_ask_hwloc(const char *root, struct topo_memory **memory,
		   unsigned int *nr);

#endif
