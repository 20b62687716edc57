/* SPDX-License-Identifier: MIT */
/*
 * limit_request: what a request asks of the limits, until it is granted or
 * nothing more can be freed for it.
 *
 *   begin ─> ask ─> granted ─> keep, or undo if the caller only asks
 *             │ ^
 *             v └─ something was freed
 *           refused: undo ─> nothing can be freed: count and describe it
 */
#ifndef LIMIT_REQUEST_H
#define LIMIT_REQUEST_H

#include "limit/cells.h"

struct limit_request {
	struct tally_ledger *ledger;
	struct tally_account account;
	struct tally_request request;
	const struct tally_token *from; /* draw from it; NULL: from the nodes */
	/* Ask once, with the lock. It sets what follows if a limit refuses. */
	int (*ask)(struct limit_request *r, struct tally_token *token);
	bool adopts;	     /* no limit refuses it */
	bool only_asks;	     /* nothing changes */
	bool claims;	     /* nothing is reserved yet */
	bool changes;	     /* a reservation: amounts may be negative */
	bool refused;	     /* by a limit */
	unsigned int demand; /* that was refused */
	uint32_t row;	     /* of the account whose quota refused it */
	uint32_t parent;     /* row + 1, that it is drawn from; 0: from nodes */
};

/* The index of a demand's node. */
static inline uint32_t limit_request_node(const struct limit_request *r,
					  unsigned int demand)
{
	return (uint32_t)layout_node_index(r->ledger->layout,
					   r->request.demands[demand].node);
}

/* Check demands: -ENOENT, -EINVAL. */
int limit_check_demands(const struct tally_ledger *ledger,
			const struct tally_demand *demands, unsigned int nr,
			bool may_be_negative);

/* What the request asks in all of a resource; on a node, if it is not NULL. */
int64_t limit_request_sum(const struct limit_request *r, unsigned int resource,
			  const int *node);

/* Do what the caller requests. Errors as tally_limit_reserve(). */
int limit_request(struct limit_request *r, const struct tally_request *request,
		  struct tally_token *token, struct tally_refusal *refusal);

/* Only ask, until no limit refuses it. Errors as tally_limit_wait(). */
int limit_request_wait(const struct limit_request *r,
		       const struct tally_request *request, int64_t timeout_ns,
		       struct tally_refusal *refusal);

#endif
