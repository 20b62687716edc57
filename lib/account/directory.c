// SPDX-License-Identifier: MIT
/* Opening a directory, and reading it. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "account/internal.h"
#include "file/sparse.h"

int directory_open(struct layout *layout, struct tally_accounts **accounts)
{
	struct tally_accounts *a = calloc(1, sizeof(*a));
	const struct layout_plan *plan = layout->plan;
	int err;

	if (!a)
		return -ENOMEM;
	a->layout = layout;
	err = tally_region_init(layout->origin + plan->accounts.offset,
				plan->reservations.offset -
					plan->accounts.offset,
				layout->file->fd, (off_t)plan->accounts.offset,
				-1, &a->records);
	if (err) {
		free(a);
		return err;
	}
	pthread_mutex_init(&a->lock, NULL);
	*accounts = a;
	return 0;
}

void directory_close(struct tally_accounts *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->lock);
	free(a);
}

uint32_t directory_rows_in(const struct layout *l)
{
	const struct layout_table *table = &l->plan->accounts;
	uint64_t *known = layout_known_rows(l);
	uint32_t n =
		__atomic_load_n(&directory_at(l)->nr_rows, __ATOMIC_ACQUIRE);

	/* Mostly. */
	if (n <= __atomic_load_n(known, __ATOMIC_RELAXED) && n <= table->count)
		return n;
	if (n > table->count)
		n = (uint32_t)table->count;
	/* Rows are allocated in order, before they are counted. */
	if (n && !sparse_has(l, known, table->offset, table->stride, n - 1))
		n = (uint32_t)__atomic_load_n(known, __ATOMIC_RELAXED);
	return n;
}

bool directory_has_all(const struct tally_accounts *a)
{
	uint32_t copy = __atomic_load_n(&directory_at(a->layout)->nr_rows_copy,
					__ATOMIC_ACQUIRE);

	return directory_nr_rows(a) >= copy;
}

int directory_if_whole(const struct tally_accounts *a, int err)
{
	return directory_has_all(a) && layout_is_whole(a->layout) ? err
								  : -EBADMSG;
}

void directory_serve(struct tally_accounts *a,
		     const struct directory_hooks *hooks)
{
	a->hooks = *hooks;
}

void directory_forked(struct tally_accounts *a)
{
	/* The thread that held it may not be in the child. */
	pthread_mutex_init(&a->lock, NULL);
}

static bool is_in_use(const struct layout *l, uint32_t row)
{
	uint32_t generation =
		__atomic_load_n(generation_in(l, row), __ATOMIC_ACQUIRE);

	return generation & 1 &&
	       LIFECYCLE_PHASE(lifecycle_of(record_in(l, row))) !=
		       TALLY_PHASE_GONE;
}

/* The word may be damaged: a row counts as gone only if its record says so
 * too. */
static uint64_t gone_rows(const struct layout *l, uint64_t bucket)
{
	uint64_t left = rows_load(&rows_at(l, bucket)->gone), gone = left;
	uint32_t end = left ? directory_rows_in(l) : 0;

	for (; left; left &= left - 1) {
		uint32_t row = (uint32_t)(bucket * LAYOUT_BUCKET_ROWS) +
			       (uint32_t)__builtin_ctzll(left);

		if (row >= end || is_in_use(l, row))
			gone &= ~row_bit(row);
	}
	return gone;
}

/* How many epochs ago the row's account was found gone. */
static int32_t age(const struct layout *l, uint32_t row, uint64_t epoch)
{
	return (int32_t)((uint32_t)epoch -
			 __atomic_load_n(&record_in(l, row)->ended,
					 __ATOMIC_RELAXED));
}

uint64_t directory_gone(const struct layout *l, uint64_t bucket, uint64_t epoch)
{
	uint64_t left = gone_rows(l, bucket), gone = left;

	for (; epoch && left; left &= left - 1) {
		uint32_t row = (uint32_t)(bucket * LAYOUT_BUCKET_ROWS) +
			       (uint32_t)__builtin_ctzll(left);

		if (age(l, row, epoch) <= 0)
			gone &= ~row_bit(row);
	}
	return gone;
}

bool directory_is_born(const struct tally_accounts *a, uint32_t row,
		       uint64_t epoch)
{
	return !epoch || __atomic_load_n(&record_at(a, row)->born,
					 __ATOMIC_RELAXED) < epoch;
}

bool directory_has(const struct tally_accounts *a, struct tally_account account,
		   uint64_t epoch)
{
	const struct record *r;
	uint32_t generation;

	if (account.row >= directory_nr_rows(a) || !(account.generation & 1))
		return false;
	generation = generation_of(a, account.row);
	if (generation == account.generation)
		return true;
	r = record_at(a, account.row);
	return epoch && generation == account.generation + 1 &&
	       directory_is_born(a, account.row, epoch) &&
	       LIFECYCLE_PHASE(lifecycle_of(r)) == TALLY_PHASE_GONE &&
	       !(directory_gone(a->layout, account.row / LAYOUT_BUCKET_ROWS,
				epoch) &
		 row_bit(account.row));
}

uint64_t directory_reclaimable(const struct layout *l, uint64_t bucket,
			       uint64_t epoch)
{
	uint64_t left = gone_rows(l, bucket), reclaimable = left;

	for (; left; left &= left - 1) {
		uint32_t row = (uint32_t)(bucket * LAYOUT_BUCKET_ROWS) +
			       (uint32_t)__builtin_ctzll(left);

		if (age(l, row, epoch) < DIRECTORY_RECLAIM_EPOCHS)
			reclaimable &= ~row_bit(row);
	}
	return reclaimable;
}

uint32_t directory_nr_accounts(const struct tally_accounts *a)
{
	uint32_t nr_rows = directory_nr_rows(a), nr = nr_rows;

	for (uint64_t b = 0; b < rows_nr_buckets(a); b++) {
		const struct layout_rows *rows = rows_at(a->layout, b);

		nr -= (uint32_t)__builtin_popcountll(rows_load(&rows->free) |
						     rows_load(&rows->gone));
	}
	return nr < nr_rows ? nr : nr_rows;
}
