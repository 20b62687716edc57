/* SPDX-License-Identifier: MIT */
/* The calls of limits that histories are made of. */
#ifndef TEST_SUPPORT_HISTORY_CALLS_H
#define TEST_SUPPORT_HISTORY_CALLS_H

#include "support/history.h"

#define MEMORY	 1
#define CAPACITY 6 /* of a node at first */
#define QUOTA	 9

extern const struct kind reserving_kinds[], drawing_kinds[], taking_kinds[];
extern const unsigned int history_nr_reserving, history_nr_drawing,
	history_nr_taking;

/* The amounts of a call, as demands. Returns how many. */
unsigned int history_demands(const struct call *c,
			     struct tally_demand *demands);

#endif
