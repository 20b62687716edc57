// SPDX-License-Identifier: MIT
/* /proc/PID/maps, and the devices of the mounted instances of tmpfs. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>

#include "kernel/memory/maps.h"
#include "kernel/proc/procfs.h"
#include "base/regular.h"
#include "base/array.h"

/* Longer lines are cut off here; only the path comes later. */
#define LINE_KEPT 192

static uint32_t dev_of(uint64_t major, uint64_t minor)
{
	return (uint32_t)(major << 20 | (minor & 0xfffff));
}

static bool expect(const char **at, const char *end, char c)
{
	if (*at == end || **at != c)
		return false;
	(*at)++;
	return true;
}

static int read_lines(int proc, const char *name,
		      int (*line)(void *arg, const char *text, size_t len),
		      void *arg)
{
	int fd = procfs_openat(proc, name);
	char buf[8192], keep[LINE_KEPT + 1];
	size_t have = 0, size = 0;
	ssize_t n, i;
	int err = 0;

	if (fd < 0)
		return fd;
	while (!err && (n = procfs_read_some(fd, buf, sizeof(buf))) > 0 &&
	       (size += (size_t)n) <= REGULAR_MOST)
		for (i = 0; !err && i < n; i++) {
			if (buf[i] == '\n') {
				keep[have] = '\0';
				err = line(arg, keep, have);
				have = 0;
			} else if (have < LINE_KEPT) {
				keep[have++] = buf[i];
			}
		}
	close(fd);
	return err || !n ? err : n < 0 ? (int)n : -EBADMSG;
}

/* An initramfs is a tmpfs or a ramfs; both are called rootfs. */
static bool type_is_tmpfs(const char *type, bool live)
{
	struct statfs fs;

	if (!strncmp(type, "rootfs ", 7))
		return live && !statfs("/", &fs) && fs.f_type == TMPFS_MAGIC;
	return !strncmp(type, "tmpfs ", 6) || !strncmp(type, "devtmpfs ", 9);
}

static int tmpfs_line(void *arg, const char *text, size_t len)
{
	struct mem_tmpfs *t = arg;
	const char *at = text, *end = text + len, *type;
	uint64_t major, minor, skip;

	/* id parent major:minor root where options … - type source options */
	if (!procfs_decimal(&at, end, &skip) || !expect(&at, end, ' ') ||
	    !procfs_decimal(&at, end, &skip) || !expect(&at, end, ' ') ||
	    !procfs_decimal(&at, end, &major) || !expect(&at, end, ':') ||
	    !procfs_decimal(&at, end, &minor))
		return 0;
	type = strstr(at, " - ");
	if (!type || !type_is_tmpfs(type + 3, t->live))
		return 0;
	if (array_reserve(t->dev, t->cap, t->nr + 1))
		return -ENOMEM;
	t->dev[t->nr++] = dev_of(major, minor);
	return 0;
}

int mem_tmpfs_read(int proc, bool live, struct mem_tmpfs *tmpfs)
{
	int err;

	*tmpfs = (struct mem_tmpfs){.live = live};
	err = read_lines(proc, "self/mountinfo", tmpfs_line, tmpfs);
	/* Without the list, well-known names tell a tmpfs. */
	return err == -ENOMEM ? err : 0;
}

static bool is_tmpfs(const struct mem_tmpfs *t, uint32_t dev)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (t->dev[i] == dev)
			return true;
	return false;
}

struct vmas_reading {
	const struct mem_tmpfs *tmpfs;
	struct mem_vmas *vmas;
};

static int vma_line(void *arg, const char *text, size_t len)
{
	struct vmas_reading *r = arg;
	struct mem_vmas *l = r->vmas;
	const char *at = text, *end = text + len;
	uint64_t major, minor;
	struct mem_vma v = {.start = 0};

	if (!procfs_hex(&at, end, &v.start) || !expect(&at, end, '-') ||
	    !procfs_hex(&at, end, &v.end) || !expect(&at, end, ' ') ||
	    end - at < 5 || v.end <= v.start ||
	    (l->nr && v.start < l->v[l->nr - 1].end))
		return 0;
	v.accessible = at[0] == 'r' || at[1] == 'w';
	v.shared = at[3] == 's';
	at += 4;
	if (!expect(&at, end, ' ') || !procfs_hex(&at, end, &v.offset) ||
	    !expect(&at, end, ' ') || !procfs_hex(&at, end, &major) ||
	    !expect(&at, end, ':') || !procfs_hex(&at, end, &minor) ||
	    !expect(&at, end, ' ') || !procfs_decimal(&at, end, &v.inode))
		return 0;
	v.dev = dev_of(major, minor);
	at += strspn(at, " ");
	v.shmem = v.inode &&
		  (is_tmpfs(r->tmpfs, v.dev) || mem_path_is_shmem(at));
	v.hugetlb = v.inode && !strncmp(at, "/anon_hugepage", 14);
	if (array_reserve(l->v, l->cap, l->nr + 1))
		return -ENOMEM;
	l->v[l->nr++] = v;
	return 0;
}

int mem_vmas_read(int proc, pid_t pid, const struct mem_tmpfs *tmpfs,
		  struct mem_vmas *vmas)
{
	struct vmas_reading r = {.tmpfs = tmpfs, .vmas = vmas};
	char name[32];

	vmas->nr = 0;
	snprintf(name, sizeof(name), "%d/maps", pid);
	return read_lines(proc, name, vma_line, &r);
}

const struct mem_vma *mem_vmas_find(const struct mem_vmas *l, uint64_t at)
{
	unsigned int lo = 0, hi = l->nr;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (l->v[mid].end <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->nr && l->v[lo].start <= at ? &l->v[lo] : NULL;
}
