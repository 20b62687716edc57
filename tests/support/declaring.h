/* SPDX-License-Identifier: MIT */
/* A ledger with spare columns, and what is declared in them. */
#ifndef TEST_SUPPORT_DECLARING_H
#define TEST_SUPPORT_DECLARING_H

#include "support/test.h"

#include <numatally/limit.h>

#include "file/column.h"
#include "support/machine.h"

enum { EVENTS, MEMORY, FIRST, SECOND };

static const struct tally_resource faults = {"faults", "", TALLY_COUNTER};
static const struct tally_resource used = {"used", "bytes", TALLY_GAUGE};
static const struct tally_resource gpus = {"gpus", "", TALLY_RESERVABLE};

static inline struct tally_ledger *create(struct machine *m, uint32_t nr_spare)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .max_accounts = 64,
						     .nr_spare = nr_spare};
	struct tally_ledger *l = NULL;

	unlink(m->path);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 2, &options,
					     &l),
			 0);
	return l;
}

static inline int declare(struct tally_ledger *l,
			  const struct tally_resource *r)
{
	return tally_ledger_declare(l, r, NULL, 0);
}

static inline struct tally_ledger *open_again(struct machine *m)
{
	struct tally_ledger *l = NULL;

	assert_int_equal(tally_ledger_open(m->path, &l), 0);
	return l;
}

static inline int reserve(struct tally_ledger *l, const char *key, int node,
			  unsigned int resource, int64_t amount)
{
	const struct tally_demand demand = {node, resource, amount};
	const struct tally_request request = {sizeof(request), &demand, 1, 0};
	struct tally_token t;

	return tally_limit_reserve(l, machine_account(l, key), &request, &t,
				   NULL);
}

#endif
