// SPDX-License-Identifier: MIT
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/uncancelled.h"
#include "account/directory.h"
#include "add/inflight.h"
#include "base/sized.h"
#include "snapshot/in_doubt.h"
#include "snapshot/ask.h"
#include "snapshot/epoch.h"
#include "snapshot/pin.h"
#include "file/column.h"
#include "file/reserved.h"
#include "ledger/mapped.h"
#include "view/sum.h"
#include "view/file.h"
#include "view/internal.h"

/*
 * Describe the resources. Callers have arrays of as many amounts, so that this
 * number must not grow under them.
 */
static int describe(struct tally_view *v)
{
	const struct layout *l = v->layout;
	uint32_t nr_made = (uint32_t)l->plan->resources.count;
	uint32_t nr = column_nr(l);
	struct layout_resource *text;
	int err = 0;

	v->nr_resources = nr;
	v->resources = malloc(nr * sizeof(*v->resources) +
			      (nr - nr_made) * sizeof(*text));
	if (!v->resources)
		return -ENOMEM;
	text = (struct layout_resource *)&v->resources[nr];
	for (uint32_t i = 0; !err && i < nr; i++) {
		const struct layout_resource *r = text;

		if (i < nr_made)
			r = &l->resources[i];
		else
			err = column_read(l, i, text++);
		v->resources[i].name = r->name;
		v->resources[i].unit = r->unit;
		v->resources[i].kind = (enum tally_kind)r->kind;
	}
	if (!err && l->header.params.nr_spare && !layout_is_whole(l))
		err = -EBADMSG;
	return err;
}

int view_over(const struct layout *layout,
	      const struct tally_accounts *accounts, struct tally_view **view)
{
	const struct layout_params *params = &layout->header.params;
	struct tally_view *v =
		malloc(sizeof(*v) + params->nr_planes * sizeof(*v->records));
	int err;

	if (!v)
		return -ENOMEM;
	v->layout = layout;
	v->accounts = accounts;
	v->pinned = NULL;
	v->asker = NULL;
	v->info = (struct tally_snapshot_info){.size = sizeof(v->info)};
	err = describe(v);
	if (err) {
		free(v->resources);
		free(v);
		return err;
	}
	for (uint32_t n = 0; n < params->nr_planes; n++) {
		v->records[n].base =
			(uint64_t)((char *)layout_record(layout, n, 0) -
				   layout->origin);
		v->records[n].len = layout->places[n].nr_lanes;
		v->records[n].cap = layout->places[n].nr_lanes;
	}
	*view = v;
	return 0;
}

int tally_view_open(struct tally_ledger *ledger, struct tally_view **view)
{
	return view_over(ledger->layout, ledger->accounts, view);
}

static void set_info(struct tally_view *v, const struct pin_info *pin)
{
	v->info.epoch = pin->epoch;
	v->info.nr_in_doubt = pin->nr_in_doubt;
	v->info.taken_ns = pin->taken_ns;
	v->info.age_ns = pin->age_ns;
}

int tally_view_snapshot(struct tally_ledger *ledger, unsigned int flags,
			int64_t timeout_ns, struct tally_view **view)
{
	UNCANCELLED;
	struct pin_info pin;
	struct tally_view *v;
	int err = flags & ~TALLY_SNAPSHOT_JOIN
			  ? -EINVAL
			  : view_over(ledger->layout, ledger->accounts, &v);

	if (err)
		return err;
	inflight_settle(ledger);
	err = epoch_pin(ledger, flags & TALLY_SNAPSHOT_JOIN, timeout_ns, &pin);
	if (err) {
		tally_view_close(v);
		return err;
	}
	set_info(v, &pin);
	v->pinned = ledger;
	v->owner = ledger->layout->owner;
	*view = v;
	return 0;
}

int view_asked(struct asker *asker, const struct tally_accounts *accounts,
	       unsigned int flags, int64_t timeout_ns, struct tally_view **view)
{
	struct pin_info pin;
	struct tally_view *v;
	int err = flags & ~TALLY_SNAPSHOT_JOIN
			  ? -EINVAL
			  : view_over(asker->layout, accounts, &v);

	if (err)
		return err;
	err = ask_pin(asker, flags & TALLY_SNAPSHOT_JOIN, timeout_ns, &pin);
	if (err) {
		tally_view_close(v);
		return err;
	}
	set_info(v, &pin);
	v->asker = asker;
	*view = v;
	return 0;
}

const struct tally_snapshot_info *
tally_view_snapshot_info(const struct tally_view *view)
{
	return view->info.epoch ? &view->info : NULL;
}

uint64_t tally_view_nr_in_doubt(const struct tally_view *view)
{
	return view->info.epoch ? view->info.nr_in_doubt
				: in_doubt_count(view->layout);
}

int tally_view_in_doubt(const struct tally_view *view, uint64_t index,
			struct tally_in_doubt *doubt)
{
	struct tally_in_doubt got = {0};
	struct layout_in_doubt from;
	int err;

	if (!sized_fits(doubt, sized_upto(struct tally_in_doubt, accounts)))
		return -EINVAL;
	err = index < tally_view_nr_in_doubt(view)
		      ? in_doubt_read(view->layout, index, &from)
		      : -ENOENT;

	if (err)
		return err;
	got.epoch = from.epoch;
	got.pid = (pid_t)from.pid;
	got.nr_accounts = from.nr_rows;
	for (uint32_t i = 0; i < from.nr_rows && i < TALLY_IN_DOUBT_ACCOUNTS;
	     i++) {
		got.accounts[i].row = from.row[i];
		got.accounts[i].generation = from.generation[i];
		if (!directory_has(view->accounts, got.accounts[i],
				   view->info.epoch))
			got.accounts[i].generation = 0;
	}
	sized_put(doubt, &got, sizeof(got));
	return 0;
}

void tally_view_close(struct tally_view *view)
{
	UNCANCELLED;

	if (!view)
		return;
	/* A child of fork(2) has copies of views that its parent pinned. */
	if (view->pinned && __atomic_load_n(&view->pinned->layout->owner,
					    __ATOMIC_RELAXED) == view->owner)
		epoch_unpin(view->pinned);
	if (view->asker)
		ask_unpin(view->asker, view->info.epoch);
	free(view->resources);
	free(view);
}

unsigned int tally_view_nr_resources(const struct tally_view *view)
{
	return view->nr_resources;
}

const struct tally_resource *tally_view_resource(const struct tally_view *view,
						 unsigned int index)
{
	assert(index < tally_view_nr_resources(view));
	return &view->resources[index];
}

unsigned int tally_view_nr_nodes(const struct tally_view *view)
{
	return view->layout->header.params.nr_nodes;
}

int tally_view_node(const struct tally_view *view, unsigned int index)
{
	assert(index < tally_view_nr_nodes(view));
	return view->layout->nodes[index].id;
}

unsigned int tally_view_nr_local(const struct tally_view *view)
{
	return view->layout->header.params.nr_planes;
}

const char *tally_view_machine(const struct tally_view *view,
			       unsigned int index, int *id)
{
	const struct layout *l = view->layout;
	int number = tally_view_node(view, index);
	const char *name = l->machines[number >> LAYOUT_MACHINE_SHIFT].name;

	*id = number & ((1 << LAYOUT_MACHINE_SHIFT) - 1);
	return *name ? name : NULL;
}

const struct tally_accounts *tally_view_accounts(const struct tally_view *view)
{
	return view->accounts;
}

const struct tally_slice *tally_view_slice(const struct tally_view *view,
					   unsigned int index,
					   const void **origin)
{
	assert(index < tally_view_nr_local(view));
	*origin = view->layout->origin;
	return &view->records[index];
}

const struct layout *view_layout(const struct tally_view *view)
{
	return view->layout;
}

/* The bytes of the key at @prefix, with its NUL; 0: the key begins otherwise. */
static size_t matches(const char *key, const char *prefix)
{
	return strncmp(key, prefix, strlen(prefix)) ? 0 : strlen(key) + 1;
}

int view_next(const struct tally_view *view, const char *prefix,
	      uint64_t *cursor, struct tally_account *account, char *key,
	      size_t bytes)
{
	char its[LAYOUT_MAX_KEY + 1];
	uint64_t at = *cursor;
	size_t n;
	int err;

	if (!prefix)
		return tally_view_next(view, cursor, account, key, bytes);
	do {
		err = tally_view_next(view, &at, account, its, sizeof(its));
		n = err ? 1 : matches(its, prefix);
	} while (!n);
	if (!err && key && n > bytes)
		err = -ERANGE;
	if (err)
		return err;
	if (key)
		memcpy(key, its, n);
	*cursor = at;
	return 0;
}

int tally_view_next(const struct tally_view *view, uint64_t *cursor,
		    struct tally_account *account, char *key, size_t bytes)
{
	struct tally_account found;
	uint64_t at = *cursor;
	int err = directory_next(view->accounts, view->info.epoch, &at, &found,
				 key, bytes);

	if (view->asker && pin_is_lost(view->layout, view->info.epoch))
		return directory_if_whole(view->accounts, -ESTALE);
	if (err)
		return err;
	*cursor = at;
	*account = found;
	return 0;
}
