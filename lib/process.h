/* SPDX-License-Identifier: MIT */
/* Which process wrote something into a file, and whether it still lives. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdint.h>

/* A process, told apart from a later one that gets its pid. */
struct process {
	uint32_t pid;
	uint64_t start;	    /* clock ticks after boot; 0: not known */
	uint64_t namespace; /* inode of its PID namespace, which Linux keeps to
			       32 bits; 0: not known */
};

void process_self(struct process *self);

/* 1: it lives; 0: it doesn't; -1: it is in a namespace that we can't see. */
int process_alive(const struct process *process);

#endif
