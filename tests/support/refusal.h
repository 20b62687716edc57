/* SPDX-License-Identifier: MIT */
/* System calls that fail, in this process and all its children. */
#ifndef TEST_SUPPORT_REFUSAL_H
#define TEST_SUPPORT_REFUSAL_H

#define REFUSAL_MAX 16

/* From now on these calls fail with error. -errno: the kernel does not allow
 * that. */
int refusal_start(const int *numbers, unsigned int nr, unsigned int error);

#endif
