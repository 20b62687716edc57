// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <time.h>

#include "limit_credit.h"
#include "limit_hold.h"
#include "writer.h"

/* Between looks at whether processes live. */
#define LOOK_NS 10000000

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool has_lapsed(const struct layout_hold *hold)
{
	int64_t deadline = (int64_t)limit_get(&hold->deadline_ns);

	return limit_get(&hold->state) == LAYOUT_HOLD_RESERVED &&
	       deadline != INT64_MAX && deadline <= now_ns();
}

int limit_hold_find(struct tally_ledger *l, struct tally_token token,
		    struct layout_hold **hold)
{
	struct layout_hold *h;

	if (token.row >= l->layout->header.params.max_accounts ||
	    !__atomic_load_n(layout_held_byte(l->layout, 0, token.row),
			     __ATOMIC_ACQUIRE))
		return -ESTALE;
	h = layout_hold(l->layout, token.row);
	if (limit_get(&h->state) == LAYOUT_HOLD_NONE ||
	    (uint32_t)limit_get(&h->generation) != token.generation ||
	    has_lapsed(h))
		return -ESTALE;
	*hold = h;
	return 0;
}

/* This process, by its slot and how many had that before. */
static uint64_t self(const struct tally_ledger *l)
{
	return (uint64_t)l->generation << 32 | (l->writer + 1);
}

/* A link that leads nowhere ends the list. */
static uint64_t link_at(const struct layout *l, const uint64_t *link)
{
	uint64_t row = limit_get(link);

	return row <= l->header.params.max_accounts ? row : 0;
}

static void link_hold(struct layout *l, uint32_t row)
{
	struct layout_limits *limits = layout_limits(l);
	uint64_t first = link_at(l, &limits->first_uncommitted);

	limit_set(l, &layout_hold(l, row)->next, first);
	limit_set(l, &layout_hold(l, row)->previous, 0);
	if (first)
		limit_set(l, &layout_hold(l, (uint32_t)first - 1)->previous,
			  row + 1);
	limit_set(l, &limits->first_uncommitted, row + 1);
}

static void unlink_hold(struct layout *l, uint32_t row)
{
	const struct layout_hold *hold = layout_hold(l, row);
	uint64_t next = link_at(l, &hold->next);
	uint64_t previous = link_at(l, &hold->previous);

	if (next)
		limit_set(l, &layout_hold(l, (uint32_t)next - 1)->previous,
			  previous);
	if (previous)
		limit_set(l, &layout_hold(l, (uint32_t)previous - 1)->next,
			  next);
	else
		limit_set(l, &layout_limits(l)->first_uncommitted, next);
}

void limit_hold_start(struct tally_ledger *l, struct tally_account account,
		      uint64_t state, uint64_t nodes, int64_t lease_ns,
		      struct tally_token *token)
{
	struct layout *layout = l->layout;
	struct layout_hold *hold = layout_hold(layout, account.row);
	uint64_t generation = limit_get(&hold->generation) + 1;
	int64_t deadline = INT64_MAX;

	if (state == LAYOUT_HOLD_RESERVED && lease_ns &&
	    __builtin_add_overflow(now_ns(), lease_ns, &deadline))
		deadline = INT64_MAX;
	limit_set(layout, &hold->state, state);
	limit_set(layout, &hold->generation, generation);
	limit_set(layout, &hold->nodes, nodes);
	limit_set(layout, &hold->owner, self(l));
	limit_set(layout, &hold->deadline_ns, (uint64_t)deadline);
	limit_set(layout, &hold->account, account.generation);
	if (state == LAYOUT_HOLD_RESERVED)
		link_hold(layout, account.row);
	token->row = account.row;
	token->generation = (uint32_t)generation;
}

void limit_hold_commit(struct tally_ledger *l, uint32_t row)
{
	struct layout_hold *hold = layout_hold(l->layout, row);

	unlink_hold(l->layout, row);
	limit_set(l->layout, &hold->state, LAYOUT_HOLD_COMMITTED);
	limit_set(l->layout, &hold->deadline_ns, INT64_MAX);
}

/* Calls each for what the row holds, cell by cell, until it is not 0. */
static int each_cell(struct tally_ledger *l, uint32_t row,
		     int (*each)(const struct limit_cells *cells, uint32_t node,
				 unsigned int resource, int64_t held),
		     const struct limit_cells *cells)
{
	const struct layout *layout = l->layout;
	uint64_t nodes = limit_get(&layout_hold(layout, row)->nodes);
	int err = 0;

	for (uint32_t n = 0; n < layout->header.params.nr_nodes; n++) {
		const int64_t *held = layout_held(layout, n, row);

		if (!(nodes >> n % 64 & 1) ||
		    !__atomic_load_n(layout_held_byte(layout, 1 + n, row),
				     __ATOMIC_ACQUIRE))
			continue;
		for (uint32_t i = 0;
		     !err && i < layout->header.params.nr_resources; i++)
			if (limit_get(&held[i]))
				err = each(cells, n, i,
					   (int64_t)limit_get(&held[i]));
	}
	return err;
}

static int give_back(const struct limit_cells *cells, uint32_t node,
		     unsigned int resource, int64_t held)
{
	if (held == INT64_MIN)
		return -EOVERFLOW;
	return limit_cells_change(cells, node, resource, -held);
}

int limit_hold_end(struct tally_ledger *l, uint32_t row)
{
	struct layout_hold *hold = layout_hold(l->layout, row);
	const struct tally_account account = {
		.row = row,
		.generation = (uint32_t)limit_get(&hold->account),
	};
	struct limit_cells cells;
	int err = limit_cells_of(l, account, &cells);

	if (!err)
		err = each_cell(l, row, give_back, &cells);
	if (err)
		return err;
	if (limit_get(&hold->state) == LAYOUT_HOLD_RESERVED)
		unlink_hold(l->layout, row);
	limit_set(l->layout, &hold->state, LAYOUT_HOLD_NONE);
	limit_note(l, row);
	return 0;
}

static int is_held(const struct limit_cells *cells, uint32_t node,
		   unsigned int resource, int64_t held)
{
	(void)cells, (void)node, (void)resource, (void)held;
	return 1;
}

int limit_hold_end_empty(struct tally_ledger *l, uint32_t row)
{
	return each_cell(l, row, is_held, NULL) ? 0 : limit_hold_end(l, row);
}

/* What was found of the processes in the slots, once for the many holds of
 * each: nobody reserves meanwhile. */
struct looked {
	struct {
		uint32_t generation;
		bool known, gone;
	} slot[LAYOUT_NR_WRITERS];
};

static bool is_gone(const struct layout *l, uint32_t slot, uint32_t generation,
		    struct looked *looked)
{
	if (slot >= LAYOUT_NR_WRITERS)
		return true;
	if (!looked->slot[slot].known ||
	    looked->slot[slot].generation != generation) {
		looked->slot[slot].generation = generation;
		looked->slot[slot].gone = writer_is_gone(l, slot, generation);
		looked->slot[slot].known = true;
	}
	return looked->slot[slot].gone;
}

/* Our slot may have been another's before. */
static bool is_orphan(const struct tally_ledger *l,
		      const struct layout_hold *hold, struct looked *looked)
{
	uint64_t owner = limit_get(&hold->owner);

	return limit_get(&hold->state) == LAYOUT_HOLD_RESERVED &&
	       owner != self(l) &&
	       is_gone(l->layout, (uint32_t)owner - 1, (uint32_t)(owner >> 32),
		       looked);
}

/* looked: NULL where processes are not looked at. */
static int reap(struct tally_ledger *l, uint32_t row, struct looked *looked)
{
	const struct layout_hold *hold = layout_hold(l->layout, row);
	int err;

	if (!has_lapsed(hold) && !(looked && is_orphan(l, hold, looked)))
		return 0;
	err = limit_hold_end(l, row);
	return err ? err : 1;
}

int limit_hold_reap(struct tally_ledger *l, uint32_t row)
{
	struct looked looked = {0};

	return reap(l, row, &looked);
}

int limit_hold_reap_all(struct tally_ledger *l, bool processes)
{
	struct layout *layout = l->layout;
	uint32_t left = layout->header.params.max_accounts;
	uint64_t row = limit_get(&layout_limits(layout)->first_uncommitted);
	struct looked looked = {0};
	int64_t now = now_ns();
	int nr = 0;

	processes = processes || now - l->looked_ns > LOOK_NS;
	if (processes)
		l->looked_ns = now;
	while (row && left--) {
		uint64_t next;
		int err;

		if (row > layout->header.params.max_accounts)
			return -EBADMSG;
		next = limit_get(&layout_hold(layout, (uint32_t)row - 1)->next);
		err = reap(l, (uint32_t)row - 1, processes ? &looked : NULL);
		if (err < 0)
			return err;
		nr += err;
		limit_keep(layout);
		row = next;
	}
	return nr;
}

int limit_make_free(struct tally_ledger *l, unsigned int resource)
{
	int words = limit_credit_draw_back(l, &resource);
	int holds = words < 0 ? 0 : limit_hold_reap_all(l, false);

	if (words < 0)
		return words;
	return holds < 0 ? holds : words + holds;
}

/* Whether somebody has died in the middle, or has not committed yet. */
static bool may_reap(const struct layout *l)
{
	const struct layout_limits *limits = layout_limits(l);

	return limit_get(&limits->sequence) & 1 || limit_get(&limits->moving) ||
	       limit_get(&limits->first_uncommitted);
}

static int reap_at_once(struct tally_ledger *l)
{
	int err;

	if (limit_lock(l->layout, l->writer, false))
		return 0;
	err = limit_credit_recover(l);
	if (!err)
		err = limit_hold_reap_all(l, true);
	limit_undo(l->layout);
	return limit_finish(l, err < 0 ? err : 0);
}

int limit_hold_open(struct tally_ledger *l)
{
	const struct layout_plan *plan = l->layout->plan;
	struct layout *layout = l->layout;
	int err = tally_region_init(layout->origin + plan->holds.offset,
				    plan->regions_offset - plan->holds.offset,
				    layout->fd, (off_t)plan->holds.offset, -1,
				    &l->holds);

	if (err || !may_reap(layout))
		return err;
	return reap_at_once(l);
}
