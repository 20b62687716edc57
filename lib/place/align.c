// SPDX-License-Identifier: MIT
/*
 * Kubernetes' hints without its cross product. What has enough has enough with
 * more nodes, too. So, of one part on one machine:
 *
 * - A preferred merged hint is one set with enough of each resource, of as many
 *   nodes as each of them needs of an empty machine: the numbers must be equal.
 * - Else a set is a merged hint if it has enough of some resource: the others'
 *   hints are then all nodes. With as many nodes as the resource that needs most
 *   of what is free, there always is one, and it is a best one.
 * - So is a set that has enough of none, if it is what several hints share.
 *   Only the product of the resources' sets tells (product_of()).
 *
 * A set is a mask over the nodes that have something of what is asked for.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/saturate.h"
#include "place/internal.h"

struct align {
	const struct place_machine *machine;
	unsigned int nr_rows, nr; /* nodes */
	unsigned int node[PLACE_NODES];
	unsigned int row[PLACE_ROWS];
	int64_t amount[PLACE_ROWS];
	const int *const *distances; /* of the machine's nodes; NULL: no matter */
	uint8_t *product;	     /* [mask]; NULL: not made yet */
};

static int64_t free_of(const struct align *a, unsigned int r, unsigned int n)
{
	return place_positive(a->machine->free[a->row[r]][a->node[n]]);
}

static bool has_enough(const struct align *a, unsigned int r, uint64_t mask)
{
	int64_t sum = 0;

	for (; mask; mask &= mask - 1)
		sum = saturate_add(
			sum,
			free_of(a, r, (unsigned int)__builtin_ctzll(mask)));
	return sum >= a->amount[r];
}

static bool all_enough(const struct align *a, uint64_t mask)
{
	for (unsigned int r = 0; r < a->nr_rows; r++)
		if (!has_enough(a, r, mask))
			return false;
	return true;
}

static bool any_enough(const struct align *a, uint64_t mask)
{
	for (unsigned int r = 0; r < a->nr_rows; r++)
		if (has_enough(a, r, mask))
			return true;
	return false;
}

/* How many nodes are needed at least, of a machine that has so much; more than
 * there are, if all lack it. */
static unsigned int needed(const struct align *a, unsigned int r,
			   const int64_t (*columns)[PLACE_NODES])
{
	const int64_t *column = columns[a->row[r]];
	int64_t has[PLACE_NODES], sum = 0;
	unsigned int nr = 0;

	for (unsigned int n = 0; n < a->nr; n++)
		has[n] = place_positive(column[a->node[n]]);
	while (sum < a->amount[r] && nr++ < a->nr) {
		unsigned int most = 0;

		for (unsigned int n = 1; n < a->nr; n++)
			most = has[n] > has[most] ? n : most;
		sum = saturate_add(sum, has[most]);
		has[most] = -1;
	}
	return nr;
}

/* The most that any of the resources needs of what is free. */
static unsigned int most_needed(const struct align *a)
{
	unsigned int most = 0;

	for (unsigned int r = 0; r < a->nr_rows && most <= a->nr; r++) {
		unsigned int nr = needed(a, r, a->machine->free);

		most = nr > most ? nr : most;
	}
	return most;
}

/* The next mask of as many bits, of nr; false: there is none. */
static bool next(uint64_t *mask, unsigned int nr)
{
	uint64_t low = *mask & -*mask, carried = *mask + low;

	if (!carried)
		return false;
	*mask = ((carried ^ *mask) >> 2) / low | carried;
	return nr == 64 || *mask < UINT64_C(1) << nr;
}

static uint64_t nodes_of(const struct align *a, uint64_t mask)
{
	uint64_t nodes = 0;

	for (; mask; mask &= mask - 1)
		nodes |= UINT64_C(1) << a->node[__builtin_ctzll(mask)];
	return nodes;
}

static int64_t distance(const struct align *a, uint64_t nodes)
{
	int64_t sum = 0;

	for (uint64_t i = nodes; i && a->distances; i &= i - 1)
		for (uint64_t j = nodes; j; j &= j - 1) {
			const int *row = a->distances[__builtin_ctzll(i)];

			sum += row ? row[__builtin_ctzll(j)] : 0;
		}
	return sum;
}

/* Find the best mask of so many nodes that is good: the first, or the first of
 * those with the least distance; 0: none is. */
static uint64_t best_of(struct align *a, unsigned int nr,
			bool (*good)(const struct align *a, uint64_t mask))
{
	uint64_t mask = nr >= 64 ? UINT64_MAX : (UINT64_C(1) << nr) - 1;
	uint64_t best = 0;
	int64_t least = 0;

	if (nr > a->nr)
		return 0;
	do {
		int64_t d = 0;

		if (!good(a, mask))
			continue;
		d = distance(a, nodes_of(a, mask));
		if (!best || d < least) {
			best = mask;
			least = d;
		}
		if (!a->distances)
			break;
	} while (next(&mask, a->nr));
	return best;
}

/* Replace each element by the sum over the masks that include its mask, or undo
 * it. */
static void over_supersets(uint64_t *of, unsigned int nr, bool undo)
{
	for (unsigned int n = 0; n < nr; n++)
		for (size_t m = 0; m < (size_t)1 << nr; m++)
			if (!(m >> n & 1) && undo)
				of[m] -= of[m | (size_t)1 << n];
			else if (!(m >> n & 1))
				of[m] += of[m | (size_t)1 << n];
}

/*
 * Which sets are shared by hints, one of each resource. How many pairs of sets
 * share all of a mask is a product; how many share no more follows. The numbers
 * are below 2^32.
 */
static int product_of(struct align *a)
{
	size_t nr = (size_t)1 << a->nr;
	uint64_t *all = calloc(nr, sizeof(*all));
	uint64_t *one = calloc(nr, sizeof(*one));
	uint8_t *product = malloc(nr);
	int err = all && one && product ? 0 : -ENOMEM;

	for (size_t m = 0; !err && m < nr; m++)
		all[m] = has_enough(a, 0, m);
	for (unsigned int r = 1; !err && r < a->nr_rows; r++) {
		for (size_t m = 0; m < nr; m++)
			one[m] = has_enough(a, r, m);
		over_supersets(all, a->nr, false);
		over_supersets(one, a->nr, false);
		for (size_t m = 0; m < nr; m++)
			all[m] *= one[m];
		over_supersets(all, a->nr, true);
		for (size_t m = 0; m < nr; m++)
			all[m] = all[m] != 0;
	}
	for (size_t m = 0; !err && m < nr; m++)
		product[m] = all[m] != 0;
	free(all);
	free(one);
	if (err)
		free(product);
	else
		a->product = product;
	return err;
}

static bool shared(const struct align *a, uint64_t mask)
{
	return a->product[mask];
}

static int not_preferred(struct align *a, unsigned int most,
			 struct tally_place_hint *hint)
{
	uint64_t mask = (UINT64_C(1) << most) - 1;
	int err = 0;

	/* Where the first mask is one, the product is not needed. */
	if (a->distances || !any_enough(a, mask)) {
		err = product_of(a);
		if (!err)
			mask = best_of(a, most, shared);
		free(a->product);
		a->product = NULL;
	}
	if (!err)
		*hint = (struct tally_place_hint){nodes_of(a, mask), false};
	return err;
}

/* Of rows and nodes those that matter. */
static void look(const struct place_search *s, const struct place_machine *m,
		 const struct place_amounts *amounts, struct align *a)
{
	const int *const *distances = s->place.distances;

	a->machine = m;
	a->nr = a->nr_rows = 0;
	a->product = NULL;
	a->distances = distances && s->request.score == TALLY_PLACE_FEWEST_NODES
			       ? distances + m->first
			       : NULL;
	for (unsigned int row = 0; row < s->nr_rows; row++) {
		if (!amounts->of[row])
			continue;
		a->amount[a->nr_rows] = amounts->of[row];
		a->row[a->nr_rows++] = row;
	}
	for (unsigned int n = 0; n < m->nr_nodes; n++) {
		unsigned int r = 0;

		while (r < a->nr_rows && m->capacity[a->row[r]][n] <= 0 &&
		       m->free[a->row[r]][n] <= 0)
			r++;
		if (r < a->nr_rows)
			a->node[a->nr++] = n;
	}
}

static int single(struct align *a, struct tally_place_hint *hint)
{
	uint64_t mask = a->nr ? best_of(a, 1, all_enough) : 0;

	if (!mask)
		return -ENOSPC;
	*hint = (struct tally_place_hint){nodes_of(a, mask), true};
	return 0;
}

/* As many nodes as each of the resources needs of an empty machine; 0: they
 * differ. */
static unsigned int equal_need(const struct align *a)
{
	unsigned int nr = needed(a, 0, a->machine->capacity);

	for (unsigned int r = 1; r < a->nr_rows; r++)
		if (needed(a, r, a->machine->capacity) != nr)
			return 0;
	return nr;
}

/* The same, which is asked again and again of one machine. */
static unsigned int known_need(const struct align *a,
			       struct place_machine *machine,
			       const struct place_amounts *amounts)
{
	if (machine->need_of != amounts) {
		machine->need = equal_need(a);
		machine->need_of = amounts;
	}
	return machine->need;
}

int place_align(const struct place_search *s, struct place_machine *machine,
		const struct place_amounts *amounts,
		struct tally_place_hint *hint)
{
	enum tally_place_policy policy = s->request.policy;
	struct align a;
	unsigned int nr, most;

	look(s, machine, amounts, &a);
	if (!a.nr_rows) {
		*hint = (struct tally_place_hint){0, true};
		return 0;
	}
	if (policy == TALLY_PLACE_SINGLE_NODE)
		return single(&a, hint);
	/* Most machines that have room have it on a node: look there first. */
	nr = policy == TALLY_PLACE_NONE ? 0 : known_need(&a, machine, amounts);
	if (nr == 1 && !single(&a, hint))
		return 0;
	most = most_needed(&a);
	if (most > a.nr)
		return -ENOSPC;
	if (policy == TALLY_PLACE_NONE) {
		*hint = (struct tally_place_hint){0, false};
		return 0;
	}
	if (policy == TALLY_PLACE_RESTRICTED && (!nr || nr == 1))
		return -ENOSPC;
	if (a.nr > TALLY_PLACE_MAX_ALIGNED)
		return -E2BIG;
	if (nr > 1 && most <= nr) {
		uint64_t mask = best_of(&a, nr, all_enough);

		if (mask) {
			*hint = (struct tally_place_hint){nodes_of(&a, mask),
							  true};
			return 0;
		}
	}
	return policy == TALLY_PLACE_RESTRICTED ? -ENOSPC
						: not_preferred(&a, most, hint);
}
