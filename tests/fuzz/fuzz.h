/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a ledger's file. A ledger is mostly holes, so an input lists
 * the words that are not 0:
 *
 *  ┌───────┬──────────────┬───────┬────────┬───────────┬───────┬──
 *  │ flags │ bytes of the │ index │ number │ words     │ index │ …
 *  │ u32   │ file / 8 u32 │ u32   │ u32    │ [number]  │       │
 *  └───────┴──────────────┴───────┴────────┴───────────┴───────┴──
 *           index: of the first of these words in the file
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_CHECKSUM 1u /* the checksum is corrected */
#define FUZZ_PLAN     2u /* as are the derived places */
#define FUZZ_CUT      4u /* the file is cut half-way through */
#define FUZZ_WILD     8u /* a thread writes to it meanwhile */

/* Make the file, and return its name, which is this process's own; NULL if it
 * would be too large to go through. */
const char *fuzz_make(const uint8_t *data, size_t bytes, uint32_t *flags);
void fuzz_cut(void);

/* Write the input that makes this image to the file at path. 0, or -1: errno */
int fuzz_write(const char *path, uint32_t flags, const char *image,
	       size_t bytes);

/* The function that libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
