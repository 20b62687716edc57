// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <numatally/error.h>
#include <numatally/ledger.h>

#include "common/ledgers.h"
#include "common/text.h"

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

void ledgers_complain(const struct tally_registry_entry *directory)
{
	complain(directory->path, directory->error == -EPERM
					  ? "ignored: another user owns it"
					  : strerror(-directory->error));
}

void ledgers_complain_of(const char *name, int err)
{
	complain(name, err == -ENOENT && !strchr(name, '/')
			       ? "no such ledger"
			       : ledgers_error(err));
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

static const char *state_of(bool removed, bool saved, bool stale,
			    unsigned int alive, unsigned int unknown)
{
	if (removed)
		return "removed";
	if (saved)
		return "saved";
	if (stale)
		return "stale";
	if (alive)
		return "live";
	return unknown ? "unknown" : "no writer";
}

const char *ledgers_state(const struct tally_reader *reader,
			  const struct ledgers_writers *writers)
{
	struct tally_reader_info info = {.size = sizeof(info)};

	if (tally_reader_describe(reader, &info))
		return "damaged";
	return state_of(info.removed, info.saved, info.stale, writers->alive,
			writers->unknown);
}

const char *ledgers_entry_state(const struct tally_registry_entry *entry)
{
	switch (entry->error) {
	case 0:
		return state_of(entry->removed, entry->saved, entry->stale,
				entry->nr_alive, entry->nr_unknown);
	case -EACCES:
	case -EPERM:
		return "not permitted";
	case -EAGAIN:
		return "unfinished";
	case -EBADMSG:
		return "damaged";
	case -EPROTO:
		return "foreign";
	default:
		return "unreadable";
	}
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

/* ---- one by its name ----------------------------------------------------- */

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st) || errno != ENOENT;
}

/* Search all that are listed: root's, or the only one of this name. */
static size_t find_in(const struct tally_registry *registry, const char *name,
		      char path[PATH_MAX])
{
	static const char root_dir[] = "/dev/shm/numatally/";
	struct tally_registry_entry entry = {.size = sizeof(entry)};
	uint64_t cursor = 0;
	size_t nr = 0;

	while (!tally_registry_next(registry, &cursor, &entry)) {
		if (!entry.name) {
			ledgers_complain(&entry);
			continue;
		}
		if (strcmp(entry.name, name) != 0)
			continue;
		snprintf(path, PATH_MAX, "%s", entry.path);
		if (!strncmp(path, root_dir, strlen(root_dir)))
			return 1;
		nr++;
	}
	return nr;
}

static bool find_listed(const char *name, char path[PATH_MAX])
{
	struct tally_registry *registry;
	int err = tally_registry_open(TALLY_REGISTRY_NAMES, &registry);
	size_t nr;

	if (err) {
		warnx("%s", strerror(-err));
		return false;
	}
	nr = find_in(registry, name, path);
	tally_registry_close(registry);
	if (!nr)
		complain(name, strchr(name, '.') || exists(name)
				       ? "no such ledger (a path has a '/')"
				       : "no such ledger");
	else if (nr > 1)
		complain(name, "several users have a ledger of this name: "
			       "give its path");
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
