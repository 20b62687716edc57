/* SPDX-License-Identifier: MIT */
/*
 * ledger_rseq_aarch64: the restartable sequences of aarch64.
 *
 * Loads need no barriers: the address of the cell depends on the load of the
 * lanes, and the store on the loads of end and touched.
 */
#ifndef NUMATALLY_LEDGER_RSEQ_AARCH64_H
#define NUMATALLY_LEDGER_RSEQ_AARCH64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/account.h>
#include <numatally/export.h>
#include <numatally/ledger_fast.h>

#if defined(__aarch64__) && defined(TALLY_HAS_RSEQ) && !defined(__cppcheck__)

TALLY_BEGIN

#define TALLY_HAS_SEQUENCES 1

/* clang-format off */

#define TALLY_RSEQ_BEGIN						\
	TALLY_RSEQ_DESCRIPTOR						\
	"adrp x16, 3b\n\t"						\
	"add x16, x16, :lo12:3b\n\t"					\
	"str x16, [%[area], #8]\n"					\
	"1:\n\t"

/* brk #0x45e0: the signature of an abort */
#define TALLY_RSEQ_ABORT						\
	".pushsection __rseq_failure, \"ax\"\n\t"			\
	".inst 0xd428bc00\n"						\
	"4:\n\t"

#define TALLY_RSEQ_INPUTS						\
	[area] "r" ((char *)__builtin_thread_pointer() +		\
		    TALLY_RSEQ_OFFSET(fast)),				\
	[fast] "r" (fast),						\
	[generations] "r" ((const char *)fast + TALLY_FAST_GENERATIONS), \
	[row] "r" ((uint64_t)account.row),				\
	[generation] "r" (account.generation),				\
	[offset] "r" (tally_fast_offset(fast, account, resource))

/* The checks of both sequences; they leave stale handles and rows of untouched
 * buckets to the slow path. A commit finds the address of the cell, in the
 * current bank, in x9. */
#define TALLY_RSEQ_IS_STALE						\
	"ldr w9, [%[generations], %[row], lsl #2]\n\t"			\
	"cmp w9, %w[generation]\n\t"

/* x9: touched */
#define TALLY_RSEQ_IS_TOUCHED						\
	"lsr x10, %[row], #6\n\t"					\
	"ldrb w9, [x9, x10]\n\t"

/*
 * In an exclusive ledger. The sequence reads the CPU itself, so there is
 * nothing to compare.
 *
 * x17: this CPU's words in struct tally_lanes
 */
#define TALLY_RSEQ_BARE(commit, after, ...)				\
	__asm__ goto(							\
		TALLY_RSEQ_BEGIN					\
		"ldrsw x16, [%[area], #4]\n\t"				\
		"ldr x17, [%[fast], %[lanes]]\n\t"			\
		"add x17, x17, x16, lsl #3\n\t"			\
		"add x16, x17, %[words]\n\t"				\
		"ldr x9, [x16]\n\t"					\
		"cmp x9, %[offset]\n\t"					\
		"b.hi 5f\n\t"						\
		"add x16, x16, %[words]\n\t"				\
		"ldr x9, [x16]\n\t"					\
		"cbz x9, %l[slow]\n\t"					\
		TALLY_RSEQ_IS_TOUCHED					\
		"cbz w9, %l[slow]\n"					\
		"5:\n\t"						\
		TALLY_RSEQ_IS_STALE					\
		"b.ne %l[slow]\n\t"					\
		"ldr x9, [x17]\n\t"					\
		"add x9, x9, %[offset]\n\t"				\
		commit "\n"						\
		"2:\n\t"						\
		after							\
		TALLY_RSEQ_ABORT					\
		"b %l[slow]\n\t"					\
		".popsection\n\t"					\
		: /* none */						\
		: TALLY_RSEQ_INPUTS,					\
		  [lanes] "i" (TALLY_FAST_LANES),			\
		  [words] "I" (offsetof(struct tally_lanes, end)),	\
		  __VA_ARGS__						\
		: TALLY_RSEQ_CLOBBERS					\
		: slow)

/*
 * In a shared ledger. The sequence checks that the thread's cache is for this
 * ledger and CPU, sets the in-flight word, and then checks that the cached
 * epoch is still the current one. The code behind the sequence clears the
 * word, or, after an abort, the code that the kernel moved the thread to: with
 * a release, so that a reader that sees it cleared sees the add. The
 * membarrier of a snapshot is the barrier between the store of the in-flight
 * word and the load of the epoch. The load of the epoch acquires, so that the
 * generations stored before it are seen.
 *
 * x13: the address of the in-flight word, once it may be set
 */
#define TALLY_RSEQ_INFLIGHT(commit, after, ...)				\
	__asm__ goto(							\
		"mov x13, #0\n\t"					\
		TALLY_RSEQ_BEGIN					\
		"ldr w16, [%[area], #4]\n\t"				\
		"ldr x17, [%[fast], %[serial]]\n\t"			\
		"orr x16, x16, x17\n\t"				\
		"ldr x17, [%[cache], %[key]]\n\t"			\
		"cmp x16, x17\n\t"					\
		"b.ne %l[slow]\n\t"					\
		"ldr x9, [%[cache], %[end]]\n\t"			\
		"cmp x9, %[offset]\n\t"					\
		"b.hi 5f\n\t"						\
		"ldr x9, [%[cache], %[touched]]\n\t"			\
		TALLY_RSEQ_IS_TOUCHED					\
		"cbz w9, %l[slow]\n"					\
		"5:\n\t"						\
		"ldr x16, [%[cache], %[epoch_word]]\n\t"			\
		"add x17, x16, %[row], lsl #1\n\t"			\
		"add x17, x17, #1\n\t"					\
		"ldr x13, [%[cache], %[inflight]]\n\t"			\
		"stlr x17, [x13]\n\t"					\
		"ldar x17, [%[epoch_now]]\n\t"				\
		"cmp x16, x17\n\t"					\
		"b.ne 6f\n\t"						\
		TALLY_RSEQ_IS_STALE					\
		"b.eq 7f\n"						\
		"6:\n\t"						\
		"stlr xzr, [x13]\n\t"					\
		"b %l[slow]\n"						\
		"7:\n\t"						\
		"ldr x9, [%[cache], %[rows]]\n\t"			\
		"add x9, x9, %[offset]\n\t"				\
		commit "\n"						\
		"2:\n\t"						\
		"stlr xzr, [x13]\n\t"					\
		after							\
		TALLY_RSEQ_ABORT					\
		"cbz x13, 8f\n\t"					\
		"stlr xzr, [x13]\n"					\
		"8:\n\t"						\
		"b %l[slow]\n\t"					\
		".popsection\n\t"					\
		: /* none */						\
		: TALLY_RSEQ_INPUTS,					\
		  [cache] "r" ((char *)__builtin_thread_pointer() +	\
			       TALLY_THREAD_CACHE_OFFSET(fast)),		\
		  [epoch_now] "r" ((const char *)fast + TALLY_FAST_EPOCH_WORD),	\
		  [serial] "i" (TALLY_FAST_SERIAL),			\
		  [key] "i" (offsetof(struct tally_thread_cache, key)),	\
		  [epoch_word] "i" (offsetof(struct tally_thread_cache, epoch_word)),	\
		  [inflight] "i" (offsetof(struct tally_thread_cache, inflight)),	\
		  [rows] "i" (offsetof(struct tally_thread_cache, rows)),	\
		  [end] "i" (offsetof(struct tally_thread_cache, end)),	\
		  [touched] "i" (offsetof(struct tally_thread_cache, touched)), \
		  __VA_ARGS__						\
		: TALLY_RSEQ_CLOBBERS					\
		: slow)

/* The commit. */
#define TALLY_RSEQ_ONE							\
	"ldr x10, [x9]\n\t"						\
	"add x10, x10, %[amount]\n\t"					\
	"str x10, [x9]"

/* x16 and x17 belong to linkers that lengthen a branch, too. */
#define TALLY_RSEQ_CLOBBERS						\
	"memory", "cc", "x9", "x10", "x11", "x13", "x16", "x17"

/* clang-format on */

static inline __attribute__((always_inline)) bool
tally_rseq_several(const struct tally_fast *fast)
{
	return ((uintptr_t)fast & TALLY_FAST_SEVERAL) != 0;
}

/* Add an amount. Return false if they added nothing. */
static inline __attribute__((always_inline)) bool
tally_rseq_add_bare(const struct tally_fast *fast, struct tally_account account,
		    unsigned int resource, int64_t amount)
{
	TALLY_RSEQ_BARE(TALLY_RSEQ_ONE, "", [amount] "rI"(amount));
	return true;
slow:
	return false;
}

static inline __attribute__((always_inline)) bool
tally_rseq_add_inflight(const struct tally_fast *fast,
			struct tally_account account, unsigned int resource,
			int64_t amount)
{
	TALLY_RSEQ_INFLIGHT(TALLY_RSEQ_ONE, "", [amount] "rI"(amount));
	return true;
slow:
	return false;
}

#ifndef TALLY_RSEQ_KEEP
#undef TALLY_RSEQ_ABORT
#undef TALLY_RSEQ_BARE
#undef TALLY_RSEQ_BEGIN
#undef TALLY_RSEQ_CLOBBERS
#undef TALLY_RSEQ_INPUTS
#undef TALLY_RSEQ_IS_STALE
#undef TALLY_RSEQ_IS_TOUCHED
#undef TALLY_RSEQ_INFLIGHT
#undef TALLY_RSEQ_ONE
#endif

TALLY_END

#endif
#endif
