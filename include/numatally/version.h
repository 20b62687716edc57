/* SPDX-License-Identifier: MIT */
/* version: which numatally a program was built with, and which it runs with.
 */
#ifndef NUMATALLY_VERSION_H
#define NUMATALLY_VERSION_H

#include <stdint.h>

#include <numatally/export.h>

TALLY_BEGIN

/* A version grows with every release: major << 16 | minor << 8 | patch. */
#define TALLY_VERSION	     0x000100
#define TALLY_VERSION_STRING "0.1.0"

/* Return the TALLY_VERSION of the library that the program runs with. Any
 * thread and signal handler may call it. */
TALLY_API TALLY_NODISCARD uint32_t tally_version(void);

TALLY_END

#endif
