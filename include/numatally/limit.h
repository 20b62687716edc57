/* SPDX-License-Identifier: MIT */
/*
 * limit: reservations that never pass a limit, and are never refused falsely.
 *
 * A limit is the capacity of a node in a resource, or the quota of an account
 * in a resource. An account holds amounts on nodes through a reservation:
 *
 *	reserve ──> reserved ──commit──> committed ──release──> gone
 *	               │ ╰──cancel, or its lease or process ends──> gone
 *	adopt ───────────────────> committed
 *
 * What all accounts hold on a node, reserved and committed, is never more than
 * its capacity, at any instant, unless it was adopted or the capacity was
 * lowered. A reserve is refused only if at one instant during the call less was
 * free than it asks for: what a lease that has run out held is free.
 *
 * Quotas nest by the keys of accounts: what batch/team/job holds is held by
 * batch/team/ and batch/ too, where there are accounts of these names, and all
 * of their quotas must allow it.
 *
 * Everything here may be called by any number of threads and processes at
 * once. But for tally_limit_take() and tally_limit_give(), calls take turns at
 * a lock in the ledger's file, which is taken from a process that died: what
 * that one had not finished is undone by the next, so that each call has
 * happened or has not. None waits for longer than TALLY_LIMIT_WAIT_NS. Nothing
 * here is async-signal-safe.
 *
 * Processes may be of several PID namespaces. Whether one of another namespace
 * lives is known by a file descriptor of the ledger: one that closes
 * descriptors which it did not open is taken for dead there; and where it could
 * not have one (no /proc, no descriptor free), for alive.
 *
 * Every function that changes something may return
 * -EAGAIN	others, or one that is stopped, had the lock for so long
 * -EBADMSG	the file is damaged
 * -EPERM	a child of fork(2), in a ledger that one process writes to
 * -EUSERS	too many processes have the ledger open (a child of fork(2))
 */
#ifndef NUMATALLY_LIMIT_H
#define NUMATALLY_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/account.h>
#include <numatally/export.h>
#include <numatally/ledger.h>
#include <numatally/view.h>

TALLY_BEGIN

#define TALLY_LIMIT_WAIT_NS   INT64_C(1000000000)
#define TALLY_LIMIT_NONE      INT64_MAX /* as a capacity or quota */
#define TALLY_LIMIT_MAX_HOLDS 64	/* in a request */

/*
 * Sets the capacity of a node in a resource, at any time. It may be less than
 * what is held: see tally_limit.over; then reserves are refused until it fits.
 * Without one, or with TALLY_LIMIT_NONE, all that 63 bits can count is free.
 *
 * -ENOENT	the ledger has no such node
 * -EINVAL	the resource is no stock, or capacity is negative
 */
TALLY_API int tally_limit_set_capacity(struct tally_ledger *ledger, int node,
				       unsigned int resource, int64_t capacity);

/*
 * The same for the quota of an account, over all nodes. Where the key ends with
 * a '/' it covers the accounts whose keys begin with it, too. An account's
 * first quota in a resource takes time by the number of accounts.
 *
 * -ESTALE	the account is gone
 * -EINVAL	the resource is no stock, or quota is negative
 * -E2BIG	the key ends with a '/', and has more than 24
 * -EOVERFLOW	what those below hold together is more than 63 bits
 * -ENOSPC	the file system is full
 */
TALLY_API int tally_limit_set_quota(struct tally_ledger *ledger,
				    struct tally_account account,
				    unsigned int resource, int64_t quota);

/* An amount of a resource on a node. */
struct tally_hold {
	int node; /* its number */
	unsigned int resource;
	int64_t amount;
};

/* What an account asks for: all of it or nothing. */
struct tally_request {
	const struct tally_hold *holds;
	unsigned int nr_holds; /* TALLY_LIMIT_MAX_HOLDS at most (asserted) */
	int64_t lease_ns; /* from now; 0: none. What is not committed until then
			     is not held any more */
};

/* A reservation: whose row, and the how-many-eth that row has had. Meaningful
 * in every process that shares the ledger. */
struct tally_token {
	uint32_t row;
	uint32_t generation;
};

/* What a reserve was refused for: the first of its holds that didn't fit. */
struct tally_refusal {
	int node;
	unsigned int resource;
	int64_t asked;		      /* by this request, of this limit */
	int64_t free;		      /* of it */
	struct tally_account account; /* -EDQUOT: whose quota; the one that
					 asked, or one above it */
};

/*
 * Reserves what the request says for the account, for as long as this process
 * has the ledger open, unless it is committed, and for lease_ns at most.
 * *refusal is written where the result is -ENOSPC or -EDQUOT and refusal is not
 * NULL; it is all 0 where the file system is full.
 *
 * -ENOSPC	a node has not so much free, or the file system is full
 * -EDQUOT	a quota does not allow it
 * -EEXIST	the account holds a reservation already
 * -ESTALE	the account is gone
 * -ESHUTDOWN	the account is ending
 * -ENOENT	the ledger has no such node
 * -EINVAL	a resource is no stock, or an amount or lease is negative
 */
TALLY_API int tally_limit_reserve(struct tally_ledger *ledger,
				  struct tally_account account,
				  const struct tally_request *request,
				  struct tally_token *token,
				  struct tally_refusal *refusal);

/*
 * Takes over what the account has already, whether it fits or not; committed at
 * once. Errors as tally_limit_reserve(), but -EDQUOT, and -ENOSPC only for a
 * full file system or more than 63 bits.
 */
TALLY_API int tally_limit_adopt(struct tally_ledger *ledger,
				struct tally_account account,
				const struct tally_request *request,
				struct tally_token *token);

/*
 * The reservation is kept until it is released, whoever dies. One that is
 * committed already stays as it is. Never refused for what is free.
 *
 * -ESTALE	it is gone: cancelled, released, or its lease ran out
 */
TALLY_API int tally_limit_commit(struct tally_ledger *ledger,
				 struct tally_token token);

/*
 * Gives back what is reserved.
 *
 * -ESTALE	it is gone
 * -EBUSY	it is committed
 */
TALLY_API int tally_limit_cancel(struct tally_ledger *ledger,
				 struct tally_token token);

/*
 * Gives back the whole reservation (nr_holds 0), or these holds of it: all of
 * them or none. It is gone when nothing of it is left.
 *
 * -ESTALE	it is gone
 * -ERANGE	it holds less than one of them
 * -ENOENT, -EINVAL	as tally_limit_reserve()
 */
TALLY_API int tally_limit_release(struct tally_ledger *ledger,
				  struct tally_token token,
				  const struct tally_hold *holds,
				  unsigned int nr_holds);

/*
 * Gives back what has been reserved, but not committed, by processes that have
 * died or closed the ledger, or under leases that have run out. Opening a
 * ledger does that too, and so does a reserve before it is refused: for leases
 * each time, for processes when the last look was over 10 ms ago.
 */
TALLY_API int tally_limit_reap(struct tally_ledger *ledger);

/*
 * What an account takes from a node of one resource by and by, and gives back,
 * without a reservation: each CPU has a part of it idle, which it takes from as
 * fast as it adds. What is idle counts as free: it is drawn back before
 * anybody is refused. What was taken is held as if it was committed, until it
 * is given back, whoever dies.
 *
 * For the functions of numatally/limit_inline.h; frozen under the library's
 * soname. A credit tells where things are: any number of threads may use it,
 * until the ledger is closed; nothing ends it.
 */
struct tally_credit {
	struct tally_ledger *ledger;
	char *const *const *lanes; /* [CPU]: its words */
	uint64_t offset;	   /* of the word, in bytes */
	uint64_t tag;		   /* that it ends with */
	ptrdiff_t rseq;		   /* from the thread pointer */
	uint32_t atomic;	   /* not 0: not by sequences */
	uint32_t pad;
	struct tally_account account;
	int node;
	unsigned int resource;
};

/*
 * Sets up *credit, for one account, node and resource.
 *
 * -ESTALE	the account is gone
 * -ESHUTDOWN	the account is ending
 * -ENOENT	the ledger has no such node
 * -EINVAL	the resource is no stock
 * -EUSERS	4096 of these hold something
 * -ENOSPC	the file system is full
 * -ENOMEM	no memory
 */
TALLY_API int tally_limit_credit(struct tally_ledger *ledger,
				 struct tally_account account, int node,
				 unsigned int resource,
				 struct tally_credit *credit);

/*
 * Takes amount, or gives it back, whichever CPU took it. An amount is not
 * negative (asserted). Giving back more than is held is found out at times
 * only. numatally/limit_inline.h has the same without the call.
 *
 * -ENOSPC	take: the node has not so much free
 * -EDQUOT	take: a quota does not allow it
 * -ERANGE	give: more than what is held
 * -ESTALE	nothing was held, and its place was given to another credit (set
 *		it up again); or the account is gone
 * -ESHUTDOWN	take: the account is ending
 * -E2BIG	as tally_limit_reserve()
 */
TALLY_API int tally_limit_take(const struct tally_credit *credit,
			       int64_t amount);
TALLY_API int tally_limit_give(const struct tally_credit *credit,
			       int64_t amount);

/* A limit, and what counts against it. */
struct tally_limit {
	int64_t limit; /* TALLY_LIMIT_NONE: none */
	int64_t held;  /* reserved and committed */
	int64_t peak;  /* the most that was ever held at once, with what was
			  idle, where tally_limit_take() is used */
	uint64_t nr_refused; /* reserves that were refused for this one */
	bool over;	     /* held is more than limit */
};

/*
 * Of a node, or of an account. An account without a quota has its own holds
 * alone here, one with a quota those of the accounts below it too. As of now,
 * also in a snapshot, but each with all or nothing of a reservation.
 *
 * -ENOENT	no such node
 * -ESTALE	the account is gone
 * -EAGAIN	somebody who was changing limits was stopped or killed in the
 *		middle, and nobody has come since
 * -EBADMSG	the file is damaged, or was cut short
 * resource < tally_view_nr_resources() is asserted.
 */
TALLY_API int tally_limit_node(const struct tally_view *view, int node,
			       unsigned int resource,
			       struct tally_limit *limit);
TALLY_API int tally_limit_account(const struct tally_view *view,
				  struct tally_account account,
				  unsigned int resource,
				  struct tally_limit *limit);

/*
 * What the account itself holds on a node, or on all (TALLY_VIEW_ALL), into
 * amounts[nr_resources]. Errors as tally_limit_node().
 */
TALLY_API int tally_limit_held(const struct tally_view *view,
			       struct tally_account account, int node,
			       int64_t *amounts);

enum tally_reservation_state {
	TALLY_RESERVED = 1,
	TALLY_COMMITTED = 2,
};

struct tally_reservation {
	struct tally_token token;
	enum tally_reservation_state state;
	int64_t deadline_ns; /* of its lease, in CLOCK_MONOTONIC; INT64_MAX:
				none */
};

/*
 * The account's reservation: so that whoever starts anew finds what it had.
 *
 * -ENOENT	it has none
 * others	as tally_limit_account()
 */
TALLY_API int tally_limit_find(const struct tally_view *view,
			       struct tally_account account,
			       struct tally_reservation *reservation);

/*
 * Whether what is held agrees with what counts it, and all that is uncommitted
 * is known: calls each(arg, problem), in words, for what does not, a thousand
 * times at most. A result of each that is not 0 ends that and is returned. A
 * limit that is passed is no such problem. Takes time by the number of
 * accounts. The problem belongs to the library.
 *
 * -ENOMEM	no memory
 * -EAGAIN	as tally_limit_node(), or something was changed each time that
 *		it looked, for TALLY_LIMIT_WAIT_NS
 */
TALLY_API int tally_limit_check(const struct tally_view *view,
				int (*each)(void *arg, const char *problem),
				void *arg);

/*
 * The same, and puts right what follows from something else: what counts in
 * capacities and quotas, peaks that are less than what is held, and the list of
 * what is uncommitted. What accounts hold stays as it is, right or wrong. While
 * it looks nobody reserves. Each repair is told as the problem that was there.
 */
TALLY_API int tally_limit_repair(struct tally_ledger *ledger,
				 int (*each)(void *arg, const char *problem),
				 void *arg);

TALLY_END

#endif
