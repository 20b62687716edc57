// SPDX-License-Identifier: MIT
/* One machine: its parts, aligned and taken, and how well they fit. */
#include "config.h"

#include <errno.h>

#include "base/saturate.h"
#include "place/internal.h"

/* Nodes that the caller's filter refuses have nothing. */
static int load(const struct place_search *s, const int64_t *const *columns,
		bool filtered, struct place_machine *m)
{
	const struct tally_place_request *r = &s->request;
	uint32_t nodes[PLACE_NODES] = {0};
	bool keep[PLACE_NODES];
	int err = 0;

	m->kept = 0;
	m->need_of = NULL;
	for (uint32_t n = 0; n < m->nr_nodes; n++) {
		nodes[n] = m->first + n;
		keep[n] = true;
	}
	if (filtered && r->filter)
		err = r->filter(r->arg, nodes, m->nr_nodes, keep);
	for (uint32_t n = 0; n < m->nr_nodes; n++)
		m->kept |= (uint64_t)keep[n] << n;
	for (unsigned int row = 0; !err && row < s->nr_rows; row++)
		for (uint32_t n = 0; n < m->nr_nodes; n++) {
			int64_t has = columns[row][nodes[n]];

			m->free[row][n] = keep[n] ? has : 0;
			m->capacity[row][n] =
				keep[n] ? s->capacity[row][nodes[n]] : 0;
			m->taken[row][n] = 0;
		}
	return err;
}

int place_load(struct place_fitting *f, const int64_t *const *columns,
	       uint32_t machine, bool filtered)
{
	const struct tally_place *place = &f->search.place;
	uint32_t first = place_first(place, machine);
	uint32_t end = place_first(place, machine + 1);

	if (end - first > PLACE_NODES)
		return -E2BIG;
	f->machine.first = first;
	f->machine.nr_nodes = end - first;
	return load(&f->search, columns, filtered, &f->machine);
}

static void take_from(struct place_machine *m, unsigned int row, uint64_t nodes,
		      int64_t *amount)
{
	for (unsigned int n = 0; *amount && n < m->nr_nodes; n++) {
		int64_t has = place_positive(m->free[row][n]);

		if (!(nodes >> n & 1))
			continue;
		has = has < *amount ? has : *amount;
		m->free[row][n] -= has;
		m->taken[row][n] += has;
		*amount -= has;
	}
}

/* -ENOSPC	less is free, on all nodes */
static int take(const struct place_search *s, struct place_machine *m,
		const struct place_amounts *amounts, uint64_t nodes)
{
	for (unsigned int row = 0; row < s->nr_rows; row++) {
		int64_t amount = amounts->of[row];

		take_from(m, row, nodes, &amount);
		take_from(m, row, UINT64_MAX, &amount);
		if (amount)
			return -ENOSPC;
	}
	return 0;
}

int place_take(struct place_fitting *f)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < f->nr_parts; i++) {
		err = place_align(&f->search, &f->machine, &f->parts[i],
				  &f->hints[i]);
		if (!err)
			err = take(&f->search, &f->machine, &f->parts[i],
				   f->hints[i].nodes);
	}
	return err;
}

static uint64_t nodes_used(const struct place_fitting *f)
{
	uint64_t used = 0;

	for (unsigned int row = 0; row < f->search.nr_rows; row++)
		for (unsigned int n = 0; n < f->machine.nr_nodes; n++)
			if (f->machine.taken[row][n])
				used |= UINT64_C(1) << n;
	return used;
}

static double mean_distance(const struct place_fitting *f, uint64_t used)
{
	const int *const *distances = f->search.place.distances;
	double sum = 0, nr = 0;

	for (uint64_t i = used; i && distances; i &= i - 1)
		for (uint64_t j = used; j; j &= j - 1) {
			const int *row =
				distances[f->machine.first +
					  (uint32_t)__builtin_ctzll(i)];

			sum += row ? row[__builtin_ctzll(j)] : 0;
			nr++;
		}
	return nr > 0 ? sum / nr : 0;
}

static int rate(const struct place_fitting *f, uint64_t used, double *score)
{
	const struct tally_place_request *r = &f->search.request;
	uint32_t nodes[PLACE_NODES] = {0};
	double scores[PLACE_NODES], sum = 0;
	unsigned int nr = 0;
	int err;

	for (uint64_t i = used; i; i &= i - 1)
		nodes[nr++] = f->machine.first + (uint32_t)__builtin_ctzll(i);
	err = r->rate(r->arg, nodes, nr, scores);
	for (unsigned int i = 0; !err && i < nr; i++)
		sum += scores[i];
	if (!err)
		*score = sum / nr;
	return err;
}

static int score_of(const struct place_fitting *f, uint64_t used, double *score)
{
	const struct place_search *s = &f->search;
	int64_t left[PLACE_ROWS] = {0}, capacity[PLACE_ROWS] = {0};

	if (s->request.rate)
		return rate(f, used, score);
	if (s->request.score == TALLY_PLACE_FEWEST_NODES) {
		*score = -__builtin_popcountll(used) * 65536. -
			 mean_distance(f, used);
		return 0;
	}
	for (unsigned int row = 0; row < s->nr_rows; row++)
		for (uint64_t i = used; i; i &= i - 1) {
			unsigned int n = (unsigned int)__builtin_ctzll(i);

			left[row] = saturate_add(
				left[row],
				place_positive(f->machine.free[row][n]));
			capacity[row] = saturate_add(
				capacity[row],
				place_positive(f->machine.capacity[row][n]));
		}
	*score = place_score(s, left, capacity);
	return 0;
}

/* -E2BIG	over TALLY_LIMIT_MAX_DEMANDS demands */
static int describe(const struct place_search *s, const struct place_machine *m,
		    struct tally_fit *fit)
{
	unsigned int nr = 0;

	for (unsigned int n = 0; n < m->nr_nodes; n++)
		for (unsigned int row = 0; row < s->nr_rows; row++) {
			uint32_t node = m->first + n;

			if (!m->taken[row][n])
				continue;
			if (nr == TALLY_LIMIT_MAX_DEMANDS)
				return -E2BIG;
			fit->demands[nr++] = (struct tally_demand){
				.node = s->place.numbers
						? s->place.numbers[node]
						: (int)node,
				.resource = s->resource[row],
				.amount = m->taken[row][n],
			};
		}
	fit->nr_demands = nr;
	return 0;
}

int place_keep(struct place_fitting *f, uint32_t machine)
{
	uint64_t used = nodes_used(f);
	double score = 0;
	int err = score_of(f, used, &score);

	if (err || (f->found && score <= f->best.score))
		return err;
	err = describe(&f->search, &f->machine, &f->best);
	if (err)
		return err;
	f->found = true;
	f->best.machine = machine;
	f->best.nodes = used;
	f->best.score = score;
	f->best.preferred = true;
	for (unsigned int i = 0; i < f->nr_parts; i++) {
		f->best_hints[i] = f->hints[i];
		f->best.preferred &= f->hints[i].preferred;
	}
	return 0;
}
