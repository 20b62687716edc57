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

#define TALLY_RSEQ_END							\
	"2:\n\t"							\
	".pushsection __rseq_failure, \"ax\"\n\t"			\
	/* brk #0x45e0: the signature of an abort */			\
	".inst 0xd428bc00\n"						\
	"4:\n\t"							\
	"b %l[slow]\n\t"						\
	".popsection\n\t"

/*
 * The CPU is read inside, so that nothing is to be compared. After it: x9 is
 * the first cell's address, in the bank that counts; rows of an untouched
 * bucket are left for the slow path.
 */
#define TALLY_RSEQ_LANE							\
	"ldrsw x16, [%[area], #4]\n\t"					\
	"ldr x17, [%[lanes]]\n\t"					\
	"add x17, x17, x16, lsl #3\n\t"				\
	"add x16, x17, %[words]\n\t"					\
	"ldr x9, [x16]\n\t"						\
	"cmp x9, %[offset]\n\t"						\
	"b.hi 5f\n\t"							\
	"add x16, x16, %[words]\n\t"					\
	"ldr x9, [x16]\n\t"						\
	"cbz x9, %l[slow]\n\t"						\
	"ldrb w9, [x9, %[bucket]]\n\t"					\
	"cbz w9, %l[slow]\n"						\
	"5:\n\t"							\
	"ldr x9, [x17]\n\t"						\
	"add x9, x9, %[offset]\n\t"

/* words: of each member of struct tally_lanes, in bytes */
#define TALLY_RSEQ_INPUTS(fast, account, resource)			\
	[area] "r" ((char *)__builtin_thread_pointer() +		\
		    TALLY_RSEQ_OFFSET(fast)),				\
	[lanes] "r" (&(fast)->lanes),					\
	[words] "I" (offsetof(struct tally_lanes, end)),		\
	[bucket] "r" ((uint64_t)((account).row >> 6)),			\
	[offset] "r" ((uint64_t)(account).row * (fast)->row_bytes +	\
		      (uint64_t)(resource) * 8)

/* The CPU is the one that the cells are for, or the sequence does nothing. */
#define TALLY_RSEQ_ON_CPU						\
	"ldr w16, [%[area], #4]\n\t"					\
	"cmp w16, %w[cpu]\n\t"						\
	"b.ne %l[slow]\n\t"						\
	"mov x9, %[to]\n\t"

#define TALLY_RSEQ_CELLS(rseq, cpu, to)					\
	[area] "r" ((char *)__builtin_thread_pointer() + (rseq)),	\
	[cpu] "r" (cpu), [to] "r" (to)

/* What commits. */
#define TALLY_RSEQ_ONE							\
	"ldr x10, [x9]\n\t"						\
	"add x10, x10, %[amount]\n\t"					\
	"str x10, [x9]\n"

#define TALLY_RSEQ_PAIR							\
	"ldp x10, x11, [x9]\n\t"					\
	"add x10, x10, %[first]\n\t"					\
	"add x11, x11, %[second]\n\t"					\
	"stp x10, x11, [x9]\n"

#define TALLY_RSEQ_EXCLUSIVE						\
	"ldxp x10, x11, [x9]\n\t"					\
	"add x10, x10, %[first]\n\t"					\
	"add x11, x11, %[second]\n\t"					\
	"stxp w16, x10, x11, [x9]\n"

/* Behind the sequence: an exclusive store may fail. */
#define TALLY_RSEQ_STORED "cbnz w16, %l[slow]\n\t"

#define TALLY_RSEQ_AMOUNTS(amounts)					\
	[first] "r" ((amounts)[0]), [second] "r" ((amounts)[1])

/* x16 and x17 are also those of a linker that lengthens a branch. */
#define TALLY_RSEQ_CLOBBERS						\
	"memory", "cc", "x9", "x10", "x11", "x16", "x17"

/* clang-format on */

/*
 * Add one or two amounts side by side, in a lane of this process alone. false:
 * nothing was added.
 */
static inline __attribute__((always_inline)) bool
tally_rseq_add(const struct tally_fast *fast, struct tally_account account,
	       unsigned int resource, int64_t amount)
{
	__asm__ goto(
		TALLY_RSEQ_BEGIN TALLY_RSEQ_LANE TALLY_RSEQ_ONE TALLY_RSEQ_END
		: /* none */
		: TALLY_RSEQ_INPUTS(fast, account, resource), [amount] "rI"(
								      amount)
		: TALLY_RSEQ_CLOBBERS
		: slow);
	return true;
slow:
	return false;
}

static inline __attribute__((always_inline)) bool
tally_rseq_add2(const struct tally_fast *fast, struct tally_account account,
		unsigned int resource, const int64_t amounts[2])
{
	if (fast->pairs)
		__asm__ goto(TALLY_RSEQ_BEGIN TALLY_RSEQ_LANE TALLY_RSEQ_PAIR
				     TALLY_RSEQ_END
			     : /* none */
			     : TALLY_RSEQ_INPUTS(fast, account, resource),
			       TALLY_RSEQ_AMOUNTS(amounts)
			     : TALLY_RSEQ_CLOBBERS
			     : slow);
	else
		__asm__ goto(
			TALLY_RSEQ_BEGIN TALLY_RSEQ_LANE TALLY_RSEQ_EXCLUSIVE
				TALLY_RSEQ_END TALLY_RSEQ_STORED
			: /* none */
			: TALLY_RSEQ_INPUTS(fast, account, resource),
			  TALLY_RSEQ_AMOUNTS(amounts)
			: TALLY_RSEQ_CLOBBERS
			: slow);
	return true;
slow:
	return false;
}

/*
 * Add to cells of a CPU's lane, of several processes, under a mark. false:
 * nothing was added, since this is another CPU or the thread was interrupted.
 */
static inline bool tally_rseq_on_cpu(const struct tally_fast *fast,
				     uint32_t cpu, int64_t *to,
				     const int64_t *amounts)
{
	__asm__ goto(
		TALLY_RSEQ_BEGIN TALLY_RSEQ_ON_CPU TALLY_RSEQ_ONE TALLY_RSEQ_END
		: /* none */
		: TALLY_RSEQ_CELLS(fast->rseq, cpu, to), [amount] "r"(*amounts)
		: TALLY_RSEQ_CLOBBERS
		: slow);
	return true;
slow:
	return false;
}

static inline bool tally_rseq_on_cpu2(const struct tally_fast *fast,
				      uint32_t cpu, int64_t *to,
				      const int64_t amounts[2])
{
	if (fast->pairs)
		__asm__ goto(TALLY_RSEQ_BEGIN TALLY_RSEQ_ON_CPU TALLY_RSEQ_PAIR
				     TALLY_RSEQ_END
			     : /* none */
			     : TALLY_RSEQ_CELLS(fast->rseq, cpu, to),
			       TALLY_RSEQ_AMOUNTS(amounts)
			     : TALLY_RSEQ_CLOBBERS
			     : slow);
	else
		__asm__ goto(
			TALLY_RSEQ_BEGIN TALLY_RSEQ_ON_CPU TALLY_RSEQ_EXCLUSIVE
				TALLY_RSEQ_END TALLY_RSEQ_STORED
			: /* none */
			: TALLY_RSEQ_CELLS(fast->rseq, cpu, to),
			  TALLY_RSEQ_AMOUNTS(amounts)
			: TALLY_RSEQ_CLOBBERS
			: slow);
	return true;
slow:
	return false;
}

#undef TALLY_RSEQ_AMOUNTS
#undef TALLY_RSEQ_BEGIN
#undef TALLY_RSEQ_CELLS
#undef TALLY_RSEQ_CLOBBERS
#undef TALLY_RSEQ_END
#undef TALLY_RSEQ_EXCLUSIVE
#undef TALLY_RSEQ_INPUTS
#undef TALLY_RSEQ_LANE
#undef TALLY_RSEQ_ONE
#undef TALLY_RSEQ_ON_CPU
#undef TALLY_RSEQ_PAIR
#undef TALLY_RSEQ_STORED

TALLY_END

#endif
#endif
