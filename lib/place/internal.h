/* SPDX-License-Identifier: MIT */
/*
 * A search, and one machine in it. What is asked for is a table: a row for each
 * resource of which some part asks something.
 *
 *	total      ┌─ row ─┐          machine  free[row][node]
 *	parts[i]   │ amount│ …                 capacity[row][node]
 *	           └───────┘                   taken[row][node]
 */
#ifndef PLACE_INTERNAL_H
#define PLACE_INTERNAL_H

#include <numatally/place.h>

#define PLACE_ROWS  TALLY_PLACE_MAX_AMOUNTS
#define PLACE_NODES TALLY_PLACE_MAX_NODES

struct place_amounts {
	int64_t of[PLACE_ROWS]; /* row; 0: nothing */
};

struct place_search {
	struct tally_place place;
	struct tally_place_request request;
	unsigned int nr_rows;
	unsigned int resource[PLACE_ROWS];
	const int64_t *free[PLACE_ROWS], *capacity[PLACE_ROWS];
	double weight[PLACE_ROWS];
	struct place_amounts total;
};

struct place_machine {
	unsigned int nr_nodes;
	uint32_t first;
	uint64_t kept; /* bit i: the caller's filter allows the node */
	int64_t free[PLACE_ROWS][PLACE_NODES];
	int64_t capacity[PLACE_ROWS][PLACE_NODES];
	int64_t taken[PLACE_ROWS][PLACE_NODES];
	/* Of place_align(): as many nodes of the empty machine these amounts
	 * need; NULL: it is not known yet. */
	const struct place_amounts *need_of;
	unsigned int need;
};

/* The parts that are aligned, one by one: those of the request, or all in one. */
struct place_fitting {
	struct place_search search;
	const struct place_amounts *parts;
	unsigned int nr_parts;
	struct place_amounts *made;	/* NULL: parts is the total */
	struct tally_place_hint *hints; /* of the machine in hand */
	struct tally_place_hint *best_hints;
	struct tally_place_hint one, best_one;
	struct place_machine machine;
	struct tally_fit best;
	bool found;
};

static inline uint32_t place_nr_machines(const struct tally_place *place)
{
	return place->machines ? place->nr_machines : 1;
}

/* The index of the machine's first node. */
static inline uint32_t place_first(const struct tally_place *place,
				   uint32_t machine)
{
	if (!place->machines)
		return machine ? place->nr_nodes : 0;
	return place->machines[machine];
}

/* The index of the node with this number; -1: there is none. */
int64_t place_index(const struct tally_place *place, int number);

/* Check what the caller gave, and set up the search. Errors as
 * tally_place_node(). */
int place_begin(const struct tally_place *place,
		const struct tally_place_request *request,
		struct place_search *search);

/* Set the amounts of one part of the request, which was checked. */
void place_part(const struct place_search *search, unsigned int part,
		struct place_amounts *amounts);

static inline int64_t place_positive(int64_t amount)
{
	return amount > 0 ? amount : 0;
}

/*
 * Find the hint of amounts on the machine.
 *
 * -ENOSPC	the machine has less free, or the policy refuses it
 * -E2BIG	too many nodes have to be aligned
 * -ENOMEM	no memory
 */
int place_align(const struct place_search *search,
		struct place_machine *machine,
		const struct place_amounts *amounts,
		struct tally_place_hint *hint);

/* Begin and end to fit a request on machines. Errors as tally_place_fit(). */
int place_fitting_begin(struct place_fitting *fitting,
			const struct tally_place *place,
			const struct tally_place_request *request,
			uint32_t machine);
void place_fitting_end(struct place_fitting *fitting);

/* Find the best machine, or see whether that one will do. Errors as
 * tally_place_fit(). */
int place_search(struct place_fitting *fitting, uint32_t machine);

/* Copy a machine's columns. What the filter refuses has nothing.
 *
 * -E2BIG	the machine has too many nodes
 * other	the filter returned it */
int place_load(struct place_fitting *fitting, const int64_t *const *columns,
	       uint32_t machine, bool filtered);

/* Align and take part after part. Errors as place_align(). */
int place_take(struct place_fitting *fitting);

/* All parts are taken: keep the machine if it is the best so far.
 *
 * -E2BIG	over TALLY_LIMIT_MAX_DEMANDS demands
 * other	the caller's rate() returned it */
int place_keep(struct place_fitting *fitting, uint32_t machine);

/* The score of nodes that have left[row] of capacity[row], in sum. */
double place_score(const struct place_search *search, const int64_t *left,
		   const int64_t *capacity);

#endif
