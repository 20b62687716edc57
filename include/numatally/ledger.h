/* SPDX-License-Identifier: MIT */
/*
 * ledger: a table in shared memory. Accounts are its rows, resources its
 * columns, and each pair of them has one amount per node.
 *
 * The nodes are those of this machine, of others, or of both, as the ledger's
 * topology says; each has a number (tally_topo_number()). Reservables can be
 * reserved on all of them. Counters and gauges are kept for nodes of this machine
 * alone: a topology says which one it is (tally_machine.here).
 *
 * Each CPU has a lane in memory of its own node, and adds to the cells of that
 * lane alone. One cell means nothing by itself; sums over lanes do
 * (numatally/view.h).
 *
 * Up to 256 processes may have a ledger open for writing at once. Any number of
 * threads may call every function here at once, except tally_ledger_close().
 * No function of the library is a cancellation point: pthread_cancel(3) waits
 * until the function has returned. Asynchronous cancellation must be off.
 *
 * A process has a ledger open until it closes it, ends, or calls execve(2). The
 * kernel tells the others, by a lock on the file: in every namespace (of PIDs,
 * time, users, mounts), and whether the process is stopped, has closed
 * descriptors that it did not open (closefrom(3)), or left a child of fork(2)
 * behind. Such a child writes as a process of its own: its first call that
 * writes opens the ledger again, and can fail as tally_ledger_open() does.
 *
 * The library opens a file whose descriptor was closed again, by its path.
 * -EBADF: the path leads to it no longer; such a call changed nothing.
 *
 * If the file is cut short, no process gets SIGBUS (numatally/reader.h): adds
 * are lost from then on, and functions that look at the ledger return
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

/* What changes a resource. */
enum tally_kind {
	TALLY_COUNTER = 1,    /* only grows: ns of CPU time, page faults */
	TALLY_GAUGE = 2,      /* is measured, added to and set: bytes in use */
	TALLY_RESERVABLE = 3, /* limits alone change it (numatally/limit.h):
				 cores, bytes to hand out */
};

/* A column. A name is a letter or _, then letters, digits and _; a unit is the
 * same, or empty. */
struct tally_resource {
	const char *name; /* at most 31 bytes */
	const char *unit; /* of an amount of 1, at most 15 bytes: "ns", "bytes" */
	enum tally_kind kind;
};

/* Limits that a ledger has before another process sees it; see
 * tally_limit_set_capacity() and tally_limit_set_quota(). */
struct tally_capacity {
	int node; /* its number in the ledger */
	unsigned int resource;
	int64_t capacity;
};
struct tally_quota {
	const char *key; /* of an account, which is opened */
	unsigned int resource;
	int64_t quota;
};

/* Every member but size may be 0, for its default. */
struct tally_ledger_options {
	size_t size; /* the caller sets sizeof(struct tally_ledger_options) */
	uint32_t max_accounts;	/* default 4096, at most 2^26; unused rows cost
				   addresses, but no memory */
	uint32_t max_key_bytes; /* default 191, at most 4095 */
	mode_t mode;		/* of the file: default 0640 */
	int exclusive; /* 1: this process alone writes to the ledger, and
				   adds faster; others can only read it */
	const struct tally_capacity *capacities;
	unsigned int nr_capacities;
	unsigned int nr_quotas;
	const struct tally_quota *quotas;
	uint32_t nr_spare; /* columns left for tally_ledger_declare(): as many
			      bytes as another resource has, from the start */
	int few_adds;	   /* 1: this process will add seldom. In a process with
			 threads, opening waits for all CPUs (5 to 10 ms, by
			 the kernel), so that adds need no fence; with this,
			 it does not, and each add takes a fence and a call.
			 Without effect in an exclusive ledger */
};

/*
 * Create a ledger at @path, on a tmpfs, for the nodes of @topo and this machine's
 * CPUs, and open it for writing. The path appears once the ledger is complete.
 * With @path NULL the ledger has no name: only this process and its children reach
 * it. @options may be NULL. Memory that cannot be placed on its node is not an
 * error (numatally/region.h).
 *
 * -EINVAL	@resources is empty, or has over 512 with the spare columns, a
 *		name, unit or kind is malformed, options->size is not set, @topo
 *		has over 65,536 nodes or 32,768 machines, or this machine over
 *		1,024 nodes or 32,768 CPUs, or max_accounts is over 2^26 or
 *		max_key_bytes over 4095, or a capacity or quota is negative or
 *		of a resource that is not reservable, or a quota's key is empty
 * -ENOENT	a capacity is of a node that @topo lacks; or no such directory
 * -E2BIG	accounts × nodes × CPUs need more addresses than there are: lower
 *		max_accounts; or @options has a member set that this library does
 *		not know
 * -EEXIST	@path exists, or two resources have one name
 * -ENOSPC	the file system is full, or the quotas name more accounts than
 *		max_accounts
 * -EFBIG	the limit on file sizes of the process is too low
 * -EOPNOTSUPP	the file system, or the kernel (before Linux 3.15), has no locks
 *		of open file descriptions: use a tmpfs
 * -ENOSYS	@path is NULL, and /proc is not mounted
 * other	as open(2), ftruncate(2), mmap(2) and fcntl(2), and for a quota
 *		as tally_account_open() and tally_limit_set_quota()
 */
TALLY_API TALLY_NODISCARD int
tally_ledger_create(const char *path, const struct tally_topo *topo,
		    const struct tally_resource *resources,
		    unsigned int nr_resources,
		    const struct tally_ledger_options *options,
		    struct tally_ledger **ledger);

/*
 * Open the ledger at @path for writing, beside the processes that have it
 * open.
 *
 * -EPROTO	another format version, or another kind of machine
 * -EBADMSG	not a ledger, or damaged
 * -EAGAIN	the process that creates it, or one that removes it, has not
 *		finished: try again
 * -ENOENT	none is at @path, or another process has just removed it
 * -ELOOP	@path is a symbolic link, which is not followed: pass its target
 * -EIDRM	it was removed or replaced, but a bind mount has its file at @path:
 *		mount it anew
 * -ESTALE	created before the machine was booted
 * -EROFS	a saved ledger (tally_reader_save()), or on a file system that is
 *		read-only: tally_reader_open() reads it
 * -EUSERS	256 have it open for writing: each opening counts, also if one
 *		process opens it twice
 * -EBUSY	it is exclusive, and another process has it open for writing
 * -EOPNOTSUPP	as from tally_ledger_create()
 * -ENOSYS	a child of fork(2): /proc is not mounted, and the path leads to
 *		the file no longer
 * other	as open(2), mmap(2) and fcntl(2)
 */
TALLY_API TALLY_NODISCARD int tally_ledger_open(const char *path,
						struct tally_ledger **ledger);

/*
 * Open the ledger at @path if it is usable, and complete what dead writers
 * left unfinished; otherwise create it. A ledger that is opened keeps its own
 * limits and spare columns: options, but few_adds, are for one that is created.
 * @resources may have those that were declared later, or lack them; @topo may
 * lack nodes that the ledger has, as those that went offline. If @why is not
 * NULL, set *why to 0 or, if the ledger was created, to the reason:
 *
 *	-ENOENT		there was none
 *	-ESTALE, -EPROTO, -EBADMSG	as from tally_ledger_open(); the old
 *			ledger is removed, and processes that have it open keep
 *			it to themselves
 *
 * Processes that call it at once get the same ledger. Errors as
 * tally_ledger_open() and tally_ledger_create(), and
 *
 * -EBADMSG	at @path is no ledger: remove it, or use another path
 * -EEXIST	the ledger has other resources; or it lacks a node of @topo, has it on
 *		a machine of another name, or does not count on @topo's CPUs: remove
 *		it, use another path, or go on without by tally_ledger_open()
 * -EAGAIN	other processes kept opening or creating it for a second: try
 *		again
 */
TALLY_API TALLY_NODISCARD int
tally_ledger_open_or_create(const char *path, const struct tally_topo *topo,
			    const struct tally_resource *resources,
			    unsigned int nr_resources,
			    const struct tally_ledger_options *options,
			    struct tally_ledger **ledger, int *why);

/* What tally_ledger_remove() may remove besides a ledger that nobody uses. */
#define TALLY_REMOVE_ACCOUNTS 0x1u /* one that has accounts */
#define TALLY_REMOVE_IN_USE   0x2u /* one that is in use or damaged, too */

/*
 * Remove the ledger at @path if it has no account and no process has it open for
 * writing, this one included. A process that opens it meanwhile keeps it, or
 * gets -ENOENT. @flags, of TALLY_REMOVE_*, allow more; processes that write to a
 * ledger in use go on in a file without a name.
 *
 * -EBUSY	it is in use, or has an account
 * -EAGAIN	another process is about to remove or replace it: try again
 * -EBADMSG	not a ledger, which no flag allows, nor is a symbolic link; or
 *		damaged
 * -EINVAL	an unknown flag
 * other	as tally_ledger_open() and unlink(2)
 */
TALLY_API TALLY_NODISCARD int tally_ledger_remove(const char *path,
						  unsigned int flags);

/*
 * Let this process take snapshots for readers of the ledger, and fold what closed
 * ones leave, in a thread of its own, which sleeps until it is wanted. The thread
 * ends when the ledger is closed; a child of fork(2) has none. Several processes
 * may serve. @keep_ns: a reader's snapshot that is older gives way to the next
 * one; 0 stands for 5 s. The last call of any process counts. Thread-safe.
 *
 * -EINVAL	@keep_ns is negative
 * -EAGAIN	no thread can be started
 * -EPERM	this process is a child of fork(2), and the ledger is exclusive
 * -ENOMEM	no memory
 * other	as tally_ledger_open(), in a child of fork(2)
 */
TALLY_API TALLY_NODISCARD int tally_ledger_serve(struct tally_ledger *ledger,
						 int64_t keep_ns);

/*
 * Fold what closed snapshots left, so that the next one need not. Thread-safe.
 *
 * -EBUSY	a snapshot is open
 * other	as tally_view_snapshot()
 */
TALLY_API TALLY_NODISCARD int tally_ledger_fold(struct tally_ledger *ledger,
						int64_t timeout_ns);

/* Close the ledger in this process; takes NULL. The file stays until it is
 * removed. No other thread may use the ledger or a view of it. */
TALLY_API void tally_ledger_close(struct tally_ledger *ledger);

/*
 * Write the path of the ledger with this name into path[0 .. bytes). A name
 * with a '/' is the path itself. Any other is the file name.ledger in
 * $NUMATALLY_DIR or, if that is not set, in /dev/shm/numatally-UID (root:
 * /dev/shm/numatally).
 *
 * -EINVAL		the name is empty or starts with a dot
 * -ENAMETOOLONG	the path does not fit
 */
TALLY_API TALLY_NODISCARD int tally_ledger_path(const char *name, char *path,
						size_t bytes);

/*
 * Write the path of an existing ledger into path[0 .. bytes), to read it: the
 * path of tally_ledger_path() or, if no file is there and $NUMATALLY_DIR is
 * not set, the one in root's directory, /dev/shm/numatally. A name with a '/' is
 * the path itself, where the function does not look. Errors as
 * tally_ledger_path(), and
 *
 * -ENOENT	neither exists
 * -EPERM	another user than root can write to root's directory
 */
TALLY_API TALLY_NODISCARD int tally_ledger_find(const char *name, char *path,
						size_t bytes);

/*
 * Create the directory of tally_ledger_path(), mode 0755, unless it exists.
 *
 * -EPERM	it exists, and other users can write to it: do not use it
 * other	as mkdir(2)
 */
TALLY_API TALLY_NODISCARD int tally_ledger_make_dir(void);

/* Return the directory of accounts. It belongs to the ledger. */
TALLY_API struct tally_accounts *
tally_ledger_accounts(struct tally_ledger *ledger);

/* Return the number of the resource with this name: its place, from 0, among
 * the resources as they were declared. -ENOENT: no such resource; -EBADMSG: the
 * file is damaged. */
TALLY_API TALLY_NODISCARD int
tally_ledger_resource(const struct tally_ledger *ledger, const char *name);

/*
 * Declare a resource, in a column that was left spare when the ledger was made
 * (options->nr_spare), and return its number. All processes may go on meanwhile:
 * each finds the resource whole or not at all, also if this process is killed;
 * once found, it is there for good. A writer can use the number at once; a view
 * has the resources that there are when it is opened.
 *
 * The @capacities, of which member resource is ignored, are set before any
 * process can find a reservable: no more than these is ever granted. A node that
 * is not among them has none.
 *
 * If a resource of that name has the same unit and kind, return its number: it
 * keeps its own capacities. So of processes that declare it at once, each gets
 * the same number.
 *
 * -EEXIST	a resource of that name has another unit or kind
 * -ENOSPC	no spare column is left: create a ledger with more, and let
 *		writers move there
 * -EINVAL	the name, unit or kind is malformed, a capacity is negative, or
 *		there are capacities of a resource that is not reservable
 * -ENOENT	a capacity is of a node that the ledger lacks
 * -EAGAIN	other processes, or a stopped one, had the lock of limits for
 *		TALLY_LIMIT_WAIT_NS: try again
 * -EBADMSG	the file is damaged
 * -EPERM	this process is a child of fork(2), and the ledger has a single
 *		writing process
 * -EUSERS	too many processes have the ledger open (in a child of fork(2))
 */
TALLY_API TALLY_NODISCARD int tally_ledger_declare(
	struct tally_ledger *ledger, const struct tally_resource *resource,
	const struct tally_capacity *capacities, unsigned int nr_capacities);

/*
 * Declare a reservable with quotas, too, of which member resource is ignored:
 * from the instant at which a process can find the resource they bind, as the
 * capacities do. An account that a quota names is opened if there is none; a
 * resource that exists keeps its own quotas. Errors as tally_ledger_declare(),
 * and
 *
 * -EINVAL	a quota is negative, or its key is empty
 * -E2BIG	there are too many quotas, where 4,095 is the most: each counts
 *		twice for each column, spare ones too, and twice more; or a key
 *		as in tally_limit_set_quota()
 * -ESTALE	an account was ended meanwhile: try again
 * others	as tally_account_open() and tally_limit_set_quota()
 */
TALLY_API TALLY_NODISCARD int tally_ledger_declare_limited(
	struct tally_ledger *ledger, const struct tally_resource *resource,
	const struct tally_capacity *capacities, unsigned int nr_capacities,
	const struct tally_quota *quotas, unsigned int nr_quotas);

/*
 * Add @amount to one resource of the account, for the node of the CPU that
 * executes the call. A failed call changes nothing. It can only fail if the
 * account is gone or the arguments are wrong, on a CPU's first add to a run of
 * 64 accounts, and on a thread's first add to the ledger. Async-signal-safe,
 * except a thread's first add to the ledger; a handler may also leave it by
 * siglongjmp(3): the add is then done or not. Snapshots wait for what was left
 * until the thread adds again, from no deeper in the stack, takes a snapshot or
 * ends. numatally/ledger_inline.h has the same without a call. The handle must be of
 * this ledger, of an account that may be gone: that of another one is undefined.
 *
 * -EINVAL	no such resource, it is reservable, or it is a counter and the
 *		amount is negative
 * -ESTALE	the account is gone; its row's next account gets nothing
 * -ENOSPC	the file system is full
 * -ENOMEM	no memory
 * -EUSERS	4096 threads use the ledger
 * -EPERM	this process is a child of fork(2), and the ledger has a single
 *		writing process: write from the parent
 * -EREMOTE	the ledger has no node of this machine: only reserve in it
 * -EBADMSG	the file is damaged or was cut short; not every add notices
 */
TALLY_API TALLY_NODISCARD int tally_ledger_add(struct tally_ledger *ledger,
					       struct tally_account account,
					       unsigned int resource,
					       int64_t amount);

/* As a node: the node of the CPU that executes the call. */
#define TALLY_NODE_LOCAL (-1)

/* An amount of a resource. */
struct tally_amount {
	unsigned int resource;
	int64_t amount;
};

/*
 * Add several amounts to one account, for one node: all of them or, on
 * failure, none. At most 64 amounts (asserted). The call writes to this CPU's
 * own cells for every node: an amount is *for* a node, but does not lie there.
 *
 * A snapshot contains the charge whole or not at all; a live view may see some
 * amounts before others. If the process is killed in the middle, or a signal
 * handler leaves it by siglongjmp(3), some amounts stay, and a later snapshot
 * reports it (struct tally_in_doubt).
 *
 * Two or four amounts for TALLY_NODE_LOCAL whose resources are numbered in a
 * row are added by one store if the CPU has one (x86-64: AVX2 for four;
 * aarch64: two, from an even number). That costs little more than one add, and
 * a kill leaves all of it or nothing.
 *
 * Errors as tally_ledger_add(), and
 *
 * -ENOENT	the ledger has no such node
 * -EREMOTE	the node is of another machine: only reserve on it
 */
TALLY_API TALLY_NODISCARD int
tally_ledger_charge(struct tally_ledger *ledger, struct tally_account account,
		    int node, const struct tally_amount *amounts,
		    unsigned int nr_amounts);

/* An amount of a resource, of one account, for one node. The members are frozen
 * under the library's soname. */
struct tally_entry {
	struct tally_account account;
	int node;
	unsigned int resource;
	int64_t amount;
};

/*
 * The same over several accounts and nodes, which moves amounts between them:
 * no snapshot sees a part of it. At most 64 entries (asserted). Errors as
 * tally_ledger_charge(); -ESTALE if any account is gone.
 */
TALLY_API TALLY_NODISCARD int
tally_ledger_post(struct tally_ledger *ledger,
		  const struct tally_entry *entries, unsigned int nr_entries);

/*
 * Add each of the entries, as a call of its own would: a snapshot may have some of
 * them and lack others. Stop at the first that fails: return its error, and set
 * *@nr_added to its index, which is also the number of entries before it, that
 * were added. On success *@nr_added is @nr_entries. A program that calls from
 * another language pays once for many adds. Errors and the rest as
 * tally_ledger_add(), and as tally_ledger_charge() for an entry that names a node.
 */
TALLY_API TALLY_NODISCARD int
tally_ledger_add_each(struct tally_ledger *ledger,
		      const struct tally_entry *entries, size_t nr_entries,
		      size_t *nr_added);

/*
 * Set several gauges of one account on one node to these amounts: read the sums,
 * and add what each lacks, as one charge. At most 64 amounts (asserted). A lock
 * has the sets of a ledger take turns, in all threads and processes: after the
 * last of them the sum is what it set, and what was added since. An add that runs
 * beside a set counts before it, and is then replaced by it, or after it; neither
 * waits for the other. In a snapshot, too, the gauge has the amount of one of the
 * sets, and what was added after that one.
 *
 * If the process is killed, the gauge has its old amount or its new one, and the
 * next set goes on; of several gauges some may be set. As an add, it is reported
 * as in doubt if the kill came in the middle of it. Not async-signal-safe.
 *
 * Errors as tally_ledger_charge() and tally_view_account(), and
 *
 * -EINVAL	a resource is not a gauge
 * -ENOENT	the ledger has no such node; TALLY_NODE_LOCAL is none here
 * -EAGAIN	another process, which was stopped, has had the lock for over a
 *		second: try again
 */
TALLY_API TALLY_NODISCARD int
tally_ledger_set(struct tally_ledger *ledger, struct tally_account account,
		 int node, const struct tally_amount *amounts,
		 unsigned int nr_amounts);

/* The same of one gauge. */
TALLY_API TALLY_NODISCARD int tally_gauge_set(struct tally_ledger *ledger,
					      struct tally_account account,
					      int node, unsigned int resource,
					      int64_t amount);

/* The same, unless the gauge has as much or more: of a peak that several
 * processes keep, none lowers what another saw. */
TALLY_API TALLY_NODISCARD int tally_gauge_raise(struct tally_ledger *ledger,
						struct tally_account account,
						int node, unsigned int resource,
						int64_t amount);

TALLY_END

#endif
