// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/cgroup.h"

/* Where the version 2 hierarchy is mounted. */
static int find_mount(char *path, size_t size)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	char buf[2 * PATH_MAX];
	struct mntent entry;
	int ret = -ENOENT;

	if (!f)
		return -errno;
	while (ret && getmntent_r(f, &entry, buf, sizeof(buf))) {
		if (strcmp(entry.mnt_type, "cgroup2") != 0)
			continue;
		ret = snprintf(path, size, "%s", entry.mnt_dir) < (int)size
			      ? 0
			      : -ENAMETOOLONG;
	}
	endmntent(f);
	return ret;
}

/* Our own cgroup in it; "/" is the root. */
static int find_own(char *path, size_t size)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 16];
	int ret = -ENOENT;

	if (!f)
		return -errno;
	while (ret && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		ret = snprintf(path, size, "%s", line + 3) < (int)size
			      ? 0
			      : -ENAMETOOLONG;
	}
	fclose(f);
	return ret;
}

/* Return 0 if this process is in the cgroup of the directory: another may be
 * mounted than the root of our cgroup namespace. */
static int check_own(const char *path)
{
	char procs[PATH_MAX + 16], line[32];
	int ret = -ENOENT;
	FILE *f;

	if (snprintf(procs, sizeof(procs), "%s/cgroup.procs", path) >=
	    (int)sizeof(procs))
		return -ENAMETOOLONG;
	f = fopen(procs, "re");
	if (!f)
		return -errno;
	while (ret && fgets(line, sizeof(line), f))
		if (strtol(line, NULL, 10) == getpid())
			ret = 0;
	fclose(f);
	return ret;
}

static int put_into(int dir, pid_t pid)
{
	int fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (dprintf(fd, "%d", (int)pid) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int run_cgroup_create(pid_t pid, struct run_cgroup *cgroup)
{
	char mount[PATH_MAX], own[PATH_MAX];
	int ret = find_mount(mount, sizeof(mount)), n;

	cgroup->fd = -1;
	if (!ret)
		ret = find_own(own, sizeof(own));
	if (ret)
		return ret;
	n = snprintf(cgroup->path, sizeof(cgroup->path), "%s%s", mount,
		     strcmp(own, "/") == 0 ? "" : own);
	if (n < 0 || n + 32 >= (int)sizeof(cgroup->path))
		return -ENAMETOOLONG;
	ret = check_own(cgroup->path);
	if (ret)
		return ret;
	snprintf(cgroup->path + n, sizeof(cgroup->path) - (size_t)n,
		 "/numatally-run-%d", (int)getpid());
	if (mkdir(cgroup->path, 0755))
		return -errno;
	cgroup->fd = open(cgroup->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = cgroup->fd < 0 ? -errno : put_into(cgroup->fd, pid);
	if (ret) {
		if (cgroup->fd >= 0)
			close(cgroup->fd);
		cgroup->fd = -1;
		rmdir(cgroup->path);
	}
	return ret;
}

int run_cgroup_destroy(struct run_cgroup *cgroup)
{
	if (cgroup->fd < 0)
		return 0;
	close(cgroup->fd);
	cgroup->fd = -1;
	return rmdir(cgroup->path) ? -errno : 0;
}
