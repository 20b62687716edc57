/* SPDX-License-Identifier: MIT */
/*
 * watch: wakes a program when amounts of a ledger cross thresholds.
 *
 * A watch has up to eight thresholds: of what is free, or of an amount. It fires
 * when all of them are crossed, or any of them (TALLY_WATCH_ANY). It then fires
 * again only after it was armed again, by amounts that have gone back behind the
 * thresholds by their hysteresis:
 *
 *	           all (any) are crossed
 *	  armed ───────────────────────────> fired
 *	    ^                                  │
 *	    ╰──── not all (none) are within ───╯
 *	          their hysteresis any more
 *
 * A new watch is armed: it fires at once if its thresholds are crossed.
 *
 * The watch looks at the amounts one after another, as they are at that moment.
 * A crossing that has passed when it looks is not seen; one that stays is never
 * missed. It looks
 *
 *	- as soon as a call, of any process, has changed what is free, a limit, or
 *	  how many accounts are pending, if the watch has the ledger open for writing
 *	  (tally_watch_options.ledger). While such calls come faster than the watch
 *	  has to act on, it looks once a millisecond: so it wakes as often at most.
 *	- after look_ns at the latest. That is when it finds what nobody tells of:
 *	  an add, a set of a gauge, what a credit takes or gives back on its CPU, a
 *	  lease that ran out, a process that died; and all changes, if it can only
 *	  read the ledger.
 *
 * While nobody watches, calls that change reservations read one word for it. An
 * add does nothing for a watch at any time.
 *
 * A look takes as long as the calls that it makes: tally_limit_node() or
 * tally_limit_free() for what is free, by nodes; tally_view_totals() or
 * tally_view_account() for an amount; for a key with a '/' at its end, and for
 * pending accounts, by the number of accounts.
 *
 * One thread at a time uses a watch. The view, and the ledger or reader that it
 * is of, must outlive it. A child of fork(2) may only close it.
 */
#ifndef NUMATALLY_WATCH_H
#define NUMATALLY_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include <numatally/export.h>
#include <numatally/ledger.h>
#include <numatally/view.h>

TALLY_BEGIN

struct tally_watch;

#define TALLY_WATCH_THRESHOLDS 8

/* As a node: that where the amount is nearest to a crossing, or farthest from it:
 * so the threshold is crossed on some node, or on every node. */
#define TALLY_WATCH_SOME_NODE  (-2)
#define TALLY_WATCH_EVERY_NODE (-3)

enum tally_watch_of {
	/*
	 * What is left of a node's capacity of a reservable; less than 0 while
	 * more is held; INT64_MAX without a capacity. On TALLY_VIEW_ALL: the sum
	 * over nodes; INT64_MAX if one has no capacity, or if it is larger.
	 *
	 * For an account: what it could reserve on the node (tally_limit_free()).
	 * On TALLY_VIEW_ALL: what is left of its own quota.
	 */
	TALLY_WATCH_FREE = 1,
	/*
	 * The amount that a view shows (numatally/view.h); on TALLY_VIEW_ALL: over
	 * all nodes. Of all accounts, also gone ones; or of an account; or, if the
	 * key ends with a '/', of the accounts whose keys begin with it, of which
	 * there may be none.
	 */
	TALLY_WATCH_AMOUNT,
	/*
	 * How many accounts are pending (numatally/account.h); of those whose keys
	 * begin with @account, if that is not NULL. @node is TALLY_VIEW_ALL, and
	 * @resource is not looked at.
	 */
	TALLY_WATCH_PENDING,
};

enum tally_watch_side {
	TALLY_WATCH_BELOW = 1, /* crossed by less than the mark */
	TALLY_WATCH_ABOVE,     /* crossed by more */
};

/* The members are frozen under the library's soname. */
struct tally_watch_threshold {
	enum tally_watch_of of;
	enum tally_watch_side side;
	unsigned int resource;
	int node; /* its number, TALLY_VIEW_ALL, or one of the above */
	const char *account; /* its key; NULL: of all */
	int64_t mark;
	int64_t hysteresis; /* not negative. Below a mark of 8, with 2: crossed
			       by 7, and within the hysteresis by 9, not by 10 */
};

/* One crossed threshold fires, not all. */
#define TALLY_WATCH_ANY 1u
/* Go on while no process has the ledger open for writing. */
#define TALLY_WATCH_IDLE 2u

struct tally_watch_options {
	size_t size; /* the caller sets sizeof(struct tally_watch_options) */
	const struct tally_watch_threshold *thresholds; /* are copied */
	unsigned int nr_thresholds;
	unsigned int flags;
	/* That the view is of, if the process has it open for writing: then
	 * changes wake the watch. NULL: it has not, or they need not. */
	struct tally_ledger *ledger;
	int64_t look_ns; /* at least 100 us; 0: 50 ms */
};

/*
 * Make a watch over a live view. The caller closes it.
 *
 * -EINVAL	a threshold is not valid: no such resource, one that is not
 *		reservable (TALLY_WATCH_FREE), a node (TALLY_WATCH_PENDING), an unknown of, side or
 *		flag, a
 *		negative hysteresis; or there are none, or too many; look_ns is too
 *		small; the view is a snapshot, or not of this ledger; the size is
 *		not set
 * -E2BIG	@options has a member set that this library does not know
 * -ENOENT	the ledger has no such node or account
 * -ENOMEM	no memory
 * -EBADMSG	the file is damaged or was cut short
 */
TALLY_API TALLY_NODISCARD int
tally_watch_open(const struct tally_view *view,
		 const struct tally_watch_options *options,
		 struct tally_watch **watch);

/* Close it; takes NULL. */
TALLY_API void tally_watch_close(struct tally_watch *watch);

/* What the watch saw when it fired. */
struct tally_watch_event {
	size_t size; /* the caller sets sizeof(struct tally_watch_event) */
	uint64_t nr; /* how often the watch has fired, this time included */
	int64_t fired_ns; /* when, by CLOCK_MONOTONIC */
	uint32_t crossed; /* a bit for each threshold, from the lowest */
	/* By threshold; on some or every node that which counts. */
	int64_t amounts[TALLY_WATCH_THRESHOLDS];
};

/*
 * Wait until the watch fires, for at most @timeout_ns, or, if that is negative,
 * without a bound; 0 looks once. @event may be NULL. The call holds no lock
 * while it sleeps, and cannot be cancelled. What ends a watch ends the call
 * within look_ns (-ESRCH: or within a second, if that is longer), and later calls
 * too, for as long as it is so.
 *
 * -ETIMEDOUT	the watch did not fire
 * -EINTR	a signal handler ran
 * -ESTALE	an account of a threshold is gone
 * -ESHUTDOWN	an account of TALLY_WATCH_FREE on a node is terminating
 *		(an account that ends is so for a moment: -ESTALE follows)
 * -EIDRM	the ledger was removed or replaced: open its path again
 * -ESRCH	no process has the ledger open for writing, and the flags lack
 *		TALLY_WATCH_IDLE
 * -EBUSY	the watch has a descriptor (tally_watch_fd())
 * -EINVAL	event->size is not set
 * -EBADMSG	the file is damaged or was cut short
 * -EPERM	this process is a child of fork(2), and the ledger has a single
 *		writing process
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int tally_watch_wait(struct tally_watch *watch,
					       int64_t timeout_ns,
					       struct tally_watch_event *event);

/*
 * Return a descriptor for poll(2) and its kin, which belongs to the watch. From
 * the first call on a thread of the library, with all signals blocked, waits
 * instead of the caller, and the descriptor is readable while
 * tally_watch_take() returns something else than -EAGAIN.
 *
 * -EAGAIN	no thread can be started
 * -ENOMEM	no memory
 * other	as eventfd(2)
 */
TALLY_API TALLY_NODISCARD int tally_watch_fd(struct tally_watch *watch);

/*
 * Take the last event, which may be NULL, without waiting. event->nr tells how
 * many came before and were not taken.
 *
 * -EAGAIN	it has not fired since the last call
 * -EINVAL	event->size is not set; or the watch has no descriptor
 * others	as tally_watch_wait(): the watch has ended, and each call returns
 *		the same
 */
TALLY_API TALLY_NODISCARD int tally_watch_take(struct tally_watch *watch,
					       struct tally_watch_event *event);

TALLY_END

#endif
