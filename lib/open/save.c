// SPDX-License-Identifier: MIT
/*
 * Saving what a view shows. The usual calls fill a new ledger beside the file
 * that it then replaces. So the saved ledger is sound, whatever was read.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numatally/reader.h>

#include "base/uncancelled.h"
#include "file/descriptor.h"
#include "file/saved.h"
#include "open/internal.h"
#include "open/save.h"
#include "view/file.h"

static int save_resources(const struct save *s)
{
	int column = (int)s->ledger->layout->plan->resources.count, err = 0;

	for (; err >= 0 && column < (int)s->nr_resources; column++)
		err = tally_ledger_declare(
			s->ledger,
			tally_view_resource(s->view, (unsigned int)column),
			NULL, 0);
	return err < 0 ? err : 0;
}

static int save_accounts(struct save *s)
{
	size_t bytes = tally_account_key_bytes(s->from);
	struct tally_account account;
	uint64_t cursor = 0;
	int err = 0;

	while (!err) {
		err = tally_view_next(s->view, &cursor, &account, s->key,
				      bytes);
		if (!err)
			err = save_account(s, account);
	}
	return err == -ENOENT ? 0 : err;
}

static int save_all(struct save *s)
{
	int err = save_resources(s);

	if (!err)
		err = save_accounts(s);
	if (!err)
		err = save_drawn(s);
	if (!err)
		err = save_rest(s);
	if (!err)
		err = save_lives(s);
	if (!err)
		err = save_quotas(s);
	if (!err)
		err = save_capacities(s);
	return err ? err : save_ends(s);
}

/* Whether a process may be writing to the ledger at path. */
static bool is_in_use(const char *path)
{
	struct tally_writer writer = {.size = sizeof(writer)};
	struct tally_reader_info info = {.size = sizeof(info)};
	struct tally_reader *reader;
	uint64_t cursor = 0;
	bool used = false;

	if (tally_reader_open(path, &reader))
		return false;
	if (!tally_reader_describe(reader, &info) && !info.stale)
		while (!used &&
		       !tally_reader_writer_next(reader, &cursor, &writer))
			used = writer.alive != 0;
	tally_reader_close(reader);
	return used;
}

/* Whether the ledger that was claimed may be replaced: 0, or -EBUSY. */
static int check_claimed(int fd, const char *path)
{
	int saved = ledger_is_saved(fd);

	if (saved < 0)
		return saved;
	return !saved && is_in_use(path) ? -EBUSY : 0;
}

/* Claim what is to be replaced: a descriptor, or -1 if no file is at path. */
static int claim(const struct tally_view *view, const char *path, int *fd)
{
	int got = descriptor_is_at(view_layout(view)->file, path)
			  ? -EBUSY
			  : ledger_claim(path);
	int err = got < 0 ? got : check_claimed(got, path);

	*fd = err ? -1 : got;
	if (err && got >= 0)
		close(got);
	if (got == -EBADMSG)
		return -EEXIST;
	return err == -ENOENT ? 0 : err;
}

/* Give the complete file its name. */
static int put_in_place(const struct tally_view *view, const char *beside,
			const char *path)
{
	int fd, err = claim(view, path, &fd);

	if (err)
		return err;
	if (fd >= 0) {
		err = rename(beside, path) ? -errno : 0;
		close(fd);
		return err;
	}
	err = renameat2(AT_FDCWD, beside, AT_FDCWD, path, RENAME_NOREPLACE)
		      ? -errno
		      : 0;
	/* The file system may not know the flag. */
	if (err == -EINVAL || err == -ENOSYS)
		err = rename(beside, path) ? -errno : 0;
	return err;
}

static int save_beside(struct save *s, const char *beside, mode_t mode)
{
	int err = ledger_create_saved(beside, mode, view_layout(s->view),
				      &s->ledger);
	uint64_t file_bytes;
	int fd;

	if (err)
		return err;
	s->to = tally_ledger_accounts(s->ledger);
	file_bytes = s->ledger->layout->header.file_bytes;
	fd = fcntl(s->ledger->layout->file->fd, F_DUPFD_CLOEXEC, 0);
	err = fd < 0 ? -errno : save_all(s);
	/* Closing it is the last change. */
	tally_ledger_close(s->ledger);
	if (!err)
		err = saved_seal(fd, file_bytes);
	if (fd >= 0)
		close(fd);
	if (err)
		unlink(beside);
	return err;
}

static void free_all(const struct save *s)
{
	free(s->key);
	free(s->rows);
	free(s->lives.entries);
	free(s->quotas.entries);
	free(s->drawn.entries);
	free(s->family.members);
	free(s->family.demands);
}

int tally_reader_save(const struct tally_view *view, const char *path,
		      mode_t mode)
{
	UNCANCELLED;
	struct save s = {
		.view = view,
		.layout = view_layout(view),
		.from = tally_view_accounts(view),
		.nr_nodes = tally_view_nr_nodes(view),
		.nr_local = tally_view_nr_local(view),
		.nr_resources = tally_view_nr_resources(view),
	};
	char *beside = NULL;
	int fd, err;

	/* Refuse before the work is done, too. */
	err = claim(view, path, &fd);
	if (err)
		return err;
	if (fd >= 0)
		close(fd);
	s.key = malloc(tally_account_key_bytes(s.from));
	s.rows = calloc(s.layout->header.params.max_accounts, sizeof(*s.rows));
	if (!s.key || !s.rows ||
	    asprintf(&beside, "%s.%ld.tmp", path, (long)getpid()) < 0) {
		free_all(&s);
		return -ENOMEM;
	}
	err = save_beside(&s, beside, mode);
	if (!err) {
		err = put_in_place(view, beside, path);
		if (err)
			unlink(beside);
	}
	free(beside);
	free_all(&s);
	return err;
}
