// SPDX-License-Identifier: MIT
/* What a search asks for. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/saturate.h"
#include "base/sized.h"
#include "place/internal.h"

static unsigned int row_of(const struct place_search *s, unsigned int resource)
{
	unsigned int row = 0;

	while (row < s->nr_rows && s->resource[row] != resource)
		row++;
	return row;
}

static int add(struct place_search *s, const struct tally_amount *amount)
{
	const struct tally_place *place = &s->place;
	unsigned int resource = amount->resource, row;

	if (resource >= place->nr_resources || !place->free[resource] ||
	    amount->amount < 0)
		return -EINVAL;
	if (!amount->amount)
		return 0;
	row = row_of(s, resource);
	if (row == PLACE_ROWS)
		return -E2BIG;
	if (row == s->nr_rows) {
		s->nr_rows++;
		s->resource[row] = resource;
		s->free[row] = place->free[resource];
		s->capacity[row] = place->capacity ? place->capacity[resource]
						   : place->free[resource];
		s->weight[row] = place->weights ? place->weights[resource] : 1;
		s->total.of[row] = 0;
	}
	s->total.of[row] = saturate_add(s->total.of[row], amount->amount);
	return 0;
}

int place_begin(const struct tally_place *place,
		const struct tally_place_request *request,
		struct place_search *s)
{
	int err = sized_get(&s->place, sizeof(s->place),
			    sized_upto(struct tally_place, distances), place);

	if (!err)
		err = sized_get(&s->request, sizeof(s->request),
				sized_upto(struct tally_place_request, arg),
				request);
	if (err)
		return err;
	if ((unsigned int)s->request.policy > TALLY_PLACE_SINGLE_NODE ||
	    (unsigned int)s->request.scope > TALLY_PLACE_POD ||
	    (unsigned int)s->request.score > TALLY_PLACE_FEWEST_NODES)
		return -EINVAL;
	s->nr_rows = 0;
	for (unsigned int p = 0; p < s->request.nr_parts; p++) {
		const struct tally_place_part *part = &s->request.parts[p];

		for (unsigned int i = 0; i < part->nr_amounts; i++) {
			err = add(s, &part->amounts[i]);
			if (err)
				return err;
		}
	}
	return s->nr_rows ? 0 : -EINVAL;
}

void place_part(const struct place_search *s, unsigned int index,
		struct place_amounts *amounts)
{
	const struct tally_place_part *part = &s->request.parts[index];

	memset(amounts, 0, sizeof(*amounts));
	for (unsigned int i = 0; i < part->nr_amounts; i++) {
		unsigned int row = row_of(s, part->amounts[i].resource);

		if (row < s->nr_rows)
			amounts->of[row] = saturate_add(
				amounts->of[row], part->amounts[i].amount);
	}
}
