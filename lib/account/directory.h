/* SPDX-License-Identifier: MIT */
/* The directory of accounts, over a mapped ledger file. */
#ifndef ACCOUNT_DIRECTORY_H
#define ACCOUNT_DIRECTORY_H

#include <pthread.h>
#include <stdbool.h>

#include <numatally/account.h>

#include "file/file.h"

/* What a writer's ledger does for its directory. A reader's has no hooks. */
struct directory_hooks {
	void *ledger;
	/* Take a writer slot, unless this process has one: ledger_join(). */
	int (*join)(void *ledger);
	/* Advance epochs until the rows of gone accounts are free. */
	int (*reclaim)(void *ledger, int64_t timeout_ns);
	/* Draw back the idle credits of terminating accounts. */
	void (*drain)(void *ledger);
	/* Tell those that wait: an account is gone, and its quota, or is another
	 * pending one, or one less. */
	void (*tell)(void *ledger);
};

struct tally_accounts {
	struct layout *layout;
	struct tally_region records; /* and generations */
	uint64_t populated_bytes;    /* of records, by this process */
	uint64_t free_bucket;	     /* where a free row was found last */
	uint32_t reclaim_from;	     /* gone rows that start a reclaim */
	pthread_mutex_t lock;
	struct directory_hooks hooks;
};

int directory_open(struct layout *layout, struct tally_accounts **accounts);
void directory_close(struct tally_accounts *accounts);

/* Set the hooks of a writer's directory. */
void directory_serve(struct tally_accounts *accounts,
		     const struct directory_hooks *hooks);

/* Finish what a dead owner of the lock began. To be called once the process has
 * its writer slot. */
void directory_join(struct tally_accounts *accounts);

/* Prepare the directory for the child of a fork(2). */
void directory_forked(struct tally_accounts *accounts);

/* The number of rows that exist, in use or not. */
uint32_t directory_rows_in(const struct layout *layout);

static inline uint32_t directory_nr_rows(const struct tally_accounts *accounts)
{
	return directory_rows_in(accounts->layout);
}

/* The number of rows that are neither free nor gone. */
uint32_t directory_nr_accounts(const struct tally_accounts *accounts);

/* Whether the file has every row that it ever had. If not, it is damaged. */
bool directory_has_all(const struct tally_accounts *accounts);

/* Return err; or -EBADMSG if the file was cut short or lacks rows, since then
 * nothing read from it can be trusted. */
int directory_if_whole(const struct tally_accounts *accounts, int err);

/*
 * Whether the account exists. With an epoch other than 0, whose snapshot is
 * pinned: whether it exists, or existed when that snapshot was taken.
 */
bool directory_has(const struct tally_accounts *accounts,
		   struct tally_account account, uint64_t epoch);

/* Like tally_account_next() and, unless @key is NULL, tally_account_key(), for
 * the accounts that directory_has() in that epoch. */
int directory_next(const struct tally_accounts *accounts, uint64_t epoch,
		   uint64_t *cursor, struct tally_account *account, char *key,
		   size_t bytes);

/* End a terminating account, if nothing holds it any more. -ESTALE, -EROFS,
 * -EAGAIN as tally_account_unpin(). */
int directory_finish(struct tally_accounts *accounts,
		     struct tally_account account);

/*
 * Take the lock of what one process at a time may change, and finish what a
 * dead owner began.
 *
 * -EAGAIN		another process has it for longer than timeout_ns
 * -EROFS		the ledger is read-only
 * -EPERM, -EUSERS	this process has no writer slot
 */
int directory_lock(struct tally_accounts *accounts, int64_t timeout_ns);
void directory_unlock(struct tally_accounts *accounts);

/*
 * The fewest epochs between the one in which an account was found gone (E) and
 * the one whose fold cleans its row. An add with the account's handle began
 * before the membarrier of E + 1, so it is in flight with E + 1 at most and has
 * ended when E + 2 is frozen. It adds to the bank of E + 2 at most, which the
 * fold of E + 3 empties.
 */
#define DIRECTORY_RECLAIM_EPOCHS 3

/* The rows of a bucket, a bit for each, whose accounts are gone. With an epoch
 * other than 0: whose accounts were gone when its snapshot was taken. */
uint64_t directory_gone(const struct layout *layout, uint64_t bucket,
			uint64_t epoch);

/* Those of them that are gone for so long that the fold of this epoch leaves
 * them clean: no add to them is in its bank, or can be in a later one. */
uint64_t directory_reclaimable(const struct layout *layout, uint64_t bucket,
			       uint64_t epoch);

/* Free the reclaimable rows that are clean. To be called after the fold of the
 * epoch, by the owner of the epoch lock. */
void directory_collect(struct tally_accounts *accounts, uint64_t epoch,
		       bool (*is_clean)(const struct layout *layout,
					uint32_t row));

static inline struct layout_directory *directory_at(const struct layout *l)
{
	return (struct layout_directory *)(l->origin +
					   l->plan->directory_offset);
}

static inline uint32_t *generation_in(const struct layout *l, uint32_t row)
{
	return (uint32_t *)(l->origin + l->plan->generations.offset) + row;
}

static inline uint32_t generation_of(const struct tally_accounts *a,
				     uint32_t row)
{
	return __atomic_load_n(generation_in(a->layout, row), __ATOMIC_ACQUIRE);
}

/* Ask for the lines from which tally_account_phase() reads. */
static inline void directory_prefetch(const struct layout *l, uint32_t row)
{
	__builtin_prefetch(generation_in(l, row));
	__builtin_prefetch(l->origin + l->plan->accounts.offset +
			   row * l->plan->accounts.stride);
}

/* Whether the account exists, as far as that can be told quickly. If false,
 * directory_has() tells. */
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

#endif
