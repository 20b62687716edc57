/* SPDX-License-Identifier: MIT */
/*
 * Regular files of /proc and /sys, of this machine or of a captured tree, which
 * may hold anything: a FIFO, a device, a file without end.
 */
#ifndef BASE_REGULAR_H
#define BASE_REGULAR_H

#include <stddef.h>
#include <sys/types.h>

/* The kernel has no longer text; a longer one is endless. */
#define REGULAR_MOST (256 << 20)

/*
 * Open a regular file for reading, without waiting. Returns a file descriptor,
 * which the caller closes, or -errno.
 *
 * -EBADMSG, -EISDIR
 *		it is no regular file
 */
int regular_openat(int dir, const char *path);

/* 0; or -EBADMSG, -EISDIR: fd is of no regular file. */
int regular_check(int fd);

/*
 * Read a whole file below dir, and end it with a null byte. *len is without the
 * null bytes at its end, with which tar(1) and the like fill files up. The
 * caller frees *text.
 *
 * -EISDIR	it is a directory
 * -EBADMSG	it is no regular file, or has more than most bytes
 * -ENOMEM	no memory
 * other	as open(2) and read(2)
 */
int regular_read(int dir, const char *path, size_t most, char **text,
		 size_t *len);

/* The length of a text without the null bytes at its end. */
size_t regular_length(const char *text, size_t len);

#endif
