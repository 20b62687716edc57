// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <string.h>

#include "directory.h"
#include "held.h"
#include "limit_cells.h"
#include "limit_credit.h"

int limit_begin(struct tally_ledger *l)
{
	int err = ledger_join(l);

	if (!err)
		err = limit_lock(l->layout, l->writer, true);
	if (err)
		return err;
	err = limit_credit_recover(l);
	if (err)
		limit_unlock(l->layout, l->writer);
	return err;
}

static struct tally_account account_in(const struct tally_ledger *l,
				       uint32_t row)
{
	return (struct tally_account){
		.row = row,
		.generation = (uint32_t)limit_get(
			&layout_hold(l->layout, row)->account),
	};
}

void limit_note(struct tally_ledger *l, uint32_t row)
{
	if (tally_account_phase(l->accounts, account_in(l, row)) !=
	    TALLY_PHASE_TERMINATING)
		return;
	if (l->nr_ended < sizeof(l->ended) / sizeof(l->ended[0]))
		l->ended[l->nr_ended] = row;
	l->nr_ended++;
}

static void finish_all_ending(struct tally_ledger *l)
{
	struct tally_account account;
	uint64_t cursor = 0;

	while (!tally_account_next_in(l->accounts, TALLY_PHASE_TERMINATING,
				      &cursor, &account))
		directory_finish(l->accounts, account);
}

/* Unlocks first: the directory's lock is never waited for under ours. Where
 * that is not come to, ending the account again does it. */
static void finish_ended(struct tally_ledger *l)
{
	struct tally_account ended[sizeof(l->ended) / sizeof(l->ended[0])];
	uint32_t nr = l->nr_ended;

	l->nr_ended = 0;
	for (uint32_t i = 0; i < nr && i < sizeof(ended) / sizeof(ended[0]);
	     i++)
		ended[i] = account_in(l, l->ended[i]);
	limit_unlock(l->layout, l->writer);
	if (nr > sizeof(ended) / sizeof(ended[0])) {
		finish_all_ending(l);
		return;
	}
	for (uint32_t i = 0; i < nr; i++)
		directory_finish(l->accounts, ended[i]);
}

int limit_finish(struct tally_ledger *l, int err)
{
	if (err)
		limit_undo(l->layout);
	else
		limit_keep(l->layout);
	finish_ended(l);
	return err;
}

bool limit_is_stock(const struct tally_ledger *l, unsigned int resource)
{
	return resource < l->layout->header.params.nr_resources &&
	       l->layout->resources[resource].kind == TALLY_STOCK;
}

int limit_check_account(const struct tally_ledger *l,
			struct tally_account account)
{
	int phase = tally_account_phase(l->accounts, account);

	if (phase == TALLY_PHASE_TERMINATING)
		return -ESHUTDOWN;
	return phase < 0 ? phase : 0;
}

/* What a table has of the bucket of a row. */
static int fault_bucket(const struct tally_region *region, uint64_t offset,
			uint64_t stride, uint32_t row)
{
	uint64_t first = row - row % LAYOUT_BUCKET_ROWS;
	uint64_t from = offset + first * stride;
	uint64_t bytes = LAYOUT_BUCKET_ROWS * stride;

	if (bytes > region->bytes - from)
		bytes = region->bytes - from;
	return tally_region_fault(region, from, bytes);
}

static int touch(struct tally_ledger *l, uint32_t row)
{
	const struct layout_plan *plan = l->layout->plan;
	unsigned char *byte = layout_held_byte(l->layout, 0, row);
	int err;

	if (__atomic_load_n(byte, __ATOMIC_ACQUIRE))
		return 0;
	err = fault_bucket(&l->holds, 0, plan->holds.stride, row);
	if (!err)
		err = fault_bucket(&l->holds,
				   plan->quotas.offset - plan->holds.offset,
				   plan->quotas.stride, row);
	if (!err)
		__atomic_store_n(byte, 1, __ATOMIC_RELEASE);
	return err;
}

int limit_touch(struct tally_ledger *l, struct tally_account account)
{
	struct layout *layout = l->layout;
	struct layout_quota *quotas = layout_quotas(layout, account.row);
	struct layout_hold *hold = layout_hold(layout, account.row);
	int err = touch(l, account.row);

	if (err || limit_get(&hold->account) == account.generation)
		return err;
	for (uint32_t i = 0; i < layout->header.params.nr_resources; i++) {
		limit_set(layout, &quotas[i].limit, 0);
		limit_set(layout, &quotas[i].held, 0);
		limit_set(layout, &quotas[i].peak, 0);
		limit_set(layout, &quotas[i].nr_refused, 0);
	}
	limit_set(layout, &hold->account, account.generation);
	limit_keep(layout);
	return 0;
}

int limit_touch_node(struct tally_ledger *l, uint32_t node, uint32_t row)
{
	unsigned char *byte = layout_held_byte(l->layout, 1 + node, row);
	int err;

	if (__atomic_load_n(byte, __ATOMIC_ACQUIRE))
		return 0;
	err = fault_bucket(&l->layout->regions[node],
			   l->layout->nodes[node].held_offset,
			   l->layout->plan->row_bytes, row);
	if (!err)
		__atomic_store_n(byte, 1, __ATOMIC_RELEASE);
	return err;
}

bool limit_had_quota(const struct layout *l, uint32_t row)
{
	const struct layout_quota *quotas = layout_quotas(l, row);

	if (!held_is_current(l, row))
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

/* Of a/b/c: a/ and a/b/. */
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
	c->direct = false;
	c->rows[0] = account.row;
	c->nr_rows = 1;
	if (!limit_get(&layout_limits(l->layout)->nr_quotas))
		return 0;
	err = tally_account_key(l->accounts, account, key, sizeof(key));
	return err ? err : add_all_above(c, key);
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

int limit_cells_change(const struct limit_cells *c, uint32_t node,
		       unsigned int resource, int64_t amount)
{
	struct layout *l = c->layout;
	int err = change(l, &layout_capacity(l, node, resource)->held, amount);

	if (!err && !c->direct)
		err = change(l, &layout_held(l, node, c->rows[0])[resource],
			     amount);
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

static int check(const struct limit_cells *c, uint32_t node,
		 unsigned int resource, uint32_t *row)
{
	const struct layout_capacity *capacity =
		layout_capacity(c->layout, node, resource);

	if (is_over(&capacity->held, &capacity->limit))
		return -ENOSPC;
	for (unsigned int i = 0; i < c->nr_rows; i++) {
		const struct layout_quota *quota = quota_at(c, i, resource);

		if (is_over(&quota->held, &quota->limit)) {
			*row = c->rows[i];
			return -EDQUOT;
		}
	}
	return 0;
}

int limit_cells_adopt(const struct limit_cells *c, uint32_t node,
		      unsigned int resource, int64_t amount)
{
	int err = limit_cells_change(c, node, resource, amount);

	if (!err)
		raise_peaks(c, node, resource);
	return err == -EOVERFLOW ? -ENOSPC : err;
}

int limit_cells_reserve(const struct limit_cells *c, uint32_t node,
			unsigned int resource, int64_t amount, uint32_t *row)
{
	int err = limit_cells_adopt(c, node, resource, amount);

	/* Nothing is asked of a limit that is passed already. */
	return err || !amount ? err : check(c, node, resource, row);
}
