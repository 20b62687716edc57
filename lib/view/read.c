// SPDX-License-Identifier: MIT
/* Reading the amounts and the keys of many accounts into arrays. */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/view.h>

#include "account/directory.h"
#include "base/sized.h"
#include "file/reserved.h"
#include "view/block.h"
#include "view/file.h"
#include "view/held.h"

/* Of the sums of a block, unless one account has more. */
#define BLOCK_BYTES 262144

_Static_assert(sizeof(struct tally_entry) == 24, "programs rely on it");
_Static_assert(sizeof(struct tally_key) == 16, "programs rely on it");

struct reading {
	const struct tally_view *view;
	const struct layout *layout;
	struct tally_filter filter;
	struct view_range nodes; /* by index */
	struct sum sum;		 /* of the planes among them */
	struct block_planes planes;
	struct held held;
	uint64_t *sums;
	uint64_t max_rows; /* of a block */
	/* The next account, if it was found already. */
	struct tally_account ahead;
	bool is_ahead;
	uint64_t cursor;
	struct tally_entry *entries;
	size_t max, nr;
};

/* Accounts of one bucket, whose rows are summed up at once. */
struct block {
	struct tally_account accounts[LAYOUT_BUCKET_ROWS];
	unsigned int nr;
	uint64_t from, to; /* rows */
};

static uint64_t nr_planes(const struct reading *r)
{
	return r->sum.end_plane > r->sum.first_plane
		       ? r->sum.end_plane - r->sum.first_plane
		       : 0;
}

static uint64_t nr_resources(const struct reading *r)
{
	return r->held.end_resource - r->held.first_resource;
}

static int set_nodes(struct reading *r)
{
	int index;

	r->nodes.end = r->layout->header.params.nr_nodes;
	if (r->filter.node != TALLY_VIEW_ALL) {
		index = layout_node_index(r->layout, r->filter.node);
		if (index < 0)
			return -EINVAL;
		r->nodes.first = (uint32_t)index;
		r->nodes.end = r->nodes.first + 1;
	}
	r->sum = view_sum(r->view, r->nodes);
	return 0;
}

static int set_resources(struct reading *r)
{
	unsigned int nr = tally_view_nr_resources(r->view);

	r->held.end_resource = nr;
	if (r->filter.resource != TALLY_VIEW_ALL) {
		if ((unsigned int)r->filter.resource >= nr)
			return -EINVAL;
		r->held.first_resource = (unsigned int)r->filter.resource;
		r->held.end_resource = r->held.first_resource + 1;
	}
	return 0;
}

static int prepare(struct reading *r, const struct tally_filter *filter)
{
	uint64_t row_bytes;
	int err = 0;

	r->layout = view_layout(r->view);
	if (filter)
		err = sized_get(&r->filter, sizeof(r->filter),
				sized_upto(struct tally_filter, zeros), filter);
	if (!err)
		err = set_nodes(r);
	if (!err)
		err = set_resources(r);
	if (err)
		return err;
	r->held.first_node = r->nodes.first;
	r->held.end_node = r->nodes.end;
	row_bytes = block_bytes(&r->sum, 1);
	r->max_rows = row_bytes ? BLOCK_BYTES / row_bytes : LAYOUT_BUCKET_ROWS;
	if (!r->max_rows)
		r->max_rows = 1;
	if (r->max_rows > LAYOUT_BUCKET_ROWS)
		r->max_rows = LAYOUT_BUCKET_ROWS;
	r->sums = aligned_alloc(LAYOUT_LINE,
				LAYOUT_LINE + r->max_rows * row_bytes);
	return r->sums ? block_look(&r->sum, &r->planes) : -ENOMEM;
}

static int find_ahead(struct reading *r)
{
	int err = 0;

	if (!r->is_ahead)
		err = view_next(r->view, r->filter.prefix, &r->cursor,
				&r->ahead, NULL, 0);
	r->is_ahead = !err;
	return err;
}

/* As many rows as have room if each amount is not 0: what does not fit was summed
 * up in vain. */
static uint64_t nr_rows(const struct reading *r)
{
	uint64_t each = nr_planes(r) * nr_resources(r);
	uint64_t fit = each ? (r->max - r->nr) / each : r->max_rows;

	if (!fit)
		fit = 1;
	return fit < r->max_rows ? fit : r->max_rows;
}

static int collect(struct reading *r, struct block *b)
{
	uint64_t end = 0;
	int err;

	b->nr = 0;
	b->from = b->to = 0;
	while (!(err = find_ahead(r))) {
		uint64_t row = r->ahead.row;

		if (!b->nr) {
			b->from = row;
			end = row - row % LAYOUT_BUCKET_ROWS +
			      LAYOUT_BUCKET_ROWS;
			if (end > row + nr_rows(r))
				end = row + nr_rows(r);
		}
		if (row >= end)
			break;
		b->accounts[b->nr++] = r->ahead;
		b->to = row + 1;
		r->is_ahead = false;
	}
	return err == -ENOENT && b->nr ? 0 : err;
}

static int sum_block(struct reading *r, const struct block *b)
{
	int err;

	r->sum.from = b->from;
	r->sum.to = b->to;
	do
		err = view_stands(r->view, &r->sum,
				  block_sum(&r->sum, &r->planes, r->sums));
	while (err == 1);
	return err;
}

/* The sums of a row of the block, on a plane. */
static uint64_t *sums_of(const struct reading *r, uint32_t row, uint32_t plane)
{
	uint64_t words = r->layout->plan->row_bytes / sizeof(*r->sums);
	uint64_t rows = r->sum.to - r->sum.from;

	return r->sums +
	       ((plane - r->sum.first_plane) * rows + (row - r->sum.from)) *
		       words;
}

static unsigned char *used(const struct reading *r, uint32_t plane)
{
	return &r->planes.used[plane - r->sum.first_plane];
}

/* Have the planes' sums contain what is held there. */
static void add_held(struct reading *r, uint32_t row)
{
	size_t bytes = (r->sum.to - r->sum.from) * r->layout->plan->row_bytes;

	for (size_t i = 0; i < r->held.nr; i++) {
		const struct held_amount *h = &r->held.amounts[i];

		if (h->node >= r->sum.end_plane)
			continue;
		if (!*used(r, h->node)) {
			memset(sums_of(r, (uint32_t)r->sum.from, h->node), 0,
			       bytes);
			*used(r, h->node) = 1;
		}
		sums_of(r, row, h->node)[h->resource] += (uint64_t)h->amount;
	}
}

/* Return false if there is no room. */
static inline bool put(struct reading *r, struct tally_account account,
		       int node, uint32_t resource, int64_t amount)
{
	if (!amount && !r->filter.zeros)
		return true;
	if (r->nr == r->max)
		return false;
	r->entries[r->nr++] = (struct tally_entry){
		.account = account,
		.node = node,
		.resource = resource,
		.amount = amount,
	};
	return true;
}

#define LINE_SUMS (LAYOUT_LINE / sizeof(uint64_t))

/* A row has whole cache lines. */
static inline bool is_zero(const uint64_t *line)
{
	uint64_t any = 0;

	for (unsigned int i = 0; i < LINE_SUMS; i++)
		any |= line[i];
	return !any;
}

static bool put_zeros(struct reading *r, struct tally_account account, int node)
{
	for (uint32_t i = r->held.first_resource; i < r->held.end_resource; i++)
		if (!put(r, account, node, i, 0))
			return false;
	return true;
}

static bool put_row(struct reading *r, struct tally_account account, int node,
		    const uint64_t *sums)
{
	bool zeros = r->filter.zeros != 0;

	for (uint32_t i = r->held.first_resource; i < r->held.end_resource;
	     i++) {
		if (!zeros && i % LINE_SUMS == 0 && is_zero(&sums[i]))
			i += LINE_SUMS - 1;
		else if (!put(r, account, node, i, (int64_t)sums[i]))
			return false;
	}
	return true;
}

static bool put_planes(struct reading *r, struct tally_account account)
{
	for (uint32_t n = r->sum.first_plane; n < r->sum.end_plane; n++) {
		int node = r->layout->nodes[n].id;
		bool fits = true;

		if (*used(r, n))
			fits = put_row(r, account, node,
				       sums_of(r, account.row, n));
		else if (r->filter.zeros)
			fits = put_zeros(r, account, node);
		if (!fits)
			return false;
	}
	return true;
}

/* On nodes of other machines an account has what it holds, and nothing else. */
static bool put_others(struct reading *r, struct tally_account account)
{
	for (size_t i = 0; i < r->held.nr; i++) {
		const struct held_amount *h = &r->held.amounts[i];

		if (h->node >= r->sum.end_plane &&
		    !put(r, account, r->layout->nodes[h->node].id, h->resource,
			 h->amount))
			return false;
	}
	return true;
}

static bool put_others_and_zeros(struct reading *r,
				 struct tally_account account)
{
	uint32_t first = r->sum.end_plane > r->nodes.first ? r->sum.end_plane
							   : r->nodes.first;
	size_t at = 0;

	while (at < r->held.nr && r->held.amounts[at].node < first)
		at++;
	for (uint32_t n = first; n < r->nodes.end; n++)
		for (uint32_t i = r->held.first_resource;
		     i < r->held.end_resource; i++) {
			const struct held_amount *h = &r->held.amounts[at];
			bool has = at < r->held.nr && h->node == n &&
				   h->resource == i;

			if (!put(r, account, r->layout->nodes[n].id, i,
				 has ? h->amount : 0))
				return false;
			at += has;
		}
	return true;
}

/* -ERANGE: the account's entries don't fit. */
static int put_account(struct reading *r, struct tally_account account)
{
	bool fits = false;
	int err = 0;

	r->held.nr = 0;
	if (reserved_any(r->layout))
		err = held_read(r->layout, account.row, r->max, &r->held);
	if (err)
		return err;
	/* If it is gone, the row may have been reclaimed meanwhile. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!view_has(r->view, account))
		return 0;
	add_held(r, account.row);
	if (put_planes(r, account))
		fits = r->filter.zeros ? put_others_and_zeros(r, account)
				       : put_others(r, account);
	return fits ? 0 : -ERANGE;
}

static int put_block(struct reading *r, const struct block *b)
{
	for (unsigned int i = 0; i < b->nr; i++) {
		size_t before = r->nr;
		int err = put_account(r, b->accounts[i]);

		if (err) {
			r->nr = before;
			r->cursor = b->accounts[i].row;
			r->is_ahead = false;
			return err;
		}
	}
	return 0;
}

static int read_blocks(struct reading *r)
{
	struct block b;
	int err;

	do {
		err = collect(r, &b);
		if (!err)
			err = sum_block(r, &b);
		if (!err)
			err = put_block(r, &b);
		if (!layout_is_whole(r->layout))
			return -EBADMSG;
		/* Otherwise accounts could seem to have been gone. */
		if (view_kept(r->view))
			return -ESTALE;
	} while (!err && (r->nr < r->max || !r->nr));
	return r->nr && (err == -ENOENT || err == -ERANGE) ? 0 : err;
}

int tally_view_read(const struct tally_view *view,
		    const struct tally_filter *filter, uint64_t *cursor,
		    struct tally_entry *entries, size_t max, size_t *nr)
{
	struct reading r = {
		.view = view,
		.filter = {.size = sizeof(r.filter),
			   .node = TALLY_VIEW_ALL,
			   .resource = TALLY_VIEW_ALL},
		.cursor = *cursor,
		.entries = entries,
		.max = max,
	};
	int err = prepare(&r, filter);

	if (!err)
		err = read_blocks(&r);
	if (!err) {
		*cursor = r.is_ahead ? r.ahead.row : r.cursor;
		*nr = r.nr;
	}
	/* Whatever the file says, so many fit. */
	if (err == -ERANGE &&
	    max / nr_resources(&r) >= r.nodes.end - r.nodes.first)
		err = -EBADMSG;
	free(r.held.amounts);
	free(r.planes.ends);
	free(r.planes.used);
	free(r.sums);
	return err;
}

int tally_view_keys(const struct tally_view *view, const char *prefix,
		    uint64_t *cursor, struct tally_key *keys, size_t max,
		    char *text, size_t bytes, size_t *nr)
{
	size_t room = bytes < UINT32_MAX ? bytes : UINT32_MAX;
	size_t got = 0, used = 0;
	uint64_t at = *cursor;
	int err = max ? 0 : -ERANGE;

	while (!err && got < max) {
		struct tally_key *key = &keys[got];

		err = view_next(view, prefix, &at, &key->account, text + used,
				room - used);
		if (err)
			break;
		key->offset = (uint32_t)used;
		key->bytes = (uint32_t)strlen(text + used);
		used += key->bytes + 1;
		got++;
	}
	if (got && (err == -ENOENT || err == -ERANGE))
		err = 0;
	if (!err) {
		*cursor = at;
		*nr = got;
	}
	return err;
}
