/* SPDX-License-Identifier: MIT */
/*
 * account: the directory of a ledger's accounts, each a row named by a key.
 *
 * The directory lies in the ledger's file, its index too, so that a process
 * that joins a ledger of a million accounts has nothing to build. Adding takes
 * no lock: a process that dies while it adds a key holds nobody up, and two
 * processes that add one key at once get the same row.
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
	TALLY_PHASE_TERMINATING = 4,
	TALLY_PHASE_GONE = 5,
};

/*
 * The account with this key, added (ready) where there is none. key is any
 * string without a NUL; it is copied.
 *
 * -EINVAL		the key is empty
 * -ENAMETOOLONG	the key is longer than the ledger's keys may be
 * -ENOSPC		the directory is full, or the file system is, or 128
 *			keys were chosen to have one hash with this
 * -EROFS		the directory is a reader's, and has no such key
 */
TALLY_API int tally_account_open(struct tally_accounts *accounts,
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

TALLY_END

#endif
