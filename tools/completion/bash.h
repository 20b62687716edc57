/* SPDX-License-Identifier: MIT */
/* The text of the file numatally beside this one. */
#ifndef COMPLETION_BASH_H
#define COMPLETION_BASH_H

extern const char completion_bash[];

#endif
