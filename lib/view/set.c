// SPDX-License-Identifier: MIT
/*
 * Setting gauges: a set adds what the sum over lanes lacks. A lock has the sets
 * of a ledger take turns, so that no other set comes between reading the sum and
 * adding to it. A set changes nothing but by its add: what a dead owner of the
 * lock had begun needs no repair.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>

#include <numatally/view.h>

#include "base/uncancelled.h"
#include "file/column.h"
#include "file/turn.h"
#include "ledger/mapped.h"

#define LOCK_NS INT64_C(1000000000)

enum change { SET, RAISE }; /* RAISE: of one gauge */

static int read_now(struct tally_ledger *l, struct tally_account account,
		    int node, int64_t *now)
{
	struct tally_view *view;
	int err = tally_view_open(l, &view);

	if (err)
		return err;
	err = tally_view_account(view, account, node, now);
	tally_view_close(view);
	return err;
}

static int set(struct tally_ledger *l, struct tally_account account, int node,
	       const struct tally_amount *amounts, unsigned int nr,
	       enum change change)
{
	int64_t now[LAYOUT_MAX_COLUMNS];
	struct tally_amount lacks[64];
	int err = read_now(l, account, node, now);

	if (err)
		return err;
	for (unsigned int i = 0; i < nr; i++) {
		int64_t *had = &now[amounts[i].resource];

		if (change == RAISE && *had >= amounts[i].amount)
			return 0;
		lacks[i].resource = amounts[i].resource;
		lacks[i].amount =
			(int64_t)((uint64_t)amounts[i].amount - (uint64_t)*had);
		*had = amounts[i].amount;
	}
	return tally_ledger_charge(l, account, node, lacks, nr);
}

static int set_in_turn(struct tally_ledger *l, struct tally_account account,
		       int node, const struct tally_amount *amounts,
		       unsigned int nr, enum change change)
{
	struct layout_control *c = layout_control(l->layout);
	int err = ledger_join(l);

	if (!err && !turn_try(l->layout, &c->gauges_lock, &c->gauges_turn))
		err = turn_take(l->layout, &c->gauges_lock, &c->gauges_turn,
				LOCK_NS);
	if (err < 0)
		return err;
	err = set(l, account, node, amounts, nr, change);
	robust_leave(l->layout, &c->gauges_lock);
	return err;
}

static int set_gauges(struct tally_ledger *l, struct tally_account account,
		      int node, const struct tally_amount *amounts,
		      unsigned int nr, enum change change)
{
	UNCANCELLED;
	int err = layout_node_index(l->layout, node);

	assert(nr <= 64);
	for (unsigned int i = 0; i < nr; i++)
		if (column_kind(l->layout, amounts[i].resource) != TALLY_GAUGE)
			return -EINVAL;
	return err < 0 ? err
		       : set_in_turn(l, account, node, amounts, nr, change);
}

int tally_ledger_set(struct tally_ledger *l, struct tally_account account,
		     int node, const struct tally_amount *amounts,
		     unsigned int nr)
{
	return set_gauges(l, account, node, amounts, nr, SET);
}

int tally_gauge_set(struct tally_ledger *l, struct tally_account account,
		    int node, unsigned int resource, int64_t amount)
{
	return tally_ledger_set(l, account, node,
				&(struct tally_amount){resource, amount}, 1);
}

int tally_gauge_raise(struct tally_ledger *l, struct tally_account account,
		      int node, unsigned int resource, int64_t amount)
{
	return set_gauges(l, account, node,
			  &(struct tally_amount){resource, amount}, 1, RAISE);
}
