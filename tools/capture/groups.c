// SPDX-License-Identifier: MIT
/* The cgroups whose memory Linux counts, and their names. */
#include "config.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numatally/kernel_group.h>

#include "capture/internal.h"

/* Of a cgroup. Its tasks tell what it is called where a cgroup namespace begins
 * below the one that is mounted. */
static const char *const files[] = {"memory.numa_stat"};
static const char *const tasks[] = {"tasks", "cgroup.threads", "cgroup.procs"};

/* Of a hierarchy: whether the memory controller is in it. */
#define CONTROLLERS "cgroup.controllers"

static int pack_each(struct capture *c, const char *group,
		     const char *const *names, size_t nr)
{
	char path[PATH_MAX];
	int status = 0;

	for (size_t i = 0; !status && i < nr; i++)
		if (snprintf(path, sizeof(path), "%s/%s", group, names[i]) <
		    (int)sizeof(path))
			status = capture_pack(c, path, NULL);
	return status;
}

/* A tree that was captured may have anything for a cgroup, but no endless depth. */
static int pack_group(struct capture *c, const char *group, bool with_tasks)
{
	char path[PATH_MAX];
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int status = capture_pack(c, group, NULL);

	if (!status)
		status = pack_each(c, group, files,
				   sizeof(files) / sizeof(*files));
	if (!status && with_tasks)
		status = pack_each(c, group, tasks,
				   sizeof(tasks) / sizeof(*tasks));
	dir = status ? NULL : opendir(group);
	if (!dir) {
		if (!status)
			capture_refused(c, group, errno);
		return status;
	}
	while (!status && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, "..") ||
		    snprintf(path, sizeof(path), "%s/%s", group,
			     entry->d_name) >= (int)sizeof(path) ||
		    lstat(path, &st) || !S_ISDIR(st.st_mode))
			continue;
		status = pack_group(c, path, with_tasks);
	}
	closedir(dir);
	return status;
}

/* id parent device root point options: the text of word @nr ends there, too. */
static char *word_of(char *line, int nr)
{
	for (; line && nr > 0; nr--) {
		line = strchr(line, ' ');
		line = line ? line + 1 : NULL;
	}
	if (line)
		line[strcspn(line, " ")] = '\0';
	return line;
}

/* Version 2 may be mounted without the controller, just to name cgroups. Sets
 * *@above: a cgroup above the root of our cgroup namespace is mounted. */
static int pack_controllers(struct capture *c, bool *above)
{
	FILE *f = fopen("proc/self/mountinfo", "re");
	char *line = NULL, *point, path[PATH_MAX];
	size_t room = 0;
	int status = 0;

	if (!f)
		capture_refused(c, "proc/self/mountinfo", errno);
	while (f && !status && getline(&line, &room, f) > 0) {
		bool second = strstr(line, " - cgroup2 ");

		if (!second && !strstr(line, " - cgroup "))
			continue;
		point = word_of(line, 4);
		*above |= strstr(line, " /..") != NULL;
		if (second && point && *point == '/' &&
		    snprintf(path, sizeof(path), "%s/" CONTROLLERS, point + 1) <
			    (int)sizeof(path))
			status = capture_pack(c, path, NULL);
	}
	free(line);
	if (f)
		fclose(f);
	return status;
}

int capture_groups(struct capture *c)
{
	struct tally_group_mount mount = {.size = sizeof(mount)};
	int error =
		tally_kernel_groups_mount(c->root, "memory", "memory", &mount);
	bool above = false;
	int status = pack_controllers(c, &above);

	if (!status && error)
		/* A captured tree without mountinfo. */
		status = c->root ? pack_group(c, "sys/fs/cgroup", true) : 0;
	else if (!status)
		status = pack_group(c, mount.point + 1, above);
	if (!error) {
		free(mount.point);
		free(mount.prefix);
	}
	return status;
}
