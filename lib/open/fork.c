// SPDX-License-Identifier: MIT
#include "config.h"

#include <pthread.h>

#include "account/directory.h"
#include "add/inflight.h"
#include "file/writer.h"
#include "ledger/list.h"
#include "open/internal.h"
#include "snapshot/serve.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int init_error;

static struct tally_ledger *first; /* while the list is locked */

/* The parent keeps the writer slot. */
static void prepare(struct tally_ledger *l)
{
	bool exclusive = l->layout->header.params.flags & LAYOUT_EXCLUSIVE;

	/* The thread that held it may not be in the child. */
	pthread_mutex_init(&l->lock, NULL);
	writer_forked(l->layout);
	directory_forked(l->accounts);
	serve_forked(l);
	l->pins = 0;
	l->inlined = false;
	ledger_set_inflight(l, false);
	ledger_use_bank(l, 0);
	l->credit_lanes = exclusive ? l->credit_shut : l->credit_open;
	l->forbidden = exclusive;
	l->joined = false;
}

static void before(void)
{
	first = ledger_list_lock();
}

static void after_in_parent(void)
{
	ledger_list_unlock();
}

static void after_in_child(void)
{
	inflight_forked();
	for (struct tally_ledger *l = first; l; l = l->next)
		prepare(l);
	ledger_list_unlock();
}

static void init(void)
{
	init_error = pthread_atfork(before, after_in_parent, after_in_child);
}

int fork_init(void)
{
	pthread_once(&once, init);
	return -init_error;
}
