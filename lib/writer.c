// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>

#include "writer.h"

static struct layout_writer *slot_at(const struct layout *layout, uint32_t i)
{
	const struct layout_table *table = &layout->plan->writers;

	return (struct layout_writer *)(layout->origin + table->offset +
					i * table->stride);
}

static void read_slot(const struct layout_writer *slot, struct process *process)
{
	process->pid = __atomic_load_n(&slot->pid, __ATOMIC_ACQUIRE);
	process->start = __atomic_load_n(&slot->start, __ATOMIC_RELAXED);
	process->namespace =
		__atomic_load_n(&slot->namespace, __ATOMIC_RELAXED);
}

/*
 * A dead one's start time goes first: beside the new pid it would say that the
 * new process is dead too, and another would take the slot from it.
 */
static bool take(struct layout_writer *slot, const struct process *old,
		 const struct process *self)
{
	uint64_t start = old->start;
	uint32_t pid = old->pid;

	if (start) {
		if (!__atomic_compare_exchange_n(&slot->start, &start, 0, false,
						 __ATOMIC_ACQ_REL,
						 __ATOMIC_RELAXED))
			return false;
		__atomic_store_n(&slot->reached, 0, __ATOMIC_RELAXED);
	}
	if (!__atomic_compare_exchange_n(&slot->pid, &pid, self->pid, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&slot->pins, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->generation, slot->generation + 1,
			 __ATOMIC_RELEASE);
	__atomic_store_n(&slot->start, self->start, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->namespace, self->namespace, __ATOMIC_RELAXED);
	return true;
}

int writer_join(struct layout *layout, uint32_t *slot, uint32_t *generation)
{
	const struct process nobody = {0};
	struct process self, other;
	uint32_t i;

	process_self(&self);
	for (i = 0; i < LAYOUT_NR_WRITERS; i++)
		if (take(slot_at(layout, i), &nobody, &self))
			goto taken;
	for (i = 0; i < LAYOUT_NR_WRITERS; i++) {
		read_slot(slot_at(layout, i), &other);
		if (process_alive(&other) == 0 &&
		    take(slot_at(layout, i), &other, &self))
			goto taken;
	}
	return -EUSERS;
taken:
	*slot = i;
	*generation = slot_at(layout, i)->generation;
	return 0;
}

void writer_leave(struct layout *layout, uint32_t i)
{
	struct layout_writer *slot = slot_at(layout, i);

	__atomic_store_n(&slot->start, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->namespace, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->pins, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->reached, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->pid, 0, __ATOMIC_RELEASE);
}

int writer_next(const struct layout *layout, uint32_t *slot,
		struct process *process)
{
	struct process found;

	while (*slot < LAYOUT_NR_WRITERS) {
		read_slot(slot_at(layout, (*slot)++), &found);
		if (found.pid) {
			*process = found;
			return 0;
		}
	}
	return -ENOENT;
}

bool writer_is_gone(const struct layout *layout, uint32_t i,
		    uint32_t generation)
{
	if (i >= LAYOUT_NR_WRITERS)
		return true;
	/* One that is taking the slot over counts as the one before. */
	return writer_is_dead(layout, i) ||
	       __atomic_load_n(&slot_at(layout, i)->generation,
			       __ATOMIC_ACQUIRE) != generation;
}

bool writer_is_dead(const struct layout *layout, uint32_t i)
{
	struct process process;

	if (i >= LAYOUT_NR_WRITERS)
		return true;
	read_slot(slot_at(layout, i), &process);
	return !process.pid || process_alive(&process) == 0;
}

uint32_t writer_generation(const struct layout *layout, uint32_t i)
{
	return __atomic_load_n(&slot_at(layout, i)->generation,
			       __ATOMIC_ACQUIRE);
}

void writer_set_pins(struct layout *layout, uint32_t i, uint32_t pins)
{
	__atomic_store_n(&slot_at(layout, i)->pins, pins, __ATOMIC_RELEASE);
}

uint32_t writer_pins(const struct layout *layout, uint32_t but)
{
	uint32_t pins = 0;

	for (uint32_t i = 0; i < LAYOUT_NR_WRITERS; i++) {
		const struct layout_writer *slot = slot_at(layout, i);
		uint32_t n = __atomic_load_n(&slot->pins, __ATOMIC_ACQUIRE);
		struct process process;

		if (!n || i == but)
			continue;
		read_slot(slot, &process);
		if (process.pid && process_alive(&process) != 0)
			pins += n;
	}
	return pins;
}

void writer_set_reached(struct layout *layout, uint32_t i, bool reached)
{
	__atomic_store_n(&slot_at(layout, i)->reached, reached,
			 __ATOMIC_RELEASE);
}

bool writer_none_reached(const struct layout *layout)
{
	for (uint32_t i = 0; i < LAYOUT_NR_WRITERS; i++) {
		const struct layout_writer *slot = slot_at(layout, i);
		struct process process;

		read_slot(slot, &process);
		if (process.pid &&
		    __atomic_load_n(&slot->reached, __ATOMIC_ACQUIRE) &&
		    process_alive(&process) != 0)
			return false;
	}
	return true;
}

bool writer_alone(const struct layout *layout, uint32_t self)
{
	for (uint32_t i = 0; i < LAYOUT_NR_WRITERS; i++)
		if (i != self && !writer_is_dead(layout, i))
			return false;
	return true;
}
