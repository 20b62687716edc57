// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <string.h>

#include "file/column.h"
#include "file/reserved.h"
#include "limit/cells.h"
#include "limit/room.h"

struct tally_account limit_account_in(const struct tally_ledger *l,
				      uint32_t row)
{
	return (struct tally_account){
		.row = row,
		.generation = (uint32_t)limit_get(
			&layout_reservation(l->layout, row)->account),
	};
}

bool limit_is_ending(const struct tally_ledger *l, struct tally_account account)
{
	return tally_account_phase(l->accounts, account) ==
	       TALLY_PHASE_TERMINATING;
}

void limit_note(struct tally_ledger *l, uint32_t row)
{
	if (l->nr_ended < sizeof(l->ended) / sizeof(l->ended[0])) {
		l->ended[l->nr_ended++] = row;
		return;
	}
	/* As in finish_ended(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (limit_is_ending(l, limit_account_in(l, row)))
		l->nr_ended++;
}

bool limit_is_reservable(const struct tally_ledger *l, unsigned int resource)
{
	return column_kind(l->layout, resource) == TALLY_RESERVABLE;
}

int limit_check_account(const struct tally_ledger *l,
			struct tally_account account)
{
	int phase = tally_account_phase(l->accounts, account);

	if (phase == TALLY_PHASE_TERMINATING)
		return -ESHUTDOWN;
	return phase < 0 ? phase : 0;
}

int limit_look_again(struct tally_ledger *l, struct tally_account account)
{
	int err;

	/* Pairs with the fence in ending the account, which sets the phase and
	 * then reads what the account holds. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	err = limit_check_account(l, account);
	if (err)
		limit_note(l, account.row);
	return err;
}

/* Populate the row's bucket in a table. */
static int populate_bucket(const struct layout *layout,
			   const struct tally_region *region, uint64_t offset,
			   uint64_t stride, uint32_t row)
{
	uint64_t first = row - row % LAYOUT_BUCKET_ROWS;
	uint64_t from = offset + first * stride;
	uint64_t bytes = LAYOUT_BUCKET_ROWS * stride;

	if (bytes > region->bytes - from)
		bytes = region->bytes - from;
	return layout_populate(layout, region, from, bytes);
}

static int touch(struct tally_ledger *l, uint32_t row)
{
	const struct layout_plan *plan = l->layout->plan;
	unsigned char *byte = layout_populated(l->layout, row);
	int err;

	if (__atomic_load_n(byte, __ATOMIC_ACQUIRE))
		return 0;
	err = populate_bucket(l->layout, &l->limit_tables, 0,
			      plan->reservations.stride, row);
	if (!err)
		err = populate_bucket(l->layout, &l->limit_tables,
				      plan->quotas.offset -
					      plan->reservations.offset,
				      plan->quotas.stride, row);
	if (!err)
		__atomic_store_n(byte, 1, __ATOMIC_RELEASE);
	return err;
}

int limit_touch(struct tally_ledger *l, struct tally_account account)
{
	struct layout *layout = l->layout;
	struct layout_quota *quotas = layout_quotas(layout, account.row);
	struct layout_reservation *reservation =
		layout_reservation(layout, account.row);
	int err = touch(l, account.row);

	if (err || limit_get(&reservation->account) == account.generation)
		return err;
	for (uint32_t i = 0; i < layout->header.params.nr_resources; i++) {
		limit_set(layout, &quotas[i].limit, 0);
		limit_set(layout, &quotas[i].held, 0);
		limit_set(layout, &quotas[i].peak, 0);
		limit_set(layout, &quotas[i].nr_refused, 0);
	}
	limit_set(layout, &reservation->account, account.generation);
	limit_keep(layout);
	return 0;
}

bool limit_had_quota(const struct layout *l, uint32_t row)
{
	const struct layout_quota *quotas = layout_quotas(l, row);

	if (!reserved_is_current(l, row))
		return false;
	for (uint32_t i = 0; i < l->header.params.nr_resources; i++)
		if (limit_get(&quotas[i].limit))
			return true;
	return false;
}

static int add_above(struct limit_cells *c, const char *key)
{
	struct tally_account above;
	int err = tally_account_find(c->ledger->accounts, key, &above);

	if (err == -ENOENT || (!err && !limit_had_quota(c->layout, above.row)))
		return 0;
	if (err)
		return err;
	if (c->nr_rows == 1 + LIMIT_MAX_ABOVE)
		return -EBADMSG;
	c->rows[c->nr_rows++] = above.row;
	return 0;
}

/* For a/b/c: a/ and a/b/. */
static int add_all_above(struct limit_cells *c, char *key)
{
	int err = 0;

	for (char *end = strchr(key, '/'); !err && end && end[1];
	     end = strchr(end + 1, '/')) {
		char next = end[1];

		end[1] = '\0';
		err = add_above(c, key);
		end[1] = next;
	}
	return err;
}

int limit_cells_of(struct tally_ledger *l, struct tally_account account,
		   struct limit_cells *c)
{
	char key[LAYOUT_MAX_KEY + 1];
	int err;

	c->ledger = l;
	c->layout = l->layout;
	c->parent = 0;
	c->rows[0] = account.row;
	c->nr_rows = 1;
	if (!limit_get(&layout_limits(l->layout)->nr_quotas))
		return 0;
	err = tally_account_key(l->accounts, account, key, sizeof(key));
	return err ? err : add_all_above(c, key);
}

void limit_cells_drawn(struct tally_ledger *l, uint32_t row, uint32_t parent,
		       struct limit_cells *c)
{
	c->ledger = l;
	c->layout = l->layout;
	c->parent = parent;
	c->rows[0] = row;
	c->nr_rows = 0;
}

static struct layout_quota *quota_at(const struct limit_cells *c,
				     unsigned int i, unsigned int resource)
{
	return &layout_quotas(c->layout, c->rows[i])[resource];
}

static int change(struct layout *l, int64_t *held, int64_t amount)
{
	int64_t sum;

	if (__builtin_add_overflow((int64_t)limit_get(held), amount, &sum))
		return -EOVERFLOW;
	limit_set(l, held, (uint64_t)sum);
	return 0;
}

/* What counts against the node's capacity, or against what the parent has. */
static int64_t *total_of(const struct limit_cells *c, uint32_t node,
			 unsigned int resource)
{
	struct layout_holding *drawn;

	if (!c->parent)
		return &layout_capacity(c->layout, node, resource)->held;
	drawn = reserved_drawn_on(c->layout, c->parent - 1, node);
	return drawn ? &drawn->amounts[resource] : NULL;
}

int limit_cells_change(const struct limit_cells *c,
		       struct layout_holding *holding, uint32_t node,
		       unsigned int resource, int64_t amount)
{
	struct layout *l = c->layout;
	int64_t *total = total_of(c, node, resource);
	int err = total ? change(l, total, amount) : -EBADMSG;

	room_made(c->ledger, ROOM_WATCHED);
	if (amount < 0)
		room_made(c->ledger, room_on(node) | ROOM_ELSEWHERE);
	if (!err && holding)
		err = change(l, &holding->amounts[resource], amount);
	for (unsigned int i = 0; !err && i < c->nr_rows; i++)
		err = change(l, &quota_at(c, i, resource)->held, amount);
	return err;
}

static void raise_peak(struct layout *l, int64_t *peak, const int64_t *held)
{
	if ((int64_t)limit_get(held) > (int64_t)limit_get(peak))
		limit_set(l, peak, limit_get(held));
}

static void raise_peaks(const struct limit_cells *c, uint32_t node,
			unsigned int resource)
{
	struct layout_capacity *capacity =
		layout_capacity(c->layout, node, resource);

	if (c->parent)
		return;
	raise_peak(c->layout, &capacity->peak, &capacity->held);
	for (unsigned int i = 0; i < c->nr_rows; i++) {
		struct layout_quota *quota = quota_at(c, i, resource);

		raise_peak(c->layout, &quota->peak, &quota->held);
	}
}

static bool is_over(const int64_t *held, const uint64_t *limit)
{
	return (int64_t)limit_get(held) > limit_value(limit_get(limit));
}

static bool is_over_parent(const struct limit_cells *c, uint32_t node,
			   unsigned int resource)
{
	const struct layout_holding *has =
		reserved_holding(c->layout, c->parent - 1, node);
	const int64_t *drawn = total_of(c, node, resource);

	return drawn &&
	       (int64_t)limit_get(drawn) >
		       (has ? (int64_t)limit_get(&has->amounts[resource]) : 0);
}

int limit_cells_check(const struct limit_cells *c, uint32_t node,
		      unsigned int resource, bool of_node, bool quotas,
		      uint32_t *row)
{
	const struct layout_capacity *capacity =
		layout_capacity(c->layout, node, resource);

	if (c->parent)
		return of_node && is_over_parent(c, node, resource) ? -ENOSPC
								    : 0;
	if (of_node && is_over(&capacity->held, &capacity->limit))
		return -ENOSPC;
	for (unsigned int i = 0; quotas && i < c->nr_rows; i++) {
		const struct layout_quota *quota = quota_at(c, i, resource);

		if (is_over(&quota->held, &quota->limit)) {
			*row = c->rows[i];
			return -EDQUOT;
		}
	}
	return 0;
}

int limit_cells_adopt(const struct limit_cells *c,
		      struct layout_holding *holding, uint32_t node,
		      unsigned int resource, int64_t amount)
{
	int err = limit_cells_change(c, holding, node, resource, amount);

	if (!err)
		raise_peaks(c, node, resource);
	return err == -EOVERFLOW ? -ENOSPC : err;
}

int limit_cells_reserve(const struct limit_cells *c,
			struct layout_holding *holding, uint32_t node,
			unsigned int resource, int64_t amount, uint32_t *row)
{
	int err = limit_cells_adopt(c, holding, node, resource, amount);

	/* An amount of 0 is granted even if a limit is exceeded already. */
	return err || !amount
		       ? err
		       : limit_cells_check(c, node, resource, true, true, row);
}
