/* SPDX-License-Identifier: MIT */
/*
 * fault: a ledger's file may be cut short by whoever can write to it, at any
 * time, and a page that is mapped and gone raises SIGBUS. Nothing but a handler
 * stands between that and the program: a file on a tmpfs can't be sealed, and
 * reading it in another way than where it lies costs a call to the kernel for
 * each cell. So the first ledger that a process maps installs one. A fault in a
 * ledger replaces the whole of its mapping by zeros and goes on; the seal at
 * the file's end (layout.h) is one of them, so that no amount is given after
 * it. Any other SIGBUS is for who handled it before.
 */
#ifndef FAULT_H
#define FAULT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* From now on faults in a mapping are mended. -ENOMEM; -errno of sigaction */
int fault_guard(char *origin, size_t bytes, bool writable);

/* Before it is unmapped; nothing where it was not guarded. */
void fault_unguard(const char *origin);

/* Whether the signal came from a guarded mapping, which is mended then.
 * Async-signal-safe. */
bool fault_mend(const siginfo_t *info);

#endif
