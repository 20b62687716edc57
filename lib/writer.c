// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "writer.h"

/* A byte for every slot: behind the end of any file. */
#define FIRST_BYTE (INT64_C(1) << 61)

static struct layout_writer *slot_at(const struct layout *layout, uint32_t i)
{
	const struct layout_table *table = &layout->plan->writers;

	return (struct layout_writer *)(layout->origin + table->offset +
					i * table->stride);
}

static bool lock_byte(int fd, int command, short type, uint32_t slot,
		      struct flock *lock)
{
	memset(lock, 0, sizeof(*lock));
	lock->l_type = type;
	lock->l_whence = SEEK_SET;
	lock->l_start = FIRST_BYTE + slot;
	lock->l_len = 1;
	return !fcntl(fd, command, lock);
}

/* A read lock is enough, and is not refused where somebody has another. */
static void hold_byte(struct layout *layout, uint32_t i)
{
	struct layout_writer *slot = slot_at(layout, i);
	struct flock lock;
	char self[32];
	int fd;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", layout->fd);
	fd = open(self, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!lock_byte(fd, F_OFD_SETLK, F_RDLCK, i, &lock)) {
		close(fd);
		return;
	}
	layout->writer_fd = fd;
	__atomic_store_n(&slot->locked, slot->start, __ATOMIC_RELEASE);
}

static void drop_byte(struct layout *layout)
{
	if (layout->writer_fd >= 0)
		close(layout->writer_fd);
	layout->writer_fd = -1;
}

/* Asks the kernel only where the number does not tell. */
static int is_alive(const struct layout *layout, uint32_t i,
		    const struct process *process)
{
	int alive = process_alive(process);
	struct flock lock;

	if (alive >= 0 || !process->start ||
	    __atomic_load_n(&slot_at(layout, i)->locked, __ATOMIC_ACQUIRE) !=
		    process->start ||
	    !lock_byte(layout->fd, F_OFD_GETLK, F_WRLCK, i, &lock))
		return alive;
	return lock.l_type != F_UNLCK;
}

static uint64_t who_is(const struct process *process)
{
	return process->namespace << 32 | process->pid;
}

static void read_slot(const struct layout_writer *slot, struct process *process)
{
	uint64_t who = __atomic_load_n(&slot->who, __ATOMIC_ACQUIRE);

	process->pid = (uint32_t)who;
	process->namespace = who >> 32;
	process->start = __atomic_load_n(&slot->start, __ATOMIC_RELAXED);
}

/*
 * A dead one's start time goes first: beside the new pid it would say that the
 * new process is dead too, and another would take the slot from it. So would
 * its byte, which counts beside that start time only.
 */
static bool take(struct layout_writer *slot, const struct process *old,
		 const struct process *self)
{
	uint64_t start = old->start, who = who_is(old);

	if (start) {
		if (!__atomic_compare_exchange_n(&slot->start, &start, 0, false,
						 __ATOMIC_ACQ_REL,
						 __ATOMIC_RELAXED))
			return false;
		__atomic_store_n(&slot->reached, 0, __ATOMIC_RELAXED);
	}
	if (!__atomic_compare_exchange_n(&slot->who, &who, who_is(self), false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&slot->pins, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->locked, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->generation, slot->generation + 1,
			 __ATOMIC_RELEASE);
	__atomic_store_n(&slot->start, self->start, __ATOMIC_RELAXED);
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
		if (is_alive(layout, i, &other) == 0 &&
		    take(slot_at(layout, i), &other, &self))
			goto taken;
	}
	return -EUSERS;
taken:
	hold_byte(layout, i);
	*slot = i;
	*generation = slot_at(layout, i)->generation;
	return 0;
}

void writer_leave(struct layout *layout, uint32_t i)
{
	struct layout_writer *slot = slot_at(layout, i);

	__atomic_store_n(&slot->start, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->pins, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->reached, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->locked, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->who, 0, __ATOMIC_RELEASE);
	drop_byte(layout);
}

void writer_forked(struct layout *layout)
{
	drop_byte(layout);
}

int writer_next(const struct layout *layout, uint32_t *slot,
		struct process *process, int *alive)
{
	struct process found;

	while (*slot < LAYOUT_NR_WRITERS) {
		uint32_t i = (*slot)++;

		read_slot(slot_at(layout, i), &found);
		if (found.pid) {
			*process = found;
			*alive = is_alive(layout, i, &found);
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
	return !process.pid || is_alive(layout, i, &process) == 0;
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
		if (process.pid && is_alive(layout, i, &process) != 0)
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
		    is_alive(layout, i, &process) != 0)
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
