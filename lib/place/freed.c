// SPDX-License-Identifier: MIT
/* A machine without some of its candidates. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/saturate.h"
#include "place/freed.h"

/* ---- without a look at candidates ---------------------------------------- */

static bool node_could(const struct place_search *s, int64_t *const *held,
		       uint32_t node)
{
	for (unsigned int row = 0; row < s->nr_rows; row++)
		if (saturate_add(s->free[row][node],
				 held[s->resource[row]][node]) <
		    s->total.of[row])
			return false;
	return true;
}

static bool totals_could(const struct place_search *s, int64_t *const *held,
			 uint32_t first, uint32_t end)
{
	for (unsigned int row = 0; row < s->nr_rows; row++) {
		const int64_t *has = s->free[row],
			      *its = held[s->resource[row]];
		int64_t sum = 0;

		for (uint32_t n = first; n < end; n++)
			sum = saturate_add(sum, place_positive(saturate_add(
							has[n], its[n])));
		if (sum < s->total.of[row])
			return false;
	}
	return true;
}

bool place_freed_could(const struct place_freed *f, int64_t *const *held,
		       uint32_t machine)
{
	const struct place_search *s = &f->fitting.search;
	uint32_t first = place_first(&s->place, machine);
	uint32_t end = place_first(&s->place, machine + 1);

	if (f->way != PLACE_NODE)
		return totals_could(s, held, first, end);
	while (first < end && !node_could(s, held, first))
		first++;
	return first < end;
}

/* ---- a machine ----------------------------------------------------------- */

static enum place_way way_of(const struct place_fitting *f)
{
	const struct place_search *s = &f->search;
	bool totals = s->request.policy == TALLY_PLACE_NONE ||
		      s->request.policy == TALLY_PLACE_BEST_EFFORT;

	/* Sums that are too large are not known. */
	for (unsigned int row = 0; row < s->nr_rows; row++)
		totals &= s->total.of[row] < INT64_MAX;
	if (totals)
		return PLACE_TOTALS;
	return f->nr_parts == 1 && s->request.policy == TALLY_PLACE_SINGLE_NODE
		       ? PLACE_NODE
		       : PLACE_PARTS;
}

void place_freed_begin(struct place_freed *f)
{
	const struct tally_place_request *request = &f->fitting.search.request;

	f->way = way_of(&f->fitting);
	f->monotone = f->way != PLACE_PARTS || f->fitting.nr_parts == 1;
	f->on_nodes = request->policy == TALLY_PLACE_SINGLE_NODE &&
		      !(f->fitting.search.place.distances &&
			request->score == TALLY_PLACE_FEWEST_NODES);
}

/* So much that it and what is released are no more than 63 bits. */
static int64_t capped(int64_t has, int64_t held)
{
	return has <= INT64_MAX - held ? has : INT64_MAX - held;
}

int place_freed_load(struct place_freed *f, int64_t *const *held,
		     uint32_t machine, bool without)
{
	const struct place_search *s = &f->fitting.search;
	const struct place_machine *m = &f->fitting.machine;
	int err = place_load(&f->fitting, s->free, machine, true);

	if (err)
		return err;
	for (unsigned int row = 0; row < s->nr_rows; row++) {
		const int64_t *its = held[s->resource[row]] + m->first;

		for (unsigned int n = 0; n < m->nr_nodes; n++)
			f->has[row][n] =
				capped(m->free[row][n], its[n]) +
				(without && m->kept >> n & 1 ? its[n] : 0);
	}
	f->here = f->way;
	f->taken = false;
	f->fits = 0;
	f->look = m->kept;
	return 0;
}

/* ---- whether the request fits -------------------------------------------- */

static bool totals_fit(const struct place_freed *f)
{
	const struct place_search *s = &f->fitting.search;

	for (unsigned int row = 0; row < s->nr_rows; row++) {
		int64_t sum = 0;

		for (unsigned int n = 0; n < f->fitting.machine.nr_nodes; n++)
			sum = saturate_add(sum, place_positive(f->has[row][n]));
		if (sum < s->total.of[row])
			return false;
	}
	return true;
}

/* Look at the nodes that changed. */
static bool node_fits(struct place_freed *f)
{
	const struct place_search *s = &f->fitting.search;

	for (; f->look; f->look &= f->look - 1) {
		unsigned int n = (unsigned int)__builtin_ctzll(f->look);
		uint64_t enough = 1;

		for (unsigned int row = 0; row < s->nr_rows; row++)
			enough &= f->has[row][n] >= s->total.of[row];
		f->fits = (f->fits & ~(UINT64_C(1) << n)) | enough << n;
	}
	return f->fits != 0;
}

/* Whether the nodes that changed have what the parts took of them. */
static bool still_fits(const struct place_freed *f)
{
	if (!f->taken)
		return false;
	for (uint64_t look = f->look; look; look &= look - 1) {
		unsigned int n = (unsigned int)__builtin_ctzll(look);

		for (unsigned int row = 0; row < f->fitting.search.nr_rows;
		     row++)
			if (f->used[row][n] && f->has[row][n] < f->used[row][n])
				return false;
	}
	return true;
}

int place_freed_take(struct place_freed *f)
{
	struct place_machine *m = &f->fitting.machine;
	size_t bytes = m->nr_nodes * sizeof(**m->free);

	for (unsigned int row = 0; row < f->fitting.search.nr_rows; row++) {
		memcpy(m->free[row], f->has[row], bytes);
		memset(m->taken[row], 0, bytes);
	}
	return place_take(&f->fitting);
}

/* Whether the node has so much beside what the parts took so far. */
static bool has_rest(const struct place_freed *f,
		     const struct place_amounts *part, unsigned int n)
{
	for (unsigned int row = 0; row < f->fitting.search.nr_rows; row++)
		if (part->of[row] &&
		    f->has[row][n] - f->used[row][n] < part->of[row])
			return false;
	return true;
}

/* What place_take() says of parts that each need a node, and it does not matter
 * which one: the first that has enough. */
static bool parts_on_nodes(struct place_freed *f)
{
	const struct place_fitting *fitting = &f->fitting;
	const unsigned int nr_rows = fitting->search.nr_rows,
			   nr_nodes = fitting->machine.nr_nodes;

	f->taken = false;
	for (unsigned int row = 0; row < nr_rows; row++)
		memset(f->used[row], 0, nr_nodes * sizeof(**f->used));
	for (unsigned int i = 0; i < fitting->nr_parts; i++) {
		const struct place_amounts *part = &fitting->parts[i];
		unsigned int n = 0;

		while (n < nr_nodes && !has_rest(f, part, n))
			n++;
		if (n == nr_nodes)
			return false;
		for (unsigned int row = 0; row < nr_rows; row++)
			f->used[row][n] += part->of[row];
	}
	f->taken = true;
	return true;
}

static int parts_fit(struct place_freed *f)
{
	const struct place_fitting *fitting = &f->fitting;
	size_t bytes = fitting->machine.nr_nodes * sizeof(**f->used);
	int err;

	if (still_fits(f)) {
		f->look = 0;
		return 0;
	}
	if (f->on_nodes) {
		f->look = 0;
		return parts_on_nodes(f) ? 0 : -ENOSPC;
	}
	err = totals_fit(f) ? place_freed_take(f) : -ENOSPC;
	if (err)
		return err;
	for (unsigned int row = 0; row < fitting->search.nr_rows; row++)
		memcpy(f->used[row], fitting->machine.taken[row], bytes);
	f->taken = true;
	f->look = 0;
	/* What an empty machine has on one node must be on one. */
	if (fitting->nr_parts == 1 &&
	    __builtin_popcountll(fitting->hints[0].nodes) == 1) {
		f->here = PLACE_NODE;
		f->look = fitting->machine.kept;
	}
	return 0;
}

bool place_freed_might_fit(struct place_freed *f)
{
	const struct place_fitting *fitting = &f->fitting;
	const unsigned int nr_nodes = fitting->machine.nr_nodes;

	if (!totals_fit(f))
		return false;
	if (fitting->search.request.policy != TALLY_PLACE_SINGLE_NODE)
		return true;
	for (unsigned int row = 0; row < fitting->search.nr_rows; row++)
		memset(f->used[row], 0, nr_nodes * sizeof(**f->used));
	f->taken = false;
	for (unsigned int i = 0; i < fitting->nr_parts; i++) {
		unsigned int n = 0;

		while (n < nr_nodes && !has_rest(f, &fitting->parts[i], n))
			n++;
		if (n == nr_nodes)
			return false;
	}
	return true;
}

int place_freed_fits(struct place_freed *f)
{
	switch (f->here) {
	case PLACE_TOTALS:
		return totals_fit(f) ? 0 : -ENOSPC;
	case PLACE_NODE:
		return node_fits(f) ? 0 : -ENOSPC;
	case PLACE_PARTS:
		break;
	}
	return parts_fit(f);
}
