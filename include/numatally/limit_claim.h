/* SPDX-License-Identifier: MIT */
/*
 * limit_claim: schedulers side by side claim pending accounts, so that no two of
 * them decide about one at once.
 *
 * A claim is a reservation of nothing. Its token is the claimer's alone, who then
 * lets it grow where it finds room:
 *
 *	claim ──> claimed ──change──> reserved ──commit──> committed
 *	             │ ╰──cancel ──────── │ ╰──cancel
 *	             ╰──its lease or process ends ──> free to be claimed
 *
 * So what holds for a reservation that is not committed holds for a claim: it
 * ends with its process, whatever instruction a kill comes at, and when the
 * process calls execve(2) or closes the ledger; a process that gets the PID of a
 * dead one has not its claims. And an account that is committed is no pending one:
 * nobody claims it again until it is released.
 *
 * An account that is to be drawn from another one's reservation is claimed by
 * tally_limit_draw() with no demands.
 *
 * To wait for room, cancel the claim first: tally_limit_wait() asks what a new
 * reservation would get.
 *
 * Any number of threads and processes may call these functions at once.
 */
#ifndef NUMATALLY_LIMIT_CLAIM_H
#define NUMATALLY_LIMIT_CLAIM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/account.h>
#include <numatally/export.h>
#include <numatally/ledger.h>
#include <numatally/limit.h>
#include <numatally/view.h>

TALLY_BEGIN

/*
 * Claim an account. Of all callers that try it, one succeeds. Until the claim
 * ends, others can neither claim the account nor reserve for it; the caller
 * reserves by tally_limit_change() with the token. tally_limit_cancel() ends the
 * claim. So do the end of this process, and @lease_ns from now or up to 20 ms
 * later; 0: no lease. A claim delays the end of an account that is terminating.
 *
 * -EBUSY	another thread, or a process that lives, has claimed the account or
 *		reserves for it: leave it to that one, or try again later
 * -EEXIST	the account has a committed reservation: tally_limit_find() returns
 *		it
 * -ESTALE	the account is gone
 * -ESHUTDOWN	the account is terminating
 * -EINVAL	the lease is negative
 * -ENOSPC	the file system is full
 * others	as numatally/limit.h
 */
TALLY_API TALLY_NODISCARD int tally_limit_claim(struct tally_ledger *ledger,
						struct tally_account account,
						int64_t lease_ns,
						struct tally_token *token);

/* The process that an uncommitted reservation, or a claim, ends with. */
struct tally_claimer {
	size_t size; /* the caller sets sizeof(struct tally_claimer) */
	pid_t pid;   /* in its own PID namespace; 0: it closed the ledger, or
			another process has its place there */
	int alive;   /* 1; 0: any call of a writer may end the claim; -1: not
			known, since the file system has no locks */
};

/*
 * Get the process that has claimed the account, or reserves for it.
 *
 * -ENOENT	nothing is reserved for the account, or that is committed
 * -ESTALE	the account is gone
 * -EINVAL	claimer->size is not set
 * -EAGAIN, -EBADMSG	as tally_limit_node()
 */
TALLY_API TALLY_NODISCARD int
tally_limit_claimer(const struct tally_view *view, struct tally_account account,
		    struct tally_claimer *claimer);

TALLY_END

#endif
