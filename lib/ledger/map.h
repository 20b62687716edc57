/* SPDX-License-Identifier: MIT */
/* Maps a struct tally_ledger at an address that tells the inlined adds what
 * they have to know: see struct tally_fast. */
#ifndef LEDGER_MAP_H
#define LEDGER_MAP_H

#include "ledger/mapped.h"

/* Map a ledger for this file, zero except for what unmaps it. -ENOMEM, and
 * others of mmap(2). */
int fast_map(const struct layout *layout, struct tally_ledger **ledger);
void fast_unmap(struct tally_ledger *ledger);

#endif
