// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "support/others.h"

#define TEXT "somebody's data"

static const char *add(struct others *o, const char *dir, const char *name)
{
	snprintf(o->paths[o->nr], sizeof(o->paths[0]), "%s/other %s", dir,
		 name);
	return o->paths[o->nr++];
}

static void make_file(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	close(fd);
}

void others_make(struct others *o, const char *dir)
{
	const char *file;

	o->nr = 0;
	file = add(o, dir, "file");
	make_file(file, TEXT);
	make_file(add(o, dir, "empty"), "");
	assert_int_equal(mkdir(add(o, dir, "dir"), 0700), 0);
	assert_int_equal(mkfifo(add(o, dir, "fifo"), 0600), 0);
	make_socket(add(o, dir, "socket"));
	assert_int_equal(symlink(file, add(o, dir, "link")), 0);
	assert_int_equal(symlink("nothing", add(o, dir, "dangling")), 0);
	if (mknod(add(o, dir, "device"), S_IFCHR | 0600, makedev(1, 3)))
		o->nr--;
	for (unsigned int i = 0; i < o->nr; i++)
		assert_int_equal(lstat(o->paths[i], &o->was[i]), 0);
}

void others_assert_untouched(const struct others *o)
{
	char text[sizeof(TEXT)] = "";
	struct stat is;
	int fd;

	for (unsigned int i = 0; i < o->nr; i++) {
		assert_int_equal(lstat(o->paths[i], &is), 0);
		assert_int_equal(is.st_ino, o->was[i].st_ino);
		assert_int_equal(is.st_mode, o->was[i].st_mode);
		if (S_ISREG(is.st_mode))
			assert_int_equal(is.st_size, o->was[i].st_size);
	}
	fd = open(o->paths[0], O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), strlen(TEXT));
	assert_string_equal(text, TEXT);
	close(fd);
}
