// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numatally/kernel_tree.h>

#include "agent/hierarchy.h"

int hierarchy_find(int version, struct tally_group_mount *h)
{
	h->size = sizeof(*h);
	return tally_kernel_groups_mount(NULL, version != 2 ? "cpuacct" : NULL,
					 version != 1 ? "" : NULL, h);
}

void hierarchy_free(struct tally_group_mount *h)
{
	free(h->point);
	free(h->prefix);
}

int hierarchy_walk(const struct tally_group_mount *h,
		   int (*take)(void *data, uint64_t id, const char *path),
		   void *data)
{
	char *const roots[] = {h->point, NULL};
	FTS *walk =
		fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	size_t begin = strlen(h->point);
	char path[2 * PATH_MAX];
	const FTSENT *at;
	int ret = 0;

	if (!walk)
		return -errno;
	while (!ret && (at = fts_read(walk))) {
		struct stat st;

		if (at->fts_info != FTS_D || stat(at->fts_path, &st))
			continue;
		snprintf(path, sizeof(path), "%s%s", h->prefix,
			 at->fts_path + begin);
		ret = take(data, st.st_ino, *path ? path : "/");
	}
	fts_close(walk);
	return ret;
}

/* The path of a cgroup's file. */
static void name_of(const struct tally_group_mount *h, const char *path,
		    const char *file, char name[2 * PATH_MAX])
{
	snprintf(name, (size_t)2 * PATH_MAX, "%s%s/%s", h->point,
		 strcmp(path, "/") != 0 ? path + strlen(h->prefix) : "", file);
}

int hierarchy_usage(const struct tally_group_mount *h, const char *path,
		    int64_t *ns, unsigned int nr)
{
	char name[2 * PATH_MAX], *text = NULL, *at;
	size_t room = 0;
	int n = 0;
	FILE *f;

	name_of(h, path, "cpuacct.usage_percpu", name);
	f = fopen(name, "re");
	if (!f)
		return -errno;
	if (getline(&text, &room, f) > 0)
		for (at = text; (unsigned int)n < nr; n++) {
			char *end;

			ns[n] = strtoll(at, &end, 10);
			if (end == at)
				break;
			at = end;
		}
	free(text);
	fclose(f);
	return n;
}

int hierarchy_total(const struct tally_group_mount *h, const char *path,
		    int64_t *ns)
{
	static const char key[] = "usage_usec ";
	char name[2 * PATH_MAX], text[256];
	ssize_t n;
	int fd;

	name_of(h, path, "cpu.stat", name);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (strncmp(text, key, sizeof(key) - 1) != 0)
		return -EBADMSG;
	*ns = strtoll(text + sizeof(key) - 1, NULL, 10) * 1000;
	return 0;
}

void hierarchy_threads(const struct tally_group_mount *h, const char *path,
		       void (*take)(void *data, int cpu), void *data)
{
	struct tally_stat stat = {.size = sizeof(stat)};
	char name[2 * PATH_MAX], line[32];
	FILE *f;

	name_of(h, path, "cgroup.threads", name);
	f = fopen(name, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		if (!tally_kernel_stat_read(NULL, (pid_t)strtol(line, NULL, 10),
					    0, &stat))
			take(data, stat.cpu);
	fclose(f);
}

int hierarchy_directory(const struct tally_group_mount *h, const char *path)
{
	char name[2 * PATH_MAX];
	int fd;

	name_of(h, path, "", name);
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
