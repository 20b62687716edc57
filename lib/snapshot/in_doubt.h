/* SPDX-License-Identifier: MIT */
/*
 * in_doubt: adds that were in flight when their process died. Their words in
 * flight become entries of a table in the file, so that none is lost.
 * in_doubt_reap() and in_doubt_reap_all() need the epoch lock
 * (snapshot/epoch.h).
 */
#ifndef SNAPSHOT_IN_DOUBT_H
#define SNAPSHOT_IN_DOUBT_H

#include <stdint.h>

#include "file/file.h"

/* Whether the thread has an add in flight. */
bool in_doubt_is_inflight(const struct layout *layout, uint32_t thread);

/* Whether the thread's process is known to be dead, or the thread has left the
 * add. */
bool in_doubt_is_dead(const struct layout *layout, uint32_t thread);

/* Note and clear what a dead thread had in flight, and free its slot.
 * Idempotent: may be re-run after a crash. */
void in_doubt_reap(struct layout *layout, uint32_t thread);

/* The same for all dead threads, or only for those with an add in flight. */
void in_doubt_reap_all(struct layout *layout, bool inflight);

/* The number of adds in doubt so far. */
uint64_t in_doubt_count(const struct layout *layout);

/* Copy the index-th add in doubt. -ENOENT: there is none, or later ones have
 * replaced it; -EBADMSG: it or the count is damaged, or the file was cut
 * short. */
int in_doubt_read(const struct layout *layout, uint64_t index,
		  struct layout_in_doubt *doubt);

#endif
