/* SPDX-License-Identifier: MIT */
/*
 * reader: attaches to a ledger read-only, from any process.
 *
 * A reader needs no write access, leaves no trace in the file, and slows no
 * writer. What describes the file is copied and checked once, when it is
 * opened; what changes is checked each time it is used.
 *
 * A file that is cut short while it is read would raise SIGBUS. The first
 * ledger that a process opens, also for writing, installs a handler that turns
 * this into -EBADMSG of the call, and of all that follow; any other SIGBUS goes
 * to the handler that was there before, with its mask, stack and flags. See
 * tally_reader_fault() for a program that installs its own later. A thread that
 * reads must not block SIGBUS: the kernel ends a process for a fault that is
 * blocked.
 */
#ifndef NUMATALLY_READER_H
#define NUMATALLY_READER_H

#include <stdint.h>
#include <sys/types.h>

#include <numatally/account.h>
#include <numatally/export.h>
#include <numatally/region.h>
#include <numatally/view.h>

TALLY_BEGIN

struct tally_reader;

/*
 * Attaches to the ledger at path. The caller closes it. A last component that
 * is a symbolic link is not followed.
 *
 * -EPROTO	of another format version, or of another kind of machine
 * -EBADMSG	not a ledger, or damaged
 * -EAGAIN	its maker has not finished it
 * other	what opening and mapping the file said
 */
TALLY_API int tally_reader_open(const char *path, struct tally_reader **reader);
TALLY_API void tally_reader_close(struct tally_reader *reader);

/* A live view, which the caller closes before the reader. -ENOMEM: no memory */
TALLY_API int tally_reader_view(struct tally_reader *reader,
				struct tally_view **view);

/*
 * For a handler of SIGBUS that was installed after the first ledger was opened,
 * and that does not call the handler before it: whether this one came from a
 * ledger, by the siginfo_t that SA_SIGINFO gives. 1: it did, and is dealt with,
 * and the handler returns; 0: it did not. Async-signal-safe.
 */
TALLY_API int tally_reader_fault(const void *siginfo);

/* What the file says of itself. -EBADMSG: it was cut short */
struct tally_reader_info {
	uint8_t instance[16]; /* random, new with every ledger */
	uint32_t version;     /* of the file format */
	int64_t created_ns;   /* since the epoch */
	uint64_t file_bytes;  /* of addresses; pages that exist are fewer */
	uint32_t max_accounts;
	uint32_t nr_accounts; /* that are there */
	unsigned int nr_nodes;
	unsigned int nr_lanes;
	int stale; /* 1: made before this machine was booted */
};
TALLY_API int tally_reader_describe(const struct tally_reader *reader,
				    struct tally_reader_info *info);

/*
 * The processes that have the ledger open for writing, by slot, from *cursor
 * (0 at first) on.
 *
 * -ENOENT	no more
 * -EBADMSG	the file was cut short
 */
struct tally_writer {
	pid_t pid;	     /* in its own PID namespace */
	uint64_t start_time; /* clock ticks after boot, as /proc/PID/stat has it
			      */
	int alive; /* 1, 0, or -1: in a PID namespace that we can't see */
};
TALLY_API int tally_reader_writer(const struct tally_reader *reader,
				  uint32_t *cursor,
				  struct tally_writer *writer);

/* The region of the node at this index (as in tally_view_node()), to be
 * verified; it belongs to the reader. */
TALLY_API const struct tally_region *
tally_reader_region(const struct tally_reader *reader, unsigned int index);

/*
 * Saves what a view shows as a ledger of its own, in an ordinary file, which
 * takes the place of what is at path once it is whole. It is opened by
 * tally_reader_open(), on another machine too. A snapshot is saved as it
 * stands; of a live view each account is as it was at some moment. Amounts,
 * keys, lives, owners, limits, peaks, refusals and reservations are saved;
 * leases, doubts and the moment when the ledger was made are not. What is taken
 * without a reservation becomes part of one.
 *
 * -EBADMSG	the ledger is damaged, or was cut short
 * other	as tally_ledger_create(), and what fsync(2) and rename(2) said
 */
TALLY_API int tally_reader_save(const struct tally_view *view, const char *path,
				mode_t mode);

TALLY_END

#endif
