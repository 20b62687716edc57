/* SPDX-License-Identifier: MIT */
/*
 * procfs: reading the text files of /proc without allocating.
 */
#ifndef PROCFS_H
#define PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens root's proc directory (NULL: /proc). The caller closes it. A file
 * descriptor, or -errno. */
int procfs_open(const char *root);

/* Opens name below a directory for reading. -ESRCH stands for every way in
 * which procfs says that the process is gone. */
int procfs_openat(int dir, const char *name);

/* One read of a directory's numeric names at a time. */
struct procfs_list {
	int fd;
	size_t len;
	size_t at;
	char buf[8192] __attribute__((aligned(8)));
};

/* The next number; 0 at the end; -errno. */
pid_t procfs_next(struct procfs_list *list);

/* Reads all that fits; the text is NUL-terminated at *len < size. -errno. */
int procfs_read(int dir, const char *name, char *buf, size_t size, size_t *len);

/* read(2), without EINTR, and with the -ESRCH of above. */
ssize_t procfs_read_some(int fd, char *buf, size_t size);

/* The number after "key:" at the start of a line of text; false: none. */
bool procfs_field(const char *text, const char *key, int64_t *value);

/* Reads digits, moving *at; false where there is none or the number is over
 * 64 bits. */
bool procfs_decimal(const char **at, const char *end, uint64_t *value);
bool procfs_hex(const char **at, const char *end, uint64_t *value);

#endif
