// SPDX-License-Identifier: MIT
#include "config.h"

#include <assert.h>
#include <errno.h>

#include "base/sized.h"
#include "file/reserved.h"
#include "limit/prefetch.h"
#include "limit/reap.h"
#include "limit/request.h"
#include "limit/transaction.h"

int limit_check_demands(const struct tally_ledger *l,
			const struct tally_demand *demands, unsigned int nr,
			bool may_be_negative)
{
	assert(nr <= TALLY_LIMIT_MAX_DEMANDS);
	for (unsigned int i = 0; i < nr; i++) {
		int index = layout_node_index(l->layout, demands[i].node);

		if (index < 0)
			return index;
		if (!limit_is_reservable(l, demands[i].resource) ||
		    (demands[i].amount < 0 && !may_be_negative))
			return -EINVAL;
	}
	return 0;
}

int64_t limit_request_sum(const struct limit_request *r, unsigned int resource,
			  const int *node)
{
	__int128 sum = 0;

	for (unsigned int i = 0; i < r->request.nr_demands; i++) {
		const struct tally_demand *d = &r->request.demands[i];

		if (d->resource == resource && (!node || d->node == *node))
			sum += d->amount;
	}
	return sum > INT64_MAX	 ? INT64_MAX
	       : sum < INT64_MIN ? INT64_MIN
				 : (int64_t)sum;
}

static int64_t left(uint64_t limit, const int64_t *held)
{
	int64_t n;

	if (__builtin_sub_overflow(limit_value(limit), (int64_t)limit_get(held),
				   &n))
		n = INT64_MAX;
	return n > 0 ? n : 0;
}

static struct tally_account account_at(const struct tally_ledger *l,
				       uint32_t row)
{
	uint64_t cursor = row;
	struct tally_account account;

	if (tally_account_next(l->accounts, &cursor, &account) ||
	    account.row != row)
		account = (struct tally_account){.row = row};
	return account;
}

/* By a parent, which counts no refusals. */
static void describe(const struct limit_request *r,
		     struct tally_refusal *refusal)
{
	const struct tally_demand *h = &r->request.demands[r->demand];

	refusal->node = h->node;
	refusal->resource = h->resource;
	refusal->asked = limit_request_sum(r, h->resource, &h->node);
	refusal->free = reserved_left(r->ledger->layout, r->parent - 1,
				      limit_request_node(r, r->demand),
				      h->resource);
	refusal->account = limit_account_in(r->ledger, r->parent - 1);
}

/* Count the refusal, after the undo, and describe it. */
static void refuse(const struct limit_request *r, int err,
		   struct tally_refusal *refusal)
{
	const struct tally_demand *h = &r->request.demands[r->demand];
	struct layout *l = r->ledger->layout;
	struct layout_capacity *capacity = layout_capacity(
		l, limit_request_node(r, r->demand), h->resource);
	struct layout_quota *quota = &layout_quotas(l, r->row)[h->resource];
	bool of_node = err == -ENOSPC;
	uint64_t *nr = of_node ? &capacity->nr_refused : &quota->nr_refused;

	if (!r->only_asks) {
		limit_set(l, nr, limit_get(nr) + 1);
		limit_keep(l);
	}
	refusal->node = h->node;
	refusal->resource = h->resource;
	refusal->asked =
		limit_request_sum(r, h->resource, of_node ? &h->node : NULL);
	refusal->free =
		of_node ? left(limit_get(&capacity->limit), &capacity->held)
			: left(limit_get(&quota->limit), &quota->held);
	if (!of_node)
		refusal->account = account_at(r->ledger, r->row);
}

/* Free what may be in the request's way. Return the number. */
static int make_free(const struct limit_request *r)
{
	return r->parent ? limit_reap_all(r->ledger, false)
			 : limit_make_free(
				   r->ledger,
				   r->request.demands[r->demand].resource);
}

/* Ask again as long as something can be freed. */
static int ask_all(struct limit_request *r, struct tally_token *token,
		   struct tally_refusal *refusal)
{
	int err, nr;

	do {
		err = r->ask(r, token);
		if (!r->refused)
			return err;
		limit_undo(r->ledger->layout);
		nr = make_free(r);
	} while (nr > 0);
	if (nr < 0)
		return nr;
	if (r->parent)
		describe(r, refusal);
	else if (!r->adopts)
		refuse(r, err, refusal);
	return err;
}

/* Undo what was granted to a caller that only asks. */
static int ask_whether(struct limit_request *r, struct tally_token *token,
		       struct tally_refusal *refusal)
{
	int err = ask_all(r, token, refusal);

	if (!err && r->only_asks)
		limit_undo(r->ledger->layout);
	return err;
}

int limit_request(struct limit_request *r, const struct tally_request *request,
		  struct tally_token *token, struct tally_refusal *refusal)
{
	struct tally_refusal why = {0};
	int err;

	err = sized_get(&r->request, sizeof(r->request),
			sized_upto(struct tally_request, lease_ns), request);
	if (!err && refusal &&
	    !sized_fits(refusal, sized_upto(struct tally_refusal, account)))
		err = -EINVAL;
	if (err)
		return err;
	err = limit_check_demands(r->ledger, r->request.demands,
				  r->request.nr_demands, r->changes);
	if (!err && r->request.lease_ns < 0)
		err = -EINVAL;
	if (!err)
		limit_prefetch_demands(r->ledger, r->account.row,
				       r->request.demands,
				       r->request.nr_demands);
	if (!err)
		err = limit_begin(r->ledger);
	if (err)
		return err;
	err = limit_finish(r->ledger, ask_whether(r, token, &why));
	if (refusal && (err == -ENOSPC || err == -EDQUOT))
		sized_put(refusal, &why, sizeof(why));
	return err;
}
