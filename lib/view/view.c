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
#include "snapshot/epoch.h"
#include "file/column.h"
#include "file/reserved.h"
#include "ledger/mapped.h"
#include "view/sum.h"
#include "view/file.h"

struct tally_view {
	const struct layout *layout;
	const struct tally_accounts *accounts;
	struct tally_ledger *pinned; /* by a snapshot; else NULL */
	uint64_t owner;		     /* word of the process that pinned it */
	struct tally_snapshot_info info;
	struct tally_resource *resources; /* that there were when it was opened */
	uint32_t nr_resources;
	struct tally_slice records[]; /* by node index */
};

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

int tally_view_snapshot(struct tally_ledger *ledger, unsigned int flags,
			int64_t timeout_ns, struct tally_view **view)
{
	UNCANCELLED;
	struct tally_view *v;
	int err = view_over(ledger->layout, ledger->accounts, &v);

	if (err)
		return err;
	inflight_settle(ledger);
	err = epoch_pin(ledger, flags & TALLY_SNAPSHOT_JOIN, timeout_ns,
			&v->info.epoch, &v->info.nr_in_doubt);
	if (err) {
		tally_view_close(v);
		return err;
	}
	v->pinned = ledger;
	v->owner = ledger->layout->owner;
	*view = v;
	return 0;
}

const struct tally_snapshot_info *
tally_view_snapshot_info(const struct tally_view *view)
{
	return view->pinned ? &view->info : NULL;
}

uint64_t tally_view_nr_in_doubt(const struct tally_view *view)
{
	return view->pinned ? view->info.nr_in_doubt
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

/* Nodes, by index. */
struct range {
	uint32_t first, end;
};

/* Those of the nodes that have planes. */
static inline void set_planes(struct sum *s, struct range nodes)
{
	uint32_t nr_planes = s->layout->header.params.nr_planes;

	s->first_plane = nodes.first;
	s->end_plane = nodes.end < nr_planes ? nodes.end : nr_planes;
}

/* With reservations; row: as reserved_add() takes it. */
static __attribute__((noinline)) int sum_with_reserved(const struct sum *s,
						       const uint32_t *row,
						       struct range nodes,
						       uint64_t *sums)
{
	unsigned int nr_resources = s->layout->header.params.nr_resources;
	int64_t held[LAYOUT_MAX_COLUMNS];
	int err;

	memset(held, 0, nr_resources * sizeof(*held));
	err = reserved_add(s->layout, row, nodes.first, nodes.end, held);
	if (!err)
		err = sum(s, sums);
	for (unsigned int i = 0; !err && i < nr_resources; i++)
		sums[i] += (uint64_t)held[i];
	return err;
}

/* Sum up the rows [from, to). row: the only one, or NULL for all rows. */
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
		.from = from,
		.to = to,
	};
	struct range nodes = {.end = l->header.params.nr_nodes};

	if (node != TALLY_VIEW_ALL) {
		int index = layout_node_index(l, node);

		if (index < 0)
			return index;
		nodes.first = (uint32_t)index;
		nodes.end = nodes.first + 1;
	}
	set_planes(&s, nodes);
	return reserved_any(l) ? sum_with_reserved(&s, row, nodes, sums)
			       : sum(&s, sums);
}

/* Eight resources fill a cache line: for these, memcpy() is no call. */
static void copy_sums(const struct tally_view *view, const uint64_t *sums,
		      int64_t *amounts)
{
	size_t bytes = view->nr_resources * sizeof(*amounts);

	if (bytes == LAYOUT_LINE)
		memcpy(amounts, sums, LAYOUT_LINE);
	else
		memcpy(amounts, sums, bytes);
}

/* The end of the buckets that have accounts. */
static uint64_t end_row(const struct tally_view *view)
{
	uint64_t nr_rows = directory_nr_rows(view->accounts);

	return (nr_rows + LAYOUT_BUCKET_ROWS - 1) / LAYOUT_BUCKET_ROWS *
	       LAYOUT_BUCKET_ROWS;
}

int view_added(const struct tally_view *view, uint32_t index, uint64_t *sums)
{
	struct sum s = {
		.totals = true,
		.layout = view->layout,
		.records = view->records,
		.frozen = view->info.epoch,
		.to = end_row(view),
	};

	set_planes(&s, (struct range){index, index + 1});
	return sum(&s, sums);
}

int tally_view_totals(const struct tally_view *view, int node, int64_t *amounts)
{
	uint64_t sums[LAYOUT_MAX_COLUMNS] __attribute__((aligned(LAYOUT_LINE)));
	int err;

	if (!directory_has_all(view->accounts))
		return -EBADMSG;
	err = sum_of(view, node, 0, end_row(view), NULL, sums);
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
	/* If it is gone, the row may have been reclaimed meanwhile. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!has(view, account))
		return directory_if_whole(view->accounts, -ESTALE);
	copy_sums(view, sums, amounts);
	return 0;
}

/* For rows of more than a cache line. */
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
	/* Not a page of stack: loads would wait for stores at the same place in
	 * another page. */
	uint64_t sums[LAYOUT_LINE / sizeof(uint64_t)]
		__attribute__((aligned(LAYOUT_LINE)));

	if (view->layout->plan->row_bytes > sizeof(sums))
		return sum_wide_account(view, account, node, amounts);
	return sum_account(view, account, node, sums, amounts);
}

int tally_view_next(const struct tally_view *view, uint64_t *cursor,
		    struct tally_account *account, char *key, size_t bytes)
{
	return directory_next(view->accounts, view->info.epoch, cursor, account,
			      key, bytes);
}
