/* SPDX-License-Identifier: MIT */
/* A ledger as its process holds it. */
#ifndef LEDGER_INTERNAL_H
#define LEDGER_INTERNAL_H

#include <stdint.h>

#include <numatally/ledger.h>
#include <numatally/slice.h>

struct layout;

/* A CPU's lane, in its node's region. */
struct ledger_lane {
	struct tally_slice *headers; /* [plane][bucket] */
	struct tally_slice *record;  /* [plane] */
	uint32_t local;		     /* the plane of the CPU's own node */
};

struct tally_ledger {
	char *origin;
	struct ledger_lane *lanes;
	uint64_t row_bytes;
	uint64_t nr_buckets;
	uint32_t nr_lanes;
	uint32_t writer; /* this process's slot */
	struct layout *layout;
	struct tally_accounts *accounts;
};

#endif
