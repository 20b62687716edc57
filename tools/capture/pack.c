// SPDX-License-Identifier: MIT
/* Files are packed under their real paths, and links as links, once each. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/internal.h"

/* Links that lead to links, as for a path of the kernel. */
#define MOST_LINKS 40

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Whether the path is new. */
static bool add_seen(struct capture *c, const char *path)
{
	char *copy = strdup(path);
	char **at = copy ? tsearch(copy, &c->seen, compare) : NULL;

	if (!at)
		err(EXIT_FAILURE, NULL);
	if (*at == copy)
		return true;
	free(copy);
	return false;
}

void capture_refused(struct capture *c, const char *path, int error)
{
	if (error == ENOENT || error == ESRCH || error == ENOTDIR ||
	    error == ENODEV)
		return;
	if (!c->nr_refused++) {
		c->refusal = error;
		c->refused = strdup(path);
	}
}

/* ---- a file --------------------------------------------------------------------- */

/* Returns 0, or an errno. */
static int read_all(int fd, char **text, size_t *len)
{
	size_t room = 0;
	ssize_t n;

	*text = NULL;
	*len = 0;
	for (;;) {
		if (*len == room) {
			char *more;

			if (room >= CAPTURE_MOST_FILE)
				return EFBIG;
			room = room ? 2 * room : 16384;
			more = realloc(*text, room);
			if (!more)
				err(EXIT_FAILURE, NULL);
			*text = more;
		}
		n = read(fd, *text + *len, room - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? errno : 0;
		*len += (size_t)n;
	}
}

static int put_filtered(struct capture *c, const char *path, const char *text,
			size_t len, capture_filter filter)
{
	char *filtered = NULL;
	size_t size;
	FILE *to = open_memstream(&filtered, &size);
	int status;

	if (!to)
		err(EXIT_FAILURE, NULL);
	/* tar(1) fills files of /proc and /sys up with null bytes. */
	while (len && !text[len - 1])
		len--;
	filter(c, to, text, len);
	if (fclose(to))
		err(EXIT_FAILURE, NULL);
	status = capture_out_file(c->out, path, filtered, size);
	free(filtered);
	return status;
}

static int pack_file(struct capture *c, const char *path, capture_filter filter)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
				    O_NOFOLLOW);
	char *text = NULL;
	size_t len = 0;
	int error;

	error = fd < 0 ? errno : read_all(fd, &text, &len);
	if (fd >= 0)
		close(fd);
	if (error) {
		free(text);
		capture_refused(c, path, error);
		return 0;
	}
	error = filter ? put_filtered(c, path, text, len, filter)
		       : capture_out_file(c->out, path, text, len);
	free(text);
	return error;
}

/* ---- a path --------------------------------------------------------------------- */

/* Resolve what the link in the directory of @path leads to, and @rest behind it, by
 * its text alone, since links on the way were. NULL: it leads out of the tree. */
static char *resolve(const char *path, const char *target, const char *rest)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	char *to = malloc(len + strlen(target) + strlen(rest) + 3);
	const char *at = target;

	if (!to)
		err(EXIT_FAILURE, NULL);
	memcpy(to, path, len);
	while (*at) {
		size_t n = strcspn(at, "/");

		if (n == 2 && !memcmp(at, "..", 2)) {
			if (!len)
				break;
			while (len && to[--len] != '/')
				;
		} else if (n && !(n == 1 && *at == '.')) {
			if (len)
				to[len++] = '/';
			memcpy(to + len, at, n);
			len += n;
		}
		at += n;
		at += strspn(at, "/");
	}
	if (*target == '/' || *at || !len) {
		free(to);
		return NULL;
	}
	memcpy(to + len, rest, strlen(rest) + 1);
	return to;
}

static int pack(struct capture *c, const char *path, capture_filter filter,
		unsigned int links);

/* @rest begins with a slash, or is "". */
static int pack_link(struct capture *c, const char *path, const char *rest,
		     capture_filter filter, unsigned int links)
{
	char target[PATH_MAX], *to;
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	int status = 0;

	if (n < 0 || links == MOST_LINKS)
		return 0;
	target[n] = '\0';
	to = resolve(path, target, rest);
	if (to && add_seen(c, path))
		status = capture_out_link(c->out, path, target);
	if (to && !status)
		status = pack(c, to, filter, links + 1);
	free(to);
	return status;
}

static int pack(struct capture *c, const char *path, capture_filter filter,
		unsigned int links)
{
	char part[PATH_MAX];
	struct stat st;
	int status = 0;

	if (strlen(path) >= sizeof(part))
		return 0;
	for (size_t len = 0; !status; len++) {
		len += strcspn(path + len, "/");
		memcpy(part, path, len);
		part[len] = '\0';
		if (lstat(part, &st)) {
			capture_refused(c, part, errno);
			return 0;
		}
		if (S_ISLNK(st.st_mode))
			return pack_link(c, part, path + len, filter, links);
		if (S_ISDIR(st.st_mode) && add_seen(c, part))
			status = capture_out_directory(c->out, part);
		if (!path[len])
			break;
	}
	if (!status && S_ISREG(st.st_mode) && add_seen(c, part))
		status = pack_file(c, part, filter);
	return status;
}

int capture_pack(struct capture *c, const char *path, capture_filter filter)
{
	return pack(c, path, filter, 0);
}
