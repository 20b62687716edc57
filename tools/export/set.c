// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numatally/registry.h>

#include "common/array.h"
#include "export/set.h"

#define MOST_LEDGERS 256 /* of all: any user may make some */

static int add(struct export_set *set, const char *label, const char *name)
{
	struct export_ledger *l;
	void *ledgers = array_grow(set->ledgers, &set->room, set->nr + 1,
				   sizeof(struct export_ledger *));

	if (!ledgers)
		return -ENOMEM;
	set->ledgers = ledgers;
	l = export_ledger_new(label, name);
	if (!l)
		return -ENOMEM;
	l->listed = true;
	set->ledgers[set->nr++] = l;
	return 0;
}

int export_set_add(struct export_set *set, const char *argument)
{
	for (size_t i = 0; i < set->nr; i++)
		if (!strcmp(set->ledgers[i]->name, argument))
			return -EEXIST;
	return add(set, argument, argument);
}

void export_set_free(struct export_set *set)
{
	for (size_t i = 0; i < set->nr; i++)
		export_ledger_free(set->ledgers[i]);
	free(set->ledgers);
}

/* ---- all of the machine ---------------------------------------------------------- */

/* Those of root and of this user have their names as labels; others, which anybody
 * may name, their paths. */
static bool is_trusted(const char *path)
{
	static const char root_dir[] = "/dev/shm/numatally/";
	const char *dir = getenv("NUMATALLY_DIR");
	char own[64];

	snprintf(own, sizeof(own), "/dev/shm/numatally-%ld/", (long)getuid());
	return (dir && *dir) || !strncmp(path, root_dir, strlen(root_dir)) ||
	       !strncmp(path, own, strlen(own));
}

static struct export_ledger *find(const struct export_set *set,
				  const char *path)
{
	for (size_t i = 0; i < set->nr; i++)
		if (!strcmp(set->ledgers[i]->name, path))
			return set->ledgers[i];
	return NULL;
}

/* A name that both root and this user have is root's: then the other one's label is
 * its path, too. */
static const char *label_of(const struct export_set *set,
			    const struct tally_registry_entry *e)
{
	if (!is_trusted(e->path))
		return e->path;
	for (size_t i = 0; i < set->nr; i++)
		if (!strcmp(set->ledgers[i]->raw, e->name))
			return e->path;
	return e->name;
}

enum listing { KNOWN, TRUSTED, OTHERS };

static int list_one(struct export_set *set,
		    const struct tally_registry_entry *e, enum listing what)
{
	struct export_ledger *l = find(set, e->path);

	if (l) {
		l->listed = true;
		return 0;
	}
	if (what == KNOWN || is_trusted(e->path) != (what == TRUSTED))
		return 0;
	if (set->nr < MOST_LEDGERS)
		return add(set, label_of(set, e), e->path);
	set->nr_ignored++;
	return 0;
}

static int list_some(struct export_set *set,
		     const struct tally_registry *registry, enum listing what)
{
	struct tally_registry_entry e = {.size = sizeof(e)};
	uint64_t cursor = 0;
	int err;

	while (!(err = tally_registry_next(registry, &cursor, &e)))
		if (e.name && (err = list_one(set, &e, what)))
			return err;
	return err == -ENOENT ? 0 : err;
}

static void drop_unlisted(struct export_set *set)
{
	size_t nr = 0;

	for (size_t i = 0; i < set->nr; i++)
		if (set->ledgers[i]->listed)
			set->ledgers[nr++] = set->ledgers[i];
		else
			export_ledger_free(set->ledgers[i]);
	set->nr = nr;
}

static int list_all(struct export_set *set)
{
	struct tally_registry *registry;
	int err = tally_registry_open(TALLY_REGISTRY_NAMES, &registry);

	if (err)
		return err;
	for (size_t i = 0; i < set->nr; i++)
		set->ledgers[i]->listed = false;
	set->nr_ignored = 0;
	err = list_some(set, registry, KNOWN);
	if (!err) {
		drop_unlisted(set);
		err = list_some(set, registry, TRUSTED);
	}
	if (!err)
		err = list_some(set, registry, OTHERS);
	tally_registry_close(registry);
	return err;
}

/* ---- a look ------------------------------------------------------------------------ */

/* What tells of a ledger itself. */
#define OWN_SERIES (LEDGER_COLUMNS + 5)

static int by_most(const void *a, const void *b)
{
	const struct export_ledger *x = *(struct export_ledger *const *)a;
	const struct export_ledger *y = *(struct export_ledger *const *)b;

	return (x->most > y->most) - (x->most < y->most);
}

/* Those that want few get what they want, and the others alike. */
static void divide(struct export_ledger **ledgers, size_t nr, size_t series)
{
	size_t left = series > nr * OWN_SERIES ? series - nr * OWN_SERIES : 0;
	size_t more;

	qsort(ledgers, nr, sizeof(struct export_ledger *), by_most);
	for (size_t i = 0; i < nr; i++) {
		size_t share = left / (nr - i);

		if (ledgers[i]->most < share)
			share = ledgers[i]->most;
		ledgers[i]->share = share;
		left -= share;
	}
	more = left / nr;
	for (size_t i = 0; i < nr; i++)
		ledgers[i]->share += more;
}

/* It is not known before the ledger is read: about. */
static void guess_most(struct export_ledger *l)
{
	size_t nr = l->state ? l->state->shape.nr_resources : 8;
	size_t rows = 5 + (size_t)l->at.about.nr_accounts;

	if (__builtin_mul_overflow(rows * nr, l->at.about.nr_nodes, &l->most))
		l->most = SIZE_MAX;
}

static int look_at(struct export_set *set, struct export_ledger **by, int *errs)
{
	struct export_bounds bounds = set->bounds;
	int err = 0;

	for (size_t i = 0; i < set->nr; i++) {
		by[i] = set->ledgers[i];
		errs[i] = followed_open(&by[i]->at);
		guess_most(by[i]);
	}
	if (set->nr && bounds.series != SIZE_MAX)
		divide(by, set->nr, bounds.series);
	for (size_t i = 0; !err && i < set->nr; i++) {
		struct export_ledger *l = set->ledgers[i];

		if (bounds.series != SIZE_MAX)
			bounds.series = l->share;
		err = export_ledger_look(l, errs[i], bounds);
	}
	return err;
}

int export_set_look(struct export_set *set)
{
	struct export_ledger **by;
	int err = set->all ? list_all(set) : 0;
	int *errs;

	if (err)
		return err;
	by = calloc(set->nr + 1, sizeof(struct export_ledger *));
	errs = calloc(set->nr + 1, sizeof(*errs));
	err = by && errs ? look_at(set, by, errs) : -ENOMEM;
	free(by);
	free(errs);
	return err;
}
