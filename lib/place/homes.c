// SPDX-License-Identifier: MIT
/* Candidates on their machines. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "place/candidates.h"
#include "place/internal.h"

/* The amounts from this one on that are on the same machine. */
static unsigned int run_of(const struct tally_candidates *c,
			   const struct place_candidate *candidate,
			   unsigned int from)
{
	const struct place_amount *a = candidate->amounts;
	unsigned int i = from;

	while (i < candidate->nr &&
	       c->machine[a[i].node] == c->machine[a[from].node])
		i++;
	return i - from;
}

static struct place_home *home_of(const struct tally_candidates *c,
				  const struct place_candidate *candidate,
				  unsigned int amount)
{
	return &c->homes[c->machine[candidate->amounts[amount].node]];
}

int place_homes_reserve(struct tally_candidates *c,
			const struct place_candidate *candidate)
{
	unsigned int nr;
	int err = 0;

	for (unsigned int i = 0; !err && i < candidate->nr; i += nr) {
		struct place_home *home = home_of(c, candidate, i);

		nr = run_of(c, candidate, i);
		if (home->nr_amounts > UINT32_MAX - nr)
			return -ENOMEM;
		err = array_reserve(home->entries, home->cap_entries,
				    home->nr_entries + 1);
		if (!err)
			err = array_reserve(home->amounts, home->cap_amounts,
					    home->nr_amounts + nr);
	}
	return err;
}

/* Where an entry is, or would be. */
static unsigned int place_of(const struct place_home *home,
			     const struct place_rank *rank, uint32_t candidate)
{
	unsigned int low = 0, high = home->nr_entries;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;
		const struct place_entry *e = &home->entries[middle];
		int order = place_rank_order(&e->rank, rank);

		if (order < 0 || (!order && e->candidate < candidate))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void place_homes_enter(struct tally_candidates *c, uint32_t candidate)
{
	const struct place_candidate *its = &c->of[candidate];
	const struct place_unit *unit = &c->units[its->unit];
	unsigned int nr;

	for (unsigned int i = 0; i < its->nr; i += nr) {
		struct place_home *home = home_of(c, its, i);
		uint32_t first = place_first(&c->place,
					     c->machine[its->amounts[i].node]);
		unsigned int at = place_of(home, &unit->rank, candidate);
		struct place_entry *e = &home->entries[at];

		nr = run_of(c, its, i);
		memmove(e + 1, e, (home->nr_entries++ - at) * sizeof(*e));
		*e = (struct place_entry){
			.rank = unit->rank,
			.unit = its->unit,
			.candidate = candidate,
			.from = home->nr_amounts,
			.nr = nr,
			.kept = unit->kept,
			.budgeted = unit->budgeted,
		};
		home->nr_budgeted += unit->budgeted;
		home->nr_kept += unit->kept;
		for (unsigned int j = 0; j < nr; j++) {
			struct place_amount *to =
				&home->amounts[home->nr_amounts++];

			*to = its->amounts[i + j];
			to->node -= first;
		}
	}
}

static void leave(struct place_home *home, unsigned int at)
{
	struct place_entry *e = &home->entries[at];
	const uint32_t from = e->from, nr = e->nr;
	struct place_amount *a = &home->amounts[from];

	home->nr_budgeted -= e->budgeted;
	home->nr_kept -= e->kept;
	home->nr_amounts -= nr;
	memmove(a, a + nr, (home->nr_amounts - from) * sizeof(*a));
	memmove(e, e + 1, (--home->nr_entries - at) * sizeof(*e));
	for (unsigned int i = 0; i < home->nr_entries; i++)
		if (home->entries[i].from > from)
			home->entries[i].from -= nr;
}

void place_homes_leave(struct tally_candidates *c, uint32_t candidate)
{
	const struct place_candidate *its = &c->of[candidate];
	const struct place_rank *rank = &c->units[its->unit].rank;
	unsigned int nr;

	for (unsigned int i = 0; i < its->nr; i += nr) {
		struct place_home *home = home_of(c, its, i);

		nr = run_of(c, its, i);
		leave(home, place_of(home, rank, candidate));
	}
}
