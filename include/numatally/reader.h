/* SPDX-License-Identifier: MIT */
/*
 * reader: attach to a ledger read-only, from any process.
 *
 * A reader needs no write permission, leaves no trace in the file, and slows
 * no writer. It copies and checks the description of the file once, when it is
 * opened, and checks everything that can change at each use. Any number of
 * threads may call these functions at once, except tally_reader_close().
 *
 * A read from a file that another process cut short raises SIGBUS. The first
 * ledger that a process opens, for reading or writing, installs a handler,
 * which turns this into -EBADMSG of the call, and of all later ones. It passes
 * any other SIGBUS on to the handler that was installed before, with its mask,
 * stack and flags. A program that installs its own handler later calls
 * tally_reader_sigbus() from it. A thread that reads must not block SIGBUS:
 * the kernel kills a process for a fault that is blocked.
 */
#ifndef NUMATALLY_READER_H
#define NUMATALLY_READER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/account.h>
#include <numatally/export.h>
#include <numatally/region.h>
#include <numatally/view.h>

TALLY_BEGIN

struct tally_reader;

/*
 * Attach to the ledger at @path. The caller closes the reader. The call does
 * not follow a symbolic link in the last component.
 *
 * -EPROTO	another format version, or another kind of machine
 * -EBADMSG	not a ledger, or damaged: of a saved one every byte is checked,
 *		which takes as long as reading the file
 * -EAGAIN	the process that creates it has not finished: try again
 * other	as open(2) and mmap(2)
 */
TALLY_API TALLY_NODISCARD int tally_reader_open(const char *path,
						struct tally_reader **reader);

/* Detach; takes NULL. Views of the reader are closed before, and no other
 * thread may use it. */
TALLY_API void tally_reader_close(struct tally_reader *reader);

/* Open a live view, which the caller closes before the reader. -ENOMEM: no
 * memory; -EBADMSG: the file is damaged or was cut short. */
TALLY_API TALLY_NODISCARD int tally_reader_view(struct tally_reader *reader,
						struct tally_view **view);

/*
 * Take a snapshot (tally_view_snapshot()) with read permission alone, and open a
 * view of it, which the caller closes before the reader. A process that writes
 * and serves (tally_ledger_serve()) takes it; where no process writes, none is
 * needed. @flags: TALLY_SNAPSHOT_JOIN. @timeout_ns limits how long the call
 * waits.
 *
 * The snapshot lasts until the view is closed, or until it is older than the
 * serving process allows and another one is wanted: then every read of the view
 * returns -ESTALE. A reader that is stopped or dies holds up no other process.
 *
 * -EINVAL	@flags has another bit than TALLY_SNAPSHOT_JOIN
 * -EBUSY	an older snapshot is open, and @flags lacks TALLY_SNAPSHOT_JOIN
 * -ESRCH	processes write to the ledger, and none of them serves: let one,
 *		or use a live view
 * -EAGAIN	no snapshot was taken within @timeout_ns: the process that serves
 *		is stopped, or an add takes long
 * -EIDRM	the ledger was removed or replaced: open its path again
 * -EOPNOTSUPP	the file system, or the kernel, has no locks of open file
 *		descriptions
 * -ENOMEM	no memory
 * -EBADMSG	the file is damaged or was cut short
 * other	as fcntl(2)
 */
TALLY_API TALLY_NODISCARD int tally_reader_snapshot(struct tally_reader *reader,
						    unsigned int flags,
						    int64_t timeout_ns,
						    struct tally_view **view);

/*
 * Handle a SIGBUS that a ledger caused, in a handler that was installed after
 * the first ledger was opened and does not call the one before it. @siginfo is
 * the siginfo_t of SA_SIGINFO. Return 1 if a ledger caused it: the handler
 * returns, and the read fails with -EBADMSG; 0: the signal is not of a ledger.
 * Async-signal-safe.
 */
TALLY_API TALLY_NODISCARD int tally_reader_sigbus(const void *siginfo);

struct tally_reader_info {
	size_t size; /* the caller sets sizeof(struct tally_reader_info) */
	uint8_t instance[16]; /* random, and another in each ledger: it tells
				 that a ledger was replaced */
	uint32_t version;     /* of the file format */
	int64_t created_ns;   /* since the epoch */
	uint64_t file_bytes;  /* most of them a hole */
	uint32_t max_accounts;
	uint32_t nr_accounts; /* existing ones */
	unsigned int nr_nodes;
	unsigned int nr_lanes;
	int stale;   /* 1: created before this machine was booted */
	int saved;   /* 1: by tally_reader_save(): no process writes to it */
	int removed; /* 1: the file has no name any more: it was removed or
			replaced */
};

/*
 * Get the description of the file.
 *
 * -EBADMSG	the file was cut short
 * -EINVAL	info->size is not set
 */
TALLY_API TALLY_NODISCARD int
tally_reader_describe(const struct tally_reader *reader,
		      struct tally_reader_info *info);

/* A process that has the ledger open for writing. */
struct tally_writer {
	size_t size; /* the caller sets sizeof(struct tally_writer) */
	pid_t pid;   /* in its own PID namespace */
	int alive;   /* 1, 0, or -1: not known, since the file system has no
			locks */
};

/*
 * Iterate over the processes that have the ledger open for writing. *cursor is
 * 0 at first, and belongs to the caller.
 *
 * -ENOENT	no more
 * -EINVAL	writer->size is not set
 * -EBADMSG	the file was cut short
 */
TALLY_API TALLY_NODISCARD int
tally_reader_writer_next(const struct tally_reader *reader, uint64_t *cursor,
			 struct tally_writer *writer);

/* Return the region of the node at @index, as in tally_view_node(), for
 * tally_region_verify(). It belongs to the reader. The node is of this machine:
 * index < tally_view_nr_local() (asserted). */
TALLY_API const struct tally_region *
tally_reader_region(const struct tally_reader *reader, unsigned int index);

/*
 * Save what a view shows as a ledger in an ordinary file at @path, which
 * appears once it is complete. It replaces a ledger that no process writes to,
 * and no other file. tally_reader_open() opens it, on any machine of the same
 * kind, and notices any bit that has changed since; tally_ledger_open() refuses
 * it. A snapshot is saved as it stands; of a live view each account is saved
 * as of some moment during the call. A reservation is saved with all that is
 * drawn from it, as of one moment.
 *
 * The file contains amounts, keys, phases, owners, limits, peaks, refusals and
 * reservations; it lacks leases, what is in doubt, and the time of creation.
 * What was taken with credits becomes part of a reservation.
 *
 * -EEXIST	at @path is no ledger: remove it, or save elsewhere
 * -EBUSY	at @path is the ledger that the view shows, or one that a
 *		process writes to
 * -EAGAIN	another process is replacing the file at @path, or was stopped
 *		while it changed reservations, or reservations change faster
 *		than they can be read: try again
 * -EBADMSG	the ledger is damaged or was cut short
 * other	as tally_ledger_create(), fsync(2) and rename(2)
 */
TALLY_API TALLY_NODISCARD int tally_reader_save(const struct tally_view *view,
						const char *path, mode_t mode);

TALLY_END

#endif
