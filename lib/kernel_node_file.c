// SPDX-License-Identifier: MIT
/* Files that are kept open, and read again, line by line. */
#include "config.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel_node.h"

int node_file_init(struct node_file *file, int dir, const char *path, ...)
{
	va_list args;
	int n;

	file->fd = -1;
	file->dir = dir;
	va_start(args, path);
	n = vasprintf(&file->path, path, args);
	va_end(args);
	if (n >= 0)
		return 0;
	file->path = NULL;
	return -ENOMEM;
}

static void close_file(struct tally_nodes *n, struct node_file *file)
{
	if (file->fd < 0)
		return;
	close(file->fd);
	file->fd = -1;
	n->nr_kept--;
}

void node_file_free(struct tally_nodes *n, struct node_file *file)
{
	if (!file->path)
		return;
	close_file(n, file);
	free(file->path);
	file->path = NULL;
}

/* A captured tree may hold anything. */
static int check_file(const struct tally_nodes *n, int fd)
{
	struct stat st;

	if (n->live)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

/* A FIFO must not make us wait. */
static int open_file(struct tally_nodes *n, struct node_file *file)
{
	int fd = openat(file->dir, file->path,
			O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int err;

	if (fd < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	err = check_file(n, fd);
	if (err) {
		close(fd);
		return err;
	}
	file->fd = fd;
	n->nr_kept++;
	return 0;
}

static int fill(struct node_lines *l)
{
	ssize_t n;

	memmove(l->buf, l->buf + l->at, l->len - l->at);
	l->len -= l->at;
	l->at = 0;
	if (l->len == sizeof(l->buf))
		return -EINVAL;
	do
		n = pread(l->fd, l->buf + l->len, sizeof(l->buf) - l->len,
			  l->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	l->end = n == 0;
	l->len += (size_t)n;
	l->offset += n;
	return 0;
}

static int start(struct node_lines *l, int fd)
{
	l->fd = fd;
	l->offset = 0;
	l->at = l->len = 0;
	l->end = false;
	return fill(l);
}

int node_file_start(struct tally_nodes *n, struct node_file *file)
{
	bool was_open = file->fd >= 0;
	int err = was_open ? 0 : open_file(n, file);

	if (err)
		return err;
	err = start(&n->lines, file->fd);
	if (err) {
		/* Of a node that was there before under the same number. */
		close_file(n, file);
		if (was_open)
			return node_file_start(n, file);
	}
	return err;
}

void node_file_done(struct tally_nodes *n, struct node_file *file)
{
	if (n->nr_kept > n->max_kept)
		close_file(n, file);
}

int node_lines_next(struct node_lines *l, char **line)
{
	size_t looked = 0;
	char *end;
	int err;

	while (!(end = memchr(l->buf + l->at + looked, '\n',
			      l->len - l->at - looked))) {
		looked = l->len - l->at;
		if (l->end && !looked)
			return 0;
		err = l->end ? -EINVAL : fill(l);
		if (err == -EINVAL) {
			*line = l->buf + l->at;
			(*line)[looked ? looked - 1 : 0] = '\0';
		}
		if (err)
			return err;
	}
	*line = l->buf + l->at;
	*end = '\0';
	l->at += (size_t)(end + 1 - *line);
	return memchr(*line, '\0', (size_t)(end - *line)) ? -EINVAL : 1;
}

int node_file_number(struct tally_nodes *n, struct node_file *file,
		     int64_t *value)
{
	int err = node_file_start(n, file);
	char *line = NULL;

	if (err)
		return err;
	err = node_lines_next(&n->lines, &line);
	if (err == 0)
		err = -EINVAL;
	if (err > 0)
		err = node_text_number(line, value);
	node_file_done(n, file);
	return err;
}
