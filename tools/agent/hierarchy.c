// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

int hierarchy_usage(const struct tally_group_mount *h, const char *path,
		    int64_t *ns, unsigned int nr)
{
	char name[2 * PATH_MAX], *text = NULL, *at;
	size_t room = 0;
	int n = 0;
	FILE *f;

	snprintf(name, sizeof(name), "%s%s/cpuacct.usage_percpu", h->point,
		 strcmp(path, "/") != 0 ? path + strlen(h->prefix) : "");
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
