// SPDX-License-Identifier: MIT
/*
 * What the plugin has in place of two libraries, since it is loaded in the middle of
 * slurmstepd's work:
 *
 * - liburcu has a process with threads wait for all CPUs when it is loaded. Of our
 *   library, checked mode alone calls it (numatally/slice.h): the plugin has none.
 * - libnuma reads sysfs when it is loaded, and sets the thread's memory policy to
 *   see whether it can.
 */
#include "config.h"

#include <errno.h>
#include <numaif.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <numatally/slice.h>

void tally_slice_check(const void *origin, const struct tally_slice *s,
		       size_t size)
{
	(void)origin;
	(void)s;
	(void)size;
}

void tally_slice_check_at(const void *origin, const struct tally_slice *s,
			  size_t size, uint64_t i)
{
	(void)origin;
	(void)s;
	(void)size;
	(void)i;
}

int tally_slice_register(const void *base, size_t bytes)
{
	(void)base;
	(void)bytes;
	return 0;
}

int tally_slice_unregister(const void *base)
{
	(void)base;
	return -ENOENT;
}

long mbind(void *start, unsigned long bytes, int mode,
	   const unsigned long *nodes, unsigned long max_node,
	   unsigned int flags)
{
	return syscall(SYS_mbind, start, bytes, mode, nodes, max_node, flags);
}

long move_pages(int pid, unsigned long nr, void **pages, const int *nodes,
		int *status, int flags)
{
	return syscall(SYS_move_pages, pid, nr, pages, nodes, status, flags);
}
