// SPDX-License-Identifier: MIT
/* The file of a ledger is opened; before it is removed or replaced: that it is
 * one, and that no other process is about to do the same. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/layout.h"
#include "open/internal.h"

/* Any version, whole or not. */
static int check_begin(int fd)
{
	char magic[sizeof(((struct layout_header *)0)->magic)];
	ssize_t n;

	do
		n = pread(fd, magic, sizeof(magic), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == sizeof(magic) &&
			       !memcmp(magic, LAYOUT_MAGIC, sizeof(magic))
		       ? 0
		       : -EBADMSG;
}

int ledger_is_saved(int fd)
{
	struct layout_header header;
	ssize_t n;

	do
		n = pread(fd, &header, sizeof(header), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == sizeof(header) && header.version == LAYOUT_VERSION &&
	       header.params.flags & LAYOUT_SAVED;
}

/* Lock the file that is open as fd, if path still names it. */
static int lock(int fd, const char *path)
{
	struct stat mine, its;

	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (fstat(fd, &mine) || lstat(path, &its))
		return errno == ENOENT ? -EAGAIN : -errno;
	return mine.st_dev == its.st_dev && mine.st_ino == its.st_ino ? 0
								      : -EAGAIN;
}

int ledger_open_file(const char *path, int flags)
{
	struct stat st;
	int fd;

	/* To open a device is to touch it. */
	if (lstat(path, &st))
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int ledger_claim(const char *path)
{
	int fd = ledger_open_file(path, O_RDONLY), err;

	if (fd < 0)
		return fd == -ELOOP ? -EBADMSG : fd;
	err = check_begin(fd);
	if (!err)
		err = lock(fd, path);
	if (err)
		close(fd);
	return err ? err : fd;
}
