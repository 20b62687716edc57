// SPDX-License-Identifier: MIT
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/proc/procfs.h"
#include "base/regular.h"

/* An ended process has no directory (ENOENT), or one that was opened before
 * (ESRCH). */
static int gone(int err)
{
	return err == -ENOENT || err == -ENOTDIR ? -ESRCH : err;
}

int procfs_open(const char *root)
{
	char path[PATH_MAX];
	int n, fd;

	n = snprintf(path, sizeof(path), "%s/proc", root ? root : "");
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int procfs_openat(int dir, const char *name)
{
	return gone(regular_openat(dir, name));
}

int procfs_opendir(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? gone(-errno) : fd;
}

bool procfs_has(int proc, pid_t pid)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	return !faccessat(proc, name, F_OK, 0);
}

ssize_t procfs_read_some(int fd, char *buf, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? gone(-errno) : n;
}

static int read_text(int dir, const char *name, bool record, char *buf,
		     size_t size, size_t *len)
{
	int fd = procfs_openat(dir, name);
	size_t have = 0;
	ssize_t n = 0;

	if (fd < 0)
		return fd;
	while (have < size - 1) {
		n = procfs_read_some(fd, buf + have, size - 1 - have);
		if (n <= 0)
			break;
		have += (size_t)n;
		if (record && buf[have - 1] == '\n')
			break;
	}
	close(fd);
	if (n < 0)
		return (int)n;
	buf[have] = '\0';
	*len = have;
	return 0;
}

int procfs_read(int dir, const char *name, char *buf, size_t size, size_t *len)
{
	return read_text(dir, name, false, buf, size, len);
}

int procfs_read_record(int dir, const char *name, char *buf, size_t size,
		       size_t *len)
{
	return read_text(dir, name, true, buf, size, len);
}

pid_t procfs_next(struct procfs_list *list)
{
	for (;;) {
		const struct dirent64 *d;
		const char *at, *end;
		uint64_t pid;
		ssize_t n;

		if (list->at == list->len) {
			n = getdents64(list->fd, list->buf, sizeof(list->buf));
			if (n <= 0)
				return n ? (pid_t)gone(-errno) : 0;
			list->len = (size_t)n;
			list->at = 0;
		}
		d = (const void *)(list->buf + list->at);
		list->at += d->d_reclen;
		at = d->d_name;
		end = at + strlen(at);
		/* The kernel writes a number in one way only. */
		if (*at != '0' && procfs_decimal(&at, end, &pid) && at == end &&
		    pid <= INT_MAX)
			return (pid_t)pid;
	}
}

int procfs_number(const char *text, const char *key, int64_t *value)
{
	size_t n = strlen(key);
	uint64_t v;

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, key, n) || text[n] != ':')
			continue;
		text += n + 1;
		text += strspn(text, " \t");
		if (!procfs_decimal(&text, text + strlen(text), &v) ||
		    v > INT64_MAX)
			return -EBADMSG;
		*value = (int64_t)v;
		return 0;
	}
	return -ENOENT;
}

bool procfs_field(const char *text, const char *key, int64_t *value)
{
	return !procfs_number(text, key, value);
}

bool procfs_decimal(const char **at, const char *end, uint64_t *value)
{
	const char *p = *at;
	uint64_t v = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (unsigned int)(*p - '0'), &v))
			return false;
	if (p == *at)
		return false;
	*at = p;
	*value = v;
	return true;
}

bool procfs_hex(const char **at, const char *end, uint64_t *value)
{
	const char *p = *at;
	uint64_t v = 0;

	for (; p < end; p++) {
		unsigned int digit;

		if (*p >= '0' && *p <= '9')
			digit = (unsigned int)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			digit = (unsigned int)(*p - 'a') + 10;
		else
			break;
		if (v >> 60)
			return false;
		v = v << 4 | digit;
	}
	if (p == *at)
		return false;
	*at = p;
	*value = v;
	return true;
}
