/* SPDX-License-Identifier: MIT */
/*
 * doubt: what threads were doing when their process died. Their marks become
 * entries of a table in the file, so that none is forgotten by whoever meets it
 * first. Only the one who moves epochs on (epoch.h) may call doubt_reap.
 */
#ifndef DOUBT_H
#define DOUBT_H

#include <stdint.h>

#include "layout.h"

/* Whether the thread's process is known to be gone. */
bool doubt_is_dead(const struct layout *layout, uint32_t thread);

/* Notes and clears the marks of a dead thread, and gives its slot back. It may
 * be broken off anywhere, and called again. */
void doubt_reap(struct layout *layout, uint32_t thread);

/* The same for all dead ones; or only for those that are marked, of whom alone
 * there is something to say. */
void doubt_reap_all(struct layout *layout, bool marked);

uint64_t doubt_count(const struct layout *layout);

/* A copy of the index-th. -ENOENT: there is none, or it is too long ago;
 * -EBADMSG: it, or the count of them, is damaged, or the file was cut short. */
int doubt_read(const struct layout *layout, uint64_t index,
	       struct layout_doubt *doubt);

#endif
