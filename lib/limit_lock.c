// SPDX-License-Identifier: MIT
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <urcu/arch.h>

#include <numatally/limit.h>

#include "limit_lock.h"
#include "owner.h"

/* Before a thread sleeps: a few us. */
#define SPINS	    50
#define SPIN_PAUSES 4

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

/* Readers see no word of a change before the sequence is odd, ... */
static void begin(struct layout *l)
{
	uint64_t *sequence = &layout_limits(l)->sequence;

	__atomic_store_n(sequence, limit_get(sequence) | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

/* ... and an even one only behind all of them. */
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

	if (old == value)
		return;
	assert(nr < LAYOUT_NR_UNDO);
	if (!nr)
		begin(l);
	undo = undo_at(l, nr);
	undo->offset = (uint64_t)((char *)word - l->origin);
	undo->value = old;
	/* Whoever is killed has done what stands before. */
	__atomic_store_n(nr_undo, nr + 1, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n((uint64_t *)word, value, __ATOMIC_RELAXED);
}

void limit_keep(struct layout *l)
{
	__atomic_store_n(&layout_limits(l)->nr_undo, 0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	end(l);
}

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

/* Who has it needs it for less than it takes to sleep. */
static bool lock_soon(uint64_t *owner, uint32_t writer)
{
	bool locked = owner_try(owner, writer);

	for (int i = 0; !locked && i < SPINS; i++) {
		for (int k = 0; k < SPIN_PAUSES; k++)
			caa_cpu_relax();
		locked = owner_try(owner, writer);
	}
	return locked;
}

int limit_lock(struct layout *l, uint32_t writer, bool wait)
{
	uint64_t *owner = &layout_limits(l)->owner;
	int err;

	if (!(wait ? lock_soon(owner, writer) : owner_try(owner, writer))) {
		struct wait w = wait ? wait_for(TALLY_LIMIT_WAIT_NS)
				     : wait_no_more();

		err = owner_take(l, owner, writer, &w);
		if (err < 0)
			return err;
	}
	/* Of whoever had it before, and died. */
	err = undo_all(l);
	if (err)
		owner_leave(owner, writer);
	return err;
}

void limit_unlock(struct layout *l, uint32_t writer)
{
	assert(!layout_limits(l)->nr_undo);
	owner_leave(&layout_limits(l)->owner, writer);
}

/* What the process that had our slot has left is undone by the next one. */
void limit_lock_join(struct layout *l, uint32_t writer)
{
	owner_leave(&layout_limits(l)->owner, writer);
}
