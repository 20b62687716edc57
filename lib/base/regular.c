// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/regular.h"

#define FIRST_ROOM 4096

int regular_check(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode)   ? 0
	       : S_ISDIR(st.st_mode) ? -EISDIR
				     : -EBADMSG;
}

/* O_NONBLOCK: a FIFO may have no writer. */
int regular_openat(int dir, const char *path)
{
	int fd =
		openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int err;

	if (fd < 0)
		/* A socket, or a device without a driver. */
		return errno == ENXIO ? -EBADMSG : -errno;
	err = regular_check(fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

size_t regular_length(const char *text, size_t len)
{
	while (len && !text[len - 1])
		len--;
	return len;
}

static int read_all(int fd, size_t most, char **text, size_t *len)
{
	size_t room = 0, have = 0;
	ssize_t n = 1;

	while (n) {
		if (have + 1 >= room) {
			size_t more = room ? 2 * room : FIRST_ROOM;
			char *grown = realloc(*text, more);

			if (!grown)
				return -ENOMEM;
			*text = grown;
			room = more;
		}
		n = read(fd, *text + have, room - 1 - have);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			have += (size_t)n;
		if (have > most)
			return -EBADMSG;
	}
	(*text)[have] = '\0';
	*len = regular_length(*text, have);
	return 0;
}

int regular_read(int dir, const char *path, size_t most, char **text,
		 size_t *len)
{
	int fd = regular_openat(dir, path), err;
	char *read = NULL;

	if (fd < 0)
		return fd;
	err = read_all(fd, most, &read, len);
	close(fd);
	if (err)
		free(read);
	else
		*text = read;
	return err;
}
