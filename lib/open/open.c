// SPDX-License-Identifier: MIT
/* Opening and closing ledgers: puts together all that writes to one. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/uncancelled.h"
#include "account/directory.h"
#include "add/inflight.h"
#include "file/writer.h"
#include "ledger/list.h"
#include "limit/credit.h"
#include "limit/lock.h"
#include "limit/transaction.h"
#include "open/internal.h"
#include "snapshot/epoch.h"
#include "snapshot/serve.h"

static bool is_exclusive(const struct layout *layout)
{
	return layout->header.params.flags & LAYOUT_EXCLUSIVE;
}

/* fork(2) waits for the list. */
static int take_slot(struct layout *layout)
{
	int err;

	ledger_list_lock();
	err = writer_join(layout);
	ledger_list_unlock();
	return err;
}

/* Take a writer slot, in a child of fork(2) that writes for the first time. */
static int join(struct tally_ledger *l)
{
	int err = 0;

	pthread_mutex_lock(&l->lock);
	if (!l->joined) {
		err = take_slot(l->layout);
		if (!err) {
			l->fenced = epoch_register(false) != 0;
			writer_set_reached(l->layout, !l->fenced);
			ledger_set_inflight(l, l->tables && !l->fenced);
			directory_join(l->accounts);
			__atomic_store_n(&l->joined, true, __ATOMIC_RELEASE);
			epoch_join(l);
		}
	}
	pthread_mutex_unlock(&l->lock);
	return err;
}

static int serve_join(void *ledger)
{
	return ledger_join(ledger);
}

static int serve_reclaim(void *ledger, int64_t timeout_ns)
{
	return epoch_reclaim(ledger, timeout_ns);
}

static void serve_drain(void *ledger)
{
	limit_drain(ledger);
}

static void serve_tell(void *ledger)
{
	limit_tell(ledger);
}

static void unmap(struct tally_ledger *l)
{
	directory_close(l->accounts);
	limit_credit_untable(l);
	ledger_unmap(l);
}

/* With the writer slot taken: finish what dead processes began, and list the
 * ledger. */
static int start(struct tally_ledger *l)
{
	const struct directory_hooks hooks = {
		.ledger = l,
		.join = serve_join,
		.reclaim = serve_reclaim,
		.drain = serve_drain,
		.tell = serve_tell,
	};
	struct layout *layout = l->layout;
	int err;

	directory_serve(l->accounts, &hooks);
	epoch_join(l);
	directory_join(l->accounts);
	writer_set_reached(layout, !l->fenced);
	err = limit_open(l);
	if (!err)
		err = inflight_init();
	if (err)
		return err;
	ledger_list_add(l);
	ledger_set_inflight(l,
			    l->tables && !is_exclusive(layout) && !l->fenced);
	return 0;
}

int ledger_open_over(struct layout *layout, bool few_adds,
		     struct tally_ledger **ledger)
{
	bool exclusive = is_exclusive(layout);
	bool fenced = (few_adds && !exclusive) || epoch_register(exclusive);
	struct tally_ledger *l;
	int err = ledger_map(layout, fenced, &l);

	if (err)
		return err;
	l->fast.thread_cache = thread_cache_offset();
	l->join = join;
	err = directory_open(layout, &l->accounts);
	if (!err)
		err = fork_init();
	if (!err)
		err = take_slot(layout);
	if (!err) {
		l->joined = true;
		err = start(l);
		if (err)
			writer_leave(layout);
	}
	if (err) {
		unmap(l);
		return err;
	}
	*ledger = l;
	return 0;
}

int ledger_open(const char *path, bool few_adds, struct tally_ledger **ledger)
{
	struct tally_ledger *l;
	struct layout *layout;
	int fd = ledger_open_file(path, O_RDWR);
	int err;

	if (fd < 0)
		return fd;
	err = layout_map(fd, true, &layout);
	if (err)
		return err;
	descriptor_name(layout->file, path);
	if (layout->stale) {
		layout_unmap(layout);
		return -ESTALE;
	}
	err = ledger_open_over(layout, few_adds, &l);
	if (err)
		return err;
	err = ledger_await_removal(layout, path);
	if (err)
		tally_ledger_close(l);
	else
		*ledger = l;
	return err;
}

int tally_ledger_open(const char *path, struct tally_ledger **ledger)
{
	UNCANCELLED;

	return ledger_open(path, false, ledger);
}

void tally_ledger_close(struct tally_ledger *l)
{
	UNCANCELLED;

	if (!l)
		return;
	ledger_list_remove(l);
	serve_stop(l);
	if (l->joined) {
		epoch_close(l);
		inflight_leave_all(l);
		writer_leave(l->layout);
	}
	unmap(l);
}
