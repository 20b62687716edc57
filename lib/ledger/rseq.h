/* SPDX-License-Identifier: MIT */
/*
 * The area by which the kernel tells a thread its CPU, and aborts its sequences
 * (rseq(2)). The kernel has one for each thread. glibc 2.35 and later registers
 * every thread's; where the C library does not, or was told not to, a thread
 * registers one of ours before its first sequence, and gives way to one that
 * other code registered: it then adds by atomics.
 */
#ifndef LEDGER_RSEQ_H
#define LEDGER_RSEQ_H

#include <stdbool.h>
#include <stddef.h>

/* Make sure that this thread has an area at rseq_offset(). False: it can't have
 * one. Async-signal-safe. */
bool rseq_register(void);

/* From the thread pointer. */
ptrdiff_t rseq_offset(void);

#endif
