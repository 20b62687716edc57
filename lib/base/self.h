/* SPDX-License-Identifier: MIT */
/* This process in a procfs, which may be of another PID namespace. */
#ifndef BASE_SELF_H
#define BASE_SELF_H

#include <stdbool.h>
#include <sys/types.h>

/* The number of this process there; 0: it has none. */
pid_t self_number(int proc);

/* Whether processes have the numbers there that system calls know them by. */
bool self_is_numbered(int proc);

#endif
