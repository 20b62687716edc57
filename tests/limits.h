/* SPDX-License-Identifier: MIT */
/* What tests of reservations share. */
#ifndef LIMITS_H
#define LIMITS_H

#include <numatally/limit.h>

/* Fails where what is held does not agree with what counts it. */
void limits_agree(struct tally_ledger *ledger);

/* Of machine_resources' memory. */
struct tally_limit limits_of_node(struct tally_ledger *ledger, int node);

#endif
