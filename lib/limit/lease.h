/* SPDX-License-Identifier: MIT */
/* limit_lease: the leases of uncommitted reservations, of which it finds the one
 * that ends first: struct layout_limits, leases. The caller must hold the lock
 * (limit/lock.h). */
#ifndef LIMIT_LEASE_H
#define LIMIT_LEASE_H

#include "ledger/mapped.h"

/* Allocate what nr leases need. Errors as layout_populate(). */
int limit_lease_touch(struct tally_ledger *ledger, uint64_t nr);

/* Add the row's lease, or follow a change of its deadline; remove it. What a
 * damaged word names is left out. */
void limit_lease_put(struct layout *layout, uint32_t row);
void limit_lease_remove(struct layout *layout, uint32_t row);

/* Get the row whose lease ends first, and its deadline, rounded up to a step of
 * shared_ns(). -ENOENT: there is none; -EBADMSG */
int limit_lease_first(const struct layout *layout, uint32_t *row,
		      int64_t *deadline_ns);

/* The word of a row's lease. */
uint64_t limit_lease_word(uint32_t row, int64_t deadline_ns);
uint32_t limit_lease_row(uint64_t word);

#endif
