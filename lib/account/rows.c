// SPDX-License-Identifier: MIT
/* Claiming rows, and giving them back. */
#include "config.h"

#include <errno.h>

#include "account/internal.h"
#include "file/writer.h"

/* Bytes of records to populate at once. */
#define POPULATE_BYTES (UINT64_C(64) << 10)

/* The lifecycle of a claimed row: see there. A claimer without a slot never
 * counts as dead. */
static uint32_t claim_word(const struct tally_accounts *a, uint32_t phase,
			   uint32_t row)
{
	uint64_t owner = __atomic_load_n(&a->layout->owner, __ATOMIC_RELAXED);

	return phase | (uint32_t)owner << 4 |
	       (uint32_t)(owner >> 32 & 31) << 13 |
	       (generation_of(a, row) / 2) << 18;
}

static bool claim_row(struct tally_accounts *a, uint32_t phase, uint32_t row)
{
	uint32_t lifecycle = PHASE_FREE;

	return __atomic_compare_exchange_n(&record_at(a, row)->lifecycle,
					   &lifecycle,
					   claim_word(a, phase, row), false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void raise(uint32_t *word, uint32_t to)
{
	uint32_t n = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (n < to &&
	       !__atomic_compare_exchange_n(word, &n, to, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

static void raise_nr_rows(struct tally_accounts *a, uint32_t to)
{
	raise(&directory_at(a->layout)->nr_rows, to);
	raise(&directory_at(a->layout)->nr_rows_copy, to);
}

static int populate_rows(const struct tally_accounts *a, uint32_t row,
			 uint64_t nr)
{
	const struct layout_plan *plan = a->layout->plan;
	int err = layout_populate(a->layout, &a->records,
				  row * plan->accounts.stride,
				  nr * plan->accounts.stride);

	if (err)
		return err;
	return layout_populate(a->layout, &a->records,
			       plan->generations.offset -
				       plan->accounts.offset +
				       row * plan->generations.stride,
			       nr * plan->generations.stride);
}

/* Populate a row, and some rows after it if there is memory. */
static int populate_row(struct tally_accounts *a, uint32_t row)
{
	uint64_t stride = a->layout->plan->accounts.stride;
	uint64_t from = row * stride, nr = POPULATE_BYTES / stride + 1;
	uint64_t done = __atomic_load_n(&a->populated_bytes, __ATOMIC_RELAXED);
	uint64_t bytes;
	int err;

	if (from + stride <= done)
		return 0;
	if (nr > a->layout->header.params.max_accounts - row)
		nr = a->layout->header.params.max_accounts - row;
	bytes = nr * stride;
	err = populate_rows(a, row, nr);
	if (err)
		return populate_rows(a, row, 1);
	while (done < from + bytes &&
	       !__atomic_compare_exchange_n(&a->populated_bytes, &done,
					    from + bytes, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return 0;
}

static int claim_fresh(struct tally_accounts *a, uint32_t phase,
		       uint32_t *claimed)
{
	uint32_t max = a->layout->header.params.max_accounts;
	uint32_t row;
	int err;

	for (row = directory_nr_rows(a); row < max; row++) {
		err = populate_row(a, row);
		if (err)
			return err;
		if (claim_row(a, phase, row)) {
			raise_nr_rows(a, row + 1);
			*claimed = row;
			return 0;
		}
	}
	return -ENOSPC;
}

static void one_free_less(struct tally_accounts *a)
{
	uint32_t *nr_free = &directory_at(a->layout)->nr_free;
	uint32_t n = __atomic_load_n(nr_free, __ATOMIC_RELAXED);

	while (n &&
	       !__atomic_compare_exchange_n(nr_free, &n, n - 1, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static bool claim_in(struct tally_accounts *a, uint32_t phase, uint64_t bucket,
		     uint32_t *claimed)
{
	struct layout_rows *rows = rows_at(a->layout, bucket);
	uint64_t left = rows_load(&rows->free);

	for (; left; left &= left - 1) {
		uint32_t row = (uint32_t)(bucket * LAYOUT_BUCKET_ROWS) +
			       (uint32_t)__builtin_ctzll(left);

		if (row >= directory_nr_rows(a) || !claim_row(a, phase, row))
			continue;
		rows_clear(&rows->free, row);
		one_free_less(a);
		*claimed = row;
		return true;
	}
	return false;
}

/* Try a few times: rows may be freed behind the scan. */
static int claim_free(struct tally_accounts *a, uint32_t phase,
		      uint32_t *claimed)
{
	uint32_t *nr_free = &directory_at(a->layout)->nr_free;

	for (int try = 0; try < 4; try++) {
		uint64_t nr = rows_nr_buckets(a);
		uint64_t first =
			__atomic_load_n(&a->free_bucket, __ATOMIC_RELAXED);
		uint32_t n = __atomic_load_n(nr_free, __ATOMIC_ACQUIRE);

		if (!n)
			break;
		for (uint64_t i = 0; i < nr; i++) {
			uint64_t bucket = (first + i) % nr;

			if (!claim_in(a, phase, bucket, claimed))
				continue;
			__atomic_store_n(&a->free_bucket, bucket,
					 __ATOMIC_RELAXED);
			return 0;
		}
		/* A process that was killed left the count too high. */
		__atomic_compare_exchange_n(nr_free, &n, 0, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
	return -ENOSPC;
}

void rows_unclaim(struct tally_accounts *a, uint32_t row)
{
	struct layout_rows *rows = rows_of(a, row);
	uint32_t generation = generation_of(a, row);

	if (generation & 1)
		__atomic_store_n(generation_at(a, row), generation + 1,
				 __ATOMIC_RELEASE);
	rows_clear(&rows->ready, row);
	rows_set(&rows->free, row);
	__atomic_store_n(&record_at(a, row)->lifecycle, PHASE_FREE,
			 __ATOMIC_RELEASE);
	__atomic_fetch_add(&directory_at(a->layout)->nr_free, 1,
			   __ATOMIC_RELEASE);
}

bool rows_claimer_is_dead(const struct tally_accounts *a, uint32_t lifecycle)
{
	uint32_t slot = (lifecycle >> 4 & 511) - 1;
	uint64_t owner = writer_in(a->layout, slot);

	if (slot == UINT32_MAX)
		return false;
	return ((owner >> 32 ^ lifecycle >> 13) & 31) ||
	       writer_is_gone(a->layout, owner);
}

int rows_claim(struct tally_accounts *a, uint32_t phase, uint32_t *row)
{
	int err = a->hooks.join ? a->hooks.join(a->hooks.ledger) : 0;

	/* A process without a slot claims all the same, unless another one alone
	 * may write. */
	if (err == -EPERM)
		return err;
	err = claim_free(a, phase, row);
	return err == -ENOSPC ? claim_fresh(a, phase, row) : err;
}
