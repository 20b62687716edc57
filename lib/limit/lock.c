// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>

#include <numatally/limit.h>

#include "limit/lock.h"
#include "file/turn.h"

static struct layout_undo *undo_at(const struct layout *l, uint64_t i)
{
	return (struct layout_undo *)(l->origin + l->plan->undo.offset) + i;
}

static bool is_word(const struct layout *l, uint64_t offset)
{
	return offset % sizeof(uint64_t) == 0 &&
	       offset >= l->plan->limits_offset &&
	       offset < l->header.file_bytes;
}

/* Readers see no word of a change before an odd sequence, ... */
static void begin(struct layout *l)
{
	uint64_t *sequence = &layout_limits(l)->sequence;

	__atomic_store_n(sequence, limit_get(sequence) | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

/* ... and an even one after all words of it. */
static void end(struct layout *l)
{
	uint64_t *sequence = &layout_limits(l)->sequence;

	if (limit_get(sequence) & 1)
		__atomic_store_n(sequence, limit_get(sequence) + 1,
				 __ATOMIC_RELEASE);
}

void limit_set(struct layout *l, void *word, uint64_t value)
{
	uint64_t *nr_undo = &layout_limits(l)->nr_undo;
	uint64_t nr = limit_get(nr_undo), old = limit_get(word);
	struct layout_undo *undo;

	if (old == value || l->too_many)
		return;
	if (nr >= LAYOUT_NR_UNDO) {
		l->too_many = true;
		return;
	}
	if (!nr)
		begin(l);
	undo = undo_at(l, nr);
	undo->offset = (uint64_t)((char *)word - l->origin);
	undo->value = old;
	/* A kill at any point leaves the stores in this order. */
	__atomic_store_n(nr_undo, nr + 1, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n((uint64_t *)word, value, __ATOMIC_RELAXED);
}

/* Return -EBADMSG if the table is damaged. */
static int undo_all(struct layout *l)
{
	uint64_t *nr_undo = &layout_limits(l)->nr_undo;
	uint64_t nr = limit_get(nr_undo);
	int err = 0;

	if (nr > LAYOUT_NR_UNDO)
		return -EBADMSG;
	while (nr) {
		const struct layout_undo *undo = undo_at(l, --nr);
		uint64_t offset = limit_get(&undo->offset);

		if (is_word(l, offset))
			__atomic_store_n((uint64_t *)(l->origin + offset),
					 limit_get(&undo->value),
					 __ATOMIC_RELEASE);
		else
			err = -EBADMSG;
		__atomic_store_n(nr_undo, nr, __ATOMIC_RELEASE);
	}
	end(l);
	return err;
}

void limit_undo(struct layout *l)
{
	undo_all(l);
}

void limit_keep_part(struct layout *l)
{
	if (l->too_many) {
		limit_undo(l);
		return;
	}
	__atomic_store_n(&layout_limits(l)->nr_undo, 0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void limit_keep(struct layout *l)
{
	limit_keep_part(l);
	end(l);
}

/* Without waiting, nobody's turn counts. */
static int take(struct layout *l, bool wait)
{
	struct layout_limits *limits = layout_limits(l);
	struct wait no_more = wait_no_more();

	return wait ? turn_take(l, &limits->lock, &limits->turn,
				TALLY_LIMIT_WAIT_NS)
		    : robust_take(l, &limits->lock, &no_more);
}

int limit_lock(struct layout *l, bool wait)
{
	struct layout_limits *limits = layout_limits(l);
	int err = turn_try(l, &limits->lock, &limits->turn) ? 0 : take(l, wait);

	if (err < 0)
		return err;
	if (l->too_many)
		l->too_many = false;
	/* Changes of an owner that died. */
	err = undo_all(l);
	if (err)
		robust_leave(l, &limits->lock);
	return err;
}

int limit_state(const struct layout *l)
{
	return l->too_many ? -EBADMSG : 0;
}

void limit_unlock(struct layout *l)
{
	robust_leave(l, &layout_limits(l)->lock);
}
