// SPDX-License-Identifier: MIT
/* Nodes of a machine with room. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/saturate.h"
#include "base/sized.h"
#include "place/internal.h"

/* Whether the machine has enough of everything, wherever it lies. */
static bool has_enough(const struct place_search *s,
		       const int64_t *const *columns, uint32_t first,
		       uint32_t end)
{
	for (unsigned int row = 0; row < s->nr_rows; row++) {
		int64_t sum = 0;

		for (uint32_t n = first; n < end; n++)
			sum = saturate_add(sum,
					   place_positive(columns[row][n]));
		if (sum < s->total.of[row])
			return false;
	}
	return true;
}

/* -ENOSPC	it has no room */
static int try(struct place_fitting *f, uint32_t machine,
	       const int64_t *const *columns, bool filtered)
{
	const struct tally_place *place = &f->search.place;
	int err;

	if (!has_enough(&f->search, columns, place_first(place, machine),
			place_first(place, machine + 1)))
		return -ENOSPC;
	err = place_load(f, columns, machine, filtered);
	return err ? err : place_take(f);
}

/* Whether a machine would have room if it were empty. */
static int refused(struct place_fitting *f, uint32_t from, uint32_t end)
{
	for (uint32_t m = from; m < end; m++) {
		int err = try(f, m, f->search.capacity, false);

		if (err != -ENOSPC)
			return err ? err : -ENOSPC;
	}
	return -ERANGE;
}

int place_search(struct place_fitting *f, uint32_t machine)
{
	bool any = machine == TALLY_PLACE_ANY;
	uint32_t from = any ? 0 : machine;
	uint32_t end = any ? place_nr_machines(&f->search.place) : machine + 1;
	bool first = f->search.request.score == TALLY_PLACE_FIRST &&
		     !f->search.request.rate;

	for (uint32_t m = from; m < end && !(first && f->found); m++) {
		int err = try(f, m, f->search.free, true);

		if (!err)
			err = place_keep(f, m);
		if (err && err != -ENOSPC)
			return err;
	}
	return f->found ? 0 : refused(f, from, end);
}

static int prepare(struct place_fitting *f)
{
	const struct place_search *s = &f->search;
	unsigned int nr = s->request.nr_parts;

	f->found = false;
	f->parts = &s->total;
	f->nr_parts = 1;
	f->hints = &f->one;
	f->best_hints = &f->best_one;
	if (s->request.scope == TALLY_PLACE_POD || nr == 1)
		return 0;
	f->made = malloc(nr * (sizeof(*f->made) + 2 * sizeof(*f->hints)));
	if (!f->made)
		return -ENOMEM;
	f->hints = (struct tally_place_hint *)(f->made + nr);
	f->best_hints = f->hints + nr;
	for (unsigned int i = 0; i < nr; i++)
		place_part(s, i, &f->made[i]);
	f->parts = f->made;
	f->nr_parts = nr;
	return 0;
}

int place_fitting_begin(struct place_fitting *f,
			const struct tally_place *place,
			const struct tally_place_request *request,
			uint32_t machine)
{
	int err;

	f->made = NULL;
	err = place_begin(place, request, &f->search);
	if (!err && machine != TALLY_PLACE_ANY &&
	    machine >= place_nr_machines(&f->search.place))
		err = -ENOENT;
	return err ? err : prepare(f);
}

void place_fitting_end(struct place_fitting *f)
{
	free(f->made);
}

static void finish(const struct place_fitting *f,
		   struct tally_place_hint *hints, struct tally_fit *fit)
{
	for (unsigned int i = 0; hints && i < f->search.request.nr_parts; i++)
		hints[i] = f->best_hints[f->nr_parts > 1 ? i : 0];
	sized_put(fit, &f->best, sizeof(f->best));
}

int tally_place_fit(const struct tally_place *place,
		    const struct tally_place_request *request, uint32_t machine,
		    struct tally_place_hint *hints, struct tally_fit *fit)
{
	struct place_fitting *f;
	int err;

	if (!sized_fits(fit, sized_upto(struct tally_fit, demands)))
		return -EINVAL;
	f = malloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->made = NULL;
	err = place_begin(place, request, &f->search);
	if (!err && machine != TALLY_PLACE_ANY &&
	    machine >= place_nr_machines(&f->search.place))
		err = -ENOENT;
	if (!err)
		err = prepare(f);
	if (!err)
		err = place_search(f, machine);
	if (!err)
		finish(f, hints, fit);
	free(f->made);
	free(f);
	return err;
}
