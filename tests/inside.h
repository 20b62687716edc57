/* SPDX-License-Identifier: MIT */
/* A ledger's file as it lies, for tests that look at what no function shows. */
#ifndef INSIDE_H
#define INSIDE_H

#include <stdbool.h>
#include <sys/types.h>

#include "layout_limit.h"

/* Maps the file, or fails. */
struct layout *inside_open(const char *path);
void inside_close(struct layout *inside);

/* How many marks are set. */
unsigned int inside_nr_marked(const struct layout *inside);

/* The slot of the process; fails where it has none. */
struct layout_writer *inside_writer(const struct layout *inside, pid_t pid);

/* Gives it the lock of the limits. */
void inside_lock_limits(const struct layout *inside, pid_t pid);

/* Lets another process be stepped: waits until it has called inside_stop().
 * False: it can't be. */
bool inside_wait(pid_t pid);
bool inside_step(pid_t pid);

/* In that process: stops. -errno: it can't be stepped here. */
int inside_stop(void);

#endif
