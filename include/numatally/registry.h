/* SPDX-License-Identifier: MIT */
/*
 * registry: the ledgers that this machine has, by name.
 *
 * They are the files NAME.ledger in $NUMATALLY_DIR or, if that is not set, in
 * root's directory, /dev/shm/numatally, and in each user's,
 * /dev/shm/numatally-UID. Users may put anything there: what is no ledger, or
 * can't be read, is an entry with an error, and costs no other entry.
 */
#ifndef NUMATALLY_REGISTRY_H
#define NUMATALLY_REGISTRY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/export.h>

TALLY_BEGIN

/* The names as they were when they were listed. Any number of threads may
 * iterate at once, each with a cursor of its own. */
struct tally_registry;

struct tally_registry_entry {
	size_t size; /* the caller sets sizeof(struct tally_registry_entry) */
	/* Both belong to the registry, and may have any bytes but NUL. */
	const char *path;
	const char *name; /* NULL: path is a directory that can't be listed, and
			     may have ledgers */
	int error;	  /* 0, or why it can't be read: as from
			     tally_reader_open(); of a directory as from open(2),
			     or -EPERM: another user than its name says owns it */
	/* Known with an error, too, but not of a directory: */
	uid_t uid;		/* the file's owner */
	int64_t resident_bytes; /* memory that the file takes */
	/* Known without an error: */
	uint8_t instance[16];	 /* as in struct tally_reader_info */
	int64_t created_ns;	 /* since the epoch */
	int stale;		 /* 1: created before this machine was booted */
	uint32_t nr_accounts;	 /* existing ones */
	unsigned int nr_alive;	 /* processes that have it open for writing */
	unsigned int nr_dead;	 /* that ended without closing it */
	unsigned int nr_unknown; /* its file system has no locks, so that they
				    may be alive or not */
	int saved;   /* 1: by tally_reader_save(): none writes to it */
	int removed; /* 1: it was removed or replaced, and a bind mount has its
			file at the path: nobody can open it for writing */
};

/* Only list: no ledger is opened, and path, name and the errors of directories
 * are all that entries have. */
#define TALLY_REGISTRY_NAMES 0x1u

/*
 * List the ledgers, by name, then by path; directories that can't be listed come
 * first. Directories that are missing have none. @flags: 0, or
 * TALLY_REGISTRY_NAMES. The caller closes the registry. No other thread may
 * change the environment meanwhile.
 *
 * -EINVAL	an unknown flag
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int
tally_registry_open(unsigned int flags, struct tally_registry **registry);
/* Takes NULL. */
TALLY_API void tally_registry_close(struct tally_registry *registry);

/*
 * Get the next entry, and look into its ledger: as it is now. *cursor is 0 at
 * first, and belongs to the caller. A ledger that was removed after it was
 * listed is left out.
 *
 * -ENOENT	no more
 * -EINVAL	entry->size is not set
 * -ENOMEM	no memory: the next call tries the same entry again
 */
TALLY_API TALLY_NODISCARD int
tally_registry_next(const struct tally_registry *registry, uint64_t *cursor,
		    struct tally_registry_entry *entry);

TALLY_END

#endif
