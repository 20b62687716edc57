// SPDX-License-Identifier: MIT
/* How well a request fits on nodes. */
#include "config.h"

#include <math.h>

#include "place/internal.h"
#include "place/scan.h"

/* Of what is left; 0 where the node has nothing when it is empty. */
static double share(int64_t left, int64_t capacity)
{
	return capacity > 0 ? (double)left / (double)capacity : 0;
}

static double mean_share(const struct place_search *s, const int64_t *left,
			 const int64_t *capacity)
{
	double sum = 0;

	for (unsigned int row = 0; row < s->nr_rows; row++)
		sum += share(left[row], capacity[row]);
	return sum / s->nr_rows;
}

static double deviation(const struct place_search *s, const int64_t *left,
			const int64_t *capacity)
{
	double mean = mean_share(s, left, capacity), sum = 0;

	for (unsigned int row = 0; row < s->nr_rows; row++) {
		double d = share(left[row], capacity[row]) - mean;

		sum += d * d;
	}
	return sqrt(sum / s->nr_rows);
}

double place_score(const struct place_search *s, const int64_t *left,
		   const int64_t *capacity)
{
	switch (s->request.score) {
	case TALLY_PLACE_BEST:
		return -scan_cost(left, s->weight, s->nr_rows);
	case TALLY_PLACE_LEAST_ALLOCATED:
		return mean_share(s, left, capacity);
	case TALLY_PLACE_MOST_ALLOCATED:
		return -mean_share(s, left, capacity);
	case TALLY_PLACE_BALANCED:
		return -deviation(s, left, capacity);
	case TALLY_PLACE_FIRST:
	case TALLY_PLACE_FEWEST_NODES:
		break;
	}
	return 0;
}
