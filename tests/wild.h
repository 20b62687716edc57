/* SPDX-License-Identifier: MIT */
/* A hostile writer: a thread that changes words of a ledger's file, and puts
 * them back, for as long as others look at it. */
#ifndef WILD_H
#define WILD_H

#include <stdint.h>

/* Where it begins follows from the seed. At most one runs. */
void wild_start(const char *path, uint32_t seed);

/* Every word is as it was; nothing where none runs. */
void wild_stop(void);

#endif
