// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/hierarchy.h"

#define CONTROLLER "cpuacct"

/* ---- where it is ---------------------------------------------------------- */

/* \040 and its like, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at; at++)
		if (*at == '\\' && strspn(at + 1, "01234567") >= 3) {
			*to++ = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 +
				       at[3] - '0');
			at += 3;
		} else {
			*to++ = *at;
		}
	*to = '\0';
}

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ',') &&
		    (!at[len] || at[len] == ',' || at[len] == '\n'))
			return true;
	return false;
}

/* A mount hides an earlier one at the same place. */
static void look_at(char *line, int version, struct hierarchy *h)
{
	char root[PATH_MAX], point[PATH_MAX], *end = strstr(line, " - ");
	char type[16], options[1024] = "";
	int found = 0;

	if (!end ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) != 2 ||
	    sscanf(end, " - %15s %*s %1023[^\n]", type, options) < 1)
		return;
	if (!strcmp(type, "cgroup2"))
		found = 2;
	else if (!strcmp(type, "cgroup") && has_word(options, CONTROLLER))
		found = 1;
	if (!found || (version && found != version) ||
	    (h->version == 1 && found == 2))
		return;
	unescape(point);
	unescape(root);
	/* What is mounted from above our namespace counts as its root. */
	if (!strcmp(root, "/") || !strncmp(root, "/..", 3))
		*root = '\0';
	h->version = found;
	snprintf(h->point, sizeof(h->point), "%s", point);
	snprintf(h->prefix, sizeof(h->prefix), "%s", root);
}

static int find_number(struct hierarchy *h)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char *line = NULL;
	size_t room = 0;

	if (!f)
		return -errno;
	h->number = 0; /* of version 2 */
	while (h->version == 1 && !h->number && getline(&line, &room, f) > 0) {
		char *names = strchr(line, ':');
		char *path = names ? strchr(names + 1, ':') : NULL;

		if (!path)
			continue;
		*path = '\0';
		if (has_word(names + 1, CONTROLLER))
			h->number = atoi(line); /* NOLINT(cert-err34-c) */
	}
	free(line);
	fclose(f);
	return 0;
}

int hierarchy_find(int version, struct hierarchy *h)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t room = 0;

	*h = (struct hierarchy){0};
	if (!f)
		return -errno;
	while (getline(&line, &room, f) > 0)
		look_at(line, version, h);
	free(line);
	fclose(f);
	return h->version ? find_number(h) : -ENOENT;
}

/* ---- what is in it -------------------------------------------------------- */

int hierarchy_walk(const struct hierarchy *h,
		   int (*take)(void *data, uint64_t id, const char *path),
		   void *data)
{
	char *const roots[] = {(char *)h->point, NULL};
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

int hierarchy_usage(const struct hierarchy *h, const char *path, int64_t *ns,
		    unsigned int nr)
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
