// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/uncancelled.h"
#include "file/descriptor.h"

/* Whatever the path may name by now: to open it has no effect. */
#define OPEN_FLAGS (O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

int descriptor_take(int fd, bool writable, struct descriptor **descriptor)
{
	struct descriptor *d = malloc(sizeof(*d));
	struct stat st;
	int err = d ? 0 : -ENOMEM;

	if (!err && fstat(fd, &st))
		err = -errno;
	if (err) {
		free(d);
		close(fd);
		return err;
	}
	*d = (struct descriptor){
		.fd = fd,
		.flags = OPEN_FLAGS | (writable ? O_RDWR : O_RDONLY),
		.device = st.st_dev,
		.inode = st.st_ino,
	};
	*descriptor = d;
	return 0;
}

static bool is_same_file(const struct descriptor *d, const struct stat *st)
{
	return st->st_ino == d->inode && st->st_dev == d->device;
}

static bool is_same(const struct descriptor *d, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && is_same_file(d, &st);
}

void descriptor_drop(struct descriptor *d)
{
	if (!d)
		return;
	if (is_same(d, d->fd))
		close(d->fd);
	free(d->path);
	free(d);
}

void descriptor_name(struct descriptor *d, const char *path)
{
	free(d->path);
	d->path = realpath(path, NULL);
	d->named = true;
}

/* -ENOENT: path does not name the file. */
static int open_same(const struct descriptor *d, const char *path, int flags)
{
	int fd = path ? open(path, d->flags | flags) : -1;

	if (!path)
		return -ENOENT;
	if (fd < 0)
		return -errno;
	if (is_same(d, fd))
		return fd;
	close(fd);
	return -ENOENT;
}

/* Instead of fd, which is another file's. */
static int replace(struct descriptor *d, int fd)
{
	UNCANCELLED;
	int again = open_same(d, d->path, O_NOFOLLOW);

	if (again < 0)
		return -EBADF;
	/* Another thread may have done the same. */
	if (__atomic_compare_exchange_n(&d->fd, &fd, again, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return again;
	close(again);
	return fd;
}

int descriptor_get(struct descriptor *d)
{
	int fd = __atomic_load_n(&d->fd, __ATOMIC_ACQUIRE);

	return is_same(d, fd) ? fd : replace(d, fd);
}

bool descriptor_was_removed(struct descriptor *d)
{
	int fd = d->named ? descriptor_get(d) : -1;
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && !st.st_nlink;
}

bool descriptor_is_at(const struct descriptor *d, const char *path)
{
	struct stat st;

	return !lstat(path, &st) && is_same_file(d, &st);
}

int descriptor_again(struct descriptor *d)
{
	int err = -ENOENT, fd = descriptor_get(d);
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fd >= 0)
		err = open_same(d, self, 0);
	if (err == -ENOENT || err == -ENOTDIR)
		err = open_same(d, d->path, O_NOFOLLOW);
	return err == -ENOENT || err == -ENOTDIR ? -ENOSYS : err;
}
