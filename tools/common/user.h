/* SPDX-License-Identifier: MIT */
/* The names of users, of this machine or of a captured one. */
#ifndef TOOL_COMMON_USER_H
#define TOOL_COMMON_USER_H

#include <sys/types.h>

#define USER_NAME 64

/* Write the name of a user, which etc/passwd of a captured machine may have, or the
 * number. @root is the captured tree; NULL: this machine. Returns @name. */
const char *user_name(const char *root, uid_t uid, char name[USER_NAME]);

#endif
