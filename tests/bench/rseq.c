// SPDX-License-Identifier: MIT
#include "config.h"

#ifdef HAVE_SYS_RSEQ_H
#include <sys/rseq.h>
#endif
#include <sys/syscall.h>
#include <unistd.h>

#include "rseq.h"

#if defined(HAVE_SYS_RSEQ_H) && defined(RSEQ_SIG)
#define AREA_BYTES 32u /* as the C library registers it */

static long change(int flags)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	return syscall(SYS_rseq, area, AREA_BYTES, flags, RSEQ_SIG);
}

bool rseq_off(void)
{
	return __rseq_size > 0 && change(RSEQ_FLAG_UNREGISTER) == 0;
}

void rseq_on(void)
{
	change(0);
}
#else
bool rseq_off(void)
{
	return false;
}

void rseq_on(void)
{
}
#endif
