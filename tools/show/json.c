// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/ledgers.h"
#include "show/internal.h"

struct document {
	struct json_writer w;
	const struct tally_view *view;
	unsigned int nr; /* resources */
	/* Of the account or node that is being written */
	unsigned int *nodes;	    /* indexes */
	int nr_nodes;		    /* of these */
	int64_t *amounts;	    /* [of these][resource] */
	size_t room;		    /* for amounts */
	struct tally_limit *limits; /* [resource] */
};

static const char *name_of(const struct document *d, unsigned int resource)
{
	return tally_view_resource(d->view, resource)->name;
}

/* ---- resources and limits ------------------------------------------------ */

static void put_resources(struct document *d)
{
	static const char *const kinds[] = {
		[TALLY_COUNTER] = "counter",
		[TALLY_GAUGE] = "gauge",
		[TALLY_RESERVABLE] = "reservable",
	};

	json_open_array(&d->w, "resources");
	for (unsigned int i = 0; i < d->nr; i++) {
		const struct tally_resource *r =
			tally_view_resource(d->view, i);

		json_open_object(&d->w, NULL);
		json_put_string(&d->w, "name", r->name);
		json_put_string(&d->w, "unit", r->unit);
		json_put_string(&d->w, "kind", kinds[r->kind]);
		json_close_object(&d->w);
	}
	json_close_array(&d->w);
}

static void put_amounts(struct document *d, const char *name,
			const int64_t *amounts)
{
	json_open_object(&d->w, name);
	for (unsigned int i = 0; i < d->nr; i++)
		json_put_int(&d->w, name_of(d, i), amounts[i]);
	json_close_object(&d->w);
}

static void put_held(struct document *d)
{
	static const char *const names[] = {"held", "peak", "refused"};

	for (int n = 0; n < 3; n++) {
		json_open_object(&d->w, names[n]);
		for (unsigned int i = 0; i < d->nr; i++) {
			const struct tally_limit *l = &d->limits[i];
			int64_t values[] = {l->held, l->peak,
					    (int64_t)l->nr_refused};

			if (show_matters(l))
				json_put_int(&d->w, name_of(d, i), values[n]);
		}
		json_close_object(&d->w);
	}
}

/* The member is written if one of the limits is set, or always. */
static void put_limits(struct document *d, const char *member, bool always)
{
	bool some = always, matters = false;

	for (unsigned int i = 0; i < d->nr; i++) {
		some |= d->limits[i].limit != TALLY_LIMIT_NONE;
		matters |= show_matters(&d->limits[i]);
	}
	if (some) {
		json_open_object(&d->w, member);
		for (unsigned int i = 0; i < d->nr; i++)
			if (d->limits[i].limit != TALLY_LIMIT_NONE)
				json_put_int(&d->w, name_of(d, i),
					     d->limits[i].limit);
		json_close_object(&d->w);
	}
	if (matters)
		put_held(d);
}

/* ---- nodes and accounts -------------------------------------------------- */

static void put_id(struct document *d, unsigned int index)
{
	int id;
	const char *machine = tally_view_machine(d->view, index, &id);

	json_put_int(&d->w, "id", id);
	if (machine && !show_one_machine(d->view))
		json_put_bytes(&d->w, "machine", machine);
}

static int put_nodes(struct document *d, const struct show_look *look)
{
	int err = 0;

	json_open_array(&d->w, "nodes");
	for (unsigned int n = 0; !err && n < tally_view_nr_nodes(d->view);
	     n++) {
		int node = tally_view_node(d->view, n);

		for (unsigned int i = 0; !err && i < d->nr; i++)
			err = tally_limit_node(d->view, node, i, &d->limits[i]);
		if (err)
			break;
		json_open_object(&d->w, NULL);
		put_id(d, n);
		put_amounts(d, "totals", &look->totals[(size_t)n * d->nr]);
		put_limits(d, "capacity", true);
		json_close_object(&d->w);
	}
	json_close_array(&d->w);
	return err;
}

/* Nodes on which all amounts are 0 are left out. */
static void put_account_nodes(struct document *d)
{
	char key[512];

	json_open_object(&d->w, "nodes");
	for (int n = 0; n < d->nr_nodes; n++) {
		const int64_t *amounts = &d->amounts[(size_t)n * d->nr];
		const char *machine = NULL;
		bool some = false;
		int id;

		for (unsigned int i = 0; i < d->nr; i++)
			some |= amounts[i] != 0;
		if (!some)
			continue;
		if (!show_one_machine(d->view))
			machine = tally_view_machine(d->view, d->nodes[n], &id);
		if (machine)
			snprintf(key, sizeof(key), "%s/%d", machine, id);
		else
			snprintf(key, sizeof(key), "%d",
				 tally_view_node(d->view, d->nodes[n]));
		put_amounts(d, key, amounts);
	}
	json_close_object(&d->w);
}

/* -ESTALE: the account has ended. */
static int read_amounts(struct document *d, struct tally_account account)
{
	int nr = show_nodes(d->view, account, d->nodes), err = 0;

	if (nr < 0)
		return nr;
	if (array_reserve(d->amounts, d->room, ((size_t)nr + 1) * d->nr))
		return -ENOMEM;
	d->nr_nodes = nr;
	for (int n = 0; !err && n < nr; n++)
		err = tally_view_account(d->view, account,
					 tally_view_node(d->view, d->nodes[n]),
					 &d->amounts[(size_t)n * d->nr]);
	return err;
}

/* A resource without a quota that has refused nothing has no limit to show. */
static int read_quotas(struct document *d, struct tally_account account)
{
	int err = 0;

	for (unsigned int i = 0; i < d->nr; i++) {
		struct tally_limit *limit = &d->limits[i];

		if (!err)
			err = tally_limit_account(d->view, account, i, limit);
		if (err ||
		    (limit->limit == TALLY_LIMIT_NONE && !limit->nr_refused))
			*limit = (struct tally_limit){
				.size = sizeof(*limit),
				.limit = TALLY_LIMIT_NONE,
			};
	}
	return err == -ESTALE ? 0 : err;
}

static void put_reservation(struct document *d,
			    const struct tally_reservation *r,
			    const char *parent)
{
	json_open_object(&d->w, "reservation");
	json_put_string(&d->w, "state",
			r->state == TALLY_COMMITTED ? "committed" : "reserved");
	if (r->deadline_ns != INT64_MAX)
		json_put_int(&d->w, "deadline_monotonic_ns", r->deadline_ns);
	if (parent)
		json_put_bytes(&d->w, "parent", parent);
	json_close_object(&d->w);
}

/* An account that has ended meanwhile is left out. */
static int put_account(struct document *d, const struct show_account *account)
{
	struct tally_reservation reservation = {.size = sizeof(reservation)};
	int err = read_amounts(d, account->account), found = 0;

	if (!err) {
		found = tally_limit_find(d->view, account->account,
					 &reservation);
		err = found == -ENOENT ? 0 : found;
	}
	if (!err)
		err = read_quotas(d, account->account);
	if (err)
		return err == -ESTALE ? 0 : err;
	json_open_object(&d->w, NULL);
	json_put_bytes(&d->w, "key", account->key);
	json_put_string(&d->w, "phase", show_phase(account->phase));
	put_account_nodes(d);
	if (!found)
		put_reservation(d, &reservation, account->parent);
	put_limits(d, "quota", false);
	json_close_object(&d->w);
	return 0;
}

/* ---- the document -------------------------------------------------------- */

static int put_document(struct document *d, const struct show_source *source,
			const struct show_look *look)
{
	struct ledgers_writers writers = ledgers_writers(source->reader);
	int err;

	json_open_object(&d->w, NULL);
	json_put_int(&d->w, "version", 1);
	json_put_bytes(&d->w, "ledger", source->argument);
	json_put_bytes(&d->w, "path", source->path);
	json_put_string(&d->w, "state",
			ledgers_state(source->reader, &writers));
	ledgers_put_writers(&d->w, "writers", &writers);
	json_put_int(&d->w, "realtime_ns", real_ns(look->time_ns));
	json_put_int(&d->w, "monotonic_ns", look->time_ns);
	json_put_bool(&d->w, "snapshot",
		      tally_view_snapshot_info(source->view) != NULL);
	put_resources(d);
	err = put_nodes(d, look);
	json_open_array(&d->w, "accounts");
	for (size_t i = 0; !err && i < look->nr; i++)
		err = put_account(d, &look->accounts[i]);
	if (err)
		return err;
	json_close_array(&d->w);
	json_close_object(&d->w);
	return 0;
}

int show_json(const struct show_source *source, const struct show_look *look)
{
	const struct tally_view *view = source->view;
	struct document d = {
		.view = view,
		.nr = tally_view_nr_resources(view),
	};
	int err = -ENOMEM;

	d.nodes = calloc(tally_view_nr_nodes(view), 2 * sizeof(*d.nodes));
	d.limits = calloc(d.nr, sizeof(*d.limits));
	for (unsigned int i = 0; d.limits && i < d.nr; i++)
		d.limits[i].size = sizeof(*d.limits);
	json_begin(&d.w, stdout);
	if (d.nodes && d.limits)
		err = put_document(&d, source, look);
	if (json_finish(&d.w) && !err)
		err = -EPIPE;
	free(d.nodes);
	free(d.amounts);
	free(d.limits);
	return err;
}
