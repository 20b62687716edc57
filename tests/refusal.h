/* SPDX-License-Identifier: MIT */
/* System calls that fail, in this process and all that it starts. */
#ifndef REFUSAL_H
#define REFUSAL_H

#define REFUSAL_MAX 16

/* From now on those calls fail with error. -errno: the kernel doesn't let us. */
int refusal_start(const int *numbers, unsigned int nr, unsigned int error);

#endif
