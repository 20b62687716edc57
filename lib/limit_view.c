// SPDX-License-Identifier: MIT
/* What is held, and its limits, as a reader sees them. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "held.h"
#include "limit_cells.h"
#include "view_internal.h"

static void set(struct tally_limit *to, uint64_t limit, const int64_t *held,
		int64_t idle, const int64_t *peak, const uint64_t *nr_refused)
{
	to->limit = limit_value(limit);
	to->held = (int64_t)limit_get(held) - idle;
	to->peak = (int64_t)limit_get(peak);
	to->nr_refused = limit_get(nr_refused);
	to->over = to->held > to->limit;
}

static int64_t idle_on(const struct layout *l, uint32_t node,
		       unsigned int resource)
{
	uint64_t nr = held_nr_credits(l);
	int64_t idle = 0;

	for (uint64_t i = 0; i < nr; i++) {
		const struct layout_credit *c = layout_credit(l, i);

		if (limit_get(&c->node) == node &&
		    limit_get(&c->resource) == resource)
			idle += held_idle(l, i);
	}
	return idle;
}

/* Whether a credit counts against quotas of the account with that key. */
static bool counts(const struct tally_view *view, const struct layout_credit *c,
		   struct tally_account account, const char *key)
{
	const struct tally_account its = {
		.row = (uint32_t)limit_get(&c->row),
		.generation = (uint32_t)limit_get(&c->account),
	};
	char its_key[LAYOUT_MAX_KEY + 1];
	size_t bytes = strlen(key);

	if (its.row == account.row && its.generation == account.generation)
		return true;
	return bytes && key[bytes - 1] == '/' &&
	       limit_had_quota(view_layout(view), account.row) &&
	       !tally_account_key(tally_view_accounts(view), its, its_key,
				  sizeof(its_key)) &&
	       !strncmp(its_key, key, bytes);
}

static int64_t idle_of(const struct tally_view *view,
		       struct tally_account account, unsigned int resource)
{
	const struct layout *l = view_layout(view);
	uint64_t nr = held_nr_credits(l);
	char key[LAYOUT_MAX_KEY + 1];
	int64_t idle = 0;

	if (!nr || tally_account_key(tally_view_accounts(view), account, key,
				     sizeof(key)))
		return 0;
	for (uint64_t i = 0; i < nr; i++) {
		const struct layout_credit *c = layout_credit(l, i);

		if (limit_get(&c->resource) == resource &&
		    counts(view, c, account, key))
			idle += held_idle(l, i);
	}
	return idle;
}

int tally_limit_node(const struct tally_view *view, int node,
		     unsigned int resource, struct tally_limit *limit)
{
	const struct layout *l = view_layout(view);
	int index = layout_node_index(l, node);
	const struct layout_capacity *c;
	struct held_read read = {0};
	struct tally_limit got;

	assert(resource < l->header.params.nr_resources);
	if (index < 0)
		return index;
	c = layout_capacity(l, (uint32_t)index, resource);
	do {
		int err = held_begin(l, &read);

		if (err)
			return err;
		set(&got, limit_get(&c->limit), &c->held,
		    idle_on(l, (uint32_t)index, resource), &c->peak,
		    &c->nr_refused);
	} while (held_again(l, &read));
	if (!layout_is_whole(l))
		return -EBADMSG;
	*limit = got;
	return 0;
}

static int check(const struct tally_view *view, struct tally_account account)
{
	int phase = tally_account_phase(tally_view_accounts(view), account);

	return phase < 0 ? phase : 0;
}

int tally_limit_account(const struct tally_view *view,
			struct tally_account account, unsigned int resource,
			struct tally_limit *limit)
{
	const struct layout *l = view_layout(view);
	struct tally_limit got = {.limit = TALLY_LIMIT_NONE};
	struct held_read read = {0};
	int err;

	assert(resource < l->header.params.nr_resources);
	do {
		const struct layout_quota *q;

		err = held_begin(l, &read);
		if (!err)
			err = check(view, account);
		if (err)
			return err;
		if (!held_is_current(l, account.row))
			break;
		q = &layout_quotas(l, account.row)[resource];
		set(&got, limit_get(&q->limit), &q->held,
		    idle_of(view, account, resource), &q->peak, &q->nr_refused);
	} while (held_again(l, &read));
	if (!layout_is_whole(l))
		return -EBADMSG;
	*limit = got;
	return 0;
}

int tally_limit_held(const struct tally_view *view,
		     struct tally_account account, int node, int64_t *amounts)
{
	const struct layout *l = view_layout(view);
	uint32_t nr_resources = l->header.params.nr_resources;
	uint32_t first = 0, end = l->header.params.nr_nodes;
	int64_t held[LAYOUT_MAX_COLUMNS] = {0};
	int err = check(view, account);

	if (!err && node != TALLY_VIEW_ALL) {
		err = layout_node_index(l, node);
		first = (uint32_t)err;
		end = first + 1;
	}
	if (err >= 0)
		err = held_add(l, &account.row, first, end, held);
	if (!err)
		err = check(view, account);
	if (!err)
		memcpy(amounts, held, nr_resources * sizeof(*held));
	return err;
}

int tally_limit_find(const struct tally_view *view,
		     struct tally_account account,
		     struct tally_reservation *reservation)
{
	const struct layout *l = view_layout(view);
	struct held_read read = {0};
	struct tally_reservation got;
	uint64_t state;
	int err;

	do {
		const struct layout_hold *hold;

		err = held_begin(l, &read);
		if (!err)
			err = check(view, account);
		if (!err && !held_is_current(l, account.row))
			err = -ENOENT;
		if (err)
			return err;
		hold = layout_hold(l, account.row);
		state = limit_get(&hold->state);
		got.token.row = account.row;
		got.token.generation = (uint32_t)limit_get(&hold->generation);
		got.deadline_ns = (int64_t)limit_get(&hold->deadline_ns);
	} while (held_again(l, &read));
	if (!layout_is_whole(l))
		return -EBADMSG;
	if (state != LAYOUT_HOLD_RESERVED && state != LAYOUT_HOLD_COMMITTED)
		return -ENOENT;
	got.state = (enum tally_reservation_state)state;
	*reservation = got;
	return 0;
}
