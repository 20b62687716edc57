// SPDX-License-Identifier: MIT
/*
 * Removing a ledger.
 *
 * A process that opens it meanwhile must not be left with a file without a name.
 * So the remover locks a byte, then looks whether there is a writer; one that
 * opens takes its slot, then looks at the byte: one of the two sees the other.
 * The kernel drops the lock of a remover that dies. Only one that may write can
 * lock it so that it counts.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <numatally/ledger.h>
#include <numatally/reader.h>

#include "base/uncancelled.h"
#include "file/descriptor.h"
#include "file/layout.h"
#include "open/internal.h"

/* Once a millisecond, while another process removes the ledger. */
#define MAX_TRIES 1000

static int lock_removal(int fd, int command, short *type)
{
	struct flock lock = {
		.l_type = *type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(LAYOUT_LOCKS - 1),
		.l_len = 1,
	};

	if (fcntl(fd, command, &lock))
		return -errno;
	*type = lock.l_type;
	return 0;
}

int ledger_await_removal(const struct layout *layout, const char *path)
{
	const struct timespec nap = {0, 1000000};
	int err = -EAGAIN;

	for (int try = 0; try < MAX_TRIES && err; try++) {
		int fd = descriptor_get(layout->file);
		short type = F_RDLCK;

		if (fd < 0)
			return fd;
		if (!lock_removal(fd, F_OFD_GETLK, &type) && type != F_UNLCK)
			err = -EAGAIN;
		else if (!descriptor_was_removed(layout->file))
			err = 0;
		else if (descriptor_is_at(layout->file, path))
			err = -EIDRM; /* or its name is about to go, too */
		else
			return -ENOENT;
		if (err)
			nanosleep(&nap, NULL);
	}
	return err;
}

/* Return -EBUSY if it has an account, or a process that writes to it. */
static int check_unused(const char *path, bool accounts_too)
{
	struct tally_reader_info info = {.size = sizeof(info)};
	struct tally_writer writer = {.size = sizeof(writer)};
	struct tally_reader *reader;
	uint64_t cursor = 0;
	int err = tally_reader_open(path, &reader);

	if (err)
		return err;
	err = tally_reader_describe(reader, &info);
	if (!err && info.nr_accounts && !accounts_too)
		err = -EBUSY;
	while (!err && !tally_reader_writer_next(reader, &cursor, &writer))
		err = writer.alive ? -EBUSY : 0;
	tally_reader_close(reader);
	return err;
}

static bool is_same(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

int tally_ledger_remove(const char *path, unsigned int flags)
{
	UNCANCELLED;
	short type = F_WRLCK;
	int claimed, fd, err;

	if (flags & ~(TALLY_REMOVE_ACCOUNTS | TALLY_REMOVE_IN_USE))
		return -EINVAL;
	claimed = ledger_claim(path);
	if (claimed < 0)
		return claimed;
	fd = ledger_open_file(path, O_RDWR);
	err = fd < 0 ? fd : is_same(claimed, fd) ? 0 : -EAGAIN;
	if (!err)
		err = lock_removal(fd, F_OFD_SETLK, &type);
	if (err == -EACCES && fd >= 0)
		err = -EAGAIN;
	if (!err && !(flags & TALLY_REMOVE_IN_USE))
		err = check_unused(path, flags & TALLY_REMOVE_ACCOUNTS);
	if (!err && unlink(path))
		err = -errno;
	if (fd >= 0)
		close(fd);
	close(claimed);
	return err;
}
