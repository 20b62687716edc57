// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <string.h>

#include "limit_cells.h"
#include "limit_credit.h"
#include "limit_space.h"

int limit_begin(struct tally_ledger *l)
{
	int err = ledger_join(l);

	if (!err)
		err = limit_space_claim(l);
	if (!err)
		err = limit_lock(l->layout, true);
	if (err)
		return err;
	err = limit_credit_recover(l);
	if (err)
		limit_unlock(l->layout);
	return err;
}

int limit_finish(struct tally_ledger *l, int err)
{
	if (err)
		limit_undo(l->layout);
	else
		limit_keep(l->layout);
	limit_unlock(l->layout);
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
	uint64_t first = row / LAYOUT_BUCKET_ROWS * LAYOUT_BUCKET_ROWS;
	uint64_t from = offset + first * stride;
	uint64_t bytes = LAYOUT_BUCKET_ROWS * stride;

	if (bytes > region->bytes - from)
		bytes = region->bytes - from;
	return tally_region_fault(region, from, bytes);
}

int limit_touch(struct tally_ledger *l, uint32_t row)
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

	if (!__atomic_load_n(layout_held_byte(l, 0, row), __ATOMIC_ACQUIRE))
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
