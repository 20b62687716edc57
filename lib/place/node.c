// SPDX-License-Identifier: MIT
/* One node with room. */
#include "config.h"

#include <errno.h>

#include "place/internal.h"
#include "place/scan.h"

#define BATCH TALLY_PLACE_BATCH

/* Nodes that have room, as far as the callbacks are asked. */
struct batch {
	uint32_t nodes[BATCH];
	bool keep[BATCH];
	double scores[BATCH];
	unsigned int nr;
};

struct best {
	double score;
	int64_t node; /* -1: none */
};

static bool fits(const struct place_search *s, const int64_t *const *columns,
		 uint32_t node)
{
	for (unsigned int row = 0; row < s->nr_rows; row++)
		if (columns[row][node] < s->total.of[row])
			return false;
	return true;
}

static double score_of(const struct place_search *s, uint32_t node)
{
	int64_t left[PLACE_ROWS], capacity[PLACE_ROWS];

	for (unsigned int row = 0; row < s->nr_rows; row++) {
		left[row] = s->free[row][node] - s->total.of[row];
		capacity[row] = s->capacity[row][node];
	}
	return place_score(s, left, capacity);
}

static int rate(const struct place_search *s, struct batch *b,
		struct best *best)
{
	const struct tally_place_request *r = &s->request;
	unsigned int nr = 0;
	int err = 0;

	for (unsigned int i = 0; i < b->nr; i++)
		b->keep[i] = true;
	if (r->filter)
		err = r->filter(r->arg, b->nodes, b->nr, b->keep);
	for (unsigned int i = 0; !err && i < b->nr; i++)
		if (b->keep[i])
			b->nodes[nr++] = b->nodes[i];
	b->nr = nr;
	if (!err && r->rate && nr)
		err = r->rate(r->arg, b->nodes, nr, b->scores);
	for (unsigned int i = 0; !err && i < nr; i++) {
		double score = r->rate ? b->scores[i]
				       : score_of(s, b->nodes[i]);

		if (best->node < 0 || score > best->score)
			*best = (struct best){score, b->nodes[i]};
	}
	b->nr = 0;
	return err;
}

/* Node by node, a batch for each call of a callback. */
static int search(const struct place_search *s, int64_t *node)
{
	const struct tally_place_request *r = &s->request;
	bool first = !r->rate && (r->score == TALLY_PLACE_FIRST ||
				  r->score == TALLY_PLACE_FEWEST_NODES);
	struct best best = {0, -1};
	struct batch b;
	int err = 0;

	b.nr = 0;
	for (uint32_t i = 0; !err && i < s->place.nr_nodes; i++) {
		if (!fits(s, s->free, i))
			continue;
		b.nodes[b.nr++] = i;
		if (b.nr == BATCH)
			err = rate(s, &b, &best);
		if (first && best.node >= 0)
			break;
	}
	if (!err && b.nr)
		err = rate(s, &b, &best);
	*node = best.node;
	return err;
}

static int64_t scan(const struct place_search *s)
{
	static const double no_weights[PLACE_ROWS];
	bool first = s->request.score != TALLY_PLACE_BEST;

	return scan_columns(s->free, s->total.of,
			    first ? no_weights : s->weight, s->nr_rows,
			    s->place.nr_nodes, first);
}

static int refused(const struct place_search *s)
{
	for (uint32_t i = 0; i < s->place.nr_nodes; i++)
		if (fits(s, s->capacity, i))
			return -ENOSPC;
	return -ERANGE;
}

int tally_place_node(const struct tally_place *place,
		     const struct tally_place_request *request, uint32_t *node)
{
	const struct tally_place_request *r;
	struct place_search s;
	int err = place_begin(place, request, &s);
	int64_t found;

	if (err)
		return err;
	r = &s.request;
	if (r->filter || r->rate ||
	    (r->score >= TALLY_PLACE_LEAST_ALLOCATED &&
	     r->score <= TALLY_PLACE_BALANCED))
		err = search(&s, &found);
	else
		found = scan(&s);
	if (err)
		return err;
	if (found < 0)
		return refused(&s);
	*node = (uint32_t)found;
	return 0;
}
