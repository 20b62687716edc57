/* SPDX-License-Identifier: MIT */
/*
 * A bare restartable add, for comparison: this CPU's number, and one
 * instruction that commits. glibc has registered the thread. The number is read
 * inside the sequence and needs no check: a thread that moves to another CPU
 * before the add restarts.
 */
#ifndef TEST_BENCH_RSEQ_H
#define TEST_BENCH_RSEQ_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"

#if defined(__x86_64__) && defined(HAVE_SYS_RSEQ_H)
#include <sys/rseq.h>
#define BENCH_HAS_RSEQ 1

/* To counter index of this CPU's lane, lanes being 2^shift bytes apart. */
BENCH_LOOP void rseq_add(char *lanes, uint64_t index, int shift)
{
	__asm__ volatile(
		".pushsection __rseq_cs, \"aw\"\n\t"
		".balign 32\n"
		"3:\n\t"
		".long 0, 0\n\t"
		".quad 1f, 2f - 1f, 4f\n\t"
		".popsection\n"
		"0:\n\t"
		"leaq 3b(%%rip), %%rax\n\t"
		"movq %%rax, %%fs:8(%[rseq])\n"
		"1:\n\t"
		"movl %%fs:4(%[rseq]), %%eax\n\t"
		"shlq %[shift], %%rax\n\t"
		"addq $1, (%[base], %%rax)\n"
		"2:\n\t"
		".pushsection __rseq_failure, \"ax\"\n\t"
		".byte 0x0f, 0xb9, 0x3d\n\t"
		".long %c[signature]\n"
		"4:\n\t"
		"jmp 0b\n\t"
		".popsection"
		:
		: [rseq] "r"(__rseq_offset), [base] "r"(lanes + index * 8),
		  [shift] "i"(shift), [signature] "i"(RSEQ_SIG)
		: "rax", "memory", "cc");
}

/* Whether the thread is registered. Under valgrind no thread can be: to count
 * instructions, the area is made to say CPU 0 (there is only one thread). */
static inline bool rseq_ready(bool pretend)
{
	struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() +
					    __rseq_offset);

	if (__rseq_size == 0 && pretend) {
		area->cpu_id_start = 0;
		area->cpu_id = 0;
		return true;
	}
	return __rseq_size > 0;
}
#endif

/* Unregister the thread, and register it again, so that the C library and ours
 * see no registration meanwhile. false: it has none, or keeps it. */
bool rseq_off(void);
void rseq_on(void);

#endif
