/* SPDX-License-Identifier: MIT */
/* Every amount of a view that is not 0. */
#ifndef TEST_SUPPORT_VALUES_H
#define TEST_SUPPORT_VALUES_H

#include <numatally/view.h>

struct value {
	const char *key; /* of the account; valid during the call */
	int node;
	unsigned int resource;
	int64_t amount;
};

/*
 * Call each(arg, value) account by account, and node by node in each. A result
 * of each that is not 0 ends the walk and is returned. -ENOMEM.
 */
int values_each(const struct tally_view *view,
		int (*each)(void *arg, const struct value *value), void *arg);

/* How many there are. */
int values_count(const struct tally_view *view);

#endif
