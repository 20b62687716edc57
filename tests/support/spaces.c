// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <fcntl.h>
#include <sys/mount.h>

#include "support/spaces.h"

static bool set_ahead(void)
{
	const char *ahead = "monotonic 100000 0\nboottime 100000 0\n";
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	bool set = fd >= 0 &&
		   write(fd, ahead, strlen(ahead)) == (ssize_t)strlen(ahead);

	if (fd >= 0)
		close(fd);
	return set;
}

bool spaces_leave(int flags)
{
	if (unshare(flags) && unshare(flags | CLONE_NEWUSER))
		return false;
	return !(flags & CLONE_NEWTIME) || set_ahead();
}

bool spaces_leave_mounts(void)
{
	return spaces_leave(CLONE_NEWNS) &&
	       !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static bool mount_own(const char *type, const char *options)
{
	return spaces_leave_mounts() && !mount(type, "/proc", type, 0, options);
}

bool spaces_without_proc(void)
{
	return mount_own("tmpfs", NULL);
}

bool spaces_hide_processes(void)
{
	return mount_own("proc", "hidepid=2");
}

bool spaces_bind(const char *file, const char *at)
{
	/* The first keeps the file system's own flags, which the second must
	 * not take away. */
	const unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY |
				    MS_NOSUID | MS_NODEV | MS_NOEXEC;

	return spaces_leave_mounts() && !mount(file, at, NULL, MS_BIND, NULL) &&
	       !mount(NULL, at, NULL, flags, NULL);
}
