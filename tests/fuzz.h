/* SPDX-License-Identifier: MIT */
/*
 * fuzz: bytes as a ledger's file. A ledger is mostly holes, so an input lists
 * the words that are not 0:
 *
 *  ┌───────┬──────────────┬───────┬────────┬───────────┬───────┬──
 *  │ flags │ bytes of the │ index │ number │ words     │ index │ …
 *  │ u32   │ file / 8 u32 │ u32   │ u32    │ [number]  │       │
 *  └───────┴──────────────┴───────┴────────┴───────────┴───────┴──
 *           index: of the first of these words in the file
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_CHECKSUM 1u /* is made right */
#define FUZZ_PLAN     2u /* as are the places that follow from the numbers */
#define FUZZ_CUT      4u /* the file is cut in the middle of it all */
#define FUZZ_WILD     8u /* a thread writes to it meanwhile */

/* Makes the file, under a name of this process's own, which it returns; NULL
 * where it would be too large to be gone through. */
const char *fuzz_make(const uint8_t *data, size_t bytes, uint32_t *flags);
void fuzz_cut(void);

/* The input that makes this image, into the file at path. 0, or -1: errno */
int fuzz_write(const char *path, uint32_t flags, const char *image,
	       size_t bytes);

/* As libFuzzer calls it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
