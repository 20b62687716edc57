// SPDX-License-Identifier: MIT
/* Reading limits, holdings and reservations. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/sized.h"
#include "file/column.h"
#include "file/reserved.h"
#include "limit/cells.h"
#include "view/file.h"

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
	uint64_t nr = reserved_nr_credits(l);
	int64_t idle = 0;

	for (uint64_t i = 0; i < nr; i++) {
		const struct layout_credit *c = layout_credit(l, i);

		if (limit_get(&c->node) == node &&
		    limit_get(&c->resource) == resource)
			idle += reserved_idle(l, i);
	}
	return idle;
}

/* Whether a credit counts in the quotas of the account that has this key. */
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
	uint64_t nr = reserved_nr_credits(l);
	char key[LAYOUT_MAX_KEY + 1];
	int64_t idle = 0;

	if (!nr || tally_account_key(tally_view_accounts(view), account, key,
				     sizeof(key)))
		return 0;
	for (uint64_t i = 0; i < nr; i++) {
		const struct layout_credit *c = layout_credit(l, i);

		if (limit_get(&c->resource) == resource &&
		    counts(view, c, account, key))
			idle += reserved_idle(l, i);
	}
	return idle;
}

static bool fits(const struct tally_limit *limit)
{
	return sized_fits(limit, sized_upto(struct tally_limit, over));
}

int tally_limit_node(const struct tally_view *view, int node,
		     unsigned int resource, struct tally_limit *limit)
{
	const struct layout *l = view_layout(view);
	int index = layout_node_index(l, node);
	const struct layout_capacity *c;
	struct reserved_read read = {0};
	struct tally_limit got;

	if (resource >= tally_view_nr_resources(view) || !fits(limit))
		return -EINVAL;
	if (index < 0)
		return index;
	c = layout_capacity(l, (uint32_t)index, resource);
	do {
		int err = reserved_begin(l, &read);

		if (err)
			return err;
		set(&got, limit_get(&c->limit), &c->held,
		    idle_on(l, (uint32_t)index, resource), &c->peak,
		    &c->nr_refused);
	} while (reserved_again(l, &read));
	if (!layout_is_whole(l))
		return -EBADMSG;
	sized_put(limit, &got, sizeof(got));
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
	struct reserved_read read = {0};
	int err;

	if (resource >= tally_view_nr_resources(view) || !fits(limit))
		return -EINVAL;
	do {
		const struct layout_quota *q;

		err = reserved_begin(l, &read);
		if (!err)
			err = check(view, account);
		if (err)
			return err;
		if (!reserved_is_current(l, account.row))
			break;
		q = &layout_quotas(l, account.row)[resource];
		set(&got, limit_get(&q->limit), &q->held,
		    idle_of(view, account, resource), &q->peak, &q->nr_refused);
	} while (reserved_again(l, &read));
	if (!layout_is_whole(l))
		return -EBADMSG;
	sized_put(limit, &got, sizeof(got));
	return 0;
}

static int64_t left(uint64_t limit, const int64_t *held, int64_t idle)
{
	int64_t n;

	if (__builtin_sub_overflow(limit_value(limit),
				   (int64_t)limit_get(held) - idle, &n))
		n = INT64_MAX;
	return n > 0 ? n : 0;
}

static void lower(int64_t *least, int64_t n)
{
	*least = n < *least ? n : *least;
}

/* Lower *least to what is left of the account's own quota. */
static void lower_by(const struct tally_view *view,
		     struct tally_account account, unsigned int resource,
		     int64_t *least)
{
	const struct layout *l = view_layout(view);
	const struct layout_quota *q;

	if (!reserved_is_current(l, account.row))
		return;
	q = &layout_quotas(l, account.row)[resource];
	lower(least, left(limit_get(&q->limit), &q->held,
			  idle_of(view, account, resource)));
}

/* The same of the accounts above the one with that key, which have quotas. */
static int lower_by_above(const struct tally_view *view, char *key,
			  unsigned int resource, int64_t *least)
{
	for (char *end = strchr(key, '/'); end && end[1];
	     end = strchr(end + 1, '/')) {
		struct tally_account above;
		char next = end[1];
		int err;

		end[1] = '\0';
		err = tally_account_find(tally_view_accounts(view), key,
					 &above);
		end[1] = next;
		if (!err && limit_had_quota(view_layout(view), above.row))
			lower_by(view, above, resource, least);
		if (err && err != -ENOENT)
			return err;
	}
	return 0;
}

int tally_limit_free(const struct tally_view *view,
		     struct tally_account account, int node,
		     unsigned int resource, int64_t *amount)
{
	const struct layout *l = view_layout(view);
	const struct tally_accounts *accounts = tally_view_accounts(view);
	int index = layout_node_index(l, node);
	struct reserved_read read = {0};
	const struct layout_capacity *c;
	char key[LAYOUT_MAX_KEY + 1];
	int64_t least;

	if (resource >= tally_view_nr_resources(view) ||
	    column_kind(l, resource) != TALLY_RESERVABLE)
		return -EINVAL;
	if (index < 0)
		return index;
	c = layout_capacity(l, (uint32_t)index, resource);
	do {
		int err = reserved_begin(l, &read);

		if (!err)
			err = tally_account_phase(accounts, account);
		if (err == TALLY_PHASE_TERMINATING)
			err = -ESHUTDOWN;
		if (err >= 0)
			err = tally_account_key(accounts, account, key,
						sizeof(key));
		if (err)
			return err;
		least = left(limit_get(&c->limit), &c->held,
			     idle_on(l, (uint32_t)index, resource));
		lower_by(view, account, resource, &least);
		err = lower_by_above(view, key, resource, &least);
		if (err)
			return err;
	} while (reserved_again(l, &read));
	if (!layout_is_whole(l))
		return -EBADMSG;
	*amount = least;
	return 0;
}

/* Whether it has not ended. */
static bool is_current(const struct layout *l, struct tally_token token)
{
	const struct layout_reservation *words;

	if (token.row >= l->header.params.max_accounts ||
	    !__atomic_load_n(layout_populated(l, token.row), __ATOMIC_ACQUIRE))
		return false;
	words = layout_reservation(l, token.row);
	return limit_get(&words->state) != LAYOUT_RESERVATION_NONE &&
	       limit_get(&words->generation) == token.generation;
}

int tally_limit_draw_free(const struct tally_view *view,
			  struct tally_token parent, int node,
			  unsigned int resource, int64_t *amount)
{
	const struct layout *l = view_layout(view);
	int index = layout_node_index(l, node);
	struct reserved_read read = {0};
	int64_t left;

	if (resource >= tally_view_nr_resources(view) ||
	    column_kind(l, resource) != TALLY_RESERVABLE)
		return -EINVAL;
	if (index < 0)
		return index;
	do {
		int err = reserved_begin(l, &read);

		if (err)
			return err;
		left = is_current(l, parent)
			       ? reserved_left(l, parent.row, (uint32_t)index,
					       resource)
			       : -ESTALE;
	} while (reserved_again(l, &read));
	if (!layout_is_whole(l))
		return -EBADMSG;
	if (left < 0)
		return (int)left;
	*amount = left;
	return 0;
}

int tally_limit_holding(const struct tally_view *view,
			struct tally_account account, int node,
			int64_t *amounts)
{
	const struct layout *l = view_layout(view);
	uint32_t first = 0, end = l->header.params.nr_nodes;
	int64_t held[LAYOUT_MAX_COLUMNS] = {0};
	int err = check(view, account);

	if (!err && node != TALLY_VIEW_ALL) {
		err = layout_node_index(l, node);
		first = (uint32_t)err;
		end = first + 1;
	}
	if (err >= 0)
		err = reserved_add(l, &account.row, first, end, held);
	if (!err)
		err = check(view, account);
	if (!err)
		memcpy(amounts, held,
		       tally_view_nr_resources(view) * sizeof(*held));
	return err;
}

int tally_limit_roster(const struct tally_view *view, int node,
		       struct tally_roster *roster)
{
	const struct layout *l = view_layout(view);
	int index = layout_node_index(l, node);
	struct tally_roster got = {0};
	uint64_t nr;

	if (index < 0)
		return index;
	got.index = (uint32_t)index;
	if (__atomic_load_n(layout_roster_byte(l, got.index),
			    __ATOMIC_ACQUIRE)) {
		got.edit =
			__atomic_load_n(&layout_roster(l, got.index)->current,
					__ATOMIC_ACQUIRE);
		got.accounts = (const struct tally_account *)(const void *)
			reserved_roster(l, got.index, got.edit, &nr);
		got.nr_accounts = (uint32_t)nr;
	}
	*roster = got;
	return 0;
}

int tally_limit_roster_check(const struct tally_view *view,
			     const struct tally_roster *roster)
{
	const struct layout *l = view_layout(view);
	const struct layout_roster *r;

	if (!layout_is_whole(l)) /* a fence, too: what was read was read */
		return -EBADMSG;
	if (!roster->accounts)
		return 0;
	r = layout_roster(l, roster->index);
	return limit_get(&r->copy_begun[roster->edit % LAYOUT_NR_COPIES]) ==
			       roster->edit
		       ? 0
		       : -EAGAIN;
}

/* The deadline by the caller's own clock. */
static int64_t deadline_here(int64_t deadline_ns)
{
	int64_t left, here;

	return deadline_ns == INT64_MAX ||
			       __builtin_sub_overflow(deadline_ns, shared_ns(),
						      &left) ||
			       __builtin_add_overflow(now_ns(), left, &here)
		       ? INT64_MAX
		       : here;
}

static struct tally_account parent_of(const struct layout *l, uint32_t row,
				      bool *drawn)
{
	uint32_t parent = reserved_parent(l, row);
	struct tally_account account = {0};

	*drawn = parent != 0;
	if (parent) {
		account.row = parent - 1;
		account.generation = (uint32_t)limit_get(
			&layout_reservation(l, parent - 1)->account);
	}
	return account;
}

int tally_limit_find(const struct tally_view *view,
		     struct tally_account account,
		     struct tally_reservation *reservation)
{
	const struct layout *l = view_layout(view);
	struct reserved_read read = {0};
	struct tally_reservation got = {0};
	uint64_t state;
	int err;

	if (!sized_fits(reservation,
			sized_upto(struct tally_reservation, deadline_ns)))
		return -EINVAL;
	do {
		const struct layout_reservation *words;

		err = reserved_begin(l, &read);
		if (!err)
			err = check(view, account);
		if (!err && !reserved_is_current(l, account.row))
			err = -ENOENT;
		if (err)
			return err;
		words = layout_reservation(l, account.row);
		state = limit_get(&words->state);
		got.token.row = account.row;
		got.token.generation = limit_get(&words->generation);
		got.deadline_ns = (int64_t)limit_get(&words->deadline_ns);
		got.parent = parent_of(l, account.row, &got.drawn);
	} while (reserved_again(l, &read));
	if (!layout_is_whole(l))
		return -EBADMSG;
	if (state != LAYOUT_RESERVATION_RESERVED &&
	    state != LAYOUT_RESERVATION_COMMITTED)
		return -ENOENT;
	got.deadline_ns = deadline_here(got.deadline_ns);
	got.state = (enum tally_reservation_state)state;
	sized_put(reservation, &got, sizeof(got));
	return 0;
}
