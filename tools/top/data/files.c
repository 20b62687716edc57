// SPDX-License-Identifier: MIT
/* Files of /proc that the library does not read: load, swap, command lines. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "top/data/files.h"

/* Read the begin of a file below root. Returns the bytes, or -errno. In a
 * captured tree it may be anything. */
static ssize_t __attribute__((format(printf, 4, 5)))
read_file(const char *root, char *buf, size_t size, const char *path, ...)
{
	char whole[PATH_MAX];
	struct stat st;
	va_list args;
	ssize_t n;
	int fd, used;

	used = snprintf(whole, sizeof(whole), "%s/proc/", root ? root : "");
	if (used < 0 || (size_t)used >= sizeof(whole))
		return -ENAMETOOLONG;
	va_start(args, path);
	vsnprintf(whole + used, sizeof(whole) - (size_t)used, path, args);
	va_end(args);
	fd = open(whole, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	n = fstat(fd, &st) || !S_ISREG(st.st_mode) ? -1
						   : read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	buf[n] = '\0';
	return n;
}

void top_files_load(const char *root, double load[3])
{
	char text[128], *at = text, *end;
	double got[3];

	for (int i = 0; i < 3; i++)
		load[i] = -1;
	if (read_file(root, text, sizeof(text), "loadavg") <= 0)
		return;
	for (int i = 0; i < 3; i++) {
		got[i] = strtod(at, &end);
		if (end == at || !(got[i] >= 0 && got[i] < 1e9))
			return;
		at = end;
	}
	memcpy(load, got, sizeof(got));
}

/* The bytes of a line of meminfo. */
static int64_t bytes_of(const char *text, const char *label)
{
	const char *at = strstr(text, label);
	long long kib = at ? strtoll(at + strlen(label), NULL, 10) : -1;

	return kib < 0 || kib > INT64_MAX / 1024 ? TOP_UNKNOWN
						 : (int64_t)kib * 1024;
}

void top_files_swap(const char *root, int64_t *bytes, int64_t *used_bytes)
{
	char text[8192];
	int64_t all, unused;

	*bytes = *used_bytes = TOP_UNKNOWN;
	if (read_file(root, text, sizeof(text), "meminfo") <= 0)
		return;
	all = bytes_of(text, "\nSwapTotal:");
	unused = bytes_of(text, "\nSwapFree:");
	if (all == TOP_UNKNOWN || unused == TOP_UNKNOWN || unused > all)
		return;
	*bytes = all;
	*used_bytes = all - unused;
}

bool top_files_command(const char *root, pid_t pid, char *text, size_t size)
{
	ssize_t n = read_file(root, text, size, "%d/cmdline", (int)pid);

	if (n <= 0)
		return false;
	while (n && !text[n - 1])
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	return n > 0;
}
