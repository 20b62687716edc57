/* SPDX-License-Identifier: MIT */
/* ledger_rseq_x86: the restartable sequences of x86-64. */
#ifndef NUMATALLY_LEDGER_RSEQ_X86_H
#define NUMATALLY_LEDGER_RSEQ_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/account.h>
#include <numatally/export.h>
#include <numatally/ledger_fast.h>

#if defined(__x86_64__) && defined(TALLY_HAS_RSEQ) && !defined(__cppcheck__)

TALLY_BEGIN

#define TALLY_RSEQ_BYTES 32

/* clang-format off */

#define TALLY_RSEQ_BEGIN						\
	TALLY_RSEQ_DESCRIPTOR						\
	"leaq 3b(%%rip), %%rax\n\t"					\
	"movq %%rax, %%fs:8(%[rseq])\n"					\
	"1:\n\t"

#define TALLY_RSEQ_END(abort)						\
	"2:\n\t"							\
	".pushsection __rseq_failure, \"ax\"\n\t"			\
	/* ud1 0x53053053(%%rip), %%edi: the signature of an abort */	\
	".byte 0x0f, 0xb9, 0x3d\n\t"					\
	".long 0x53053053\n"						\
	"4:\n\t"							\
	"jmp " abort "\n\t"						\
	".popsection\n\t"

/*
 * The CPU is read inside, so that nothing is to be compared. After it: rax is
 * row 0 of the bank that counts, rows of an untouched bucket left for the slow
 * path.
 */
#define TALLY_RSEQ_LANE							\
	"movslq %%fs:4(%[rseq]), %%rcx\n\t"				\
	"movq %[lanes], %%rax\n\t"					\
	"cmpq %[offset], %c[end](%%rax,%%rcx,8)\n\t"			\
	"ja 5f\n\t"							\
	"movq %c[touched](%%rax,%%rcx,8), %%rdx\n\t"			\
	"testq %%rdx, %%rdx\n\t"					\
	"je %l[slow]\n\t"						\
	"cmpb $0, (%%rdx,%[bucket])\n\t"				\
	"je %l[slow]\n"						\
	"5:\n\t"							\
	"movq (%%rax,%%rcx,8), %%rax\n\t"

#define TALLY_RSEQ_INPUTS(fast, account, resource)			\
	[rseq] "r" (TALLY_RSEQ_OFFSET(fast)),				\
	[lanes] "m" ((fast)->lanes),					\
	[end] "i" (offsetof(struct tally_lanes, end)),			\
	[touched] "i" (offsetof(struct tally_lanes, touched)),		\
	[bucket] "r" ((uint64_t)((account).row >> 6)),			\
	[offset] "r" ((uint64_t)(account).row * (fast)->row_bytes +	\
		      (uint64_t)(resource) * 8)

/* vzeroupper is for callers without AVX; others may hold something there. */
#define TALLY_RSEQ_ALL_VECTORS						\
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",	\
	"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",	\
	"xmm15"

/* The CPU is the one that the cells are for, or the sequence does nothing. */
#define TALLY_RSEQ_ON_CPU						\
	"cmpl %[cpu], %%fs:4(%[rseq])\n\t"				\
	"jne %l[moved]\n\t"

/* clang-format on */

/*
 * Add one, two or four amounts side by side, in a lane of this process alone.
 * false: nothing was added.
 */
static inline __attribute__((always_inline)) bool
tally_rseq_add(const struct tally_fast *fast, struct tally_account account,
	       unsigned int resource, int64_t amount)
{
	__asm__ goto(
		TALLY_RSEQ_BEGIN TALLY_RSEQ_LANE
		"addq %[amount], (%%rax,%[offset])\n" TALLY_RSEQ_END("%l[slow]")
		: /* none */
		: TALLY_RSEQ_INPUTS(fast, account, resource), [amount] "er"(
								      amount)
		: "memory", "cc", "rax", "rcx", "rdx"
		: slow);
	return true;
slow:
	return false;
}

static inline __attribute__((always_inline)) bool
tally_rseq_add2(const struct tally_fast *fast, struct tally_account account,
		unsigned int resource, const int64_t amounts[2])
{
	__asm__ goto(
		TALLY_RSEQ_BEGIN TALLY_RSEQ_LANE
		"movdqu (%[amounts]), %%xmm0\n\t"
		"paddq (%%rax,%[offset]), %%xmm0\n\t"
		"movdqa %%xmm0, (%%rax,%[offset])\n" TALLY_RSEQ_END("%l[slow]")
		: /* none */
		: TALLY_RSEQ_INPUTS(fast, account, resource), [amounts] "r"(
								      amounts)
		: "memory", "cc", "rax", "rcx", "rdx", "xmm0"
		: slow);
	return true;
slow:
	return false;
}

static inline __attribute__((always_inline)) bool
tally_rseq_add4(const struct tally_fast *fast, struct tally_account account,
		unsigned int resource, const int64_t amounts[4])
{
	__asm__ goto(
		TALLY_RSEQ_BEGIN TALLY_RSEQ_LANE
		/* In halves: as a caller has just stored them, mostly. */
		"vmovdqu (%[amounts]), %%xmm0\n\t"
		"vinserti128 $1, 16(%[amounts]), %%ymm0, %%ymm0\n\t"
		"vpaddq (%%rax,%[offset]), %%ymm0, %%ymm0\n\t"
		"vmovdqa %%ymm0, (%%rax,%[offset])\n" TALLY_RSEQ_END(
			"%l[slow]") "vzeroupper\n\t"
		: /* none */
		: TALLY_RSEQ_INPUTS(fast, account, resource), [amounts] "r"(
								      amounts)
		: "memory", "cc", "rax", "rcx", "rdx", TALLY_RSEQ_ALL_VECTORS
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
	__asm__ goto(TALLY_RSEQ_BEGIN TALLY_RSEQ_ON_CPU
		     "addq %[amount], (%[to])\n" TALLY_RSEQ_END("%l[moved]")
		     : /* none */
		     : [rseq] "r"(fast->rseq), [cpu] "r"(cpu), [to] "r"(to),
		       [amount] "r"(*amounts)
		     : "memory", "cc", "rax"
		     : moved);
	return true;
moved:
	return false;
}

static inline bool tally_rseq_on_cpu2(const struct tally_fast *fast,
				      uint32_t cpu, int64_t *to,
				      const int64_t amounts[2])
{
	__asm__ goto(TALLY_RSEQ_BEGIN TALLY_RSEQ_ON_CPU
		     "movdqu (%[amounts]), %%xmm0\n\t"
		     "paddq (%[to]), %%xmm0\n\t"
		     "movdqa %%xmm0, (%[to])\n" TALLY_RSEQ_END("%l[moved]")
		     : /* none */
		     : [rseq] "r"(fast->rseq), [cpu] "r"(cpu), [to] "r"(to),
		       [amounts] "r"(amounts)
		     : "memory", "cc", "rax", "xmm0"
		     : moved);
	return true;
moved:
	return false;
}

static inline bool tally_rseq_on_cpu4(const struct tally_fast *fast,
				      uint32_t cpu, int64_t *to,
				      const int64_t amounts[4])
{
	__asm__ goto(TALLY_RSEQ_BEGIN TALLY_RSEQ_ON_CPU
		     "vmovdqu (%[amounts]), %%ymm0\n\t"
		     "vpaddq (%[to]), %%ymm0, %%ymm0\n\t"
		     "vmovdqa %%ymm0, (%[to])\n" TALLY_RSEQ_END(
			     "%l[moved]") "vzeroupper\n\t"
		     : /* none */
		     : [rseq] "r"(fast->rseq), [cpu] "r"(cpu), [to] "r"(to),
		       [amounts] "r"(amounts)
		     : "memory", "cc", "rax", TALLY_RSEQ_ALL_VECTORS
		     : moved);
	return true;
moved:
	return false;
}

#undef TALLY_RSEQ_ALL_VECTORS
#undef TALLY_RSEQ_BEGIN
#undef TALLY_RSEQ_END
#undef TALLY_RSEQ_INPUTS
#undef TALLY_RSEQ_LANE
#undef TALLY_RSEQ_ON_CPU

TALLY_END

#endif
#endif
