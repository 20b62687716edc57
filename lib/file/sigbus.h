/* SPDX-License-Identifier: MIT */
/*
 * sigbus: any process that may write a ledger's file can cut it short, at any
 * time; access to a mapped page that is gone raises SIGBUS. Only a handler
 * protects the program: a file on a tmpfs can't be sealed, and reading it other
 * than in place costs a system call for each cell. So the first ledger that a
 * process maps installs a handler. After a fault in a ledger it replaces the
 * whole mapping by zeros and resumes. That clears the seal at the file's end
 * (layout.h), so that no amount read from then on counts. The handler installed
 * before gets every other SIGBUS.
 */
#ifndef FILE_SIGBUS_H
#define FILE_SIGBUS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Mend faults in this mapping from now on. -ENOMEM; -errno of sigaction(). */
int sigbus_guard(char *origin, size_t bytes, bool writable);

/* To be called before unmapping. Does nothing if it was not guarded. */
void sigbus_unguard(const char *origin);

/* Mend the mapping that the signal came from, and return whether it was a
 * guarded one. Async-signal-safe. */
bool sigbus_mend(const siginfo_t *info);

#endif
