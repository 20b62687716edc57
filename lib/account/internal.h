/* SPDX-License-Identifier: MIT */
/* What the files of account/ share: the records of rows and their chains. */
#ifndef ACCOUNT_INTERNAL_H
#define ACCOUNT_INTERNAL_H

#include "account/directory.h"

/*
 *  heads                    records (rows)                     generations
 *  ┌──────────────┐        ┌──────┬───────────┬──────┬───┬───────┐ ┌─────────┐
 *  │ n │ row + 1  │ ─────> │ hash │ lifecycle │ next │ … │ key\0 │ │ row 0's │
 *  │ n │ 0: empty │        └──────┴───────────┴──┬───┴───┴───────┘ │ row 1's │
 *  │ …            │                              └──> row + 1      │ …       │
 *  └──────────────┘                                                └─────────┘
 *
 * The generation of a row is odd while an account has the row; the account's
 * handles then have that generation. It is even while no account has the row.
 * Ending an account and adding one each move it to the next number of that
 * kind, unless it is that already. It lies apart from the record, because every
 * add compares it, and many fit one cache line.
 *
 * A chain grows at its head, by one compare-and-swap, after the whole chain was
 * searched for the key: so a key has one row. n counts links and unlinks, so
 * that a search repeats if its chain changed meanwhile. A row is claimed,
 * filled, linked, and then made ready. A process that finds a linked row which
 * is still claimed makes it ready, so no process waits for the claimer.
 *
 *	FREE ─> CLAIMED, DECLARED ─> PENDING, READY ─> TERMINATING ─> GONE
 *	 ^          │ unlinked: another had the key first, or it died  │
 *	 └──────────┴──────────────────────────────────────────────────┘
 *
 * One process at a time (directory_lock()) moves accounts towards their end,
 * and frees rows. If it is killed, the next one repeats its step: see
 * account/end.c.
 */
struct record {
	uint32_t hash;	    /* of the key */
	uint32_t lifecycle; /* see below */
	uint32_t next;	    /* row + 1; 0 ends the chain */
	uint32_t ended;	    /* lower half of the epoch in which it was gone */
	/* row + 1, or 0: */
	uint32_t owner;
	uint32_t child;	  /* the last account that it owns */
	uint32_t sibling; /* the one before, of the same owner */
	uint16_t key_bytes;
	uint16_t pad;
	uint64_t born; /* the epoch in which it was linked, or the one before */
	char key[];    /* padded with NULs to whole words */
};
_Static_assert(offsetof(struct record, key) == LAYOUT_ACCOUNT_BYTES,
	       "the plan knows the size of a record");

typedef uint64_t key_word __attribute__((may_alias));

/*
 * lifecycle: the phase, and pins << 4. A claimed row has its claimer instead of
 * pins, and the account that it is claimed for, so that the word differs from
 * every earlier one:
 *
 *	┌ row's generation / 2 ┬ slot's generation ┬ slot + 1 ┬ phase ┐
 *	│              14 bits │                 5 │        9 │     4 │
 */
enum {
	PHASE_FREE = 0,
	PHASE_CLAIMED = 1, /* will be ready */
	/* enum tally_phase: 2 .. 5 */
	PHASE_DECLARED = 6, /* will be pending */
};
#define LIFECYCLE_PHASE(lifecycle) ((lifecycle)&15)
#define LIFECYCLE_PINS(lifecycle)  ((lifecycle) >> 4)
#define LIFECYCLE_PIN(pin)	   (UINT32_C(16) << (pin))

/* ---- rows.c ---- */

/* Claim a row for an account that will be in that phase. -ENOSPC: no row is
 * free. */
int rows_claim(struct tally_accounts *accounts, uint32_t phase, uint32_t *row);

/* Free a claimed row that is in no chain. */
void rows_unclaim(struct tally_accounts *accounts, uint32_t row);

/* Whether the claimer that a lifecycle names is known to be dead. */
bool rows_claimer_is_dead(const struct tally_accounts *accounts,
			  uint32_t lifecycle);

/* ---- search.c ---- */

/* A chain has two keys on average where the directory is full, and a dozen at
 * most. Keys that are chosen to share a chain are refused from here on. */
#define CHAIN_FULL 128

struct key {
	const char *text;
	size_t bytes;
	uint32_t hash;
};

/* What a search found. */
struct found {
	struct tally_account account;
	uint32_t lifecycle;
	uint32_t steps; /* of the search */
};

struct key search_key(const char *text);

/* The n-th word of a key, with NULs behind its end. */
uint64_t search_word(const struct key *key, size_t n);

/* Find the account that has the key. -ENOENT: none has, and *head is the head
 * of the chain that was searched; -EBADMSG. */
int search_find(const struct tally_accounts *accounts, const struct key *key,
		uint64_t *head, struct found *found);

/* Make an account ready or pending that is linked but still claimed. */
void search_make_ready(const struct tally_accounts *accounts,
		       const struct found *found);

/* Whether the row is an account's. If it is linked but still claimed, make it
 * ready or pending. */
bool search_is_linked(const struct tally_accounts *accounts, uint32_t row);

/* Like tally_account_key(), in an epoch: see directory_has(). */
int search_key_of(const struct tally_accounts *accounts,
		  struct tally_account account, uint64_t epoch, char *key,
		  size_t bytes);

/* ---- end.c: under the lock ---- */

/* Start to end the account and all that it owns, and finish what can be, each
 * account before its owner. */
void end_all(struct tally_accounts *accounts, uint32_t row);

/* Finish a terminating account if nothing holds it, and then its owners. */
void end_finish(struct tally_accounts *accounts, uint32_t row);

/* Remove the accounts that are gone from the list of what the owner owns. */
void end_prune(struct tally_accounts *accounts, uint32_t owner);

/* Repeat what follows from the changes of a dead owner of the lock. */
void end_recover(struct tally_accounts *accounts);

/* ---- lock.c ---- */

/* Find rows that a process freed or claimed before it died. Adds all free rows
 * to their count, which may then be too high: that does no harm. */
void lock_find_free(struct tally_accounts *accounts);

void lock_count_gone(struct tally_accounts *accounts);

/* ---- reclaim.c ---- */

/* Like rows_claim(); if every row is used, reclaim some first. */
int reclaim_claim(struct tally_accounts *accounts, uint32_t phase,
		  uint32_t *row);

/* Reclaim rows if enough accounts are gone. If a pinned snapshot prevents that,
 * try again when twice as many are. */
void reclaim_some(struct tally_accounts *accounts);

/* Reclaim rows of gone accounts, and wait for it: a chain may be full of them.
 * Return whether that was done. */
bool reclaim_chain(struct tally_accounts *accounts);

/* ---- directory.c ---- */

/* Whether the row's account was linked before the epoch began; any, if it is 0. */
bool directory_is_born(const struct tally_accounts *accounts, uint32_t row,
		       uint64_t epoch);

/* ---- accessors ---- */

static inline struct record *record_in(const struct layout *l, uint32_t row)
{
	const struct layout_table *table = &l->plan->accounts;

	return (struct record *)(l->origin + table->offset +
				 row * table->stride);
}

static inline struct record *record_at(const struct tally_accounts *a,
				       uint32_t row)
{
	return record_in(a->layout, row);
}

static inline uint32_t *generation_at(const struct tally_accounts *a,
				      uint32_t row)
{
	return generation_in(a->layout, row);
}

/* Links change under the lock only. The loads are atomic because the lock may
 * come to us by way of other processes, which no sanitizer sees. */
static inline uint32_t link_of(const uint32_t *link)
{
	return __atomic_load_n(link, __ATOMIC_RELAXED);
}

/* A link to a row, counted from 1. A damaged one is 0. */
static inline uint32_t row_link(const struct tally_accounts *a,
				const uint32_t *link)
{
	uint32_t n = link_of(link);

	return n <= directory_nr_rows(a) ? n : 0;
}

static inline uint32_t lifecycle_of(const struct record *r)
{
	return __atomic_load_n(&r->lifecycle, __ATOMIC_ACQUIRE);
}

static inline uint32_t phase_of(const struct record *r)
{
	return LIFECYCLE_PHASE(lifecycle_of(r));
}

static inline void set_lifecycle(struct record *r, uint32_t lifecycle)
{
	__atomic_store_n(&r->lifecycle, lifecycle, __ATOMIC_RELEASE);
}

static inline void set_phase(struct record *r, uint32_t phase)
{
	set_lifecycle(r, (lifecycle_of(r) & ~UINT32_C(15)) | phase);
}

static inline bool lifecycle_is_live(uint32_t lifecycle)
{
	return LIFECYCLE_PHASE(lifecycle) >= TALLY_PHASE_PENDING &&
	       LIFECYCLE_PHASE(lifecycle) <= TALLY_PHASE_TERMINATING;
}

static inline bool lifecycle_is_claimed(uint32_t lifecycle)
{
	return LIFECYCLE_PHASE(lifecycle) == PHASE_CLAIMED ||
	       LIFECYCLE_PHASE(lifecycle) == PHASE_DECLARED;
}

/* ---- bits of rows, by bucket ---- */

static inline struct layout_rows *rows_at(const struct layout *l,
					  uint64_t bucket)
{
	return (struct layout_rows *)(l->origin + l->plan->rows.offset) +
	       bucket;
}

static inline struct layout_rows *rows_of(const struct tally_accounts *a,
					  uint32_t row)
{
	return rows_at(a->layout, row / LAYOUT_BUCKET_ROWS);
}

static inline uint64_t rows_nr_buckets(const struct tally_accounts *a)
{
	return ((uint64_t)directory_nr_rows(a) + LAYOUT_BUCKET_ROWS - 1) /
	       LAYOUT_BUCKET_ROWS;
}

static inline uint64_t row_bit(uint32_t row)
{
	return UINT64_C(1) << row % LAYOUT_BUCKET_ROWS;
}

static inline uint64_t rows_load(const uint64_t *rows)
{
	return __atomic_load_n(rows, __ATOMIC_ACQUIRE);
}

static inline void rows_set(uint64_t *rows, uint32_t row)
{
	__atomic_fetch_or(rows, row_bit(row), __ATOMIC_RELEASE);
}

static inline void rows_clear(uint64_t *rows, uint32_t row)
{
	__atomic_fetch_and(rows, ~row_bit(row), __ATOMIC_RELEASE);
}

/* ---- heads of chains ---- */

static inline uint64_t *head_of(const struct tally_accounts *a, uint32_t hash)
{
	const struct layout_table *table = &a->layout->plan->heads;

	return (uint64_t *)(a->layout->origin + table->offset) +
	       (hash & (table->count - 1));
}

/* The head of a chain after one more change to it. */
static inline uint64_t head_after(uint64_t head, uint32_t first)
{
	return ((head >> 32) + 1) << 32 | first;
}

#endif
