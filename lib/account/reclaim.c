// SPDX-License-Identifier: MIT
/* Freeing the rows of accounts that are gone. */
#include "config.h"

#include <errno.h>

#include "base/clock.h"
#include "account/internal.h"

/* The gone rows that start a reclaim: advancing epochs takes time by the rows
 * in use, and so many rows are worth it. */
#define RECLAIM_ROWS  64
#define RECLAIM_SHARE 4

#define RECLAIM_NS    INT64_C(100000000)

bool reclaim_chain(struct tally_accounts *a)
{
	return a->hooks.join &&
	       __atomic_load_n(&directory_at(a->layout)->nr_gone,
			       __ATOMIC_RELAXED) &&
	       !a->hooks.reclaim(a->hooks.ledger, RECLAIM_NS);
}

/* Every row is used: reclaim, and wait for it. Return whether rows of gone
 * accounts were reclaimed. */
static bool make_room(struct tally_accounts *a)
{
	bool reclaimed = reclaim_chain(a);

	if (!a->hooks.join ||
	    __atomic_load_n(&directory_at(a->layout)->nr_free,
			    __ATOMIC_RELAXED) ||
	    directory_lock(a, RECLAIM_NS))
		return reclaimed;
	lock_find_free(a);
	directory_unlock(a);
	return reclaimed;
}

int reclaim_claim(struct tally_accounts *a, uint32_t phase, uint32_t *row)
{
	int err = rows_claim(a, phase, row);
	int64_t end_ns = err == -ENOSPC ? now_ns() + RECLAIM_NS : 0;
	bool again = true;

	/* Others may take all that was reclaimed. */
	while (err == -ENOSPC && again &&
	       directory_nr_rows(a) >= a->layout->header.params.max_accounts) {
		again = make_room(a) && now_ns() < end_ns;
		err = rows_claim(a, phase, row);
	}
	return err;
}

/* Count a change of a chain, so that searches of it repeat. */
static void count_change(const struct tally_accounts *a, uint32_t hash)
{
	uint64_t *at = head_of(a, hash);
	uint64_t head = __atomic_load_n(at, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(
		at, &head, head_after(head, (uint32_t)head), true,
		__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
}

/* Return the link to the row before this one in its chain; 0: the head, row +
 * 1: the row is in no chain. */
static uint32_t before(const struct tally_accounts *a, uint64_t head,
		       uint32_t row)
{
	uint32_t at = (uint32_t)head, last = 0;
	uint32_t steps = 0, limit = directory_nr_rows(a);

	while (at && at <= limit && steps++ < limit) {
		if (at == row + 1)
			return last;
		last = at;
		at = __atomic_load_n(&record_at(a, at - 1)->next,
				     __ATOMIC_ACQUIRE);
	}
	return row + 1;
}

/*
 * Other processes link rows meanwhile, at the head only, and unlink none. If an
 * earlier call was killed before it counted the change, this one counts it.
 */
static void unlink_row(const struct tally_accounts *a, uint32_t row)
{
	const struct record *r = record_at(a, row);
	uint64_t *at = head_of(a, link_of(&r->hash));
	uint32_t next = __atomic_load_n(&r->next, __ATOMIC_RELAXED);
	uint64_t head = __atomic_load_n(at, __ATOMIC_ACQUIRE);
	uint32_t last;

	while ((uint32_t)head == row + 1)
		if (__atomic_compare_exchange_n(
			    at, &head, head_after(head, next), false,
			    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return;
	last = before(a, head, row);
	if (last != row + 1)
		__atomic_store_n(&record_at(a, last - 1)->next, next,
				 __ATOMIC_RELEASE);
	count_change(a, link_of(&r->hash));
}

static void free_row(struct tally_accounts *a, uint32_t row)
{
	struct layout_rows *rows = rows_of(a, row);
	struct record *r = record_at(a, row);

	if (row_link(a, &r->owner)) {
		end_prune(a, row_link(a, &r->owner) - 1);
		__atomic_store_n(&r->owner, 0, __ATOMIC_RELAXED);
	}
	unlink_row(a, row);
	rows_clear(&rows->ready, row);
	rows_clear(&rows->gone, row);
	rows_set(&rows->free, row);
	__atomic_store_n(&r->lifecycle, PHASE_FREE, __ATOMIC_RELEASE);
	__atomic_fetch_add(&directory_at(a->layout)->nr_free, 1,
			   __ATOMIC_RELEASE);
}

void directory_collect(struct tally_accounts *a, uint64_t epoch,
		       bool (*is_clean)(const struct layout *layout,
					uint32_t row))
{
	uint64_t nr = rows_nr_buckets(a);

	if (!__atomic_load_n(&directory_at(a->layout)->nr_gone,
			     __ATOMIC_RELAXED) ||
	    directory_lock(a, RECLAIM_NS))
		return;
	for (uint64_t b = 0; b < nr; b++) {
		uint64_t left = directory_reclaimable(a->layout, b, epoch);

		for (; left; left &= left - 1) {
			uint32_t row = (uint32_t)(b * LAYOUT_BUCKET_ROWS) +
				       (uint32_t)__builtin_ctzll(left);

			if (is_clean(a->layout, row))
				free_row(a, row);
		}
	}
	lock_count_gone(a);
	directory_unlock(a);
}

void reclaim_some(struct tally_accounts *a)
{
	const uint32_t *nr_gone = &directory_at(a->layout)->nr_gone;
	uint32_t nr = __atomic_load_n(nr_gone, __ATOMIC_RELAXED);
	uint32_t from = __atomic_load_n(&a->reclaim_from, __ATOMIC_RELAXED);

	if (nr < from ||
	    nr < RECLAIM_ROWS + directory_nr_rows(a) / RECLAIM_SHARE)
		return;
	a->hooks.reclaim(a->hooks.ledger, 0);
	from = __atomic_load_n(nr_gone, __ATOMIC_RELAXED) > nr / 2 ? 2 * nr : 0;
	__atomic_store_n(&a->reclaim_from, from, __ATOMIC_RELAXED);
}
