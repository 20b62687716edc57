/* SPDX-License-Identifier: MIT */
/*
 * place_room: whose eviction makes room for a request, as a dry run.
 *
 * Candidates are accounts that may be evicted, with what each has on nodes. A
 * struct tally_candidates keeps them in the order of their importance, machine by
 * machine, beside the columns of a struct tally_place, so that a decision collects
 * nothing. tally_place_make_room() decides as Kubernetes' default preemption does.
 * On each machine it
 *
 *	leaves out all candidates of lower priority than the request, and sees
 *	whether it fits, by tally_place_fit()'s rules;
 *	brings back each of them with which it still fits, the most important
 *	first: those whose eviction would exceed a budget, then the others.
 *
 * Those that stay out are the machine's victims. The machine is taken that has, in
 * this order,
 *
 *	the fewest victims over a budget,
 *	the lowest priority of the most important victim,
 *	the lowest sum of priorities, each of them plus 2^31,
 *	the fewest victims,
 *	the latest start of the victim of that highest priority that started first;
 *
 * of equal ones the first. So what frees nothing that the request needs, on the
 * nodes where it needs it, is no victim: without each victim's eviction the
 * request would not fit.
 *
 * The higher priority is more important; of equal ones the earlier start, then the
 * lower row. A group is evicted whole or not at all, with its members on other
 * machines, and is as important as its most important member.
 *
 * Thread-safe: any number of threads may call tally_place_make_room() at once
 * while none changes the candidates or the columns.
 */
#ifndef NUMATALLY_PLACE_ROOM_H
#define NUMATALLY_PLACE_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/account.h>
#include <numatally/export.h>
#include <numatally/limit.h>
#include <numatally/place.h>
#include <numatally/view.h>

TALLY_BEGIN

/* An account that may be evicted. The members are frozen under the library's
 * soname. */
struct tally_candidate {
	struct tally_account account;
	const struct tally_demand *demands; /* what its eviction gives back */
	unsigned int nr_demands;
	int32_t priority;
	int64_t start_ns; /* when it started, by any clock */
	uint32_t group;	  /* 0: none */
	uint32_t budget; /* its eviction counts for budgets[budget - 1] of struct
			     tally_eviction; 0: for none */
	bool kept;	 /* neither it nor its group is evicted */
};

struct tally_candidates;

/*
 * Make an empty set of candidates beside the columns of @place, whose arrays must
 * outlive it. The caller destroys *@candidates.
 *
 * -EINVAL	@place has no capacities, or its size is not set
 * -E2BIG	@place has a member set that this library does not know
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int
tally_place_candidates_create(const struct tally_place *place,
			      struct tally_candidates **candidates);
TALLY_API void
tally_place_candidates_destroy(struct tally_candidates *candidates);

/*
 * Add @nr candidates, all of them or none. They are copied, with their demands.
 *
 * -EEXIST	one is there already: remove it first
 * -ENOENT	the columns have no such node
 * -EINVAL	a demand is negative, or of a resource that can't be reserved
 * -EOVERFLOW	candidates would have more than 63 bits on a node
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int
tally_place_candidates_add(struct tally_candidates *candidates,
			   const struct tally_candidate *add, unsigned int nr);

/* Remove the candidates of @nr accounts, such as victims. Accounts that are no
 * candidates are passed over. */
TALLY_API void
tally_place_candidates_remove(struct tally_candidates *candidates,
			      const struct tally_account *accounts,
			      unsigned int nr);

/*
 * Replace the candidates on the machine at the index @machine, or all
 * (TALLY_PLACE_ANY), by the accounts of a ledger that have a reservation there, as
 * of now. A candidate has what its reservation has, on all nodes of the columns:
 * not what was taken with a credit, which no release gives back. An account that
 * has drawn from another is no candidate: it gives back nothing to a node, and its
 * reservation ends with that of its parent.
 *
 * describe() sets priority, start, group, budget and kept, which are 0, and may
 * look at the demands. An account that has a pin, or is pending or terminating, is
 * kept, whatever describe() sets. If describe() returns a value other than 0, so
 * does this function; if it is NULL, all have priority 0. On failure candidates of
 * the machine may be missing.
 *
 * -ENOENT	there is no such machine, or the ledger lacks one of its nodes
 * -EAGAIN, -EBADMSG	as tally_limit_node()
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int tally_place_candidates_refresh(
	struct tally_candidates *candidates, const struct tally_view *view,
	uint32_t machine,
	int (*describe)(void *arg, const struct tally_reservation *reservation,
			struct tally_candidate *candidate),
	void *arg);

/* For which request room is made. */
struct tally_eviction {
	size_t size;	  /* the caller sets sizeof(struct tally_eviction) */
	int32_t priority; /* of the request: what is lower may be evicted */
	uint32_t nr_budgets;
	const uint32_t *budgets; /* how many evictions each still allows;
				    a budget that is not listed allows none */
	/* Set spared[i] if accounts[i] must not be evicted. @nr is at most
	 * TALLY_PLACE_BATCH. NULL: all may. If it returns a value other than 0,
	 * the search returns it. */
	int (*spare)(void *arg, const struct tally_account *accounts,
		     unsigned int nr, bool *spared);
	void *arg;
};

/* Whose eviction makes room. */
struct tally_room {
	size_t size; /* the caller sets sizeof(struct tally_room) */
	struct tally_account *victims; /* the caller's, [max_victims]: they are
					  written here, the most important
					  first */
	uint32_t max_victims;	       /* the caller sets it */
	uint32_t nr_victims;
	uint32_t nr_over_budget; /* of them */
};

/*
 * Find victims on the machine at the index @machine, or on that where eviction
 * costs least (TALLY_PLACE_ANY), and describe in @fit where @request then fits. If
 * there is room without any, nr_victims is 0, and @fit is that of
 * tally_place_fit(). Quotas are not looked at. Nothing is evicted: release what
 * the victims have reserved, then reserve fit->demands.
 *
 * -ENOSPC	on no machine would the request fit, if all candidates of lower
 *		priority were evicted: ask for less, or with a higher priority
 * -EOVERFLOW	there are more than max_victims victims: their number is at most
 *		that of the candidates
 * -EINVAL	as tally_place_fit(); or the size of a structure is not set
 * -E2BIG	as tally_place_fit(); or @eviction has a member set that this
 *		library does not know
 * others	as tally_place_fit(); or spare() returned it
 */
TALLY_API TALLY_NODISCARD int
tally_place_make_room(const struct tally_candidates *candidates,
		      const struct tally_place_request *request,
		      uint32_t machine, const struct tally_eviction *eviction,
		      struct tally_room *room, struct tally_fit *fit);

TALLY_END

#endif
