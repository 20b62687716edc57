/* SPDX-License-Identifier: MIT */
/* What a program that runs for long may ask of the kernel once it has begun. */
#ifndef TOOL_COMMON_CONFINE_H
#define TOOL_COMMON_CONFINE_H

enum {
	CONFINE_SERVE = 1,  /* it answers at a socket that listens */
	CONFINE_NOTIFY = 2, /* it makes local sockets, and sends */
	CONFINE_FORK = 4,   /* it has children, which execute nothing */
	CONFINE_PLACE = 8,  /* it places memory on nodes */
	CONFINE_BPF = 16,   /* it reads the maps of BPF programs */
	CONFINE_PERF = 32,  /* it counts perf events */
};

/*
 * Have the kernel refuse, with EPERM and for good, all system calls of all threads
 * but those that reading and writing ledgers takes, and @more. No file becomes
 * executable memory. Prints a warning where it can't be had; it is not asked for
 * where numatally was built without libseccomp.
 */
void confine(unsigned int more);

#endif
