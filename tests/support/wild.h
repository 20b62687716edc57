/* SPDX-License-Identifier: MIT */
/* A hostile writer: a thread that changes words of a ledger's file, and
 * restores them, while others read it. */
#ifndef TEST_SUPPORT_WILD_H
#define TEST_SUPPORT_WILD_H

#include <stdint.h>

/* Start it, at a place that follows from the seed. At most one runs. */
void wild_start(const char *path, uint32_t seed);

/* Stop it, with every word restored; does nothing if none runs. */
void wild_stop(void);

#endif
