/* SPDX-License-Identifier: MIT */
/*
 * limit: reservations that never pass a limit, and are never refused falsely.
 *
 * A limit is the capacity of a node in a reservable resource, or the quota of
 * an account in it. Limits alone change a reservable: nothing is added to it.
 * An account has amounts on nodes through a reservation:
 *
 *	reserve ──> reserved ──commit──> committed ──release──> gone
 *	               │ ╰──cancel, or its lease or process ends──> gone
 *	adopt ───────────────────> committed
 *
 * and while it has them, it may ask for more, give a part back, or move. Another
 * account's may be drawn from it (tally_limit_draw()).
 *
 * What all accounts have on a node, reserved and committed, never exceeds the
 * node's capacity, unless it was adopted or the capacity was lowered. A
 * reserve is refused only if at one moment during the call less was free than
 * it asks for; an expired lease counts as free.
 *
 * Quotas nest by keys: what batch/team/job has counts for batch/team/ and
 * batch/ too, if accounts have these keys, and all of their quotas must allow
 * it.
 *
 * Any number of threads and processes may call these functions at once. Except
 * tally_limit_take() and tally_limit_give(), calls take turns at a lock in the
 * ledger's file. If a process dies with the lock, the next caller takes the
 * lock and undoes the unfinished change, so each call happens whole or not at
 * all. No call waits longer than TALLY_LIMIT_WAIT_NS. No function here is
 * async-signal-safe, or may be left by siglongjmp(3): the lock would stay taken.
 *
 * Whether a process lives is known in every namespace: see numatally/ledger.h.
 *
 * Every function that changes something can also return
 * -EAGAIN	other processes, or a stopped one, had the lock for all that time:
 *		try again
 * -EBADMSG	the file is damaged: tally_limit_repair(), or create another
 * -EPERM	this process is a child of fork(2), and the ledger has a single
 *		writing process: reserve in the parent
 * -EUSERS	too many processes have the ledger open (in a child of fork(2))
 * -ENOSYS	the kernel refuses membarrier(2) since the exclusive ledger was
 *		opened, and idle credit had to be drawn back
 *
 * and every function that takes a structure with a size
 * -EINVAL	its size is not set
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

#define TALLY_LIMIT_WAIT_NS	INT64_C(1000000000)
#define TALLY_LIMIT_NONE	INT64_MAX /* as a capacity or quota */
#define TALLY_LIMIT_MAX_DEMANDS 64	  /* in a request */

/*
 * Set the capacity of a node in a resource, at any time. It may be less than
 * what accounts have (tally_limit.over): reserves are then refused until they
 * fit. Without a capacity, or with TALLY_LIMIT_NONE, 63 bits are free.
 *
 * -ENOENT	the ledger has no such node
 * -EINVAL	the resource is not reservable, or the capacity is negative
 */
TALLY_API TALLY_NODISCARD int
tally_limit_set_capacity(struct tally_ledger *ledger, int node,
			 unsigned int resource, int64_t capacity);

/*
 * Set the quota of an account in a resource, over all nodes. If its key ends
 * with a '/', the quota also covers every account whose key begins with that
 * key. An account's first quota in a resource takes time by the number of
 * accounts.
 *
 * -ESTALE	the account is gone
 * -EINVAL	the resource is not reservable, or the quota is negative
 * -E2BIG	the key ends with a '/', and has more than 24
 * -EOVERFLOW	the sum of what the covered accounts have exceeds 63 bits
 * -ENOSPC	the file system is full
 */
TALLY_API TALLY_NODISCARD int
tally_limit_set_quota(struct tally_ledger *ledger, struct tally_account account,
		      unsigned int resource, int64_t quota);

/*
 * Set capacities and quotas at once, while all run: no call of another thread
 * or process finds a part of them set. The caller's structures then contain the
 * limits that they replaced, so that the same call puts these back. An account
 * that a quota names is opened if there is none; it stays if the call then fails.
 * Of a limit that is listed twice, the last one counts.
 *
 * -E2BIG	there are too many, where 4,096 is the most: a capacity counts
 *		once, a quota twice for each column, spare ones too, and twice
 *		more; or a key as
 *		in tally_limit_set_quota()
 * -ESTALE	an account was ended meanwhile: try again
 * -ENOMEM	no memory
 * others	as tally_limit_set_capacity(), tally_limit_set_quota() and
 *		tally_account_open()
 */
TALLY_API TALLY_NODISCARD int
tally_limit_exchange(struct tally_ledger *ledger,
		     struct tally_capacity *capacities,
		     unsigned int nr_capacities, struct tally_quota *quotas,
		     unsigned int nr_quotas);

/* An amount of a resource on a node. */
struct tally_demand {
	int node; /* its number in the ledger: see tally_topo_number() */
	unsigned int resource;
	int64_t amount;
};

/* What an account asks for: all of it or nothing. */
struct tally_request {
	size_t size; /* the caller sets sizeof(struct tally_request) */
	const struct tally_demand *demands;
	unsigned int nr_demands; /* at most TALLY_LIMIT_MAX_DEMANDS (asserted) */
	int64_t lease_ns; /* from now; the reservation ends then, or up to 20 ms
			     later, unless it is committed; 0: no lease. The
			     same in every time namespace */
};

/* A reservation: a row and its generation. Valid in every process that shares
 * the ledger. A ledger that is made anew at the same path gives equal tokens to
 * other reservations: a program that stores them stores the ledger's instance,
 * too, and compares it (struct tally_reader_info). */
struct tally_token {
	uint32_t row;
	uint64_t generation; /* never used again */
};

/* The limit that refused a reserve: that of the first demand that did not fit.
 */
struct tally_refusal {
	size_t size; /* the caller sets sizeof(struct tally_refusal) */
	int node;
	unsigned int resource;
	int64_t asked;		      /* by the whole request, of this limit */
	int64_t free;		      /* of this limit */
	struct tally_account account; /* -EDQUOT: with this quota; the one that
					 asked, or one above it */
};

/*
 * Reserve what @request asks for. The reservation ends when it is cancelled,
 * when its lease runs out, or when this process closes the ledger or dies,
 * unless it is committed before. @refusal may be NULL; it is written if a limit
 * refuses, and on -ENOSPC is all 0 if the file system is full.
 *
 * -ENOSPC	a node has less free than the request asks for: ask for less, or
 *		another node; or the file system is full
 * -EDQUOT	a quota does not allow it: ask for less, or raise the quota
 * -EEXIST	the account has a reservation: tally_limit_find() returns it
 * -ESTALE	the account is gone
 * -ESHUTDOWN	the account is terminating
 * -ENOENT	the ledger has no such node
 * -EINVAL	a resource is not reservable, or an amount or lease is negative
 * -E2BIG	@request has a member set that this library does not know
 */
TALLY_API TALLY_NODISCARD int
tally_limit_reserve(struct tally_ledger *ledger, struct tally_account account,
		    const struct tally_request *request,
		    struct tally_token *token, struct tally_refusal *refusal);

/*
 * Whether tally_limit_reserve() would grant @request at this moment, without
 * granting it. A request that does not fit is not counted as refused. Errors as
 * tally_limit_reserve().
 */
TALLY_API TALLY_NODISCARD int
tally_limit_fits(struct tally_ledger *ledger, struct tally_account account,
		 const struct tally_request *request,
		 struct tally_refusal *refusal);

/*
 * Wait until tally_limit_reserve() would grant @request, for at most @timeout_ns,
 * or, if that is negative, without a bound. Others may then be faster: reserve,
 * and if that is refused, wait again. Room that a call makes, in any process,
 * ends the wait at once; room that nobody tells of does within 50 ms: a process
 * died, a lease ran out, or a credit got back what it had prefetched. The call
 * holds no lock while it sleeps, and cannot be cancelled.
 *
 * -ETIMEDOUT	a limit still refuses it, as @refusal tells
 * -EINTR	a signal handler ran
 * -ENOSPC	the file system is full
 * others	as tally_limit_reserve(), but for -EDQUOT
 */
TALLY_API TALLY_NODISCARD int
tally_limit_wait(struct tally_ledger *ledger, struct tally_account account,
		 const struct tally_request *request, int64_t timeout_ns,
		 struct tally_refusal *refusal);

/*
 * Record what the account has already, whether it fits or not. The reservation
 * is committed at once. Errors as tally_limit_reserve() without -EDQUOT;
 * -ENOSPC only if the file system is full or a sum exceeds 63 bits.
 */
TALLY_API TALLY_NODISCARD int
tally_limit_adopt(struct tally_ledger *ledger, struct tally_account account,
		  const struct tally_request *request,
		  struct tally_token *token);

/*
 * Reserve what @request asks for, from the reservation @parent instead of from
 * the nodes: a step from its job, a pod from its gang. What the children of a
 * reservation have together is never more than it has, on each node and of each
 * resource; no capacity or quota refuses a child, or counts it once more. A
 * child has an account of its own, is committed, changed and released as any
 * reservation, and may be a parent itself. What it takes or gives back, its
 * parent gives or gets.
 *
 * The end of a parent, in whatever way, ends its children, committed or not.
 *
 * -ENOSPC	the parent has less on a node that its children have not: ask for
 *		less, or tally_limit_change() the parent; @refusal then has the
 *		parent's account. Or the file system is full
 * -ESTALE	the account is gone, or the parent has ended
 * -ELOOP	24 reservations are above the parent already, each the parent of
 *		the next one
 * others	as tally_limit_reserve(), but for -EDQUOT
 */
TALLY_API TALLY_NODISCARD int
tally_limit_draw(struct tally_ledger *ledger, struct tally_account account,
		 struct tally_token parent, const struct tally_request *request,
		 struct tally_token *token, struct tally_refusal *refusal);

/* As tally_limit_fits(), of tally_limit_draw(). */
TALLY_API TALLY_NODISCARD int
tally_limit_draw_fits(struct tally_ledger *ledger, struct tally_account account,
		      struct tally_token parent,
		      const struct tally_request *request,
		      struct tally_refusal *refusal);

/* As tally_limit_wait(), of tally_limit_draw(), and with its errors. */
TALLY_API TALLY_NODISCARD int
tally_limit_draw_wait(struct tally_ledger *ledger, struct tally_account account,
		      struct tally_token parent,
		      const struct tally_request *request, int64_t timeout_ns,
		      struct tally_refusal *refusal);

/*
 * Commit the reservation: it stays until it is released, even if every process
 * dies. Does nothing to a committed one. No limit refuses a commit.
 *
 * -ESTALE	the reservation was cancelled or released, or its lease ran out:
 *		reserve again
 */
TALLY_API TALLY_NODISCARD int tally_limit_commit(struct tally_ledger *ledger,
						 struct tally_token token);

/*
 * End a reservation that is not committed.
 *
 * -ESTALE	it has ended
 * -EBUSY	it is committed: release it
 */
TALLY_API TALLY_NODISCARD int tally_limit_cancel(struct tally_ledger *ledger,
						 struct tally_token token);

/*
 * Release the whole reservation (nr_demands 0), or these demands of it, at most
 * TALLY_LIMIT_MAX_DEMANDS (asserted): all of them or none. It ends when nothing
 * of it is left.
 *
 * -ESTALE	it has ended
 * -ERANGE	it has less than one of the demands
 * -EBUSY	what would be left is less than what its children have: end or
 *		change these first, or release the whole
 * -ENOENT, -EINVAL	as tally_limit_reserve()
 */
TALLY_API TALLY_NODISCARD int
tally_limit_release(struct tally_ledger *ledger, struct tally_token token,
		    const struct tally_demand *demands,
		    unsigned int nr_demands);

/*
 * Change a reservation, committed or not, by what @request lists: a positive
 * amount is reserved, a negative one given back. All of it happens, or nothing;
 * no other account can take in between what the reservation had. So amounts
 * move between nodes, or grow where they are. A limit refuses only if the whole
 * change brings what counts against it nearer to it. The reservation ends if the
 * request only gives back, and nothing is left. A lease_ns other than 0 begins
 * the lease of an uncommitted reservation anew. @refusal as in
 * tally_limit_reserve().
 *
 * -ESTALE	the reservation has ended: reserve again
 * -ERANGE	it has less than is to be given back
 * -EBUSY	as tally_limit_release()
 * -ESHUTDOWN	its account is terminating, and gets no more
 * -ENOSPC, -EDQUOT, -ENOENT, -EINVAL, -E2BIG	as tally_limit_reserve(), but
 *		amounts may be negative; of a child, as tally_limit_draw()
 */
TALLY_API TALLY_NODISCARD int
tally_limit_change(struct tally_ledger *ledger, struct tally_token token,
		   const struct tally_request *request,
		   struct tally_refusal *refusal);

/*
 * End every reservation that is not committed and whose process died or closed
 * the ledger, or whose lease ran out. Opening a ledger does the same, and so
 * does a reserve before it is refused: for leases each time, for processes if
 * the last check, of any process, is over 20 ms old.
 */
TALLY_API TALLY_NODISCARD int tally_limit_reap(struct tally_ledger *ledger);

/*
 * A credit lets an account take a resource from a node without a reservation.
 * Each CPU prefetches credit and takes from it locally, as fast as it adds.
 * Idle credit counts as free: it is drawn back before any request is refused.
 * What was taken counts as committed until it is given back, even if every
 * process dies.
 *
 * Any number of threads may use a credit, in this process, until the ledger is
 * closed; it needs no cleanup. The members are for the functions of
 * numatally/limit_inline.h, and frozen under the library's soname.
 */
struct tally_credit {
	struct tally_ledger *ledger;
	char *const *const *lanes; /* [CPU]: its words */
	uint64_t offset;	   /* of the word, in bytes */
	uint64_t tag;	 /* beside it; it ends with the lower 16 bits */
	ptrdiff_t rseq;	 /* from the thread pointer */
	uint32_t atomic; /* not 0: not by sequences */
	uint32_t pad;
	struct tally_account account;
	int node;
	unsigned int resource;
};

/*
 * Set up *credit for one account, node and resource.
 *
 * -ESTALE	the account is gone
 * -ESHUTDOWN	the account is terminating
 * -ENOENT	the ledger has no such node
 * -EINVAL	the resource is not reservable
 * -EUSERS	something is taken with 4096 credits: give it back first; or too
 *		many processes have the ledger open (in a child of fork(2))
 * -ENOSPC	the file system is full
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int tally_limit_credit(struct tally_ledger *ledger,
						 struct tally_account account,
						 int node,
						 unsigned int resource,
						 struct tally_credit *credit);

/*
 * Take @amount, or give it back, on any CPU. @amount is not negative
 * (asserted). Giving back more than was taken is not always detected.
 * numatally/limit_inline.h has the same without a call.
 *
 * -ENOSPC	take: the node has less free
 * -EDQUOT	take: a quota does not allow it
 * -ERANGE	give: more than was taken
 * -ESTALE	nothing was taken, and another credit got the place of this one:
 *		set it up again; or the account is gone
 * -ESHUTDOWN	take: the account is terminating
 */
TALLY_API TALLY_NODISCARD int
tally_limit_take(const struct tally_credit *credit, int64_t amount);
TALLY_API TALLY_NODISCARD int
tally_limit_give(const struct tally_credit *credit, int64_t amount);

/* A limit, and what counts against it. */
struct tally_limit {
	size_t size;	     /* the caller sets sizeof(struct tally_limit) */
	int64_t limit;	     /* TALLY_LIMIT_NONE: none */
	int64_t held;	     /* reserved and committed */
	int64_t peak;	     /* the largest held was; with tally_limit_take(),
			  including idle credit */
	uint64_t nr_refused; /* reserves that this limit refused */
	bool over;	     /* held exceeds limit */
};

/*
 * Get a limit of a node, or of an account: as of now, also in a snapshot, with
 * each reservation whole or not at all. For an account that has a quota, or had
 * one, held includes the accounts below it; for another, its own alone. What was
 * drawn from another account's reservation counts for that account alone.
 *
 * -ENOENT	the ledger has no such node
 * -ESTALE	the account is gone
 * -EINVAL	no such resource, or limit->size is not set
 * -EAGAIN	a process was stopped or killed in the middle of a change, and no
 *		other has finished it yet: try again; tally_limit_reap() of a
 *		process that may write finishes it
 * -EBADMSG	the file is damaged or was cut short
 */
TALLY_API TALLY_NODISCARD int tally_limit_node(const struct tally_view *view,
					       int node, unsigned int resource,
					       struct tally_limit *limit);
TALLY_API TALLY_NODISCARD int tally_limit_account(const struct tally_view *view,
						  struct tally_account account,
						  unsigned int resource,
						  struct tally_limit *limit);

/*
 * Iterate over the limits that are set: the capacities, by node and resource,
 * and the quotas, by account and resource. *cursor is 0 at first, and belongs to
 * the caller. Each limit is one that tally_limit_node() or tally_limit_account()
 * got; one that is set meanwhile may be met or not.
 *
 * -ENOENT	no more
 * others	as tally_limit_node()
 */
TALLY_API TALLY_NODISCARD int
tally_limit_capacity_next(const struct tally_view *view, uint64_t *cursor,
			  int *node, unsigned int *resource,
			  struct tally_limit *limit);
TALLY_API TALLY_NODISCARD int
tally_limit_quota_next(const struct tally_view *view, uint64_t *cursor,
		       struct tally_account *account, unsigned int *resource,
		       struct tally_limit *limit);

/*
 * Get how much the account could reserve of a resource on a node: the least of
 * what is left of the node's capacity and of every quota that covers the
 * account. Idle credit counts as free. A reservation whose lease ran out, or
 * whose process died, counts as held until a call of a writer has ended it
 * (tally_limit_reap()). Without any limit, what is left of 63 bits is free.
 *
 * -EINVAL	the resource is not reservable
 * -ESHUTDOWN	the account is terminating
 * others	as tally_limit_node()
 */
TALLY_API TALLY_NODISCARD int tally_limit_free(const struct tally_view *view,
					       struct tally_account account,
					       int node, unsigned int resource,
					       int64_t *amount);

/*
 * Get what is left on a node of a reservation, that its children have not: so
 * much could be drawn from it. As tally_limit_free() without regard to what has
 * run out, or whose process died.
 *
 * -ESTALE	the reservation has ended
 * -EINVAL	the resource is not reservable
 * others	as tally_limit_node()
 */
TALLY_API TALLY_NODISCARD int
tally_limit_draw_free(const struct tally_view *view, struct tally_token parent,
		      int node, unsigned int resource, int64_t *amount);

/*
 * Get what the account itself has on a node, or on all (TALLY_VIEW_ALL), into
 * amounts[nr_resources]: with what its children have of it; so that the sum over
 * all accounts is more than a node's total by what was drawn. Errors as
 * tally_limit_node().
 */
TALLY_API TALLY_NODISCARD int tally_limit_holding(const struct tally_view *view,
						  struct tally_account account,
						  int node, int64_t *amounts);

/*
 * Get the numbers of the nodes on which the account itself has something, in no
 * order. Return how many there are; the first @nr of them are written to
 * @nodes, which may be NULL if @nr is 0, and is overwritten on failure too.
 *
 * -ESTALE	the account is gone
 * -EAGAIN, -EBADMSG	as tally_limit_node()
 */
TALLY_API TALLY_NODISCARD int
tally_limit_holdings(const struct tally_view *view,
		     struct tally_account account, int *nodes, unsigned int nr);

/* A node's roster: see tally_limit_roster(). The members are frozen under the
 * library's soname. */
struct tally_roster {
	const struct tally_account *accounts; /* in the ledger's file */
	uint32_t nr_accounts;
	uint32_t index; /* of the node */
	uint64_t edit;
};

/*
 * Find the accounts that have something on a node by a reservation, in no order:
 * as an array that the caller reads where it lies. No writer waits for a reader.
 * The array stays as it is while up to three accounts come to the node or leave
 * it. Whether it did, tally_limit_roster_check() tells afterwards:
 *
 *	do {
 *		err = tally_limit_roster(view, node, &roster);
 *		for (uint32_t i = 0; !err && i < roster.nr_accounts; i++)
 *			... roster.accounts[i] ...
 *		if (!err)
 *			err = tally_limit_roster_check(view, &roster);
 *	} while (err == -EAGAIN);
 *
 * If it succeeds, what was read are the accounts of one moment; else any entry
 * may have been of another account. An account is in the array from when a
 * reserve, adopt or change grants it something there until it has nothing left.
 * If the process dies just then, a reader may have seen it, though the grant is
 * undone.
 *
 * -ENOENT	the ledger has no such node
 * -EAGAIN	the array was changed meanwhile: find it again
 * -EBADMSG	the file is damaged or was cut short
 */
TALLY_API TALLY_NODISCARD int tally_limit_roster(const struct tally_view *view,
						 int node,
						 struct tally_roster *roster);
TALLY_API TALLY_NODISCARD int
tally_limit_roster_check(const struct tally_view *view,
			 const struct tally_roster *roster);

enum tally_reservation_state {
	TALLY_RESERVED = 1,
	TALLY_COMMITTED = 2,
};

struct tally_reservation {
	size_t size; /* the caller sets sizeof(struct tally_reservation) */
	struct tally_token token;
	enum tally_reservation_state state;
	int64_t deadline_ns; /* of its lease, by the caller's CLOCK_MONOTONIC
				and within 10 ms; INT64_MAX: none */
	struct tally_account parent; /* whose reservation it is drawn from */
	bool drawn;		     /* from a parent; else @parent is all 0 */
};

/*
 * Get the account's reservation; a program that was restarted finds what it
 * had.
 *
 * -ENOENT	it has none
 * others	as tally_limit_account()
 */
TALLY_API TALLY_NODISCARD int
tally_limit_find(const struct tally_view *view, struct tally_account account,
		 struct tally_reservation *reservation);

/*
 * Iterate over the reservations, in the order of their accounts' rows. *cursor
 * is 0 at first, and belongs to the caller. One that begins meanwhile may be met
 * or not.
 *
 * -ENOENT	no more
 * others	as tally_limit_account()
 */
TALLY_API TALLY_NODISCARD int
tally_limit_reservation_next(const struct tally_view *view, uint64_t *cursor,
			     struct tally_account *account,
			     struct tally_reservation *reservation);

/*
 * Check that the totals equal the sums of the reservations, that none has less
 * than its children, and that every one that is not committed is listed. Call
 * each(arg, problem) for each deviation, in words, at most a thousand times; the
 * string belongs to the library. If each returns a value other than 0, the check
 * ends and returns it. A limit that is exceeded is not a problem. Takes time by
 * the number of accounts.
 *
 * -ENOMEM	no memory
 * -EAGAIN	as tally_limit_node(), or each look met a change, for
 *		TALLY_LIMIT_WAIT_NS
 */
TALLY_API TALLY_NODISCARD int
tally_limit_check(const struct tally_view *view,
		  int (*each)(void *arg, const char *problem), void *arg);

/*
 * Check, and recompute from the reservations: the totals that capacities,
 * quotas and parents count against, peaks below them, and the lists of children
 * and of what is not committed. One whose parent is gone is drawn from the nodes
 * from then on. Reservations themselves are never changed. Holds the lock
 * meanwhile, so that reserves wait. each is called as in tally_limit_check(),
 * for what was wrong.
 */
TALLY_API TALLY_NODISCARD int
tally_limit_repair(struct tally_ledger *ledger,
		   int (*each)(void *arg, const char *problem), void *arg);

TALLY_END

#endif
