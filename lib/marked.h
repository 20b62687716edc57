/* SPDX-License-Identifier: MIT */
/* One add to a ledger of several processes, in one sequence. */
#ifndef MARKED_H
#define MARKED_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger_internal.h"

#if defined(__x86_64__) && TALLY_RSEQ_BYTES > 0

/* clang-format off */

/*
 * What threads of several processes do: the mark is set inside the sequence,
 * and cleared behind it, or by who was interrupted. Where an older mark stands,
 * of whom we interrupted, or the bucket is not touched, nothing is done.
 *
 * rdx: the mark, once it is to be set; rsi: this CPU's table of the bank
 */
#define MARKED(commit, ...)						\
	__asm__ goto(							\
		TALLY_RSEQ_DESCRIPTOR					\
		"xorl %%edx, %%edx\n\t"					\
		"leaq 3b(%%rip), %%rax\n\t"				\
		"movq %%rax, %%fs:8(%[rseq])\n"				\
		"1:\n\t"						\
		"movl %%fs:4(%[rseq]), %%ecx\n\t"			\
		"cmpl %c[nr_cpus](%[ledger]), %%ecx\n\t"		\
		"jae %l[slow]\n\t"					\
		"movq %c[marks](%[ledger]), %%rsi\n\t"			\
		"movq (%%rsi,%%rcx,8), %%rsi\n\t"			\
		"addq %[slot], %%rsi\n\t"				\
		"cmpq $0, (%%rsi)\n\t"					\
		"jne %l[slow]\n\t"					\
		"movq (%[epoch]), %%rax\n\t"				\
		"shlq %[shift], %%rax\n\t"				\
		"orq %[word], %%rax\n\t"				\
		"movq %%rsi, %%rdx\n\t"					\
		"movq %%rax, (%%rdx)\n\t"				\
		"movl (%[epoch]), %%eax\n\t"				\
		"andl $1, %%eax\n\t"					\
		"movq %c[banks](%[ledger],%%rax,8), %%rsi\n\t"		\
		"cmpq %[offset], %c[end](%%rsi,%%rcx,8)\n\t"		\
		"ja 5f\n\t"						\
		"movq %c[touched](%%rsi,%%rcx,8), %%rax\n\t"		\
		"cmpb $0, (%%rax,%[bucket])\n\t"			\
		"je 6f\n"						\
		"5:\n\t"						\
		"movq (%%rsi,%%rcx,8), %%rsi\n\t" commit "\n"		\
		"2:\n\t"						\
		"movq $0, (%%rdx)\n\t"					\
		".pushsection __rseq_failure, \"ax\"\n\t"		\
		/* the signature of an abort, as in ledger_inline.h */	\
		".byte 0x0f, 0xb9, 0x3d\n\t"				\
		".long 0x53053053\n"					\
		"4:\n\t"						\
		"testq %%rdx, %%rdx\n\t"				\
		"je %l[slow]\n"						\
		"6:\n\t"						\
		"movq $0, (%%rdx)\n\t"					\
		"jmp %l[slow]\n\t"					\
		".popsection\n\t"					\
		: /* none */						\
		: [rseq] "r" (l->fast.rseq),				\
		  [epoch] "r" (l->epoch),				\
		  [ledger] "r" (l),					\
		  [slot] "r" (slot),					\
		  [nr_cpus] "i" (offsetof(struct tally_ledger, nr_cpus)),\
		  [marks] "i" (offsetof(struct tally_ledger, marks)),	\
		  [banks] "i" (offsetof(struct tally_ledger, banks)),	\
		  [end] "i" (offsetof(struct tally_lanes, end)),	\
		  [touched] "i" (offsetof(struct tally_lanes, touched)),\
		  [shift] "i" (LAYOUT_MARK_SHIFT),			\
		  [offset] "r" (offset),				\
		  [bucket] "r" ((uint64_t)account.row /			\
				LAYOUT_BUCKET_ROWS),			\
		  [word] "r" (layout_mark_word(0, account.row)),	\
		  __VA_ARGS__						\
		: "memory", "cc", "rax", "rcx", "rdx", "rsi", "xmm0"	\
		: slow)

/* clang-format on */

static inline bool marked_add(const struct tally_ledger *l, uint64_t slot,
			      struct tally_account account,
			      unsigned int resource, int64_t amount)
{
	uint64_t offset =
		account.row * l->fast.row_bytes + resource * sizeof(amount);

	MARKED("addq %[amount], (%%rsi,%[offset])", [amount] "r"(amount));
	return true;
slow:
	return false;
}

#else

static inline bool marked_add(const struct tally_ledger *l, uint64_t slot,
			      struct tally_account account,
			      unsigned int resource, int64_t amount)
{
	(void)l, (void)slot, (void)account, (void)resource, (void)amount;
	return false;
}

#endif

#endif
