// SPDX-License-Identifier: MIT
/* An archive, or a directory, that is written. */
#include "config.h"

#include <archive.h>
#include <archive_entry.h>
#include <err.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture/internal.h"

struct capture_out {
	struct archive *to;
	struct archive_entry *entry;
	const char *name;      /* for messages */
	const char *directory; /* NULL: an archive */
	bool told;	       /* that it can't be written */
	time_t now;
};

/* Once: what fails then, fails for the same reason. Words of a directory name the file
 * in it; those of an archive leave the reason out. */
static int complain(struct capture_out *out)
{
	const char *words = archive_error_string(out->to);
	int error = archive_errno(out->to);

	if (out->told)
		return -1;
	out->told = true;
	if (out->directory && words)
		warnx("%s", words);
	else
		warnx("%s: %s", out->name,
		      error > 0 || !words ? strerror(error) : words);
	return -1;
}

static int begin_archive(struct archive *to, int fd)
{
	return archive_write_set_format_pax_restricted(to) == ARCHIVE_OK &&
			       archive_write_add_filter_gzip(to) ==
				       ARCHIVE_OK &&
			       archive_write_open_fd(to, fd) == ARCHIVE_OK
		       ? 0
		       : -1;
}

struct capture_out *capture_out_open(int fd, const char *name,
				     const char *directory)
{
	struct capture_out *out = calloc(1, sizeof(*out));

	if (!out)
		err(EXIT_FAILURE, NULL);
	/* At the limit of a file's size the write fails, and nothing unfinished is
	 * left. */
	signal(SIGXFSZ, SIG_IGN);
	out->name = name;
	out->directory = directory;
	out->now = time(NULL);
	out->entry = archive_entry_new();
	out->to = directory ? archive_write_disk_new() : archive_write_new();
	if (!out->entry || !out->to)
		err(EXIT_FAILURE, NULL);
	if (!directory && begin_archive(out->to, fd)) {
		complain(out);
		archive_write_free(out->to);
		archive_entry_free(out->entry);
		free(out);
		return NULL;
	}
	return out;
}

static void begin_entry(struct capture_out *out, const char *path,
			unsigned int type, mode_t mode)
{
	char *below = NULL;

	if (out->directory &&
	    asprintf(&below, "%s/%s", out->directory, path) < 0)
		err(EXIT_FAILURE, NULL);
	archive_entry_clear(out->entry);
	archive_entry_copy_pathname(out->entry, below ? below : path);
	archive_entry_set_filetype(out->entry, type);
	archive_entry_set_perm(out->entry, mode);
	archive_entry_set_mtime(out->entry, out->now, 0);
	archive_entry_set_size(out->entry, 0);
	free(below);
}

static int put(struct capture_out *out, const char *text, size_t len)
{
	/* A file of /proc has no size before it is read. */
	if (len)
		archive_entry_set_size(out->entry, (la_int64_t)len);
	if (archive_write_header(out->to, out->entry) != ARCHIVE_OK ||
	    (len &&
	     archive_write_data(out->to, text, len) != (la_ssize_t)len) ||
	    archive_write_finish_entry(out->to) != ARCHIVE_OK)
		return complain(out);
	return 0;
}

int capture_out_directory(struct capture_out *out, const char *path)
{
	begin_entry(out, path, AE_IFDIR, 0700);
	return put(out, NULL, 0);
}

int capture_out_link(struct capture_out *out, const char *path,
		     const char *target)
{
	begin_entry(out, path, AE_IFLNK, 0777);
	archive_entry_copy_symlink(out->entry, target);
	return put(out, NULL, 0);
}

int capture_out_file(struct capture_out *out, const char *path,
		     const char *text, size_t len)
{
	begin_entry(out, path, AE_IFREG, 0600);
	return put(out, text, len);
}

int capture_out_close(struct capture_out *out)
{
	int status = 0;

	if (archive_write_close(out->to) != ARCHIVE_OK)
		status = complain(out);
	archive_write_free(out->to);
	archive_entry_free(out->entry);
	free(out);
	return status;
}

bool capture_is(int fd)
{
	struct archive *from = archive_read_new();
	struct archive_entry *entry;
	bool is;

	if (!from)
		err(EXIT_FAILURE, NULL);
	is = archive_read_support_format_tar(from) == ARCHIVE_OK &&
	     archive_read_support_filter_gzip(from) == ARCHIVE_OK &&
	     archive_read_open_fd(from, fd, 1 << 16) == ARCHIVE_OK &&
	     archive_read_next_header(from, &entry) == ARCHIVE_OK &&
	     archive_entry_pathname(entry) &&
	     !strcmp(archive_entry_pathname(entry), CAPTURE_MARK);
	archive_read_free(from);
	return is;
}
