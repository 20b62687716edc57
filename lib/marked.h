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

#define MARKED_ONE "addq %[amount], (%%rsi,%[offset])"

#elif defined(__aarch64__) && TALLY_RSEQ_BYTES > 0

/* clang-format off */

/*
 * The same. The mark is cleared by a release, so that who sees that sees the
 * add. Between the mark and the second look at the epoch a membarrier stands in
 * for a barrier.
 *
 * x13: the mark, once it is to be set; x12: this CPU's word in the bank's rows
 */
#define MARKED(commit, ...)						\
	__asm__ goto(							\
		TALLY_RSEQ_DESCRIPTOR					\
		"mov x13, #0\n\t"					\
		"adrp x16, 3b\n\t"					\
		"add x16, x16, :lo12:3b\n\t"				\
		"str x16, [%[area], #8]\n"				\
		"1:\n\t"						\
		"ldr w16, [%[area], #4]\n\t"				\
		"cmp w16, %w[nr_cpus]\n\t"				\
		"b.hs %l[slow]\n\t"					\
		"ldr x12, [%[marks], x16, lsl #3]\n\t"			\
		"add x12, x12, %[slot]\n\t"				\
		"ldr x17, [x12]\n\t"					\
		"cbnz x17, %l[slow]\n\t"				\
		"ldr x17, [%[epoch]]\n\t"				\
		"orr x17, %[word], x17, lsl %[shift]\n\t"		\
		"mov x13, x12\n\t"					\
		"stlr x17, [x13]\n\t"					\
		"ldr x17, [%[epoch]]\n\t"				\
		"and x17, x17, #1\n\t"					\
		"ldr x12, [%[banks], x17, lsl #3]\n\t"			\
		"add x12, x12, x16, lsl #3\n\t"			\
		"add x16, x12, %[words]\n\t"				\
		"ldr x17, [x16]\n\t"					\
		"cmp x17, %[offset]\n\t"				\
		"b.hi 5f\n\t"						\
		"add x16, x16, %[words]\n\t"				\
		"ldr x17, [x16]\n\t"					\
		"ldrb w17, [x17, %[bucket]]\n\t"			\
		"cbnz w17, 5f\n\t"					\
		"b 6f\n"						\
		"5:\n\t"						\
		"ldr x9, [x12]\n\t"					\
		"add x9, x9, %[offset]\n\t" commit "\n"		\
		"2:\n\t"						\
		"stlr xzr, [x13]\n\t"					\
		".pushsection __rseq_failure, \"ax\"\n\t"		\
		/* the signature of an abort, as in ledger_inline.h */	\
		".inst 0xd428bc00\n"					\
		"4:\n\t"						\
		"cbz x13, 7f\n"						\
		"6:\n\t"						\
		"stlr xzr, [x13]\n"					\
		"7:\n\t"						\
		"b %l[slow]\n\t"					\
		".popsection\n\t"					\
		: /* none */						\
		: [area] "r" ((char *)__builtin_thread_pointer() +	\
			      l->fast.rseq),				\
		  [epoch] "r" (l->epoch),				\
		  [nr_cpus] "r" (l->nr_cpus),				\
		  [marks] "r" (l->marks),				\
		  [banks] "r" (l->banks),				\
		  [slot] "r" (slot),					\
		  [words] "I" (offsetof(struct tally_lanes, end)),	\
		  [shift] "i" (LAYOUT_MARK_SHIFT),			\
		  [offset] "r" (offset),				\
		  [bucket] "r" ((uint64_t)account.row /			\
				LAYOUT_BUCKET_ROWS),			\
		  [word] "r" (layout_mark_word(0, account.row)),	\
		  __VA_ARGS__						\
		: "memory", "cc", "x9", "x10", "x12", "x13", "x16",	\
		  "x17"							\
		: slow)

/* clang-format on */

#define MARKED_ONE                    \
	"ldr x10, [x9]\n\t"           \
	"add x10, x10, %[amount]\n\t" \
	"str x10, [x9]"

#endif

#ifdef MARKED

static inline bool marked_add(const struct tally_ledger *l, uint64_t slot,
			      struct tally_account account,
			      unsigned int resource, int64_t amount)
{
	uint64_t offset =
		account.row * l->fast.row_bytes + resource * sizeof(amount);

	MARKED(MARKED_ONE, [amount] "r"(amount));
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
