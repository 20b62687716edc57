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

/* So long after the last snapshot was closed it is folded: a process that closed
 * it, or wants the next one, goes on first where both share a CPU. */
#define FOLD_AFTER_NS 1000000

struct server {
	struct tally_ledger *ledger;
	pthread_t thread;
	bool stop;
};

static int sleep_at(const uint32_t *bell, uint32_t value,
		    const struct timespec *nap)
{
	return futex_wait(bell, value, nap) ? errno : 0;
}

/* Sleep until the bell rings; and fold, if that takes long enough. False: the
 * file is gone, and can't be slept at. */
static bool idle(struct tally_ledger *l, uint32_t value)
{
	const uint32_t *bell = &layout_control(l->layout)->bell;
	const struct timespec nap = {0, FOLD_AFTER_NS};
	int err;

	if (epoch_may_fold(l)) {
		err = sleep_at(bell, value, &nap);
		if (err != ETIMEDOUT)
			return err != EFAULT;
		if (!tally_ledger_fold(l, SECOND_NS))
			return true;
	}
	return sleep_at(bell, value, NULL) != EFAULT;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct tally_ledger *l = s->ledger;
	const struct layout_control *control = layout_control(l->layout);
	uint32_t bell;

	do {
		bell = __atomic_load_n(&control->bell, __ATOMIC_ACQUIRE);
		if (__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE))
			break;
	} while (epoch_serve(l) || idle(l, bell));
	return NULL;
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
