// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stat/numastat/internal.h"

int numastat_open_proc(const char *root)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/proc", root ? root : "") >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

ssize_t numastat_read(int fd, char *buf, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n;
}

/* A captured tree may hold anything: a FIFO, or a link to a device. */
int numastat_open(int proc, const char *name)
{
	int fd = openat(proc, name,
			O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st = {.st_mode = 0};

	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
		return fd;
	close(fd);
	errno = S_ISDIR(st.st_mode) ? EISDIR : EBADMSG;
	return -1;
}

ssize_t numastat_read_file(int proc, const char *name, char *buf, size_t size)
{
	int fd = numastat_open(proc, name);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = numastat_read(fd, buf, size - 1);
	if (n >= 0)
		buf[n] = '\0';
	close(fd);
	return n;
}

static char *name_in_status(char *text)
{
	static const char tag[] = "Name:";

	if (strncmp(text, tag, sizeof(tag) - 1) != 0)
		return NULL;
	text += sizeof(tag) - 1;
	text += strspn(text, " \t");
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static char *name_in_stat(char *text)
{
	char *begin = strchr(text, '('), *end = strrchr(text, ')');

	if (!begin || !end || end < begin)
		return NULL;
	*end = '\0';
	return begin + 1;
}

char *numastat_process_name(int proc, pid_t pid, char *buf, size_t size)
{
	char path[32], *name = NULL;

	snprintf(path, sizeof(path), "%d/status", pid);
	if (numastat_read_file(proc, path, buf, size) >= 0)
		name = name_in_status(buf);
	if (name)
		return name;
	snprintf(path, sizeof(path), "%d/stat", pid);
	return numastat_read_file(proc, path, buf, size) >= 0
		       ? name_in_stat(buf)
		       : NULL;
}

pid_t numastat_process_of(int proc, pid_t pid)
{
	static const char tag[] = "\nTgid:";
	char path[32], text[512];
	const char *at;
	long tgid;

	snprintf(path, sizeof(path), "%d/status", pid);
	if (numastat_read_file(proc, path, text, sizeof(text)) < 0)
		return pid;
	at = strstr(text, tag);
	tgid = at ? strtol(at + sizeof(tag) - 1, NULL, 10) : 0;
	return tgid > 0 && tgid <= INT_MAX ? (pid_t)tgid : pid;
}
