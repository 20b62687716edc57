// SPDX-License-Identifier: MIT
/* Which cgroups there are, and the account of each. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/error.h>

#include "agent/agent.h"
#include "common/text.h"

/* ---- finding them --------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct group *)a)->id;
	uint64_t y = ((const struct group *)b)->id;

	return (x > y) - (x < y);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->path,
		      ((const struct group *)b)->path);
}

struct group *group_by_id(const struct agent *a, uint64_t id)
{
	const struct group key = {.id = id};
	struct group **found = tfind(&key, &a->by_id, by_id);

	return found ? *found : NULL;
}

struct group *group_by_path(const struct agent *a, const char *path)
{
	const struct group key = {.path = (char *)path};
	struct group **found = tfind(&key, &a->by_path, by_path);

	return found ? *found : NULL;
}

/* ---- accounts ------------------------------------------------------------- */

/* One account for all that have none of their own. */
static int share_account(struct agent *a, struct group *g)
{
	int err = 0;

	if (!a->has_other)
		err = book_account(&a->book, "other", &a->other);
	a->has_other = !err;
	g->account = a->other;
	g->shares = true;
	return err;
}

static int open_account(struct agent *a, struct group *g)
{
	int err = book_account(&a->book, g->path, &g->account);
	char *escaped;

	if (err != -ENOSPC && err != -ENAMETOOLONG && err != -EINVAL)
		return err;
	if (!a->complained) {
		escaped = text_escape(g->path);
		warnx("%s: %s: it counts in 'other'", escaped ? escaped : "?",
		      tally_strerror_of("tally_account_open", err));
		free(escaped);
		a->complained = true;
	}
	return share_account(a, g);
}

/* ---- lives ---------------------------------------------------------------- */

static void forget(struct agent *a, struct group *g)
{
	if (g->id)
		tdelete(g, &a->by_id, by_id);
	if (g->path)
		tdelete(g, &a->by_path, by_path);
	LIST_REMOVE(g, link);
	spread_forget(a, g);
	free(g->path);
	free(g->cpu);
	free(g->usage);
	free(g->memory);
	free(g);
}

/* Its account takes what is still counted of it, and is then gone. */
static int leave(struct agent *a, struct group *g)
{
	int err = cpu_finish(a, g);

	if (!err && !g->shares)
		err = book_leave(&a->book, g->account);
	forget(a, g);
	return err;
}

static int end(struct agent *a, struct group *g)
{
	int err = memory_finish(a, g);

	g->ended_ns = a->now_ns;
	return err || g->shares ? err : book_end(&a->book, g->account);
}

/* Another one has its path, or it has another path. */
static int replace(struct agent *a, struct group *g)
{
	int err = g->ended_ns ? 0 : end(a, g);

	return err ? err : leave(a, g);
}

static int set_id(struct agent *a, struct group *g, uint64_t id)
{
	g->id = id;
	g->has_cpu = true;
	if (tsearch(g, &a->by_id, by_id))
		return 0;
	g->id = 0;
	return -ENOMEM;
}

static int add(struct agent *a, uint64_t id, const char *path,
	       struct group **group)
{
	struct group *g = calloc(1, sizeof(*g));
	int err = -ENOMEM;

	if (!g)
		return -ENOMEM;
	LIST_INSERT_HEAD(&a->groups, g, link);
	g->cpu = calloc(a->book.nr_nodes, sizeof(*g->cpu));
	g->usage = calloc(5 * (size_t)a->book.nr_nodes, sizeof(*g->usage));
	g->path = path ? strdup(path) : NULL;
	if (!g->cpu || !g->usage || (path && !g->path))
		goto fail;
	g->change = g->usage + a->book.nr_nodes;
	g->seen = g->change + a->book.nr_nodes;
	g->weights = g->seen + a->book.nr_nodes;
	g->ran = g->weights + a->book.nr_nodes;
	if (path && !tsearch(g, &a->by_path, by_path)) {
		free(g->path);
		g->path = NULL;
		goto fail;
	}
	err = id ? set_id(a, g, id) : 0;
	if (!err)
		err = path ? open_account(a, g) : share_account(a, g);
	if (err)
		goto fail;
	*group = g;
	return 0;
fail:
	forget(a, g);
	return err;
}

int group_open(struct agent *a, uint64_t id, const char *path,
	       struct group **group)
{
	struct group *g = id ? group_by_id(a, id) : NULL;
	int err = 0;

	if (g && (!g->path || strcmp(g->path, path) != 0))
		err = replace(a, g);
	g = err ? NULL : group_by_path(a, path);
	if (g && (g->ended_ns || (id && g->id && g->id != id))) {
		err = replace(a, g);
		g = NULL;
	}
	if (!err && !g)
		err = add(a, id, path, &g);
	else if (!err && id && !g->id)
		err = set_id(a, g, id);
	if (err)
		return err;
	g->has_cpu |= id != 0;
	*group = g;
	return 0;
}

int group_open_other(struct agent *a, uint64_t id, struct group **group)
{
	int err = add(a, id, NULL, group);

	/* If it lives, it is met again after it was left. */
	if (!err)
		(*group)->ended_ns = a->now_ns;
	return err;
}

/* ---- all of them ---------------------------------------------------------- */

static int walked(void *data, uint64_t id, const char *path)
{
	struct group *g;
	int err = group_open(data, id, path, &g);

	if (!err)
		g->found = true;
	return err;
}

int groups_walk(struct agent *a)
{
	struct group *g;
	int err;

	a->walk = false;
	if (!a->hierarchy.version)
		return 0;
	EACH_GROUP(a, g)
	g->found = false;
	err = hierarchy_walk(&a->hierarchy, walked, a);
	if (!err)
		EACH_GROUP(a, g)
	g->has_cpu &= g->found;
	return err;
}

int groups_begin(struct agent *a)
{
	size_t bytes = tally_account_key_bytes(a->book.accounts);
	struct tally_account account;
	char *key = malloc(bytes);
	uint64_t cursor = 0;
	int err = 0;

	if (!key)
		return -ENOMEM;
	while (!err &&
	       !tally_account_next(a->book.accounts, &cursor, &account)) {
		if (tally_account_key(a->book.accounts, account, key, bytes) ||
		    *key != '/' || group_by_path(a, key))
			continue;
		err = book_end(&a->book, account);
		if (!err)
			err = book_leave(&a->book, account);
	}
	free(key);
	return err;
}

int groups_end(struct agent *a)
{
	struct group *g, *next;
	int err = 0;

	for (g = LIST_FIRST(&a->groups); g && !err; g = next) {
		next = LIST_NEXT(g, link);
		if (!g->ended_ns) {
			if (!g->has_cpu && !g->has_memory)
				err = end(a, g);
		} else if (g->ended_ns < a->now_ns &&
			   a->now_ns - g->ended_ns >= a->keep_ns) {
			err = leave(a, g);
		}
	}
	return err;
}

void groups_close(struct agent *a)
{
	struct group *g, *next;

	for (g = LIST_FIRST(&a->groups); g; g = next) {
		next = LIST_NEXT(g, link);
		forget(a, g);
	}
}

void groups_forget_memory(struct agent *a)
{
	struct group *g;

	EACH_GROUP(a, g)
	{
		free(g->memory);
		g->memory = NULL;
	}
}
