/* SPDX-License-Identifier: MIT */
/*
 * limit_space: the processes that change reservations are of one PID namespace.
 *
 * A thread is known to the lock by its number in its own namespace. One that is
 * killed while it waits is taken for the holder where that has the same number
 * in another (two containers, each with a process 1), and the lock is given
 * away while it is held.
 *
 * So each process has a lock on a byte far behind the end of the file, which
 * stands for its namespace, from its first call on; and none that finds another
 * byte locked goes on. The kernel takes these locks, whoever dies and wherever.
 */
#ifndef LIMIT_SPACE_H
#define LIMIT_SPACE_H

#include "ledger_internal.h"

/* -EXDEV: processes of another namespace are at it. 0 also where that can't be
 * known. */
int limit_space_claim(struct tally_ledger *ledger);

/* From now on others may be at it; also in the child of a fork, whose file is
 * its parent's until then. */
void limit_space_leave(struct tally_ledger *ledger);

#endif
