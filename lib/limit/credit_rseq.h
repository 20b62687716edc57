/* SPDX-License-Identifier: MIT */
/* credit_rseq: compare-and-swap of a credit's word, on the CPU that the thread
 * runs on, by a restartable sequence. Return false if the word differs, or the
 * thread was interrupted. */
#ifndef LIMIT_CREDIT_RSEQ_H
#define LIMIT_CREDIT_RSEQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/mapped.h"

#if defined(__x86_64__) && defined(TALLY_HAS_RSEQ) && !defined(__cppcheck__)

static inline bool credit_rseq_swap(ptrdiff_t rseq, uint32_t cpu,
				    uint64_t *word, uint64_t old,
				    uint64_t changed)
{
	__asm__ goto(TALLY_RSEQ_DESCRIPTOR
		     "leaq 3b(%%rip), %%rax\n\t"
		     "movq %%rax, %%fs:8(%[rseq])\n"
		     "1:\n\t"
		     "cmpl %[cpu], %%fs:4(%[rseq])\n\t"
		     "jne %l[failed]\n\t"
		     "cmpq %[old], (%[word])\n\t"
		     "jne %l[failed]\n\t"
		     "movq %[changed], (%[word])\n"
		     "2:\n\t"
		     ".pushsection __rseq_failure, \"ax\"\n\t"
		     /* ud1 0x53053053(%%rip), %%edi: signs an abort */
		     ".byte 0x0f, 0xb9, 0x3d\n\t"
		     ".long 0x53053053\n"
		     "4:\n\t"
		     "jmp %l[failed]\n\t"
		     ".popsection\n\t"
		     : /* none */
		     : [rseq] "r"(rseq), [cpu] "r"(cpu), [word] "r"(word),
		       [old] "r"(old), [changed] "r"(changed)
		     : "memory", "cc", "rax"
		     : failed);
	return true;
failed:
	return false;
}

#elif defined(__aarch64__) && defined(TALLY_HAS_RSEQ) && !defined(__cppcheck__)

static inline bool credit_rseq_swap(ptrdiff_t rseq, uint32_t cpu,
				    uint64_t *word, uint64_t old,
				    uint64_t changed)
{
	__asm__ goto(TALLY_RSEQ_DESCRIPTOR
		     "adrp x16, 3b\n\t"
		     "add x16, x16, :lo12:3b\n\t"
		     "str x16, [%[area], #8]\n"
		     "1:\n\t"
		     "ldr w16, [%[area], #4]\n\t"
		     "cmp w16, %w[cpu]\n\t"
		     "b.ne %l[failed]\n\t"
		     "ldr x16, [%[word]]\n\t"
		     "cmp x16, %[old]\n\t"
		     "b.ne %l[failed]\n\t"
		     "str %[changed], [%[word]]\n"
		     "2:\n\t"
		     ".pushsection __rseq_failure, \"ax\"\n\t"
		     /* signs an abort */
		     ".inst 0xd428bc00\n"
		     "4:\n\t"
		     "b %l[failed]\n\t"
		     ".popsection\n\t"
		     : /* none */
		     : [area] "r"((char *)__builtin_thread_pointer() + rseq),
		       [cpu] "r"(cpu), [word] "r"(word), [old] "r"(old),
		       [changed] "r"(changed)
		     : "memory", "cc", "x16"
		     : failed);
	return true;
failed:
	return false;
}

#else

static inline bool credit_rseq_swap(ptrdiff_t rseq, uint32_t cpu,
				    uint64_t *word, uint64_t old,
				    uint64_t changed)
{
	(void)rseq, (void)cpu, (void)word, (void)old, (void)changed;
	return false;
}

#endif

#endif
