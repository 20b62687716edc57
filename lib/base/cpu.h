/* SPDX-License-Identifier: MIT */
/* The CPU of this thread, for threads that have no rseq area to read. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* The bits of TSC_AUX with Linux's number of the CPU; the node is above. */
#define CPU_MASK 0xfffu

static inline uint32_t cpu_rdpid(void)
{
#if defined(__x86_64__)
	uint64_t aux;

	/* rdpid %rax */
	__asm__ volatile(".byte 0xf3, 0x0f, 0xc7, 0xf8" : "=a"(aux));
	return (uint32_t)aux & CPU_MASK;
#else
	return 0;
#endif
}

/* Whether rdpid gives the number of the CPU, as it does for the vDSO. A
 * wrong number now and then costs only locality; an always wrong one would
 * cost more. */
static inline bool cpu_has_rdpid(void)
{
#if defined(__x86_64__)
	unsigned int a, b, c, d;

	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(c & bit_RDPID))
		return false;
	/* Again, in case the thread moved in between. */
	for (int i = 0; i < 3; i++)
		if ((int)cpu_rdpid() == sched_getcpu())
			return true;
#endif
	return false;
}

static inline uint32_t cpu_now(bool has_rdpid)
{
	return has_rdpid ? cpu_rdpid() : (uint32_t)sched_getcpu();
}

#endif
