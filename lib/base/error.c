// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <numatally/error.h>

struct words {
	const char *of; /* prefix of functions' names */
	int error;
	const char *text;
};

#define GONE	   "the account is gone"
#define NO_NODE	   "the ledger has no such node"
#define FORKED	   "a child of fork(2) can't write to a ledger of one process"
#define NO_BARRIER "the kernel refuses membarrier(2)"
#define NO_LOCKS \
	"neither file system nor kernel have locks of open file descriptions"
#define NO_PROC	   "/proc is not mounted, and no path leads to the ledger"
#define CHILDREN   "its children have more than would be left"
#define GIVEN_UP   "the snapshot was given up for a newer one"
#define FULL	   "the file system is full"
#define OTHER_KIND "a resource of this name has another unit or kind"
#define OVER_63	   "the accounts have more than 63 bits together"
#define KEY_LONG   "the key is too long"
#define NO_PROCFS  "/proc is not mounted, or not in the captured tree"
#define NO_ROW	   "no row is free, or the file system is full"
#define TOO_BIG                                                              \
	"it needs too many addresses, has an unknown option, or a key with " \
	"too many '/'"
#define FILE_LIMIT "the process may not write a file of this size"
#define NOT_VALID \
	"a resource or an option is not valid, or the topology is too large"
#define PATH_LONG    "the path, or the key of a quota, is too long"
#define NO_DIR	     "no such directory, or no such node for a capacity"
#define FULL_OR_ROWS "the file system is full, or the quotas need more rows"
#define ENDED	     "an account was ended meanwhile"
#define NO_LIMIT     "no such resource, or the size is not set"
#define PLACE_GONE \
	"the account is gone, or another credit got the place of this one"
#define NO_PAGES "the kernel does not tell where pages are"
#define NO_SIZE	 "the size of a structure is not set"
#define UNDER_CHANGE \
	"a process was stopped or killed while it changed reservations"
#define LOCKED "another process keeps the ledger locked"

/* clang-format off */
#define UPDATES(error, text)						\
	{"tally_ledger_add", error, text},				\
	{"tally_ledger_charge", error, text},				\
	{"tally_ledger_post", error, text},				\
	{"tally_ledger_set", error, text}
/* clang-format on */

/* The first match counts, so longer names stand before shorter ones. */
static const struct words words[] = {
	{"tally_account_declare", EEXIST, "an account has this key"},
	{"tally_account_declare", EINVAL, "the key is empty"},
	{"tally_account_declare", ENOSPC, NO_ROW},
	{"tally_account_find", ENOENT, "no such account"},
	{"tally_account_next", ENOENT, "no more accounts"},
	{"tally_account_open", EINVAL, "the key is empty"},
	{"tally_account_open", ENOSPC, NO_ROW},
	{"tally_account_owner", ENOENT, "the account has no owner"},
	{"tally_account_set_owner", EEXIST, "the account has another owner"},
	{"tally_account_set_owner", ELOOP, "the account would own itself"},
	{"tally_account_set_owner", ESHUTDOWN,
	 "the account or its owner to be is terminating"},
	{"tally_account_set_owner", ESTALE,
	 "the account or its owner to be is gone"},
	{"tally_account_", EAGAIN, LOCKED},
	{"tally_account_", ENAMETOOLONG, KEY_LONG},
	{"tally_account_", EPERM, FORKED},
	{"tally_account_", ERANGE, "the key does not fit"},
	{"tally_account_", EROFS, "the ledger is open for reading alone"},
	{"tally_account_", ESTALE, GONE},

	{"tally_gauge_", EAGAIN, LOCKED},
	{"tally_gauge_", EINVAL, "the resource is not a gauge"},
	{"tally_gauge_", ENOENT, NO_NODE},
	{"tally_gauge_", EPERM, FORKED},
	{"tally_gauge_", EREMOTE, "the node is of another machine"},
	{"tally_gauge_", ESTALE, GONE},

	{"tally_kernel_groups_find_figure", ENOENT, "no such figure"},
	{"tally_kernel_groups_find", ENOENT, "no such cgroup"},
	{"tally_kernel_groups_mount", ENOENT,
	 "no such hierarchy is mounted, or has a number"},
	{"tally_kernel_groups_open", ENOENT,
	 "no memory controller is mounted, or there is no such cgroup"},
	{"tally_kernel_mem_", ENOENT, NO_PROCFS},
	{"tally_kernel_nodes_find_figure", ENOENT, "no such figure"},
	{"tally_kernel_nodes_open", ENOENT,
	 "no such directory, or it has no nodes and no memory"},
	{"tally_kernel_peak_", ENOENT, NO_PROCFS},
	{"tally_kernel_peak_look", EAGAIN, "a child has ended: wait for it"},
	{"tally_kernel_processes_find", ENOENT, "no such process"},
	{"tally_kernel_processes_open", ENOENT, NO_PROCFS},
	{"tally_kernel_tree_", ENOENT, NO_PROCFS},
	{"tally_kernel_", EBADMSG, "malformed"},
	{"tally_kernel_", EFBIG, "too many figures"},
	{"tally_kernel_", ENODATA, "not known"},
	{"tally_kernel_", ERANGE, "a number out of range"},

	{"tally_ledger_create", E2BIG, TOO_BIG},
	{"tally_ledger_create", EEXIST,
	 "the path exists, or two resources have one name"},
	{"tally_ledger_create", EFBIG, FILE_LIMIT},
	{"tally_ledger_create", EINVAL, NOT_VALID},
	{"tally_ledger_create", ENAMETOOLONG, PATH_LONG},
	{"tally_ledger_create", ENOENT, NO_DIR},
	{"tally_ledger_create", ENOSPC, FULL_OR_ROWS},
	{"tally_ledger_declare_limited", E2BIG,
	 "too many quotas at once, or a key has too many '/'"},
	{"tally_ledger_declare_limited", EAGAIN, LOCKED},
	{"tally_ledger_declare_limited", EEXIST, OTHER_KIND},
	{"tally_ledger_declare_limited", EINVAL,
	 "a resource or a key is malformed, or can't have these limits"},
	{"tally_ledger_declare_limited", ENAMETOOLONG, KEY_LONG},
	{"tally_ledger_declare_limited", ENOENT, NO_NODE},
	{"tally_ledger_declare_limited", ENOSPC,
	 "no spare column or no row is left, or the file system is full"},
	{"tally_ledger_declare_limited", EOVERFLOW, OVER_63},
	{"tally_ledger_declare_limited", EPERM, FORKED},
	{"tally_ledger_declare_limited", ESTALE, ENDED},
	{"tally_ledger_declare", EAGAIN, LOCKED},
	{"tally_ledger_declare", EEXIST, OTHER_KIND},
	{"tally_ledger_declare", EINVAL,
	 "a resource is malformed, or can't have these capacities"},
	{"tally_ledger_declare", ENOENT, NO_NODE},
	{"tally_ledger_declare", ENOSPC, "no spare column is left"},
	{"tally_ledger_declare", EPERM, FORKED},
	{"tally_ledger_find", ENAMETOOLONG, "the path does not fit"},
	{"tally_ledger_find", ENOENT, "no such ledger"},
	{"tally_ledger_find", EPERM,
	 "other users can write to the directory of ledgers"},
	{"tally_ledger_find", EINVAL, "not a name for a ledger"},
	{"tally_ledger_fold", EAGAIN,
	 "another process has the snapshot in hand, or an add takes long"},
	{"tally_ledger_fold", EBUSY, "a snapshot is in use"},
	{"tally_ledger_fold", ENOSPC, FULL},
	{"tally_ledger_fold", ENOSYS, NO_BARRIER},
	{"tally_ledger_fold", EPERM, FORKED},
	{"tally_ledger_serve", EAGAIN, "no thread can be started"},
	{"tally_ledger_serve", EINVAL, "a time below 0"},
	{"tally_ledger_serve", EPERM, FORKED},
	{"tally_ledger_make_dir", ENAMETOOLONG, "the path is too long"},
	{"tally_ledger_make_dir", EPERM,
	 "other users can write to the directory of ledgers"},
	{"tally_ledger_open_or_create", E2BIG, TOO_BIG},
	{"tally_ledger_open_or_create", EAGAIN,
	 "other processes keep opening or creating the ledger"},
	{"tally_ledger_open_or_create", EBADMSG, "a file that is no ledger"},
	{"tally_ledger_open_or_create", EEXIST,
	 "the ledger has other resources or nodes"},
	{"tally_ledger_open_or_create", EFBIG, FILE_LIMIT},
	{"tally_ledger_open_or_create", EINVAL, NOT_VALID},
	{"tally_ledger_open_or_create", ENAMETOOLONG, PATH_LONG},
	{"tally_ledger_open_or_create", ENOENT, NO_DIR},
	{"tally_ledger_open_or_create", ENOSPC, FULL_OR_ROWS},
	{"tally_ledger_open", EAGAIN,
	 "the process that makes or removes it has not finished"},
	{"tally_ledger_create", EOPNOTSUPP, NO_LOCKS},
	{"tally_ledger_create", ENOSYS, NO_PROC},
	{"tally_ledger_open", EOPNOTSUPP, NO_LOCKS},
	{"tally_ledger_open", ENOSYS, NO_PROC},
	{"tally_ledger_open", EBUSY, "one process alone writes to the ledger"},
	{"tally_ledger_open", ELOOP, "a symbolic link, which is not followed"},
	{"tally_ledger_open", EIDRM,
	 "the ledger was removed or replaced, and a mount keeps its file"},
	{"tally_ledger_open", ESTALE, "the ledger is of an earlier boot"},
	{"tally_ledger_path", EINVAL, "not a name for a ledger"},
	{"tally_ledger_path", ENAMETOOLONG, "the path does not fit"},
	{"tally_ledger_remove", EAGAIN,
	 "another process removes or replaces it"},
	{"tally_ledger_remove", EBUSY,
	 "a process writes to the ledger, or it has accounts"},
	{"tally_ledger_remove", EINVAL, "an unknown flag"},
	{"tally_ledger_remove", EOPNOTSUPP, NO_LOCKS},
	{"tally_ledger_resource", ENOENT, "no such resource"},
	{"tally_ledger_set", EAGAIN, LOCKED},
	{"tally_ledger_set", EINVAL, "the resource is not a gauge"},
	UPDATES(EINVAL, "no such resource, or its kind does not allow this"),
	UPDATES(ENOENT, NO_NODE),
	UPDATES(EPERM, FORKED),
	UPDATES(EREMOTE, "the node is of another machine"),
	UPDATES(ESTALE, GONE),

	{"tally_limit_capacity_next", EAGAIN, UNDER_CHANGE},
	{"tally_limit_capacity_next", EINVAL, NO_SIZE},
	{"tally_limit_capacity_next", ENOENT, "no more capacities"},
	{"tally_limit_quota_next", EAGAIN, UNDER_CHANGE},
	{"tally_limit_quota_next", EINVAL, NO_SIZE},
	{"tally_limit_quota_next", ENOENT, "no more quotas"},
	{"tally_limit_reservation_next", EAGAIN, UNDER_CHANGE},
	{"tally_limit_reservation_next", EINVAL, NO_SIZE},
	{"tally_limit_reservation_next", ENOENT, "no more reservations"},
	{"tally_limit_account", EAGAIN, UNDER_CHANGE},
	{"tally_limit_account", EINVAL, NO_LIMIT},
	{"tally_limit_adopt", EEXIST, "the account has a reservation"},
	{"tally_limit_adopt", ENOSPC,
	 "a sum is over 63 bits, or the file system is full"},
	{"tally_limit_cancel", EBUSY, "the reservation is committed"},
	{"tally_limit_cancel", ESTALE, "the reservation is gone"},
	{"tally_limit_change", EBUSY, CHILDREN},
	{"tally_limit_change", ENOSPC, "not enough is free on a node"},
	{"tally_limit_change", ERANGE, "more than what is held"},
	{"tally_limit_change", ESTALE, "the reservation is gone"},
	{"tally_limit_check", EAGAIN, UNDER_CHANGE},
	{"tally_limit_claimer", EAGAIN, UNDER_CHANGE},
	{"tally_limit_claimer", EINVAL, NO_SIZE},
	{"tally_limit_claimer", ENOENT, "the account is not claimed"},
	{"tally_limit_claim", EBUSY,
	 "a thread or a process that lives has claimed the account"},
	{"tally_limit_claim", EEXIST,
	 "the account has a committed reservation"},
	{"tally_limit_claim", EINVAL, "the lease is negative"},
	{"tally_limit_claim", ENOSPC, FULL},
	{"tally_limit_commit", ESTALE, "the reservation is gone"},
	{"tally_limit_credit", EINVAL, "not a reservable resource"},
	{"tally_limit_credit", EUSERS,
	 "4096 credits have taken something, or too many processes write"},
	{"tally_limit_draw_free", EAGAIN, UNDER_CHANGE},
	{"tally_limit_draw_free", EINVAL, "not a reservable resource"},
	{"tally_limit_draw_free", ESTALE, "the reservation is gone"},
	{"tally_limit_draw_wait", ENOSPC, FULL},
	{"tally_limit_draw_wait", ETIMEDOUT, "the parent still has too little"},
	{"tally_limit_draw", EEXIST, "the account has a reservation"},
	{"tally_limit_draw", ELOOP, "too many parents stand above the parent"},
	{"tally_limit_draw", ENOSPC,
	 "the parent has not enough left on a node"},
	{"tally_limit_draw", ESTALE,
	 "the account is gone, or the parent has ended"},
	{"tally_limit_find", EAGAIN, UNDER_CHANGE},
	{"tally_limit_find", EINVAL, NO_SIZE},
	{"tally_limit_find", ENOENT, "the account has no reservation"},
	{"tally_limit_give", ERANGE, "more than what was taken"},
	{"tally_limit_give", ESTALE, PLACE_GONE},
	{"tally_limit_release", EBUSY, CHILDREN},
	{"tally_limit_release", ERANGE, "more than what is held"},
	{"tally_limit_release", ESTALE, "the reservation is gone"},
	{"tally_limit_exchange", E2BIG,
	 "too many limits at once, or a key has too many '/'"},
	{"tally_limit_exchange", EINVAL,
	 "not a reservable resource, a negative limit, or an empty key"},
	{"tally_limit_exchange", ENAMETOOLONG, KEY_LONG},
	{"tally_limit_exchange", ENOSPC, NO_ROW},
	{"tally_limit_exchange", EOVERFLOW, OVER_63},
	{"tally_limit_exchange", ESTALE, ENDED},
	{"tally_limit_fits", EEXIST, "the account has a reservation"},
	{"tally_limit_fits", ENOSPC, "not enough is free on a node"},
	{"tally_limit_free", EAGAIN, UNDER_CHANGE},
	{"tally_limit_free", EINVAL, "not a reservable resource"},
	{"tally_limit_holding", EAGAIN, UNDER_CHANGE},
	{"tally_limit_node", EAGAIN, UNDER_CHANGE},
	{"tally_limit_node", EINVAL, NO_LIMIT},
	{"tally_limit_reserve", EEXIST, "the account has a reservation"},
	{"tally_limit_reserve", ENOSPC, "not enough is free on a node"},
	{"tally_limit_roster", EAGAIN, "the roster was changed meanwhile"},
	{"tally_limit_set_quota", E2BIG, "the key has too many '/'"},
	{"tally_limit_set_quota", ENOSPC, FULL},
	{"tally_limit_set_quota", EOVERFLOW, OVER_63},
	{"tally_limit_take", ENOSPC, "not enough is free on the node"},
	{"tally_limit_take", ESTALE, PLACE_GONE},
	{"tally_limit_wait", EEXIST, "the account has a reservation"},
	{"tally_limit_wait", ENOSPC, FULL},
	{"tally_limit_wait", ETIMEDOUT, "a limit still refuses it"},
	{"tally_limit_", EAGAIN, LOCKED},
	{"tally_limit_", EINVAL,
	 "not a reservable resource, a negative amount, or an unset size"},
	{"tally_limit_", ENOENT, NO_NODE},
	{"tally_limit_", ENOSYS, NO_BARRIER},
	{"tally_limit_", EPERM, FORKED},
	{"tally_limit_", ESTALE, GONE},

	{"tally_place_candidates_add", EEXIST,
	 "the account is a candidate already"},
	{"tally_place_candidates_add", EINVAL,
	 "not a reservable resource, or an amount is negative"},
	{"tally_place_candidates_add", EOVERFLOW,
	 "candidates have more than 63 bits on a node"},
	{"tally_place_candidates_create", EINVAL, "no capacities"},
	{"tally_place_candidates_refresh", EAGAIN,
	 "reservations change, or a process was stopped while it changed them"},
	{"tally_place_candidates_refresh", ENOENT, "no such machine or node"},
	{"tally_place_fit", E2BIG,
	 "too many resources, nodes of a machine, or demands"},
	{"tally_place_fit", ENOENT, "no such machine"},
	{"tally_place_fit", ENOSPC, "no machine has so much free"},
	{"tally_place_fit", ERANGE, "more than any machine has"},
	{"tally_place_make_room", E2BIG,
	 "too many resources, nodes of a machine, or demands"},
	{"tally_place_make_room", ENOENT, "no such machine"},
	{"tally_place_make_room", ENOSPC,
	 "nothing of lower priority makes enough room"},
	{"tally_place_make_room", EOVERFLOW, "more victims than fit"},
	{"tally_place_make_room", ERANGE, "more than any machine has"},
	{"tally_place_node", E2BIG, "too many resources"},
	{"tally_place_node", ENOSPC, "no node has so much free"},
	{"tally_place_node", ERANGE, "more than any node has"},
	{"tally_place_take", EINVAL, "not a reservable resource"},
	{"tally_place_take", EOVERFLOW, "more than 63 bits"},
	{"tally_place_", EINVAL,
	 "nothing is asked for, or an amount, resource or choice is not valid"},
	{"tally_place_", EAGAIN, UNDER_CHANGE},
	{"tally_place_", ENOENT, "no such node"},
	{"tally_queue_create", EINVAL,
	 "no items, or too many items or snapshots"},
	{"tally_queue_due", ENOENT, "the queue is empty"},
	{"tally_queue_peek", EAGAIN, "all items wait for a later time"},
	{"tally_queue_peek", ENOENT, "the queue is empty"},
	{"tally_queue_pop", EAGAIN, "all items wait for a later time"},
	{"tally_queue_pop", ENOENT, "the queue is empty"},
	{"tally_queue_push", ENOSPC, "the queue is full"},
	{"tally_queue_snapshot_slice", ENOENT, "no more items"},
	{"tally_queue_snapshot_open", ENOSPC, "too many snapshots are open"},
	{"tally_queue_", ESTALE, "the item has left the queue"},

	{"tally_reader_open", EAGAIN, "its maker has not finished it"},
	{"tally_reader_open", ELOOP, "a symbolic link, which is not followed"},
	{"tally_reader_save", EAGAIN,
	 "another process replaces the file, or has not finished a change"},
	{"tally_reader_save", EBUSY, "a ledger that is in use"},
	{"tally_reader_save", EEXIST, "a file that is no ledger"},
	{"tally_reader_snapshot", EAGAIN,
	 "no process that serves took a snapshot in time"},
	{"tally_reader_snapshot", EBUSY, "an older snapshot is in use"},
	{"tally_reader_snapshot", EIDRM, "the ledger was removed or replaced"},
	{"tally_reader_snapshot", EINVAL, "an unknown flag"},
	{"tally_reader_snapshot", EOPNOTSUPP, NO_LOCKS},
	{"tally_reader_snapshot", ESRCH,
	 "no process that writes to the ledger serves readers"},
	{"tally_reader_writer_next", ENOENT, "no more writers"},
	{"tally_registry_next", ENOENT, "no more ledgers"},

	{"tally_region_create", EEXIST,
	 "memory of this address was unmapped, but not unregistered"},
	{"tally_region_populate", EFBIG, "the file ends before the bytes do"},
	{"tally_region_verify", ENOSYS, NO_PAGES},
	{"tally_region_verify", EPERM, NO_PAGES},

	{"tally_slice_extend", ERANGE, "less than the present capacity"},
	{"tally_slice_register", EEXIST,
	 "the bytes overlap a registered allocation"},
	{"tally_slice_sub", ERANGE, "not a range of the slice"},
	{"tally_slice_unregister", ENOENT, "no allocation begins there"},
	{"tally_slice_", ENOSPC, "the slice is full"},
	{"tally_slice_", EOVERFLOW,
	 "the slice would end behind the address space"},
	{"tally_slice_", ERANGE, "more elements than the slice has"},

	{"tally_topo_create", EEXIST, "two machines have one name"},
	{"tally_topo_create", EINVAL, "a machine is malformed"},
	{"tally_topo_number", ERANGE, "over 32,768 machines"},
	{"tally_topo_index", ENOENT, "no such node or machine"},
	{"tally_topo_cpu_node", ENOENT, "the CPU's node is not known"},
	{"tally_topo_open_synthetic", EINVAL,
	 "hwloc makes no machine of the description"},
	{"tally_topo_open_xml", EBADMSG, "hwloc finds no machine in the file"},
	{"tally_topo_open_synthetic", EAGAIN, "no process can be started"},
	{"tally_topo_open_xml", EAGAIN, "no process can be started"},
	{"tally_topo_open_xml", ENOENT, "no such file"},
	{"tally_topo_open_xml", EFBIG, "more than 64 MiB"},
	{"tally_topo_open_xml", ENXIO, "not a regular file"},
	{"tally_topo_open_", ETIMEDOUT, "hwloc takes too long"},
	{"tally_topo_open", EAGAIN, "nodes or CPUs come and go"},
	{"tally_topo_open", ENOENT, "no such directory, or it lists no CPUs"},
	{"tally_topo_", EBADMSG, "malformed"},

	{"tally_view_account", ESTALE,
	 "the account is gone, or the snapshot was given up for a newer one"},
	{"tally_view_in_doubt", ENOENT, "no such entry"},
	{"tally_view_keys", ENOENT, "no more accounts"},
	{"tally_view_keys", ERANGE, "the key does not fit"},
	{"tally_view_keys", ESTALE, GIVEN_UP},
	{"tally_view_next", ENOENT, "no more accounts"},
	{"tally_view_next", ERANGE, "the key does not fit"},
	{"tally_view_next", ESTALE, GIVEN_UP},
	{"tally_view_read", ESTALE, GIVEN_UP},
	{"tally_view_read", EINVAL, "no such node or resource"},
	{"tally_view_read", ENOENT, "no more amounts"},
	{"tally_view_read", ERANGE, "the amounts of an account don't fit"},
	{"tally_view_snapshot", EAGAIN,
	 "an add or another snapshot is under way"},
	{"tally_view_snapshot", EBUSY, "an older snapshot is in use"},
	{"tally_view_snapshot", EINVAL, "an unknown flag"},
	{"tally_view_snapshot", ENOSPC, FULL},
	{"tally_view_snapshot", ENOSYS, NO_BARRIER},
	{"tally_view_snapshot", EPERM, FORKED},
	{"tally_view_totals", ESTALE, GIVEN_UP},
	{"tally_view_", EAGAIN, UNDER_CHANGE},
	{"tally_view_", ENOENT, NO_NODE},
	{"tally_view_", ESTALE, GONE},

	{"tally_watch_open", EINVAL, "a threshold or option is not valid"},
	{"tally_watch_open", ENOENT, "no such node or account"},
	{"tally_watch_fd", EAGAIN, "no thread can be started"},
	{"tally_watch_take", EAGAIN, "the watch has not fired"},
	{"tally_watch_take", EINVAL,
	 "the watch has no descriptor, or the size is not set"},
	{"tally_watch_wait", EBUSY, "the watch has a descriptor"},
	{"tally_watch_wait", ETIMEDOUT, "the watch did not fire"},
	{"tally_watch_", EIDRM, "the ledger was removed or replaced"},
	{"tally_watch_", EPERM, FORKED},
	{"tally_watch_", ESRCH, "no process writes to the ledger"},
	{"tally_watch_", ESTALE, GONE},

	/* of every function */
	{"", E2BIG, "a member is set that this library does not know"},
	{"", EAGAIN, "busy for too long: try again"},
	{"", EBADMSG, "not a ledger, or damaged"},
	{"", EDQUOT, "a quota does not allow it"},
	{"", EEXIST, "it exists already"},
	{"", EPROTO, "of another format version, or kind of machine"},
	{"", EROFS, "Read-only file system, or a saved ledger"},
	{"", ESHUTDOWN, "the account is terminating"},
	{"", ESTALE, "it is gone, or of an earlier boot"},
	{"", EUSERS, "too many processes or threads use the ledger"},
};

/* An inlined function has the words of the one that it equals. */
static bool begins_with(const char *function, const char *name)
{
	for (; *name; name++, function++) {
		if (!strncmp(function, "inline_", 7))
			function += 7;
		if (*name != *function)
			return false;
	}
	return true;
}

const char *tally_strerror_of(const char *function, int err)
{
	const char *text;

	if (!function)
		function = "";
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (err == -words[i].error &&
		    begins_with(function, words[i].of))
			return words[i].text;
	text = err > 0 || err == INT_MIN ? NULL : strerrordesc_np(-err);
	return text ? text : "unknown error";
}

const char *tally_strerror(int err)
{
	return tally_strerror_of(NULL, err);
}
