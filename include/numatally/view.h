/* SPDX-License-Identifier: MIT */
/*
 * view: the amounts of a ledger where they lie, summed over lanes on demand.
 *
 * A view is one slice header per node, over the records of the lanes in that
 * node's region; these hold slices over bucket headers, these over cells.
 * Opening one copies as many headers as there are nodes, and no cell, however
 * many accounts there are.
 *
 * A live view reads each cell as it is at that moment: a sum over lanes holds
 * every add that had returned before the call, and may or may not hold those
 * that run beside it. A snapshot stands still: it holds each add and charge
 * whole or not at all, and none that came after one that it lacks.
 *
 * A view is borrowed from a ledger or a reader, which must outlive it. Threads
 * may share one. Amounts that are for a node are asked for by its number;
 * TALLY_VIEW_ALL stands for all of them.
 *
 * What accounts hold through reservations (numatally/limit.h) is in the amounts
 * of stocks, as it is at that moment, also in a snapshot.
 *
 * Every function that reads amounts may return
 * -EBADMSG	a header in the file is damaged, or the file was cut short
 * -EAGAIN	somebody who was changing reservations was stopped or killed in
 *		the middle, and nobody has come since
 */
#ifndef NUMATALLY_VIEW_H
#define NUMATALLY_VIEW_H

#include <stdint.h>

#include <numatally/account.h>
#include <numatally/export.h>
#include <numatally/ledger.h>
#include <numatally/slice.h>

TALLY_BEGIN

struct tally_view;

#define TALLY_VIEW_ALL (-1)

/*
 * Opens a live view of the ledger. The caller closes it.
 *
 * -ENOMEM	no memory
 */
TALLY_API int tally_view_open(struct tally_ledger *ledger,
			      struct tally_view **view);

/* Rather than -EBUSY: pin what is pinned already, though it is older. */
#define TALLY_SNAPSHOT_JOIN 1u

/*
 * Takes a snapshot of the ledger, without stopping anybody who adds, and
 * whatever the number of accounts: adds go to another bank of cells from now
 * on. Closing the view gives the first one back, which is then folded into
 * settled cells: that takes time by the number of accounts that were touched.
 * Any number of views may pin the same snapshot (TALLY_SNAPSHOT_JOIN), in any
 * process that has the ledger open; a newer one can be taken when the last of
 * them is closed. A process that dies holds no pin.
 *
 * -EBUSY	an older snapshot is held, and flags lack TALLY_SNAPSHOT_JOIN
 * -EAGAIN	a thread was in the middle of an add, or another process of
 *		taking or folding a snapshot, for timeout_ns
 * -ENOSYS	membarrier(2) is refused to us, and others rely on it
 * -EPERM	a child of fork(2), in a ledger that one process writes to
 * -ENOSPC, -ENOMEM	no memory, or no room to settle an older snapshot
 * -EBADMSG	the file was cut short
 */
TALLY_API int tally_view_snapshot(struct tally_ledger *ledger,
				  unsigned int flags, int64_t timeout_ns,
				  struct tally_view **view);
TALLY_API void tally_view_close(struct tally_view *view);

/* Of a snapshot; NULL for a live view. Belongs to the view. */
struct tally_snapshot_info {
	uint64_t epoch;	    /* grows with every snapshot of the ledger */
	uint64_t nr_doubts; /* tally_view_nr_doubts() when it was taken */
};
TALLY_API const struct tally_snapshot_info *
tally_view_snapshot_info(const struct tally_view *view);

/*
 * An add or a charge that was under way when its process was killed: the view
 * holds all of it, a part, or nothing. An add of one sequence is never in part,
 * and where one process alone writes it leaves no trace, done or not.
 */
#define TALLY_DOUBT_ACCOUNTS 10
struct tally_doubt {
	uint64_t epoch; /* that it was for: snapshots up to that one lack it */
	pid_t pid;
	unsigned int nr_accounts; /* or more, where an account came again */
	/* The first of them; gone ones are of generation 0. */
	struct tally_account accounts[TALLY_DOUBT_ACCOUNTS];
};

/*
 * How many were found since the ledger was made: by those who took snapshots,
 * and by those who opened it. The last 256 are kept. In a damaged file it is
 * anything, and tally_view_doubt() says -EBADMSG of any index below.
 */
TALLY_API uint64_t tally_view_nr_doubts(const struct tally_view *view);

/*
 * The index-th of them, from 0.
 *
 * -ENOENT	there is none, or it is not kept any more
 * -EBADMSG	the file is damaged, or was cut short
 */
TALLY_API int tally_view_doubt(const struct tally_view *view, uint64_t index,
			       struct tally_doubt *doubt);

/* The columns, in the order in which they were declared. The resource belongs
 * to what the view was opened from. index < nr_resources is asserted. */
TALLY_API unsigned int tally_view_nr_resources(const struct tally_view *view);
TALLY_API const struct tally_resource *
tally_view_resource(const struct tally_view *view, unsigned int index);

/* The nodes, ascending: the number of the one at this index. */
TALLY_API unsigned int tally_view_nr_nodes(const struct tally_view *view);
TALLY_API int tally_view_node(const struct tally_view *view,
			      unsigned int index);

TALLY_API const struct tally_accounts *
tally_view_accounts(const struct tally_view *view);

/*
 * Sums over all lanes, for one node or all, into amounts[nr_resources]: of all
 * accounts together, or of one. Amounts wrap at 64 bits. Totals have what gone
 * accounts counted, and no stocks of theirs.
 *
 * -ENOENT	no such node
 * -ESTALE	the account is gone, and was when the snapshot was taken
 */
TALLY_API int tally_view_totals(const struct tally_view *view, int node,
				int64_t *amounts);
TALLY_API int tally_view_account(const struct tally_view *view,
				 struct tally_account account, int node,
				 int64_t *amounts);

/* One amount, and all that a reader of it needs to know. */
struct tally_value {
	const char *key; /* of the account; valid during the call */
	struct tally_account account;
	int node;
	const struct tally_resource *resource;
	int64_t amount;
};

/*
 * Calls each(arg, value) for every amount that is not 0, account by account,
 * then node by node; over a snapshot also of accounts that are gone since. A
 * non-zero result of each ends the walk and is returned.
 *
 * -ENOMEM	no memory
 */
TALLY_API int tally_view_each(const struct tally_view *view,
			      int (*each)(void *arg,
					  const struct tally_value *value),
			      void *arg);

/*
 * The header over the lane records in the region of the node at this index,
 * and the origin that it counts from: what the view consists of.
 */
TALLY_API const struct tally_slice *
tally_view_slice(const struct tally_view *view, unsigned int index,
		 const void **origin);

TALLY_END

#endif
