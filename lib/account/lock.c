// SPDX-License-Identifier: MIT
/* The lock of the directory, and what its next owner finishes of a dead one. */
#include "config.h"

#include <errno.h>

#include "account/internal.h"
#include "file/robust.h"

void lock_find_free(struct tally_accounts *a)
{
	uint32_t end = directory_nr_rows(a), nr = 0;

	for (uint32_t row = 0; row < end; row++) {
		uint32_t lifecycle = lifecycle_of(record_at(a, row));

		if (LIFECYCLE_PHASE(lifecycle) == PHASE_FREE) {
			rows_set(&rows_of(a, row)->free, row);
			nr++;
		} else if (lifecycle_is_claimed(lifecycle) &&
			   rows_claimer_is_dead(a, lifecycle) &&
			   !search_is_linked(a, row)) {
			rows_unclaim(a, row);
		}
	}
	__atomic_fetch_add(&directory_at(a->layout)->nr_free, nr,
			   __ATOMIC_RELEASE);
}

void lock_count_gone(struct tally_accounts *a)
{
	uint64_t nr = rows_nr_buckets(a);
	uint32_t gone = 0;

	for (uint64_t b = 0; b < nr; b++)
		gone += (uint32_t)__builtin_popcountll(
			rows_load(&rows_at(a->layout, b)->gone));
	__atomic_store_n(&directory_at(a->layout)->nr_gone, gone,
			 __ATOMIC_RELEASE);
}

static void recover(struct tally_accounts *a)
{
	end_recover(a);
	lock_find_free(a);
	lock_count_gone(a);
}

int directory_lock(struct tally_accounts *a, int64_t timeout_ns)
{
	struct wait w = wait_for(timeout_ns);
	int err;

	if (!a->hooks.join)
		return -EROFS;
	err = a->hooks.join(a->hooks.ledger);
	if (err)
		return err;
	pthread_mutex_lock(&a->lock);
	err = robust_take(a->layout, &directory_at(a->layout)->lock, &w);
	if (err < 0) {
		pthread_mutex_unlock(&a->lock);
		return err;
	}
	if (err)
		recover(a);
	return 0;
}

void directory_unlock(struct tally_accounts *a)
{
	robust_leave(a->layout, &directory_at(a->layout)->lock);
	pthread_mutex_unlock(&a->lock);
}

void directory_join(struct tally_accounts *a)
{
	uint64_t *owner = &directory_at(a->layout)->lock;
	struct wait w = wait_no_more();
	int err;

	pthread_mutex_lock(&a->lock);
	err = robust_take(a->layout, owner, &w);
	if (err == 1)
		recover(a);
	if (err >= 0)
		robust_leave(a->layout, owner);
	pthread_mutex_unlock(&a->lock);
}
