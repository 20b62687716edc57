/* SPDX-License-Identifier: MIT */
/*
 * account: the directory of a ledger's accounts, each a row named by a key.
 *
 * The directory lies in the ledger's file, its index too, so that a process
 * that joins a ledger of a million accounts has nothing to build. Adding takes
 * no lock: a process that dies while it adds a key holds nobody up, and two
 * processes that add one key at once get the same row.
 *
 * An account's life:
 *
 *	declare ─> pending ─ ready ─> ready ─┐
 *	              │                      │
 *	              └──────── end ─────────┴─> terminating ─> gone
 *
 * It is gone once nobody holds it, nothing is reserved for it, and all that it
 * owns is gone. Then its key is free for another account at once; its handle is
 * -ESTALE from then on, everywhere, and never means another account. The
 * lives of accounts are changed by one process at a time; of those that die
 * meanwhile the next one goes on with what they had begun.
 *
 * What a gone account has counted stays in the ledger's totals: else they would
 * go backwards. What it still held of a stock does not: nobody has it any more.
 * A snapshot that was taken before goes on to show the account. Its row is used
 * again once no add with the old handle can be under way and what it had is
 * cleaned, which takes three epochs (see view): snapshots move them on, and,
 * where none are taken, whoever ends accounts, once 64 and a quarter of all
 * rows wait for that. A snapshot that is held keeps rows from being used again.
 *
 * A directory is borrowed from a ledger or a reader, and ends with it. Any
 * number of threads may use it.
 *
 * Every function that looks into it may return
 * -EBADMSG	the file is damaged, or was cut short
 */
#ifndef NUMATALLY_ACCOUNT_H
#define NUMATALLY_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include <numatally/export.h>

TALLY_BEGIN

struct tally_accounts;

/* An account can be held in so many ways at once, by number. */
#define TALLY_ACCOUNT_HOLDS 24

/* A handle: which row, and the how-many-eth account it has held. Passed by
 * value; meaningful in every process that shares the ledger. */
struct tally_account {
	uint32_t row;
	uint32_t generation;
};

/* Where an account is in its life. */
enum tally_phase {
	TALLY_PHASE_PENDING = 2, /* declared, nothing may rely on it yet */
	TALLY_PHASE_READY = 3,
	TALLY_PHASE_TERMINATING = 4, /* no new holds and reservations */
	TALLY_PHASE_GONE = 5,
};

/*
 * The account with this key, in whatever phase; added (ready) where there is
 * none. key is any string without a NUL; it is copied. Waits for others only
 * where no row is free but those of gone accounts, which cool down then: for
 * 0.3 s at most.
 *
 * -EINVAL		the key is empty
 * -ENAMETOOLONG	the key is longer than the ledger's keys may be
 * -ENOSPC		the directory is full, also of gone accounts whose rows
 *			can't be used again yet; or the file system is; or 128
 *			keys were chosen to have one hash with this
 * -EROFS		the directory is a reader's, and has no such key
 */
TALLY_API int tally_account_open(struct tally_accounts *accounts,
				 const char *key,
				 struct tally_account *account);

/*
 * A new account with this key, pending. Errors as tally_account_open(), and
 *
 * -EEXIST	there is one: tally_account_find() has it
 */
TALLY_API int tally_account_declare(struct tally_accounts *accounts,
				    const char *key,
				    struct tally_account *account);

/*
 * The account with this key.
 *
 * -ENOENT	there is none
 */
TALLY_API int tally_account_find(const struct tally_accounts *accounts,
				 const char *key,
				 struct tally_account *account);

/*
 * Walks over the accounts that exist, in the order of their rows: *cursor
 * starts at 0 and belongs to the walk. Accounts that are added meanwhile may
 * or may not be met.
 *
 * -ENOENT	no more
 */
TALLY_API int tally_account_next(const struct tally_accounts *accounts,
				 uint64_t *cursor,
				 struct tally_account *account);

/* The same over those that are in one phase; ready ones are found without a
 * look at the others. */
TALLY_API int tally_account_next_in(const struct tally_accounts *accounts,
				    enum tally_phase phase, uint64_t *cursor,
				    struct tally_account *account);

/*
 * Copies the account's key, with a NUL, into key[0 .. bytes).
 *
 * -ERANGE	it doesn't fit; tally_account_key_bytes() always do
 * -ESTALE	the account is gone
 */
TALLY_API int tally_account_key(const struct tally_accounts *accounts,
				struct tally_account account, char *key,
				size_t bytes);

/* The longest key of this ledger, and its NUL, in bytes. */
TALLY_API size_t tally_account_key_bytes(const struct tally_accounts *accounts);

/*
 * The account's phase (enum tally_phase).
 *
 * -ESTALE	the account is gone
 */
TALLY_API int tally_account_phase(const struct tally_accounts *accounts,
				  struct tally_account account);

/*
 * What follows changes an account's life, and may return
 *
 * -ESTALE	the account is gone
 * -EAGAIN	another process changes lives, and takes longer than a second:
 *		it was stopped in the middle
 * -EROFS	the directory is a reader's
 * -EPERM	a child of fork(2), in a ledger that one process writes to
 * -EUSERS	too many processes have the ledger open
 */

/*
 * A pending account is ready. Nothing happens to one that is.
 *
 * -ESHUTDOWN	it is terminating
 */
TALLY_API int tally_account_ready(struct tally_accounts *accounts,
				  struct tally_account account);

/*
 * The account is owned by another, whose end ends it too, and which is not gone
 * before it. It stays so. Doing it again does nothing.
 *
 * -EEXIST	it has another owner
 * -ELOOP	it is the owner itself, or owns it, through others or not
 * -ESHUTDOWN	one of them is terminating
 * -ESTALE	one of them is gone
 */
TALLY_API int tally_account_set_owner(struct tally_accounts *accounts,
				      struct tally_account account,
				      struct tally_account owner);

/*
 * The account's owner.
 *
 * -ENOENT	it has none
 * -ESTALE	the account is gone
 */
TALLY_API int tally_account_owner(const struct tally_accounts *accounts,
				  struct tally_account account,
				  struct tally_account *owner);

/*
 * Holds the account, so that it is not gone before it is dropped; drops it.
 * Holds have numbers, 0 to TALLY_ACCOUNT_HOLDS - 1 (asserted), which those who
 * share a ledger agree on: one for each that must have done something before an
 * account goes. They are not counted and belong to no process: a scheduler that
 * was killed, and does not know whether it holds an account, holds it again or
 * drops it. A hold that was counted could be dropped twice, or never; and one
 * that ended with its process would not wait for the one who takes its place.
 * Holding what is held, and dropping what is not, does nothing.
 *
 * -ESHUTDOWN	hold: the account is terminating, and not held so
 */
TALLY_API int tally_account_hold(struct tally_accounts *accounts,
				 struct tally_account account,
				 unsigned int hold);
TALLY_API int tally_account_drop(struct tally_accounts *accounts,
				 struct tally_account account,
				 unsigned int hold);

/*
 * The account's holds, a bit for each.
 *
 * -ESTALE	the account is gone
 */
TALLY_API int tally_account_holds(const struct tally_accounts *accounts,
				  struct tally_account account,
				  uint32_t *holds);

/*
 * Ends the account and all that it owns: they are terminating from now on, and
 * gone as soon as nothing holds them, what is owned first. Nothing happens to
 * one that is terminating. Adds go on until it is gone.
 */
TALLY_API int tally_account_end(struct tally_accounts *accounts,
				struct tally_account account);

TALLY_END

#endif
