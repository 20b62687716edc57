// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numatally/kernel.h>

#include "process.h"

void process_self(struct process *self)
{
	struct tally_stat stat_line;
	struct stat st;

	memset(self, 0, sizeof(*self));
	self->pid = (uint32_t)getpid();
	if (!tally_kernel_stat_read(NULL, getpid(), 0, &stat_line))
		self->start = (uint64_t)stat_line.start_ticks;
	if (!stat("/proc/self/ns/pid", &st))
		self->namespace = st.st_ino;
}

int process_alive(const struct process *process)
{
	struct tally_stat stat_line;
	struct stat st;

	if (process->namespace &&
	    (stat("/proc/self/ns/pid", &st) || st.st_ino != process->namespace))
		return -1;
	if (!process->pid || process->pid > INT32_MAX ||
	    (kill((pid_t)process->pid, 0) && errno == ESRCH))
		return 0;
	/* It lives, or is one that we may not look at. */
	if (tally_kernel_stat_read(NULL, (pid_t)process->pid, 0, &stat_line))
		return 1;
	/* Its first thread may have ended alone. */
	if ((stat_line.state == 'Z' || stat_line.state == 'X') &&
	    stat_line.nr_threads <= 1)
		return 0;
	return !process->start ||
	       process->start == (uint64_t)stat_line.start_ticks;
}
