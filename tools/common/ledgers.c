// SPDX-License-Identifier: MIT
#include "config.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numatally/error.h>
#include <numatally/ledger.h>

#include "common/array.h"
#include "common/ledgers.h"
#include "common/opt.h"
#include "common/text.h"

#define SHM    "/dev/shm"
#define SYSTEM "numatally"
#define SUFFIX ".ledger"

/* ---- words --------------------------------------------------------------- */

const char *ledgers_error(int error)
{
	return tally_strerror_of("tally_reader_open", error);
}

/* Print an error about a name or path of unknown origin. */
static void complain(const char *path, const char *why)
{
	char *escaped = text_escape(path);

	warnx("%s: %s", escaped ? escaped : "?", why);
	free(escaped);
}

/* ---- writers ------------------------------------------------------------- */

struct ledgers_writers ledgers_writers(const struct tally_reader *reader)
{
	struct ledgers_writers writers = {0};
	struct tally_writer writer = {.size = sizeof(writer)};
	uint64_t cursor = 0;

	while (!tally_reader_writer_next(reader, &cursor, &writer))
		if (writer.alive < 0)
			writers.unknown++;
		else if (writer.alive)
			writers.alive++;
		else
			writers.dead++;
	return writers;
}

void ledgers_put_writers(struct json_writer *w, const char *name,
			 const struct ledgers_writers *writers)
{
	json_open_object(w, name);
	json_put_uint(w, "alive", writers->alive);
	json_put_uint(w, "dead", writers->dead);
	json_put_uint(w, "unknown", writers->unknown);
	json_close_object(w);
}

const char *ledgers_state(const struct tally_reader *reader,
			  const struct ledgers_writers *writers)
{
	struct tally_reader_info info = {.size = sizeof(info)};

	if (tally_reader_describe(reader, &info))
		return "damaged";
	if (info.stale)
		return "stale";
	if (writers->alive)
		return "live";
	return writers->unknown ? "unknown" : "no writer";
}

int ledgers_print_head(const char *name, uint64_t nr_accounts,
		       const struct tally_reader *reader)
{
	struct ledgers_writers writers = ledgers_writers(reader);
	const char *state = ledgers_state(reader, &writers);
	char *escaped = text_escape(name);

	if (!escaped)
		return -ENOMEM;
	printf("%s: %" PRIu64 " account%s", escaped, nr_accounts,
	       nr_accounts == 1 ? "" : "s");
	free(escaped);
	if (strcmp(state, "live") != 0 && strcmp(state, "unknown") != 0)
		printf(", %s", state);
	if (writers.alive)
		printf(", %u writer%s", writers.alive,
		       writers.alive == 1 ? "" : "s");
	if (writers.unknown)
		printf(", %u writer%s that may live", writers.unknown,
		       writers.unknown == 1 ? "" : "s");
	if (writers.dead)
		printf(", %u died", writers.dead);
	return 0;
}

/* ---- lists --------------------------------------------------------------- */

static int append(struct ledgers *ledgers, const char *dir, const char *file)
{
	size_t bytes = strlen(file) - strlen(SUFFIX);
	char *path, *name;

	if (array_reserve(ledgers->files, ledgers->room, ledgers->nr + 1))
		return -ENOMEM;
	name = strndup(file, bytes);
	if (!name)
		return -ENOMEM;
	if (asprintf(&path, "%s/%s", dir, file) < 0) {
		free(name);
		return -ENOMEM;
	}
	ledgers->files[ledgers->nr++] = (struct ledgers_file){path, name};
	return 0;
}

/* Whether tally_ledger_path() would make this name. */
static bool is_ledger_name(const char *name)
{
	size_t bytes = strlen(name);

	return *name != '.' && bytes > strlen(SUFFIX) &&
	       !strcmp(name + bytes - strlen(SUFFIX), SUFFIX);
}

/* @owner: the user that must own the directory; NULL: any user. */
static int list_dir(struct ledgers *ledgers, const char *path,
		    const uid_t *owner)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK;
	int fd = open(path, flags | (owner ? O_NOFOLLOW : 0));
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int err = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	/* A file that is not a directory holds no ledgers. */
	if (fd < 0 && owner && (errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd >= 0 && owner && (fstat(fd, &st) || st.st_uid != *owner)) {
		complain(path, "ignored: another user owns it");
		close(fd);
		ledgers->incomplete = true;
		return 0;
	}
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		complain(path, strerror(errno));
		if (fd >= 0)
			close(fd);
		ledgers->incomplete = true;
		return 0;
	}
	while (!err && (entry = readdir(dir)))
		if (is_ledger_name(entry->d_name))
			err = append(ledgers, path, entry->d_name);
	closedir(dir);
	return err;
}

/* Find the owner of a directory from its name. */
static bool parse_dir_name(const char *name, uid_t *owner)
{
	uint64_t id;

	if (strncmp(name, SYSTEM, strlen(SYSTEM)) != 0)
		return false;
	name += strlen(SYSTEM);
	*owner = 0;
	if (!*name)
		return true;
	if (name[0] != '-' || (name[1] == '0' && name[2]) ||
	    !parse_number(name + 1, 0, UINT32_MAX, &id))
		return false;
	*owner = (uid_t)id;
	return true;
}

static int list_shm(struct ledgers *ledgers)
{
	DIR *shm = opendir(SHM);
	struct dirent *entry;
	int err = 0;

	if (!shm) {
		if (errno != ENOENT) {
			complain(SHM, strerror(errno));
			ledgers->incomplete = true;
		}
		return 0;
	}
	while (!err && (entry = readdir(shm))) {
		char path[sizeof(SHM) + sizeof(entry->d_name)];
		uid_t owner;

		if (!parse_dir_name(entry->d_name, &owner))
			continue;
		snprintf(path, sizeof(path), SHM "/%s", entry->d_name);
		err = list_dir(ledgers, path, &owner);
	}
	closedir(shm);
	return err;
}

static int compare_files(const void *a, const void *b)
{
	const struct ledgers_file *fa = a, *fb = b;
	int by_name = strcmp(fa->name, fb->name);

	return by_name ? by_name : strcmp(fa->path, fb->path);
}

int ledgers_list(struct ledgers *ledgers)
{
	const char *set = getenv("NUMATALLY_DIR");
	int err;

	memset(ledgers, 0, sizeof(*ledgers));
	err = set && *set ? list_dir(ledgers, set, NULL) : list_shm(ledgers);
	if (err) {
		ledgers_free(ledgers);
		return err;
	}
	if (ledgers->nr)
		qsort(ledgers->files, ledgers->nr, sizeof(*ledgers->files),
		      compare_files);
	return 0;
}

void ledgers_free(struct ledgers *ledgers)
{
	for (size_t i = 0; i < ledgers->nr; i++) {
		free(ledgers->files[i].path);
		free(ledgers->files[i].name);
	}
	free(ledgers->files);
	memset(ledgers, 0, sizeof(*ledgers));
}

/* ---- one by its name ----------------------------------------------------- */

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st) || errno != ENOENT;
}

/* Search all that are listed: root's, or the only one of this name. */
static bool find_listed(const char *name, char path[PATH_MAX])
{
	static const char root_dir[] = SHM "/" SYSTEM "/";
	const struct ledgers_file *found = NULL;
	struct ledgers ledgers;
	size_t nr = 0;

	if (ledgers_list(&ledgers)) {
		warnx("%s", strerror(ENOMEM));
		return false;
	}
	for (size_t i = 0; i < ledgers.nr; i++) {
		const struct ledgers_file *file = &ledgers.files[i];

		if (strcmp(file->name, name) != 0)
			continue;
		found = file;
		nr++;
		if (!strncmp(file->path, root_dir, strlen(root_dir))) {
			nr = 1;
			break;
		}
	}
	if (nr == 1)
		snprintf(path, PATH_MAX, "%s", found->path);
	else if (!nr)
		complain(name, strchr(name, '.') || exists(name)
				       ? "no such ledger (a path has a '/')"
				       : "no such ledger");
	else
		complain(name, "several users have a ledger of this name: "
			       "give its path");
	ledgers_free(&ledgers);
	return nr == 1;
}

bool ledgers_find(const char *argument, char path[PATH_MAX])
{
	int err = tally_ledger_path(argument, path, PATH_MAX);

	if (err) {
		complain(argument, tally_strerror_of("tally_ledger_path", err));
		return false;
	}
	if (strchr(argument, '/') || exists(path))
		return true;
	return find_listed(argument, path);
}
