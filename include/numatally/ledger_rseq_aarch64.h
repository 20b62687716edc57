/* SPDX-License-Identifier: MIT */
/*
 * ledger_rseq_aarch64: the restartable sequences of aarch64.
 *
 * The architecture lets an interrupt be taken between the two stores of an stp,
 * which is then done again as a whole: a sequence that is aborted there would
 * have added one half. Not so where the pair is a single-copy atomic access:
 * stxp's always is, stp's with FEAT_LSE2 (HWCAP_USCAT), both if aligned. Four
 * cells can't be stored so at all.
 *
 * Loads need no barriers: the cell's address depends on the lanes, and whether
 * it is stored to on what end or touched says.
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

#define TALLY_RSEQ_BYTES 16

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

/* After it, in both, x9 is the first cell's address, in the bank that counts.
 * A handle of another generation, and rows of an untouched bucket, are left for
 * the slow path. */
#define TALLY_RSEQ_IS_STALE						\
	"ldr w9, [%[generations], %[row], lsl #2]\n\t"			\
	"cmp w9, %w[generation]\n\t"

/* x9: touched */
#define TALLY_RSEQ_IS_TOUCHED						\
	"lsr x10, %[row], #6\n\t"					\
	"ldrb w9, [x9, x10]\n\t"

/*
 * Where this process alone writes. The CPU is read inside, so that nothing is
 * to be compared.
 *
 * x17: this CPU's words in struct tally_lanes
 */
#define TALLY_RSEQ_BARE(commit, after, ...)				\
	__asm__ goto(							\
		TALLY_RSEQ_BEGIN					\
		"ldrsw x16, [%[area], #4]\n\t"				\
		"ldr x17, [%[fast]]\n\t"				\
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
		  [words] "I" (offsetof(struct tally_lanes, end)),	\
		  __VA_ARGS__						\
		: TALLY_RSEQ_CLOBBERS					\
		: slow)

/*
 * Where several do: what the thread knows is for this ledger and CPU; the mark
 * is set, and then it is still for the epoch that adds go to. The mark is
 * cleared behind the sequence, or by who was interrupted: by a release, so that
 * who sees that sees the add. Between the mark and the look at the tag a
 * membarrier stands in for a barrier; who sees a tag sees the generations of
 * those who stored it.
 *
 * x13: the mark, once it is to be set
 */
#define TALLY_RSEQ_MARKED(commit, after, ...)				\
	__asm__ goto(							\
		"mov x13, #0\n\t"					\
		TALLY_RSEQ_BEGIN					\
		"ldr w16, [%[area], #4]\n\t"				\
		"ldr x17, [%[fast], %[serial]]\n\t"			\
		"orr x16, x16, x17\n\t"				\
		"ldr x17, [%[known], %[key]]\n\t"			\
		"cmp x16, x17\n\t"					\
		"b.ne %l[slow]\n\t"					\
		"ldr x9, [%[known], %[end]]\n\t"			\
		"cmp x9, %[offset]\n\t"					\
		"b.hi 5f\n\t"						\
		"ldr x9, [%[known], %[touched]]\n\t"			\
		TALLY_RSEQ_IS_TOUCHED					\
		"cbz w9, %l[slow]\n"					\
		"5:\n\t"						\
		"ldr x16, [%[known], %[tag]]\n\t"			\
		"add x17, x16, %[row], lsl #1\n\t"			\
		"add x17, x17, #1\n\t"					\
		"ldr x13, [%[known], %[mark]]\n\t"			\
		"stlr x17, [x13]\n\t"					\
		"ldar x17, [%[tag_now]]\n\t"				\
		"cmp x16, x17\n\t"					\
		"b.ne 6f\n\t"						\
		TALLY_RSEQ_IS_STALE					\
		"b.eq 7f\n"						\
		"6:\n\t"						\
		"stlr xzr, [x13]\n\t"					\
		"b %l[slow]\n"						\
		"7:\n\t"						\
		"ldr x9, [%[known], %[rows]]\n\t"			\
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
		  [known] "r" ((char *)__builtin_thread_pointer() +	\
			       TALLY_KNOWN_OFFSET(fast)),		\
		  [tag_now] "r" ((const char *)fast + TALLY_FAST_TAG),	\
		  [serial] "i" (offsetof(struct tally_fast, serial)),	\
		  [key] "i" (offsetof(struct tally_known, key)),	\
		  [tag] "i" (offsetof(struct tally_known, tag)),	\
		  [mark] "i" (offsetof(struct tally_known, mark)),	\
		  [rows] "i" (offsetof(struct tally_known, rows)),	\
		  [end] "i" (offsetof(struct tally_known, end)),	\
		  [touched] "i" (offsetof(struct tally_known, touched)), \
		  __VA_ARGS__						\
		: TALLY_RSEQ_CLOBBERS					\
		: slow)

/* What commits. */
#define TALLY_RSEQ_ONE							\
	"ldr x10, [x9]\n\t"						\
	"add x10, x10, %[amount]\n\t"					\
	"str x10, [x9]"

#define TALLY_RSEQ_PAIR							\
	"ldp x10, x11, [x9]\n\t"					\
	"add x10, x10, %[first]\n\t"					\
	"add x11, x11, %[second]\n\t"					\
	"stp x10, x11, [x9]"

#define TALLY_RSEQ_EXCLUSIVE						\
	"ldxp x10, x11, [x9]\n\t"					\
	"add x10, x10, %[first]\n\t"					\
	"add x11, x11, %[second]\n\t"					\
	"stxp w16, x10, x11, [x9]"

/* Behind the sequence: an exclusive store may fail. */
#define TALLY_RSEQ_STORED "cbnz w16, %l[slow]\n\t"

#define TALLY_RSEQ_AMOUNTS						\
	[first] "r" (amounts[0]), [second] "r" (amounts[1])

/* x16 and x17 are also those of a linker that lengthens a branch. */
#define TALLY_RSEQ_CLOBBERS						\
	"memory", "cc", "x9", "x10", "x11", "x13", "x16", "x17"

/* clang-format on */

static inline __attribute__((always_inline)) bool
tally_rseq_several(const struct tally_fast *fast)
{
	return ((uintptr_t)fast & TALLY_FAST_SEVERAL) != 0;
}

/* Add one or two amounts side by side. false: nothing was added. */
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
tally_rseq_add2_bare(const struct tally_fast *fast,
		     struct tally_account account, unsigned int resource,
		     const int64_t amounts[2])
{
	if (fast->pairs)
		TALLY_RSEQ_BARE(TALLY_RSEQ_PAIR, "", TALLY_RSEQ_AMOUNTS);
	else
		TALLY_RSEQ_BARE(TALLY_RSEQ_EXCLUSIVE, TALLY_RSEQ_STORED,
				TALLY_RSEQ_AMOUNTS);
	return true;
slow:
	return false;
}

static inline __attribute__((always_inline)) bool
tally_rseq_add_marked(const struct tally_fast *fast,
		      struct tally_account account, unsigned int resource,
		      int64_t amount)
{
	TALLY_RSEQ_MARKED(TALLY_RSEQ_ONE, "", [amount] "rI"(amount));
	return true;
slow:
	return false;
}

static inline __attribute__((always_inline)) bool
tally_rseq_add2_marked(const struct tally_fast *fast,
		       struct tally_account account, unsigned int resource,
		       const int64_t amounts[2])
{
	if (fast->pairs)
		TALLY_RSEQ_MARKED(TALLY_RSEQ_PAIR, "", TALLY_RSEQ_AMOUNTS);
	else
		TALLY_RSEQ_MARKED(TALLY_RSEQ_EXCLUSIVE, TALLY_RSEQ_STORED,
				  TALLY_RSEQ_AMOUNTS);
	return true;
slow:
	return false;
}

#undef TALLY_RSEQ_ABORT
#undef TALLY_RSEQ_AMOUNTS
#undef TALLY_RSEQ_BARE
#undef TALLY_RSEQ_BEGIN
#undef TALLY_RSEQ_CLOBBERS
#undef TALLY_RSEQ_EXCLUSIVE
#undef TALLY_RSEQ_INPUTS
#undef TALLY_RSEQ_IS_STALE
#undef TALLY_RSEQ_IS_TOUCHED
#undef TALLY_RSEQ_MARKED
#undef TALLY_RSEQ_ONE
#undef TALLY_RSEQ_PAIR
#undef TALLY_RSEQ_STORED

TALLY_END

#endif
#endif
