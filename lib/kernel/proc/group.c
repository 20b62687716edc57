// SPDX-License-Identifier: MIT
#include "config.h"

#include <string.h>

#include "kernel/proc/group.h"

struct group_name group_name_of(const char *path)
{
	struct group_name name = {.nr_up = 0};

	for (; !strncmp(path, "/..", 3) && (path[3] == '/' || !path[3]);
	     path += 3)
		name.nr_up++;
	name.rest = path;
	name.len = strlen(path);
	while (name.len && path[name.len - 1] == '/')
		name.len--;
	return name;
}

bool group_name_holds(const struct group_name *of, const struct group_name *in)
{
	if (!of->len)
		return in->nr_up <= of->nr_up;
	return in->nr_up == of->nr_up && in->len >= of->len &&
	       !memcmp(in->rest, of->rest, of->len) &&
	       (in->len == of->len || in->rest[of->len] == '/');
}

/* The path in a line number:controllers:path. */
static const char *path_in(const char *line, const char *controller)
{
	size_t n = strlen(controller), end = strcspn(line, ":\n"), len;
	bool found = false;

	if (line[end] != ':')
		return NULL;
	line += end;
	do {
		line++;
		len = strcspn(line, ",:\n");
		found |= len == n && !strncmp(line, controller, n);
		line += len;
	} while (*line == ',');
	return found && line[0] == ':' && line[1] == '/' ? line + 1 : NULL;
}

const char *group_name_find(const char *text, const char *controller,
			    size_t *len)
{
	const char *path = NULL;

	while (*text && !path) {
		path = path_in(text, controller);
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	if (path)
		*len = strcspn(path, "\n");
	return path;
}
