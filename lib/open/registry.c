// SPDX-License-Identifier: MIT
/* The ledgers of this machine. Their files are looked into one at a time, when
 * they are asked for. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numatally/reader.h>
#include <numatally/registry.h>

#include "base/array.h"
#include "base/sized.h"
#include "base/uncancelled.h"

#define SHM    "/dev/shm"
#define SYSTEM "numatally"
#define SUFFIX ".ledger"

struct listed {
	char *path;
	char *name; /* NULL: a directory */
	int error;  /* of the directory */
};

struct tally_registry {
	unsigned int flags;
	struct listed *list;
	unsigned int nr, cap;
};

/* ---- listing --------------------------------------------------------------- */

static int append_directory(struct tally_registry *r, const char *path,
			    int error)
{
	char *own;

	if (array_reserve(r->list, r->cap, r->nr + 1) || !(own = strdup(path)))
		return -ENOMEM;
	r->list[r->nr++] = (struct listed){.path = own, .error = error};
	return 0;
}

static int append_file(struct tally_registry *r, const char *dir,
		       const char *file)
{
	struct listed own;

	if (array_reserve(r->list, r->cap, r->nr + 1))
		return -ENOMEM;
	own = (struct listed){
		.name = strndup(file, strlen(file) - strlen(SUFFIX))};
	if (!own.name || asprintf(&own.path, "%s/%s", dir, file) < 0) {
		free(own.name);
		return -ENOMEM;
	}
	r->list[r->nr++] = own;
	return 0;
}

/* Whether tally_ledger_path() would make this name. */
static bool is_ledger_name(const char *name)
{
	size_t bytes = strlen(name);

	return *name != '.' && bytes > strlen(SUFFIX) &&
	       !strcmp(name + bytes - strlen(SUFFIX), SUFFIX);
}

/* @owner: the user that must own the directory; NULL: any user. -errno of what
 * keeps it from being listed; -ENOENT: it holds no ledgers. */
static int directory_open(const char *path, const uid_t *owner)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK;
	int fd = open(path, flags | (owner ? O_NOFOLLOW : 0));
	struct stat st;
	int err = 0;

	if (fd < 0)
		return owner && (errno == ENOTDIR || errno == ELOOP) ? -ENOENT
								     : -errno;
	if (!owner)
		return fd;
	if (fstat(fd, &st))
		err = -errno;
	else if (st.st_uid != *owner)
		err = -EPERM;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* What was listed before an error stays. */
static int list_ledgers(struct tally_registry *r, const char *path, DIR *dir)
{
	struct dirent *entry;
	int err = 0;

	errno = 0;
	while (!err && (entry = readdir(dir))) {
		if (is_ledger_name(entry->d_name))
			err = append_file(r, path, entry->d_name);
		errno = 0;
	}
	if (!err && errno && errno != ENOENT)
		err = append_directory(r, path, -errno);
	return err;
}

static int list_directory(struct tally_registry *r, const char *path,
			  const uid_t *owner)
{
	int fd = directory_open(path, owner);
	DIR *dir;
	int err;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return append_directory(r, path, fd);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	err = list_ledgers(r, path, dir);
	closedir(dir);
	return err;
}

/* Find the owner of a directory from its name: in the way of
 * tally_ledger_path() alone. */
static bool parse_directory(const char *name, uid_t *owner)
{
	char *end;
	unsigned long id;

	if (strncmp(name, SYSTEM, strlen(SYSTEM)) != 0)
		return false;
	name += strlen(SYSTEM);
	*owner = 0;
	if (!*name)
		return true;
	if (name[0] != '-' || name[1] < '0' || name[1] > '9' ||
	    (name[1] == '0' && name[2]))
		return false;
	errno = 0;
	id = strtoul(name + 1, &end, 10);
	*owner = (uid_t)id;
	return !*end && !errno && id <= UINT32_MAX;
}

static int list_shm(struct tally_registry *r)
{
	DIR *shm = opendir(SHM);
	struct dirent *entry;
	int err = 0;

	if (!shm)
		return errno == ENOENT ? 0 : append_directory(r, SHM, -errno);
	errno = 0;
	while (!err && (entry = readdir(shm))) {
		char path[sizeof(SHM) + sizeof(entry->d_name)];
		uid_t owner;

		if (parse_directory(entry->d_name, &owner)) {
			snprintf(path, sizeof(path), SHM "/%s", entry->d_name);
			err = list_directory(r, path, &owner);
		}
		errno = 0;
	}
	if (!err && errno)
		err = append_directory(r, SHM, -errno);
	closedir(shm);
	return err;
}

static int compare(const void *a, const void *b)
{
	const struct listed *la = a, *lb = b;
	int by_name = 0;

	if (!la->name != !lb->name)
		return la->name ? 1 : -1;
	if (la->name)
		by_name = strcmp(la->name, lb->name);
	return by_name ? by_name : strcmp(la->path, lb->path);
}

int tally_registry_open(unsigned int flags, struct tally_registry **registry)
{
	UNCANCELLED;
	const char *set = getenv("NUMATALLY_DIR");
	struct tally_registry *r;
	int err;

	if (flags & ~TALLY_REGISTRY_NAMES)
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->flags = flags;
	err = set && *set ? list_directory(r, set, NULL) : list_shm(r);
	if (err) {
		tally_registry_close(r);
		return err;
	}
	if (r->nr)
		qsort(r->list, r->nr, sizeof(*r->list), compare);
	*registry = r;
	return 0;
}

void tally_registry_close(struct tally_registry *r)
{
	if (!r)
		return;
	for (unsigned int i = 0; i < r->nr; i++) {
		free(r->list[i].path);
		free(r->list[i].name);
	}
	free(r->list);
	free(r);
}

/* ---- a ledger -------------------------------------------------------------- */

static int count_writers(const struct tally_reader *reader,
			 struct tally_registry_entry *e)
{
	struct tally_writer writer = {.size = sizeof(writer)};
	uint64_t cursor = 0;
	int err;

	while (!(err = tally_reader_writer_next(reader, &cursor, &writer)))
		if (writer.alive < 0)
			e->nr_unknown++;
		else if (writer.alive)
			e->nr_alive++;
		else
			e->nr_dead++;
	return err == -ENOENT ? 0 : err;
}

static int look_into(const char *path, struct tally_registry_entry *e)
{
	struct tally_reader_info info = {.size = sizeof(info)};
	struct tally_registry_entry got = *e;
	struct tally_reader *reader;
	int err = tally_reader_open(path, &reader);

	if (err)
		return err;
	err = tally_reader_describe(reader, &info);
	if (!err)
		err = count_writers(reader, &got);
	tally_reader_close(reader);
	if (err)
		return err;
	memcpy(got.instance, info.instance, sizeof(got.instance));
	got.created_ns = info.created_ns;
	got.stale = info.stale;
	got.saved = info.saved;
	got.removed = info.removed;
	got.nr_accounts = info.nr_accounts;
	*e = got;
	return 0;
}

/* -ENOENT: it was removed. */
static int describe(const struct listed *l, struct tally_registry_entry *e)
{
	struct stat st;

	if (lstat(l->path, &st)) {
		e->error = -errno;
		return errno == ENOENT ? -ENOENT : 0;
	}
	e->uid = st.st_uid;
	e->resident_bytes = (int64_t)st.st_blocks * 512;
	e->error = look_into(l->path, e);
	/* Not by a mount, but just now. */
	if (!e->error && e->removed && lstat(l->path, &st) && errno == ENOENT)
		return -ENOENT;
	return e->error == -ENOENT || e->error == -ENOMEM ? e->error : 0;
}

int tally_registry_next(const struct tally_registry *registry, uint64_t *cursor,
			struct tally_registry_entry *entry)
{
	UNCANCELLED;

	if (!sized_fits(entry,
			sized_upto(struct tally_registry_entry, removed)))
		return -EINVAL;
	for (; *cursor < registry->nr; ++*cursor) {
		const struct listed *l = &registry->list[*cursor];
		struct tally_registry_entry got = {
			.path = l->path,
			.name = l->name,
			.error = l->error,
		};
		int err = 0;

		if (l->name && !(registry->flags & TALLY_REGISTRY_NAMES))
			err = describe(l, &got);
		if (err == -ENOENT)
			continue;
		if (err)
			return err;
		++*cursor;
		sized_put(entry, &got, sizeof(got));
		return 0;
	}
	return -ENOENT;
}
