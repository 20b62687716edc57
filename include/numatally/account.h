/* SPDX-License-Identifier: MIT */
/*
 * account: the directory of a ledger's accounts. An account is a row with a
 * key.
 *
 * The directory and its index lie in the ledger's file, so joining a ledger of
 * a million accounts builds nothing. Adding a key takes no lock: a process
 * that dies while it adds one blocks nobody, and two processes that add the
 * same key at once get the same row.
 *
 * The lifecycle of an account:
 *
 *	declare ─> pending ─ ready ─> ready ─┐
 *	              │                      │
 *	              └──────── end ─────────┴─> terminating ─> gone
 *
 * A terminating account is gone once no pin is set, nothing is reserved for
 * it, and every account that it owns is gone. Its key is then free at once,
 * and its handle is refused with -ESTALE everywhere: a handle never means
 * another account.
 *
 * What a gone account counted stays in the ledger's totals, so totals never go
 * backwards; what its gauges showed does not. A snapshot taken before still
 * shows the account. Its row is used again three epochs later
 * (numatally/view.h): snapshots advance epochs, and tally_account_end() does
 * once more than 64 and a quarter of all rows wait. An open snapshot keeps
 * rows from being used again.
 *
 * A directory belongs to a ledger or a reader, and ends with it. Any number of
 * threads may call these functions at once.
 *
 * Every function that looks into the directory can also return
 * -EBADMSG	the file is damaged or was cut short: close it, create another
 */
#ifndef NUMATALLY_ACCOUNT_H
#define NUMATALLY_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include <numatally/export.h>

TALLY_BEGIN

struct tally_accounts;

/* The number of pins of an account. */
#define TALLY_ACCOUNT_PINS 24

/* A handle: a row and its generation. Passed by value; valid in every process
 * that shares the ledger. A ledger that is made anew at the same path gives
 * equal handles to other accounts: a program that stores them stores the
 * ledger's instance, too, and compares it (struct tally_reader_info). */
struct tally_account {
	uint32_t row;
	uint32_t generation;
};

enum tally_phase {
	TALLY_PHASE_PENDING = 2, /* declared; nothing may rely on it yet */
	TALLY_PHASE_READY = 3,
	TALLY_PHASE_TERMINATING = 4, /* no new pins and reservations */
	TALLY_PHASE_GONE = 5,
};

/*
 * Find the account with this key in any phase, or add it in phase ready. The
 * key is a string of any bytes; it is copied. The call waits for other threads
 * only if every free row belonged to a gone account, or 128 accounts of this key
 * are gone: for at most 0.3 s.
 *
 * -EINVAL		the key is empty
 * -ENAMETOOLONG	the key is longer than max_key_bytes of the ledger
 * -ENOSPC		no row is free, gone accounts' included: end accounts, or
 *			create a larger ledger; or the file system is full; or 128
 *			keys were chosen to have the hash of this one; or 128
 *			accounts of this key are gone, and a snapshot that is
 *			open has them
 * -EPERM		this process is a child of fork(2), and the ledger has a
 *			single writer
 * -EROFS		the directory is a reader's, and has no such key
 */
TALLY_API TALLY_NODISCARD int
tally_account_open(struct tally_accounts *accounts, const char *key,
		   struct tally_account *account);

/*
 * Add an account with this key in phase pending. Errors as
 * tally_account_open(), and
 *
 * -EEXIST	an account has this key: tally_account_find() returns it
 */
TALLY_API TALLY_NODISCARD int
tally_account_declare(struct tally_accounts *accounts, const char *key,
		      struct tally_account *account);

/*
 * Find the account with this key.
 *
 * -ENOENT	no account has it
 */
TALLY_API TALLY_NODISCARD int
tally_account_find(const struct tally_accounts *accounts, const char *key,
		   struct tally_account *account);

/*
 * Iterate over the existing accounts, in the order of their rows. *cursor is 0
 * at first, and belongs to the caller. An account that is added meanwhile may
 * be met or not.
 *
 * -ENOENT	no more
 */
TALLY_API TALLY_NODISCARD int
tally_account_next(const struct tally_accounts *accounts, uint64_t *cursor,
		   struct tally_account *account);

/* The same, over the accounts in one phase. For ready accounts the call skips
 * all others in runs of 64. */
TALLY_API TALLY_NODISCARD int
tally_account_next_in(const struct tally_accounts *accounts,
		      enum tally_phase phase, uint64_t *cursor,
		      struct tally_account *account);

/*
 * Copy the account's key, with a NUL, into key[0 .. bytes).
 *
 * -ERANGE	it does not fit; tally_account_key_bytes() are always enough
 * -ESTALE	the account is gone
 */
TALLY_API TALLY_NODISCARD int
tally_account_key(const struct tally_accounts *accounts,
		  struct tally_account account, char *key, size_t bytes);

/* Return the bytes of the longest key that the ledger allows, and its NUL. */
TALLY_API size_t tally_account_key_bytes(const struct tally_accounts *accounts);

/*
 * Return the account's phase (enum tally_phase).
 *
 * -ESTALE	the account is gone
 */
TALLY_API TALLY_NODISCARD int
tally_account_phase(const struct tally_accounts *accounts,
		    struct tally_account account);

/*
 * The functions below change lifecycles. Processes take turns: if one dies in
 * the middle of a change, the next one completes it. Each can return
 *
 * -ESTALE	the account is gone
 * -EAGAIN	another process keeps the directory locked for over a second; it
 *		was probably stopped: try again
 * -EROFS	the directory is a reader's
 * -EPERM	this process is a child of fork(2), and the ledger has a single
 *		writing process: write from the parent
 * -EUSERS	too many processes have the ledger open
 */

/*
 * Make a pending account ready. Does nothing to a ready one.
 *
 * -ESHUTDOWN	the account is terminating
 */
TALLY_API TALLY_NODISCARD int
tally_account_ready(struct tally_accounts *accounts,
		    struct tally_account account);

/*
 * Make @owner own @account, for good: the end of the owner ends the account,
 * and the owner is not gone before the account is. Repeating the call does
 * nothing.
 *
 * -EEXIST	the account has another owner
 * -ELOOP	the account would own itself, directly or through others
 * -ESHUTDOWN	one of them is terminating
 * -ESTALE	one of them is gone
 */
TALLY_API TALLY_NODISCARD int
tally_account_set_owner(struct tally_accounts *accounts,
			struct tally_account account,
			struct tally_account owner);

/*
 * Get the account's owner.
 *
 * -ENOENT	it has none
 * -ESTALE	the account is gone
 */
TALLY_API TALLY_NODISCARD int
tally_account_owner(const struct tally_accounts *accounts,
		    struct tally_account account, struct tally_account *owner);

/*
 * Set or clear a pin: a pinned account stays terminating until its last pin is
 * cleared. @pin is 0 to TALLY_ACCOUNT_PINS - 1 (asserted); the programs that
 * share the ledger agree on what each number means, one for each task that
 * must be done before an account is gone.
 *
 * Pins are not counted and belong to no process. A counted pin could be
 * cleared twice, or never, by a program that was killed in between; a pin of a
 * process would end with it, before its successor runs. So a program that does
 * not know whether it pinned an account pins or unpins it again: setting a set
 * pin, and clearing a clear one, does nothing.
 *
 * -ESHUTDOWN	pin: the account is terminating, and this pin is not set
 */
TALLY_API TALLY_NODISCARD int tally_account_pin(struct tally_accounts *accounts,
						struct tally_account account,
						unsigned int pin);
TALLY_API TALLY_NODISCARD int
tally_account_unpin(struct tally_accounts *accounts,
		    struct tally_account account, unsigned int pin);

/*
 * Get the account's pins: bit n is pin n.
 *
 * -ESTALE	the account is gone
 */
TALLY_API TALLY_NODISCARD int
tally_account_pins(const struct tally_accounts *accounts,
		   struct tally_account account, uint32_t *pins);

/*
 * End the account and every account that it owns: they are terminating from
 * now on, and gone once nothing keeps them, owned ones first. Does nothing to
 * a terminating account. Adds succeed until it is gone.
 */
TALLY_API TALLY_NODISCARD int tally_account_end(struct tally_accounts *accounts,
						struct tally_account account);

TALLY_END

#endif
