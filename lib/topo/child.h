/* SPDX-License-Identifier: MIT */
/*
 * hwloc in a child process: it trusts what it reads, and prints on stderr. If it
 * crashes, only its answer is lost.
 */
#ifndef TOPO_CHILD_H
#define TOPO_CHILD_H

#include <stddef.h>

/*
 * Fork a child, with that environment (NULL: the caller's) and no output, that
 * calls work(arg, fd), which writes its answer to fd, and wait for it. The caller
 * frees *data.
 *
 * -EBADMSG	the child ended before its work
 * -ETIMEDOUT	the child took too long
 * -EFBIG	it answered with too much
 * -ENOMEM	no memory
 * other	as pipe(2) and fork(2)
 */
int topo_child_run(char **environment, void (*work)(void *arg, int fd),
		   void *arg, void **data, size_t *size);

/* For work: write all of it, or end the child. */
void topo_child_write(int fd, const void *data, size_t size);

#endif
