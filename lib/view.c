// SPDX-License-Identifier: MIT
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory.h"
#include "doubt.h"
#include "epoch.h"
#include "held.h"
#include "ledger_internal.h"
#include "sum.h"
#include "view_internal.h"

struct tally_view {
	const struct layout *layout;
	const struct tally_accounts *accounts;
	struct tally_ledger *pinned; /* by a snapshot; else NULL */
	uint32_t writer, generation; /* the process that pinned it */
	struct tally_snapshot_info info;
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
	v->pinned = NULL;
	v->info = (struct tally_snapshot_info){0};
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
			(uint64_t)((char *)layout_record(layout, n, 0) -
				   layout->origin);
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

int tally_view_snapshot(struct tally_ledger *ledger, unsigned int flags,
			int64_t timeout_ns, struct tally_view **view)
{
	struct tally_view *v;
	int err = view_over(ledger->layout, ledger->accounts, &v);

	if (err)
		return err;
	err = epoch_pin(ledger, flags & TALLY_SNAPSHOT_JOIN, timeout_ns,
			&v->info.epoch, &v->info.nr_doubts);
	if (err) {
		tally_view_close(v);
		return err;
	}
	v->pinned = ledger;
	v->writer = ledger->writer;
	v->generation = ledger->generation;
	*view = v;
	return 0;
}

const struct tally_snapshot_info *
tally_view_snapshot_info(const struct tally_view *view)
{
	return view->pinned ? &view->info : NULL;
}

uint64_t tally_view_nr_doubts(const struct tally_view *view)
{
	return view->pinned ? view->info.nr_doubts : doubt_count(view->layout);
}

int tally_view_doubt(const struct tally_view *view, uint64_t index,
		     struct tally_doubt *doubt)
{
	struct layout_doubt from;
	int err = index < tally_view_nr_doubts(view)
			  ? doubt_read(view->layout, index, &from)
			  : -ENOENT;

	if (err)
		return err;
	memset(doubt, 0, sizeof(*doubt));
	doubt->epoch = from.epoch;
	doubt->pid = (pid_t)from.pid;
	doubt->nr_accounts = from.nr_rows;
	for (uint32_t i = 0; i < from.nr_rows && i < TALLY_DOUBT_ACCOUNTS;
	     i++) {
		doubt->accounts[i].row = from.row[i];
		doubt->accounts[i].generation = from.generation[i];
		if (!directory_has(view->accounts, doubt->accounts[i],
				   view->info.epoch))
			doubt->accounts[i].generation = 0;
	}
	return 0;
}

void tally_view_close(struct tally_view *view)
{
	if (!view)
		return;
	/* The child of a fork closes its copies of its parent's. */
	if (view->pinned && view->pinned->writer == view->writer &&
	    view->pinned->generation == view->generation)
		epoch_unpin(view->pinned);
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

const struct layout *view_layout(const struct tally_view *view)
{
	return view->layout;
}

/* Where what is held counts, too; row: as held_add() takes it. */
static __attribute__((noinline)) int
sum_with_held(const struct sum *s, const uint32_t *row, uint64_t *sums)
{
	unsigned int nr_resources = s->layout->header.params.nr_resources;
	int64_t held[LAYOUT_MAX_COLUMNS];
	int err;

	memset(held, 0, nr_resources * sizeof(*held));
	err = held_add(s->layout, row, s->first_plane, s->end_plane, held);
	if (!err)
		err = sum(s, sums);
	for (unsigned int i = 0; !err && i < nr_resources; i++)
		sums[i] += (uint64_t)held[i];
	return err;
}

/* Of the rows [from, to); row: the only one, or NULL: all there are. */
static inline __attribute__((always_inline)) int
sum_of(const struct tally_view *view, int node, uint64_t from, uint64_t to,
       const uint32_t *row, uint64_t *sums)
{
	const struct layout *l = view->layout;
	struct sum s = {
		.totals = !row,
		.layout = l,
		.records = view->records,
		.frozen = view->info.epoch,
		.end_plane = l->header.params.nr_nodes,
		.from = from,
		.to = to,
	};

	if (node != TALLY_VIEW_ALL) {
		int index = layout_node_index(l, node);

		if (index < 0)
			return index;
		s.first_plane = (uint32_t)index;
		s.end_plane = s.first_plane + 1;
	}
	return held_any(l) ? sum_with_held(&s, row, sums) : sum(&s, sums);
}

/* Eight resources are what a row is made for: no call for those. */
static void copy_sums(const struct tally_view *view, const uint64_t *sums,
		      int64_t *amounts)
{
	size_t bytes =
		view->layout->header.params.nr_resources * sizeof(*amounts);

	if (bytes == LAYOUT_LINE)
		memcpy(amounts, sums, LAYOUT_LINE);
	else
		memcpy(amounts, sums, bytes);
}

int tally_view_totals(const struct tally_view *view, int node, int64_t *amounts)
{
	uint64_t sums[LAYOUT_MAX_COLUMNS] __attribute__((aligned(LAYOUT_LINE)));
	uint64_t nr_rows = directory_nr_rows(view->accounts);
	int err;

	if (!directory_has_all(view->accounts))
		return -EBADMSG;
	err = sum_of(view, node, 0,
		     (nr_rows + LAYOUT_BUCKET_ROWS - 1) / LAYOUT_BUCKET_ROWS *
			     LAYOUT_BUCKET_ROWS,
		     NULL, sums);
	if (!err)
		copy_sums(view, sums, amounts);
	return err;
}

static inline bool has(const struct tally_view *view,
		       struct tally_account account)
{
	return directory_has_now(view->accounts, account) ||
	       directory_has(view->accounts, account, view->info.epoch);
}

static inline __attribute__((always_inline)) int
sum_account(const struct tally_view *view, struct tally_account account,
	    int node, uint64_t *sums, int64_t *amounts)
{
	int err;

	if (!has(view, account))
		return directory_if_whole(view->accounts, -ESTALE);
	err = sum_of(view, node, account.row, (uint64_t)account.row + 1,
		     &account.row, sums);
	if (err)
		return err;
	/* Else the row may have been cleaned, and be another's by now. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!has(view, account))
		return directory_if_whole(view->accounts, -ESTALE);
	copy_sums(view, sums, amounts);
	return 0;
}

/* Rows that are more than a cache line. */
static __attribute__((noinline)) int
sum_wide_account(const struct tally_view *view, struct tally_account account,
		 int node, int64_t *amounts)
{
	uint64_t sums[LAYOUT_MAX_COLUMNS] __attribute__((aligned(LAYOUT_LINE)));

	return sum_account(view, account, node, sums, amounts);
}

int tally_view_account(const struct tally_view *view,
		       struct tally_account account, int node, int64_t *amounts)
{
	/* Not a page of the stack, where loads would wait for stores that are
	 * a page away from them. */
	uint64_t sums[LAYOUT_LINE / sizeof(uint64_t)]
		__attribute__((aligned(LAYOUT_LINE)));

	if (view->layout->plan->row_bytes > sizeof(sums))
		return sum_wide_account(view, account, node, amounts);
	return sum_account(view, account, node, sums, amounts);
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
		if (err == -ESTALE)
			return 0; /* gone meanwhile */
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
	char *key = malloc(tally_account_key_bytes(view->accounts));
	int64_t *amounts =
		calloc(tally_view_nr_resources(view), sizeof(*amounts));
	struct tally_value value = {.key = key};
	uint64_t cursor = 0;
	int err = key && amounts ? 0 : -ENOMEM;

	while (!err) {
		err = directory_next(view->accounts, view->info.epoch, &cursor,
				     &value.account, key);
		if (err == -ENOENT) {
			err = 0;
			break;
		}
		if (!err)
			err = each_of(view, &value, amounts, each, arg);
	}
	free(amounts);
	free(key);
	return err;
}
