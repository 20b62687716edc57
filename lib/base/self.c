// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/regular.h"
#include "base/self.h"

pid_t self_number(int proc)
{
	char text[16] = "";

	if (readlinkat(proc, "self", text, sizeof(text) - 1) < 0)
		return 0;
	return (pid_t)strtol(text, NULL, 10);
}

/* NSpid has our number in the procfs's namespace, and in each below it down to
 * our own: a single one if they are the same. -1: the kernel does not tell. */
static int nr_numbers(int proc)
{
	static const char key[] = "\nNSpid:";
	char text[4096], *at, *end;
	int fd = regular_openat(proc, "self/status"), nr = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	do
		n = read(fd, text, sizeof(text) - 1);
	while (n < 0 && errno == EINTR);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, key);
	if (!at)
		return -1;
	at += sizeof(key) - 1;
	end = strchr(at, '\n');
	/* Cut off behind a long list of groups. */
	if (!end)
		return -1;
	*end = '\0';
	for (; strtol(at, &end, 10) && end != at; at = end)
		nr++;
	return nr;
}

/* Without NSpid, the number is hardly the same by chance. */
bool self_is_numbered(int proc)
{
	int nr = nr_numbers(proc);

	return self_number(proc) == getpid() && (nr < 0 || nr == 1);
}
