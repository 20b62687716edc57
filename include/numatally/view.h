/* SPDX-License-Identifier: MIT */
/*
 * view: the amounts of a ledger, read where they lie and summed over lanes.
 *
 * A view has one slice header per node of this machine, over the records of the
 * lanes in that node's region; these contain slices over bucket headers, and
 * these over cells. Opening a view copies one header per node and no cell, for
 * any number of accounts.
 *
 * A live view reads each cell as it is at that moment: a sum contains every
 * add that returned before the call, and may contain adds that run beside it.
 * A snapshot stands still: it contains each add and charge whole or not at
 * all, and none that came after one that it lacks.
 *
 * The amount of a reservable is what accounts have reserved
 * (numatally/limit.h) at the moment of the call, also in a snapshot.
 *
 * A view belongs to a ledger or a reader, which must outlive it. Threads may
 * share one. Nodes are named by their numbers in the ledger
 * (tally_topo_number()); TALLY_VIEW_ALL is all of them.
 *
 * Every function that reads amounts can return
 * -EBADMSG	the file is damaged or was cut short: close it, create another
 * -EAGAIN	a process was stopped or killed while it changed reservations, and
 *		no other has finished the change yet: try again;
 *		tally_limit_reap() of a process that may write finishes it
 */
#ifndef NUMATALLY_VIEW_H
#define NUMATALLY_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include <numatally/account.h>
#include <numatally/export.h>
#include <numatally/ledger.h>
#include <numatally/slice.h>

TALLY_BEGIN

struct tally_view;

#define TALLY_VIEW_ALL (-1)

/*
 * Open a live view of the ledger. The caller closes it.
 *
 * -ENOMEM	no memory
 * -EBADMSG	the file is damaged or was cut short
 */
TALLY_API TALLY_NODISCARD int tally_view_open(struct tally_ledger *ledger,
					      struct tally_view **view);

/* Instead of failing with -EBUSY, open the older snapshot. */
#define TALLY_SNAPSHOT_JOIN 1u

/*
 * Take a snapshot of the ledger and open a view of it. The caller closes the
 * view. The call stops no writer, and takes the same time for any number of
 * accounts: from now on writers add to another bank of cells.
 *
 * Any number of views, in any process that has the ledger open, may share a
 * snapshot (TALLY_SNAPSHOT_JOIN). When the last of them is closed, the frozen
 * bank is folded into the cells of earlier epochs, which takes time by the
 * number of accounts that changed; then another snapshot can be taken. The
 * snapshot of a process that dies is closed. @timeout_ns limits how long the
 * call waits for adds that are under way and for other processes.
 *
 * -EBUSY	an older snapshot is open, and flags lack TALLY_SNAPSHOT_JOIN
 * -EAGAIN	an add, or another process that takes or folds a snapshot, took
 *		longer than timeout_ns: try again
 * -ENOSYS	the kernel refuses membarrier(2), which writers rely on
 * -EPERM	this process is a child of fork(2), and the ledger has a single
 *		writing process
 * -ENOSPC, -ENOMEM	no memory, or no space to fold an older snapshot
 * -EBADMSG	the file is damaged or was cut short
 */
TALLY_API TALLY_NODISCARD int tally_view_snapshot(struct tally_ledger *ledger,
						  unsigned int flags,
						  int64_t timeout_ns,
						  struct tally_view **view);

/* Close a view; takes NULL. No other thread may use it. */
TALLY_API void tally_view_close(struct tally_view *view);

struct tally_snapshot_info {
	size_t size; /* the library sets sizeof(struct tally_snapshot_info) */
	uint64_t epoch;	      /* grows with every snapshot of the ledger */
	uint64_t nr_in_doubt; /* tally_view_nr_in_doubt() when it was taken */
};

/* Return the facts of a snapshot, which belong to the view; NULL for a live
 * view. */
TALLY_API const struct tally_snapshot_info *
tally_view_snapshot_info(const struct tally_view *view);

/*
 * An add or a charge in whose middle a process was killed, or which a signal
 * handler of its thread left by siglongjmp(3). The ledger contains all of it, a
 * part, or nothing, and reports it as in doubt. What one sequence adds is never
 * there in part; in an exclusive ledger, or where the thread adds again, it is
 * not reported, whether it was done or not.
 */
#define TALLY_IN_DOUBT_ACCOUNTS 10
struct tally_in_doubt {
	size_t size;	/* the caller sets sizeof(struct tally_in_doubt) */
	uint64_t epoch; /* snapshots up to this one lack it */
	pid_t pid;
	unsigned int nr_accounts; /* or more, if an account came twice */
	/* The first of them; a gone account has generation 0. */
	struct tally_account accounts[TALLY_IN_DOUBT_ACCOUNTS];
};

/* Return how many were found since the ledger was created: by processes that
 * took a snapshot or opened it. In a damaged file the number is arbitrary, and
 * tally_view_in_doubt() returns -EBADMSG for it. */
TALLY_API uint64_t tally_view_nr_in_doubt(const struct tally_view *view);

/*
 * Get one of them, by its index from 0. The ledger keeps the last 256.
 *
 * -ENOENT	no such index, or it is not kept any more
 * -EINVAL	doubt->size is not set
 * -EBADMSG	the file is damaged or was cut short
 */
TALLY_API TALLY_NODISCARD int tally_view_in_doubt(const struct tally_view *view,
						  uint64_t index,
						  struct tally_in_doubt *doubt);

/* Return the number of resources, or one of them by its index (asserted to be
 * in range), as they were declared: those that there were when the view was
 * opened. A resource belongs to the view. */
TALLY_API unsigned int tally_view_nr_resources(const struct tally_view *view);
TALLY_API const struct tally_resource *
tally_view_resource(const struct tally_view *view, unsigned int index);

/* Return the number of nodes, or the number of one by its index (asserted to
 * be in range), in ascending order. */
TALLY_API unsigned int tally_view_nr_nodes(const struct tally_view *view);
TALLY_API int tally_view_node(const struct tally_view *view,
			      unsigned int index);

/* Return how many of these nodes are of this machine. They come first, and they
 * alone have counters and gauges. */
TALLY_API unsigned int tally_view_nr_local(const struct tally_view *view);

/* Return the name of the machine of the node at @index (asserted to be in
 * range), which belongs to the ledger or reader; NULL: it has none. Set *@id to
 * the node's number on that machine. */
TALLY_API const char *tally_view_machine(const struct tally_view *view,
					 unsigned int index, int *id);

/* Return the directory of accounts. It belongs to the ledger or reader. */
TALLY_API const struct tally_accounts *
tally_view_accounts(const struct tally_view *view);

/*
 * Sum over all lanes, for one node or all (TALLY_VIEW_ALL), into
 * amounts[nr_resources]: of all accounts together, or of one. Sums wrap at 64
 * bits. Totals contain what gone accounts counted, but not their gauges.
 *
 * -ENOENT	the ledger has no such node
 * -ESTALE	the account is gone, and was when the snapshot was taken
 */
TALLY_API TALLY_NODISCARD int tally_view_totals(const struct tally_view *view,
						int node, int64_t *amounts);
TALLY_API TALLY_NODISCARD int tally_view_account(const struct tally_view *view,
						 struct tally_account account,
						 int node, int64_t *amounts);

/*
 * Iterate over the accounts of the view: those that exist or, in a snapshot,
 * existed when it was taken. *cursor is 0 at first, and belongs to the caller.
 * An account that is added meanwhile may be met or not. Copies the account's
 * key, with a NUL, into key[0 .. bytes), unless key is NULL.
 *
 * -ENOENT	no more
 * -ERANGE	the key does not fit; tally_account_key_bytes() are always enough.
 *		*cursor still stands before the account
 */
TALLY_API TALLY_NODISCARD int tally_view_next(const struct tally_view *view,
					      uint64_t *cursor,
					      struct tally_account *account,
					      char *key, size_t bytes);

/* Return the header over the lane records in the region of the node at @index,
 * which is of this machine (index < tally_view_nr_local(), asserted), and set
 * *origin to the address that it counts from: what the view consists of. */
TALLY_API const struct tally_slice *
tally_view_slice(const struct tally_view *view, unsigned int index,
		 const void **origin);

TALLY_END

#endif
