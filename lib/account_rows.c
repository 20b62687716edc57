// SPDX-License-Identifier: MIT
/* The rows of the directory: claimed, given back, and freed once what their
 * last account had is cleaned. */
#include "config.h"

#include <errno.h>

#include "directory.h"
#include "writer.h"

/* Of records, made to exist by one call to the kernel. */
#define FAULT_BYTES (UINT64_C(64) << 10)

#define COOL_NS	    INT64_C(100000000)

static uint64_t nr_buckets(const struct tally_accounts *a)
{
	return ((uint64_t)directory_nr_rows(a) + LAYOUT_BUCKET_ROWS - 1) /
	       LAYOUT_BUCKET_ROWS;
}

static uint64_t load(const uint64_t *rows)
{
	return __atomic_load_n(rows, __ATOMIC_ACQUIRE);
}

static void set(uint64_t *rows, uint32_t row)
{
	__atomic_fetch_or(rows, row_bit(row), __ATOMIC_RELEASE);
}

static void clear(uint64_t *rows, uint32_t row)
{
	__atomic_fetch_and(rows, ~row_bit(row), __ATOMIC_RELEASE);
}

static struct layout_rows *rows_of(const struct tally_accounts *a, uint32_t row)
{
	return rows_at(a->layout, row / LAYOUT_BUCKET_ROWS);
}

/* Which account a claim is for, and whose it is; nobody's is never taken for a
 * dead one's. */
static uint32_t claim_word(const struct tally_accounts *a, uint32_t phase,
			   uint32_t row, uint32_t slot, uint32_t generation)
{
	return phase | (slot + 1) << 4 | (generation & 31) << 13 |
	       (generation_of(a, row) / 2) << 18;
}

struct claimer {
	uint32_t phase;
	uint32_t slot; /* UINT32_MAX: none */
	uint32_t generation;
};

static bool claim_row(struct tally_accounts *a, const struct claimer *c,
		      uint32_t row)
{
	uint32_t life = PHASE_FREE;

	return __atomic_compare_exchange_n(
		&record_at(a, row)->life, &life,
		claim_word(a, c->phase, row, c->slot, c->generation), false,
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

/* Of nr rows, from one on. */
static int fault_rows(const struct tally_accounts *a, uint32_t row, uint64_t nr)
{
	const struct layout_plan *plan = a->layout->plan;
	int err = tally_region_fault(&a->records, row * plan->accounts.stride,
				     nr * plan->accounts.stride);

	if (err)
		return err;
	return tally_region_fault(&a->records,
				  plan->generations.offset -
					  plan->accounts.offset +
					  row * plan->generations.stride,
				  nr * plan->generations.stride);
}

/* Makes the pages of a row exist, and of some after it where there is room. */
static int fault_row(struct tally_accounts *a, uint32_t row)
{
	uint64_t stride = a->layout->plan->accounts.stride;
	uint64_t from = row * stride, nr = FAULT_BYTES / stride + 1;
	uint64_t done = __atomic_load_n(&a->faulted_bytes, __ATOMIC_RELAXED);
	uint64_t bytes;
	int err;

	if (from + stride <= done)
		return 0;
	if (nr > a->layout->header.params.max_accounts - row)
		nr = a->layout->header.params.max_accounts - row;
	bytes = nr * stride;
	err = fault_rows(a, row, nr);
	if (err)
		return fault_rows(a, row, 1);
	while (done < from + bytes &&
	       !__atomic_compare_exchange_n(&a->faulted_bytes, &done,
					    from + bytes, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return 0;
}

static int claim_fresh(struct tally_accounts *a, const struct claimer *c,
		       uint32_t *claimed)
{
	uint32_t max = a->layout->header.params.max_accounts;
	uint32_t row;
	int err;

	for (row = directory_nr_rows(a); row < max; row++) {
		err = fault_row(a, row);
		if (err)
			return err;
		if (claim_row(a, c, row)) {
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

static bool claim_in(struct tally_accounts *a, const struct claimer *c,
		     uint64_t bucket, uint32_t *claimed)
{
	struct layout_rows *rows = rows_at(a->layout, bucket);
	uint64_t left = load(&rows->free);

	for (; left; left &= left - 1) {
		uint32_t row = (uint32_t)(bucket * LAYOUT_BUCKET_ROWS) +
			       (uint32_t)__builtin_ctzll(left);

		if (row >= directory_nr_rows(a) || !claim_row(a, c, row))
			continue;
		clear(&rows->free, row);
		one_free_less(a);
		*claimed = row;
		return true;
	}
	return false;
}

/* A few tries, as rows may be freed behind the scan. */
static int claim_free(struct tally_accounts *a, const struct claimer *c,
		      uint32_t *claimed)
{
	uint32_t *nr_free = &directory_at(a->layout)->nr_free;

	for (int try = 0; try < 4; try++) {
		uint64_t nr = nr_buckets(a);
		uint64_t first =
			__atomic_load_n(&a->free_bucket, __ATOMIC_RELAXED);
		uint32_t n = __atomic_load_n(nr_free, __ATOMIC_ACQUIRE);

		if (!n)
			break;
		for (uint64_t i = 0; i < nr; i++) {
			uint64_t bucket = (first + i) % nr;

			if (!claim_in(a, c, bucket, claimed))
				continue;
			__atomic_store_n(&a->free_bucket, bucket,
					 __ATOMIC_RELAXED);
			return 0;
		}
		/* Who was killed has left it too large. */
		__atomic_compare_exchange_n(nr_free, &n, 0, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
	return -ENOSPC;
}

/* As free as it was, and never linked. */
void directory_unclaim(struct tally_accounts *a, uint32_t row)
{
	struct layout_rows *rows = rows_of(a, row);
	uint32_t generation = generation_of(a, row);

	if (generation & 1)
		__atomic_store_n(generation_at(a, row), generation + 1,
				 __ATOMIC_RELEASE);
	clear(&rows->ready, row);
	set(&rows->free, row);
	__atomic_store_n(&record_at(a, row)->life, PHASE_FREE,
			 __ATOMIC_RELEASE);
	__atomic_fetch_add(&directory_at(a->layout)->nr_free, 1,
			   __ATOMIC_RELEASE);
}

static bool claimer_is_dead(const struct tally_accounts *a, uint32_t life)
{
	uint32_t slot = (life >> 4 & 511) - 1;

	if (slot == UINT32_MAX)
		return false;
	return writer_is_dead(a->layout, slot) ||
	       ((writer_generation(a->layout, slot) ^ life >> 13) & 31);
}

/* What somebody died over who claimed it, or gave it back. Too many that are
 * counted do no harm. */
static void find_free(struct tally_accounts *a)
{
	uint32_t end = directory_nr_rows(a), nr = 0;

	for (uint32_t row = 0; row < end; row++) {
		uint32_t life = life_of(record_at(a, row));

		if (LIFE_PHASE(life) == PHASE_FREE) {
			set(&rows_of(a, row)->free, row);
			nr++;
		} else if (life_is_claimed(life) && claimer_is_dead(a, life) &&
			   !directory_is_linked(a, row)) {
			directory_unclaim(a, row);
		}
	}
	__atomic_fetch_add(&directory_at(a->layout)->nr_free, nr,
			   __ATOMIC_RELEASE);
}

/* Where all rows were used: waits for what is gone to cool down. */
static void make_room(struct tally_accounts *a)
{
	if (!a->hooks.join)
		return;
	if (__atomic_load_n(&directory_at(a->layout)->nr_gone,
			    __ATOMIC_RELAXED))
		a->hooks.cool(a->hooks.ledger, COOL_NS);
	if (__atomic_load_n(&directory_at(a->layout)->nr_free,
			    __ATOMIC_RELAXED) ||
	    directory_lock(a, COOL_NS))
		return;
	find_free(a);
	directory_unlock(a);
}

int directory_claim(struct tally_accounts *a, uint32_t phase, uint32_t *row)
{
	struct claimer c = {.phase = phase, .slot = UINT32_MAX};
	int err;

	/* Who may not join adds all the same. */
	if (a->hooks.join)
		a->hooks.join(a->hooks.ledger, &c.slot, &c.generation);
	err = claim_free(a, &c, row);
	if (err == -ENOSPC)
		err = claim_fresh(a, &c, row);
	if (err != -ENOSPC ||
	    directory_nr_rows(a) < a->layout->header.params.max_accounts)
		return err;
	make_room(a);
	return claim_free(a, &c, row);
}

static bool is_in_use(const struct layout *l, uint32_t row)
{
	uint32_t generation =
		__atomic_load_n(generation_in(l, row), __ATOMIC_ACQUIRE);

	return generation & 1 &&
	       LIFE_PHASE(life_of(record_in(l, row))) != TALLY_PHASE_GONE;
}

/* The word may be damaged: a row of which nothing else says that it is gone
 * is not. */
static uint64_t gone_rows(const struct layout *l, uint64_t bucket)
{
	uint64_t left = load(&rows_at(l, bucket)->gone), gone = left;
	uint32_t end = left ? directory_rows_in(l) : 0;

	for (; left; left &= left - 1) {
		uint32_t row = (uint32_t)(bucket * LAYOUT_BUCKET_ROWS) +
			       (uint32_t)__builtin_ctzll(left);

		if (row >= end || is_in_use(l, row))
			gone &= ~row_bit(row);
	}
	return gone;
}

uint64_t directory_gone(const struct layout *l, uint64_t bucket, uint64_t epoch)
{
	uint64_t left = gone_rows(l, bucket), gone = left;

	for (; epoch && left; left &= left - 1) {
		uint32_t row = (uint32_t)(bucket * LAYOUT_BUCKET_ROWS) +
			       (uint32_t)__builtin_ctzll(left);

		if (directory_age(l, row, epoch) <= 0)
			gone &= ~row_bit(row);
	}
	return gone;
}

uint64_t directory_over(const struct layout *l, uint64_t bucket, uint64_t epoch)
{
	uint64_t left = gone_rows(l, bucket), over = left;

	for (; left; left &= left - 1) {
		uint32_t row = (uint32_t)(bucket * LAYOUT_BUCKET_ROWS) +
			       (uint32_t)__builtin_ctzll(left);

		if (directory_age(l, row, epoch) < DIRECTORY_COOL_EPOCHS)
			over &= ~row_bit(row);
	}
	return over;
}

uint32_t directory_nr_accounts(const struct tally_accounts *a)
{
	uint32_t nr_rows = directory_nr_rows(a), nr = nr_rows;

	for (uint64_t b = 0; b < nr_buckets(a); b++) {
		const struct layout_rows *rows = rows_at(a->layout, b);

		nr -= (uint32_t)__builtin_popcountll(load(&rows->free) |
						     load(&rows->gone));
	}
	return nr < nr_rows ? nr : nr_rows;
}

/* Counts another change of a chain: who searches it does so again. */
static void count_change(const struct tally_accounts *a, uint32_t hash)
{
	uint64_t *at = head_of(a, hash);
	uint64_t head = __atomic_load_n(at, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(
		at, &head, head_after(head, (uint32_t)head), true,
		__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
}

/* The row that names this one next, or the head: 0; or itself, in none. */
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
 * Rows are linked at the head meanwhile, and nowhere else; nobody else unlinks.
 * Where it was broken off before the change was counted, it is counted now.
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
		directory_prune(a, row_link(a, &r->owner) - 1);
		__atomic_store_n(&r->owner, 0, __ATOMIC_RELAXED);
	}
	unlink_row(a, row);
	clear(&rows->ready, row);
	clear(&rows->gone, row);
	set(&rows->free, row);
	__atomic_store_n(&r->life, PHASE_FREE, __ATOMIC_RELEASE);
	__atomic_fetch_add(&directory_at(a->layout)->nr_free, 1,
			   __ATOMIC_RELEASE);
}

static void count_gone(struct tally_accounts *a)
{
	uint64_t nr = nr_buckets(a);
	uint32_t gone = 0;

	for (uint64_t b = 0; b < nr; b++)
		gone += (uint32_t)__builtin_popcountll(
			load(&rows_at(a->layout, b)->gone));
	__atomic_store_n(&directory_at(a->layout)->nr_gone, gone,
			 __ATOMIC_RELEASE);
}

void directory_recount(struct tally_accounts *a)
{
	find_free(a);
	count_gone(a);
}

void directory_collect(struct tally_accounts *a, uint64_t epoch,
		       bool (*is_clean)(const struct layout *layout,
					uint32_t row))
{
	uint64_t nr = nr_buckets(a);

	if (!__atomic_load_n(&directory_at(a->layout)->nr_gone,
			     __ATOMIC_RELAXED) ||
	    directory_lock(a, COOL_NS))
		return;
	for (uint64_t b = 0; b < nr; b++) {
		uint64_t left = directory_over(a->layout, b, epoch);

		for (; left; left &= left - 1) {
			uint32_t row = (uint32_t)(b * LAYOUT_BUCKET_ROWS) +
				       (uint32_t)__builtin_ctzll(left);

			if (is_clean(a->layout, row))
				free_row(a, row);
		}
	}
	count_gone(a);
	directory_unlock(a);
}
