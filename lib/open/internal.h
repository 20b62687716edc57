/* SPDX-License-Identifier: MIT */
/* What the files of open/ share. */
#ifndef OPEN_INTERNAL_H
#define OPEN_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "ledger/mapped.h"

/* Open what is mapped, as one more writer; take over the layout, on failure
 * too. few_adds: see struct tally_ledger_options. Errors as
 * tally_ledger_open(). */
int ledger_open_over(struct layout *layout, bool few_adds,
		     struct tally_ledger **ledger);

/* As tally_ledger_open(). */
int ledger_open(const char *path, bool few_adds, struct tally_ledger **ledger);

/* Create an empty ledger that is to be saved, with the nodes, lanes, resources
 * and size of another. This process alone can open it before saved_seal(). */
int ledger_create_saved(const char *path, mode_t mode,
			const struct layout *like,
			struct tally_ledger **ledger);

/* Open a regular file, and touch no other. -ELOOP: a symbolic link. -EBADMSG:
 * another kind of file. Other errors as open(2). */
int ledger_open_file(const char *path, int flags);

/*
 * Open the file of a ledger, usable or not, that is to be removed or replaced.
 * Return a descriptor, which keeps other processes from claiming it.
 *
 * -ENOENT	no file is at @path
 * -EBADMSG	it is no ledger
 * -EAGAIN	another process has claimed it
 */
int ledger_claim(const char *path);

/* Whether the file in fd says that it is a saved ledger, to which no process
 * writes: 1, 0, or -errno of pread(2). */
int ledger_is_saved(int fd);

/* With the writer slot taken: wait while another process removes the ledger.
 * -ENOENT: it was removed. -EIDRM: it was, but path leads to it still: a mount.
 * -EAGAIN: it was being removed for a second. */
int ledger_await_removal(const struct layout *layout, const char *path);

/* Have every listed ledger prepared for the child of a fork(2). -ENOMEM.
 * Thread-safe; only the first call does it. */
int fork_init(void);

/* The description of a resource, as files hold it. -EINVAL: it is malformed. */
int ledger_resource(const struct tally_resource *from,
		    struct layout_resource *to);

/* What the caller asks for, or the defaults. -EINVAL: of no such size. */
int ledger_options(const struct tally_ledger_options *options,
		   struct tally_ledger_options *own);

#endif
