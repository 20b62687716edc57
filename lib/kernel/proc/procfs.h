/* SPDX-License-Identifier: MIT */
/* procfs: reading the text files of /proc without allocating. */
#ifndef KERNEL_PROC_PROCFS_H
#define KERNEL_PROC_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Open root's proc directory (NULL: /proc). Returns a file descriptor, which
 * the caller closes, or -errno. */
int procfs_open(const char *root);

/* Open a file below a directory for reading; or a directory. -ESRCH stands for
 * every way in which procfs reports that the process is gone. -EBADMSG: it is no
 * regular file. */
int procfs_openat(int dir, const char *name);
int procfs_opendir(int dir, const char *name);

/* Whether the process has a directory. */
bool procfs_has(int proc, pid_t pid);

/* Iterates over the numeric names in a directory. */
struct procfs_list {
	int fd;
	size_t len;
	size_t at;
	char buf[8192] __attribute__((aligned(8)));
};

/* Return the next number; 0 at the end; -errno. */
pid_t procfs_next(struct procfs_list *list);

/* Read all that fits; the text is NUL-terminated at *len < size. -errno. */
int procfs_read(int dir, const char *name, char *buf, size_t size, size_t *len);

/* The same of a file that is one record, whose end is a line's, such as stat:
 * the kernel gives all of it at once. */
int procfs_read_record(int dir, const char *name, char *buf, size_t size,
		       size_t *len);

/* read(2), without EINTR, and with -ESRCH as above. */
ssize_t procfs_read_some(int fd, char *buf, size_t size);

/* Parse the number after "key:" at the start of a line of text. -ENOENT: there is
 * no such line; -EBADMSG: it has no number. */
int procfs_number(const char *text, const char *key, int64_t *value);
/* The same. False: none. */
bool procfs_field(const char *text, const char *key, int64_t *value);

/* Parse digits, and move *at behind them. False: none, or more than 64 bits. */
bool procfs_decimal(const char **at, const char *end, uint64_t *value);
bool procfs_hex(const char **at, const char *end, uint64_t *value);

#endif
