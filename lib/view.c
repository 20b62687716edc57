// SPDX-License-Identifier: MIT
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "directory.h"
#include "ledger_internal.h"
#include "view_internal.h"

struct tally_view {
	const struct layout *layout;
	const struct tally_accounts *accounts;
	struct tally_resource *resources;
	struct tally_slice records[]; /* by node index */
};

int view_over(const struct layout *layout,
	      const struct tally_accounts *accounts, struct tally_view **view)
{
	const struct layout_params *params = &layout->header.params;
	struct tally_view *v =
		malloc(sizeof(*v) + params->nr_nodes * sizeof(*v->records));

	if (!v)
		return -ENOMEM;
	v->layout = layout;
	v->accounts = accounts;
	v->resources = calloc(params->nr_resources, sizeof(*v->resources));
	if (!v->resources) {
		free(v);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < params->nr_resources; i++) {
		v->resources[i].name = layout->resources[i].name;
		v->resources[i].unit = layout->resources[i].unit;
		v->resources[i].kind =
			(enum tally_kind)layout->resources[i].kind;
	}
	for (uint32_t n = 0; n < params->nr_nodes; n++) {
		v->records[n].base =
			layout->nodes[n].region_offset + LAYOUT_LINE;
		v->records[n].len = layout->nodes[n].nr_lanes;
		v->records[n].cap = layout->nodes[n].nr_lanes;
	}
	*view = v;
	return 0;
}

int tally_view_open(struct tally_ledger *ledger, struct tally_view **view)
{
	return view_over(ledger->layout, ledger->accounts, view);
}

void tally_view_close(struct tally_view *view)
{
	if (!view)
		return;
	free(view->resources);
	free(view);
}

unsigned int tally_view_nr_resources(const struct tally_view *view)
{
	return view->layout->header.params.nr_resources;
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

const struct tally_accounts *tally_view_accounts(const struct tally_view *view)
{
	return view->accounts;
}

const struct tally_slice *tally_view_slice(const struct tally_view *view,
					   unsigned int index,
					   const void **origin)
{
	assert(index < tally_view_nr_nodes(view));
	*origin = view->layout->origin;
	return &view->records[index];
}

/* A walk over the lanes, for one plane or for all of them. */
struct walk {
	const struct tally_view *view;
	uint32_t first_plane, end_plane;
	int64_t *amounts;
};

static int begin(const struct tally_view *view, int node, int64_t *amounts,
		 struct walk *w)
{
	w->view = view;
	w->amounts = amounts;
	w->first_plane = 0;
	w->end_plane = tally_view_nr_nodes(view);
	if (node != TALLY_VIEW_ALL) {
		int index = layout_node_index(view->layout, node);

		if (index < 0)
			return index;
		w->first_plane = (uint32_t)index;
		w->end_plane = w->first_plane + 1;
	}
	for (uint32_t i = 0; i < tally_view_nr_resources(view); i++)
		amounts[i] = 0;
	return 0;
}

/* Rows [from, to) of a bucket, on top of the amounts; wraps, as cells do. */
static void add_rows(const struct walk *w, uint64_t base, uint64_t from,
		     uint64_t to)
{
	const struct layout *layout = w->view->layout;
	uint32_t nr = layout->header.params.nr_resources;

	for (uint64_t row = from; row < to; row++) {
		const int64_t *cells =
			(const int64_t *)(layout->origin + base +
					  row * layout->plan->row_bytes);

		for (uint32_t i = 0; i < nr; i++)
			w->amounts[i] =
				(int64_t)((uint64_t)w->amounts[i] +
					  (uint64_t)__atomic_load_n(
						  &cells[i], __ATOMIC_RELAXED));
	}
}

/* A header from the file, copied once; it must say what the plan says. */
static int load(const struct tally_slice *from, uint64_t base, uint64_t cap,
		uint64_t *len)
{
	uint64_t n = tally_slice_len(from);

	if (n && (n > cap ||
		  __atomic_load_n(&from->base, __ATOMIC_RELAXED) != base ||
		  __atomic_load_n(&from->cap, __ATOMIC_RELAXED) != cap))
		return -EBADMSG;
	*len = n;
	return 0;
}

static int add_bucket(const struct walk *w, uint32_t lane, uint32_t plane,
		      const struct tally_slice *headers, uint64_t bucket,
		      uint64_t from, uint64_t to)
{
	uint64_t base =
		layout_cells_offset(w->view->layout, lane, plane, bucket);
	uint64_t len;
	int err = load(&headers[bucket], base, LAYOUT_BUCKET_ROWS, &len);

	if (!err)
		add_rows(w, base, from, to < len ? to : len);
	return err;
}

/* The accounts [from, to) in one lane and plane. */
static int add_plane(const struct walk *w, uint32_t lane, uint32_t plane,
		     const struct tally_slice *record, uint64_t from,
		     uint64_t to)
{
	const struct layout *layout = w->view->layout;
	uint64_t at = layout_headers_offset(layout, lane, plane);
	uint64_t bucket = from / LAYOUT_BUCKET_ROWS;
	uint64_t len;
	int err = load(&record[plane], at, layout->plan->nr_buckets, &len);

	for (; !err && bucket < len && bucket * LAYOUT_BUCKET_ROWS < to;
	     bucket++) {
		uint64_t first = bucket * LAYOUT_BUCKET_ROWS;
		uint64_t end = to - first;

		err = add_bucket(
			w, lane, plane,
			(const struct tally_slice *)(layout->origin + at),
			bucket, from > first ? from - first : 0,
			end < LAYOUT_BUCKET_ROWS ? end : LAYOUT_BUCKET_ROWS);
	}
	return err;
}

static int add_accounts(const struct walk *w, uint64_t from, uint64_t to)
{
	const struct layout *layout = w->view->layout;
	int err = 0;

	for (uint32_t i = 0; i < layout->header.params.nr_lanes; i++) {
		const struct layout_lane *lane = &layout->lanes[i];
		const struct tally_slice *record = tally_slice_at(
			layout->origin, &w->view->records[lane->node],
			layout->plan->record_bytes, lane->slot);

		for (uint32_t p = w->first_plane; p < w->end_plane; p++) {
			err = add_plane(w, i, p, record, from, to);
			if (err)
				return err;
		}
	}
	return 0;
}

int tally_view_totals(const struct tally_view *view, int node, int64_t *amounts)
{
	struct walk w;
	int err = begin(view, node, amounts, &w);

	if (err)
		return err;
	return add_accounts(&w, 0, directory_nr_rows(view->accounts));
}

int tally_view_account(const struct tally_view *view,
		       struct tally_account account, int node, int64_t *amounts)
{
	struct walk w;
	int err = begin(view, node, amounts, &w);

	if (err)
		return err;
	assert(account.row < view->layout->header.params.max_accounts);
	return add_accounts(&w, account.row, (uint64_t)account.row + 1);
}

static int each_of(const struct tally_view *view, struct tally_value *value,
		   int64_t *amounts,
		   int (*each)(void *arg, const struct tally_value *value),
		   void *arg)
{
	int err;

	for (unsigned int n = 0; n < tally_view_nr_nodes(view); n++) {
		value->node = tally_view_node(view, n);
		err = tally_view_account(view, value->account, value->node,
					 amounts);
		for (unsigned int i = 0;
		     !err && i < tally_view_nr_resources(view); i++) {
			value->resource = &view->resources[i];
			value->amount = amounts[i];
			if (value->amount)
				err = each(arg, value);
		}
		if (err)
			return err;
	}
	return 0;
}

int tally_view_each(const struct tally_view *view,
		    int (*each)(void *arg, const struct tally_value *value),
		    void *arg)
{
	size_t key_bytes = tally_account_key_bytes(view->accounts);
	char *key = malloc(key_bytes);
	int64_t *amounts =
		calloc(tally_view_nr_resources(view), sizeof(*amounts));
	struct tally_value value = {.key = key};
	uint64_t cursor = 0;
	int err = key && amounts ? 0 : -ENOMEM;

	while (!err &&
	       !tally_account_next(view->accounts, &cursor, &value.account)) {
		err = tally_account_key(view->accounts, value.account, key,
					key_bytes);
		if (err == -ESTALE)
			err = 0; /* gone meanwhile */
		else if (!err)
			err = each_of(view, &value, amounts, each, arg);
	}
	free(amounts);
	free(key);
	return err;
}
