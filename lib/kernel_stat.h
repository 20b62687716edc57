/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STAT_H
#define KERNEL_STAT_H

#include <sys/types.h>

#include <numatally/kernel.h>

/* tally_kernel_stat_read() below a proc directory that is open. */
int kernel_stat_read(int proc, pid_t pid, pid_t tid, struct tally_stat *stat);

#endif
