/* SPDX-License-Identifier: MIT */
/*
 * writer: the table of the processes that have a ledger open for writing, and
 * whether one lives.
 *
 * A process has a slot, and the slot's next generation: the two make its owner
 * word, which other words of the file name it by, and which no other process
 * ever gets. Each owner word has a byte, far behind the end of the file. Its
 * process locks that byte, as a lock of an open file description of which
 * nothing is left but a mapping that a child of fork(2) does not get. The
 * kernel drops the lock with the process's memory: when the process ends or
 * calls execve(2), and at no other time. Nothing else tells which
 * processes live.
 *
 * The lock is a write lock, which takes write permission, and is asked for as a
 * read lock: so what readers lock does not count. Where a reader's lock is in
 * the way, the process takes a read lock, its slot says so, and then any lock
 * of that byte counts: a dead process may seem to live while a reader holds on
 * to its byte, but a living one never seems dead, and none is kept out.
 */
#ifndef FILE_WRITER_H
#define FILE_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "file/file.h"

/*
 * Take a slot for this process, one that is free or a dead process's, and set
 * layout->owner. No thread may call fork(2) meanwhile: its child would keep the
 * lock.
 *
 * -EUSERS	every slot is taken
 * -EBUSY	the ledger is exclusive, and another process has it
 * -EOPNOTSUPP	the file system, or the kernel, has no such locks
 * other	as descriptor_again(), fcntl(2) and mmap(2)
 */
int writer_join(struct layout *layout);
void writer_leave(struct layout *layout);

/* In the child of a fork(2): forget the parent's slot and lock. */
void writer_forked(struct layout *layout);

/* Get the process in the first taken slot from *slot on: its pid, in its own
 * PID namespace, and whether it lives (1, 0; -1: this can't be told); advance
 * *slot past it. -ENOENT: no more. */
int writer_next(const struct layout *layout, uint64_t *slot, pid_t *pid,
		int *alive);

/* Get the process of an owner word, as writer_next(); its pid is 0 if it left, or
 * its slot is another's. */
void writer_of(const struct layout *layout, uint64_t owner, pid_t *pid,
	       int *alive);

/* Whether the process of an owner word is known to be dead, or to have left. */
bool writer_is_gone(const struct layout *layout, uint64_t owner);

/* The owner word of the process that has the slot, or had it last. */
uint64_t writer_in(const struct layout *layout, uint32_t slot);

/* Set this process's pins of the frozen bank; count those of all processes that
 * live. */
void writer_set_pins(const struct layout *layout, uint32_t pins);
uint32_t writer_pins(const struct layout *layout);

/* Set whether the process relies on membarriers, since its adds in flight use
 * no fence: before its first add. And return whether no living process does. */
void writer_set_reached(const struct layout *layout, bool reached);
bool writer_none_reached(const struct layout *layout);

/* Set whether this process serves readers (snapshot/serve.h); and return whether
 * a living one does, and whether any lives at all, or may. */
void writer_set_serves(const struct layout *layout, bool serves);
bool writer_may_serve(const struct layout *layout); /* one does, or has died */
bool writer_any_serves(const struct layout *layout);
bool writer_any_lives(const struct layout *layout);

#endif
