// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file/descriptor.h"
#include "file/writer.h"

/* A slot's claim: its generation << 32, and this if the byte has a read lock. */
#define SHARED UINT64_C(1)

static struct layout_writer *slot_at(const struct layout *layout, uint32_t i)
{
	const struct layout_table *table = &layout->plan->writers;

	return (struct layout_writer *)(layout->origin + table->offset +
					i * table->stride);
}

static uint32_t slot_of(uint64_t owner)
{
	return (uint32_t)owner - 1;
}

static uint64_t claim_at(const struct layout *layout, uint32_t i)
{
	return __atomic_load_n(&slot_at(layout, i)->claim, __ATOMIC_ACQUIRE);
}

static uint32_t nr_slots(const struct layout *layout)
{
	return layout->header.params.flags & LAYOUT_EXCLUSIVE
		       ? 1
		       : LAYOUT_NR_WRITERS;
}

/* -errno. */
static int lock_byte(int fd, int command, short *type, uint32_t i,
		     uint64_t claim)
{
	struct flock lock = {
		.l_type = *type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(LAYOUT_LOCKS +
				   ((uint64_t)i << 32 | claim >> 32)),
		.l_len = 1,
	};

	if (fcntl(fd, command, &lock))
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	*type = lock.l_type;
	return 0;
}

/* Whether the process of the slot's claim lives: 1, 0, or -errno if the kernel
 * does not tell. */
static int is_alive(const struct layout *layout, uint32_t i, uint64_t claim)
{
	int err = descriptor_get(layout->file);
	short type = claim & SHARED ? F_WRLCK : F_RDLCK;

	if (err >= 0)
		err = lock_byte(err, F_OFD_GETLK, &type, i, claim);
	return err ? err : type != F_UNLCK;
}

/* Lock the byte of the claim, in *claim as it can be locked. -EAGAIN: another
 * process has it. */
static int lock_claim(int fd, uint32_t i, uint64_t *claim)
{
	short type = F_WRLCK;
	int err = lock_byte(fd, F_OFD_SETLK, &type, i, *claim);

	if (err != -EAGAIN && err != -EACCES)
		return err;
	type = F_RDLCK;
	*claim |= SHARED;
	err = lock_byte(fd, F_OFD_SETLK, &type, i, *claim);
	return err == -EACCES ? -EAGAIN : err;
}

/* Claim the slot for the description in fd. -EAGAIN: a process has it. */
static int claim(const struct layout *layout, uint32_t i, int fd)
{
	uint64_t old = claim_at(layout, i);
	uint64_t new = ((old >> 32) + 1) << 32;
	short type = F_UNLCK;
	int err = is_alive(layout, i, old);

	if (!err)
		err = lock_claim(fd, i, &new);
	if (err)
		return err > 0 ? -EAGAIN : err;
	if (__atomic_compare_exchange_n(&slot_at(layout, i)->claim, &old, new,
					false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		return 0;
	lock_byte(fd, F_OFD_SETLK, &type, i, new);
	return -EAGAIN;
}

/* Those that were left are tried first: a dead process's is still to be
 * shown. */
static int claim_any(const struct layout *layout, int fd, uint32_t *slot)
{
	uint32_t nr = nr_slots(layout);

	for (uint32_t i = 0; i < 2 * nr; i++) {
		const struct layout_writer *w = slot_at(layout, i % nr);
		int err;

		if (i < nr && __atomic_load_n(&w->pid, __ATOMIC_RELAXED))
			continue;
		err = claim(layout, i % nr, fd);
		*slot = i % nr;
		if (err != -EAGAIN)
			return err;
	}
	return nr == 1 ? -EBUSY : -EUSERS;
}

/* Keep the description of fd by a mapping alone. Nothing reads it. */
static int keep(int fd, void **kept)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, bytes, PROT_NONE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	if (madvise(p, bytes, MADV_DONTFORK)) {
		int err = -errno;

		munmap(p, bytes);
		return err;
	}
	*kept = p;
	return 0;
}

static void release(struct layout *layout)
{
	if (layout->kept)
		munmap(layout->kept, (size_t)sysconf(_SC_PAGESIZE));
	layout->kept = NULL;
}

static int lock_slot(struct layout *layout, uint32_t *slot)
{
	int fd = descriptor_again(layout->file);
	int err = fd < 0 ? fd : keep(fd, &layout->kept);

	if (!err)
		err = claim_any(layout, fd, slot);
	if (fd >= 0)
		close(fd);
	if (err)
		release(layout);
	return err;
}

int writer_join(struct layout *layout)
{
	uint32_t slot = 0;
	int err = lock_slot(layout, &slot);

	if (err && !layout->unshared)
		return err;
	__atomic_store_n(&layout->owner, writer_in(layout, slot),
			 __ATOMIC_RELEASE);
	__atomic_store_n(&slot_at(layout, slot)->pid, (uint32_t)getpid(),
			 __ATOMIC_RELEASE);
	return 0;
}

void writer_leave(struct layout *layout)
{
	struct layout_writer *w = slot_at(layout, slot_of(layout->owner));

	writer_set_pins(layout, 0);
	writer_set_reached(layout, false);
	writer_set_serves(layout, false);
	__atomic_store_n(&w->pid, 0, __ATOMIC_RELEASE);
	layout->owner = 0;
	release(layout);
}

void writer_forked(struct layout *layout)
{
	layout->owner = 0;
	layout->kept = NULL; /* nor is it mapped here */
}

static int alive_of(const struct layout *layout, uint32_t i, uint64_t claim)
{
	int alive = is_alive(layout, i, claim);

	return alive < 0 ? -1 : alive;
}

int writer_next(const struct layout *layout, uint64_t *slot, pid_t *pid,
		int *alive)
{
	while (*slot < LAYOUT_NR_WRITERS) {
		uint32_t i = (uint32_t)(*slot)++;
		uint32_t found = __atomic_load_n(&slot_at(layout, i)->pid,
						 __ATOMIC_ACQUIRE);

		if (found) {
			*pid = (pid_t)found;
			*alive = alive_of(layout, i, claim_at(layout, i));
			return 0;
		}
	}
	return -ENOENT;
}

void writer_of(const struct layout *layout, uint64_t owner, pid_t *pid,
	       int *alive)
{
	uint32_t i = slot_of(owner);
	uint64_t claim;

	*pid = 0;
	*alive = 0;
	if (i >= LAYOUT_NR_WRITERS)
		return;
	*pid = (pid_t)__atomic_load_n(&slot_at(layout, i)->pid,
				      __ATOMIC_ACQUIRE);
	/* A process takes a slot before it stores its pid. */
	claim = claim_at(layout, i);
	if ((claim ^ owner) >> 32)
		*pid = 0;
	else
		*alive = alive_of(layout, i, claim);
}

bool writer_is_gone(const struct layout *layout, uint64_t owner)
{
	uint32_t i = slot_of(owner);
	uint64_t claim;

	if (i >= LAYOUT_NR_WRITERS)
		return true;
	claim = claim_at(layout, i);
	/* A slot goes to another process only once the former one is dead. */
	return (claim ^ owner) >> 32 || !is_alive(layout, i, claim);
}

uint64_t writer_in(const struct layout *layout, uint32_t slot)
{
	return slot < LAYOUT_NR_WRITERS
		       ? claim_at(layout, slot) >> 32 << 32 | (slot + 1)
		       : 0;
}

/* A word of the slot counts only beside the generation that stored it. */
static uint64_t word_of(const struct layout *layout, uint32_t value)
{
	return layout->owner >> 32 << 32 | value;
}

static uint32_t value_of(const struct layout *layout, uint32_t i,
			 const uint64_t *word)
{
	uint64_t w = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	uint64_t claim;

	if (!(uint32_t)w)
		return 0;
	claim = claim_at(layout, i);
	return (claim ^ w) >> 32 || !is_alive(layout, i, claim) ? 0
								: (uint32_t)w;
}

void writer_set_pins(const struct layout *layout, uint32_t pins)
{
	__atomic_store_n(&slot_at(layout, slot_of(layout->owner))->pins,
			 word_of(layout, pins), __ATOMIC_RELEASE);
}

uint32_t writer_pins(const struct layout *layout)
{
	uint32_t pins = 0;

	for (uint32_t i = 0; i < LAYOUT_NR_WRITERS; i++)
		pins += value_of(layout, i, &slot_at(layout, i)->pins);
	return pins;
}

void writer_set_reached(const struct layout *layout, bool reached)
{
	__atomic_store_n(&slot_at(layout, slot_of(layout->owner))->reached,
			 word_of(layout, reached), __ATOMIC_RELEASE);
}

bool writer_none_reached(const struct layout *layout)
{
	for (uint32_t i = 0; i < LAYOUT_NR_WRITERS; i++)
		if (value_of(layout, i, &slot_at(layout, i)->reached))
			return false;
	return true;
}

void writer_set_serves(const struct layout *layout, bool serves)
{
	__atomic_store_n(&slot_at(layout, slot_of(layout->owner))->serves,
			 word_of(layout, serves), __ATOMIC_RELEASE);
}

bool writer_may_serve(const struct layout *layout)
{
	for (uint32_t i = 0; i < LAYOUT_NR_WRITERS; i++)
		if ((uint32_t)__atomic_load_n(&slot_at(layout, i)->serves,
					      __ATOMIC_RELAXED))
			return true;
	return false;
}

bool writer_any_serves(const struct layout *layout)
{
	for (uint32_t i = 0; i < LAYOUT_NR_WRITERS; i++)
		if (value_of(layout, i, &slot_at(layout, i)->serves))
			return true;
	return false;
}

bool writer_any_lives(const struct layout *layout)
{
	for (uint32_t i = 0; i < LAYOUT_NR_WRITERS; i++)
		if (__atomic_load_n(&slot_at(layout, i)->pid,
				    __ATOMIC_ACQUIRE) &&
		    is_alive(layout, i, claim_at(layout, i)))
			return true;
	return false;
}
