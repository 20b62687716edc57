/* SPDX-License-Identifier: MIT */
/*
 * ledger: a table in shared memory: accounts down, resources across, and an
 * amount per node for each.
 *
 * Each CPU has a lane, in memory of its own node, and adds to the cells of
 * that lane only. A single cell means nothing; sums over lanes do (view).
 *
 * Several processes may have one ledger open for writing at once, and any
 * number of threads in each may call everything here but close at once.
 *
 * Where somebody cuts the file short, nobody gets SIGBUS (numatally/reader.h
 * says how): adds are lost from then on, and whatever looks at the ledger says
 * -EBADMSG.
 */
#ifndef NUMATALLY_LEDGER_H
#define NUMATALLY_LEDGER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/account.h>
#include <numatally/export.h>
#include <numatally/topo.h>

TALLY_BEGIN

struct tally_ledger;

enum tally_kind {
	TALLY_COUNTER = 1, /* only grows: ns of CPU time, page faults */
	TALLY_STOCK = 2,   /* held and given back: cores, bytes */
};

/* A column. A name is a letter or _, then letters, digits and _, as metrics
 * are named; a unit is the same, or empty. */
struct tally_resource {
	const char *name; /* at most 31 bytes */
	const char
		*unit; /* of an amount of 1, at most 15 bytes: "ns", "bytes" */
	enum tally_kind kind;
};

/* What may be left 0 has a default. */
struct tally_ledger_options {
	uint32_t max_accounts;	/* 4096 by default, 2^26 at most; what is not
				   used costs no memory, only addresses */
	uint32_t max_key_bytes; /* 191 by default, 4095 at most */
	mode_t mode;		/* of the file: 0640 by default */
	int exclusive;		/* 1: this process alone will write to it, and
				   its adds are faster; nobody else can open it
				   but to read */
};

/*
 * Makes a ledger at path, on a tmpfs (NULL: an unnamed one, that this process
 * and its children alone can reach), over the nodes and CPUs of topo, and
 * opens it for writing. It is seen under path only once it is whole. Memory
 * that can't be placed on its node is not an error: see tally_region.
 *
 * -EINVAL	no resource, more than 512, or a name or unit of another form
 * -EEXIST	path exists, or two resources have one name
 * -ENOSPC	the file system is full
 * -EFBIG	the process's file-size limit
 * -E2BIG	too many accounts × nodes × CPUs for the address space
 * other	what opening, sizing and mapping the file said
 */
TALLY_API int tally_ledger_create(const char *path,
				  const struct tally_topo *topo,
				  const struct tally_resource *resources,
				  unsigned int nr_resources,
				  const struct tally_ledger_options *options,
				  struct tally_ledger **ledger);

/*
 * Opens the ledger at path, as one more writer.
 *
 * -EPROTO	of another format version, or of another kind of machine
 * -EBADMSG	not a ledger, or damaged
 * -EAGAIN	its maker has not finished it
 * -ESTALE	made before the machine was booted
 * -EUSERS	too many processes have it open
 * -EBUSY	its maker alone writes to it
 * other	what opening and mapping the file said
 */
TALLY_API int tally_ledger_open(const char *path, struct tally_ledger **ledger);

/*
 * Opens the ledger at path, where there is one that can be gone on with: with
 * all that it holds, and what those who had it open and died had begun taken
 * care of. Else makes one in its place: *why (where not NULL) is 0 or, where it
 * was made, the reason:
 *
 *	-ENOENT		there was none
 *	-ESTALE, -EPROTO, -EBADMSG	as tally_ledger_open() said; the file is
 *			removed, and whoever has it open still is on his own
 *
 * Processes may do so at once, and get the same one. -EEXIST: it is there, and
 * has other resources; -EAGAIN: others are at it, for a second; others as
 * tally_ledger_open() and tally_ledger_create() say.
 */
TALLY_API int tally_ledger_adopt(const char *path,
				 const struct tally_topo *topo,
				 const struct tally_resource *resources,
				 unsigned int nr_resources,
				 const struct tally_ledger_options *options,
				 struct tally_ledger **ledger, int *why);

/* Ends this process's use; the ledger stays until its file is removed. No
 * other thread may be using it, nor a view of it. */
TALLY_API void tally_ledger_close(struct tally_ledger *ledger);

/*
 * Where the ledger of this name lies: name itself where it has a '/' in it;
 * else, in $NUMATALLY_DIR or, without that, /dev/shm/numatally-UID
 * (/dev/shm/numatally for root), the file name.ledger.
 *
 * -EINVAL		the name is empty or starts with a dot
 * -ENAMETOOLONG	it doesn't fit
 */
TALLY_API int tally_ledger_path(const char *name, char *path, size_t bytes);

/*
 * Where the ledger of this name is, for who reads it: as tally_ledger_path()
 * says, or, where there is none and $NUMATALLY_DIR is not set, in the system's
 * directory, which is root's: /dev/shm/numatally.
 *
 * -ENOENT	in neither
 * -EPERM	the system's directory is not root's alone
 * others	as tally_ledger_path()
 */
TALLY_API int tally_ledger_find(const char *name, char *path, size_t bytes);

/*
 * Makes the directory of tally_ledger_path(), mode 0755, unless it is there.
 *
 * -EPERM	it is there, and somebody else could put ledgers into it
 * other	what mkdir(2) said
 */
TALLY_API int tally_ledger_make_dir(void);

/* The directory of the accounts; borrowed, ends with the ledger. */
TALLY_API struct tally_accounts *
tally_ledger_accounts(struct tally_ledger *ledger);

/* The number of the resource with this name, or -ENOENT. Resources are
 * numbered in the order in which they were declared. */
TALLY_API int tally_ledger_resource(const struct tally_ledger *ledger,
				    const char *name);

/*
 * Adds amount to the account's cell of that resource, for the node of the CPU
 * that it runs on. A failed add has changed nothing: fails only where the
 * account has ended, or this CPU touches a run of 64 accounts for the first
 * time, or this thread the ledger. Async-signal-safe but for a thread's first
 * add to the ledger. numatally/ledger_inline.h has the same without the call.
 *
 * -ESTALE	the account is gone: nothing is ever added to the one that has
 *		its row now
 * -ENOSPC	the file system is full
 * -ENOMEM	no memory
 * -EUSERS	4096 threads use the ledger
 * -EPERM	a child of fork(2), in a ledger that one process writes to
 * -EBADMSG	the file was cut short; not every add can tell
 */
TALLY_API int tally_ledger_add(struct tally_ledger *ledger,
			       struct tally_account account,
			       unsigned int resource, int64_t amount);

/*
 * Adds to 2, 4 resources of one account that stand side by side, the first
 * one's number being a multiple of 2, 4 (asserted), for the node of the CPU: in
 * one store where the CPU has one so wide, else as tally_ledger_post().
 * Errors as tally_ledger_add().
 */
TALLY_API int tally_ledger_add2(struct tally_ledger *ledger,
				struct tally_account account,
				unsigned int resource,
				const int64_t amounts[2]);
TALLY_API int tally_ledger_add4(struct tally_ledger *ledger,
				struct tally_account account,
				unsigned int resource,
				const int64_t amounts[4]);

/* Which node an amount is for, where it is not the updating CPU's own. */
#define TALLY_NODE_LOCAL (-1)

/* An amount of a resource. */
struct tally_amount {
	unsigned int resource;
	int64_t amount;
};

/*
 * Adds several amounts to one account, for one node: all of them or, on
 * failure, none. The cells are this CPU's own whatever the node: an amount is
 * *for* a node, it does not lie there. A snapshot has the charge whole or not
 * at all; a live view may see some of the amounts before others; a process that
 * is killed in the middle leaves some of them, and says so: see
 * tally_snapshot_info.
 *
 * -ENOENT	the ledger has no such node
 * others	as tally_ledger_add(); -ESTALE where any account is gone
 */
TALLY_API int tally_ledger_charge(struct tally_ledger *ledger,
				  struct tally_account account, int node,
				  const struct tally_amount *amounts,
				  unsigned int nr_amounts);

/* An amount of a resource, of one account, for one node. */
struct tally_entry {
	struct tally_account account;
	int node;
	unsigned int resource;
	int64_t amount;
};

/*
 * The same over several accounts and nodes: what one gives another takes, and
 * no snapshot sees it in between. 64 entries at most (asserted).
 */
TALLY_API int tally_ledger_post(struct tally_ledger *ledger,
				const struct tally_entry *entries,
				unsigned int nr_entries);

TALLY_END

#endif
