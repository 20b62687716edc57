/* SPDX-License-Identifier: MIT */
/* The directory of accounts over a mapped ledger file. */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include <pthread.h>
#include <stdbool.h>

#include <numatally/account.h>

#include "layout.h"

/*
 *  heads                    records (rows)                     generations
 *  ┌──────────────┐        ┌──────┬──────┬──────┬───┬───────┐ ┌───────────┐
 *  │ n │ row + 1  │ ─────> │ hash │ life │ next │ … │ key\0 │ │ of row 0  │
 *  │ n │ 0: empty │        └──────┴──────┴──┬───┴───┴───────┘ │ of row 1  │
 *  │ …            │                         └──> row + 1      │ …         │
 *  └──────────────┘                                           └───────────┘
 *
 * The generation of a row is odd while an account has the row, whose handles
 * then have that generation, and even while none has: who ends an account, and
 * who adds one, makes it the next number unless it is that already. It stands
 * apart from the record since whoever adds compares it, and many fit one cache
 * line.
 *
 * A chain grows at its head, by one compare-and-swap, after the whole chain
 * was searched for the key: a key has one row. n counts what was linked and
 * unlinked, so that a search of a chain that changed meanwhile is done again.
 * A row is claimed, filled, linked, and then made ready; whoever meets a linked
 * row that is still claimed makes it ready, so that nothing waits for its
 * owner.
 *
 *	FREE ─> CLAIMED, DECLARED ─> PENDING, READY ─> TERMINATING ─> GONE
 *	 ^          │ unlinked: another had the key first, or it died  │
 *	 └──────────┴──────────────────────────────────────────────────┘
 *
 * One process at a time (layout_directory.owner) takes accounts towards their
 * end, and frees rows. Killed anywhere, the next one does the step again: see
 * account_life.c.
 */
struct record {
	uint32_t hash;	/* of the key */
	uint32_t life;	/* see below */
	uint32_t next;	/* row + 1; 0 ends the chain */
	uint32_t ended; /* lower half of the epoch in which it was gone */
	/* row + 1, or 0: */
	uint32_t owner;
	uint32_t child;	  /* the last of those that it owns */
	uint32_t sibling; /* the one before, of the same owner */
	uint16_t key_bytes;
	uint16_t pad;
	char key[]; /* padded with NULs to whole words */
};
_Static_assert(offsetof(struct record, key) == LAYOUT_ACCOUNT_BYTES,
	       "the plan knows the size of a record");

/*
 * life: phase, and holds << 4. A claimed row has in their place who claimed it,
 * and for which account, so that it is not taken for what it was before:
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
#define LIFE_PHASE(life) ((life)&15)
#define LIFE_HOLDS(life) ((life) >> 4)
#define LIFE_HOLD(hold)	 (UINT32_C(16) << (hold))

/* What the ledger does for its directory. A reader's has none. */
struct directory_hooks {
	void *ledger;
	/* The process's writer slot, taken where it has none. */
	int (*join)(void *ledger, uint32_t *slot, uint32_t *generation);
	/* Moves epochs on until every row that is gone can be cleaned. */
	int (*cool)(void *ledger, int64_t timeout_ns);
	/* Accounts are ending: draws back what they have idle. */
	void (*settle)(void *ledger);
};

struct tally_accounts {
	struct layout *layout;
	struct tally_region records; /* and generations */
	uint64_t faulted_bytes;	     /* of records, by this process */
	uint64_t free_bucket;	     /* where a free row was found last */
	uint32_t cool_from; /* gone rows, before whoever ends one cleans them */
	uint32_t slot;	    /* that owns layout_directory, under the lock */
	pthread_mutex_t lock;
	struct directory_hooks hooks;
};

int directory_open(struct layout *layout, struct tally_accounts **accounts);
void directory_close(struct tally_accounts *accounts);

/* With these hooks, and once the process has its writer slot: what a dead owner
 * left is gone on with. */
void directory_serve(struct tally_accounts *accounts,
		     const struct directory_hooks *hooks);
void directory_join(struct tally_accounts *accounts, uint32_t slot);

/* In the child of a fork. */
void directory_forked(struct tally_accounts *accounts);

/* Rows below this exist, in use or not. */
uint32_t directory_rows_in(const struct layout *layout);

static inline uint32_t directory_nr_rows(const struct tally_accounts *accounts)
{
	return directory_rows_in(accounts->layout);
}

/* Whether that is not less than there were before: then it is damaged. */
bool directory_has_all(const struct tally_accounts *accounts);

/* err; or -EBADMSG: nothing is true of a file that was cut short, or lacks
 * rows. */
int directory_if_whole(const struct tally_accounts *accounts, int err);
/* Rows that are neither free nor gone. */
uint32_t directory_nr_accounts(const struct tally_accounts *accounts);

/*
 * Whether the handle's account is there; with an epoch other than 0, or was
 * when the snapshot of that epoch was taken, which is pinned.
 */
bool directory_has(const struct tally_accounts *accounts,
		   struct tally_account account, uint64_t epoch);

/* As tally_account_next() and tally_account_key(), but of those that were there
 * then. */
int directory_next(const struct tally_accounts *accounts, uint64_t epoch,
		   uint64_t *cursor, struct tally_account *account, char *key);

/* An account that is ending may be gone, as far as reservations go. -ESTALE,
 * -EROFS, -EAGAIN as tally_account_drop() */
int directory_finish(struct tally_accounts *accounts,
		     struct tally_account account);

/*
 * Fewest epochs between the one in which an account was found gone and that of
 * the fold which cleans its row. With E the first: who adds with its handle was
 * at it before the membarrier of E + 1, is marked with E + 1 at most, and so
 * has ended when E + 2 is frozen; it adds to the bank of E + 2 at most, which
 * the fold of E + 3 settles.
 */
#define DIRECTORY_COOL_EPOCHS 3

/* The rows of the bucket whose accounts are gone; with an epoch other than 0,
 * were when the snapshot of that epoch was taken. */
uint64_t directory_gone(const struct layout *layout, uint64_t bucket,
			uint64_t epoch);

/* Those that are gone for so long that nobody adds to them any more in the bank
 * of epoch, nor did in that of epoch - 1 unless it is in the bank by now: the
 * fold of that epoch leaves them clean. */
uint64_t directory_over(const struct layout *layout, uint64_t bucket,
			uint64_t epoch);

/* After that fold, by the one who moves epochs on: frees those of them that are
 * found clean. */
void directory_collect(struct tally_accounts *accounts, uint64_t epoch,
		       bool (*is_clean)(const struct layout *layout,
					uint32_t row));

/* Among the files of this module. */

/* Owns what one process at a time may change, and goes on with what a dead
 * owner left. -EAGAIN: another owns it for long; -EROFS; -EPERM, -EUSERS: this
 * process has no writer slot. */
int directory_lock(struct tally_accounts *accounts, int64_t timeout_ns);
void directory_unlock(struct tally_accounts *accounts);

/* A row, claimed to be in that phase; -ENOSPC. Gives it back unlinked. */
int directory_claim(struct tally_accounts *accounts, uint32_t phase,
		    uint32_t *row);
void directory_unclaim(struct tally_accounts *accounts, uint32_t row);

/* Whether the row is an account's. One that was linked, but is still claimed,
 * is made ready or pending. */
bool directory_is_linked(const struct tally_accounts *accounts, uint32_t row);

/* Takes those that are gone off the list of what the account owns. */
void directory_prune(struct tally_accounts *accounts, uint32_t owner);

/* What is counted is counted anew, after its owner died. */
void directory_recount(struct tally_accounts *accounts);

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

/* What is changed under the lock only; atomic, since the lock may come to us by
 * way of other processes, of which no sanitizer knows. */
static inline uint32_t link_of(const uint32_t *link)
{
	return __atomic_load_n(link, __ATOMIC_RELAXED);
}

/* One of a row, counted from 1; damaged, none. */
static inline uint32_t row_link(const struct tally_accounts *a,
				const uint32_t *link)
{
	uint32_t n = link_of(link);

	return n <= directory_nr_rows(a) ? n : 0;
}

static inline uint32_t life_of(const struct record *r)
{
	return __atomic_load_n(&r->life, __ATOMIC_ACQUIRE);
}

static inline bool life_is_live(uint32_t life)
{
	return LIFE_PHASE(life) >= TALLY_PHASE_PENDING &&
	       LIFE_PHASE(life) <= TALLY_PHASE_TERMINATING;
}

static inline bool life_is_claimed(uint32_t life)
{
	return LIFE_PHASE(life) == PHASE_CLAIMED ||
	       LIFE_PHASE(life) == PHASE_DECLARED;
}

static inline uint32_t *generation_in(const struct layout *l, uint32_t row)
{
	return (uint32_t *)(l->origin + l->plan->generations.offset) + row;
}

static inline uint32_t *generation_at(const struct tally_accounts *a,
				      uint32_t row)
{
	return generation_in(a->layout, row);
}

static inline uint32_t generation_of(const struct tally_accounts *a,
				     uint32_t row)
{
	return __atomic_load_n(generation_at(a, row), __ATOMIC_ACQUIRE);
}

/* Whether the handle's account is there, as far as its generation says so, and
 * that can be told quickly: else directory_has() is to be asked. */
static inline bool directory_has_now(const struct tally_accounts *a,
				     struct tally_account account)
{
	const struct layout *l = a->layout;

	return account.row < __atomic_load_n(layout_known_rows(l),
					     __ATOMIC_RELAXED) &&
	       account.row < l->plan->accounts.count &&
	       (account.generation & 1) &&
	       generation_of(a, account.row) == account.generation;
}

static inline struct layout_rows *rows_at(const struct layout *l,
					  uint64_t bucket)
{
	return (struct layout_rows *)(l->origin + l->plan->rows.offset) +
	       bucket;
}

static inline uint64_t row_bit(uint32_t row)
{
	return UINT64_C(1) << row % LAYOUT_BUCKET_ROWS;
}

/* How many epochs that one is behind the one in which the row's account was
 * found gone. */
static inline int32_t directory_age(const struct layout *l, uint32_t row,
				    uint64_t epoch)
{
	return (int32_t)((uint32_t)epoch -
			 __atomic_load_n(&record_in(l, row)->ended,
					 __ATOMIC_RELAXED));
}

static inline struct layout_directory *directory_at(const struct layout *l)
{
	return (struct layout_directory *)(l->origin +
					   l->plan->directory_offset);
}

static inline uint64_t *head_of(const struct tally_accounts *a, uint32_t hash)
{
	const struct layout_table *table = &a->layout->plan->heads;

	return (uint64_t *)(a->layout->origin + table->offset) +
	       (hash & (table->count - 1));
}

/* The head of a chain after another change to it. */
static inline uint64_t head_after(uint64_t head, uint32_t first)
{
	return ((head >> 32) + 1) << 32 | first;
}

#endif
