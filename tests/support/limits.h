/* SPDX-License-Identifier: MIT */
/* What tests of reservations share. */
#ifndef TEST_SUPPORT_LIMITS_H
#define TEST_SUPPORT_LIMITS_H

#include <numatally/limit.h>

/* Fail the test if holdings and sums do not agree. */
void limits_agree(struct tally_ledger *ledger);

/* The limit of memory, of machine_reservables, on a node. */
struct tally_limit limits_of_node(struct tally_ledger *ledger, int node);

/* Give accounts below "full/" more than 63 bits of memory together, on two nodes: it can
 * have no quota, which is found when other limits are set already. */
void limits_fill(struct tally_ledger *ledger);

/* Wait until a lease that has begun before, of that length, has run out. */
void limits_lapse(int64_t lease_ns);

#endif
