// SPDX-License-Identifier: MIT
/*
 * An archive is unpacked into a tmpfs that is mounted nowhere. Only descriptors lead
 * there, and it goes with the last of them, however its process ends.
 *
 * An archive may be hostile: its paths and links are checked, and the tmpfs is this
 * process's root directory, beyond which none of them would lead.
 */
#include "config.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/mount.h>

#include "capture/internal.h"
#include "common/text.h"

/* A file takes a page at least. */
#define TMPFS_BYTES  "2147483648"
#define TMPFS_FILES  "1000000"
#define MOST_SECONDS 120
#ifdef __SANITIZE_ADDRESS__
#define MOST_MEMORY RLIM_INFINITY /* its shadow is larger than any limit */
#else
#define MOST_MEMORY (2 * (rlim_t)CAPTURE_MOST)
#endif

#define NO_ARCHIVE "neither a directory nor an archive that tar made"

/* Send words, or a directory. */
static void answer(int fd, const char *words)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.room = {0}};
	struct iovec text = {(void *)words, strlen(words)};
	struct msghdr message = {.msg_iov = &text, .msg_iovlen = 1};

	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int)),
		};
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	if (sendmsg(STDOUT_FILENO, &message, MSG_NOSIGNAL) < 0)
		_exit(EXIT_FAILURE);
}

static _Noreturn __attribute__((format(printf, 1, 2))) void
refuse(const char *format, ...)
{
	char words[400];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	answer(-1, words);
	exit(EXIT_FAILURE);
}

/* ---- a file system in memory ------------------------------------------------------ */

static int set(int fs, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value,
			    0);
}

/* Returns a descriptor of its root, or -1. */
static int mount_memory(void)
{
	int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), fd;

	if (fs < 0 || set(fs, "size", TMPFS_BYTES) ||
	    set(fs, "nr_inodes", TMPFS_FILES) || set(fs, "mode", "0700") ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			  MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
				  MOUNT_ATTR_NOEXEC);
	close(fs);
	return fd;
}

static void map(const char *file, unsigned int id)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		dprintf(fd, "%u %u 1", id, id);
		close(fd);
	}
}

/* There it may mount, and has no rights outside. */
static void enter_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int fd;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return;
	map("/proc/self/uid_map", uid);
	fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		dprintf(fd, "deny");
		close(fd);
	}
	map("/proc/self/gid_map", gid);
}

static void enter_memory(void)
{
	int fd;

	enter_namespace();
	fd = mount_memory();
	if (fd < 0 || fchdir(fd) || chroot("."))
		refuse("there is no file system in memory for it (%s): unpack it "
		       "with tar, and name the directory",
		       strerror(errno));
	close(fd);
}

/* What decompressing takes. */
static void limit(void)
{
	const struct rlimit cpu = {MOST_SECONDS, MOST_SECONDS};
	const struct rlimit memory = {MOST_MEMORY, MOST_MEMORY};
	const struct rlimit core = {0, 0};

	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_AS, &memory);
	setrlimit(RLIMIT_CORE, &core);
}

/* ---- an archive -------------------------------------------------------------------- */

static const char *readable(const char *path)
{
	char *text = path ? text_escape(path) : NULL;

	return text ? text : "?";
}

/* How deep the path leads from @depth; -1: out of the tree on the way. */
static int depth_of(const char *path, int depth)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && !memcmp(path, "..", 2))
			depth--;
		else if (n && !(n == 1 && *path == '.'))
			depth++;
		if (depth < 0)
			return -1;
		path += n;
		path += strspn(path, "/");
	}
	return depth;
}

/* Whether a path names a member: none does by way of "..". */
static bool is_inside(const char *path)
{
	size_t n;

	if (!path || *path == '/')
		return false;
	for (; *path; path += strspn(path, "/")) {
		n = strcspn(path, "/");
		if (n == 2 && !memcmp(path, "..", 2))
			return false;
		path += n;
	}
	return true;
}

/* Members that are not unpacked, and the first of them. */
static unsigned int nr_left_out;
static char left_out[300];

static __attribute__((format(printf, 1, 2))) bool leave_out(const char *format,
							    ...)
{
	va_list args;

	va_start(args, format);
	if (!nr_left_out++)
		vsnprintf(left_out, sizeof(left_out), format, args);
	va_end(args);
	return false;
}

/* Whether to unpack it. Links and files of other kinds are left out where tar has
 * them of /proc/PID, /etc or /dev. */
static bool check(struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry);
	const char *link = archive_entry_hardlink(entry);

	if (!is_inside(path) || (link && !is_inside(link)))
		refuse("%s%s%s leads out of the archive", readable(path),
		       link ? ", linked to " : "", link ? readable(link) : "");
	if (link)
		return true;
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		if (archive_entry_size(entry) > CAPTURE_MOST)
			refuse("%s: %s", readable(path), strerror(EFBIG));
		break;
	case AE_IFDIR:
		break;
	case AE_IFLNK:
		link = archive_entry_symlink(entry);
		if (!link || *link == '/' ||
		    depth_of(link, depth_of(path, 0) - 1) < 0)
			return leave_out("%s, linked to %s", readable(path),
					 readable(link));
		break;
	default:
		return leave_out("%s is neither a file, a directory nor a link",
				 readable(path));
	}
	return true;
}

static void complain(struct archive *a, const char *path)
{
	int error = archive_errno(a);
	const char *words = archive_error_string(a);

	if (error == ENOSPC)
		refuse("it is larger unpacked than the %u MiB that it may be",
		       CAPTURE_MOST >> 20);
	refuse("%s%s%s", path ? readable(path) : "", path ? ": " : "",
	       words ? words : strerror(error));
}

/* All of it can be read, whatever the modes in the archive. */
static void put(struct archive *from, struct archive *to,
		struct archive_entry *entry, la_int64_t *bytes)
{
	const char *path = archive_entry_pathname(entry);
	const void *data;
	size_t len;
	la_int64_t at;
	int status;

	archive_entry_set_perm(
		entry, archive_entry_filetype(entry) == AE_IFDIR ? 0700 : 0600);
	if (archive_write_header(to, entry) < ARCHIVE_WARN)
		complain(to, path);
	while ((status = archive_read_data_block(from, &data, &len, &at)) ==
	       ARCHIVE_OK) {
		*bytes += (la_int64_t)len;
		if (*bytes > CAPTURE_MOST || at > CAPTURE_MOST) {
			archive_set_error(to, ENOSPC, "too large");
			complain(to, path);
		}
		if (len &&
		    archive_write_data_block(to, data, len, at) < ARCHIVE_WARN)
			complain(to, path);
	}
	if (status != ARCHIVE_EOF)
		complain(from, path);
	if (archive_write_finish_entry(to) < ARCHIVE_WARN)
		complain(to, path);
}

static void unpack(struct archive *from)
{
	struct archive *to = archive_write_disk_new();
	struct archive_entry *entry;
	la_int64_t bytes = 0;
	bool any = false;
	int status;

	if (!to)
		refuse("%s", strerror(ENOMEM));
	archive_write_disk_set_options(to,
				       ARCHIVE_EXTRACT_SECURE_NODOTDOT |
					       ARCHIVE_EXTRACT_SECURE_SYMLINKS);
	while ((status = archive_read_next_header(from, &entry)) ==
		       ARCHIVE_OK ||
	       status == ARCHIVE_WARN) {
		any = true;
		if (check(entry))
			put(from, to, entry, &bytes);
		/* Of members that replace each other, too. */
		if (archive_filter_bytes(from, 0) >
		    2 * (la_int64_t)CAPTURE_MOST) {
			archive_set_error(from, ENOSPC, "too large");
			complain(from, NULL);
		}
	}
	if (status != ARCHIVE_EOF && any)
		complain(from, NULL);
	if (!any)
		refuse(NO_ARCHIVE);
	if (archive_write_close(to) != ARCHIVE_OK)
		complain(to, NULL);
	archive_write_free(to);
}

static struct archive *open_archive(void)
{
	struct archive *from = archive_read_new();

	if (!from)
		refuse("%s", strerror(ENOMEM));
	archive_read_support_format_tar(from);
	archive_read_support_filter_bzip2(from);
	archive_read_support_filter_gzip(from);
	archive_read_support_filter_xz(from);
	archive_read_support_filter_zstd(from);
	if (archive_read_open_fd(from, STDIN_FILENO, 1 << 16) != ARCHIVE_OK)
		refuse(NO_ARCHIVE);
	return from;
}

/* ---- the tree ------------------------------------------------------------------------ */

static bool is_tree(const char *path)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s/sys", path);
	if (!access(name, F_OK))
		return true;
	snprintf(name, sizeof(name), "%s/proc", path);
	return !access(name, F_OK);
}

#define MOST_DEPTH 8

/* Change to the only directory here that has a tree, or else to the only one. Returns
 * whether there is one. */
static bool go_down(void)
{
	unsigned int nr_trees = 0, nr_all = 0;
	char to[NAME_MAX + 1] = "";
	struct dirent *entry;
	DIR *dir = opendir(".");

	while (dir && (entry = readdir(dir))) {
		bool tree = is_tree(entry->d_name);

		if (*entry->d_name == '.')
			continue;
		nr_trees += tree;
		nr_all++;
		if (tree || !nr_trees)
			snprintf(to, sizeof(to), "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	if (nr_trees > 1)
		refuse("it has %u machines: unpack it with tar, and name the "
		       "directory of one",
		       nr_trees);
	return (nr_trees == 1 || nr_all == 1) && chdir(to) == 0;
}

/* Many archives have one directory, which holds all else. */
static int open_tree_directory(void)
{
	for (int i = 0; i < MOST_DEPTH && !is_tree(".") && go_down(); i++)
		;
	return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int unpack_main(int argc, char **argv)
{
	char words[400] = "";
	struct archive *from;
	int fd;

	(void)argc;
	(void)argv;
	limit();
	umask(0);
	from = open_archive();
	enter_memory();
	unpack(from);
	archive_read_free(from);
	fd = open_tree_directory();
	if (fd < 0)
		refuse("it has neither sys nor proc");
	if (nr_left_out)
		snprintf(words, sizeof(words),
			 "%u member%s left out, the first: %s", nr_left_out,
			 nr_left_out == 1 ? " is" : "s are", left_out);
	answer(fd, words);
	return EXIT_SUCCESS;
}
