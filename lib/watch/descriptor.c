// SPDX-License-Identifier: MIT
/* A watch in an event loop: a thread waits, and an eventfd(2) says that it has
 * something to take. */
#include "config.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/sized.h"
#include "base/thread.h"
#include "base/uncancelled.h"
#include "file/layout_limit.h"
#include "limit/room.h"
#include "watch/internal.h"

/* Under the lock, so that the descriptor is readable while there is something. */
static void put(struct tally_watch *w, int err,
		const struct tally_watch_event *e)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&w->lock);
	if (err)
		w->error = err;
	else
		w->event = *e;
	/* It has room for more than can come. */
	(void)!write(w->fd, &one, sizeof(one));
	pthread_mutex_unlock(&w->lock);
}

static void *watch_on(void *arg)
{
	struct tally_watch *w = arg;
	int err;

	do {
		struct tally_watch_event e = {.size = sizeof(e)};

		err = watch_wait(w, -1, &e);
		if (err != -ECANCELED && err != -EINTR)
			put(w, err, &e);
	} while (!err || err == -EINTR);
	return NULL;
}

int tally_watch_fd(struct tally_watch *watch)
{
	UNCANCELLED;
	int err;

	if (watch->fd >= 0)
		return watch->fd;
	watch->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch->fd < 0)
		return -errno;
	watch->pid = getpid();
	pthread_mutex_init(&watch->lock, NULL);
	err = thread_start(&watch->thread, watch_on, watch);
	if (!err)
		return watch->fd;
	close(watch->fd);
	watch->fd = -1;
	return err;
}

int tally_watch_take(struct tally_watch *watch, struct tally_watch_event *event)
{
	UNCANCELLED;
	uint64_t many;
	int err = 0;

	if (watch->fd < 0 ||
	    (event &&
	     !sized_fits(event, sized_upto(struct tally_watch_event, amounts))))
		return -EINVAL;
	pthread_mutex_lock(&watch->lock);
	if (watch->event.size) {
		if (event)
			sized_put(event, &watch->event, sizeof(watch->event));
		watch->event.size = 0;
		if (!watch->error)
			(void)!read(watch->fd, &many, sizeof(many));
	} else {
		err = watch->error ? watch->error : -EAGAIN;
	}
	pthread_mutex_unlock(&watch->lock);
	return err;
}

void watch_stop(struct tally_watch *w)
{
	/* A child of fork(2) lacks the thread. */
	if (w->fd < 0 || w->pid != getpid())
		return;
	__atomic_store_n(&w->stop, 1, __ATOMIC_RELEASE);
	futex_wake(&w->stop, 1);
	if (w->ledger) {
		uint32_t *made = &layout_limits(w->layout)->made;

		/* Changed, so that the thread does not sleep again. */
		__atomic_fetch_add(made, 1, __ATOMIC_RELEASE);
		futex_wake_bits(made, ROOM_WATCHED);
	}
	pthread_join(w->thread, NULL);
	pthread_mutex_destroy(&w->lock);
}
