// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include <numatally/ledger.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/thread.h"
#include "base/uncancelled.h"
#include "file/writer.h"
#include "snapshot/ask.h"
#include "snapshot/epoch.h"
#include "snapshot/serve.h"

struct server {
	struct tally_ledger *ledger;
	pthread_t thread;
	bool stop;
};

static void *serve(void *arg)
{
	struct server *s = arg;
	struct tally_ledger *l = s->ledger;
	struct layout_control *control = layout_control(l->layout);

	for (;;) {
		uint32_t bell =
			__atomic_load_n(&control->bell, __ATOMIC_ACQUIRE);

		if (__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE))
			return NULL;
		if (epoch_serve(l))
			continue;
		/* What is gone of a file can't be slept at. */
		if (futex_wait(&control->bell, bell, NULL) && errno == EFAULT)
			return NULL;
	}
}

int tally_ledger_serve(struct tally_ledger *l, int64_t keep_ns)
{
	UNCANCELLED;
	struct server *s;
	int err = keep_ns < 0 ? -EINVAL : ledger_join(l);

	if (err)
		return err;
	__atomic_store_n(&layout_control(l->layout)->keep_ns, keep_ns,
			 __ATOMIC_RELAXED);
	pthread_mutex_lock(&l->lock);
	if (!l->server) {
		s = calloc(1, sizeof(*s));
		err = s ? 0 : -ENOMEM;
		if (s) {
			s->ledger = l;
			err = thread_start(&s->thread, serve, s);
		}
		if (err) {
			free(s);
		} else {
			l->server = s;
			writer_set_serves(l->layout, true);
		}
	}
	pthread_mutex_unlock(&l->lock);
	return err;
}

void serve_stop(struct tally_ledger *l)
{
	struct server *s = l->server;

	if (!s)
		return;
	writer_set_serves(l->layout, false);
	__atomic_store_n(&s->stop, true, __ATOMIC_RELEASE);
	/* Changed, so that the thread does not sleep again. */
	__atomic_fetch_add(&layout_control(l->layout)->bell, 1,
			   __ATOMIC_RELEASE);
	ask_ring(l->layout, INT_MAX);
	pthread_join(s->thread, NULL);
	free(s);
	l->server = NULL;
}

void serve_forked(struct tally_ledger *l)
{
	free(l->server);
	l->server = NULL;
}
