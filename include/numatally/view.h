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
 * view. The call stops no writer: from now on writers add to another bank of
 * cells.
 *
 * Any number of views, in any process, may share a snapshot
 * (TALLY_SNAPSHOT_JOIN). Once the last of them is closed, the frozen bank is
 * folded into the cells of earlier epochs, which takes time by the number of
 * accounts that changed: a process that serves does so at once
 * (tally_ledger_serve()); else tally_ledger_fold(), or the next call that takes
 * a snapshot. Otherwise this call takes the same time for any number of
 * accounts. The snapshot of a process that dies is closed. @timeout_ns limits
 * how long the call waits for adds that are under way and for other processes.
 *
 * -EINVAL	flags have another bit than TALLY_SNAPSHOT_JOIN
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
	int64_t taken_ns;     /* when, since 1970 (CLOCK_REALTIME) */
	int64_t age_ns; /* when this view of it was opened, by the same clock */
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
 * -ESTALE	the account is gone, and was when the snapshot was taken; or a
 *		reader's snapshot was given up (tally_reader_snapshot())
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
 * -ESTALE	a reader's snapshot was given up
 * -ERANGE	the key does not fit; tally_account_key_bytes() are always enough.
 *		*cursor still stands before the account
 */
TALLY_API TALLY_NODISCARD int tally_view_next(const struct tally_view *view,
					      uint64_t *cursor,
					      struct tally_account *account,
					      char *key, size_t bytes);

/* Which amounts tally_view_read() reads. */
struct tally_filter {
	size_t size;	    /* the caller sets sizeof(struct tally_filter) */
	const char *prefix; /* of accounts' keys; NULL: all accounts */
	int node;	    /* its number; TALLY_VIEW_ALL: each node */
	int resource;	    /* TALLY_VIEW_ALL: each resource */
	int zeros;	    /* 1: amounts of 0, too */
};

/*
 * Read the amounts of many accounts in one call, into entries[0 .. max), and set
 * *@nr to their number, which is not 0: account by account, in each of them node
 * by node, in the order of tally_view_node(), and in each of these resource by
 * resource. All entries of an account come in the same call.
 * With @filter NULL these are all amounts that are not 0.
 *
 * *cursor is 0 at first, and belongs to the caller; -ENOENT ends it. An
 * account that is gone meanwhile is left out; one that is added meanwhile may be
 * met or not. What entries[] contains after a failure is not specified.
 *
 * -ENOENT	no more
 * -ERANGE	the entries of one account don't fit: nodes times resources are
 *		always enough. *cursor stands before the account
 * -EINVAL	the ledger has no such node or resource, or filter->size is not set
 * -E2BIG	@filter has a member set that this library does not know
 * -ESTALE	a reader's snapshot was given up
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int tally_view_read(const struct tally_view *view,
					      const struct tally_filter *filter,
					      uint64_t *cursor,
					      struct tally_entry *entries,
					      size_t max, size_t *nr);

/* An account, and where its key is in the text that tally_view_keys() copies.
 * The members are frozen under the library's soname. */
struct tally_key {
	struct tally_account account;
	uint32_t offset;
	uint32_t bytes; /* without the NUL behind them */
};

/*
 * Copy the keys of many accounts of the view in one call: those that begin with
 * @prefix (NULL: all), in the order of tally_view_read(). Fill keys[0 .. max) and
 * text[0 .. bytes) as far as they go, and set *@nr to the number of keys, which is
 * not 0. *cursor as above.
 *
 * -ENOENT	no more
 * -ESTALE	a reader's snapshot was given up
 * -ERANGE	not one key fits; tally_account_key_bytes() are always enough
 */
TALLY_API TALLY_NODISCARD int
tally_view_keys(const struct tally_view *view, const char *prefix,
		uint64_t *cursor, struct tally_key *keys, size_t max,
		char *text, size_t bytes, size_t *nr);

/* Return the header over the lane records in the region of the node at @index,
 * which is of this machine (index < tally_view_nr_local(), asserted), and set
 * *origin to the address that it counts from: what the view consists of. */
TALLY_API const struct tally_slice *
tally_view_slice(const struct tally_view *view, unsigned int index,
		 const void **origin);

TALLY_END

#endif
