// SPDX-License-Identifier: MIT
/* Goes on with a ledger that is there, or makes one. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <numatally/ledger.h>

#include "ledger_internal.h"

/* Others may be replacing it too: how often to look again, every millisecond.
 */
#define MAX_TRIES 1000

static bool resources_match(const struct tally_ledger *l,
			    const struct tally_resource *resources,
			    unsigned int nr)
{
	if (l->layout->header.params.nr_resources != nr)
		return false;
	for (unsigned int i = 0; i < nr; i++) {
		const struct layout_resource *r = &l->layout->resources[i];

		if (strcmp(r->name, resources[i].name) ||
		    strcmp(r->unit, resources[i].unit) ||
		    r->kind != (uint32_t)resources[i].kind)
			return false;
	}
	return true;
}

/* Whether path is still the file that fd is. */
static bool is_same(int fd, const char *path)
{
	struct stat mine, its;

	return !fstat(fd, &mine) && !lstat(path, &its) &&
	       mine.st_dev == its.st_dev && mine.st_ino == its.st_ino;
}

/* Removes what is at path, if it can't be opened for the same reason still:
 * others may have replaced it meanwhile. -EAGAIN: one of them is at it. */
static int remove_bad(const char *path, int why)
{
	struct tally_ledger *ledger;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int err = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -EAGAIN : -errno;
	} else if (is_same(fd, path)) {
		err = tally_ledger_open(path, &ledger);
		if (!err)
			tally_ledger_close(ledger);
		else if (err == why)
			err = unlink(path) && errno != ENOENT ? -errno : 0;
	}
	close(fd);
	return err;
}

static bool is_bad(int err)
{
	return err == -ESTALE || err == -EPROTO || err == -EBADMSG;
}

int tally_ledger_adopt(const char *path, const struct tally_topo *topo,
		       const struct tally_resource *resources,
		       unsigned int nr_resources,
		       const struct tally_ledger_options *options,
		       struct tally_ledger **ledger, int *why)
{
	const struct timespec nap = {0, 1000000};
	int found = -ENOENT, err = -EAGAIN;
	struct tally_ledger *l;

	for (int try = 0; try < MAX_TRIES; try++) {
		err = tally_ledger_open(path, &l);
		if (!err) {
			found = 0;
			break;
		}
		if (is_bad(err)) {
			found = err;
			err = remove_bad(path, found);
		}
		if (!err || err == -ENOENT)
			err = tally_ledger_create(path, topo, resources,
						  nr_resources, options, &l);
		if (err != -EEXIST && err != -EAGAIN && !is_bad(err))
			break;
		nanosleep(&nap, NULL);
	}
	if (err)
		return err == -EEXIST ? -EAGAIN : err;
	if (!found && !resources_match(l, resources, nr_resources)) {
		tally_ledger_close(l);
		return -EEXIST;
	}
	*ledger = l;
	if (why)
		*why = found;
	return 0;
}
