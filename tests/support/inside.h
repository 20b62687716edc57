/* SPDX-License-Identifier: MIT */
/* A ledger's file as it lies, for tests of what no function shows. */
#ifndef TEST_SUPPORT_INSIDE_H
#define TEST_SUPPORT_INSIDE_H

#include <stdbool.h>
#include <sys/types.h>

#include <numatally/ledger.h>

#include "file/layout_limit.h"

/* Map the file, or fail the test. */
struct layout *inside_open(const char *path);
void inside_close(struct layout *inside);

/* Correct the checksum after the description was changed. */
void inside_sign(const struct layout *inside);

/* Correct the checksum of a saved ledger, after inside_sign(). */
void inside_seal(const struct layout *inside);

/* Change the kind of a resource, and correct the checksum. */
void inside_set_kind(const struct layout *inside, uint32_t resource,
		     uint32_t kind);

/* Whether charges of two use a plain store, on aarch64. */
void inside_set_pairs(struct tally_ledger *ledger, bool pairs);

/* How many threads are in flight. */
unsigned int inside_nr_inflight(const struct layout *inside);

/* The owner word of a process; 0: it has no slot. */
uint64_t inside_owner(const struct layout *inside, pid_t pid);

/* Kill the process, our child, and wait until the ledger knows that it is dead:
 * while another process reads of it in /proc, its memory stays, and with it the
 * lock of its slot. */
void inside_kill(const char *path, pid_t pid);

/* Make the process of an owner word live, in that file, until the caller closes
 * the descriptor. */
int inside_live(const char *path, uint64_t owner);

/* Give the process the lock of the limits. */
void inside_lock_limits(const struct layout *inside, pid_t pid);

/* The row's holding on the node, which has a place then. */
struct layout_holding *inside_holding(const struct layout *inside,
				      uint32_t node, uint32_t row);

/* Prepare to step another process: wait until it has called inside_stop().
 * False: it can't be stepped. */
bool inside_wait(pid_t pid);
bool inside_step(pid_t pid);

/* Of the process that stopped or ended last: its wait status, and a number that
 * differs after each page fault, and from that of another process. */
extern int inside_status;
extern int64_t inside_faults;

/* Stop, in that process. -errno: it can't be stepped here. */
int inside_stop(void);

#endif
