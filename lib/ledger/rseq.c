// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HAVE_SYS_RSEQ_H
#include <sys/rseq.h>
#endif

#include <numatally/ledger_inline.h>

#include "ledger/rseq.h"

#if defined(TALLY_HAS_SEQUENCES) && defined(SYS_rseq)

/* What stands before the code that an aborted sequence goes on with. */
#if defined(__x86_64__)
#define SIGNATURE 0x53053053u
#elif defined(__aarch64__)
#define SIGNATURE 0xd428bc00u
#endif

/* Values of cpu_id that are no CPU, as in <linux/rseq.h>, which older systems
 * lack. */
#define NOT_REGISTERED (-1)
#define REFUSED	       (-2)

/* The kernel's struct rseq, as it was at first. */
struct area {
	uint32_t cpu_id_start;
	int32_t cpu_id;
	uint64_t rseq_cs;
	uint32_t flags;
	uint32_t pad[3];
} __attribute__((aligned(32)));

/* A thread that ends may leave its area registered: the kernel no longer writes
 * to it then. */
static __thread struct area own
	__attribute__((tls_model("initial-exec"))) = {.cpu_id = NOT_REGISTERED};

static bool libc_registers(void)
{
#ifdef HAVE_SYS_RSEQ_H
	return __rseq_size != 0;
#else
	return false;
#endif
}

ptrdiff_t rseq_offset(void)
{
#ifdef HAVE_SYS_RSEQ_H
	if (libc_registers())
		return __rseq_offset;
#endif
	return (char *)&own - (char *)__builtin_thread_pointer();
}

static struct area *area(void)
{
	return (struct area *)((char *)__builtin_thread_pointer() +
			       rseq_offset());
}

bool rseq_register(void)
{
	volatile int32_t *cpu = &area()->cpu_id;
	int saved = errno;

	if (*cpu != NOT_REGISTERED || libc_registers())
		return *cpu >= 0;
	/* A signal handler may have done it since: then the kernel refuses, and
	 * the area has a CPU. */
	if (syscall(SYS_rseq, &own, sizeof(own), 0, SIGNATURE) &&
	    *cpu == NOT_REGISTERED)
		*cpu = REFUSED;
	errno = saved;
	return *cpu >= 0;
}

#else

ptrdiff_t rseq_offset(void)
{
	return 0;
}

bool rseq_register(void)
{
	return false;
}

#endif

/* For the adds that programs inline. */
TALLY_API extern ptrdiff_t exported_offset __asm__("tally_rseq_offset");
ptrdiff_t exported_offset;

static __attribute__((constructor)) void set_rseq_offset(void)
{
	exported_offset = rseq_offset();
}
