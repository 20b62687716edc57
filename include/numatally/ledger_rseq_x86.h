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

/* ud1 0x53053053(%rip), %edi: the signature of an abort */
#define TALLY_RSEQ_ABORT						\
	".pushsection __rseq_failure, \"ax\"\n\t"			\
	".byte 0x0f, 0xb9, 0x3d\n\t"					\
	".long 0x53053053\n"						\
	"4:\n\t"

#define TALLY_RSEQ_INPUTS						\
	[rseq] "r" (TALLY_RSEQ_OFFSET(fast)),				\
	[fast] "r" (fast),						\
	[generations] "i" (TALLY_FAST_GENERATIONS),			\
	[row] "r" ((uint64_t)account.row),				\
	[generation] "r" (account.generation),				\
	[offset] "r" (tally_fast_offset(fast, account, resource))

/* After it, in both, rax is row 0 of the bank that counts. A handle of another
 * generation, and rows of an untouched bucket, are left for the slow path. */
#define TALLY_RSEQ_IS_STALE						\
	"cmpl %[generation], %c[generations](%[fast],%[row],4)\n\t"

#define TALLY_RSEQ_IS_TOUCHED						\
	"movl %k[row], %%ecx\n\t"					\
	"shrl $6, %%ecx\n\t"						\
	"cmpb $0, (%%rax,%%rcx)\n\t"

/*
 * Where this process alone writes. The CPU is read inside, so that nothing is
 * to be compared.
 *
 * rdx: the CPU
 */
#define TALLY_RSEQ_BARE(commit, after, clobbers, ...)			\
	__asm__ goto(							\
		TALLY_RSEQ_BEGIN					\
		"movslq %%fs:4(%[rseq]), %%rdx\n\t"			\
		"movq %c[lanes](%[fast]), %%rax\n\t"			\
		"cmpq %[offset], %c[end](%%rax,%%rdx,8)\n\t"		\
		"ja 5f\n\t"						\
		"movq %c[touched](%%rax,%%rdx,8), %%rcx\n\t"		\
		"testq %%rcx, %%rcx\n\t"				\
		"je %l[slow]\n\t"					\
		"movl %k[row], %%edx\n\t"				\
		"shrl $6, %%edx\n\t"					\
		"cmpb $0, (%%rcx,%%rdx)\n\t"				\
		"movslq %%fs:4(%[rseq]), %%rdx\n\t"			\
		"je %l[slow]\n"						\
		"5:\n\t"						\
		TALLY_RSEQ_IS_STALE					\
		"jne %l[slow]\n\t"					\
		"movq (%%rax,%%rdx,8), %%rax\n\t"			\
		commit "\n"						\
		"2:\n\t"						\
		after							\
		TALLY_RSEQ_ABORT					\
		"jmp %l[slow]\n\t"					\
		".popsection\n\t"					\
		: /* none */						\
		: TALLY_RSEQ_INPUTS,					\
		  [lanes] "i" (offsetof(struct tally_fast, lanes)),	\
		  [end] "i" (offsetof(struct tally_lanes, end)),	\
		  [touched] "i" (offsetof(struct tally_lanes, touched)), \
		  __VA_ARGS__						\
		: clobbers						\
		: slow)

/*
 * Where several do: what the thread knows is for this ledger and CPU; the mark
 * is set, and then it is still for the epoch that adds go to. The mark is
 * cleared behind the sequence, or by who was interrupted.
 *
 * rdx: the mark, once it is to be set
 */
#define TALLY_RSEQ_MARKED(commit, after, clobbers, ...)			\
	__asm__ goto(							\
		"xorl %%edx, %%edx\n\t"					\
		TALLY_RSEQ_BEGIN					\
		"movl %%fs:4(%[rseq]), %%ecx\n\t"			\
		"orq %c[serial](%[fast]), %%rcx\n\t"			\
		"cmpq %%rcx, %%fs:%c[key](%[known])\n\t"		\
		"jne %l[slow]\n\t"					\
		"cmpq %[offset], %%fs:%c[end](%[known])\n\t"		\
		"ja 5f\n\t"						\
		"movq %%fs:%c[touched](%[known]), %%rax\n\t"		\
		TALLY_RSEQ_IS_TOUCHED					\
		"je %l[slow]\n"						\
		"5:\n\t"						\
		"movq %%fs:%c[tag](%[known]), %%rax\n\t"		\
		"leaq 1(%%rax,%[row],2), %%rcx\n\t"			\
		"movq %%fs:%c[mark](%[known]), %%rdx\n\t"		\
		"movq %%rcx, (%%rdx)\n\t"				\
		"cmpq %%rax, %c[tag_now](%[fast])\n\t"			\
		"jne 6f\n\t"						\
		TALLY_RSEQ_IS_STALE					\
		"jne 6f\n\t"						\
		"movq %%fs:%c[rows](%[known]), %%rax\n\t"		\
		commit "\n"						\
		"2:\n\t"						\
		"movq $0, (%%rdx)\n\t"					\
		after							\
		TALLY_RSEQ_ABORT					\
		"testq %%rdx, %%rdx\n\t"				\
		"je %l[slow]\n"						\
		"6:\n\t"						\
		"movq $0, (%%rdx)\n\t"					\
		"jmp %l[slow]\n\t"					\
		".popsection\n\t"					\
		: /* none */						\
		: TALLY_RSEQ_INPUTS,					\
		  [known] "r" (TALLY_KNOWN_OFFSET(fast)),		\
		  [serial] "i" (offsetof(struct tally_fast, serial)),	\
		  [tag_now] "i" (TALLY_FAST_TAG),			\
		  [key] "i" (offsetof(struct tally_known, key)),	\
		  [tag] "i" (offsetof(struct tally_known, tag)),	\
		  [mark] "i" (offsetof(struct tally_known, mark)),	\
		  [rows] "i" (offsetof(struct tally_known, rows)),	\
		  [end] "i" (offsetof(struct tally_known, end)),	\
		  [touched] "i" (offsetof(struct tally_known, touched)), \
		  __VA_ARGS__						\
		: clobbers						\
		: slow)

#define TALLY_RSEQ_ONE "addq %[amount], (%%rax,%[offset])"

#define TALLY_RSEQ_TWO							\
	"movdqu (%[amounts]), %%xmm0\n\t"				\
	"paddq (%%rax,%[offset]), %%xmm0\n\t"				\
	"movdqa %%xmm0, (%%rax,%[offset])"

/* In halves: as a caller has just stored them, mostly. */
#define TALLY_RSEQ_FOUR							\
	"vmovdqu (%[amounts]), %%xmm0\n\t"				\
	"vinserti128 $1, 16(%[amounts]), %%ymm0, %%ymm0\n\t"		\
	"vpaddq (%%rax,%[offset]), %%ymm0, %%ymm0\n\t"			\
	"vmovdqa %%ymm0, (%%rax,%[offset])"

#define TALLY_RSEQ_WORDS "memory", "cc", "rax", "rcx", "rdx"
#define TALLY_RSEQ_PAIR	 TALLY_RSEQ_WORDS, "xmm0"

/* vzeroupper is for callers without AVX; others may hold something there. */
#define TALLY_RSEQ_ALL_VECTORS						\
	TALLY_RSEQ_WORDS, "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
	"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",	\
	"xmm15"

/* clang-format on */

/* A test of an address that stays is taken for something to keep ready, in a
 * register that is needed. */
static inline __attribute__((always_inline)) bool
tally_rseq_several(const struct tally_fast *fast)
{
	__asm__ goto("testl %[bit], %k[fast]\n\t"
		     "jne %l[several]"
		     : /* none */
		     : [fast] "r"(fast), [bit] "i"(TALLY_FAST_SEVERAL)
		     : "cc"
		     : several);
	return false;
several:
	return true;
}

/* Add one, two or four amounts side by side. false: nothing was added. */
static inline __attribute__((always_inline)) bool
tally_rseq_add_bare(const struct tally_fast *fast, struct tally_account account,
		    unsigned int resource, int64_t amount)
{
	TALLY_RSEQ_BARE(TALLY_RSEQ_ONE, "",
			TALLY_RSEQ_WORDS, [amount] "er"(amount));
	return true;
slow:
	return false;
}

static inline __attribute__((always_inline)) bool
tally_rseq_add_marked(const struct tally_fast *fast,
		      struct tally_account account, unsigned int resource,
		      int64_t amount)
{
	TALLY_RSEQ_MARKED(TALLY_RSEQ_ONE, "",
			  TALLY_RSEQ_WORDS, [amount] "er"(amount));
	return true;
slow:
	return false;
}

static inline __attribute__((always_inline)) bool
tally_rseq_add2_bare(const struct tally_fast *fast,
		     struct tally_account account, unsigned int resource,
		     const int64_t amounts[2])
{
	TALLY_RSEQ_BARE(TALLY_RSEQ_TWO, "",
			TALLY_RSEQ_PAIR, [amounts] "r"(amounts));
	return true;
slow:
	return false;
}

static inline __attribute__((always_inline)) bool
tally_rseq_add2_marked(const struct tally_fast *fast,
		       struct tally_account account, unsigned int resource,
		       const int64_t amounts[2])
{
	TALLY_RSEQ_MARKED(TALLY_RSEQ_TWO, "",
			  TALLY_RSEQ_PAIR, [amounts] "r"(amounts));
	return true;
slow:
	return false;
}

static inline __attribute__((always_inline)) bool
tally_rseq_add4_bare(const struct tally_fast *fast,
		     struct tally_account account, unsigned int resource,
		     const int64_t amounts[4])
{
	TALLY_RSEQ_BARE(TALLY_RSEQ_FOUR, "vzeroupper\n\t",
			TALLY_RSEQ_ALL_VECTORS, [amounts] "r"(amounts));
	return true;
slow:
	return false;
}

static inline __attribute__((always_inline)) bool
tally_rseq_add4_marked(const struct tally_fast *fast,
		       struct tally_account account, unsigned int resource,
		       const int64_t amounts[4])
{
	TALLY_RSEQ_MARKED(TALLY_RSEQ_FOUR, "vzeroupper\n\t",
			  TALLY_RSEQ_ALL_VECTORS, [amounts] "r"(amounts));
	return true;
slow:
	return false;
}

#undef TALLY_RSEQ_ABORT
#undef TALLY_RSEQ_ALL_VECTORS
#undef TALLY_RSEQ_BARE
#undef TALLY_RSEQ_BEGIN
#undef TALLY_RSEQ_FOUR
#undef TALLY_RSEQ_INPUTS
#undef TALLY_RSEQ_IS_STALE
#undef TALLY_RSEQ_IS_TOUCHED
#undef TALLY_RSEQ_MARKED
#undef TALLY_RSEQ_ONE
#undef TALLY_RSEQ_PAIR
#undef TALLY_RSEQ_TWO
#undef TALLY_RSEQ_WORDS

TALLY_END

#endif
#endif
