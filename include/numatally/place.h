/* SPDX-License-Identifier: MIT */
/*
 * place: which node, which nodes of a machine, or which machine has room.
 *
 * A struct tally_place has the free amounts of nodes in columns, one array per
 * resource. tally_place_create() makes one of a ledger; a test or a simulator
 * fills its own, without a ledger. The functions that search read the columns and
 * nothing else: they reserve nothing, and a fit says what was free when the
 * columns were filled. tally_limit_reserve() decides.
 *
 * A machine's nodes are aligned as Kubernetes' Topology Manager does it. Each
 * resource has hints: sets of nodes that have enough free together. A hint is
 * preferred if no smaller set would do on an empty machine. Of each resource one
 * hint is taken, and the nodes that all of them have are the merged hint. It is
 * preferred if the hints are equal and each is preferred. The best merged hint is
 *
 *	the preferred one with the fewest nodes; else
 *	one with as many nodes as the resource that needs most of them;
 *	of equal ones that with the least distances (TALLY_PLACE_FEWEST_NODES);
 *	of these that with the lowest nodes.
 *
 * Hints name only nodes that have, when empty, something of what is asked for.
 *
 * Thread-safe: any number of threads may search the same columns at once while
 * none changes them.
 */
#ifndef NUMATALLY_PLACE_H
#define NUMATALLY_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/export.h>
#include <numatally/ledger.h>
#include <numatally/limit.h>
#include <numatally/topo.h>
#include <numatally/view.h>

TALLY_BEGIN

#define TALLY_PLACE_MAX_AMOUNTS 64  /* resources in a request */
#define TALLY_PLACE_MAX_NODES	64  /* on a machine */
#define TALLY_PLACE_MAX_ALIGNED 16  /* of them, where a hint has several */
#define TALLY_PLACE_BATCH	256 /* nodes in a call of a callback */

/* What nodes have. All arrays but the first may be NULL. */
struct tally_place {
	size_t size; /* sizeof(struct tally_place) */
	uint32_t nr_nodes;
	uint32_t nr_machines; /* ignored without machines */
	unsigned int nr_resources;
	int64_t *const *free; /* [resource][node]; below 0: nothing. NULL for a
				 resource that can't be reserved */
	int64_t *const *capacity; /* [resource][node] of the empty node; NULL:
				     what is free */
	double *weights; /* [resource], not negative: what one unit counts in
			    TALLY_PLACE_BEST; NULL: 1. tally_place_create():
			    1 / the largest capacity */
	const uint32_t *machines; /* [nr_machines + 1]: the index of each one's
				     first node, ascending, and nr_nodes; NULL:
				     all nodes are of one machine */
	const int *numbers; /* [node]: its number in the ledger, ascending; NULL:
			       its index */
	const int *const *distances; /* [node]: to each node of its machine, in
					their order; NULL: not known */
};

/*
 * Make the columns of the nodes and resources of @view, filled as of now. @topo is
 * the ledger's topology, for distances; NULL: they are not known. The caller
 * destroys *@place.
 *
 * -ENOMEM	no memory
 * others	as tally_limit_node()
 */
TALLY_API TALLY_NODISCARD int tally_place_create(const struct tally_view *view,
						 const struct tally_topo *topo,
						 struct tally_place **place);
TALLY_API void tally_place_destroy(struct tally_place *place);

/*
 * Fill the columns of @nr nodes from the index @first on again. The weights stay.
 * On failure some are filled. tally_place_take() keeps columns right without a
 * ledger, as far as this process reserves alone.
 *
 * -ENOENT	there are no such nodes, here or in the ledger
 * others	as tally_limit_node()
 */
TALLY_API TALLY_NODISCARD int tally_place_refresh(struct tally_place *place,
						  const struct tally_view *view,
						  uint32_t first, uint32_t nr);

/*
 * Take amounts off what is free, all of them or none; negative ones are given
 * back. More may be taken than is free.
 *
 * -ENOENT	there is no such node
 * -EINVAL	there is no such resource, or it can't be reserved
 * -EOVERFLOW	an amount would exceed 63 bits
 */
TALLY_API TALLY_NODISCARD int
tally_place_take(struct tally_place *place, const struct tally_demand *demands,
		 unsigned int nr_demands);

enum tally_place_policy {
	TALLY_PLACE_NONE,	 /* any nodes of the machine */
	TALLY_PLACE_BEST_EFFORT, /* the best hint, preferred or not */
	TALLY_PLACE_RESTRICTED, /* a preferred hint, or the machine is refused */
	TALLY_PLACE_SINGLE_NODE, /* Kubernetes: single-numa-node */
};

enum tally_place_scope {
	TALLY_PLACE_CONTAINER, /* each part is aligned by itself, in their order */
	TALLY_PLACE_POD,       /* all together */
};

/* Which node or machine is taken, of those that have room; of equal ones the
 * first. A share is an amount by the node's capacity. What is left over is
 * compared to 12 digits. */
enum tally_place_score {
	TALLY_PLACE_FIRST,
	TALLY_PLACE_BEST,	     /* with the least left over, weighed */
	TALLY_PLACE_LEAST_ALLOCATED, /* with the largest mean share left over */
	TALLY_PLACE_MOST_ALLOCATED,  /* with the smallest */
	TALLY_PLACE_BALANCED,	     /* whose shares in use deviate least */
	TALLY_PLACE_FEWEST_NODES,    /* fewest nodes, then least distances */
};

/* A container: its amounts of resources, none of them negative. */
struct tally_place_part {
	const struct tally_amount *amounts;
	unsigned int nr_amounts;
};

/* What is asked for. The caller's functions get @nr indices of nodes, all of one
 * machine in tally_place_fit(), and may be NULL. If one returns a value other
 * than 0, the search returns it. */
struct tally_place_request {
	size_t size; /* the caller sets sizeof(struct tally_place_request) */
	const struct tally_place_part *parts; /* a pod's containers */
	unsigned int nr_parts;
	enum tally_place_policy policy; /* tally_place_fit() alone */
	enum tally_place_scope scope;	/* tally_place_fit() alone */
	enum tally_place_score score;
	/* Clear keep[i] if nodes[i] must not be used. */
	int (*filter)(void *arg, const uint32_t *nodes, unsigned int nr,
		      bool *keep);
	/* Set scores[i] of nodes[i]: the highest is taken, whatever @score is;
	 * the mean of a machine's nodes that would be used. */
	int (*rate)(void *arg, const uint32_t *nodes, unsigned int nr,
		    double *scores);
	void *arg;
};

/*
 * Find one node with room for all parts of @request, and set *@node to its index.
 *
 * -ENOSPC	no node has so much free
 * -ERANGE	no node would have it if it were empty: ask for less
 * -EINVAL	@request has no amount but 0, or a negative one, or of a resource
 *		that can't be reserved, or a policy, scope or score that does not
 *		exist; or a size is not set
 * -E2BIG	over TALLY_PLACE_MAX_AMOUNTS resources; or @request has a member
 *		set that this library does not know
 * other	a callback returned it
 */
TALLY_API TALLY_NODISCARD int
tally_place_node(const struct tally_place *place,
		 const struct tally_place_request *request, uint32_t *node);

/* The nodes of a machine that a part is aligned to. */
struct tally_place_hint {
	uint64_t nodes; /* bit i: the machine's node at index i; 0: any */
	bool preferred;
};

/* Where a request fits. */
struct tally_fit {
	size_t size;	  /* the caller sets sizeof(struct tally_fit) */
	uint32_t machine; /* its index */
	bool preferred;	  /* every part's hint is */
	uint64_t nodes;	  /* that the demands are on, as in a hint */
	double score;	  /* by which it was chosen: the higher, the better */
	unsigned int nr_demands;
	struct tally_demand demands[TALLY_LIMIT_MAX_DEMANDS];
};

#define TALLY_PLACE_ANY UINT32_MAX

/*
 * Find room for @request on the machine at index @machine, or on that with the
 * highest score (TALLY_PLACE_ANY), and describe it in @fit, whose demands are for
 * tally_limit_reserve(). What a hint's nodes have is taken first, in ascending
 * order, then what others have. Set hints[i] for each part, unless @hints is NULL.
 *
 * -ENOSPC	no machine has so much free, or the policy refuses each of them
 * -ERANGE	no machine would have it if it were empty: ask for less
 * -ENOENT	there is no machine @machine
 * -EINVAL	as tally_place_node()
 * -E2BIG	as tally_place_node(); or the best fit needs over
 *		TALLY_LIMIT_MAX_DEMANDS demands; or a machine has over
 *		TALLY_PLACE_MAX_NODES nodes, or over TALLY_PLACE_MAX_ALIGNED that
 *		have to be aligned
 * -ENOMEM	no memory
 * other	a callback returned it
 */
TALLY_API TALLY_NODISCARD int
tally_place_fit(const struct tally_place *place,
		const struct tally_place_request *request, uint32_t machine,
		struct tally_place_hint *hints, struct tally_fit *fit);

TALLY_END

#endif
