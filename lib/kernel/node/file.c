// SPDX-License-Identifier: MIT
/* Files that stay open and are read again, line by line. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/node/internal.h"
#include "base/regular.h"

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

static void close_file(struct tally_node_stats *n, struct node_file *file)
{
	if (file->fd < 0)
		return;
	close(file->fd);
	file->fd = -1;
	n->nr_kept--;
}

void node_file_free(struct tally_node_stats *n, struct node_file *file)
{
	if (!file->path)
		return;
	close_file(n, file);
	free(file->path);
	file->path = NULL;
}

static int open_file(struct tally_node_stats *n, struct node_file *file)
{
	int fd = regular_openat(file->dir, file->path);

	if (fd < 0)
		return fd == -ENOTDIR ? -ENOENT : fd;
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
	/* The kernel has no such line, and no such file. */
	if (l->len == sizeof(l->buf) || l->offset > REGULAR_MOST)
		return -EFBIG;
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

int node_file_start(struct tally_node_stats *n, struct node_file *file)
{
	bool was_open = file->fd >= 0;
	int err = was_open ? 0 : open_file(n, file);

	if (err)
		return err;
	err = start(&n->lines, file->fd);
	if (err) {
		/* A file of an earlier node with the same number. */
		close_file(n, file);
		if (was_open)
			return node_file_start(n, file);
	}
	return err;
}

void node_file_done(struct tally_node_stats *n, struct node_file *file)
{
	if (n->nr_kept > n->max_kept)
		close_file(n, file);
}

/* Whether nothing but null bytes follows, with which tar(1) fills files up. */
static int skip_nulls(struct node_lines *l)
{
	int err = 0;

	while (!err && !l->end &&
	       !regular_length(l->buf + l->at, l->len - l->at)) {
		l->at = l->len;
		err = fill(l);
	}
	return err ? err : !regular_length(l->buf + l->at, l->len - l->at);
}

/* The rest of the file has no end of a line. */
static int last_line(struct node_lines *l, char **line)
{
	size_t len = regular_length(l->buf + l->at, l->len - l->at);

	*line = l->buf + l->at;
	l->at = l->len;
	if (!len)
		return 0;
	(*line)[len < sizeof(l->buf) ? len : len - 1] = '\0';
	return -EBADMSG;
}

int node_lines_next(struct node_lines *l, char **line)
{
	size_t looked = 0;
	char *end;
	int got;

	if (l->at < l->len && !l->buf[l->at]) {
		got = skip_nulls(l);
		*line = l->buf;
		if (got < 0)
			**line = '\0';
		if (got)
			return got < 0 ? got : 0;
	}
	while (!(end = memchr(l->buf + l->at + looked, '\n',
			      l->len - l->at - looked))) {
		looked = l->len - l->at;
		if (l->end)
			return last_line(l, line);
		got = fill(l);
		if (got == -EFBIG) {
			*line = l->buf + l->at;
			(*line)[looked ? looked - 1 : 0] = '\0';
		}
		if (got)
			return got;
	}
	*line = l->buf + l->at;
	*end = '\0';
	l->at += (size_t)(end + 1 - *line);
	return memchr(*line, '\0', (size_t)(end - *line)) ? -EBADMSG : 1;
}

int node_file_number(struct tally_node_stats *n, struct node_file *file,
		     int64_t *value)
{
	int err = node_file_start(n, file);
	char *line = NULL;

	if (err)
		return err;
	err = node_lines_next(&n->lines, &line);
	if (err == 0)
		err = -EBADMSG;
	if (err > 0)
		err = node_text_number(line, value);
	node_file_done(n, file);
	return err;
}
