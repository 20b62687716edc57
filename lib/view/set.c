// SPDX-License-Identifier: MIT
/* Setting gauges. */
#include "config.h"

#include <assert.h>
#include <errno.h>

#include <numatally/view.h>

#include "file/column.h"
#include "ledger/mapped.h"

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

int tally_ledger_set(struct tally_ledger *l, struct tally_account account,
		     int node, const struct tally_amount *amounts,
		     unsigned int nr)
{
	int64_t now[LAYOUT_MAX_COLUMNS];
	struct tally_amount lacks[64];
	int err = layout_node_index(l->layout, node);

	assert(nr <= 64);
	for (unsigned int i = 0; i < nr; i++)
		if (column_kind(l->layout, amounts[i].resource) != TALLY_GAUGE)
			return -EINVAL;
	if (err >= 0)
		err = read_now(l, account, node, now);
	if (err)
		return err;
	for (unsigned int i = 0; i < nr; i++) {
		int64_t *had = &now[amounts[i].resource];

		lacks[i].resource = amounts[i].resource;
		lacks[i].amount =
			(int64_t)((uint64_t)amounts[i].amount - (uint64_t)*had);
		*had = amounts[i].amount;
	}
	return tally_ledger_charge(l, account, node, lacks, nr);
}
