// SPDX-License-Identifier: MIT
/* What thresholds compare. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include <numatally/limit.h>

#include "file/file.h"
#include "watch/internal.h"

bool watch_is_crossed(const struct tally_watch_threshold *t, int64_t amount)
{
	return t->side == TALLY_WATCH_BELOW ? amount < t->mark
					    : amount > t->mark;
}

bool watch_is_within(const struct tally_watch_threshold *t, int64_t amount)
{
	int64_t mark;

	if (t->side == TALLY_WATCH_BELOW)
		return __builtin_add_overflow(t->mark, t->hysteresis, &mark) ||
		       amount < mark;
	return __builtin_sub_overflow(t->mark, t->hysteresis, &mark) ||
	       amount > mark;
}

static bool is_subtree(const struct tally_watch_threshold *t)
{
	size_t bytes = t->account ? strlen(t->account) : 0;

	return t->of == TALLY_WATCH_AMOUNT && bytes &&
	       t->account[bytes - 1] == '/';
}

/* ---- of one node, or of all together --------------------------------------- */

static int left_of(const struct tally_limit *limit, int64_t *amount)
{
	if (limit->limit == TALLY_LIMIT_NONE)
		*amount = INT64_MAX;
	else if (__builtin_sub_overflow(limit->limit, limit->held, amount))
		return -EBADMSG;
	return 0;
}

static int left_of_node(const struct tally_watch *w, unsigned int resource,
			int node, int64_t *amount)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	int err = tally_limit_node(w->view, node, resource, &limit);

	return err ? err : left_of(&limit, amount);
}

static int left_of_all(const struct tally_watch *w, unsigned int resource,
		       int64_t *amount)
{
	unsigned int nr = tally_view_nr_nodes(w->view);
	bool no_limit = false;
	__int128 sum = 0;

	for (unsigned int i = 0; i < nr; i++) {
		int64_t left;
		int err = left_of_node(w, resource, tally_view_node(w->view, i),
				       &left);

		if (err)
			return err;
		no_limit |= left == INT64_MAX;
		sum += left;
	}
	*amount = no_limit || sum > INT64_MAX ? INT64_MAX
		  : sum < INT64_MIN	      ? INT64_MIN
					      : (int64_t)sum;
	return 0;
}

static int left_of_quota(const struct tally_watch *w, unsigned int index,
			 int64_t *amount)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	int err = tally_limit_account(w->view, w->accounts[index],
				      w->thresholds[index].resource, &limit);

	return err ? err : left_of(&limit, amount);
}

static int free_on(const struct tally_watch *w, unsigned int index, int node,
		   int64_t *amount)
{
	const struct tally_watch_threshold *t = &w->thresholds[index];

	if (t->account)
		return node == TALLY_VIEW_ALL
			       ? left_of_quota(w, index, amount)
			       : tally_limit_free(w->view, w->accounts[index],
						  node, t->resource, amount);
	return node == TALLY_VIEW_ALL
		       ? left_of_all(w, t->resource, amount)
		       : left_of_node(w, t->resource, node, amount);
}

static int amount_on(const struct tally_watch *w, unsigned int index, int node,
		     int64_t *amount)
{
	const struct tally_watch_threshold *t = &w->thresholds[index];
	int64_t amounts[LAYOUT_MAX_COLUMNS];
	int err = t->account ? tally_view_account(w->view, w->accounts[index],
						  node, amounts)
			     : tally_view_totals(w->view, node, amounts);

	if (!err)
		*amount = amounts[t->resource];
	return err;
}

static int any_on(const struct tally_watch *w, unsigned int index, int node,
		  int64_t *amount)
{
	return w->thresholds[index].of == TALLY_WATCH_FREE
		       ? free_on(w, index, node, amount)
		       : amount_on(w, index, node, amount);
}

/* ---- of accounts below a key ------------------------------------------------ */

/* Into of_node[]; that of the one node, or all of them together, goes to
 * of_node[0]. */
static int read_below(struct tally_watch *w, const struct tally_filter *filter,
		      bool by_node)
{
	uint64_t cursor = 0;
	size_t nr;
	int err;

	memset(w->of_node, 0,
	       tally_view_nr_nodes(w->view) * sizeof(*w->of_node));
	while (!(err = tally_view_read(w->view, filter, &cursor, w->entries,
				       w->max_entries, &nr)))
		for (size_t i = 0; i < nr; i++) {
			const struct tally_entry *e = &w->entries[i];
			int at = by_node ? layout_node_index(w->layout, e->node)
					 : 0;

			/* As sums of a view, they wrap. */
			w->of_node[at] = (int64_t)((uint64_t)w->of_node[at] +
						   (uint64_t)e->amount);
		}
	return err == -ENOENT ? 0 : err;
}

/* ---- over nodes -------------------------------------------------------------- */

/* Whether @a is nearer to a crossing. */
static bool is_nearer(const struct tally_watch_threshold *t, int64_t a,
		      int64_t b)
{
	return t->side == TALLY_WATCH_BELOW ? a < b : a > b;
}

/* The nodes of which the amount is asked: those of other machines have no
 * counters and gauges. */
static unsigned int nr_nodes(const struct tally_watch *w,
			     const struct tally_watch_threshold *t)
{
	return tally_view_resource(w->view, t->resource)->kind ==
			       TALLY_RESERVABLE
		       ? tally_view_nr_nodes(w->view)
		       : tally_view_nr_local(w->view);
}

static int of_nodes(struct tally_watch *w, unsigned int index, int64_t *amount)
{
	const struct tally_watch_threshold *t = &w->thresholds[index];
	bool nearest = t->node == TALLY_WATCH_SOME_NODE;
	unsigned int nr = nr_nodes(w, t);

	for (unsigned int i = 0; i < nr; i++) {
		int64_t one;
		int err = 0;

		if (is_subtree(t))
			one = w->of_node[i];
		else
			err = any_on(w, index, tally_view_node(w->view, i),
				     &one);
		if (err)
			return err;
		if (!i || is_nearer(t, one, *amount) == nearest)
			*amount = one;
	}
	return 0;
}

/* ---- accounts ----------------------------------------------------------------- */

/* Whether its key begins with @prefix; not if it is gone meanwhile. */
static bool begins(const struct tally_accounts *accounts,
		   struct tally_account account, const char *prefix)
{
	char key[LAYOUT_MAX_KEY + 1];

	return !tally_account_key(accounts, account, key, sizeof(key)) &&
	       !strncmp(key, prefix, strlen(prefix));
}

static int nr_pending(const struct tally_watch *w, const char *prefix,
		      int64_t *amount)
{
	const struct tally_accounts *accounts = tally_view_accounts(w->view);
	struct tally_account account;
	uint64_t cursor = 0;
	int64_t nr = 0;
	int err;

	while (!(err = tally_account_next_in(accounts, TALLY_PHASE_PENDING,
					     &cursor, &account)))
		nr += !prefix || begins(accounts, account, prefix);
	if (err != -ENOENT)
		return err;
	*amount = nr;
	return 0;
}

int watch_amount(struct tally_watch *w, unsigned int index, int64_t *amount)
{
	const struct tally_watch_threshold *t = &w->thresholds[index];
	bool by_node = t->node < TALLY_VIEW_ALL;
	int err;

	if (t->of == TALLY_WATCH_PENDING)
		return nr_pending(w, t->account, amount);
	if (is_subtree(t)) {
		const struct tally_filter filter = {
			.size = sizeof(filter),
			.prefix = t->account,
			.node = by_node ? TALLY_VIEW_ALL : t->node,
			.resource = (int)t->resource,
		};

		err = read_below(w, &filter, by_node);
		if (err)
			return err;
		if (!by_node) {
			*amount = w->of_node[0];
			return 0;
		}
	}
	return by_node ? of_nodes(w, index, amount)
		       : any_on(w, index, t->node, amount);
}

/* ---- what thresholds name ----------------------------------------------------- */

static bool is_valid(const struct tally_view *view,
		     const struct tally_watch_threshold *t)
{
	if ((t->side != TALLY_WATCH_BELOW && t->side != TALLY_WATCH_ABOVE) ||
	    t->hysteresis < 0)
		return false;
	switch (t->of) {
	case TALLY_WATCH_FREE:
		return t->resource < tally_view_nr_resources(view) &&
		       tally_view_resource(view, t->resource)->kind ==
			       TALLY_RESERVABLE;
	case TALLY_WATCH_AMOUNT:
		return t->resource < tally_view_nr_resources(view);
	case TALLY_WATCH_PENDING:
		return t->node == TALLY_VIEW_ALL;
	default:
		return false;
	}
}

int watch_find(struct tally_watch *w, unsigned int index)
{
	const struct tally_watch_threshold *t = &w->thresholds[index];
	int err = 0;

	if (!is_valid(w->view, t))
		return -EINVAL;
	if (t->node < TALLY_WATCH_EVERY_NODE)
		return -ENOENT;
	if (t->node >= 0)
		err = layout_node_index(w->layout, t->node);
	if (err >= 0 && t->account && t->of != TALLY_WATCH_PENDING &&
	    !is_subtree(t))
		err = tally_account_find(tally_view_accounts(w->view),
					 t->account, &w->accounts[index]);
	return err < 0 ? err : 0;
}
