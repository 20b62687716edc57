/* SPDX-License-Identifier: MIT */
/* Namespaces of a test's own. */
#ifndef TEST_SUPPORT_SPACES_H
#define TEST_SUPPORT_SPACES_H

#include <sched.h>
#include <stdbool.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* How far ahead the clocks of a new time namespace are. */
#define SPACES_AHEAD_NS INT64_C(100000000000000)

/*
 * Leave for new namespaces, flags as unshare(2), and for one of users where
 * that takes it. Only the next child is in those of PIDs and of time. False:
 * the kernel refuses.
 */
bool spaces_leave(int flags);

/* Mount over /proc, in a mount namespace of one's own: nothing, or a /proc that
 * hides others' processes. */
bool spaces_without_proc(void);
bool spaces_hide_processes(void);

/* Leave for a mount namespace of one's own, whose mounts no other has. */
bool spaces_leave_mounts(void);

/* Bind a file to the place of another, to read alone, in a mount namespace of
 * one's own. */
bool spaces_bind(const char *file, const char *at);

#endif
