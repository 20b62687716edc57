// SPDX-License-Identifier: MIT
/*
 * Reservations are saved, each with all that is drawn from it, as of one moment:
 * what a child has must fit into its parent, and counts with it alone.
 */
#include "config.h"

#include <errno.h>

#include "base/array.h"
#include "file/reserved.h"
#include "limit/holding.h"
#include "limit/reservation.h"
#include "limit/transaction.h"
#include "open/save.h"

/* A torn read is noticed once in so many members. */
#define LOOK_AGAIN 64

struct save_member {
	struct tally_account from;
	unsigned int parent; /* index + 1; 0: the nodes */
	uint64_t state;
	unsigned int first; /* of its demands */
	unsigned int nr_held,
		nr_taken; /* taken by credits: behind those held */
	bool saved;
};

static uint64_t get(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* ---- reading ------------------------------------------------------------- */

static int put(struct save_family *f, int node, unsigned int resource,
	       int64_t amount)
{
	int err = array_reserve(f->demands, f->max_demands, f->nr_demands + 1);

	if (!err)
		f->demands[f->nr_demands++] =
			(struct tally_demand){node, resource, amount};
	return err;
}

static int read_holdings(struct save *s, const struct save_member *m)
{
	const struct layout *l = s->layout;
	struct reserved_walk walk = reserved_holdings(l, m->from.row);
	const struct layout_holding *h;
	int err = 0;

	while (!err && (h = reserved_next(l, &walk))) {
		int node = l->nodes[reserved_node(l, h)].id;

		for (unsigned int i = 0; !err && i < s->nr_resources; i++) {
			int64_t amount = __atomic_load_n(&h->amounts[i],
							 __ATOMIC_RELAXED);

			if (amount > 0)
				err = put(&s->family, node, i, amount);
		}
	}
	return err;
}

/* To what it has there of its own, if a credit's amount counts on the node as
 * that does. */
static bool merge(struct save_family *f, const struct save_member *m, int node,
		  unsigned int resource, int64_t amount)
{
	for (unsigned int i = m->first; !m->parent && i < f->nr_demands; i++) {
		struct tally_demand *d = &f->demands[i];

		if (d->node == node && d->resource == resource)
			return !__builtin_add_overflow(d->amount, amount,
						       &d->amount);
	}
	return false;
}

static int read_credits(struct save *s, const struct save_member *m)
{
	const struct layout *l = s->layout;
	uint64_t nr = reserved_nr_credits(l);
	int err = 0;

	for (uint64_t i = 0; !err && i < nr; i++) {
		const struct layout_credit *c = layout_credit(l, i);
		uint64_t node = get(&c->node), resource = get(&c->resource);
		int64_t taken;

		if (get(&c->row) != m->from.row ||
		    node >= l->header.params.nr_nodes ||
		    resource >= s->nr_resources)
			continue;
		taken = __atomic_load_n(&c->taken, __ATOMIC_RELAXED) -
			reserved_idle(l, i);
		if (taken > 0 && !merge(&s->family, m, l->nodes[node].id,
					(unsigned int)resource, taken))
			err = put(&s->family, l->nodes[node].id,
				  (unsigned int)resource, taken);
	}
	return err;
}

/* Add the account in the row; its reservation is that of no other one. */
static int read_member(struct save *s, uint32_t row, unsigned int parent)
{
	struct save_family *f = &s->family;
	const struct layout_reservation *words =
		layout_reservation(s->layout, row);
	struct save_member *m;
	int err = array_reserve(f->members, f->max, f->nr + 1);

	if (err)
		return err;
	m = &f->members[f->nr++];
	*m = (struct save_member){
		.from = {row, (uint32_t)get(&words->account)},
		.parent = parent,
		.state = get(&words->state),
		.first = f->nr_demands,
	};
	if (m->state != LAYOUT_RESERVATION_NONE)
		err = read_holdings(s, m);
	m->nr_held = f->nr_demands - m->first;
	if (!err)
		err = read_credits(s, m);
	m->nr_taken = f->nr_demands - m->first - m->nr_held;
	if (!parent) { /* both count on the nodes */
		m->nr_held += m->nr_taken;
		m->nr_taken = 0;
	}
	return err;
}

/* Add the children of the member at this index. 1: the read is torn. */
static int read_children(struct save *s, unsigned int at,
			 const struct reserved_read *read)
{
	const struct layout *l = s->layout;
	const struct layout_family *family =
		reserved_family(l, s->family.members[at].from.row);
	uint32_t child = family ? reserved_link(l, get(&family->children)) : 0;
	int err = 0;

	while (!err && child) {
		if (s->family.nr % LOOK_AGAIN == 0 && reserved_again(l, read))
			return 1;
		/* Links that go round in a damaged file. */
		if (s->family.nr > l->header.params.max_accounts)
			return -EBADMSG;
		err = read_member(s, child - 1, at + 1);
		child = reserved_link(
			l,
			(uint32_t)get(&layout_family(l, child - 1)->siblings));
	}
	return err;
}

/* Read the account's family, or none of it if the account is drawn, or has
 * nothing. */
static int read_family(struct save *s, struct tally_account root, bool *drawn)
{
	const struct layout *l = s->layout;
	struct save_family *f = &s->family;
	struct reserved_read read = {0};
	int err;

	do {
		f->nr = f->nr_demands = 0;
		*drawn = false;
		err = reserved_begin(l, &read);
		if (err)
			return err;
		if (!reserved_is_current(l, root.row) ||
		    get(&layout_reservation(l, root.row)->account) !=
			    root.generation)
			continue;
		*drawn = reserved_parent(l, root.row) != 0;
		if (!*drawn)
			err = read_member(s, root.row, 0);
		for (unsigned int i = 0; !err && i < f->nr; i++)
			err = read_children(s, i, &read);
	} while (err == 1 || reserved_again(l, &read));
	if (!err && !layout_is_whole(l))
		err = -EBADMSG;
	return err;
}

/* ---- saving -------------------------------------------------------------- */

/* Reserve or adopt what it has, as much at a time as a request takes. */
static int reserve(const struct save *s, const struct save_member *m,
		   struct tally_account to)
{
	struct tally_request request = {
		.size = sizeof(request),
		.demands = m->nr_held ? &s->family.demands[m->first] : NULL,
		.nr_demands = m->nr_held < TALLY_LIMIT_MAX_DEMANDS
				      ? m->nr_held
				      : TALLY_LIMIT_MAX_DEMANDS,
	};
	unsigned int left = m->nr_held;
	struct tally_token token;
	int err = m->state == LAYOUT_RESERVATION_RESERVED
			  ? tally_limit_reserve(s->ledger, to, &request, &token,
						NULL)
			  : tally_limit_adopt(s->ledger, to, &request, &token);

	while (!err && left > request.nr_demands) {
		left -= request.nr_demands;
		request.demands += request.nr_demands;
		if (request.nr_demands > left)
			request.nr_demands = left;
		err = tally_limit_change(s->ledger, token, &request, NULL);
	}
	return err;
}

static int draw(const struct save *s, struct tally_account to,
		struct tally_account parent)
{
	int err = limit_begin(s->ledger);

	if (err)
		return err;
	/* Places for what it draws. */
	err = limit_holding_room(s->ledger, 0);
	if (!err)
		err = limit_reservation_draw(s->ledger, to.row, parent.row);
	return limit_finish(s->ledger, err);
}

static int take(const struct save *s, struct tally_account to,
		const struct tally_demand *d)
{
	struct tally_credit credit;
	int err = tally_limit_credit(s->ledger, to, d->node, d->resource,
				     &credit);

	return err ? err : tally_limit_take(&credit, d->amount);
}

static int save_member(struct save *s, struct save_member *m)
{
	unsigned int taken = m->first + m->nr_held;
	const struct save_member *parent =
		m->parent ? &s->family.members[m->parent - 1] : NULL;
	struct tally_account to, above;
	int err;

	/* What an account had at another moment may be saved already: then
	 * neither this, nor what was drawn from it, counts. */
	if (parent && !parent->saved)
		return 0;
	err = save_get(s, m->from, NULL, &to);
	if (err || s->rows[m->from.row].reserved)
		return err == -ESTALE ? 0 : err;
	if (m->state != LAYOUT_RESERVATION_NONE || m->nr_held)
		err = reserve(s, m, to);
	if (!err && parent) {
		err = save_get(s, parent->from, NULL, &above);
		if (!err)
			err = draw(s, to, above);
		/* For a moment it counted in its own peak. */
		if (!err)
			err = save_note(&s->quotas, m->from, to);
	}
	for (unsigned int i = 0; !err && i < m->nr_taken; i++)
		err = take(s, to, &s->family.demands[taken + i]);
	m->saved = !err;
	s->rows[m->from.row].reserved = !err;
	return err;
}

int save_reservation(struct save *s, struct tally_account from,
		     struct tally_account to)
{
	bool drawn;
	int err;

	if (s->rows[from.row].reserved)
		return 0;
	err = read_family(s, from, &drawn);
	for (unsigned int i = 0; !err && i < s->family.nr; i++)
		err = save_member(s, &s->family.members[i]);
	return err || !drawn ? err : save_note(&s->drawn, from, to);
}

int save_drawn(struct save *s)
{
	unsigned int nr = s->drawn.nr;
	int err = 0;

	/* What is still drawn was so of a reservation that was saved before:
	 * at that moment it had nothing. */
	for (unsigned int i = 0; !err && i < nr; i++) {
		const struct save_later a = s->drawn.entries[i];

		err = save_reservation(s, a.from, a.to);
	}
	return err;
}
