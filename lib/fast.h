/* SPDX-License-Identifier: MIT */
/* Puts a struct tally_ledger where its address says what the inlined adds have
 * to know. See struct tally_fast. */
#ifndef FAST_H
#define FAST_H

#include "ledger_internal.h"

/* A ledger over that file, zero but for what is to unmap it. -ENOMEM or what
 * else mmap(2) said. */
int fast_map(const struct layout *layout, struct tally_ledger **ledger);
void fast_unmap(struct tally_ledger *ledger);

#endif
