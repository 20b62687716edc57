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

#define TALLY_HAS_SEQUENCES 1

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

/* The checks of both sequences; they leave stale handles and rows of untouched
 * buckets to the slow path. A commit finds row 0 of the current bank in rax.
 */
#define TALLY_RSEQ_IS_STALE						\
	"cmpl %[generation], %c[generations](%[fast],%[row],4)\n\t"

#define TALLY_RSEQ_IS_TOUCHED						\
	"movl %k[row], %%ecx\n\t"					\
	"shrl $6, %%ecx\n\t"						\
	"cmpb $0, (%%rax,%%rcx)\n\t"

/*
 * In an exclusive ledger. The sequence reads the CPU itself, so there is
 * nothing to compare.
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
		  [lanes] "i" (TALLY_FAST_LANES),			\
		  [end] "i" (offsetof(struct tally_lanes, end)),	\
		  [touched] "i" (offsetof(struct tally_lanes, touched)), \
		  __VA_ARGS__						\
		: clobbers						\
		: slow)

/*
 * In a shared ledger. The sequence checks that the thread's cache is for this
 * ledger and CPU, sets the in-flight word, and then checks that the cached
 * epoch is still the current one. The code behind the sequence clears the
 * word, or, after an abort, the code that the kernel moved the thread to.
 *
 * rdx: the address of the in-flight word, once it may be set
 */
#define TALLY_RSEQ_INFLIGHT(commit, after, clobbers, ...)			\
	__asm__ goto(							\
		"xorl %%edx, %%edx\n\t"					\
		TALLY_RSEQ_BEGIN					\
		"movl %%fs:4(%[rseq]), %%ecx\n\t"			\
		"orq %c[serial](%[fast]), %%rcx\n\t"			\
		"cmpq %%rcx, %%fs:%c[key](%[cache])\n\t"		\
		"jne %l[slow]\n\t"					\
		"cmpq %[offset], %%fs:%c[end](%[cache])\n\t"		\
		"ja 5f\n\t"						\
		"movq %%fs:%c[touched](%[cache]), %%rax\n\t"		\
		TALLY_RSEQ_IS_TOUCHED					\
		"je %l[slow]\n"						\
		"5:\n\t"						\
		"movq %%fs:%c[epoch_word](%[cache]), %%rax\n\t"		\
		"leaq 1(%%rax,%[row],2), %%rcx\n\t"			\
		"movq %%fs:%c[inflight](%[cache]), %%rdx\n\t"		\
		"movq %%rcx, (%%rdx)\n\t"				\
		"cmpq %%rax, %c[epoch_now](%[fast])\n\t"			\
		"jne 6f\n\t"						\
		TALLY_RSEQ_IS_STALE					\
		"jne 6f\n\t"						\
		"movq %%fs:%c[rows](%[cache]), %%rax\n\t"		\
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
		  [cache] "r" (TALLY_THREAD_CACHE_OFFSET(fast)),		\
		  [serial] "i" (TALLY_FAST_SERIAL),			\
		  [epoch_now] "i" (TALLY_FAST_EPOCH_WORD),			\
		  [key] "i" (offsetof(struct tally_thread_cache, key)),	\
		  [epoch_word] "i" (offsetof(struct tally_thread_cache, epoch_word)),	\
		  [inflight] "i" (offsetof(struct tally_thread_cache, inflight)),	\
		  [rows] "i" (offsetof(struct tally_thread_cache, rows)),	\
		  [end] "i" (offsetof(struct tally_thread_cache, end)),	\
		  [touched] "i" (offsetof(struct tally_thread_cache, touched)), \
		  __VA_ARGS__						\
		: clobbers						\
		: slow)

#define TALLY_RSEQ_ONE "addq %[amount], (%%rax,%[offset])"

#define TALLY_RSEQ_WORDS "memory", "cc", "rax", "rcx", "rdx"
/* clang-format on */

/* Whether several processes may write. In C, compilers would keep the result
 * of this test in a register, which the sequences need. */
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

/* Add an amount. Return false if they added nothing. */
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
tally_rseq_add_inflight(const struct tally_fast *fast,
			struct tally_account account, unsigned int resource,
			int64_t amount)
{
	TALLY_RSEQ_INFLIGHT(TALLY_RSEQ_ONE, "",
			    TALLY_RSEQ_WORDS, [amount] "er"(amount));
	return true;
slow:
	return false;
}

#ifndef TALLY_RSEQ_KEEP
#undef TALLY_RSEQ_ABORT
#undef TALLY_RSEQ_BARE
#undef TALLY_RSEQ_BEGIN
#undef TALLY_RSEQ_INPUTS
#undef TALLY_RSEQ_IS_STALE
#undef TALLY_RSEQ_IS_TOUCHED
#undef TALLY_RSEQ_INFLIGHT
#undef TALLY_RSEQ_ONE
#undef TALLY_RSEQ_WORDS
#endif

TALLY_END

#endif
#endif
