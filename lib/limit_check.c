// SPDX-License-Identifier: MIT
/*
 * Whether the words of reservations agree: what is held by each row, on each
 * node, is counted in the capacity of the node, in the account's quota, and in
 * those of the accounts above that ever had one.
 *
 * All is read within one sequence, and read again where that changed meanwhile:
 * what was found is told afterwards.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "limit_check.h"
#include "view_internal.h"

#define MAX_PROBLEMS 1000
#define tell	     limit_check_tell

void limit_check_tell(struct limit_check *c, const char *pattern, ...)
{
	va_list args;
	char *text;
	int n;

	if (c->err || c->nr_problems == MAX_PROBLEMS)
		return;
	va_start(args, pattern);
	n = vasprintf(&text, pattern, args);
	va_end(args);
	if (n < 0)
		c->err = -ENOMEM;
	else
		c->problems[c->nr_problems++] = text;
}

static void forget_problems(struct limit_check *c)
{
	while (c->nr_problems)
		free(c->problems[--c->nr_problems]);
}

static const char *name_of(const struct limit_check *c, uint32_t resource)
{
	return c->layout->resources[resource].name;
}

static bool exists(const struct limit_check *c, uint32_t which, uint32_t row)
{
	return __atomic_load_n(layout_held_byte(c->layout, which, row),
			       __ATOMIC_ACQUIRE) != 0;
}

static int64_t amount(const void *word)
{
	return (int64_t)limit_get(word);
}

static void add(int64_t *sum, int64_t n)
{
	*sum = (int64_t)((uint64_t)*sum + (uint64_t)n);
}

/* Puts a word right that follows from others. */
static void put(struct limit_check *c, const void *word, uint64_t value)
{
	if (!c->repaired)
		return;
	limit_set(c->repaired,
		  c->repaired->origin +
			  ((const char *)word - c->layout->origin),
		  value);
	limit_keep(c->repaired);
}

/* ---- what rows hold ------------------------------------------------------ */

static int compare_rows(const void *a, const void *b)
{
	uint32_t ra = *(const uint32_t *)a, rb = *(const uint32_t *)b;

	return (ra > rb) - (ra < rb);
}

/* The row's place among those that ever had a quota; -1: it has none. */
static int64_t index_of(const struct limit_check *c, uint32_t row)
{
	const uint32_t *found;

	if (!c->nr_quotas)
		return -1;
	found = bsearch(&row, c->quotas, c->nr_quotas, sizeof(row),
			compare_rows);
	return found ? found - c->quotas : -1;
}

static void add_to_quota(struct limit_check *c, uint32_t row)
{
	int64_t index = index_of(c, row);

	for (uint32_t i = 0; index >= 0 && i < c->nr_resources; i++)
		add(&c->of_quotas[(uint64_t)index * c->nr_resources + i],
		    c->of_row[i]);
}

static void add_above(struct limit_check *c, struct tally_account account)
{
	size_t bytes = tally_account_key_bytes(c->accounts);

	if (!c->nr_quotas ||
	    tally_account_key(c->accounts, account, c->key, bytes))
		return;
	for (char *end = strchr(c->key, '/'); end && end[1];
	     end = strchr(end + 1, '/')) {
		struct tally_account above;
		char next = end[1];

		end[1] = '\0';
		if (!tally_account_find(c->accounts, c->key, &above))
			add_to_quota(c, above.row);
		end[1] = next;
	}
}

static void check_cell(struct limit_check *c, uint32_t row, uint32_t node,
		       uint32_t resource, const struct layout_hold *hold)
{
	int64_t held = amount(&layout_held(c->layout, node, row)[resource]);
	int id = c->layout->nodes[node].id;
	const char *name = name_of(c, resource);

	if (!held)
		return;
	if (held < 0)
		tell(c, "row %" PRIu32 ": node %d: less than no %s is held",
		     row, id, name);
	if (c->layout->resources[resource].kind != TALLY_STOCK)
		tell(c, "row %" PRIu32 ": node %d: %s is held, a counter", row,
		     id, name);
	if (!hold || limit_get(&hold->state) == LAYOUT_HOLD_NONE)
		tell(c, "row %" PRIu32 ": node %d: %s is held, not reserved",
		     row, id, name);
	else if (!(limit_get(&hold->nodes) >> node % 64 & 1))
		tell(c,
		     "row %" PRIu32 ": node %d: %s is held, beside those "
		     "nodes that it says",
		     row, id, name);
	add(&c->of_row[resource], held);
	add(&c->of_nodes[(uint64_t)node * c->nr_resources + resource], held);
}

/* Whether it has a reservation, of that account. */
static bool check_hold(struct limit_check *c, uint32_t row,
		       const struct layout_hold *hold,
		       struct tally_account *account)
{
	uint64_t state = limit_get(&hold->state);

	if (state > LAYOUT_HOLD_COMMITTED)
		tell(c,
		     "row %" PRIu32 ": its reservation is in no state that "
		     "there is",
		     row);
	c->nr_reserved += state == LAYOUT_HOLD_RESERVED;
	if (state == LAYOUT_HOLD_NONE)
		return false;
	account->row = row;
	account->generation = (uint32_t)limit_get(&hold->account);
	return true;
}

static void count_above(struct limit_check *c, struct tally_account account)
{
	if (tally_account_phase(c->accounts, account) < 0)
		tell(c, "row %" PRIu32 ": the account of what it holds is gone",
		     account.row);
	else
		add_above(c, account);
}

static void check_peak(struct limit_check *c, uint32_t row, uint32_t resource)
{
	const struct layout_quota *q = &layout_quotas(c->layout, row)[resource];

	if (amount(&q->peak) >= amount(&q->held))
		return;
	tell(c, "row %" PRIu32 ": %s: more is held than its peak", row,
	     name_of(c, resource));
	put(c, &q->peak, limit_get(&q->held));
}

static void check_quotas(struct limit_check *c, uint32_t row)
{
	const struct layout_quota *quotas = layout_quotas(c->layout, row);

	for (uint32_t i = 0; i < c->nr_resources; i++) {
		const struct layout_quota *q = &quotas[i];

		if (limit_get(&q->limit) > (uint64_t)INT64_MAX + 1)
			tell(c, "row %" PRIu32 ": %s: its quota is below 0",
			     row, name_of(c, i));
		/* Those that ever had one are compared at the end. */
		if (index_of(c, row) < 0 && amount(&q->held) != c->of_row[i]) {
			tell(c,
			     "row %" PRIu32 ": %s: its quota counts %" PRId64
			     ", but %" PRId64 " is held",
			     row, name_of(c, i), amount(&q->held),
			     c->of_row[i]);
			put(c, &q->held, (uint64_t)c->of_row[i]);
		}
		check_peak(c, row, i);
	}
}

static void check_row(struct limit_check *c, uint32_t row)
{
	const struct layout_hold *hold =
		exists(c, 0, row) ? layout_hold(c->layout, row) : NULL;
	struct tally_account account;
	bool some;

	memset(c->of_row, 0, c->nr_resources * sizeof(*c->of_row));
	for (uint32_t n = 0; n < c->nr_nodes; n++)
		for (uint32_t i = 0;
		     exists(c, 1 + n, row) && i < c->nr_resources; i++)
			check_cell(c, row, n, i, hold);
	some = limit_check_add_credits(c, row, &account);
	/* What one left that is gone is nobody's. */
	if (!hold || (limit_get(&hold->state) == LAYOUT_HOLD_NONE && !some &&
		      !held_is_current(c->layout, row)))
		return;
	add_to_quota(c, row);
	if (check_hold(c, row, hold, &account) || some)
		count_above(c, account);
	check_quotas(c, row);
}

/* ---- what counts it ------------------------------------------------------ */

static void find_quotas(struct limit_check *c)
{
	uint32_t end = c->layout->header.params.max_accounts;

	for (uint32_t row = 0; row < end; row++) {
		uint64_t max = 2 * c->max_quotas + 16;
		uint32_t *bigger;

		if (!exists(c, 0, row)) {
			row |= LAYOUT_BUCKET_ROWS - 1;
			continue;
		}
		if (!limit_had_quota(c->layout, row))
			continue;
		if (c->nr_quotas == c->max_quotas) {
			bigger = reallocarray(c->quotas, max, sizeof(*bigger));
			if (!bigger) {
				c->err = -ENOMEM;
				return;
			}
			c->quotas = bigger;
			c->max_quotas = max;
		}
		c->quotas[c->nr_quotas++] = row;
	}
	free(c->of_quotas);
	c->of_quotas = calloc(c->nr_quotas * c->nr_resources + 1,
			      sizeof(*c->of_quotas));
	if (!c->of_quotas)
		c->err = -ENOMEM;
	if (limit_get(&layout_limits(c->layout)->nr_quotas) < c->nr_quotas)
		tell(c, "there are more quotas than are counted");
}

static void compare_quotas(struct limit_check *c)
{
	for (uint64_t q = 0; q < c->nr_quotas; q++) {
		const struct layout_quota *quotas =
			layout_quotas(c->layout, c->quotas[q]);
		const int64_t *counts = &c->of_quotas[q * c->nr_resources];

		for (uint32_t i = 0; i < c->nr_resources; i++)
			if (amount(&quotas[i].held) != counts[i]) {
				tell(c,
				     "row %" PRIu32 ": %s: its quota "
				     "counts %" PRId64 ", but it and those "
				     "below it hold %" PRId64,
				     c->quotas[q], name_of(c, i),
				     amount(&quotas[i].held), counts[i]);
				put(c, &quotas[i].held, (uint64_t)counts[i]);
				check_peak(c, c->quotas[q], i);
			}
	}
}

static void compare_node(struct limit_check *c, uint32_t node,
			 uint32_t resource)
{
	const struct layout_capacity *capacity =
		layout_capacity(c->layout, node, resource);
	int64_t held = c->of_nodes[(uint64_t)node * c->nr_resources + resource];
	int id = c->layout->nodes[node].id;
	const char *name = name_of(c, resource);

	if (amount(&capacity->held) != held) {
		tell(c,
		     "node %d: %s: its capacity counts %" PRId64
		     ", but %" PRId64 " is held",
		     id, name, amount(&capacity->held), held);
		put(c, &capacity->held, (uint64_t)held);
	}
	if (amount(&capacity->peak) < amount(&capacity->held)) {
		tell(c, "node %d: %s: more is held than its peak", id, name);
		put(c, &capacity->peak, limit_get(&capacity->held));
	}
	if (limit_get(&capacity->limit) > (uint64_t)INT64_MAX + 1)
		tell(c, "node %d: %s: its capacity is below 0", id, name);
}

/* The list is of those that are reserved, each once. */
static bool list_is_right(struct limit_check *c)
{
	const struct layout_limits *limits = layout_limits(c->layout);
	uint64_t row = limit_get(&limits->first_uncommitted), previous = 0;
	uint64_t nr = 0;
	bool right = true;

	while (row && nr <= c->nr_reserved) {
		const struct layout_hold *hold;

		if (row > c->layout->header.params.max_accounts ||
		    !exists(c, 0, (uint32_t)row - 1)) {
			tell(c, "the list of what is uncommitted leads "
				"nowhere");
			return false;
		}
		hold = layout_hold(c->layout, (uint32_t)row - 1);
		if (limit_get(&hold->state) != LAYOUT_HOLD_RESERVED ||
		    limit_get(&hold->previous) != previous) {
			right = false;
			tell(c,
			     "row %" PRIu64 ": is in the list of what is "
			     "uncommitted as it should not be",
			     row - 1);
		}
		previous = row;
		row = limit_get(&hold->next);
		nr++;
	}
	if (nr == c->nr_reserved)
		return right;
	tell(c, "the list of what is uncommitted has %s than there is",
	     nr < c->nr_reserved ? "less" : "more");
	return false;
}

/* Of those that are reserved, in the order of their rows from behind. */
static void make_list(struct limit_check *c)
{
	const struct layout_limits *limits = layout_limits(c->layout);
	uint32_t end = c->layout->header.params.max_accounts;
	uint64_t first = 0;

	for (uint32_t row = 0; row < end; row++) {
		const struct layout_hold *hold;

		if (!exists(c, 0, row)) {
			row |= LAYOUT_BUCKET_ROWS - 1;
			continue;
		}
		hold = layout_hold(c->layout, row);
		if (limit_get(&hold->state) != LAYOUT_HOLD_RESERVED)
			continue;
		put(c, &hold->next, first);
		put(c, &hold->previous, 0);
		if (first)
			put(c,
			    &layout_hold(c->layout, (uint32_t)first - 1)
				     ->previous,
			    row + UINT64_C(1));
		first = row + UINT64_C(1);
	}
	put(c, &limits->first_uncommitted, first);
}

/* ---- all of it ----------------------------------------------------------- */

static void check_all(struct limit_check *c)
{
	uint32_t end = c->layout->header.params.max_accounts;

	c->nr_quotas = 0;
	c->nr_reserved = 0;
	memset(c->of_nodes, 0,
	       (uint64_t)c->nr_nodes * c->nr_resources * sizeof(*c->of_nodes));
	find_quotas(c);
	limit_check_credits(c);
	if (limit_get(&layout_limits(c->layout)->nr_undo))
		tell(c, "something is to be undone, but nothing is under way");
	for (uint32_t row = 0; !c->err && row < end; row++) {
		bool any = exists(c, 0, row);

		for (uint32_t n = 0; !any && n < c->nr_nodes; n++)
			any = exists(c, 1 + n, row);
		if (any)
			check_row(c, row);
		else
			row |= LAYOUT_BUCKET_ROWS - 1;
	}
	if (c->err)
		return;
	compare_quotas(c);
	for (uint32_t n = 0; n < c->nr_nodes; n++)
		for (uint32_t i = 0; i < c->nr_resources; i++)
			compare_node(c, n, i);
	if (!list_is_right(c) && c->repaired)
		make_list(c);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int check_still(struct limit_check *c)
{
	int64_t until = now_ns() + TALLY_LIMIT_WAIT_NS;
	struct held_read read = {0};

	for (;;) {
		int err = held_begin(c->layout, &read);

		if (err)
			return err;
		check_all(c);
		if (!layout_is_whole(c->layout))
			return -EBADMSG;
		if (c->err || !held_again(c->layout, &read))
			return c->err;
		forget_problems(c);
		if (now_ns() > until)
			return -EAGAIN;
	}
}

/* All that it needs is made, done and told; what there is to be freed is. */
static int run(struct limit_check *c, int (*look)(struct limit_check *c),
	       int (*each)(void *arg, const char *problem), void *arg)
{
	int err = -ENOMEM;

	c->nr_nodes = c->layout->header.params.nr_nodes;
	c->nr_resources = c->layout->header.params.nr_resources;
	c->problems = calloc(MAX_PROBLEMS, sizeof(*c->problems));
	c->of_nodes = calloc((size_t)c->nr_nodes * c->nr_resources,
			     sizeof(*c->of_nodes));
	c->of_row = calloc(c->nr_resources, sizeof(*c->of_row));
	c->key = malloc(tally_account_key_bytes(c->accounts));
	if (c->problems && c->of_nodes && c->of_row && c->key)
		err = look(c);
	for (unsigned int i = 0; !err && i < c->nr_problems; i++)
		err = each(arg, c->problems[i]);
	if (c->problems)
		forget_problems(c);
	free(c->problems);
	free(c->quotas);
	free(c->of_quotas);
	free(c->credits);
	free(c->of_nodes);
	free(c->of_row);
	free(c->key);
	return err;
}

int tally_limit_check(const struct tally_view *view,
		      int (*each)(void *arg, const char *problem), void *arg)
{
	struct limit_check c = {
		.layout = view_layout(view),
		.accounts = tally_view_accounts(view),
	};

	return run(&c, check_still, each, arg);
}

static int repair(struct limit_check *c)
{
	check_all(c);
	return c->err;
}

int tally_limit_repair(struct tally_ledger *l,
		       int (*each)(void *arg, const char *problem), void *arg)
{
	struct limit_check c = {
		.layout = l->layout,
		.accounts = l->accounts,
		.repaired = l->layout,
	};
	int err = limit_begin(l);

	if (!err)
		err = limit_finish(l, run(&c, repair, each, arg));
	return err;
}
