// SPDX-License-Identifier: MIT
/* Summing up what a view shows. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "account/directory.h"
#include "file/reserved.h"
#include "snapshot/pin.h"
#include "view/file.h"
#include "view/internal.h"
#include "view/sum.h"

/*
 * The value of struct sum's frozen. While no writer has come since a reader took
 * its snapshot, all banks belong to it; a writer's first step is the next epoch.
 */
static uint64_t frozen_of(const struct tally_view *v)
{
	const struct layout_control *control = layout_control(v->layout);

	if (!v->asker)
		return v->info.epoch;
	return __atomic_load_n(&control->epoch, __ATOMIC_ACQUIRE) ==
			       v->info.epoch
		       ? v->info.epoch
		       : 0;
}

/* Those of the nodes that have planes. */
static inline void set_planes(struct sum *s, struct view_range nodes)
{
	uint32_t nr_planes = s->layout->header.params.nr_planes;

	s->first_plane = nodes.first;
	s->end_plane = nodes.end < nr_planes ? nodes.end : nr_planes;
}

struct sum view_sum(const struct tally_view *view, struct view_range nodes)
{
	struct sum s = {
		.layout = view->layout,
		.records = view->records,
		.frozen = frozen_of(view),
	};

	set_planes(&s, nodes);
	return s;
}

/* With reservations; row: as reserved_add() takes it. */
static __attribute__((noinline)) int sum_with_reserved(const struct sum *s,
						       const uint32_t *row,
						       struct view_range nodes,
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

static int sum_any(const struct sum *s, const uint32_t *row,
		   struct view_range nodes, uint64_t *sums)
{
	return reserved_any(s->layout) ? sum_with_reserved(s, row, nodes, sums)
				       : sum(s, sums);
}

int view_stands(const struct tally_view *v, struct sum *s, int err)
{
	uint64_t frozen;

	if (!v->asker)
		return err;
	if (!layout_is_whole(v->layout))
		return -EBADMSG;
	if (pin_is_lost(v->layout, v->info.epoch))
		return -ESTALE;
	frozen = frozen_of(v);
	if (frozen == s->frozen)
		return err;
	/* It happens once. */
	if (s->frozen)
		return -EBADMSG;
	s->frozen = frozen;
	return 1;
}

static __attribute__((noinline)) int
sum_asked(const struct tally_view *view, struct sum *s, const uint32_t *row,
	  struct view_range nodes, uint64_t *sums)
{
	int err;

	do
		err = view_stands(view, s, sum_any(s, row, nodes, sums));
	while (err == 1);
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
		.frozen = frozen_of(view),
		.from = from,
		.to = to,
	};
	struct view_range nodes = {.end = l->header.params.nr_nodes};

	if (node != TALLY_VIEW_ALL) {
		int index = layout_node_index(l, node);

		if (index < 0)
			return index;
		nodes.first = (uint32_t)index;
		nodes.end = nodes.first + 1;
	}
	set_planes(&s, nodes);
	return view->asker ? sum_asked(view, &s, row, nodes, sums)
			   : sum_any(&s, row, nodes, sums);
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
		.to = end_row(view),
	};

	set_planes(&s, (struct view_range){index, index + 1});
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

int view_kept(const struct tally_view *view)
{
	return view->asker && pin_is_lost(view->layout, view->info.epoch)
		       ? -ESTALE
		       : 0;
}

bool view_has(const struct tally_view *view, struct tally_account account)
{
	return has(view, account);
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
