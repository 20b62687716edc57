// SPDX-License-Identifier: MIT
/* Where a saved ledger goes: a file, or what is written through. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <numatally/error.h>
#include <numatally/reader.h>

#include "save/internal.h"

/* How long a FIFO may have no reader. */
#define FIFO_MS 2000

static int fail(int err, const char **why)
{
	*why = tally_strerror_of("tally_reader_save", err);
	return err;
}

static int refuse(int err, const char *words, const char **why)
{
	*why = words;
	return err;
}

/* ---- through ------------------------------------------------------------- */

static int write_all(int fd, const char *from, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, from, bytes);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			from += n;
			bytes -= (size_t)n;
		}
	}
	return 0;
}

static int copy(int from, int to)
{
	static char buf[1 << 16];
	ssize_t n;
	int err = 0;

	while (!err && (n = read(from, buf, sizeof(buf))))
		err = n < 0 ? -errno : write_all(to, buf, (size_t)n);
	return err;
}

/* Open an unnamed file that holds the saved ledger. */
static int save_unnamed(const struct tally_view *view)
{
	const char *tmp = getenv("TMPDIR");
	char dir[4096], path[sizeof(dir) + 16];
	int fd, err;

	if ((size_t)snprintf(dir, sizeof(dir), "%s/numatally-save-XXXXXX",
			     tmp && *tmp ? tmp : "/tmp") >= sizeof(dir))
		return -ENAMETOOLONG;
	if (!mkdtemp(dir))
		return -errno;
	snprintf(path, sizeof(path), "%s/ledger", dir);
	err = tally_reader_save(view, path, 0600);
	fd = err ? err : open(path, O_RDONLY | O_CLOEXEC);
	if (!err && fd < 0)
		fd = -errno;
	if (!err)
		unlink(path);
	rmdir(dir);
	return fd;
}

static int write_through(const struct tally_view *view, int to,
			 const char **why)
{
	int err, from = save_unnamed(view);

	if (from < 0)
		return fail(from, why);
	err = copy(from, to);
	close(from);
	return err ? refuse(err, strerror(-err), why) : 0;
}

/* Open a FIFO once a process reads it, or a device. */
static int open_through(const char *file, const char **why)
{
	const struct timespec nap = {0, 10000000};
	int fd = -1, flags;

	for (int ms = 0; fd < 0 && ms <= FIFO_MS; ms += 10) {
		fd = open(file, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 && errno != ENXIO)
			break;
		if (fd < 0)
			nanosleep(&nap, NULL);
	}
	if (fd < 0)
		return refuse(-errno,
			      errno == ENXIO ? "no process reads it"
					     : strerror(errno),
			      why);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) || !isatty(fd))
		return fd;
	close(fd);
	return refuse(-ENOTTY, "a terminal can't show a ledger", why);
}

/* ---- files --------------------------------------------------------------- */

/* The library replaces ledgers alone; here a user has named the file. */
static int replace(const struct tally_view *view, const char *file, mode_t mode,
		   const char **why)
{
	struct stat st;
	char *beside;
	int err;

	if (asprintf(&beside, "%s.%ld.new", file, (long)getpid()) < 0)
		return fail(-ENOMEM, why);
	err = tally_reader_save(view, beside, mode);
	if (!err) {
		err = lstat(file, &st) || !S_ISREG(st.st_mode) ? -EEXIST : 0;
		if (!err && rename(beside, file))
			err = -errno;
		if (err)
			unlink(beside);
	}
	free(beside);
	return err ? fail(err, why) : 0;
}

/* A link may lead to a pipe or a device, as /dev/stdout may; not to a file. */
static int check_through(const char *file, const char **why)
{
	struct stat st;

	if (stat(file, &st) || S_ISREG(st.st_mode))
		return refuse(-ELOOP, "a symbolic link, which is not followed",
			      why);
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return refuse(-EEXIST,
			      "neither a file, a pipe nor a character device",
			      why);
	return 0;
}

int save_put(const struct tally_view *view, const char *file, mode_t mode,
	     const char **why)
{
	struct stat st;
	int fd, err;

	if (!strcmp(file, "-"))
		return isatty(STDOUT_FILENO)
			       ? refuse(-ENOTTY,
					"a terminal can't show a ledger", why)
			       : write_through(view, STDOUT_FILENO, why);
	if (lstat(file, &st))
		st.st_mode = S_IFREG;
	if (S_ISREG(st.st_mode)) {
		err = tally_reader_save(view, file, mode);
		if (err == -EEXIST)
			return replace(view, file, mode, why);
		return err ? fail(err, why) : 0;
	}
	err = check_through(file, why);
	if (err)
		return err;
	fd = open_through(file, why);
	if (fd < 0)
		return fd;
	err = write_through(view, fd, why);
	close(fd);
	return err;
}
